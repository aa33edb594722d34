"""The published file."""

from dagster import Definitions, definitions

from orchestration.asset_factory import publication_asset
from orchestration.project import this_project


@definitions
def defs() -> Definitions:
    """Return the publication."""
    return Definitions(assets=[publication_asset(this_project())])
