"""An asset for each dashboard that dbt names as an exposure, so that lineage ends where people look."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
from collections.abc import Mapping
from typing import Any

from dagster import AssetKey, AssetSpec, ComponentLoadContext, Definitions, MetadataValue, definitions

from orchestration.keys import PUBLICATION
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return an external asset for each dashboard: Dagster shows it and never makes it."""
    return Definitions(assets=_dashboard_assets(Project(context.project_root)))


def _dashboard_assets(project: Project) -> list[AssetSpec]:
    """Return an external asset for each dashboard, by name."""
    manifest = manifest_of(project)
    dashboards = sorted(
        (exposure for exposure in manifest["exposures"].values() if exposure["type"] == "dashboard"),
        key=lambda exposure: str(exposure["name"]),
    )
    return [_dashboard_asset(exposure, manifest) for exposure in dashboards]


def _dashboard_asset(exposure: Mapping[str, Any], manifest: Mapping[str, Any]) -> AssetSpec:
    # It reads the published file, so it is downstream of that; its metadata name the tables that it shows.
    known = {**manifest["nodes"], **manifest["sources"]}
    tables = [known[parent]["name"] for parent in exposure["depends_on"]["nodes"] if parent in known]
    metadata: dict[str, Any] = {"tables": MetadataValue.text(", ".join(sorted(tables)))}
    if exposure["url"]:
        metadata["url"] = MetadataValue.url(exposure["url"])
    return AssetSpec(
        AssetKey(["dashboards", exposure["name"]]),
        deps=[PUBLICATION],
        group_name="dashboards",
        description=exposure["description"],
        metadata=metadata,
        kinds={"superset"},
    )
