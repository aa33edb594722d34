"""How Dagster and readers learn that the publication in place is not the newest state, and why."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from dagster import AssetCheckEvaluation, AssetCheckKey, AssetCheckSeverity

from orchestration.check_results import CheckResults, sentence_of
from orchestration.keys import PUBLICATION, asset_key
from orchestration.project import predictions_of
from orchestration.stops import old_predictions, planned_in, stops_of
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

    A blocking check that fails now has failed since that was published, as it would not have been otherwise. Beside it
    stands where the run stopped: unless something was published since it began, or it would not have published. The
    marts of the pipeline's health are brought up to date all the same: what failed stopped them as well.

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
    is_kept_back = _kept_from_publishing(instance, run)
    # What is a prediction's own stopped no publication but that of a run in which nothing went on.
    failed = check_results.failed_upstream(
        instance, keys.values(), including_itself=True, own_beyond_scores=is_kept_back
    )
    all_failed = {check for found in failed.values() for check in found}
    told = [f"{sentence_of(all_failed)}."] if all_failed else []
    if is_kept_back:
        stops = stops_of(instance, run.run_id)
        told += [stops] if stops or told else ["The run stopped at its beginning."]
    because = " ".join(filter(None, told))
    if not because:
        return False
    health = {name: mart for name, mart in marts.items() if mart.domain == HEALTH}
    if not (health and _build(project, f"path:models/marts/{HEALTH}")):
        health = {}
    counts = {name: len(failed[key]) for name, key in keys.items()}
    is_held_back = True
    try:
        old = old_predictions(project, check_results, instance, predictions_of(project))
        is_held_back = hold_back(project, because, counts, check_results.latest(instance), health, old, judged=in_place)
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


def _kept_from_publishing(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Return whether a run was to publish, and nothing was published since; by the order of events, not by a clock."""
    planned = planned_in(instance, run.run_id).get(PUBLICATION)
    if planned is None:
        return False
    records = instance.get_asset_records([PUBLICATION])
    made = records[0].asset_entry.last_materialization_storage_id if records else None
    return made is None or made < planned


def _build(project: Project, select: str) -> bool:
    """Build and test models outside of any run, and return whether all went well."""
    target = project.dbt / "target" / "outside_of_runs"
    share_parse(project, target)
    prefork.start()
    build = prefork.command(prefork.DBT, "--quiet", "build", "--select", select, "--target-path", str(target))
    return subprocess.run(build, cwd=project.dbt, capture_output=True, check=False).returncode == 0
