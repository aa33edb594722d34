"""Landing and raw: the samples' files, and a load of every source table that is filled from landing."""

from dagster import Definitions, definitions

from orchestration.project import this_project
from orchestration.raw_assets import landing_assets, load_assets


@definitions
def defs() -> Definitions:
    """Return an asset for each sample and each source table."""
    project = this_project()
    landing = landing_assets(project)
    return Definitions(assets=[*landing, *load_assets(project, {made.key for made in landing})])
