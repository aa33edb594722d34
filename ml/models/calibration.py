"""A model whose predictions are right in their order but not in their size is calibrated by a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ml.judging.evaluation import Task, Vector

# Probabilities are kept this far from 0 and 1, where their log-odds would be infinite.
MARGIN = 1e-9


@dataclass(frozen=True)
class Line:
    """What predictions are calibrated by: their log-odds for a binary task, else the values themselves."""

    slope: float
    intercept: float


def fit_calibration(task: Task, label: Vector, predicted: Vector) -> Line:
    """Return the line that fits predictions best to what came true.

    For a binary task it is Platt's, on log-odds (J. Platt, "Probabilistic outputs for support vector machines", 1999);
    else least squares.

    Parameters
    ----------
    label, predicted : ndarray of shape (n_examples,)
        Of examples that the model has not learned from; labels of both classes for a binary task.
    """
    from sklearn.linear_model import LinearRegression, LogisticRegression

    if task == "binary":
        fitted = LogisticRegression(C=np.inf).fit(_log_odds(predicted)[:, None], label)
        return Line(float(fitted.coef_[0, 0]), float(fitted.intercept_[0]))
    fitted = LinearRegression().fit(predicted[:, None], label)
    return Line(float(fitted.coef_[0]), float(fitted.intercept_))


def calibrated(task: Task, predicted: Vector, line: Line) -> Vector:
    """Return predictions of shape (n_examples,) calibrated by a line."""
    from scipy.special import expit

    if task == "binary":
        return np.asarray(expit(line.slope * _log_odds(predicted) + line.intercept), dtype=np.float64)
    return line.slope * predicted + line.intercept


def _log_odds(probability: Vector) -> Vector:
    from scipy.special import logit

    return np.asarray(logit(np.clip(probability, MARGIN, 1.0 - MARGIN)), dtype=np.float64)
