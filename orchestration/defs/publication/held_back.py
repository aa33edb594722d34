"""How Dagster and readers learn that the publication in place is not the newest state, and why."""

from __future__ import annotations

import subprocess
from datetime import UTC
from typing import TYPE_CHECKING

from dagster import AssetCheckEvaluation, AssetCheckKey, AssetCheckSeverity, DagsterEventType

from orchestration.check_results import CheckResults, sentence_of
from orchestration.keys import PUBLICATION, asset_key
from turnout import prefork
from turnout.project.manifest import manifest_of, share_parse
from turnout.publication.marts import HEALTH, marts_in
from turnout.publication.publish import hold_back
from turnout.publication.tables import read_publication

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

    from turnout.project.paths import Project

CURRENT = AssetCheckKey(PUBLICATION, "current")


def hold_back_after(project: Project, check_results: CheckResults, instance: DagsterInstance, run: DagsterRun) -> bool:
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
    failed = check_results.failed_upstream(instance, keys.values(), including_itself=True)
    all_failed = {check for found in failed.values() for check in found}
    if all_failed:
        because = f"{sentence_of(all_failed)}."
    elif _would_publish(run) and _began(instance, run) > in_place.published_at.replace(tzinfo=UTC).timestamp():
        failures = instance.all_logs(run.run_id, of_type=DagsterEventType.STEP_FAILURE)
        steps = sorted({str(entry.step_key) for entry in failures})
        because = f"The run stopped at {', '.join(steps) or 'its beginning'}."
    else:
        return False
    health = {name: mart for name, mart in marts.items() if mart.domain == HEALTH}
    if not (health and _build(project, f"path:models/marts/{HEALTH}")):
        health = {}
    counts = {name: len(failed[key]) for name, key in keys.items()}
    is_held_back = True
    try:
        is_held_back = hold_back(project, because, counts, check_results.latest(instance), health, judged=in_place)
    finally:
        if is_held_back:
            report_current(instance, passed=False, description=f"A newer state was held back. {because}")
    return is_held_back


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


def _build(project: Project, select: str) -> bool:
    """Build and test models outside of any run, and return whether all went well."""
    target = project.dbt / "target" / "outside_of_runs"
    share_parse(project, target)
    prefork.start()
    build = prefork.command(prefork.DBT, "--quiet", "build", "--select", select, "--target-path", str(target))
    return subprocess.run(build, cwd=project.dbt, capture_output=True, check=False).returncode == 0
