"""Dagster assets of the dashboards that dbt names as exposures, so that lineage ends where people look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster import AssetKey, AssetSpec, MetadataValue

from turnout.project.manifest import manifest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnout.project.paths import Project


def dashboard_assets(project: Project) -> list[AssetSpec]:
    """Return an external asset for each dashboard: Dagster shows it and never makes it."""
    manifest = manifest_of(project)
    dashboards = sorted(
        (exposure for exposure in manifest["exposures"].values() if exposure["type"] == "dashboard"),
        key=lambda exposure: str(exposure["name"]),
    )
    return [_dashboard_asset(exposure, manifest) for exposure in dashboards]


def _dashboard_asset(exposure: Mapping[str, Any], manifest: Mapping[str, Any]) -> AssetSpec:
    # It reads the published file, so it is downstream of that; which of its tables it shows is told beside.
    known = {**manifest["nodes"], **manifest["sources"]}
    tables = [known[parent]["name"] for parent in exposure["depends_on"]["nodes"] if parent in known]
    metadata: dict[str, Any] = {"tables": MetadataValue.text(", ".join(sorted(tables)))}
    if exposure["url"]:
        metadata["url"] = MetadataValue.url(exposure["url"])
    return AssetSpec(
        AssetKey(["dashboards", exposure["name"]]),
        deps=[AssetKey("publication")],
        group_name="dashboards",
        description=exposure["description"],
        metadata=metadata,
        kinds={"superset"},
    )
