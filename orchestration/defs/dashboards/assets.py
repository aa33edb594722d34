"""An asset for each dashboard that dbt names as an exposure, so that lineage ends where people look."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    ComponentLoadContext,
    Definitions,
    MaterializeResult,
    MetadataValue,
    definitions,
    multi_asset,
)

from orchestration.failures import as_dagster_failure
from orchestration.keys import PUBLICATION
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project
from turnout.publication.tables import read_publication


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return the step in which dashboards show a new publication, if there are any."""
    project = Project(context.project_root)
    dashboards = _dashboards(project)
    return Definitions(assets=[_dashboards_step(project, dashboards)] if dashboards else [])


def _dashboards(project: Project) -> list[AssetSpec]:
    """Return an asset for each dashboard, by name."""
    manifest = manifest_of(project)
    dashboards = sorted(
        (exposure for exposure in manifest["exposures"].values() if exposure["type"] == "dashboard"),
        key=lambda exposure: str(exposure["name"]),
    )
    return [_dashboard(exposure, manifest) for exposure in dashboards]


def _dashboard(exposure: Mapping[str, Any], manifest: Mapping[str, Any]) -> AssetSpec:
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


def _dashboards_step(project: Project, dashboards: Sequence[AssetSpec]) -> AssetsDefinition:
    """Return a step that makes nothing: a dashboard reads the published file whenever somebody looks at it.

    Dagster's client refuses a selection that reaches an asset without a step, such as all that is downstream of a
    model; and so there is a record of which publication a dashboard shows since when.
    """

    @multi_asset(name="dashboards", specs=dashboards, can_subset=True)
    def shown(context: AssetExecutionContext) -> Iterator[MaterializeResult[Any]]:
        with as_dagster_failure():
            publication = read_publication(project.published)
        metadata = {"publication": publication.publication_id} if publication else {}
        for key in sorted(context.selected_asset_keys):
            yield MaterializeResult(asset_key=key, metadata=metadata)

    return shown
