"""The Dagster asset of the published file, and how Dagster and readers learn that a newer state was held back."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DefaultSensorStatus,
    MaterializeResult,
    MetadataValue,
    RunFailureSensorContext,
    SensorDefinition,
    TableRecord,
    asset,
    run_failure_sensor,
)

from orchestration.checks import PUBLICATION, Checks, told
from orchestration.dbt import asset_key, build
from orchestration.failures import in_words
from orchestration.project import WAREHOUSE_POOL
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project
from turnout.publication.marts import HEALTH, marts_in
from turnout.publication.publish import hold_back, publish
from turnout.publication.tables import read_publication

CURRENT = AssetCheckKey(PUBLICATION, "current")


def publication_asset(project: Project, checks: Checks) -> AssetsDefinition:
    """Return the asset of the published file, downstream of every mart."""
    marts = marts_in(manifest_of(project))

    @asset(
        key=PUBLICATION,
        deps=[asset_key(project, mart.unique_id) for mart in marts.values()],
        group_name="publication",
        pool=WAREHOUSE_POOL,
        kinds={"duckdb"},
        check_specs=[
            AssetCheckSpec(
                CURRENT.name, asset=PUBLICATION, description="BI reads the newest state: nothing newer was held back."
            )
        ],
    )
    def publication(context: AssetExecutionContext) -> Iterator[MaterializeResult[Any]]:
        """Switch the file that BI opens to new marts, all at once, after every test on them has passed."""
        with in_words():
            checks.require_passed(context.instance, PUBLICATION)
            published = publish(project, marts, checks.results(context.instance))
        made = published.publication
        yield MaterializeResult(
            metadata={
                "publication": made.publication_id,
                "champions": json.loads(made.champions),
                "loads": json.loads(made.load_ids),
                "path": MetadataValue.path(str(project.published)),
                "bytes": project.published.stat().st_size,
                "tables": MetadataValue.table(
                    [TableRecord({"table": name, "rows": rows}) for name, rows in published.rows.items()]
                ),
            },
            check_results=[
                AssetCheckResult(
                    check_name=CURRENT.name, passed=True, description=f"This is publication {made.publication_id}."
                )
            ],
        )

    return publication


def held_back_sensor(project: Project, checks: Checks) -> SensorDefinition:
    """Return the sensor that tells readers when a run has failed that would have published."""

    @run_failure_sensor(
        name="held_back",
        default_status=DefaultSensorStatus.RUNNING,  # readers are told whether or not somebody thought of it
        description="Tells readers, and the page of the publication, that a newer state was held back, and why.",
    )
    def held_back(context: RunFailureSensorContext) -> None:
        hold_back_after(project, checks, context.instance, context.dagster_run)

    return held_back


def hold_back_after(project: Project, checks: Checks, instance: DagsterInstance, run: DagsterRun) -> bool:
    """Tell readers and Dagster, after a run that failed, why the publication in place is not the newest state.

    A blocking check that fails now has failed since that was published, as it would not have been otherwise. Where none
    fails, it is the run that stopped: unless something was published since it began, or it would not have published.
    The marts of the pipeline's health are brought up to date all the same: what failed stopped them as well.

    Returns
    -------
    bool
        Whether readers were told.

    Raises
    ------
    PublicationError
        If readers cannot be told; Dagster is.
    """
    in_place = read_publication(project.published)
    if in_place is None:
        return False  # nobody to tell
    marts = marts_in(manifest_of(project))
    keys = {name: asset_key(project, mart.unique_id) for name, mart in marts.items()}
    failed = checks.failed_upstream(instance, keys.values(), itself=True)
    all_failed = {check for found in failed.values() for check in found}
    if all_failed:
        because = f"{told(all_failed)}."
    elif _would_publish(run) and _began(instance, run) > in_place.published_at.replace(tzinfo=UTC).timestamp():
        failures = instance.all_logs(run.run_id, of_type=DagsterEventType.STEP_FAILURE)
        steps = sorted({str(entry.step_key) for entry in failures})
        because = f"The run stopped at {', '.join(steps) or 'its beginning'}."
    else:
        return False
    health = {name: mart for name, mart in marts.items() if mart.domain == HEALTH}
    if not (health and build(project, f"path:models/marts/{HEALTH}")):
        health = {}
    counts = {name: len(failed[key]) for name, key in keys.items()}
    is_told = True
    try:
        is_told = hold_back(project, because, counts, checks.results(instance), health, judged=in_place)
    finally:
        if is_told:
            report_current(instance, passed=False, description=f"A newer state was held back. {because}")
    return is_told


def _would_publish(run: DagsterRun) -> bool:
    return run.asset_selection is None or PUBLICATION in run.asset_selection


def _began(instance: DagsterInstance, run: DagsterRun) -> float:
    """Return when a run began, or was asked for if it never did, in seconds since 1970."""
    started = instance.get_run_stats(run.run_id).start_time
    if started is not None:
        return started
    record = instance.get_run_record_by_id(run.run_id)
    assert record is not None
    return record.create_timestamp.timestamp()


def report_current(instance: DagsterInstance, *, passed: bool, description: str) -> None:
    """Say on the page of the publication whether it is the newest state."""
    instance.report_runless_asset_event(
        AssetCheckEvaluation(
            asset_key=PUBLICATION,
            check_name=CURRENT.name,
            passed=passed,
            severity=AssetCheckSeverity.WARN,
            description=description,
            metadata={},
        )
    )
