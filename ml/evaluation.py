"""The field's metrics: on the holdout over all examples and for each sensitive group, and in folds before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Task = Literal["binary", "regression"]
Vector = np.ndarray[tuple[int], np.dtype[Any]]
Score = Callable[[Vector, Vector], float]


@dataclass(frozen=True)
class Metric:
    """A metric that is reported for a task.

    Parameters
    ----------
    task : {"binary", "regression"}
        The task that it is reported for.
    score : callable
        `score(label, predicted)`; both of shape (n_examples,). For a binary task `predicted` is the
        probability of the label 1.
    greater_is_better : bool or None
        Which direction wins; None for a metric that is reported but cannot decide.
    """

    task: Task
    score: Score
    greater_is_better: bool | None


@dataclass(frozen=True)
class Evaluation:
    """One metric of one candidate over one group of the holdout.

    `group_column` and `group_value` are empty for the evaluation over all examples. `value` is None where
    the metric is undefined, such as the ROC AUC of a group with one class.
    """

    candidate: str
    group_column: str
    group_value: str
    metric: str
    value: float | None
    example_count: int


@dataclass(frozen=True)
class Validation:
    """The metric that decides, of one candidate in one fold of the training dates."""

    candidate: str
    fold: int
    first_as_of_date: date
    last_as_of_date: date
    metric: str
    value: float
    example_count: int


def correlation(label: Vector, predicted: Vector) -> float:
    """Return Pearson's correlation of label and prediction; nan if either is constant.

    References
    ----------
    K. Pearson, "Notes on regression and inheritance in the case of two parents", 1895.
    """
    if np.ptp(label) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(np.corrcoef(label, predicted)[0, 1])


def total_bias(label: Vector, predicted: Vector) -> float:
    """Return by which share the predicted total misses the real one; 0.02 is two percent too much.

    (sum of predicted - sum of label) / sum of label; nan where the labels sum to zero.
    """
    total = float(np.sum(label))
    return float("nan") if total == 0 else (float(np.sum(predicted)) - total) / total


def _from_scikit_learn(name: str, *, needs_both_classes: bool = False, **arguments: object) -> Score:
    def score(label: Vector, predicted: Vector) -> float:
        from sklearn import metrics

        if needs_both_classes and np.unique(label).size < 2:
            return float("nan")
        return float(getattr(metrics, name)(label, predicted, **arguments))

    return score


METRICS: Mapping[str, Metric] = {
    "log_loss": Metric("binary", _from_scikit_learn("log_loss", labels=[0, 1]), greater_is_better=False),
    "brier_score": Metric("binary", _from_scikit_learn("brier_score_loss", labels=[0, 1]), greater_is_better=False),
    "roc_auc": Metric("binary", _from_scikit_learn("roc_auc_score", needs_both_classes=True), greater_is_better=True),
    "average_precision": Metric(
        "binary",
        _from_scikit_learn("average_precision_score", needs_both_classes=True),
        greater_is_better=True,
    ),
    "mae": Metric("regression", _from_scikit_learn("mean_absolute_error"), greater_is_better=False),
    "rmse": Metric("regression", _from_scikit_learn("root_mean_squared_error"), greater_is_better=False),
    "correlation": Metric("regression", correlation, greater_is_better=True),
    "total_bias": Metric("regression", total_bias, greater_is_better=None),
}


def metrics_of(task: Task) -> tuple[str, ...]:
    """Return the names of the metrics that can decide between candidates of a task."""
    return tuple(
        name for name, metric in METRICS.items() if metric.task == task and metric.greater_is_better is not None
    )


def evaluate(
    candidate: str, task: Task, label: pd.Series[float], predicted: Vector, groups: pd.DataFrame
) -> list[Evaluation]:
    """Return every metric of the task, over all examples and for each group.

    Parameters
    ----------
    candidate : str
        The name under which the evaluations stand.
    task : {"binary", "regression"}
        Decides which metrics are computed.
    label : Series of shape (n_examples,)
        What came true.
    predicted : ndarray of shape (n_examples,)
        What was predicted.
    groups : DataFrame of shape (n_examples, n_group_columns)
        The sensitive columns; a missing value is a group of its own, named "missing".

    Returns
    -------
    list of Evaluation
        First those over all examples, then by group column and value.
    """
    truth = label.to_numpy(dtype=np.float64)
    members = [("", "", np.ones(len(truth), dtype=bool))]
    for column in groups.columns:
        values = groups[column].astype("object").where(groups[column].notna(), "missing").astype(str)
        members += [(column, value, (values == value).to_numpy()) for value in sorted(values.unique())]
    evaluations = []
    for group_column, group_value, mask in members:
        for name, metric in METRICS.items():
            if metric.task == task:
                value = metric.score(truth[mask], predicted[mask])
                known = None if np.isnan(value) else value
                evaluations.append(Evaluation(candidate, group_column, group_value, name, known, int(mask.sum())))
    return evaluations


def overall(evaluations: list[Evaluation], candidate: str, metric: str) -> float:
    """Return the value of a metric of a candidate over all examples; nan where it is undefined."""
    for evaluation in evaluations:
        if (evaluation.candidate, evaluation.group_column, evaluation.metric) == (candidate, "", metric):
            return float("nan") if evaluation.value is None else evaluation.value
    msg = f"no evaluation of {candidate} by {metric}"
    raise KeyError(msg)
