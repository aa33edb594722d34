"""What is remembered of every review of features: what was measured of each, and what a person should look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from turnout.records.table import BIGINT, Between, Lacking, Stored, Table, columns_of

TOO_FEW = Lacking("with too few labels")


@dataclass(frozen=True)
class OfReview:
    """Which review of which prediction a row is about."""

    review_id: Annotated[str, "Id of the review."]
    prediction: Annotated[str, "The dbt model that declares the prediction."]
    reviewed_at: Annotated[datetime, "When it was reviewed, UTC."]


@dataclass(frozen=True)
class ReviewedColumn:
    """What was measured of one column of the examples."""

    column_name: Annotated[str, "The feature or the sensitive column."]
    is_feature: Annotated[bool, "Whether models see it."]
    kind: Annotated[Literal["numeric", "categorical"], "As what they see it, or would."]
    data_type: Annotated[str, "Its type, in Arrow's words."]
    missing_share: Annotated[float, "Share of the examples without a value.", Between(0, 1)]
    distinct_values: Annotated[int, "How many different values there are; missing is none.", BIGINT]
    strength: Annotated[
        float | None,
        "How well the column alone puts the matured examples in order, whatever the direction.",
        Between(0, 1),
        TOO_FEW,
    ]
    strength_early: Annotated[float | None, "The same over the earlier half of the as-of dates."]
    strength_late: Annotated[float | None, "The same over the later half."]
    drift: Annotated[
        float | None,
        "Jensen-Shannon distance of its early and late distributions, 0 to 1; null where there are none.",
        Between(0, 1),
    ]
    drift_newest: Annotated[float | None, "The same for the holdout and the newest as-of date, which is scored."]
    differing_examples: Annotated[
        int | None, "In how many examples it knew the future, in the audit made with it; null if none was.", BIGINT
    ]
    sensitive: Annotated[
        Literal["declared", "sounds like it", "no"],
        "Whether it is declared sensitive, or only called like something that is.",
    ]
    findings: Annotated[
        tuple[str, ...],
        "What was found, by name; empty if nothing. `feature_findings` tells it.",
        Stored("varchar"),
    ]


@dataclass(frozen=True)
class Measured:
    """By what the strength of a row is measured."""

    strength_measure: Annotated[
        Literal["roc_auc", "spearman"],
        "By what strength is measured: `roc_auc`, 0.5 to 1, for a binary label; `spearman`, the absolute rank "
        "correlation, for a number.",
    ]


@dataclass(frozen=True)
class FeatureFinding(OfReview):
    """What a person should look at."""

    finding: Annotated[str, "The name of the finding, with which it is acknowledged."]
    subject: Annotated[str, "The column that it is about."]
    message: Annotated[str, "What was measured, why it matters, what to do."]
    acknowledged: Annotated[str | None, "The reason a person gave why it is right; null if there is none."]


FEATURE_REVIEWS = Table(
    "feature_reviews",
    "What was measured of the features and sensitive columns of each prediction's examples. One row per review, "
    "prediction and column.",
    columns_of(OfReview, Measured, ReviewedColumn),
    key=("review_id", "prediction", "column_name"),
)
FEATURE_FINDINGS = Table(
    "feature_findings",
    "What a person should look at in the examples, and why it is right where somebody said so. One row per review, "
    "prediction, finding and subject.",
    columns_of(FeatureFinding),
    key=("review_id", "prediction", "finding", "subject"),
)
TABLES = (FEATURE_REVIEWS, FEATURE_FINDINGS)
