"""The sensor that sees new files in landing and has everything made anew that comes from them."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
import hashlib

from dagster import (
    AssetSelection,
    ComponentLoadContext,
    DefaultSensorStatus,
    Definitions,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    definitions,
    sensor,
)

from orchestration.keys import asset_key, model_versions_key
from orchestration.project import predictions_of
from turnout.loading.contract import SourceTable, source_tables
from turnout.loading.landing import ArrivedFile, unseen_files
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project

INTERVAL_SECONDS = 30


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return the sensor that sees new files."""
    return Definitions(sensors=[_landing_sensor(Project(context.project_root))])


def _unseen(project: Project, table: SourceTable) -> list[ArrivedFile]:
    folders = (project.landing / table.folder, project.loads / table.folder)
    return unseen_files(*folders, follow_links=table.keys.follow_links)


def _landing_sensor(project: Project) -> SensorDefinition:
    """Return the sensor; it never opens the warehouse, which a run may hold.

    What it starts loads the new files, tests, scores with the champions there are, and publishes. Training follows
    the schedule of each prediction.
    """
    tables = {asset_key(project, table.unique_id): table for table in source_tables(manifest_of(project))}
    trainings = AssetSelection.assets(*(model_versions_key(prediction.name) for prediction in predictions_of(project)))
    target = (AssetSelection.assets(*tables).downstream() - trainings).materializable()

    @sensor(
        name="landing",
        target=target,
        minimum_interval_seconds=INTERVAL_SECONDS,
        # Landing is where files arrive; whoever opens Dagster expects them to be picked up.
        default_status=DefaultSensorStatus.RUNNING,
        description="Loads new files in landing, and makes everything but the models anew that comes from them.",
    )
    def landing(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        new = {key: files for key, table in tables.items() if (files := _unseen(project, table))}
        if not new:
            return SkipReason("There is no new file in landing, or it is still being written.")
        assert context.repository_def is not None
        made_anew = (AssetSelection.assets(*new).downstream() - trainings).materializable()
        wanted = made_anew.resolve(context.repository_def.asset_graph)
        states = sorted(f"{file.path} {file.byte_count} {file.changed_ns}" for files in new.values() for file in files)
        names = ", ".join(sorted(file.path.name for files in new.values() for file in files))
        return RunRequest(
            # The same files start one run, whatever comes of it.
            run_key=hashlib.sha256("\n".join(states).encode()).hexdigest(),
            asset_selection=sorted(wanted),
            tags={"turnout/files": names[:200]},
        )

    return landing
