"""Predictions that are right in their order but not in their size are calibrated by a line: slope and intercept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ml.tasks.metrics import Vector

# Probabilities are kept this far from 0 and 1, where their log-odds would be infinite.
MARGIN = 1e-9


@dataclass(frozen=True)
class Calibration:
    """The line that predictions are calibrated by: of the log-odds of probabilities, else of the values themselves."""

    slope: float
    intercept: float


def fit_platt_scaling(label: Vector, probability: Vector) -> Calibration:
    """Return the line through log-odds that fits probabilities best to what came true.

    Parameters
    ----------
    label, probability : ndarray of shape (n_examples,)
        Labels of both classes.

    References
    ----------
    J. Platt, "Probabilistic outputs for support vector machines", 1999.
    """
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=np.inf).fit(_log_odds(probability)[:, None], label)
    return Calibration(float(fitted.coef_[0, 0]), float(fitted.intercept_[0]))


def platt_scaled(probability: Vector, calibration: Calibration) -> Vector:
    """Return probabilities of shape (n_examples,) calibrated by a line through their log-odds."""
    from scipy.special import expit

    log_odds = calibration.slope * _log_odds(probability) + calibration.intercept
    return np.asarray(expit(log_odds), dtype=np.float64)


def fit_least_squares(label: Vector, predicted: Vector) -> Calibration:
    """Return the line through values that fits them best to what came true, by least squares; shapes (n_examples,)."""
    from sklearn.linear_model import LinearRegression

    fitted = LinearRegression().fit(predicted[:, None], label)
    return Calibration(float(fitted.coef_[0]), float(fitted.intercept_))


def linearly_scaled(predicted: Vector, calibration: Calibration) -> Vector:
    """Return values of shape (n_examples,) calibrated by a line."""
    return calibration.slope * predicted + calibration.intercept


def _log_odds(probability: Vector) -> Vector:
    from scipy.special import logit

    return np.asarray(logit(np.clip(probability, MARGIN, 1.0 - MARGIN)), dtype=np.float64)
