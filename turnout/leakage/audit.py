"""The leakage audit: chosen pasts are built again, compared with what is stored, and remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from turnout.clock import utc_now
from turnout.engines import identifier
from turnout.leakage.comparison import compare_features, compare_label, first_models, labels_too_early
from turnout.leakage.coverage import (
    can_be_cut_around_label,
    can_be_cut_by_loads,
    can_be_cut_to_share,
    coverage_of,
    cut_by_event_time,
    first_loads_of,
)
from turnout.leakage.past import Past, Share, chosen_dates, known_by
from turnout.leakage.rebuild import rebuilding
from turnout.leakage.records import audits_until_now, remember
from turnout.leakage.result import WITHOUT, Audit, PastComparison
from turnout.project.manifest import manifest_of

if TYPE_CHECKING:
    from turnout.engines import Session
    from turnout.leakage.comparison import ColumnDifference
    from turnout.leakage.rebuild import Rebuild
    from turnout.project.examples_table import ExamplesTable
    from turnout.project.paths import Project

Manifest = Mapping[str, Any]

# For each prediction the last matured as-of date and another one: two rebuilds and one of the label with each training.
DATES = 2


def audit(
    project: Project,
    predictions: Sequence[ExamplesTable],
    *,
    dates: int = DATES,
    seed: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Audit]:
    """Audit predictions, and remember it in the warehouse.

    Features are compared at every chosen as-of date, which always include the last matured one. Labels are compared at
    the others, where there is data after the horizon that they might have seen. A past that cannot be cut, because
    nothing upstream has an `event_time`, is not built: it would come out as it is stored whatever the examples knew.

    Of many entities a share is built, from the sources that name them. What differs there may come of the share alone,
    as a mean over all entities does, so it is built once more for all of them before anything is said.

    Parameters
    ----------
    dates : int
        As-of dates for each prediction, the last matured one included.
    seed : int, optional
        Decides the other dates. Default: how many audits there have been, so that each looks at another past.
    tell : callable
        Takes a sentence about each step that begins.

    Raises
    ------
    TurnoutError
        If the examples do not exist or the past cannot be built again.
    """
    if seed is None:
        seed = audits_until_now(project.warehouse)
    manifest = manifest_of(project)  # dbt, which may have to read the project again for it, also wants the warehouse
    with project.warehouse.session() as session:
        calendars = {prediction.name: _calendar(session, prediction) for prediction in predictions}
        first_loads = first_loads_of(session, manifest)
        shares = _shares(session, manifest, predictions, seed=seed)
    audited_at, audit_id = utc_now(), uuid4().hex[:12]
    comparisons: dict[str, list[PastComparison]] = {prediction.name: [] for prediction in predictions}
    pasts = _pasts(manifest, predictions, calendars, first_loads, shares, dates=dates, seed=seed)
    with rebuilding(project) as rebuild:
        for number, (past, audited) in enumerate(pasts.items(), start=1):
            names = ", ".join(prediction.name for prediction in audited)
            tell(f"{number} of {len(pasts)}: {past.as_of_date} {WITHOUT[past.kind]} ({names})")
            for name, comparison in _compare(project, manifest, rebuild, past, audited).items():
                comparisons[name].append(comparison)
    audits = [
        Audit(
            audit_id,
            audited_at,
            seed,
            prediction,
            tuple(comparisons[prediction.name]),
            coverage_of(
                manifest, prediction, first_loads, is_cut_by_loads=_is_cut_by_loads(comparisons[prediction.name])
            ),
            0 if any(calendars[prediction.name].values()) else len(calendars[prediction.name]),
        )
        for prediction in predictions
    ]
    remember(project.warehouse, audits)
    return audits


def _pasts(
    manifest: Manifest,
    predictions: Sequence[ExamplesTable],
    calendars: Mapping[str, Mapping[date, bool]],
    first_loads: Mapping[str, datetime],
    shares: Mapping[str, Share],
    *,
    dates: int,
    seed: int,
) -> dict[Past, list[ExamplesTable]]:
    """Choose the pasts to build, each with the predictions that are compared there."""
    # Before anything has matured, the last as-of date is all there is.
    matured = {
        name: [day for day, has_matured in days.items() if has_matured] or [max(days)]
        for name, days in calendars.items()
        if days
    }
    chosen = chosen_dates(matured, dates=dates, seed=seed)
    pasts: dict[Past, list[ExamplesTable]] = {}
    for day in chosen:
        for prediction in predictions:
            if day not in calendars[prediction.name]:
                continue
            share = shares.get(prediction.entity)
            if cut_by_event_time(manifest, prediction) != "nothing":
                pasts.setdefault(Past("event_time", day, share=share), []).append(prediction)
            known = known_by(day, prediction.arrival_days)
            if can_be_cut_by_loads(manifest, prediction, first_loads, known):
                pasts.setdefault(Past("loaded_at", day, loaded_by=known, share=share), []).append(prediction)
            days = matured[prediction.name]
            own = chosen_dates({prediction.name: days}, dates=dates, seed=seed)
            is_compared = day in own and calendars[prediction.name][day] and (day != max(days) or len(own) == 1)
            if is_compared and can_be_cut_around_label(manifest, prediction):
                past = Past("label_window", day, horizon_days=prediction.horizon_days, share=share)
                pasts.setdefault(past, []).append(prediction)
    return pasts


def _compare(
    project: Project, manifest: Manifest, rebuild: Rebuild, past: Past, predictions: Sequence[ExamplesTable]
) -> dict[str, PastComparison]:
    started = time.perf_counter()
    rebuild(past, [prediction.name for prediction in predictions])
    shared = (time.perf_counter() - started) / len(predictions)
    compared: dict[str, PastComparison] = {}
    suspected = []
    with project.warehouse.session() as session:  # dbt leaves the warehouse to us until the next rebuild
        for prediction in predictions:
            started = time.perf_counter()
            row_count, differences = _differences(session, manifest, past, prediction)
            is_label_cut = True
            if past.kind == "event_time":
                early, is_label_cut = _early_labels(session, manifest, past, prediction)
                differences += early
            seconds = shared + time.perf_counter() - started
            compared[prediction.name] = PastComparison(past, row_count, tuple(differences), seconds, is_label_cut)
            if past.share and (differences or not is_label_cut or not row_count):
                suspected.append(prediction)
    if suspected:
        for name, whole in _compare(project, manifest, rebuild, replace(past, share=None), suspected).items():
            compared[name] = replace(whole, seconds=compared[name].seconds + whole.seconds)
    return compared


def _shares(
    session: Session, manifest: Manifest, predictions: Sequence[ExamplesTable], *, seed: int
) -> dict[str, Share]:
    """Return by entity the share that is built again, where there are too many; predictions of one entity share it."""
    percents: dict[str, float] = {}
    for prediction in predictions:
        (counted,) = session.rows(
            f"""select count(distinct {identifier(prediction.entity)}) as entities
                from {identifier(prediction.schema, prediction.table)}"""
        )
        is_large = counted["entities"] > prediction.audit_entities
        percent = 100 * prediction.audit_entities / counted["entities"] if is_large else 100.0
        if not can_be_cut_to_share(manifest, prediction):
            percent = 100.0
        percents[prediction.entity] = max(percent, percents.get(prediction.entity, 0.0))
    return {entity: Share(entity, percent, seed) for entity, percent in percents.items() if percent < 100}


def _early_labels(
    session: Session, manifest: Manifest, past: Past, prediction: ExamplesTable
) -> tuple[list[ColumnDifference], bool]:
    """Return labels that are known too early, and whether the label is made from what was cut, as far as that shows."""
    early, is_changed = labels_too_early(session, prediction, past.as_of_date, past.share)
    if early and not is_changed and cut_by_event_time(manifest, prediction) == "some":
        # All are as stored: they come from what could not be cut, so nobody can tell whether they are early.
        return [], False
    return early, True


def _differences(
    session: Session, manifest: Manifest, past: Past, prediction: ExamplesTable
) -> tuple[int, list[ColumnDifference]]:
    if past.kind == "label_window":
        return compare_label(session, prediction, past.as_of_date, past.share)
    row_count, differences = compare_features(session, prediction, past.as_of_date, past.share)
    if differences and not past.share:  # what differs in a share is built again first
        names = [difference.column for difference in differences]
        first = first_models(session, manifest, prediction, past.as_of_date, names)
        differences = [replace(found, first_model=first.get(found.column, "")) for found in differences]
    return row_count, differences


def _is_cut_by_loads(comparisons: Sequence[PastComparison]) -> bool:
    return any(comparison.past.kind == "loaded_at" for comparison in comparisons)


def _calendar(session: Session, prediction: ExamplesTable) -> dict[date, bool]:
    """Return the as-of dates of the stored examples, and whether their labels have matured."""
    _ = session.columns_of(prediction.schema, prediction.table)  # says in words that it is not built
    day = f"cast({identifier(prediction.as_of)} as date)"
    rows = session.rows(
        f"""select {day} as as_of_day, count({identifier(prediction.label)}) > 0 as has_matured
            from {identifier(prediction.schema, prediction.table)} group by {day} order by as_of_day"""
    )
    return {row["as_of_day"]: row["has_matured"] for row in rows}
