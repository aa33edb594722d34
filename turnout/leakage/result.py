"""What an audit found: which pasts were compared, what differed, which sources it could not see, and that in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import isclose
from typing import Literal

from turnout.errors import TurnoutError
from turnout.leakage.comparison import ROWS, ColumnDifference
from turnout.leakage.past import Past
from turnout.project.examples_table import ExamplesTable

# What a person may acknowledge, and what it is about: a column of the examples, or a source, `name.table`.
LATE = "late"
UNAUDITED = "unaudited"
FINDINGS: Mapping[str, Literal["column", "source"]] = {LATE: "column", UNAUDITED: "source"}
_RULES = {
    "event_time": "a feature at an as-of date uses events strictly before it; a label is null until the horizon ends.",
    "loaded_at": "a feature at an as-of date uses what was known then: rows loaded by 'arrival_days' after it.",
    "label_window": "a label uses events from the as-of date on until the horizon ends, and no others.",
}
WITHOUT = {
    "event_time": "without events from that date on",
    "loaded_at": "without what was loaded later",
    "label_window": "without events from outside of the label's window",
}


_STRICT = "the prediction is declared with 'audit: strict': what could not be audited may not be learned from."


class LeakageError(TurnoutError):
    """Examples knew what could not be known at their time."""


@dataclass(frozen=True)
class PastComparison:
    """What came of one past of one prediction.

    Parameters
    ----------
    past : Past
        What was cut.
    compared_rows : int
        Stored examples of the as-of date; for a label, those that had a label on both sides.
    differences : tuple of ColumnDifference
        Empty if all is well.
    seconds : float
        What it took, rebuilding included; predictions that share a rebuild share its time.
    is_label_cut : bool
        False if the label showed that it comes from what no `event_time` cuts (kind "event_time").
    """

    past: Past
    compared_rows: int
    differences: tuple[ColumnDifference, ...]
    seconds: float
    is_label_cut: bool = True


@dataclass(frozen=True)
class Coverage:
    """Whether the audit could see a source's future.

    Parameters
    ----------
    source : str
        `<source>.<table>`, `seed.<name>` or `snapshot.<name>`.
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
    """The audit of one prediction.

    `dates_without_label` is how many as-of dates there are if no label has matured at any of them, otherwise 0.
    """

    audit_id: str
    audited_at: datetime
    seed: int
    prediction: ExamplesTable
    comparisons: tuple[PastComparison, ...]
    coverage: tuple[Coverage, ...]
    dates_without_label: int = 0

    @property
    def unaudited(self) -> tuple[Coverage, ...]:
        """The sources whose future the audit cannot see, and for which nobody gave a reason."""
        return tuple(source for source in self.coverage if not source.audited_by and not source.acknowledged)

    @property
    def unverified(self) -> tuple[PastComparison, ...]:
        """The comparisons of the label in which no example had one on both sides."""
        return tuple(
            found for found in self.comparisons if found.past.kind == "label_window" and not found.compared_rows
        )

    @property
    def share(self) -> str:
        """That a share of the entities was looked at, in a sentence; empty if it was all of them."""
        percents = [found.past.share.percent for found in self.comparisons if found.past.share]
        return f"Of {self.prediction.entity}, a share of {percents[0]:.3g} % was built again." if percents else ""

    @property
    def unaudited_label(self) -> str:
        """Why nobody can tell whether the label knew the future, in a sentence; empty if the audit can."""
        by_event = [found for found in self.comparisons if found.past.kind == "event_time"]
        if by_event and all(found.is_label_cut for found in by_event):
            if self.dates_without_label or any(found.past.kind == "label_window" for found in self.comparisons):
                return ""
            return (
                f"The window of the label {self.prediction.label} is not audited: no source that it is made from has "
                "an 'event_time'. Declare it on the source as well, as the window is cut out of sources alone."
            )
        why = (
            "built again without later events it is known as before"
            if by_event
            else "nothing that it is made from has an 'event_time'"
        )
        names = ", ".join(source.source for source in self.read_whole)
        return (
            f"The label {self.prediction.label} is not audited: {why}"
            f"{f' ({names})' if names else ''}. Declare 'event_time', the column that tells when a row happened, on a "
            "source, on a staging model that reads it, or on a seed."
        )

    @property
    def unmatured(self) -> str:
        """That no label has matured at all, and what may be the reason; empty if one has."""
        if not self.dates_without_label:
            return ""
        return (
            f"No label of {self.prediction.name} has matured, at none of {self.dates_without_label} as-of dates. "
            "A label is null until the data reach the horizon's end. Where no event comes after that, give "
            "events_within a table that tells how far the data reach as 'reach', or the moment as 'known_until'."
        )

    @property
    def read_whole(self) -> tuple[Coverage, ...]:
        """The sources of which a rebuild sees rows of any time, as no `event_time` cuts them."""
        return tuple(source for source in self.coverage if "event_time" not in source.audited_by)

    @property
    def has_compared_features(self) -> bool:
        """Whether any feature was compared at all."""
        return any(found.past.kind != "label_window" for found in self.comparisons)

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
        failed = [
            replace(found, differences=unexcused)
            for found in self.comparisons
            if (unexcused := tuple(_unexcused(self.prediction, found)))
        ]
        if failed:
            return _told(self.prediction, failed, [source.source for source in self.read_whole])
        if self.prediction.audit == "strict" and self.unaudited:
            names = ", ".join(source.source for source in self.unaudited)
            return LeakageError(
                f"{self.prediction.name} is made from sources whose past the audit cannot see: {names}.",
                where=self.prediction.where,
                rule=_STRICT,
                remedy=f"{self.unaudited[0].remedy} Or give the reason why they cannot know the future: "
                f"acknowledged: {{{UNAUDITED}: {{{self.unaudited[0].source}: 'the reason'}}}} in the declaration.",
            )
        if self.prediction.audit == "strict" and self.unverified:
            days = ", ".join(str(found.past.as_of_date) for found in self.unverified)
            return LeakageError(
                f"The label of {self.prediction.name} could not be compared at {days}: built again from what it may "
                "see, no example has one.",
                where=self.prediction.where,
                rule=_STRICT,
                remedy="let the label mature as soon as the data reach the horizon's end, by any event; the macro "
                "label_within does.",
            )
        uncut = self.read_whole or self.coverage
        if (
            self.prediction.audit == "strict"
            and self.unaudited_label
            and not (uncut and all(source.acknowledged for source in uncut))
        ):
            named = [source.source for source in uncut if not source.acknowledged]
            said, _, remedy = self.unaudited_label.partition(". ")
            reason = (
                f" Or acknowledged: {{{UNAUDITED}: {{{named[0]}: 'the reason'}}}} in the declaration." if named else ""
            )
            return LeakageError(
                f"{self.prediction.name}: {said}.", where=self.prediction.where, rule=_STRICT, remedy=remedy + reason
            )
        return None


def _unexcused(prediction: ExamplesTable, found: PastComparison) -> Iterator[ColumnDifference]:
    """Yield the differences that nobody acknowledged, as only those of late rows may be."""
    excused = prediction.acknowledged.get(LATE, {}) if found.past.kind == "loaded_at" else {}
    for difference in found.differences:
        if (prediction.entity if difference.column == ROWS else difference.column) not in excused:
            yield difference


def _told(prediction: ExamplesTable, failed: Sequence[PastComparison], read_whole: Sequence[str]) -> LeakageError:
    seen = {
        (comparison.past.as_of_date, difference.column)
        for comparison in failed
        for difference in comparison.differences
        if comparison.past.kind == "event_time"
    }
    # What differs without later events differs without later loads as well; once is enough.
    failed = [
        replace(comparison, differences=unseen)
        for comparison in failed
        if (
            unseen := tuple(
                difference
                for difference in comparison.differences
                if comparison.past.kind != "loaded_at" or (comparison.past.as_of_date, difference.column) not in seen
            )
        )
    ]
    lines = [
        f"\n  - {_sentence(prediction, difference, comparison.past, comparison.compared_rows)}"
        for comparison in failed
        for difference in comparison.differences
    ]
    kinds = {comparison.past.kind for comparison in failed}
    columns = {difference.column for comparison in failed for difference in comparison.differences}
    remedies = []
    if any(_is_rounding(difference) for found in failed for difference in found.differences):
        remedies.append(
            "cast to a decimal before summing: a sum of floating-point numbers depends on the order of the rows, and "
            "nobody can tell such a difference from a small leak."
        )
    elif "event_time" in kinds and columns - {ROWS, prediction.label}:
        remedies.append(
            "let the join or the aggregate see only events before the as-of date, as the macro events_before does; if "
            "no later event has a part in it, the model is not the same twice: order its rows by a last column that "
            "decides."
        )
    if "event_time" in kinds and ROWS in columns:
        remedies.append(
            "which entities have an example at an as-of date, and that there is such a date, must follow from what "
            "happened before it; take as-of dates from a calendar that ends the day after the last event, as the macro "
            "as_of_dates does: the audit lets it reach the as-of date even if nothing happened on the day before."
        )
    if "label_window" in kinds or prediction.label in columns:
        remedies.append(
            f"let the label see events from '{prediction.as_of}' on and before {prediction.horizon_days} days later, "
            "and be null until the data reach that far, as the macros events_within and label_within do."
        )
    if read_whole and any(_is_early(prediction, found) for comparison in failed for found in comparison.differences):
        remedies.append(
            f"if one of {', '.join(read_whole)} tells how far the data reach, declare its 'event_time'; without one it "
            "is never cut."
        )
    late = sorted(columns - {ROWS}) or [prediction.entity]
    if kinds == {"loaded_at"}:
        remedies.append(
            f"rows came more than {prediction.arrival_days} days after the as-of date, so the model learns from what "
            "it will not have; leave out rows by '_loaded_at', declare 'arrival_days' if scores can wait for them, or "
            f"say why it does no harm: acknowledged: {{{LATE}: {{{late[0]}: 'the reason'}}}} in the declaration."
        )
    return LeakageError(
        f"{prediction.name} knew the future:{''.join(lines)}",
        where=f"table {prediction.schema}.{prediction.table}, declared in {prediction.where}",
        rule=" ".join(_RULES[kind] for kind in _RULES if kind in kinds),
        remedy=" Also: ".join(remedies),
    )


def _sentence(prediction: ExamplesTable, difference: ColumnDifference, past: Past, compared: int) -> str:
    if _is_early(prediction, difference):
        shown = ", ".join(f"{label} for {entity}" for entity, _, label in difference.shown)
        return (
            f"{difference.column}: {difference.row_count} labels are known before the data reach the horizon: {shown}"
        )
    if difference.column == ROWS and difference.row_count == compared:
        return f"there is no example of {past.as_of_date} {WITHOUT[past.kind]}, and {compared} are stored"
    shown = "; ".join(
        f"{prediction.entity} {entity} has {stored or 'null'}, and {rebuilt or 'null'} {WITHOUT[past.kind]}"
        for entity, stored, rebuilt in difference.shown
    )
    first = f"; first seen in {difference.first_model}" if difference.first_model else ""
    return f"{difference.column}: {difference.row_count} examples of {past.as_of_date} differ ({shown}){first}"


def _is_early(prediction: ExamplesTable, difference: ColumnDifference) -> bool:
    """Return whether the difference is a label that is known before the data reach the horizon."""
    return difference.column == prediction.label and bool(difference.shown) and difference.shown[0][1] is None


def _is_rounding(difference: ColumnDifference) -> bool:
    """Return whether the shown values differ in their last digits only."""
    try:
        pairs = [(float(stored), float(rebuilt)) for _, stored, rebuilt in difference.shown if stored and rebuilt]
    except ValueError:
        return False
    return bool(pairs) and all(isclose(stored, rebuilt, rel_tol=1e-9) for stored, rebuilt in pairs)
