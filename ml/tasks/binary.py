"""Will it happen? The label is 0 or 1, and what is predicted is the probability of 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.tasks.bands import TenthsOfProbability
from ml.tasks.calibration import Calibration, fit_platt_scaling, platt_scaled
from ml.tasks.estimator_settings import HIST_GRADIENT_BOOSTING, LIGHTGBM, SEED, SELECTION, XGBOOST
from ml.tasks.metrics import AVERAGE_PRECISION, BRIER_SCORE, CALIBRATION_ERROR, LOG_LOSS, ROC_AUC, by_name
from ml.tasks.plots import GAIN, PRECISION_RECALL, ROC, calibration
from ml.tasks.strength import RocAuc
from ml.tasks.task import Problem, Task, Words
from turnout.engines import identifier
from turnout.records.table import Column

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

    from ml.tasks.metrics import Predicted, Vector
    from turnout.engines import Session


class Binary(Task):
    """A yes or no, answered by a probability."""

    name = "binary"
    metrics = by_name(
        LOG_LOSS,
        BRIER_SCORE,
        ROC_AUC,
        AVERAGE_PRECISION,
        CALIBRATION_ERROR,
    )
    default_metric = "log_loss"
    group_metrics = ("roc_auc", "calibration_error")
    score_columns = (Column("score", "double", "Probability of the label 1, between 0 and 1."),)
    score_checks = ("score between 0 and 1",)
    bands = TenthsOfProbability()
    strength = RocAuc()
    plots = (
        calibration("predicted probability", "share that came true", is_share=True),
        GAIN,
        ROC,
        PRECISION_RECALL,
    )
    words = Words(
        before_label="the probability that",
        after_label="comes true within the next",
        mean_label="the label came true in {percent} of the examples",
        caveat="A probability is about many similar examples, not about one: of a hundred with 10%, about ten come "
        "true.",
        calibrated="Platt scaling (a line in log-odds)",
        effect="How far it moved the score, up or down: in log-odds, or in probability if the model is a forest.",
        effect_unit="log-odds",
    )
    predict_function = "predict_proba"

    def __init__(self) -> None:
        self.families = {
            "linear": _linear,
            "hist_gradient_boosting": _hist_gradient_boosting,
            "xgboost": _xgboost,
            "lightgbm": _lightgbm,
        }

    def prior(self) -> BaseEstimator:
        """Return an estimator that predicts the share of ones."""
        from sklearn.dummy import DummyClassifier

        return DummyClassifier(strategy="prior")

    def selector(self) -> BaseEstimator:
        """Return a small LightGBM."""
        from lightgbm import LGBMClassifier

        return LGBMClassifier(**SELECTION)

    def predict(self, fitted: BaseEstimator, features: pd.DataFrame) -> Vector:
        """Return the probability of the label 1, of shape (n_examples,)."""
        return np.asarray(fitted.predict_proba(features)[:, 1], dtype=np.float64)

    def label_problem(self, session: Session, table: str, label: str) -> Problem | None:
        """Refuse a label that is neither 0 nor 1, or of one class only."""
        column = identifier(label)
        rows = session.rows(
            f"select distinct {column} as value from {table} where {column} is not null order by value limit 3"
        )
        values = [row["value"] for row in rows]
        if any(value not in {0, 1} for value in values):
            return Problem(
                f"the label '{label}' has values such as {', '.join(map(repr, values))}",
                "the label of a binary prediction is 0 or 1, false or true, or null until it has matured",
                "change the label in the model, or declare 'task: regression'.",
            )
        return _one_class(label, values[0], "of all matured examples") if len(values) == 1 else None

    def learning_problem(self, label: str, values: Vector, which: str) -> Problem | None:
        """Refuse labels of one class."""
        classes = np.unique(values)
        return _one_class(label, int(classes[0]), which) if len(classes) == 1 else None

    def explained(self, estimator: BaseEstimator) -> BaseEstimator | None:
        """Return the estimator, unless its coefficients make no probability."""
        is_linear = hasattr(estimator, "coef_")
        return None if is_linear and not hasattr(estimator, "predict_proba") else estimator

    def fit_calibration(self, label: Vector, predicted: Predicted) -> Calibration:
        """Return Platt's scaling of the probabilities; labels are of both classes."""
        return fit_platt_scaling(label, predicted)

    def calibrated(self, predicted: Predicted, calibration: Calibration) -> Predicted:
        """Return probabilities after Platt's scaling."""
        return platt_scaled(predicted, calibration)


def _one_class(label: str, value: object, which: str) -> Problem:
    return Problem(
        f"the label '{label}' is {value!r} in each {which}",
        "a binary prediction needs examples of both outcomes",
        "check the SQL of the label; if it is right, widen the horizon or the population, or load more history.",
    )


def _linear(parameters: Mapping[str, Any]) -> BaseEstimator:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0 / parameters["penalty"], max_iter=1000, random_state=SEED)


def _hist_gradient_boosting(parameters: Mapping[str, Any]) -> BaseEstimator:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(**HIST_GRADIENT_BOOSTING, **parameters)


def _xgboost(parameters: Mapping[str, Any]) -> BaseEstimator:
    from xgboost import XGBClassifier

    return XGBClassifier(**XGBOOST, **parameters)


def _lightgbm(parameters: Mapping[str, Any]) -> BaseEstimator:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(**LIGHTGBM, **parameters)


BINARY = Binary()
