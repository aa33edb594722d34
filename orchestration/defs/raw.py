"""Landing and raw: the samples' files, and the loads of every source table that is filled from landing."""

from dagster import Definitions, definitions

from orchestration.landing_sensor import landing_sensor
from orchestration.project import this_project
from orchestration.raw_assets import landing_assets, load_assets


@definitions
def defs() -> Definitions:
    """Return an asset for each sample and each source table, and the sensor that sees new files."""
    project = this_project()
    return Definitions(assets=[*landing_assets(project), *load_assets(project)], sensors=[landing_sensor(project)])
