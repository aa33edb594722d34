"""An asset for each table of records, so that their tests and what is made from them come after what writes them."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    ComponentLoadContext,
    Definitions,
    MaterializeResult,
    definitions,
    multi_asset,
)

from ml.features.review import TABLES as REVIEW_RECORDS
from orchestration.failures import as_dagster_failure
from orchestration.keys import WAREHOUSE_POOL, asset_key, model_versions_key
from orchestration.metadata import table
from orchestration.project import predictions_of
from turnout.leakage.records import TABLES as AUDIT_RECORDS
from turnout.loading.contract import source_tables
from turnout.loading.register import TABLES as LOAD_RECORDS
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project

SAMPLED_ROWS = 10


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return the step that shows the tables of records."""
    return Definitions(assets=_records_assets(Project(context.project_root)))


def _records_assets(project: Project) -> list[AssetsDefinition]:
    """Return one step with an asset for each table of the source `records`, after all that writes them."""
    nodes = [node for node in manifest_of(project)["sources"].values() if node["source_name"] == "records"]
    trainings = [model_versions_key(prediction.name) for prediction in predictions_of(project)]
    loads = [asset_key(project, table.unique_id) for table in source_tables(manifest_of(project))]
    examples = [asset_key(project, prediction.examples.unique_id) for prediction in predictions_of(project)]
    written_with = {**dict.fromkeys(LOAD_RECORDS, loads), **dict.fromkeys(AUDIT_RECORDS + REVIEW_RECORDS, examples)}
    # Scores record what came true of those before them, and say so themselves. If outcomes waited for them here, they
    # waited for dbt's tests of the scores as well, and dbt's second step would fall into several, each with its start.
    specs = {
        node["identifier"]: AssetSpec(
            asset_key(project, node["unique_id"]),
            group_name="records",
            deps=written_with.get(node["name"], trainings),
            description=node["description"],
            kinds={"duckdb"},
        )
        for node in nodes
    }
    if not specs:
        return []

    @multi_asset(specs=list(specs.values()), name="records", pool=WAREHOUSE_POOL, can_subset=True)
    def records(context: AssetExecutionContext) -> Iterator[MaterializeResult[Any]]:
        """Count what was remembered and show a sample; the steps before this one wrote it."""
        selected = {name: spec.key for name, spec in specs.items() if spec.key in context.selected_asset_keys}
        shown = []
        with as_dagster_failure(), project.warehouse.session() as session:
            for name, key in selected.items():
                session.columns_of("records", name)  # tells in words if there is none
                (counted,) = session.rows(f"select count(*) as n from records.{name}")
                sample = table(session.rows(f"select * from records.{name} limit {SAMPLED_ROWS}"))
                shown.append((key, {"dagster/row_count": counted["n"], "sample": sample}))
        for key, metadata in shown:
            yield MaterializeResult(asset_key=key, metadata=metadata)

    return [records]
