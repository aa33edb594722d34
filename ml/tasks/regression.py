"""How much will it be? The label is a number, and what is predicted is the value to be expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ml.tasks.bands import TenthsOfExamples
from ml.tasks.calibration import Calibration, fit_least_squares, linearly_scaled
from ml.tasks.estimator_settings import HIST_GRADIENT_BOOSTING, LIGHTGBM, SELECTION, XGBOOST
from ml.tasks.metrics import CALIBRATION_ERROR, CORRELATION, MAE, RMSE, TOTAL_BIAS, by_name
from ml.tasks.plots import GAIN, RESIDUALS, calibration
from ml.tasks.strength import Spearman
from ml.tasks.task import Task, Words
from turnout.records.table import Column

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from ml.tasks.metrics import Predicted, Vector


class Regression(Task):
    """A number, answered by the one to be expected."""

    name = "regression"
    metrics = by_name(
        MAE,
        RMSE,
        CORRELATION,
        TOTAL_BIAS,
        CALIBRATION_ERROR,
    )
    default_metric = "rmse"
    group_metrics = ("total_bias", "mae")
    score_columns = (
        Column(
            "score",
            "double",
            "The expected value, in units of the label; an estimate may fall a little beside what labels can be.",
        ),
    )
    bands = TenthsOfExamples()
    strength = Spearman()
    plots = (
        calibration("predicted value", "mean outcome", is_share=False),
        GAIN,
        RESIDUALS,
    )
    words = Words(
        before_label="the expected value of",
        after_label="for the next",
        mean_label="the value is {number} on average",
        caveat="A prediction is the mean of many similar examples; one of them may be far from it.",
        calibrated="a line fitted by least squares",
        effect="How far it moved the score, up or down: in units of the label.",
        effect_unit="units of the label",
    )

    def __init__(self) -> None:
        self.families = {
            "linear": _linear,
            "hist_gradient_boosting": _hist_gradient_boosting,
            "xgboost": _xgboost,
            "lightgbm": _lightgbm,
        }

    def prior(self) -> BaseEstimator:
        """Return an estimator that predicts the mean."""
        from sklearn.dummy import DummyRegressor

        return DummyRegressor(strategy="mean")

    def selector(self) -> BaseEstimator:
        """Return a small LightGBM."""
        from lightgbm import LGBMRegressor

        return LGBMRegressor(**SELECTION)

    def range_problem(self, label: Vector, predicted: Predicted) -> str:
        """Say how many predictions are below every label, or above."""
        found = []
        for end, side, is_beside in (
            (label.min(), "below", predicted < label.min()),
            (label.max(), "above", predicted > label.max()),
        ):
            if is_beside.any():
                which = "least" if side == "below" else "greatest"
                found.append(f"{is_beside.sum():,} of {len(predicted):,} lie {side} {end:,.6g}, the {which} label")
        return f"of the predictions, {' and '.join(found)}" if found else ""

    def fit_calibration(self, label: Vector, predicted: Predicted) -> Calibration:
        """Return the line of least squares."""
        return fit_least_squares(label, predicted)

    def calibrated(self, predicted: Predicted, calibration: Calibration) -> Predicted:
        """Return values on that line."""
        return linearly_scaled(predicted, calibration)


def _linear(parameters: Mapping[str, Any]) -> BaseEstimator:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=parameters["penalty"])


def _hist_gradient_boosting(parameters: Mapping[str, Any]) -> BaseEstimator:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(**HIST_GRADIENT_BOOSTING, **parameters)


def _xgboost(parameters: Mapping[str, Any]) -> BaseEstimator:
    from xgboost import XGBRegressor

    return XGBRegressor(**XGBOOST, **parameters)


def _lightgbm(parameters: Mapping[str, Any]) -> BaseEstimator:
    from lightgbm import LGBMRegressor

    return LGBMRegressor(**LIGHTGBM, **parameters)


REGRESSION = Regression()
