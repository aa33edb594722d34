"""The field's metrics, each with what it means: on the holdout over all examples and in each of its segments, in folds.

Every metric takes weights, many sets of them at once, as its interval comes from a thousand resamples of the holdout
(see `ml.judging.resampling`). scikit-learn's metrics take one set at a time, which would be minutes for each candidate;
these give the same values. Which of them a prediction is judged by is for its task to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

Vector = np.ndarray[tuple[int], np.dtype[Any]]
Matrix = np.ndarray[tuple[int, int], np.dtype[Any]]
# Of shape (n_examples,), or (n_examples, n_columns) where a task predicts more than one number.
Predicted = np.ndarray[Any, np.dtype[Any]]
# Takes weights of shape (n_resamples, n_examples) and returns a value for each resample; nan where it is undefined.
Weighted = Callable[[Matrix], Vector]
Number = TypeVar("Number", float, Vector)

# Two fits on the same rows may differ in the last bits, as sums are taken in parallel. A relative
# difference below this is rounding, not improvement.
ROUNDING = 1e-6
# Groups of equal size in which mean prediction and mean label are compared.
CALIBRATION_GROUPS = 10
# What is left of a variance, relative to the mean square, when it is nothing but rounding.
NO_VARIANCE = 1e-12


@dataclass(frozen=True)
class Metric:
    """A metric that is reported for the tasks that name it.

    Parameters
    ----------
    name : str
        How declarations and records call it.
    title : str
        How a sentence calls it.
    meaning : str
        What it says, for a reader who does not know it.
    prepare : callable
        `prepare(label, predicted)` returns a function from weights of shape (n_resamples, n_examples) to values of
        shape (n_resamples,). `label` is float64 of shape (n_examples,), `predicted` float64 of the shape that the task
        predicts; for a binary task it is the probability of the label 1. What does not depend on the weights, such as
        the order of the predictions, is done once.
    greater_is_better : bool or None
        Which direction wins; None for a metric that is reported but cannot decide.
    grows_by_chance : bool
        Whether chance can only add to it; see `ml.judging.resampling.interval_of`.
    """

    name: str
    title: str
    meaning: str
    prepare: Callable[[Vector, Any], Weighted]
    greater_is_better: bool | None
    grows_by_chance: bool = False

    def gain(self, value: Number, other: Number) -> Number:
        """Return by how much `value` is better than `other`, in the metric's unit; negative if it is worse."""
        return value - other if self.greater_is_better else other - value

    def is_better(self, value: float, other: float) -> bool:
        """Return whether `value` beats `other` by more than rounding; nan beats nothing, and is beaten by any."""
        return beats(value, other, greater_is_better=bool(self.greater_is_better))

    def weighted(self, label: Vector, predicted: Predicted) -> Weighted:
        """Return the function from weights to values; all of them are nan if any prediction is not finite."""
        truth, guess = np.asarray(label, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
        if not np.isfinite(guess).all():
            return lambda weights: np.full(len(weights), np.nan)
        return self.prepare(truth, guess)

    def score(self, label: Vector, predicted: Predicted, weights: Matrix) -> Vector:
        """Return the metric for each row of weights.

        Parameters
        ----------
        label : ndarray of shape (n_examples,)
            What came true, in at least one example.
        predicted : ndarray of shape (n_examples,) or (n_examples, n_columns)
            What was predicted.
        weights : ndarray of shape (n_resamples, n_examples)
            How often each example counts; nothing negative.

        Returns
        -------
        ndarray of shape (n_resamples,)
            nan where the metric is undefined, such as the ROC AUC of one class.
        """
        return self.weighted(label, predicted)(weights)

    def value(self, label: Vector, predicted: Predicted) -> float:
        """Return the metric with every example counting once; nan where it is undefined."""
        return plain(self.weighted(label, predicted), len(label))


def beats(value: float, other: float, *, greater_is_better: bool) -> bool:
    """Return whether `value` beats `other` by more than rounding; nan beats nothing, and is beaten by any."""
    if value != value:  # only nan differs from itself
        return False
    if other != other:  # only nan differs from itself
        return True
    gain = value - other if greater_is_better else other - value
    return gain > ROUNDING * max(abs(value), abs(other))


def plain(weighted: Weighted, example_count: int) -> float:
    """Return the value of a prepared metric with every example counting once."""
    return float(weighted(np.ones((1, example_count)))[0])


def by_name(*metrics: Metric) -> Mapping[str, Metric]:
    """Return metrics by their names, in the order in which they are reported."""
    return {metric.name: metric for metric in metrics}


def _ratio(numerator: Vector, denominator: Vector) -> Vector:
    """Divide; nan where the denominator is zero."""
    ratio: Vector = np.full(denominator.shape, np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator != 0)
    return ratio


def mean_of(values: Vector) -> Weighted:
    """Return the mean of a value of each example, of shape (n_examples,), as a function of weights."""
    return lambda weights: _ratio(weights @ values, weights.sum(axis=1))


def _log_loss(label: Vector, predicted: Vector) -> Weighted:
    """-log of the probability that was given to what came true, kept off zero and one as scikit-learn does it."""
    smallest = np.finfo(np.float64).eps
    probability = np.clip(predicted, smallest, 1 - smallest)
    return mean_of(-np.log(np.where(label == 1, probability, 1 - probability)))


def _brier_score(label: Vector, predicted: Vector) -> Weighted:
    """G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950."""
    return mean_of((predicted - label) ** 2)


def _mae(label: Vector, predicted: Vector) -> Weighted:
    return mean_of(np.abs(predicted - label))


def _rmse(label: Vector, predicted: Vector) -> Weighted:
    mean_square = mean_of((predicted - label) ** 2)
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


LOG_LOSS = Metric(
    "log_loss",
    "log loss",
    "how far the probabilities are from what came true; a confident mistake costs most. 0 is perfect.",
    _log_loss,
    greater_is_better=False,
)
BRIER_SCORE = Metric(
    "brier_score",
    "Brier score",
    "the mean square of the distance between the probability and what came true, 0 or 1. 0 is perfect.",
    _brier_score,
    greater_is_better=False,
)
ROC_AUC = Metric(
    "roc_auc",
    "ROC AUC",
    "of all pairs of a one and a zero, the share in which the one is ranked higher. 0.5 is chance, 1 is perfect.",
    _roc_auc,
    greater_is_better=True,
)
AVERAGE_PRECISION = Metric(
    "average_precision",
    "average precision",
    "the share of ones among those ranked first, averaged over every place to stop. At random it is the share of "
    "ones, 1 is perfect.",
    _average_precision,
    greater_is_better=True,
)
MAE = Metric(
    "mae",
    "mean absolute error",
    "how far prediction and outcome are apart on average, in units of the label.",
    _mae,
    greater_is_better=False,
)
RMSE = Metric(
    "rmse",
    "root mean square error",
    "how far prediction and outcome are apart, in units of the label, where large misses count more.",
    _rmse,
    greater_is_better=False,
)
CORRELATION = Metric(
    "correlation",
    "correlation",
    "how far prediction and outcome go up and down together: 0 is not at all, 1 is perfectly.",
    _correlation,
    greater_is_better=True,
)
TOTAL_BIAS = Metric(
    "total_bias",
    "total bias",
    "by which share the sum of all predictions misses the real total; +2% is two percent too much.",
    _total_bias,
    greater_is_better=None,
)
CALIBRATION_ERROR = Metric(
    "calibration_error",
    "calibration error",
    "how far mean prediction and mean outcome are apart, over ten groups by prediction. Chance alone puts it a "
    "little above 0.",
    _calibration_error,
    greater_is_better=None,
    grows_by_chance=True,
)
METRICS = by_name(
    LOG_LOSS, BRIER_SCORE, ROC_AUC, AVERAGE_PRECISION, MAE, RMSE, CORRELATION, TOTAL_BIAS, CALIBRATION_ERROR
)
