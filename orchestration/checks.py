"""Refuses to run on a table whose tests have failed, also when they failed in an earlier run.

Within a run Dagster itself stops what is downstream of a blocking check. A later run that selects only a
Python asset would read the bad table all the same; this module closes that gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster import AssetCheckEvaluation, AssetCheckSeverity, AssetKey

from ml.errors import TurnoutError
from orchestration.dbt import dbt_steps
from orchestration.examples_checks import examples_checks
from orchestration.raw_assets import load_assets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dagster import AssetCheckKey, DagsterInstance

    from orchestration.project import Project

# Evaluations to look back through for the last one that finished; a run that was killed leaves an open one.
LOOK_BACK = 20


class FailedCheckError(TurnoutError):
    """A blocking check upstream has failed."""


def require_passed_checks(
    instance: DagsterInstance, project: Project, asset_keys: Sequence[AssetKey], *, also: Sequence[AssetCheckKey] = ()
) -> None:
    """Raise if the latest evaluation of a blocking check of these assets, or of any upstream, has failed.

    Parameters
    ----------
    instance : DagsterInstance
        Where the evaluations are kept.
    project : Project
        Its loads, dbt tests and examples have checks; what is upstream is followed through them.
    asset_keys : sequence of AssetKey
        What is about to be read.
    also : sequence of AssetCheckKey
        Blocking checks beside those of these assets and of what is upstream.

    Raises
    ------
    FailedCheckError
        With the names of the failed checks.
    """
    steps = [*load_assets(project), *dbt_steps(project), *examples_checks(project)]
    parents = {spec.key: [dep.asset_key for dep in spec.deps] for step in steps for spec in step.specs}
    upstream, waiting = set(asset_keys), list(asset_keys)
    while waiting:
        found = [key for key in parents.get(waiting.pop(), []) if key not in upstream]
        upstream.update(found)
        waiting += found
    blocking = {spec.key for step in steps for spec in step.check_specs if spec.blocking}
    failed = sorted(
        f"{key.asset_key.to_user_string()}: {key.name}"
        for key in {*(key for key in blocking if key.asset_key in upstream), *also}
        if _has_failed(instance, key)
    )
    if failed:
        raise FailedCheckError(
            f"{len(failed)} {'test' if len(failed) == 1 else 'tests'} upstream failed: {'; '.join(failed)}.",
            where=", ".join(key.to_user_string() for key in asset_keys),
            rule="a failed test of error severity stops what is downstream of its table, Python included.",
            remedy="mend the data or the model, materialize the tables named above again so that their tests pass, "
            "then run this again.",
        )


def _has_failed(instance: DagsterInstance, key: AssetCheckKey) -> bool:
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=LOOK_BACK)
    for record in history:
        if record.event and record.event.dagster_event:
            evaluation = record.event.dagster_event.event_specific_data
            if isinstance(evaluation, AssetCheckEvaluation):
                return not evaluation.passed and evaluation.severity == AssetCheckSeverity.ERROR
    return False
