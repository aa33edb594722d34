"""Where runs stopped, in words, which predictions are old because of it, and what of such a run can go on.

Dagster stops what is downstream of a step that failed. The records come after every training, and the marts after the
records, so one prediction that cannot be trained would stop them all: what it does not stop goes on in a run after it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from dagster import DagsterEventType

from orchestration.check_results import LASTING, CheckResults, sentence_of
from orchestration.keys import PUBLICATION, asset_key, model_versions_key, scores_key

if TYPE_CHECKING:
    from dagster import AssetGraph, AssetKey, DagsterInstance, DagsterRun, EventLogRecord

    from ml.declaration import Prediction
    from turnout.project.paths import Project

# What a run is tagged with whose command itself goes on after it has failed.
GOES_ON = "turnout/goes_on"


def planned_in(instance: DagsterInstance, run_id: str) -> dict[AssetKey, int]:
    """Return the assets that a run was to make, each with the number of the event that said so; these count up."""
    planned = _events(instance, run_id, DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    return {
        key: record.storage_id
        for record in planned
        if (event := record.event_log_entry.dagster_event) and (key := event.asset_key)
    }


def stops_of(instance: DagsterInstance, run_id: str, only: Callable[[str], bool] = lambda _: True) -> str:
    """Return in words at which steps a run stopped, and why; nothing for steps that only a failed check stopped.

    Parameters
    ----------
    only : callable
        Whether a step is to be told of, by its key.
    """
    told = []
    for record in _events(instance, run_id, DagsterEventType.STEP_FAILURE):
        event = record.event_log_entry.dagster_event
        if event is None or event.step_key is None or not only(event.step_key):
            continue
        failure = event.step_failure_data
        error = failure.error
        if error and "DagsterAssetCheckFailedError" in (error.cls_name or ""):
            continue
        innermost = (error.cause or error) if error else None
        if failure.user_failure_data and failure.user_failure_data.description:
            why = failure.user_failure_data.description
        else:
            why = innermost.message if innermost else ""
        told.append(f"{event.step_key}: {_first_line(why)}")
    return f"The run stopped at {'; '.join(told)}." if told else ""


def old_predictions(
    project: Project, check_results: CheckResults, instance: DagsterInstance, predictions: Iterable[Prediction]
) -> dict[str, str]:
    """Return why the scores of predictions are not those of the newest state, where the last try to make them failed.

    Parameters
    ----------
    predictions : iterable of Prediction
        Those that are declared.
    """
    named = {prediction.name: prediction for prediction in predictions}
    keys = {scores_key(name): name for name in named}
    failed = check_results.failed_upstream(instance, keys)
    old = {}
    for key, name in keys.items():
        if failed[key]:
            old[name] = f"{sentence_of(failed[key])}."
            continue
        for made in (asset_key(project, named[name].examples.unique_id), model_versions_key(name), key):
            run_id = _unmade_since(instance, made)
            if run_id is not None:
                old[name] = _why(instance, run_id, name, named)
                break
    return old


def remainder_of(
    project: Project,
    check_results: CheckResults,
    instance: DagsterInstance,
    run: DagsterRun,
    predictions: Collection[Prediction],
) -> frozenset[AssetKey]:
    """Return what of a failed run can go on, as no failed prediction stops it; nothing if readers would get nothing.

    Readers get something if the publication can be made, and if at least one prediction goes on or stands as it was. A
    mart that is made from the scores of a failed one shows those of before, and the publication tells so.
    """
    graph = check_results.graph
    planned = planned_in(instance, run.run_id).keys()
    made = {
        event.asset_key
        for record in _events(instance, run.run_id, DagsterEventType.ASSET_MATERIALIZATION)
        if (event := record.event_log_entry.dagster_event)
    }
    stopped = _stopped(graph, instance, run, planned - made)
    blocked = check_results.failed_upstream(instance, planned, including_itself=True, own_beyond_scores=False)
    stopped |= {key for key, failed in blocked.items() if failed}
    remainder = frozenset(planned - made - stopped)
    goes_on = [found for found in predictions if scores_key(found.name) not in stopped]
    if PUBLICATION not in remainder or not goes_on or len(goes_on) == len(predictions):
        return frozenset()
    return remainder


def _stopped(
    graph: AssetGraph, instance: DagsterInstance, run: DagsterRun, unmade: Collection[AssetKey]
) -> set[AssetKey]:
    """Return what a run did not make because a step failed that should have, and what must not be made without it."""
    failed_steps = {
        event.step_key
        for record in _events(instance, run.run_id, DagsterEventType.STEP_FAILURE)
        if (event := record.event_log_entry.dagster_event)
    }
    steps_of = {
        event.asset_key: event.step_key
        for record in _events(instance, run.run_id, DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
        if (event := record.event_log_entry.dagster_event)
    }
    waiting = [key for key in unmade if steps_of.get(key) in failed_steps]
    stopped = set(waiting)
    while waiting:
        key = waiting.pop()
        if graph.get(key).group_name == "scores":
            continue  # the scores of before stay
        children = graph.get(key).child_keys
        new = {child for child in children if graph.get(child).group_name not in LASTING - {"scores"}} - stopped
        stopped |= new
        waiting += new
    return stopped


def _unmade_since(instance: DagsterInstance, key: AssetKey) -> str | None:
    """Return the run that was to make an asset and did not; None if the last one that was to did."""
    planned = instance.event_log_storage.get_latest_planned_materialization_info(key)
    if planned is None:
        return None
    (record,) = instance.get_asset_records([key]) or (None,)
    made = record.asset_entry.last_materialization_storage_id if record else None
    return planned.run_id if made is None or made < planned.storage_id else None


def _why(instance: DagsterInstance, run_id: str, name: str, predictions: Collection[str]) -> str:
    def concerns(step: str) -> bool:
        others = {key for other in predictions if other != name for key in _steps_of(other)}
        return step not in others

    def is_own(step: str) -> bool:
        return step in _steps_of(name)

    why = stops_of(instance, run_id, is_own) or stops_of(instance, run_id, concerns)
    return why or "The run that was to train and score it stopped before."


def _steps_of(prediction: str) -> set[str]:
    return {model_versions_key(prediction).to_python_identifier(), scores_key(prediction).to_python_identifier()}


def _events(instance: DagsterInstance, run_id: str, kind: DagsterEventType) -> Iterable[EventLogRecord]:
    cursor = None
    while True:
        found = instance.get_records_for_run(run_id, cursor=cursor, of_type=kind)
        yield from found.records
        cursor = found.cursor
        if not found.has_more:
            return


def _first_line(text: str) -> str:
    """Return the first line of an error, with the next one where that says what is meant."""
    first, _, others = text.strip().partition("\n")
    second = others.strip().partition("\n")[0]
    return (f"{first} {second}" if first.endswith(":") else first).rstrip(".:")
