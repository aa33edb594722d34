"""What was expected beside what came true: of judged fits, and of the scores once their labels have matured.

What is kept are sums over many: for each as-of date, for treated and control entities, and for each band of scores,
how many there are, their mean score, and mean and spread of their labels. Whether acting on scores has an effect, and
whether a model holds in service what it promised on the holdout, is read from these.

Bands are tenths of the scores, as the task divides them; see `ml.tasks.bands`.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ml.examples.split import day_of
from turnout.engines import identifier
from turnout.records.trainings import Outcome

if TYPE_CHECKING:
    import pandas as pd

    from ml.declaration import Prediction
    from ml.tasks import Task
    from ml.tasks.metrics import Predicted, Vector
    from turnout.engines import Session
    from turnout.project.examples_table import ExamplesTable


def outcomes_of(
    task: Task,
    basis: Literal["validation", "holdout"],
    as_of_dates: pd.Series[Any],
    label: Vector,
    predicted: Predicted,
) -> list[Outcome]:
    """Return what came true beside what was predicted, by as-of date and band.

    Parameters
    ----------
    as_of_dates : Series of shape (n_examples,)
        The as-of date of each example.
    label : ndarray of shape (n_examples,)
        What came true.
    predicted : ndarray of shape (n_examples,) or (n_examples, n_columns)
        What was predicted.
    """
    import pandas as pd

    days = as_of_dates.map(day_of).to_numpy()
    examples = pd.DataFrame({"as_of_date": days, "label": label, "predicted": task.score_of(predicted)})
    band = task.bands.of(examples["predicted"], examples["as_of_date"])
    found = examples.groupby(["as_of_date", band.astype("int64").rename("score_band")], as_index=False).agg(
        count=("label", "size"), expected=("predicted", "mean"), realised=("label", "mean"), stddev=("label", "std")
    )
    return [
        Outcome(
            basis,
            as_of_date=row["as_of_date"],
            is_treated=False,
            score_band=row["score_band"],
            example_count=row["count"],
            expected=row["expected"],
            realised=row["realised"],
            realised_stddev=None if np.isnan(row["stddev"]) else row["stddev"],
        )
        for row in found.to_dict("records")
    ]


def record_published(session: Session, prediction: Prediction) -> tuple[date, ...]:
    """Record what came true of the scores whose labels have matured since, in one transaction.

    The rows of each such as-of date take the place of those from before, as a label may have been corrected; what was
    recorded of an as-of date that is in the examples no more stays. Scores by a fit that has learned from labels of
    their as-of date are left out: an as-of date that is scored once more, after it has matured, is no forecast.

    One as-of date is joined after the other, so memory does not grow with their number; time does, by a join each.

    Returns
    -------
    tuple of date
        The as-of dates that were recorded, ascending.
    """
    if not session.has_table("scores", prediction.name):
        return ()
    with session.transaction():
        recorded = []
        for as_of_date, version in _forecasts(session, prediction.examples):
            key = {"prediction": prediction.name, "basis": "published", "as_of_date": as_of_date}
            session.delete("records", "outcomes", key)
            sql, parameters = _aggregated(prediction.examples, prediction.task, version, as_of_date)
            session.insert("records", "outcomes", sql, parameters)
            recorded.append(as_of_date)
    return tuple(recorded)


def _forecasts(session: Session, examples: ExamplesTable) -> list[tuple[date, int]]:
    """Return the scored as-of dates with a matured label, each with the version that scored it without knowing one."""
    as_of = identifier(examples.as_of)
    rows = session.rows(
        f"""with
            scored as (
                select cast({as_of} as date) as as_of_date, max(model_version) as version, max(scored_at) as scored_at
                from {identifier("scores", examples.name)} group by cast({as_of} as date)
            ),
            matured as (
                select distinct cast({as_of} as date) as as_of_date
                from {identifier(examples.schema, examples.table)}
                where {identifier(examples.label)} is not null
            )
            select scored.as_of_date, scored.version
            from scored
            inner join matured on scored.as_of_date = matured.as_of_date
            inner join records.champions on scored.version = champions.version and champions.since <= scored.scored_at
            where champions.prediction = ?
            group by scored.as_of_date, scored.version
            having scored.as_of_date > max_by(champions.last_as_of_date, champions.number)
            order by scored.as_of_date""",
        (examples.name,),
    )
    return [(row["as_of_date"], row["version"]) for row in rows]


def _aggregated(examples: ExamplesTable, task: Task, version: int, as_of_date: date) -> tuple[str, tuple[object, ...]]:
    """Return the query for the rows of one as-of date, and its parameters."""
    entity, as_of, label = (identifier(name) for name in (examples.entity, examples.as_of, examples.label))
    band = task.bands.sql
    sql = f"""with
        judged as (
            select
                coalesce(scores.is_treated, true) as is_treated,
                scores.score,
                cast(examples.{label} as double) as label
            from {identifier("scores", examples.name)} as scores
            inner join {identifier(examples.schema, examples.table)} as examples
                on scores.{entity} = examples.{entity}
            where scores.{as_of} = ? and examples.{as_of} = ? and examples.{label} is not null
        ),
        banded as (select is_treated, score, label, cast({band} as integer) as score_band from judged)
        select
            ? as prediction,
            ? as version,
            'published' as basis,
            ? as as_of_date,
            is_treated,
            score_band,
            count(*) as example_count,
            avg(score) as expected,
            avg(label) as realised,
            stddev_samp(label) as realised_stddev
        from banded
        group by is_treated, score_band"""
    return sql, (as_of_date, as_of_date, examples.name, version, as_of_date)
