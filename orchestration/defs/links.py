"""The table of every declared link."""

from dagster import Definitions, definitions

from orchestration.definitions import checks
from orchestration.link_assets import link_assets
from orchestration.project import this_project


@definitions
def defs() -> Definitions:
    """Return an asset for each link."""
    return Definitions(assets=link_assets(this_project(), checks()))
