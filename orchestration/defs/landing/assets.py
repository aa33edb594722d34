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
from turnout.loading.landing import hash_of, remember_samples, samples_in
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
        made = sorted({path.relative_to(project.landing).parts[0] for path in files})
        sent = _sources_sent(project, module) if made else []
        mixed = f"{', '.join(made)}: generated, beside the files of {', '.join(sent)}" if made and sent else ""
        if mixed:
            # Whoever has sent a real file would take the scores of the others for real as well.
            context.log.warning(f"{mixed}. Put files of your own there, or leave those tables out of the models.")
        for source in module.SOURCES:
            if landing_key(source) not in context.selected_asset_keys:
                continue
            new = [
                TableRecord({"file": str(path.relative_to(project.landing)), "bytes": path.stat().st_size})
                for path in files
                if path.is_relative_to(project.landing / source)
            ]
            shown = MetadataValue.table(new) if new else MetadataValue.text("none: every table has a file already")
            told = {"mixed": mixed} if mixed else {}
            yield MaterializeResult(asset_key=landing_key(source), metadata={"new files": shown, **told})

    return landing


def _sources_sent(project: Project, module: Any) -> list[str]:  # noqa: ANN401 - a module has no protocol
    """Return the sources of a sample that have a file which no sample has made."""
    return [
        source
        for source in module.SOURCES
        if any(
            hash_of(path) not in samples_in(project.loads / source / path.parent.name)
            for path in (project.landing / source).glob("*/[!.]*")
            if path.is_file()
        )
    ]
