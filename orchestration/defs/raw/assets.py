"""An asset for every source table that is filled from landing: its loads, and the checks of files that arrive."""

# Dagster reads the annotations of a step itself, so they are not postponed in this module.
from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    ComponentLoadContext,
    Definitions,
    MaterializeResult,
    asset,
    definitions,
)

from orchestration.commands import error_in_words
from orchestration.defs.raw.metadata import load_metadata
from orchestration.failures import as_dagster_failure
from orchestration.keys import WAREHOUSE_POOL, asset_key, landing_key
from orchestration.project import sample_modules
from turnout.loading.contract import SourceTable, source_tables
from turnout.loading.loader import Loaded, load_landed
from turnout.loading.refusal import why
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project

CHECKS = {
    "contract": "Every file in landing could be read as its contract in dbt's YAML says.",
    "population": "Every file in landing holds the population that the loads before it lead us to expect.",
}


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return an asset for every source table that is filled from landing."""
    return Definitions(assets=_load_assets(Project(context.project_root)))


def _load_assets(project: Project) -> list[AssetsDefinition]:
    """Return an asset for every source table; one that a sample fills comes after that."""
    sampled = {source for module in sample_modules(project) for source in module.SOURCES}
    return [
        _load_asset(project, table, after=[landing_key(table.source)] if table.source in sampled else [])
        for table in source_tables(manifest_of(project))
    ]


def _load_asset(project: Project, table: SourceTable, *, after: list[AssetKey]) -> AssetsDefinition:
    key = asset_key(project, table.unique_id)

    @asset(
        key=key,
        deps=after,
        group_name="raw",
        description=manifest_of(project)["sources"][table.unique_id]["description"],
        pool=WAREHOUSE_POOL,
        kinds={"parquet"},
        check_specs=[
            AssetCheckSpec(name, asset=key, blocking=True, description=promise) for name, promise in CHECKS.items()
        ],
    )
    def raw(context: AssetExecutionContext) -> Iterator[MaterializeResult[Any]]:
        with as_dagster_failure():
            loaded = load_landed(project, table)
        before = context.instance.get_latest_materialization_event(key)
        shown_before = before.asset_materialization.metadata if before and before.asset_materialization else None
        yield MaterializeResult(
            metadata=load_metadata(project, table, loaded, shown_before),
            check_results=[_check_result(table, loaded, name) for name in CHECKS],
        )

    return raw


def _check_result(table: SourceTable, loaded: Loaded, name: str) -> AssetCheckResult:
    failed = [file for file in loaded.blocking if file.failed_check == name]
    return AssetCheckResult(
        check_name=name,
        passed=not failed,
        description="\n".join(error_in_words(why(table, file)) for file in failed) or None,
        metadata={"files": [landed.file_name for landed in loaded.files]},
    )
