"""The asset of what MLflow shows: a mirror of the records that nothing waits for."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    AssetsDefinition,
    ComponentLoadContext,
    Definitions,
    MaterializeResult,
    asset,
    definitions,
)

from orchestration.commands import command
from orchestration.keys import WAREHOUSE_POOL, model_versions_key
from orchestration.metadata import table
from orchestration.project import predictions_of, track_all
from turnout.project.paths import Project

KEY = AssetKey(["mlflow", "runs"])
CHECK = "everything_is_sent"


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return the step that tells MLflow."""
    return Definitions(assets=tracking_assets(Project(context.project_root)))


def tracking_assets(project: Project) -> list[AssetsDefinition]:
    """Return the step that sends to MLflow what is new on record, after every training."""
    if not predictions_of(project):
        return []

    @asset(
        key=KEY,
        deps=[model_versions_key(prediction.name) for prediction in predictions_of(project)],
        group_name="tracking",
        check_specs=[AssetCheckSpec(CHECK, asset=KEY, description="MLflow shows all that is on record.")],
        pool=WAREHOUSE_POOL,
        # Where steps run one after another, this one comes when no other can: scores and marts do not wait for it.
        op_tags={"dagster/priority": "-1"},
        kinds={"mlflow"},
    )
    def runs() -> Iterator[MaterializeResult[Any]]:
        """Send runs, models and aliases to MLflow; what cannot be sent is a warning, and is sent the next time."""
        tracking = track_all(project)
        sent = [{"prediction": run.prediction, "version": run.version, "run": run.run_id} for run in tracking.sent]
        yield MaterializeResult(
            metadata={
                "MLflow": tracking.uri,
                "sent": table(sent),
                "aliases set": ", ".join(tracking.aliased) or "none",
                "kept until the next time": tracking.waiting,
            },
            check_results=[
                AssetCheckResult(
                    check_name=CHECK,
                    passed=not tracking.problems,
                    severity=AssetCheckSeverity.WARN,
                    description=tracking.text(command),
                )
            ],
        )

    return [runs]
