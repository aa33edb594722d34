"""How much will it be? The label is a number, and what is predicted is the value to be expected."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.tasks.bands import TenthsOfExamples
from ml.tasks.calibration import Calibration, fit_least_squares, linearly_scaled
from ml.tasks.estimator_settings import HIST_GRADIENT_BOOSTING, LIGHTGBM, SELECTION, XGBOOST
from ml.tasks.metrics import CALIBRATION_ERROR, CORRELATION, MAE, RMSE, TOTAL_BIAS, by_name
from ml.tasks.plots import GAIN, RESIDUALS, calibration
from ml.tasks.strength import Spearman
from ml.tasks.task import Problem, Task, Words
from turnout.engines import identifier
from turnout.records.table import Column

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

    from ml.tasks.metrics import Predicted, Vector
    from turnout.engines import Session

# The objective of families that learn for the mean absolute error; each library has a name of its own for it.
ABSOLUTE_ERROR = "absolute_error"


class Regression(Task):
    """A number, answered by the one to be expected."""

    name = "regression"
    # Between what labels lie, where it is declared.
    least: float | None = None
    most: float | None = None
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
            "The expected value, in units of the label; without a declared `label_range`, an estimate may fall a "
            "little beside what labels can be.",
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

    def within(self, least: float | None, most: float | None) -> Regression:
        """Return a regression whose predictions are cut off at the ends of the range.

        A label lies inside, so what is cut off comes nearer to it: neither error grows.
        """
        return _within(self, least, most)

    def parameters_for(self, metric: str) -> Mapping[str, Any]:
        """Return the objective that the metric asks for: the absolute error is least at the median, not at the mean."""
        return {"objective": ABSOLUTE_ERROR} if metric == MAE.name else {}

    def predict(self, fitted: BaseEstimator, features: pd.DataFrame) -> Predicted:
        """Return what a fitted model predicts, inside the range; see `Task.predict`."""
        predicted = super().predict(fitted, features)
        return predicted if self.least is None and self.most is None else np.clip(predicted, self.least, self.most)

    def label_problem(self, session: Session, table: str, label: str) -> Problem | None:
        """Refuse a label outside the declared range."""
        column = identifier(label)
        beside = [f"{column} < {self.least!r}"] if self.least is not None else []
        beside += [f"{column} > {self.most!r}"] if self.most is not None else []
        if not beside:
            return None
        (row,) = session.rows(
            f"""select count(*) as labels, min({column}) as least, max({column}) as most
                from {table} where {" or ".join(beside)}"""
        )
        if not row["labels"]:
            return None
        return Problem(
            f"the label '{label}' lies outside 'label_range' in {row['labels']:,} examples, from {row['least']} to "
            f"{row['most']}",
            "a declared range holds for every label, as no score will lie outside",
            "correct 'label_range', or the SQL of the label.",
        )

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


@cache
def _within(task: Regression, least: float | None, most: float | None) -> Regression:
    """Return one and the same task for each range, so that two readings of a declaration are equal."""
    held = copy(task)
    held.least, held.most = least, most
    return held


def _linear(parameters: Mapping[str, Any]) -> BaseEstimator:
    from sklearn.linear_model import HuberRegressor, Ridge

    # Without a loss that is absolute all the way, which takes minutes, the one that is so beyond small errors.
    if _is_absolute(parameters):
        return HuberRegressor(epsilon=1.0, alpha=parameters["penalty"], max_iter=1000)
    return Ridge(alpha=parameters["penalty"])


def _hist_gradient_boosting(parameters: Mapping[str, Any]) -> BaseEstimator:
    from sklearn.ensemble import HistGradientBoostingRegressor

    loss = {"loss": "absolute_error"} if _is_absolute(parameters) else {}
    return HistGradientBoostingRegressor(**HIST_GRADIENT_BOOSTING, **loss, **_without_objective(parameters))


def _xgboost(parameters: Mapping[str, Any]) -> BaseEstimator:
    from xgboost import XGBRegressor

    objective = {"objective": "reg:absoluteerror"} if _is_absolute(parameters) else {}
    return XGBRegressor(**XGBOOST, **objective, **_without_objective(parameters))


def _lightgbm(parameters: Mapping[str, Any]) -> BaseEstimator:
    from lightgbm import LGBMRegressor

    objective: dict[str, Any] = {"objective": "regression_l1"} if _is_absolute(parameters) else {}
    return LGBMRegressor(**LIGHTGBM, **objective, **_without_objective(parameters))


def _is_absolute(parameters: Mapping[str, Any]) -> bool:
    return parameters.get("objective") == ABSOLUTE_ERROR


def _without_objective(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters, without an objective of ours; one of the library's own, as declared, stays."""
    return {key: value for key, value in parameters.items() if not (key == "objective" and value == ABSOLUTE_ERROR)}


REGRESSION = Regression()
