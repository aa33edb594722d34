"""Model versions and scores of every declared prediction, and the records of them."""

from dagster import Definitions, definitions

from orchestration.definitions import checks
from orchestration.prediction_assets import prediction_assets, records_assets
from orchestration.project import this_project


@definitions
def defs() -> Definitions:
    """Return two assets for each prediction, and those of the records."""
    project = this_project()
    return Definitions(assets=[*prediction_assets(project, checks()), *records_assets(project)])
