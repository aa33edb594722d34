"""The Dagster asset of the published file."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    TableRecord,
    asset,
)

from orchestration.checks import require_passed_checks
from orchestration.dbt import asset_key
from orchestration.failures import in_words
from orchestration.project import WAREHOUSE_POOL, Project
from orchestration.publication import marts_in, publish


def publication_asset(project: Project) -> AssetsDefinition:
    """Return the asset of the published file, downstream of every mart."""
    marts = marts_in(project.manifest)
    nodes = {node["name"]: node["unique_id"] for node in project.manifest["nodes"].values()}
    keys = [asset_key(project, nodes[name]) for name in marts]
    examples = [asset_key(project, prediction.unique_id) for prediction in project.predictions]

    @asset(key=AssetKey("publication"), deps=keys, group_name="publication", pool=WAREHOUSE_POOL, kinds={"duckdb"})
    def publication(context: AssetExecutionContext) -> MaterializeResult[Any]:
        """Switch the file that BI opens to new marts, all at once, after every test on them has passed."""
        with in_words():
            require_passed_checks(context.instance, project, [*keys, *examples])
            rows = publish(project, marts)
        return MaterializeResult(
            metadata={
                "path": MetadataValue.path(str(project.published)),
                "bytes": project.published.stat().st_size,
                "tables": MetadataValue.table([TableRecord({"table": name, "rows": n}) for name, n in rows.items()]),
            }
        )

    return publication
