"""What a person sees of an audit and a feature review in Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestration.metadata import table

if TYPE_CHECKING:
    from ml.features.review import Review
    from turnout.leakage.result import Audit


def summary(found: Audit) -> str:
    """Say which as-of dates of an audit that passed came out as stored, and what could not be audited."""
    days = sorted({comparison.past.as_of_date for comparison in found.comparisons})
    unaudited = ", ".join(
        [
            *(source.source for source in found.unaudited),
            *(f"the label of {comparison.past.as_of_date}" for comparison in found.unverified),
        ]
    )
    compared = (
        f"{found.prediction.name} came out as stored at {', '.join(map(str, days))}."
        if days
        else f"{found.prediction.name} was not audited: it has no examples, or nothing that a rebuild could leave out."
    )
    said = [
        compared,
        found.share,
        f"Not audited: {unaudited}." if unaudited else "",
        found.unaudited_label,
        found.unmatured,
    ]
    return " ".join(sentence for sentence in said if sentence)


def audit_metadata(found: Audit) -> dict[str, Any]:
    """Show which pasts were built again, every column that differs, and what each source was audited by."""
    return {
        "pasts built again": table(
            [
                {
                    "as-of date": comparison.past.as_of_date,
                    "cut by": comparison.past.kind,
                    "examples compared": comparison.compared_rows,
                    "share of entities": f"{comparison.past.share.percent:.3g} %" if comparison.past.share else "all",
                    "columns that differ": len(comparison.differences),
                    "seconds": round(comparison.seconds, 1),
                }
                for comparison in found.comparisons
            ]
        ),
        "differences": table(
            [
                {
                    "as-of date": comparison.past.as_of_date,
                    "cut by": comparison.past.kind,
                    "column": difference.column,
                    "examples": difference.row_count,
                    "first seen in": difference.first_model or found.prediction.name,
                    "entity": entity,
                    "stored": stored,
                    "built again": rebuilt,
                }
                for comparison in found.comparisons
                for difference in comparison.differences
                for entity, stored, rebuilt in difference.shown
            ]
        ),
        "sources": table(
            [
                {
                    "source": source.source,
                    "audited by": ", ".join(source.audited_by) or "nothing",
                    "what to do": source.remedy,
                    "acknowledged": source.acknowledged,
                }
                for source in found.coverage
            ]
        ),
        "seed": found.seed,
        "seconds": round(sum(comparison.seconds for comparison in found.comparisons), 1),
    }


def review_metadata(made: Review) -> dict[str, Any]:
    """Show what was measured of every feature, and what a person should look at."""
    measure = made.strength_measure
    return {
        "features": table(
            [
                {
                    "column": column.column_name,
                    "type": f"{column.data_type}, {column.kind}",
                    "missing": f"{column.missing_share:.1%}",
                    "distinct values": column.distinct_values,
                    f"{measure} alone": _shown(column.strength),
                    "early": _shown(column.strength_early),
                    "late": _shown(column.strength_late),
                    "drift": _shown(column.drift),
                    "drift to newest": _shown(column.drift_newest),
                    "knew the future": "not audited"
                    if column.differing_examples is None
                    else column.differing_examples,
                    "sensitive": column.sensitive,
                    "findings": ", ".join(column.findings),
                }
                for column in made.columns
            ]
        ),
        "findings": table(
            [
                {
                    "finding": finding.name,
                    "subject": finding.subject,
                    "message": finding.message,
                    "acknowledged": finding.acknowledged,
                }
                for finding in made.findings
            ]
        ),
        "ignored": ", ".join(made.ignored) or "nothing",
        "left out as keys": ", ".join(made.left_out) or "nothing",
        "early until": str(made.early_until),
        "newest": str(made.newest),
    }


def _shown(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"
