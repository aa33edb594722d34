"""An asset for every sample: it fills landing with the files of a worked example."""

# Dagster reads the annotations of a step itself, so they are not postponed in this module.
from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    ComponentLoadContext,
    Definitions,
    MaterializeResult,
    MetadataValue,
    TableRecord,
    definitions,
    multi_asset,
)

from orchestration.failures import as_dagster_failure
from orchestration.keys import landing_key
from orchestration.project import sample_modules
from turnout.loading.landing import remember_samples
from turnout.project.paths import Project


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return an asset for every sample."""
    project = Project(context.project_root)
    return Definitions(assets=[_landing_asset(project, module) for module in sample_modules(project)])


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
        with as_dagster_failure():
            files = module.land(project.landing)
            remember_samples(files, project.landing, project.loads)
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
