"""The checks of every prediction's examples: none of them knows the future."""

# Dagster reads the annotations of a step itself, so they are not postponed in this module.
from collections.abc import Iterator
from functools import cache
from typing import Any

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSpec,
    multi_asset_check,
)

from ml.declaration import Prediction
from orchestration.dbt import asset_key
from orchestration.failures import in_words
from orchestration.leakage.audit import audit
from orchestration.leakage.result import Audit
from orchestration.metadata import table
from orchestration.project import WAREHOUSE_POOL, Project

LEAKAGE = "leakage"


@cache
def examples_checks(project: Project) -> tuple[AssetChecksDefinition, ...]:
    """Return the step that audits the examples of all predictions, which share what is built for it."""
    predictions = {asset_key(project, prediction.unique_id): prediction for prediction in project.predictions}
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
        ],
        can_subset=True,
        pool=WAREHOUSE_POOL,
    )
    def leakage_audit(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        chosen = [key for key in predictions if AssetCheckKey(key, LEAKAGE) in context.selected_asset_check_keys]
        with in_words():
            audits = audit(project, [predictions[key] for key in chosen], tell=context.log.info)
        for key, found in zip(chosen, audits, strict=True):
            yield AssetCheckResult(
                asset_key=key,
                check_name=LEAKAGE,
                passed=found.problem is None,
                description=str(found.problem or _summary(found.prediction, found)),
                metadata=_metadata(found),
            )

    return (leakage_audit,)


def _summary(prediction: Prediction, found: Audit) -> str:
    days = sorted({comparison.past.as_of_date for comparison in found.comparisons})
    unaudited = ", ".join(
        [
            *(source.source for source in found.unaudited),
            *(f"the label of {comparison.past.as_of_date}" for comparison in found.unverified),
        ]
    )
    return (
        f"{prediction.name} came out as stored at {', '.join(map(str, days))}."
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
