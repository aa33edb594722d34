"""Families of estimators that compete: each makes one unfitted scikit-learn `Pipeline`.

A candidate holds its preprocessing, so that whatever is learned from data (medians, categories, means, which columns
to keep) is learned from the rows it is fitted on and from nothing else: whatever comes as a candidate arrives unfitted.
What is asked of it once it is fitted stands in `ml.models.row_independence`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ml.models.feature import Feature
from ml.tasks.estimator_settings import SEED
from turnout.errors import DeclarationError, ModelError

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

    from ml.tasks import Task

Parameters = Mapping[str, Any]

BASELINE = "baseline"
FAMILIES = ("linear", "hist_gradient_boosting", "xgboost", "lightgbm")
# The mean of what all other candidates predict: it is seldom worse than the best of them, and nobody knows beforehand
# which that is.
AVERAGE = "average"


@dataclass(frozen=True)
class Range:
    """The numbers among which the search chooses a parameter, both ends included: whole ones if the ends are."""

    low: float
    high: float
    log: bool = False


Space = Mapping[str, "Range | tuple[Any, ...]"]


@dataclass(frozen=True)
class Candidate:
    """A family of estimators, as declared, or the average of several.

    Parameters
    ----------
    name : str
        A name in `FAMILIES`, the import path of an estimator, or of a function that makes one, or `AVERAGE`.
    fixed : mapping
        Parameters of the estimator that are not searched.
    choices : mapping of str to tuple
        Parameters that are searched among these values; the first is the default.
    """

    name: str
    fixed: Parameters = field(default_factory=dict, hash=False)
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, hash=False)

    @property
    def is_average(self) -> bool:
        """Whether it predicts what others do on average."""
        return self.name == AVERAGE

    @property
    def defaults(self) -> Parameters:
        """The parameters that are searched, before the search."""
        searched = {**_DEFAULTS.get(self.name, {}), **{key: values[0] for key, values in self.choices.items()}}
        return {key: value for key, value in searched.items() if key not in self.fixed}

    @property
    def space(self) -> Space:
        """What the search may choose for each of them."""
        searched = {**_SPACES.get(self.name, {}), **self.choices}
        return {key: values for key, values in searched.items() if key in self.defaults}

    def pipeline(
        self, task: Task, features: Sequence[Feature], parameters: Parameters, max_features: int | None = None
    ) -> BaseEstimator:
        """Return an unfitted Pipeline, or an average of several.

        It defines `fit(X, y)` and the method by which the task predicts, where X is a DataFrame with at least the
        features as columns, as `ml.examples.reading.feature_frame` makes it.

        Parameters
        ----------
        task : Task
            Whose question it is to answer; it has an estimator for the family.
        parameters : mapping
            Of the estimator; what is declared fixed wins. Of an average, those of each member by its name.
        max_features : int, optional
            How many of the encoded columns are kept at most; the most important ones of the task's `selector`.

        Raises
        ------
        DeclarationError
            If an imported estimator cannot be imported or made.
        """
        from sklearn.feature_selection import SelectFromModel
        from sklearn.pipeline import Pipeline

        from ml.models import encoding
        from ml.models.estimators import Average, EmptyColumnImputer

        if self.is_average:
            members = parameters.items()
            return Average(
                [(name, Candidate(name).pipeline(task, features, own, max_features)) for name, own in members]
            )
        given = {**parameters, **self.fixed}
        if self.name in FAMILIES:
            estimator = task.families[self.name](given)
        else:
            estimator = _imported(self.name, given)
            if isinstance(estimator, Pipeline):
                return estimator  # it brings its own preprocessing, and sees the features as they are
        if self.name == "hist_gradient_boosting":
            preprocess = encoding.one_hot(features, EmptyColumnImputer())
        elif self.name in FAMILIES and self.name != "linear":
            preprocess = encoding.one_hot(features)
        else:
            preprocess = encoding.dense(features)
        steps: list[tuple[str, BaseEstimator]] = [("preprocess", preprocess)]
        if max_features is not None:
            columns = min(max_features, len(features))
            steps.append(("select", SelectFromModel(task.selector(), threshold=-math.inf, max_features=columns)))
        return Pipeline([*steps, ("estimator", estimator)])


def require_unfitted(candidate: str, pipeline: BaseEstimator) -> None:
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


def fit(
    candidate: Candidate, pipeline: BaseEstimator, features: pd.DataFrame, label: pd.Series[float]
) -> BaseEstimator:
    """Fit what `Candidate.pipeline` made and return it.

    Raises
    ------
    DeclarationError
        If it is an imported one, and cannot be fitted.
    """
    try:
        return pipeline.fit(features, label)
    except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        if candidate.name in FAMILIES:
            raise
        raise _not_usable(candidate.name, f"cannot be fitted: {error}") from error


# Small steps, small trees, large leaves: what holds up where signal is weak and rows of one entity are alike.
_DEFAULTS: Mapping[str, Parameters] = {
    "linear": {"penalty": 10.0},
    "hist_gradient_boosting": {
        "learning_rate": 0.05,
        "max_iter": 150,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 50,
        "l2_regularization": 1.0,
        "max_features": 0.5,
    },
    "xgboost": {
        "learning_rate": 0.05,
        "n_estimators": 150,
        "max_depth": 4,
        "min_child_weight": 20.0,
        "reg_lambda": 1.0,
        "subsample": 0.8,
        "colsample_bytree": 0.5,
    },
    "lightgbm": {
        "learning_rate": 0.05,
        "n_estimators": 150,
        "num_leaves": 15,
        "min_child_samples": 50,
        "reg_lambda": 1.0,
        "subsample": 0.8,
        "colsample_bytree": 0.5,
    },
}

_SPACES: Mapping[str, Space] = {
    "linear": {"penalty": Range(0.01, 10_000.0, log=True)},
    "hist_gradient_boosting": {
        "learning_rate": Range(0.02, 0.2, log=True),
        "max_iter": Range(50, 300),
        "max_leaf_nodes": Range(4, 48, log=True),
        "min_samples_leaf": Range(10, 300, log=True),
        "l2_regularization": Range(0.01, 100.0, log=True),
        "max_features": Range(0.2, 1.0),
    },
    "xgboost": {
        "learning_rate": Range(0.02, 0.2, log=True),
        "n_estimators": Range(50, 300),
        "max_depth": Range(2, 7),
        "min_child_weight": Range(1.0, 200.0, log=True),
        "reg_lambda": Range(0.01, 100.0, log=True),
        "subsample": Range(0.5, 1.0),
        "colsample_bytree": Range(0.2, 1.0),
    },
    "lightgbm": {
        "learning_rate": Range(0.02, 0.2, log=True),
        "n_estimators": Range(50, 300),
        "num_leaves": Range(4, 48, log=True),
        "min_child_samples": Range(10, 300, log=True),
        "reg_lambda": Range(0.01, 100.0, log=True),
        "subsample": Range(0.5, 1.0),
        "colsample_bytree": Range(0.2, 1.0),
    },
}


def _imported(path: str, parameters: Parameters) -> BaseEstimator:
    """Return the estimator, or whatever Pipeline, that stands at an import path, made with parameters.

    Raises
    ------
    DeclarationError
        If there is nothing at the path, or it cannot be made so, or it is no estimator.
    """
    from importlib import import_module

    module, _, name = path.rpartition(".")
    try:
        made = getattr(import_module(module), name)(**parameters)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise _not_usable(path, f"cannot be made: {error}") from error
    if not (hasattr(made, "fit") and hasattr(made, "get_params")):
        raise _not_usable(path, f"is no estimator, but a {type(made).__name__}")
    if "random_state" in made.get_params() and "random_state" not in parameters:
        made.set_params(random_state=SEED)
    return made


def _not_usable(path: str, problem: str) -> DeclarationError:
    return DeclarationError(
        f"The candidate '{path}' {problem}.",
        where="key 'config.meta.prediction.candidates'",
        rule=f"a candidate is one of {', '.join(FAMILIES)}, or the import path of a scikit-learn estimator or of a "
        "function that returns one.",
        remedy="correct the path or its parameters; a module of your own stands in the project's root or is installed.",
    )
