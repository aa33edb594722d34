"""What stands before an estimator in every Pipeline: features become numbers, and what is missing is dealt with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from ml.models.feature import Feature

# Rarer values of a category share one column.
RARE = 20
# Without a bound a column of names would become a column for each.
CATEGORIES = 50


def dense(features: Sequence[Feature]) -> ColumnTransformer:
    """Return an encoding for estimators that need every number: nothing missing, numbers of one scale.

    Every column that comes out has mean 0 over the training rows, so that a coefficient times a value is how far the
    prediction is from that of the average example.
    """
    numeric = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
            ("scale", StandardScaler()),
        ]
    )
    categorical = Pipeline([("encode", _one_hot()), ("center", StandardScaler(with_std=False))])
    return ColumnTransformer(
        [
            ("numeric", numeric, _names(features, are_categories=False)),
            ("categorical", categorical, _names(features, are_categories=True)),
        ]
    )


def one_hot(features: Sequence[Feature], numeric: BaseEstimator | str = "passthrough") -> ColumnTransformer:
    """Return an encoding for trees, to which a missing number is a value of its own.

    Categories are columns to them as well, though some libraries know splits by category: SHAP explains those wrongly.
    """
    return ColumnTransformer(
        [
            ("numeric", numeric, _names(features, are_categories=False)),
            ("categorical", _one_hot(), _names(features, are_categories=True)),
        ]
    )


def _one_hot() -> OneHotEncoder:
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=RARE, max_categories=CATEGORIES, sparse_output=False
    )


def _names(features: Sequence[Feature], *, are_categories: bool) -> list[str]:
    return [feature.name for feature in features if feature.is_category == are_categories]
