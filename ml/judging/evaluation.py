"""The field's metrics: on the holdout over all examples and in each of its segments, and in folds before it.

Every metric takes weights, many sets of them at once, as its interval comes from a thousand resamples of the holdout
(see `ml.judging.resampling`). scikit-learn's metrics take one set at a time, which would be minutes for each candidate;
these give the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from ml.judging.resampling import interval_of
from turnout.records.trainings import Evaluation

if TYPE_CHECKING:
    import pandas as pd

    from ml.judging.resampling import Resamples

Task = Literal["binary", "regression"]
Vector = np.ndarray[tuple[int], np.dtype[Any]]
Matrix = np.ndarray[tuple[int, int], np.dtype[Any]]
# Takes weights of shape (n_resamples, n_examples) and returns a value for each resample; nan where it is undefined.
Weighted = Callable[[Matrix], Vector]
Number = TypeVar("Number", float, Vector)

# What stands as group column of a declared slice.
SLICE = "slice"
# Ends the name of a candidate that has not learned from the group it is evaluated in.
UNSEEN = ", unseen group"
# Under which name the champion in place is evaluated.
CHAMPION = "champion"
# Groups of equal size in which mean prediction and mean label are compared.
CALIBRATION_GROUPS = 10
# What is left of a variance, relative to the mean square, when it is nothing but rounding.
NO_VARIANCE = 1e-12


@dataclass(frozen=True)
class Metric:
    """A metric that is reported for some tasks.

    Parameters
    ----------
    tasks : tuple of {"binary", "regression"}
        The tasks that it is reported for.
    prepare : callable
        `prepare(label, predicted)`, both float64 of shape (n_examples,), returns a function from weights of shape
        (n_resamples, n_examples) to values of shape (n_resamples,). What does not depend on the weights, such as the
        order of the predictions, is done once. For a binary task `predicted` is the probability of the label 1.
    greater_is_better : bool or None
        Which direction wins; None for a metric that is reported but cannot decide.
    grows_by_chance : bool
        Whether chance can only add to it; see `ml.judging.resampling.interval_of`.
    """

    tasks: tuple[Task, ...]
    prepare: Callable[[Vector, Vector], Weighted]
    greater_is_better: bool | None
    grows_by_chance: bool = False

    def gain(self, value: Number, other: Number) -> Number:
        """Return by how much `value` is better than `other`, in the metric's unit; negative if it is worse."""
        return value - other if self.greater_is_better else other - value

    def weighted(self, label: Vector, predicted: Vector) -> Weighted:
        """Return the function from weights to values; all of them are nan if any prediction is not finite."""
        truth, guess = np.asarray(label, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
        if not np.isfinite(guess).all():
            return lambda weights: np.full(len(weights), np.nan)
        return self.prepare(truth, guess)

    def score(self, label: Vector, predicted: Vector, weights: Matrix) -> Vector:
        """Return the metric for each row of weights.

        Parameters
        ----------
        label, predicted : ndarray of shape (n_examples,)
            At least one example.
        weights : ndarray of shape (n_resamples, n_examples)
            How often each example counts; nothing negative.

        Returns
        -------
        ndarray of shape (n_resamples,)
            nan where the metric is undefined, such as the ROC AUC of one class.
        """
        return self.weighted(label, predicted)(weights)

    def value(self, label: Vector, predicted: Vector) -> float:
        """Return the metric with every example counting once; nan where it is undefined."""
        return plain(self.weighted(label, predicted), len(label))


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


def plain(weighted: Weighted, example_count: int) -> float:
    """Return the value of a prepared metric with every example counting once."""
    return float(weighted(np.ones((1, example_count)))[0])


def _ratio(numerator: Vector, denominator: Vector) -> Vector:
    """Divide; nan where the denominator is zero."""
    ratio: Vector = np.full(denominator.shape, np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator != 0)
    return ratio


def _mean(values: Vector) -> Weighted:
    return lambda weights: _ratio(weights @ values, weights.sum(axis=1))


def _log_loss(label: Vector, predicted: Vector) -> Weighted:
    """-log of the probability that was given to what came true, kept off zero and one as scikit-learn does it."""
    smallest = np.finfo(np.float64).eps
    probability = np.clip(predicted, smallest, 1 - smallest)
    return _mean(-np.log(np.where(label == 1, probability, 1 - probability)))


def _brier_score(label: Vector, predicted: Vector) -> Weighted:
    """G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950."""
    return _mean((predicted - label) ** 2)


def _mae(label: Vector, predicted: Vector) -> Weighted:
    return _mean(np.abs(predicted - label))


def _rmse(label: Vector, predicted: Vector) -> Weighted:
    mean_square = _mean((predicted - label) ** 2)
    return lambda weights: np.sqrt(mean_square(weights))


def _by_prediction(label: Vector, predicted: Vector) -> tuple[Vector, Vector, Vector, Vector]:
    """Return positions of ones and zeros, ascending by prediction, and how many zeros are below and not above each one.

    All are int; the first, third and fourth of shape (n_ones,), the second of shape (n_zeros,).
    """
    order = np.argsort(predicted, kind="stable")
    ones, zeros = order[label[order] == 1], order[label[order] != 1]
    below = np.searchsorted(predicted[zeros], predicted[ones], side="left")
    not_above = np.searchsorted(predicted[zeros], predicted[ones], side="right")
    return ones, zeros, below, not_above


def _sums(weights: Matrix) -> Matrix:
    """Return the sums of the first 0, 1, ... columns, of shape (n_resamples, n_columns + 1)."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _roc_auc(label: Vector, predicted: Vector) -> Weighted:
    """Compute how probably a one is predicted above a zero; a tie counts half.

    J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a ROC curve", 1982.
    """
    ones, zeros, below, not_above = _by_prediction(label, predicted)
    is_tied = bool((below != not_above).any())

    def weighted(weights: Matrix) -> Vector:
        sums, of_ones = _sums(weights.take(zeros, axis=1)), weights.take(ones, axis=1)
        outranked = sums.take(below, axis=1)
        if is_tied:
            outranked = (outranked + sums.take(not_above, axis=1)) / 2
        return _ratio(np.einsum("ij,ij->i", of_ones, outranked), of_ones.sum(axis=1) * sums[:, -1])

    return weighted


def _average_precision(label: Vector, predicted: Vector) -> Weighted:
    """Compute the mean, over the ones, of the share of ones among all that are predicted as high or higher."""
    ones, zeros, below, _ = _by_prediction(label, predicted)
    # Ones that are predicted equally have the same precision, so a one looks down to the first of its equals.
    first_equal = np.searchsorted(predicted[ones], predicted[ones], side="left")

    def weighted(weights: Matrix) -> Vector:
        of_ones = weights.take(ones, axis=1)
        sums, sums_of_ones = _sums(weights.take(zeros, axis=1)), _sums(of_ones)
        false = sums[:, -1:] - sums.take(below, axis=1)
        true = sums_of_ones[:, -1:] - sums_of_ones.take(first_equal, axis=1)
        # Where none of these is drawn, there is no precision; the one that would count it is not drawn either.
        precision = np.divide(true, true + false, out=np.zeros_like(true), where=true > 0)
        total = np.where(sums[:, -1] > 0, sums_of_ones[:, -1], 0.0)
        return _ratio(np.einsum("ij,ij->i", of_ones, precision), total)

    return weighted


def _correlation(label: Vector, predicted: Vector) -> Weighted:
    """Compute Pearson's correlation of label and prediction; nan if either is constant.

    K. Pearson, "Notes on regression and inheritance in the case of two parents", 1895.
    """
    # Around the median, so that sums of squares stay small beside what varies, outliers drawn or not.
    x, y = label - np.median(label), predicted - np.median(predicted)
    moments = np.column_stack([x, y, x * x, y * y, x * y])

    def weighted(weights: Matrix) -> Vector:
        total = weights.sum(axis=1)
        mean_x, mean_y, square_x, square_y, product = (_ratio(sums, total) for sums in (weights @ moments).T)
        variance_x, variance_y = square_x - mean_x**2, square_y - mean_y**2
        varies = (variance_x > NO_VARIANCE * square_x) & (variance_y > NO_VARIANCE * square_y)
        scale = np.sqrt(np.where(varies, variance_x, 0.0)) * np.sqrt(np.where(varies, variance_y, 0.0))
        return np.clip(_ratio(product - mean_x * mean_y, scale), -1.0, 1.0)

    return weighted


def _total_bias(label: Vector, predicted: Vector) -> Weighted:
    """(sum of predicted - sum of label) / sum of label; nan where the labels sum to zero."""
    return lambda weights: _ratio(weights @ (predicted - label), weights @ label)


def _calibration_error(label: Vector, predicted: Vector) -> Weighted:
    """Compute the expected calibration error over tenths of the examples by prediction.

    The sum over groups of the group's share of weight times |mean predicted - mean label|. Groups are formed once, with
    every example counting once: the n examples in the order of prediction are cut into ten runs of equal size, and what
    is predicted equally goes where the first of its equals goes. For a regression it is in units of the label.

    Chance alone puts every group a little off, so it is above zero for the best of models, the more the fewer examples
    there are: about 0.03 for 2,000 and 0.01 for 10,000 of a binary task.

    M. P. Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning",
    2015.
    """
    order = np.argsort(predicted, kind="stable")
    ascending = predicted[order]
    group = np.searchsorted(ascending, ascending, side="left") * CALIBRATION_GROUPS // len(ascending)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    error = ascending - label[order]

    def weighted(weights: Matrix) -> Vector:
        # A group's share of weight cancels: what is left of it is the total weight.
        off = np.add.reduceat(weights.take(order, axis=1) * error, starts, axis=1)
        return _ratio(np.abs(off).sum(axis=1), weights.sum(axis=1))

    return weighted


METRICS: Mapping[str, Metric] = {
    "log_loss": Metric(("binary",), _log_loss, greater_is_better=False),
    "brier_score": Metric(("binary",), _brier_score, greater_is_better=False),
    "roc_auc": Metric(("binary",), _roc_auc, greater_is_better=True),
    "average_precision": Metric(("binary",), _average_precision, greater_is_better=True),
    "mae": Metric(("regression",), _mae, greater_is_better=False),
    "rmse": Metric(("regression",), _rmse, greater_is_better=False),
    "correlation": Metric(("regression",), _correlation, greater_is_better=True),
    "total_bias": Metric(("regression",), _total_bias, greater_is_better=None),
    "calibration_error": Metric(
        ("binary", "regression"), _calibration_error, greater_is_better=None, grows_by_chance=True
    ),
}


def correlation(label: Vector, predicted: Vector) -> float:
    """Return Pearson's correlation of label and prediction; nan if either is constant."""
    return METRICS["correlation"].value(label, predicted)


def total_bias(label: Vector, predicted: Vector) -> float:
    """Return by which share the predicted total misses the real one; 0.02 is two percent too much."""
    return METRICS["total_bias"].value(label, predicted)


def metrics_of(task: Task) -> tuple[str, ...]:
    """Return the names of the metrics that can decide between candidates of a task."""
    return tuple(
        name for name, metric in METRICS.items() if task in metric.tasks and metric.greater_is_better is not None
    )


def evaluate(
    candidate: str,
    task: Task,
    label: Vector,
    predicted: Vector,
    segments: Sequence[Segment],
    resamples: Resamples,
) -> list[Evaluation]:
    """Return every metric of the task in each segment, with its interval.

    Parameters
    ----------
    candidate : str
        The name under which the evaluations stand.
    task : {"binary", "regression"}
        Decides which metrics are computed.
    label : ndarray of shape (n_examples,)
        What came true.
    predicted : ndarray of shape (n_examples,)
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
    names = [name for name, metric in METRICS.items() if task in metric.tasks]
    filled = [number for number, segment in enumerate(segments) if segment.mask.any()]
    parts = []
    for number in filled:
        rows = np.flatnonzero(segments[number].mask)
        parts.append((rows, [METRICS[name].weighted(label[rows], predicted[rows]) for name in names]))
    drawn = dict(zip(filled, zip(parts, resamples.values_of(parts), strict=True), strict=True))
    evaluations = []
    for number, segment in enumerate(segments):
        entity_count = resamples.entity_count_in(segment.mask)
        for position, name in enumerate(names):
            value, interval = float("nan"), None
            if number in drawn:
                (rows, scores), values = drawn[number]
                value = plain(scores[position], len(rows))
                reflected_at = value if METRICS[name].grows_by_chance else None
                interval = interval_of(values[position], entity_count, reflected_at=reflected_at)
            is_known = not np.isnan(value)
            low, high = interval if interval and is_known else (None, None)
            evaluations.append(
                Evaluation(
                    candidate,
                    segment.group_column,
                    segment.group_value,
                    metric=name,
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
