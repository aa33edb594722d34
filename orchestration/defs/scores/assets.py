"""An asset for the scores of every prediction: what its champion makes of the latest as-of date."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    ComponentLoadContext,
    Definitions,
    MaterializeResult,
    ResourceParam,
    asset,
    definitions,
)

from ml.declaration import Prediction
from ml.serving.scores_table import SCHEMA as SCORES
from orchestration.check_results import CheckResults
from orchestration.failures import as_dagster_failure
from orchestration.keys import WAREHOUSE_POOL, asset_key, model_versions_key, scores_key
from orchestration.metadata import table
from orchestration.project import predictions_of
from turnout.engines import identifier
from turnout.project.paths import Project
from turnout.records import opened

SAMPLED_ROWS = 10
COVERS = "newest_as_of_date_covers_entities"
# What came true of earlier scores is recorded with the next ones; see `orchestration.defs.records.assets`.
OUTCOMES = AssetKey(["records", "outcomes"])


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return the asset of each prediction's scores."""
    project = Project(context.project_root)
    return Definitions(assets=[_scores_asset(project, prediction) for prediction in predictions_of(project)])


def _scores_asset(project: Project, prediction: Prediction) -> AssetsDefinition:
    examples = prediction.examples

    @asset(
        key=scores_key(prediction.name),
        deps=[asset_key(project, examples.unique_id), model_versions_key(prediction.name)],
        group_name="scores",
        description=f"The champion's scores of {prediction.name} for the latest as-of date.",
        pool=WAREHOUSE_POOL,
        kinds={"duckdb"},
        check_specs=[
            AssetCheckSpec(
                COVERS,
                asset=scores_key(prediction.name),
                description="Most entities have an example at the newest as-of date, which alone is scored.",
            )
        ],
    )
    def scores(
        context: AssetExecutionContext, check_results: ResourceParam[CheckResults]
    ) -> Iterator[MaterializeResult[Any]]:
        from ml.monitoring.outcomes import record_published
        from ml.serving.scoring import score

        with as_dagster_failure():
            check_results.require_passed(context.instance, context.asset_key)
            scoring = score(project.warehouse, prediction, project.model_versions)
            if scoring is not None:
                with opened(project.warehouse) as session:
                    record_published(session, prediction)
                    (recorded,) = session.rows("select count(*) as n from records.outcomes")
                    sample = session.rows(
                        f"""select * from {identifier(SCORES, prediction.name)}
                            where {identifier(examples.as_of)} = ? order by score desc limit {SAMPLED_ROWS}""",
                        (scoring.as_of_date,),
                    )
        if scoring is None:
            context.log.warning(f"{prediction.name} has no champion yet: no candidate beat the baseline.")
            nothing = "none yet: nothing was scored"
            yield MaterializeResult(
                metadata={"dagster/row_count": 0, "champion": nothing},
                check_results=[AssetCheckResult(check_name=COVERS, passed=True, description=f"Champion: {nothing}.")],
            )
            return
        context.log_event(AssetMaterialization(OUTCOMES, metadata={"dagster/row_count": recorded["n"]}))
        yield MaterializeResult(
            metadata={
                "dagster/row_count": scoring.row_count,
                "as-of date": str(scoring.as_of_date),
                "model version": scoring.model_version,
                "highest scores": table(sample),
                "trained with other libraries": table(
                    [
                        {"library": name, "trained with": then, "scored with": now}
                        for name, (then, now) in scoring.other_libraries.items()
                    ]
                ),
            },
            check_results=[
                AssetCheckResult(
                    check_name=COVERS,
                    passed=scoring.covers_entities,
                    severity=AssetCheckSeverity.WARN,
                    description=str(scoring),
                )
            ],
        )

    return scores
