"""The baseline that tasks share, the mean of an entity's own past. Whatever needs it imports it late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# How many examples' worth of the prior an entity's own past is mixed with.
PRIOR_WEIGHT = 5.0


class AsPredicted(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator that passes on what the step before it made: the baseline's prediction."""

    def fit(self, features: Any, label: Any) -> Self:  # noqa: ANN401 - arrays of any library, as scikit-learn takes
        """Learn nothing."""
        self.is_fitted_ = True
        return self

    def predict(self, features: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401
        """Return the only column."""
        return np.asarray(features, dtype=np.float64)[:, 0]

    def predict_proba(self, features: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401
        """Return the only column as the probability of 1, beside that of 0."""
        ones = self.predict(features)
        return np.column_stack([1.0 - ones, ones])


def entity_mean(entity: str) -> Pipeline:
    """Return an unfitted Pipeline that predicts the mean of the entity's own past; for a new entity that of all.

    The mean is mixed with that of all as if all had been seen `PRIOR_WEIGHT` times: the m-estimate of
    D. Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes", 2001.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import TargetEncoder

    # That it cross-fits while it is fitted does not matter: nothing is learned from these values.
    past = TargetEncoder(target_type="continuous", smooth=PRIOR_WEIGHT)
    return Pipeline(
        [("preprocess", ColumnTransformer([("entity_mean", past, [entity])])), ("estimator", AsPredicted())]
    )
