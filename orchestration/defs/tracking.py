"""What MLflow shows."""

from dagster import Definitions, definitions

from orchestration.project import this_project
from orchestration.tracking_asset import tracking_assets


@definitions
def defs() -> Definitions:
    """Return the step that tells MLflow."""
    return Definitions(assets=tracking_assets(this_project()))
