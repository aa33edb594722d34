"""The published file, and the sensor that tells readers when a newer one was held back."""

from dagster import Definitions, definitions

from orchestration.definitions import checks
from orchestration.project import this_project
from orchestration.publication_asset import held_back_sensor, publication_asset


@definitions
def defs() -> Definitions:
    """Return the publication and the sensor."""
    project = this_project()
    return Definitions(assets=[publication_asset(project, checks())], sensors=[held_back_sensor(project, checks())])
