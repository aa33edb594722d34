"""Parts of models that scikit-learn does not have. Whatever needs them imports them late, as they bring it along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import validate_data

from ml.tasks.calibration import Calibration, linearly_scaled, platt_scaled

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline


class EmptyColumnImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Puts 0 in the place of what was missing in every training row: scikit-learn's histograms need one known value."""

    def fit(self, features: Any, label: Any = None) -> Self:  # noqa: ANN401 - as scikit-learn takes them
        """Learn which columns have a known value."""
        values = validate_data(self, features, dtype=np.float64, ensure_all_finite=False)
        self.is_known_ = ~np.isnan(values).all(axis=0)
        return self

    def transform(self, features: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401
        """Return the columns, of shape (n_examples, n_features)."""
        values = validate_data(self, features, dtype=np.float64, ensure_all_finite=False, reset=False)
        return np.where(self.is_known_, values, 0.0)


class Recalibrated(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A fitted Pipeline whose probabilities are calibrated by Platt scaling, and whose values by a line.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    slope, intercept : float
        Of the `Calibration`.
    """

    def __init__(self, pipeline: Pipeline, slope: float, intercept: float) -> None:
        self.pipeline, self.slope, self.intercept = pipeline, slope, intercept

    def fit(self, features: pd.DataFrame, label: pd.Series[float]) -> Self:
        """Fit the Pipeline anew; slope and intercept stay."""
        self.pipeline.fit(features, label)
        return self

    def predict(self, features: pd.DataFrame) -> np.ndarray[Any, Any]:
        """Return calibrated values, of shape (n_examples,)."""
        values = np.asarray(self.pipeline.predict(features), dtype=np.float64)
        return linearly_scaled(values, Calibration(self.slope, self.intercept))

    def predict_proba(self, features: pd.DataFrame) -> np.ndarray[Any, Any]:
        """Return calibrated probabilities of 0 and 1, of shape (n_examples, 2)."""
        probability = np.asarray(self.pipeline.predict_proba(features)[:, 1], dtype=np.float64)
        ones = platt_scaled(probability, Calibration(self.slope, self.intercept))
        return np.column_stack([1.0 - ones, ones])

    def __sklearn_is_fitted__(self) -> bool:
        return _is_fitted(self.pipeline)


class Average(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Predicts the mean of what several Pipelines predict.

    scikit-learn's voting estimators fit copies of their members; this one keeps them, so that members that were fitted
    to be judged by themselves need not be fitted again. It also takes the mean of predictions of several columns.

    Parameters
    ----------
    members : list of (str, Pipeline)
        By name, fitted or not.
    """

    def __init__(self, members: list[tuple[str, Pipeline]]) -> None:
        self.members = members

    def fit(self, features: pd.DataFrame, label: pd.Series[float]) -> Self:
        """Fit every member."""
        for _, member in self.members:
            member.fit(features, label)
        return self

    def predict(self, features: pd.DataFrame) -> np.ndarray[Any, Any]:
        """Return the mean of the members' values, of shape (n_examples,) or (n_examples, n_columns)."""
        return mean_of([np.asarray(member.predict(features), dtype=np.float64) for _, member in self.members])

    def predict_proba(self, features: pd.DataFrame) -> np.ndarray[Any, Any]:
        """Return the mean of the members' probabilities, of shape (n_examples, n_classes)."""
        return mean_of([np.asarray(member.predict_proba(features), dtype=np.float64) for _, member in self.members])

    def __sklearn_is_fitted__(self) -> bool:
        return all(_is_fitted(member) for _, member in self.members)


def mean_of(predicted: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Return the mean of several predictions of the same examples, each of the same shape."""
    mean: np.ndarray[Any, Any] = np.mean(np.stack(predicted), axis=0)
    return mean


def _is_fitted(estimator: BaseEstimator) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True
