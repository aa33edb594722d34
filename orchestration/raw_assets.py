"""Dagster assets of landing and raw: the samples' files, and the loads of every source table."""

# Dagster reads the annotations of a step itself, so they are not postponed in this module.
import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    MetadataValue,
    TableRecord,
    asset,
    multi_asset,
)

from orchestration.commands import error_in_words
from orchestration.dbt import asset_key
from orchestration.failures import in_words
from orchestration.load_metadata import load_metadata
from orchestration.project import WAREHOUSE_POOL
from turnout.loading.contract import SourceTable, source_tables
from turnout.loading.loader import Loaded, load_landed
from turnout.loading.refusal import why
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project

CHECKS = {
    "contract": "Every file in landing could be read as its contract in dbt's YAML says.",
    "population": "Every file in landing holds the population that the loads before it lead us to expect.",
}


def landing_key(source: str) -> AssetKey:
    """Return the asset key of a source's folder in landing."""
    return AssetKey(["landing", source])


@cache
def landing_assets(project: Project) -> tuple[AssetsDefinition, ...]:
    """Return an asset for every module in `samples/` that fills landing."""
    import samples

    modules = (importlib.import_module(f"samples.{found.name}") for found in pkgutil.iter_modules(samples.__path__))
    return tuple(_landing_asset(project, module) for module in modules if hasattr(module, "SOURCES"))


@cache
def load_assets(project: Project) -> tuple[AssetsDefinition, ...]:
    """Return an asset for every source table that is filled from landing."""
    return tuple(_load_asset(project, table) for table in source_tables(manifest_of(project)))


def _landing_asset(project: Project, module: Any) -> AssetsDefinition:  # noqa: ANN401 - a module has no protocol
    @multi_asset(
        name=f"landing_{module.__name__.rpartition('.')[2]}",
        specs=[
            AssetSpec(landing_key(source), group_name="landing", description=(module.__doc__ or "").split("\n\n")[0])
            for source in module.SOURCES
        ],
        can_subset=True,  # what is there already is not made again, so a part costs no more than it must
    )
    def landing(context: AssetExecutionContext) -> Iterator[MaterializeResult[Any]]:
        with in_words():
            files = module.land(project.landing)
        for source in module.SOURCES:
            if landing_key(source) not in context.selected_asset_keys:
                continue
            new = [
                TableRecord({"file": str(path.relative_to(project.landing)), "bytes": path.stat().st_size})
                for path in files
                if path.is_relative_to(project.landing / source)
            ]
            shown = MetadataValue.table(new) if new else MetadataValue.text("none: every table has a file already")
            yield MaterializeResult(asset_key=landing_key(source), metadata={"new files": shown})

    return landing


def _load_asset(project: Project, table: SourceTable) -> AssetsDefinition:
    key, landed = asset_key(project, table.unique_id), landing_key(table.source)

    @asset(
        key=key,
        deps=[landed for made in landing_assets(project) if landed in made.keys],
        group_name="raw",
        description=manifest_of(project)["sources"][table.unique_id]["description"],
        pool=WAREHOUSE_POOL,
        kinds={"parquet"},
        check_specs=[
            AssetCheckSpec(name, asset=key, blocking=True, description=promise) for name, promise in CHECKS.items()
        ],
    )
    def raw() -> Iterator[MaterializeResult[Any]]:
        with in_words():
            loaded = load_landed(project, table)
        yield MaterializeResult(
            metadata=load_metadata(project, table, loaded),
            check_results=[_check_result(table, loaded, name) for name in CHECKS],
        )

    return raw


def _check_result(table: SourceTable, loaded: Loaded, name: str) -> AssetCheckResult:
    failed = [file for file in loaded.blocking if file.failed_check == name]
    return AssetCheckResult(
        check_name=name,
        passed=not failed,
        description="\n".join(error_in_words(why(table, file)) for file in failed) or None,
        metadata={"files": [outcome.file_name for outcome in loaded.outcomes]},
    )
