"""The leakage audit: chosen pasts are built again, compared with what is stored, told in words and remembered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ml.errors import TurnoutError
from ml.records import SCHEMA
from ml.warehouse import identifier
from orchestration.leakage.comparison import (
    ROWS,
    Difference,
    compare_features,
    compare_label,
    first_models,
    keyed,
    labels_too_early,
    models_upstream,
)
from orchestration.leakage.past import Past, can_tell, chosen_dates, known_by
from orchestration.leakage.rebuild import rebuilding

if TYPE_CHECKING:
    from ml.declaration import Prediction
    from orchestration.leakage.rebuild import Rebuild
    from orchestration.project import Project

# For each prediction the last matured as-of date and another one: two rebuilds and one of the label with each training.
DATES = 2
UNAUDITED = "unaudited"

TABLES = ("leakage_audits", "leakage_differences", "leakage_coverage")
DDL = (
    f"create schema if not exists {SCHEMA}",
    f"""create table if not exists {SCHEMA}.leakage_audits (
        audit_id varchar, prediction varchar, audited_at timestamp, seed integer, cut_by varchar, as_of_date date,
        compared_rows bigint, differing_columns integer, seconds double
    )""",
    f"""create table if not exists {SCHEMA}.leakage_differences (
        audit_id varchar, prediction varchar, cut_by varchar, as_of_date date, column_name varchar,
        differing_rows bigint, first_model varchar, shown varchar
    )""",
    f"""create table if not exists {SCHEMA}.leakage_coverage (
        audit_id varchar, prediction varchar, source varchar, is_audited boolean, audited_by varchar, remedy varchar,
        acknowledged varchar
    )""",
)

_RULES = {
    "event_time": "a feature at an as-of date uses events strictly before it; a label is null until the horizon ends.",
    "loaded_at": "a feature at an as-of date uses what was known then: rows loaded by 'arrival_days' after it.",
    "label_window": "a label uses events from the as-of date on until the horizon ends, and no others.",
}
_WITHOUT = {
    "event_time": "without events from that date on",
    "loaded_at": "without what was loaded later",
    "label_window": "without events from outside of the label's window",
}


class LeakageError(TurnoutError):
    """Examples knew what could not be known at their time."""


@dataclass(frozen=True)
class Comparison:
    """What came of one past of one prediction.

    Parameters
    ----------
    past : Past
        What was cut.
    compared_rows : int
        Stored examples of the as-of date; for a label, those that had a label on both sides.
    differences : tuple of Difference
        Empty if all is well.
    seconds : float
        What it took, rebuilding included; predictions that share a rebuild share its time.
    """

    past: Past
    compared_rows: int
    differences: tuple[Difference, ...]
    seconds: float


@dataclass(frozen=True)
class Coverage:
    """Whether the audit could see a source's future.

    Parameters
    ----------
    source : str
        `<source>.<table>`.
    audited_by : tuple of str
        `event_time`, `loaded_at`, both or neither.
    remedy : str
        What to do about it; empty if it is cut by both.
    acknowledged : str
        The reason a person gave for leaving it unaudited; empty if there is none.
    """

    source: str
    audited_by: tuple[str, ...]
    remedy: str
    acknowledged: str


@dataclass(frozen=True)
class Audit:
    """The audit of one prediction."""

    audit_id: str
    audited_at: datetime
    seed: int
    prediction: Prediction
    comparisons: tuple[Comparison, ...]
    coverage: tuple[Coverage, ...]

    @property
    def unaudited(self) -> tuple[Coverage, ...]:
        """The sources whose future the audit cannot see, and for which nobody gave a reason."""
        return tuple(source for source in self.coverage if not source.audited_by and not source.acknowledged)

    @property
    def differing(self) -> dict[str, int]:
        """The greatest number of examples in which each feature differed."""
        found: dict[str, int] = {}
        for comparison in self.comparisons:
            if comparison.past.kind != "label_window":
                for difference in comparison.differences:
                    found[difference.column] = max(found.get(difference.column, 0), difference.row_count)
        found.pop(self.prediction.label, None)
        return found

    @property
    def problem(self) -> LeakageError | None:
        """What stops this prediction, in words; None if nothing does."""
        failed = [comparison for comparison in self.comparisons if comparison.differences]
        if failed:
            return _told(self.prediction, failed)
        if self.prediction.severe and self.unaudited:
            names = ", ".join(source.source for source in self.unaudited)
            return LeakageError(
                f"{self.prediction.name} is made from sources whose past the audit cannot see: {names}.",
                where=self.prediction.where,
                rule="the prediction is declared severe: what could not be audited may not be learned from.",
                remedy=f"{self.unaudited[0].remedy} Or give the reason why they cannot know the future: "
                f"acknowledged: {{{UNAUDITED}: {{{self.unaudited[0].source}: 'the reason'}}}} in the declaration.",
            )
        return None


def audit(
    project: Project,
    predictions: Sequence[Prediction],
    *,
    dates: int = DATES,
    seed: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Audit]:
    """Audit predictions, and remember it in the warehouse.

    Features are compared at every chosen as-of date, which always include the last matured one. Labels are compared at
    the others, where there is data after the horizon that they might have seen.

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
        seed = _audits_until_now(project)
    calendars = {prediction.name: _calendar(project, prediction) for prediction in predictions}
    audited_at, audit_id = datetime.now(UTC).replace(tzinfo=None), uuid4().hex[:12]
    comparisons: dict[str, list[Comparison]] = {prediction.name: [] for prediction in predictions}
    pasts = _pasts(project, predictions, calendars, dates=dates, seed=seed)
    with rebuilding(project) as rebuild:
        for number, (past, audited) in enumerate(pasts.items(), start=1):
            names = ", ".join(prediction.name for prediction in audited)
            tell(f"{number} of {len(pasts)}: {past.as_of_date} {_WITHOUT[past.kind]} ({names})")
            for name, comparison in _compare(project, rebuild, past, audited).items():
                comparisons[name].append(comparison)
    audits = [
        Audit(
            audit_id,
            audited_at,
            seed,
            prediction,
            tuple(comparisons[prediction.name]),
            _coverage(project, prediction, comparisons[prediction.name]),
        )
        for prediction in predictions
    ]
    _remember(project, audits)
    return audits


def _pasts(
    project: Project,
    predictions: Sequence[Prediction],
    calendars: Mapping[str, Mapping[date, bool]],
    *,
    dates: int,
    seed: int,
) -> dict[Past, list[Prediction]]:
    """Choose the pasts to build, each with the predictions that are compared there."""
    # Before anything has matured, the last as-of date is all there is.
    matured = {
        name: [day for day, has_matured in days.items() if has_matured] or [max(days)]
        for name, days in calendars.items()
        if days
    }
    chosen = chosen_dates(matured, dates=dates, seed=seed)
    first_loads = _first_loads(project)
    pasts: dict[Past, list[Prediction]] = {}
    for day in chosen:
        for prediction in predictions:
            if day not in calendars[prediction.name]:
                continue
            pasts.setdefault(Past("event_time", day), []).append(prediction)
            known = known_by(day, prediction.arrival_days)
            if can_tell(known, (first_loads.get(source) for source in _landed_sources(project, prediction))):
                pasts.setdefault(Past("loaded_at", day, loaded_by=known), []).append(prediction)
            days = matured[prediction.name]
            own = chosen_dates({prediction.name: days}, dates=dates, seed=seed)
            if day in own and calendars[prediction.name][day] and (day != max(days) or len(own) == 1):
                past = Past("label_window", day, horizon_days=prediction.horizon_days)
                pasts.setdefault(past, []).append(prediction)
    return pasts


def _compare(
    project: Project, rebuild: Rebuild, past: Past, predictions: Sequence[Prediction]
) -> dict[str, Comparison]:
    started = time.perf_counter()
    rebuild(past, [prediction.name for prediction in predictions])
    shared = (time.perf_counter() - started) / len(predictions)
    found = {}
    for prediction in predictions:
        started = time.perf_counter()
        if past.kind == "label_window":
            compared, differences = compare_label(project.warehouse, prediction, past.as_of_date)
        else:
            columns = project.warehouse.schema_of(prediction.schema, prediction.table).names
            features = [name for name in columns if name not in (prediction.entity, prediction.as_of, prediction.label)]
            compared, differences = compare_features(project.warehouse, keyed(prediction), past.as_of_date, features)
            if differences:
                names = [difference.column for difference in differences]
                first = first_models(project.warehouse, project.manifest, prediction, past.as_of_date, names)
                differences = [
                    Difference(
                        difference.column, difference.row_count, difference.shown, first.get(difference.column, "")
                    )
                    for difference in differences
                ]
            if past.kind == "event_time":
                differences += labels_too_early(project.warehouse, prediction, past.as_of_date)
        seconds = shared + time.perf_counter() - started
        found[prediction.name] = Comparison(past, compared, tuple(differences), seconds)
    return found


def _coverage(project: Project, prediction: Prediction, comparisons: Sequence[Comparison]) -> tuple[Coverage, ...]:
    is_cut_by_loads = any(comparison.past.kind == "loaded_at" for comparison in comparisons)
    reasons = prediction.acknowledged.get(UNAUDITED, {})
    first_loads, covered = _first_loads(project), []
    for source in _sources(project, prediction):
        node, name = project.manifest["sources"][source], _name(project, source)
        by_event = ("event_time",) if node["config"].get("event_time") else ()
        by_load = ("loaded_at",) if is_cut_by_loads and node["loader"] == "landing" else ()
        first = first_loads.get(source)
        remedy = "" if by_load else _what_to_do(bool(by_event), first)
        covered.append(Coverage(name, by_event + by_load, remedy, reasons.get(name, "")))
    return tuple(covered)


def _what_to_do(has_event_time: bool, first_load: datetime | None) -> str:
    by_loads = (
        f"audited at as-of dates after the first load of every source; this one came {first_load:%Y-%m-%d %H:%M}."
        if first_load
        else "audited if they come through landing, at as-of dates after the first load of every source."
    )
    if has_event_time:
        return f"Late and corrected rows are {by_loads}"
    return (
        "If a column tells from when on a row holds, declare it: 'config: {event_time: <column>}'. Rows that are "
        f"overwritten in place have none; they are {by_loads}"
    )


def _told(prediction: Prediction, failed: Sequence[Comparison]) -> LeakageError:
    lines = [
        f"\n  - {_sentence(prediction, difference, comparison.past)}"
        for comparison in failed
        for difference in comparison.differences
    ]
    kinds = {comparison.past.kind for comparison in failed}
    columns = {difference.column for comparison in failed for difference in comparison.differences}
    remedies = []
    if "event_time" in kinds and columns - {ROWS, prediction.label}:
        remedies.append(
            "let the join or the aggregate see only events before the as-of date, as the macro features_before does."
        )
    if "event_time" in kinds and ROWS in columns:
        remedies.append(
            "which entities have an example at an as-of date, and that there is such a date, must follow from what "
            "happened before it; take as-of dates from a calendar that ends the day after the last event."
        )
    if "label_window" in kinds or prediction.label in columns:
        remedies.append(
            f"let the label see events from '{prediction.as_of}' on and before {prediction.horizon_days} days later, "
            "as the macro label_within does."
        )
    if kinds == {"loaded_at"}:
        remedies.append(
            f"rows came more than {prediction.arrival_days} days after the as-of date, so the model learns from what "
            "it will not have; leave out rows by '_loaded_at', or declare 'arrival_days' if scores can wait for them."
        )
    return LeakageError(
        f"{prediction.name} knew the future:{''.join(lines)}",
        where=f"table {prediction.schema}.{prediction.table}, declared in {prediction.where}",
        rule=" ".join(_RULES[kind] for kind in _RULES if kind in kinds),
        remedy=" Also: ".join(remedies),
    )


def _sentence(prediction: Prediction, difference: Difference, past: Past) -> str:
    if difference.column == prediction.label and difference.shown and difference.shown[0][1] is None:
        shown = ", ".join(f"{label} for {entity}" for entity, _, label in difference.shown)
        return (
            f"{difference.column}: {difference.row_count} labels are known before the data reach the horizon: {shown}"
        )
    shown = "; ".join(
        f"{prediction.entity} {entity} has {stored or 'null'}, and {rebuilt or 'null'} {_WITHOUT[past.kind]}"
        for entity, stored, rebuilt in difference.shown
    )
    first = f"; first seen in {difference.first_model}" if difference.first_model else ""
    return f"{difference.column}: {difference.row_count} examples of {past.as_of_date} differ ({shown}){first}"


def _calendar(project: Project, prediction: Prediction) -> dict[date, bool]:
    """Return the as-of dates of the stored examples, and whether their labels have matured."""
    _ = project.warehouse.schema_of(prediction.schema, prediction.table)  # says in words that it is not built
    rows = project.warehouse.query(
        f"""select {identifier(prediction.as_of)}::date as day, count({identifier(prediction.label)}) > 0 as has_matured
            from {identifier(prediction.schema, prediction.table)} group by 1 order by 1"""
    ).to_pylist()
    return {row["day"]: row["has_matured"] for row in rows}


def _sources(project: Project, prediction: Prediction) -> list[str]:
    """Return the ids of the sources that a prediction is made from, by name."""
    models = [*models_upstream(project.manifest, prediction.unique_id), prediction.unique_id]
    parents = {parent for model in models for parent in project.manifest["nodes"][model]["depends_on"]["nodes"]}
    return sorted(parent for parent in parents if parent in project.manifest["sources"])


def _landed_sources(project: Project, prediction: Prediction) -> list[str]:
    found = _sources(project, prediction)
    return [source for source in found if project.manifest["sources"][source]["loader"] == "landing"]


def _name(project: Project, source: str) -> str:
    node = project.manifest["sources"][source]
    return f"{node['source_name']}.{node['name']}"


def _first_loads(project: Project) -> dict[str, datetime]:
    """Return when each source table was loaded first, UTC, by the source's id."""
    if not project.warehouse.has_table(SCHEMA, "loads"):
        return {}
    sql = f"select source, table_name, min(loaded_at) as first from {SCHEMA}.loads group by all"
    found = {(row["source"], row["table_name"]): row["first"] for row in project.warehouse.query(sql).to_pylist()}
    return {
        unique_id: found[node["source_name"], node["name"]]
        for unique_id, node in project.manifest["sources"].items()
        if (node["source_name"], node["name"]) in found
    }


def _audits_until_now(project: Project) -> int:
    if not project.warehouse.has_table(SCHEMA, "leakage_audits"):
        return 0
    sql = f"select count(distinct audit_id) as n from {SCHEMA}.leakage_audits"
    return int(project.warehouse.query(sql)["n"][0].as_py())


def _remember(project: Project, audits: Sequence[Audit]) -> None:
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {(SCHEMA, table): [] for table in TABLES}
    for found in audits:
        key = {"audit_id": found.audit_id, "prediction": found.prediction.name}
        for comparison in found.comparisons:
            cut = {"cut_by": comparison.past.kind, "as_of_date": comparison.past.as_of_date}
            rows[SCHEMA, "leakage_audits"].append(
                {
                    **key,
                    "audited_at": found.audited_at,
                    "seed": found.seed,
                    **cut,
                    "compared_rows": comparison.compared_rows,
                    "differing_columns": len(comparison.differences),
                    "seconds": comparison.seconds,
                }
            )
            rows[SCHEMA, "leakage_differences"] += [
                {
                    **key,
                    **cut,
                    "column_name": difference.column,
                    "differing_rows": difference.row_count,
                    "first_model": difference.first_model or None,
                    "shown": json.dumps(difference.shown),
                }
                for difference in comparison.differences
            ]
        rows[SCHEMA, "leakage_coverage"] += [
            {
                **key,
                "source": covered.source,
                "is_audited": bool(covered.audited_by),
                "audited_by": ", ".join(covered.audited_by),
                "remedy": covered.remedy or None,
                "acknowledged": covered.acknowledged or None,
            }
            for covered in found.coverage
        ]
    project.warehouse.append(rows, DDL)
