"""Candidates of somebody's own, which a declaration names by import path."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


def _scaled_by(transformer: Any) -> Pipeline:
    numbers = ColumnTransformer([("numbers", SimpleImputer(), ["strength"])])
    return Pipeline([("numbers", numbers), ("scale", transformer), ("estimator", LogisticRegression())])


def fitted_before() -> Pipeline:
    """Scaled by the mean of numbers that were seen before the training."""
    return _scaled_by(StandardScaler().fit(np.arange(10.0)[:, None]))


def learns_while_it_scores() -> Pipeline:
    """Scaled by the mean of whatever is scored together, the holdout for one."""
    return _scaled_by(FunctionTransformer(lambda values: values - values.mean()))


class Stubborn(LogisticRegression):
    """An estimator of a type that no list knows."""


def nothing() -> str:
    """No estimator."""
    return "nothing"
