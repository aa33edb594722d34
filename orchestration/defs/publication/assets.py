"""The asset of the file that BI opens."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
import json
from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    ComponentLoadContext,
    Definitions,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
    definitions,
)

from orchestration.check_results import CheckResults
from orchestration.defs.publication.held_back import CURRENT
from orchestration.failures import as_dagster_failure
from orchestration.keys import PUBLICATION, WAREHOUSE_POOL, asset_key, scores_key
from orchestration.metadata import table
from orchestration.project import predictions_of
from orchestration.stops import old_predictions
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project
from turnout.publication.marts import marts_in
from turnout.publication.predictions import shown_predictions
from turnout.publication.publish import publish


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return the asset of the published file."""
    return Definitions(assets=[_publication_asset(Project(context.project_root))])


def _publication_asset(project: Project) -> AssetsDefinition:
    """Return the asset of the published file, downstream of every mart."""
    marts = marts_in(manifest_of(project))
    # Where nothing is published but what a publication tells of itself, it tells of what was scored.
    last = [asset_key(project, mart.unique_id) for mart in marts.values()] or [
        scores_key(prediction.name) for prediction in predictions_of(project)
    ]

    @asset(
        key=PUBLICATION,
        deps=last,
        group_name="publication",
        pool=WAREHOUSE_POOL,
        kinds={"duckdb"},
        check_specs=[
            AssetCheckSpec(
                CURRENT.name, asset=PUBLICATION, description="BI reads the newest state: nothing newer was held back."
            )
        ],
    )
    def publication(
        context: AssetExecutionContext, check_results: ResourceParam[CheckResults]
    ) -> Iterator[MaterializeResult[Any]]:
        """Switch the file that BI opens to new marts, all at once, after every test on them has passed."""
        with as_dagster_failure():
            check_results.require_passed(context.instance, PUBLICATION)
            old = old_predictions(project, check_results, context.instance, predictions_of(project))
            shown = shown_predictions(manifest_of(project), old)
            published = publish(project, marts, check_results.latest(context.instance), shown)
        made = published.publication
        told = "".join(f" {found.name} is old: {found.old_because}" for found in shown if found.old_because)
        yield MaterializeResult(
            metadata={
                "publication": made.publication_id,
                "champions": json.loads(made.champions),
                "loads": json.loads(made.load_ids),
                "path": MetadataValue.path(str(project.published)),
                "bytes": project.published.stat().st_size,
                "tables": table([{"table": name, "rows": rows} for name, rows in published.rows.items()]),
            },
            check_results=[
                AssetCheckResult(
                    check_name=CURRENT.name,
                    passed=not told,
                    severity=AssetCheckSeverity.WARN,
                    description=f"This is publication {made.publication_id}.{told}",
                )
            ],
        )

    return publication
