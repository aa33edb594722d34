"""What is remembered of every leakage audit: what was compared, what differed, what could not be seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal

from turnout.records.table import BIGINT, Between, Table, columns_of


@dataclass(frozen=True)
class OfAudit:
    """Which audit of which prediction a row is about."""

    audit_id: Annotated[str, "Id of the audit; predictions that were audited together share it."]
    prediction: Annotated[str, "The dbt model that declares the prediction."]


@dataclass(frozen=True)
class LeakageAudit(OfAudit):
    """A past that was built again."""

    audited_at: Annotated[datetime, "When the audit began, UTC."]
    seed: Annotated[int, "Which as-of dates were chosen at random follows from it."]
    cut_by: Annotated[
        Literal["event_time", "loaded_at", "label_window"],
        "`event_time`, without events from the as-of date on; `loaded_at`, also without what was loaded later; "
        "`label_window`, without events that the label may not use.",
    ]
    as_of_date: Annotated[date, "The as-of date whose examples were compared."]
    compared_rows: Annotated[
        int, "Stored examples of that date; for the label those that had one on both sides.", BIGINT, Between(0)
    ]
    differing_columns: Annotated[int, "How many columns came out differently; zero is what should be."]
    seconds: Annotated[float, "What it took; predictions that share a rebuild share its time."]


@dataclass(frozen=True)
class LeakageDifference(OfAudit):
    """What came out differently in one past."""

    cut_by: Annotated[str, "What was cut; see `leakage_audits`."]
    as_of_date: Annotated[date, "The as-of date whose examples were compared."]
    column_name: Annotated[str, "The column, or `(rows)` where examples are there on one side only."]
    differing_rows: Annotated[int, "How many examples differ.", BIGINT, Between(1)]
    first_model: Annotated[
        str | None, "The first model upstream in which it can be seen; null if only the examples show it."
    ]
    shown: Annotated[str, "Up to three entities with the value stored and the value built again, as JSON."]


@dataclass(frozen=True)
class LeakageCoverage(OfAudit):
    """Whether the future of a source could be cut away."""

    source: Annotated[str, "The source that the prediction is made from, as `source.table`."]
    is_audited: Annotated[bool, "Whether its future could be cut away."]
    audited_by: Annotated[str, "By what, of `event_time` and `loaded_at`; empty if by nothing."]
    remedy: Annotated[
        str | None, "What can be done to audit it, or to audit it better; null if there is nothing to do."
    ]
    acknowledged: Annotated[str | None, "The reason a person gave for leaving it unaudited; null if there is none."]


LEAKAGE_AUDITS = Table(
    "leakage_audits",
    "Pasts that were built again to see whether examples knew the future. One row per audit, prediction, cut and as-of "
    "date.",
    columns_of(LeakageAudit),
    key=("audit_id", "prediction", "cut_by", "as_of_date"),
)
LEAKAGE_DIFFERENCES = Table(
    "leakage_differences",
    "What came out differently in an audit. One row per audit, prediction, cut, as-of date and column.",
    columns_of(LeakageDifference),
    key=("audit_id", "prediction", "cut_by", "as_of_date", "column_name"),
)
LEAKAGE_COVERAGE = Table(
    "leakage_coverage",
    "Which sources an audit could cut, and what to do about the others. One row per audit, prediction and source.",
    columns_of(LeakageCoverage),
    key=("audit_id", "prediction", "source"),
)
TABLES = (LEAKAGE_AUDITS, LEAKAGE_DIFFERENCES, LEAKAGE_COVERAGE)
