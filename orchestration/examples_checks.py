"""The checks of every prediction's examples: none of them knows the future, and a person has looked at each feature."""

# Dagster reads the annotations of a step itself, so they are not postponed in this module.
from collections.abc import Iterator
from functools import cache
from typing import Any

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    multi_asset_check,
)

from ml.declaration import Prediction
from ml.features.review import Review, remember, review
from orchestration.commands import error_in_words
from orchestration.dbt import asset_key
from orchestration.failures import in_words
from orchestration.metadata import table
from orchestration.project import WAREHOUSE_POOL, predictions_of
from turnout.errors import TurnoutError
from turnout.leakage.audit import audit
from turnout.leakage.result import Audit
from turnout.project.paths import Project

LEAKAGE = "leakage"
FEATURE_REVIEW = "feature_review"


@cache
def examples_checks(project: Project) -> tuple[AssetChecksDefinition, ...]:
    """Return the step that audits the examples of all predictions, which share what is built for it; and reviews."""
    predictions = {asset_key(project, prediction.unique_id): prediction for prediction in predictions_of(project)}
    if not predictions:
        return ()

    @multi_asset_check(
        name="leakage_audit",
        specs=[
            AssetCheckSpec(
                LEAKAGE,
                asset=key,
                blocking=True,
                description="Built again from what was known at its time, each example comes out as it is stored.",
            )
            for key in predictions
        ]
        + [
            AssetCheckSpec(
                FEATURE_REVIEW,
                asset=key,
                description="Nothing about the features needs looking at, or a person said why it is right.",
            )
            for key in predictions
        ],
        can_subset=True,
        pool=WAREHOUSE_POOL,
    )
    def leakage_audit(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        selected = context.selected_asset_check_keys
        chosen = [key for key in predictions if AssetCheckKey(key, LEAKAGE) in selected]
        with in_words():
            audits = audit(project, [predictions[key] for key in chosen], tell=context.log.info) if chosen else []
        differing = {found.prediction.name: found.differing for found in audits}
        for key, found in zip(chosen, audits, strict=True):
            yield AssetCheckResult(
                asset_key=key,
                check_name=LEAKAGE,
                passed=found.problem is None,
                description=error_in_words(found.problem) if found.problem else _summary(found),
                metadata=_metadata(found),
            )
        for key, prediction in predictions.items():
            if AssetCheckKey(key, FEATURE_REVIEW) in selected:
                yield _reviewed(project, key, prediction, differing.get(prediction.name))

    return (leakage_audit,)


def _reviewed(
    project: Project, key: AssetKey, prediction: Prediction, differing: dict[str, int] | None
) -> AssetCheckResult:
    try:
        made = review(project.warehouse, prediction, differing)
        remember(project.warehouse, [made])
    except TurnoutError as error:
        # Whatever needs the examples will refuse them; that they cannot be reviewed is no more than a warning.
        passed, description, metadata = False, error_in_words(error), {}
    else:
        passed, description, metadata = not made.unacknowledged, str(made), _review_metadata(made)
    return AssetCheckResult(
        asset_key=key,
        check_name=FEATURE_REVIEW,
        passed=passed,
        severity=AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )


def _summary(found: Audit) -> str:
    days = sorted({comparison.past.as_of_date for comparison in found.comparisons})
    unaudited = ", ".join(
        [
            *(source.source for source in found.unaudited),
            *(f"the label of {comparison.past.as_of_date}" for comparison in found.unverified),
        ]
    )
    return (
        f"{found.prediction.name} came out as stored at {', '.join(map(str, days))}."
        f"{f' Not audited: {unaudited}.' if unaudited else ''}"
    )


def _metadata(found: Audit) -> dict[str, Any]:
    return {
        "pasts built again": table(
            [
                {
                    "as-of date": comparison.past.as_of_date,
                    "cut by": comparison.past.kind,
                    "examples compared": comparison.compared_rows,
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


def _review_metadata(made: Review) -> dict[str, Any]:
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
        "early until": str(made.early_until),
        "newest": str(made.newest),
    }


def _shown(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"
