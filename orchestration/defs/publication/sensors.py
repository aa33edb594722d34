"""The sensor that tells readers when a run has failed that would have published."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
from dagster import (
    ComponentLoadContext,
    DefaultSensorStatus,
    Definitions,
    ResourceParam,
    RunFailureSensorContext,
    SensorDefinition,
    definitions,
    run_failure_sensor,
)

from orchestration.check_results import CheckResults
from orchestration.defs.publication.held_back import hold_back_after
from turnout.project.paths import Project


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return the sensor."""
    return Definitions(sensors=[_held_back_sensor(Project(context.project_root))])


def _held_back_sensor(project: Project) -> SensorDefinition:
    """Return the sensor that tells readers when a run has failed that would have published."""

    @run_failure_sensor(
        name="held_back",
        # Readers learn of it whether or not somebody thought of switching the sensor on.
        default_status=DefaultSensorStatus.RUNNING,
        description="Tells readers, and the page of the publication, that a newer state was held back, and why.",
    )
    def held_back(context: RunFailureSensorContext, check_results: ResourceParam[CheckResults]) -> None:
        hold_back_after(project, check_results, context.instance, context.dagster_run)

    return held_back
