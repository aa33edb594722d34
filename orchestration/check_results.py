"""How checks came out last, and the refusal to go on where a blocking one upstream has failed, also in an earlier run.

Within a run Dagster itself stops what is downstream of a blocking check. A later run that selects only a Python asset
would read the bad table all the same; `CheckResults.require_passed` closes that gap.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from dagster import AssetCheckEvaluation, AssetCheckKey, AssetCheckSeverity

from orchestration.keys import PUBLICATION
from turnout.errors import TurnoutError
from turnout.publication.tables import PublishedCheck

if TYPE_CHECKING:
    from dagster import AssetGraph, AssetKey, DagsterInstance, EventLogEntry
    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

# Checks that say of a prediction's examples or model whether it may score: who only shows scores of before may go on.
OWN_CHECKS = frozenset({"leakage", "gate"})
# Groups of assets whose content stays as it was when what it was made from fails.
LASTING = frozenset({"scores", "records", "tracking"})
# Records to look back through for the last evaluation that finished.
LOOK_BACK = 20


class FailedCheckError(TurnoutError):
    """A blocking check upstream has failed."""


class CheckResults:
    """How the checks of all assets came out last.

    It is a resource of Dagster's, so that an asset or a sensor asks for it by an argument.

    Parameters
    ----------
    graph : callable
        Returns all assets and checks there are; it is asked when it is needed, as it is whole only when all are made.
    """

    def __init__(self, graph: Callable[[], AssetGraph]) -> None:
        self._make_graph = graph

    @cached_property
    def graph(self) -> AssetGraph:
        """All assets and checks there are."""
        return self._make_graph()

    def require_passed(self, instance: DagsterInstance, key: AssetKey) -> None:
        """Raise if the latest evaluation of a blocking check of anything upstream of an asset has failed.

        A check that is a prediction's own stops its training or its scores, and not who shows the scores of before.

        Parameters
        ----------
        instance : DagsterInstance
            Where the evaluations are kept.
        key : AssetKey
            What is about to be made.

        Raises
        ------
        FailedCheckError
            With the names of the failed checks.
        """
        failed = sentence_of(self.failed_upstream(instance, [key], own_beyond_scores=False)[key], where="upstream ")
        if failed:
            raise FailedCheckError(
                f"{failed}.",
                where=key.to_user_string(),
                rule="a failed test of error severity stops what is downstream of its table, Python included.",
                remedy="mend the data or the model, materialize the tables named above again so that their tests pass, "
                "then run this again.",
            )

    def failed_upstream(
        self,
        instance: DagsterInstance,
        keys: Iterable[AssetKey],
        *,
        including_itself: bool = False,
        own_beyond_scores: bool = True,
    ) -> dict[AssetKey, set[AssetCheckKey]]:
        """Return, for each of these assets, the blocking checks of anything that it is made from that failed last.

        Parameters
        ----------
        including_itself : bool
            Whether the checks of the asset itself count as well.
        own_beyond_scores : bool
            Whether checks that are a prediction's own (`OWN_CHECKS`) count also for what reads no more of it than its
            scores, or the records.
        """
        graph, upstream = self.graph, {}
        for key in keys:
            itself = {key} if including_itself else set()
            checks = graph.get_check_keys_for_assets(graph.get_ancestor_asset_keys(key) | itself)
            if not own_beyond_scores:
                near = self._near(key) | itself
                checks = {check for check in checks if check.name not in OWN_CHECKS or check.asset_key in near}
            upstream[key] = checks
        latest = _latest(
            instance, {check for checks in upstream.values() for check in checks if graph.get(check).blocking}
        )
        failed = {check for check, entry in latest.items() if _has_failed(_evaluation(entry))}
        return {key: checks & failed for key, checks in upstream.items()}

    def _near(self, key: AssetKey) -> set[AssetKey]:
        """Return what an asset is made from, without what stands behind scores and records that it reads."""
        near: set[AssetKey] = set()
        waiting = (
            set() if self.graph.get(key).group_name in LASTING - {"scores"} else set(self.graph.get(key).parent_keys)
        )
        while waiting:
            parent = waiting.pop()
            near.add(parent)
            if self.graph.get(parent).group_name not in LASTING:
                waiting |= self.graph.get(parent).parent_keys - near
        return near

    def latest(self, instance: DagsterInstance) -> list[PublishedCheck]:
        """Return how every check came out last, by asset and name; what never ran is not among them.

        Nor are those of the publication itself, which tell what comes of this.
        """
        latest = _latest(instance, [key for key in self.graph.asset_check_keys if key.asset_key != PUBLICATION])
        return sorted(
            (self._result(key, entry) for key, entry in latest.items()),
            key=lambda check: (check.asset, check.check_name),
        )

    def _result(self, key: AssetCheckKey, entry: EventLogEntry) -> PublishedCheck:
        evaluation = _evaluation(entry)
        failed_rows = evaluation.metadata.get("dagster_dbt/failed_row_count")
        counted = f"{failed_rows.value} rows do not pass." if failed_rows and not evaluation.passed else None
        return PublishedCheck(
            self.graph.get(key.asset_key).group_name,
            key.asset_key.to_user_string(),
            key.name,
            evaluation.passed,
            "error" if evaluation.severity == AssetCheckSeverity.ERROR else "warn",
            datetime.fromtimestamp(entry.timestamp, UTC).replace(tzinfo=None),
            evaluation.description or counted,
        )


def sentence_of(failed: Collection[AssetCheckKey], *, where: str = "") -> str:
    """Return in words which checks have failed; nothing if there are none."""
    names = "; ".join(sorted(f"{check.asset_key.to_user_string()}: {check.name}" for check in failed))
    return f"{len(failed)} {'test' if len(failed) == 1 else 'tests'} {where}failed: {names}" if failed else ""


def _latest(instance: DagsterInstance, keys: Iterable[AssetCheckKey]) -> Mapping[AssetCheckKey, EventLogEntry]:
    """Return the event of the last evaluation of each check that finished.

    A run plans all its checks when it begins; one that was stopped leaves some of them open, which say nothing.
    """
    storage = instance.event_log_storage
    wanted = set(keys)
    found = {}
    # One query for all; it answers for every pair of an asset and a name that was asked for.
    for key, newest in storage.get_latest_asset_check_execution_by_key(list(wanted)).items():
        if key not in wanted:
            continue
        entry = _finished([newest]) or _finished(storage.get_asset_check_execution_history(key, limit=LOOK_BACK))
        if entry is not None:
            found[key] = entry
    return found


def _finished(records: Iterable[AssetCheckExecutionRecord]) -> EventLogEntry | None:
    """Return the first of these, newest first, that is an evaluation."""
    for record in records:
        event = record.event.dagster_event if record.event else None
        if event and isinstance(event.event_specific_data, AssetCheckEvaluation):
            return record.event
    return None


def _evaluation(entry: EventLogEntry) -> AssetCheckEvaluation:
    assert entry.dagster_event is not None
    evaluation = entry.dagster_event.event_specific_data
    assert isinstance(evaluation, AssetCheckEvaluation)
    return evaluation


def _has_failed(evaluation: AssetCheckEvaluation) -> bool:
    return not evaluation.passed and evaluation.severity == AssetCheckSeverity.ERROR
