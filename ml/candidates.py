"""Families of estimators that compete: each one unfitted scikit-learn `Pipeline`.

A candidate holds its preprocessing, so that whatever is learned from data (medians, categories, means) is
learned from the rows it is fitted on and from nothing else, and scoring only predicts. That is asked of whatever
comes as a candidate: it arrives unfitted, and the prediction of a row does not depend on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ml.errors import ModelError
from ml.evaluation import Task, Vector

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

BASELINE = "baseline"
SEED = 0
# Rows that are predicted once more without the rows beside them.
ROWS_ALONE = 500


@dataclass(frozen=True)
class Feature:
    """A column that a model sees. Numbers and truth values are numeric; text is categorical."""

    name: str
    kind: Literal["numeric", "categorical"]


def candidates(task: Task, features: Sequence[Feature]) -> dict[str, Pipeline]:
    """Return the unfitted candidates of a task, the baseline first.

    Each defines `fit(X, y)` and `predict(X)`, for a binary task `predict_proba(X)`, where X is a DataFrame
    with at least the features as columns: float64 for numeric ones with nan for missing, str for
    categorical ones with None for missing (`ml.examples.feature_frame` makes it).
    """
    return {
        BASELINE: _baseline(task),
        "linear": _linear(task, features),
        "gradient_boosting": _gradient_boosting(task, features),
    }


def require_unfitted(candidate: str, pipeline: Pipeline) -> None:
    """Refuse a candidate of which a part was fitted before: nobody could say on which rows.

    Raises
    ------
    ModelError
        With the part's name and type.
    """
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
    from sklearn.utils import get_tags
    from sklearn.utils.validation import check_is_fitted

    parts = {"the whole": pipeline, **pipeline.get_params(deep=True)}
    for name, part in parts.items():
        if not isinstance(part, BaseEstimator) or not get_tags(part).requires_fit:
            continue
        try:
            check_is_fitted(part)
        except NotFittedError:
            continue
        raise ModelError(
            f"The candidate '{candidate}' arrives with a part that was fitted before: {name} ({type(part).__name__}).",
            where=f"candidate '{candidate}'",
            rule="preprocessing and estimator are fitted together, on the training rows and nothing else.",
            remedy="return the Pipeline unfitted; sklearn.base.clone makes an unfitted copy.",
        )


def predict(pipeline: Pipeline, task: Task, features: pd.DataFrame) -> Vector:
    """Return what is predicted: the probability of the label 1, or the expected value.

    Parameters
    ----------
    features : DataFrame of shape (n_examples, n_features)
        As `ml.examples.feature_frame` makes it.

    Returns
    -------
    ndarray of shape (n_examples,), float64
    """
    import numpy as np

    predicted = pipeline.predict_proba(features)[:, 1] if task == "binary" else pipeline.predict(features)
    return np.asarray(predicted, dtype=np.float64)


def require_independent_rows(
    candidate: str, pipeline: Pipeline, task: Task, features: pd.DataFrame, predicted: Vector
) -> None:
    """Refuse a candidate that predicts a row differently when other rows stand beside it: it learns while it scores.

    Parameters
    ----------
    features : DataFrame of shape (n_examples, n_features)
        What was predicted.
    predicted : ndarray of shape (n_examples,)
        How, all rows together.

    Raises
    ------
    ModelError
        If some of the rows alone come out differently.
    """
    import numpy as np

    # The rows at one end of the ranking: by themselves, they have other means and ranges than all together.
    alone = np.argsort(predicted, kind="stable")[:ROWS_ALONE]
    again = predict(pipeline, task, features.iloc[alone])
    # Sums over rows in another order differ in their last bits.
    differing = int((~np.isclose(again, predicted[alone], rtol=1e-6, atol=1e-9)).sum())
    if differing:
        raise ModelError(
            f"The candidate '{candidate}' predicts {differing} of {len(alone)} rows differently without the other "
            "rows of the holdout.",
            where=f"candidate '{candidate}'",
            rule="scoring only predicts: what is learned from data is learned in fit, from the training rows.",
            remedy="move what is computed over rows (means, ranks, counts) from predict or transform to fit.",
        )


def _baseline(task: Task) -> Pipeline:
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.pipeline import Pipeline

    # The share of ones, or the mean: the best one can say without looking at the features.
    estimator = DummyClassifier(strategy="prior") if task == "binary" else DummyRegressor(strategy="mean")
    return Pipeline([("estimator", estimator)])


def _linear(task: Task, features: Sequence[Feature]) -> Pipeline:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numeric = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
            ("scale", StandardScaler()),
        ]
    )
    # Rare and unseen values share one column; without a bound a column of names would become a column each.
    categorical = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=20, max_categories=50, sparse_output=False
    )
    estimator: BaseEstimator = (
        LogisticRegression(C=0.1, max_iter=1000, random_state=SEED) if task == "binary" else Ridge(alpha=10.0)
    )
    preprocess = ColumnTransformer(
        [
            ("numeric", numeric, _names(features, "numeric")),
            ("categorical", categorical, _names(features, "categorical")),
        ]
    )
    return Pipeline([("preprocess", preprocess), ("estimator", estimator)])


def _gradient_boosting(task: Task, features: Sequence[Feature]) -> Pipeline:
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    numeric, categorical = _names(features, "numeric"), _names(features, "categorical")
    # Missing and unseen values become nan, which the trees handle as a value of its own. 254 categories and
    # nan are what one byte per value holds.
    encode = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=254,
    )
    preprocess = ColumnTransformer([("numeric", "passthrough", numeric), ("categorical", encode, categorical)])
    estimator = HistGradientBoostingClassifier if task == "binary" else HistGradientBoostingRegressor
    return Pipeline(
        [
            ("preprocess", preprocess),
            (
                "estimator",
                estimator(
                    learning_rate=0.05,
                    max_iter=150,
                    max_leaf_nodes=15,
                    min_samples_leaf=50,
                    # Early stopping would hold out rows at random, across time and entity.
                    early_stopping=False,
                    categorical_features=list(range(len(numeric), len(numeric) + len(categorical))),
                    random_state=SEED,
                ),
            ),
        ]
    )


def _names(features: Sequence[Feature], kind: str) -> list[str]:
    return [feature.name for feature in features if feature.kind == kind]
