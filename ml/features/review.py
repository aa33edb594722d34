"""The feature review: one table per prediction, and what in it a person should look at.

It asks of each feature and each sensitive column: how many values are missing, how many there are, how strong it is
by itself, whether that lasts, whether it was measured after the as-of date, whether it is sensitive.
`ml.features.measuring` measures it, and `ml.features.findings` says what of it is worth a warning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from ml.examples.inspection import inspect
from ml.examples.plausibility import implausible_labels
from ml.features.findings import (
    DUPLICATE_DATES,
    REVIEWED,
    Finding,
    duplicates_finding,
    findings_of,
    implausible_finding,
    key_finding,
    sounds_sensitive,
    unlabelled_finding,
)
from ml.features.measures import Measures
from ml.features.measuring import MEMORY, Measuring
from ml.tasks.strength import StrengthMeasure
from turnout.clock import utc_now
from turnout.records import reviews, write
from turnout.records.reviews import ReviewedColumn

if TYPE_CHECKING:
    from ml.declaration import Prediction
    from turnout.engines import Warehouse
    from turnout.project.examples_table import ExamplesTable

TABLES = tuple(table.name for table in reviews.TABLES)

# So many findings a person reads at once; the others are on record.
SHOWN = 5


@dataclass(frozen=True)
class Review:
    """The review of one prediction.

    Parameters
    ----------
    strength_measure : {"roc_auc", "spearman"}
        By what strength is measured.
    early_until, newest : date or None, date
        The last early as-of date (None if there is only one as-of date), and the newest.
    columns : tuple of ReviewedColumn
        Features in the table's order, then sensitive columns.
    findings : tuple of Finding
        What matters most is first.
    stale : tuple of (finding, subject)
        What is acknowledged but was not found.
    ignored : tuple of str
        Columns that are declared to be no feature, and are not reviewed.
    left_out : tuple of str
        Columns that are no feature as they are keys, and are not reviewed.
    """

    review_id: str
    reviewed_at: datetime
    examples: ExamplesTable
    strength_measure: str
    early_until: date | None
    newest: date
    columns: tuple[ReviewedColumn, ...]
    findings: tuple[Finding, ...]
    stale: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def unacknowledged(self) -> tuple[Finding, ...]:
        """The findings for which nobody gave a reason."""
        return tuple(finding for finding in self.findings if not finding.acknowledged)

    def __str__(self) -> str:
        found, name = self.unacknowledged, self.examples.name
        if not found:
            many = "1 finding is" if len(self.findings) == 1 else f"{len(self.findings)} findings are"
            reasons = f" {many} acknowledged." if self.findings else ""
            lines = [f"{name}: nothing to look at in {len(self.columns)} columns.{reasons}"]
        else:
            lines = [f"{name}: {len(found)} to look at: {in_short([(each.name, each.subject) for each in found])}."]
            lines += [f"  - {finding.subject} ({finding.name}): {finding.message}" for finding in found[:SHOWN]]
            # What is left out says itself what to declare: to acknowledge it makes it a feature.
            first = next((finding for finding in found if finding.subject not in self.left_out), None)
            if first is not None:
                lines.append(
                    "  What is right is acknowledged in the declaration: "
                    f"acknowledged: {{{first.name}: {{{first.subject}: 'the reason'}}}}, in {self.examples.where}."
                )
        if self.stale:
            stale = ", ".join(f"{finding} of {subject}" for finding, subject in self.stale)
            lines.append(f"  Acknowledged, but not found any more, so it may be taken out: {stale}.")
        return "\n".join(lines)


def in_short(findings: Sequence[tuple[str, str]]) -> str:
    """Return the first of some findings, each a name and a subject, and how many more there are.

    >>> in_short([("constant", "x")])
    'constant of x'
    """
    shown = ", ".join(f"{name} of {subject}" for name, subject in findings[:SHOWN])
    more = len(findings) - SHOWN
    return f"{shown}, and {more} more, in records.feature_findings" if more > 0 else shown


def review(warehouse: Warehouse, prediction: Prediction, differing: Mapping[str, int] | None = None) -> Review:
    """Review a prediction's features and sensitive columns, reading aggregates only.

    Strength needs labels, so matured examples count; for all else every example does. As-of dates up to half of the
    matured ones are early, those after that late.

    Parameters
    ----------
    differing : mapping of column to int, optional
        In how many examples a column knew the future, as the last leakage audit found; a column that is not in it did
        not. Default: there was no audit.

    Raises
    ------
    ExamplesError
        If the examples break a promise; see `ml.examples.inspection.inspect`.
    WarehouseError
        If there is no table of examples.
    """
    examples, sensitive = prediction.examples, prediction.groups.sensitive
    with warehouse.session(memory=MEMORY) as session:
        held = inspect(session, prediction)
        schema = session.columns_of(examples.schema, examples.table)
        features = [feature.name for feature in held.features]
        measuring = Measuring(session, prediction, held, schema)
        measured = [measuring.column(name) for name in (*features, *sensitive)]
        found = [
            replace(finding, strength=max((abs(each.signed) for each in measures.strength.values()), default=0.0))
            for measures in measured
            if measures.name in features
            for finding in findings_of(
                measures,
                measuring.strength_measure,
                entity=examples.entity,
                examples_per_entity=measuring.examples_per_entity,
            )
        ]
        told = {(finding.name, finding.subject) for finding in found}
        of_keys = [key_finding(key) for key in held.keys]
        found += [finding for finding in of_keys if (finding.name, finding.subject) not in told]
        found += implausible_finding(implausible_labels(session, prediction), examples.label)
        found += unlabelled_finding(measuring.unlabelled(), examples.label)
        found += duplicates_finding(measuring.duplicate_entities(DUPLICATE_DATES), examples.entity)
    findings = tuple(
        replace(finding, acknowledged=examples.acknowledged.get(finding.name, {}).get(finding.subject, ""))
        for finding in sorted(found, key=lambda each: each.rank)
    )
    keys = {(finding.name, finding.subject) for finding in findings}
    return Review(
        review_id=uuid4().hex[:12],
        reviewed_at=utc_now(),
        examples=examples,
        strength_measure=measuring.strength_measure.name,
        early_until=measuring.periods.early_until,
        newest=measuring.periods.newest,
        columns=tuple(
            _row(
                measures,
                measuring.strength_measure,
                measures.name in sensitive,
                differing,
                tuple(name for name, subject in sorted(keys) if subject == measures.name),
            )
            for measures in measured
        ),
        findings=findings,
        stale=tuple(
            (name, subject)
            for name, reasons in examples.acknowledged.items()
            if name in REVIEWED
            for subject in reasons
            if (name, subject) not in keys
        ),
        ignored=prediction.ignored,
        left_out=tuple(feature.name for feature in held.left_out),
    )


def remember(warehouse: Warehouse, reviewed: Sequence[Review]) -> None:
    """Record reviews in one transaction."""
    columns, findings = [], []
    for made in reviewed:
        key = {"review_id": made.review_id, "prediction": made.examples.name, "reviewed_at": made.reviewed_at}
        measure = {"strength_measure": made.strength_measure}
        columns += [
            {**key, **measure, **vars(column), "findings": ", ".join(column.findings)} for column in made.columns
        ]
        findings += [
            {
                **key,
                "finding": finding.name,
                "subject": finding.subject,
                "message": finding.message,
                "acknowledged": finding.acknowledged or None,
            }
            for finding in made.findings
        ]
    with warehouse.session() as session:
        write(session, {reviews.FEATURE_REVIEWS: columns, reviews.FEATURE_FINDINGS: findings})


def _row(
    measures: Measures,
    measure: StrengthMeasure,
    is_declared: bool,
    differing: Mapping[str, int] | None,
    findings: tuple[str, ...],
) -> ReviewedColumn:
    strength = {period: measure.shown(found) for period, found in measures.strength.items()}
    sensitive: Literal["declared", "sounds like it", "no"] = (
        "declared" if is_declared else "sounds like it" if sounds_sensitive(measures.name) else "no"
    )
    return ReviewedColumn(
        column_name=measures.name,
        is_feature=not is_declared,
        kind=measures.kind,
        data_type=measures.data_type,
        missing_share=measures.missing["all"],
        distinct_values=measures.distinct_values,
        strength=strength.get("all"),
        strength_early=strength.get("early"),
        strength_late=strength.get("late"),
        drift=measures.drift.value if measures.drift else None,
        drift_newest=measures.drift_newest.value if measures.drift_newest else None,
        differing_examples=None if differing is None else differing.get(measures.name, 0),
        sensitive=sensitive,
        findings=findings,
    )
