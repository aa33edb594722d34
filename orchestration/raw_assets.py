"""Dagster assets of landing and raw: the samples' files, and a load of every source table."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from dagster import AssetKey, AssetsDefinition, MaterializeResult, MetadataValue, TableRecord, asset

from ml.warehouse import identifier
from orchestration.dbt import asset_key
from orchestration.failures import in_words
from orchestration.loading import SourceTable, load, source_tables
from orchestration.metadata import table
from orchestration.project import WAREHOUSE_POOL, Project

SAMPLED_ROWS = 10


def landing_key(source: str) -> AssetKey:
    """Return the asset key of a source's folder in landing."""
    return AssetKey(["landing", source])


def landing_assets(project: Project) -> list[AssetsDefinition]:
    """Return an asset for every module in `samples/` that fills landing."""
    import samples

    modules = (importlib.import_module(f"samples.{found.name}") for found in pkgutil.iter_modules(samples.__path__))
    return [_landing_asset(project, module) for module in modules if hasattr(module, "SOURCE")]


def load_assets(project: Project, landed: set[AssetKey]) -> list[AssetsDefinition]:
    """Return an asset for every source table that is filled from landing."""
    return [_load_asset(project, table, landed) for table in source_tables(project.manifest)]


def _landing_asset(project: Project, module: Any) -> AssetsDefinition:  # noqa: ANN401 - a module has no protocol
    @asset(
        key=landing_key(module.SOURCE),
        group_name="landing",
        description=(module.__doc__ or "").split("\n\n")[0],
        kinds={"parquet"},
    )
    def landing() -> MaterializeResult[Any]:
        files = module.land(project.landing)
        new = [
            TableRecord({"file": str(path.relative_to(project.landing)), "bytes": path.stat().st_size})
            for path in files
        ]
        shown = MetadataValue.table(new) if new else MetadataValue.text("none: every table has a file already")
        return MaterializeResult(metadata={"new files": shown})

    return landing


def _load_asset(project: Project, source_table: SourceTable, landed: set[AssetKey]) -> AssetsDefinition:
    node = project.manifest["sources"][source_table.unique_id]
    key = landing_key(source_table.source)

    @asset(
        key=asset_key(project, source_table.unique_id),
        deps=[key] if key in landed else [],
        group_name="raw",
        description=node["description"],
        pool=WAREHOUSE_POOL,
        kinds={"parquet"},
    )
    def raw() -> MaterializeResult[Any]:
        with in_words():
            loaded = load(project, source_table)
        view = identifier(source_table.schema, source_table.identifier)
        columns = ", ".join(identifier(column) for column in source_table.columns)
        sample = project.warehouse.query(f"select {columns} from {view} limit {SAMPLED_ROWS}")
        return MaterializeResult(
            metadata={
                "dagster/row_count": loaded.row_count,
                "load_id": loaded.load_id,
                "loaded_at (UTC)": str(loaded.loaded_at),
                "file": loaded.file_name,
                "bytes": loaded.byte_count,
                "sample": table(sample),
            }
        )

    return raw
