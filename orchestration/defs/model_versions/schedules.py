"""When predictions are trained again: everything they are made from, the predictions, and what shows them."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
from dagster import (
    AssetSelection,
    ComponentLoadContext,
    DagsterInvalidDefinitionError,
    Definitions,
    ScheduleDefinition,
    define_asset_job,
    definitions,
)

from orchestration.keys import model_versions_key
from orchestration.project import predictions_of
from turnout.errors import DeclarationError
from turnout.project.paths import Project


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return the schedules; like all in Dagster, they are off until somebody switches them on."""
    return Definitions(schedules=retraining_schedules(Project(context.project_root)))


def retraining_schedules(project: Project) -> list[ScheduleDefinition]:
    """Return a schedule for every prediction that declares `retrain`.

    Raises
    ------
    DeclarationError
        If `retrain` is not a cron expression.
    """
    schedules = []
    for prediction in predictions_of(project):
        retrain = prediction.serving.retrain
        if retrain is None:
            continue
        versions = AssetSelection.assets(model_versions_key(prediction.name))
        # Downstream includes the scores and the marts; what the marts need of other predictions stands already.
        made_anew = (versions.upstream() | versions.downstream()).materializable()
        job = define_asset_job(f"retrain_{prediction.name}", made_anew)
        try:
            schedules.append(ScheduleDefinition(job=job, cron_schedule=retrain, execution_timezone="UTC"))
        except DagsterInvalidDefinitionError:
            raise DeclarationError(
                f"Declaration: 'retrain' is {retrain!r}, which is not a cron expression.",
                where=f"{prediction.examples.where}, key 'config.meta.prediction.retrain'",
                rule="a prediction is declared completely and exactly, so that nothing is guessed.",
                remedy='write five fields in quotes, such as "0 17 * * 0" for Sundays at five in the afternoon.',
            ) from None
    return schedules
