"""The sensor that tells readers when a run has failed that would have published, and lets go on what did not fail."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
from dagster import (
    AssetSelection,
    ComponentLoadContext,
    DefaultSensorStatus,
    Definitions,
    ResourceParam,
    RunFailureSensorContext,
    RunRequest,
    SensorDefinition,
    define_asset_job,
    definitions,
    run_failure_sensor,
)

from orchestration.check_results import CheckResults
from orchestration.defs.publication.held_back import hold_back_after
from orchestration.project import predictions_of
from orchestration.stops import GOES_ON, remainder_of
from turnout.project.paths import Project

# What of a failed run can go on.
REMAINDER = define_asset_job("remainder", AssetSelection.all().materializable())


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return the sensor, and the job that it asks for."""
    return Definitions(sensors=[_held_back_sensor(Project(context.project_root))], jobs=[REMAINDER])


def _held_back_sensor(project: Project) -> SensorDefinition:
    """Return the sensor that tells readers when a run has failed that would have published."""

    @run_failure_sensor(
        name="held_back",
        # Readers learn of it whether or not somebody thought of switching the sensor on.
        default_status=DefaultSensorStatus.RUNNING,
        description="Lets the others go on where one prediction failed. Where nothing can, it tells readers, and the "
        "page of the publication, that a newer state was held back, and why.",
        request_job=REMAINDER,
    )
    def held_back(context: RunFailureSensorContext, check_results: ResourceParam[CheckResults]) -> RunRequest | None:
        run, instance = context.dagster_run, context.instance
        if GOES_ON not in run.tags:  # whose command is not there to go on by itself
            remainder = remainder_of(project, check_results, instance, run, predictions_of(project))
            if remainder:
                return RunRequest(run_key=run.run_id, asset_selection=sorted(remainder), tags={GOES_ON: "true"})
        hold_back_after(project, check_results, instance, run)
        return None

    return held_back
