"""The champion's scores for the latest as-of date, with their reasons, written back as a stream."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from ml import persistence
from ml.declaration import Prediction
from ml.examples import feature_frame, inspect, missing_features
from ml.fitted import predict
from ml.outcomes import record_published
from ml.reasons import explainer_of, no_reasons, reason_fields, reasons
from ml.records import champion_of
from ml.release import is_released
from turnout.advice import Action, Advice
from turnout.clock import utc_now
from turnout.engines import Warehouse
from turnout.errors import ModelError

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = "scores"
# In a batch of examples, where no column of theirs can have that name.
RELEASED = "(released)"


@dataclass(frozen=True)
class Scoring:
    """What was written back: the rows of one as-of date, by one model version."""

    model_version: int
    as_of_date: date
    row_count: int


def score(warehouse: Warehouse, prediction: Prediction, model_folder: Path) -> Scoring | None:
    """Score the latest as-of date with the champion and replace its scores.

    Scores of other as-of dates stay as they are; what came true of them since is recorded (`ml.outcomes`). The table
    `scores.<prediction>` has the entity, the as-of date, `score` (the probability of the label 1, or the expected
    value), `is_released` (whether it may be acted on; see `ml.release`), `model_version`, `scored_at` (UTC), and
    `reason_1` to `reason_3`, each with its feature, value and effect (`ml.reasons`); these are null where nothing
    explains the champion, or the prediction is declared without.

    Returns
    -------
    Scoring or None
        None when the prediction has no champion yet; nothing is written then.

    Raises
    ------
    ModelError
        If the champion needs a feature that the examples no longer hold, or its file cannot be used.
    ExamplesError
        If the examples break a promise; see `ml.examples.inspect`.
    """
    import pyarrow as pa

    champion = champion_of(warehouse, prediction.name)
    if champion is None:
        return None
    held = inspect(warehouse, prediction)
    problem = missing_features(champion.features, held.features)
    if problem:
        raise ModelError(
            f"Champion version {champion.version} of '{prediction.name}' cannot score these examples: {problem}.",
            where=f"table {prediction.schema}.{prediction.table}",
            rule="a model scores exactly the features that it was trained on.",
            remedy=Advice(
                "bring the columns back, or ", Action("train", "train again", {"prediction": prediction.name}), "."
            ),
        )
    pipeline = persistence.load(model_folder / champion.file, champion.file_hash, prediction.trusted_types)
    as_of_date = held.as_of_dates[-1]
    scored_at = utc_now()
    examples = warehouse.schema_of(prediction.schema, prediction.table)
    schema = pa.schema(
        [
            examples.field(prediction.entity),
            examples.field(prediction.as_of),
            pa.field("score", pa.float64()),
            pa.field("is_released", pa.bool_()),
            pa.field("model_version", pa.int32()),
            pa.field("scored_at", pa.timestamp("us")),
            *reason_fields(),
        ]
    )

    explainer = explainer_of(pipeline, prediction.task, champion.features) if prediction.reasons else None

    def scored(batch: pa.RecordBatch) -> pa.RecordBatch:
        frame = feature_frame(batch, champion.features, prediction.as_of)
        if explainer is None:
            why = no_reasons(len(batch))
        else:
            why = reasons(batch, champion.features, prediction.titles, explainer.contributions(frame))
        return pa.record_batch(
            [
                batch[prediction.entity],
                batch[prediction.as_of],
                pa.array(predict(pipeline, prediction.task, frame)),
                batch[RELEASED],
                pa.repeat(pa.scalar(champion.version, pa.int32()), len(batch)),
                pa.repeat(pa.scalar(scored_at, pa.timestamp("us")), len(batch)),
                *why,
            ],
            schema=schema,
        )

    row_count = warehouse.replace_scores(
        examples=(prediction.schema, prediction.table),
        scores=(SCHEMA, prediction.name),
        columns=[prediction.entity, prediction.as_of, *(feature.name for feature in champion.features)],
        computed={RELEASED: is_released(prediction)},
        entity=prediction.entity,
        as_of=prediction.as_of,
        as_of_date=as_of_date,
        schema=schema,
        score=scored,
    )
    record_published(warehouse, prediction)
    return Scoring(champion.version, as_of_date, row_count)
