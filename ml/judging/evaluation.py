"""Every metric of a task on the holdout: over all examples, in each group and in each slice, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.judging.resampling import interval_of
from ml.tasks.metrics import plain
from turnout.records.trainings import Evaluation

if TYPE_CHECKING:
    import pandas as pd

    from ml.judging.resampling import Resamples
    from ml.tasks import Task
    from ml.tasks.metrics import Predicted, Vector

# What stands as group column of a declared slice.
SLICE = "slice"
# Ends the name of a candidate that has not learned from the group it is evaluated in.
UNSEEN = ", unseen group"
# Under which name the champion in place is evaluated.
CHAMPION = "champion"


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of the holdout that is judged by itself.

    `group_column` and `group_value` are empty for all examples; the name of a sensitive column or that of unseen groups
    and one of its values; or "slice" and the name of a declared slice. `mask` is bool of shape (n_examples,).
    """

    group_column: str
    group_value: str
    mask: Vector


def segments_of(grouping: pd.DataFrame, slices: pd.DataFrame) -> list[Segment]:
    """Return the segments of a holdout.

    Parameters
    ----------
    grouping : DataFrame of shape (n_examples, n_grouping_columns)
        The sensitive columns and that of unseen groups. A missing value is a group of its own, named "missing".
    slices : DataFrame of bool, shape (n_examples, n_slices)
        Whether an example is in the slice that the column is named after; what is missing is not.

    Returns
    -------
    list of Segment
        First that of all examples, then by column and value, then the slices.
    """
    segments = [Segment("", "", np.ones(len(grouping), dtype=bool))]
    for column in grouping.columns:
        values = as_groups(grouping[column])
        segments += [Segment(column, value, (values == value).to_numpy()) for value in sorted(values.unique())]
    for name in slices.columns:
        segments.append(Segment(SLICE, name, slices[name].eq(True).fillna(False).to_numpy(dtype=bool)))
    return segments


def as_groups(column: pd.Series[Any]) -> pd.Series[str]:
    """Return the name of each example's group by a column; a missing value is the group "missing"."""
    return column.astype("object").where(column.notna(), "missing").astype(str)


def evaluate(
    candidate: str,
    task: Task,
    label: Vector,
    predicted: Predicted,
    segments: Sequence[Segment],
    resamples: Resamples,
) -> list[Evaluation]:
    """Return every metric of the task in each segment, with its interval.

    Parameters
    ----------
    candidate : str
        The name under which the evaluations stand.
    task : Task
        Says which metrics are computed.
    label : ndarray of shape (n_examples,)
        What came true.
    predicted : ndarray of shape (n_examples,) or (n_examples, n_columns)
        What was predicted.
    segments : sequence of Segment
        See `segments_of`. One without examples has no value.
    resamples : Resamples
        Of the entities of the same examples.

    Returns
    -------
    list of Evaluation
        By segment, then by metric.
    """
    filled = [number for number, segment in enumerate(segments) if segment.mask.any()]
    parts = []
    for number in filled:
        rows = np.flatnonzero(segments[number].mask)
        parts.append((rows, [metric.weighted(label[rows], predicted[rows]) for metric in task.metrics.values()]))
    drawn = dict(zip(filled, zip(parts, resamples.values_of(parts), strict=True), strict=True))
    evaluations = []
    for number, segment in enumerate(segments):
        entity_count = resamples.entity_count_in(segment.mask)
        for position, metric in enumerate(task.metrics.values()):
            value, interval = float("nan"), None
            if number in drawn:
                (rows, scores), values = drawn[number]
                value = plain(scores[position], len(rows))
                reflected_at = value if metric.grows_by_chance else None
                interval = interval_of(values[position], entity_count, reflected_at=reflected_at)
            is_known = not np.isnan(value)
            low, high = interval if interval and is_known else (None, None)
            evaluations.append(
                Evaluation(
                    candidate,
                    segment.group_column,
                    segment.group_value,
                    metric=metric.name,
                    value=value if is_known else None,
                    low=low,
                    high=high,
                    example_count=int(segment.mask.sum()),
                    entity_count=entity_count,
                )
            )
    return evaluations


def overall(evaluations: list[Evaluation], candidate: str, metric: str) -> float:
    """Return the value of a metric of a candidate over all examples; nan where it is undefined."""
    for evaluation in evaluations:
        if (evaluation.candidate, evaluation.group_column, evaluation.metric) == (candidate, "", metric):
            return float("nan") if evaluation.value is None else evaluation.value
    msg = f"no evaluation of {candidate} by {metric}"
    raise KeyError(msg)
