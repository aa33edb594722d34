"""The columns that scores have beside their key and what the task predicts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from ml.models.reasons import reason_fields
from turnout.records.table import LATER

if TYPE_CHECKING:
    from ml.tasks import Task


@dataclass(frozen=True)
class ScoreColumns:
    """How a score was given."""

    is_treated: Annotated[
        bool,
        "Whether the score may be acted on: a stable share of the entities, as the prediction declares "
        "`treatment_share`; one that is not known counts as treated.",
        LATER,
    ]
    model_version: Annotated[int, "The version of the model that gave the score; see `records.model_versions`."]
    scored_at: Annotated[datetime, "When it was given, UTC."]


def score_column_names(task: Task) -> tuple[str, ...]:
    """Return the names of all columns of scores that are ours, so that no key can have one of them."""
    return (
        *(column.name for column in task.score_columns),
        *(field.name for field in fields(ScoreColumns)),
        *(field.name for field in reason_fields()),
    )
