"""Families of estimators that compete: each makes one unfitted scikit-learn `Pipeline`.

A candidate holds its preprocessing, so that whatever is learned from data (medians, categories, means, which columns
to keep) is learned from the rows it is fitted on and from nothing else: whatever comes as a candidate arrives unfitted.
What is asked of it once it is fitted stands in `ml.models.fitted`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ml.judging.evaluation import Task
from ml.models.feature import Feature
from turnout.errors import DeclarationError, ModelError

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

Parameters = Mapping[str, Any]

BASELINE = "baseline"
# Those that are tried where nothing is declared; the simplest first, which is taken where nothing can be compared.
FAMILIES = ("linear", "hist_gradient_boosting", "xgboost", "lightgbm")
SEED = 0
# How many examples' worth of the prior an entity's own past is mixed with.
PRIOR_WEIGHT = 5.0


@dataclass(frozen=True)
class Range:
    """The numbers among which the search chooses a parameter, both ends included: whole ones if the ends are."""

    low: float
    high: float
    log: bool = False


Space = Mapping[str, "Range | tuple[Any, ...]"]


@dataclass(frozen=True)
class Candidate:
    """A family of estimators, as declared.

    Parameters
    ----------
    name : str
        `BASELINE`, a name in `FAMILIES`, or the import path of an estimator, or of a function that makes one.
    fixed : mapping
        Parameters of the estimator that are not searched.
    choices : mapping of str to tuple
        Parameters that are searched among these values; the first is the default.
    """

    name: str
    fixed: Parameters = field(default_factory=dict, hash=False)
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, hash=False)

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
    ) -> Pipeline:
        """Return an unfitted Pipeline.

        It defines `fit(X, y)` and `predict(X)`, for a binary task `predict_proba(X)`, where X is a DataFrame with at
        least the features as columns, as `ml.examples.reading.feature_frame` makes it.

        Parameters
        ----------
        parameters : mapping
            Of the estimator; what is declared fixed wins.
        max_features : int, optional
            How many of the encoded columns are kept at most; the most important ones of a small LightGBM.

        Raises
        ------
        DeclarationError
            If an imported estimator cannot be imported or made.
        """
        from sklearn.pipeline import Pipeline

        from ml.models import encoding
        from ml.models.estimators import EmptyColumnImputer

        given = {**parameters, **self.fixed}
        if self.name in _ESTIMATORS:
            estimator = _ESTIMATORS[self.name](task, given)
        else:
            estimator = _imported(self.name, given)
            if isinstance(estimator, Pipeline):
                return estimator  # it brings its own preprocessing, and sees the features as they are
        if self.name == "hist_gradient_boosting":
            preprocess = encoding.one_hot(features, EmptyColumnImputer())
        elif self.name in _ESTIMATORS and self.name != "linear":
            preprocess = encoding.one_hot(features)
        else:
            preprocess = encoding.dense(features)
        steps: list[tuple[str, BaseEstimator]] = [("preprocess", preprocess)]
        if max_features is not None:
            steps.append(("select", _selection(task, min(max_features, len(features)))))
        return Pipeline([*steps, ("estimator", estimator)])


def baseline(task: Task, kind: Literal["prior", "entity_mean"], entity: str) -> Pipeline:
    """Return the unfitted baseline, which sees no feature.

    `prior` predicts the share of ones, or the mean. `entity_mean` predicts the entity's own, mixed with that of all as
    if all had been seen `PRIOR_WEIGHT` times (the m-estimate of D. Micci-Barreca, "A preprocessing scheme for
    high-cardinality categorical attributes", 2001), and for an entity that is new that of all; its X has the entity.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import TargetEncoder

    if kind == "prior":
        estimator = DummyClassifier(strategy="prior") if task == "binary" else DummyRegressor(strategy="mean")
        return Pipeline([("estimator", estimator)])
    from ml.models.estimators import AsPredicted

    # That it cross-fits while it is fitted does not matter: nothing is learned from these values.
    past = TargetEncoder(target_type="continuous", smooth=PRIOR_WEIGHT)
    return Pipeline(
        [("preprocess", ColumnTransformer([("entity_mean", past, [entity])])), ("estimator", AsPredicted())]
    )


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


def fit(candidate: Candidate, pipeline: Pipeline, features: pd.DataFrame, label: pd.Series[float]) -> Pipeline:
    """Fit a Pipeline of a candidate and return it.

    Raises
    ------
    DeclarationError
        If it is an imported one, and cannot be fitted.
    """
    try:
        return pipeline.fit(features, label)
    except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        if candidate.name in _ESTIMATORS:
            raise
        raise _not_usable(candidate.name, f"cannot be fitted: {error}") from error


def _linear(task: Task, parameters: Parameters) -> BaseEstimator:
    from sklearn.linear_model import LogisticRegression, Ridge

    if task == "binary":
        return LogisticRegression(C=1.0 / parameters["penalty"], max_iter=1000, random_state=SEED)
    return Ridge(alpha=parameters["penalty"])


def _hist_gradient_boosting(task: Task, parameters: Parameters) -> BaseEstimator:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    estimator = HistGradientBoostingClassifier if task == "binary" else HistGradientBoostingRegressor
    # Early stopping would hold out rows at random, across time and entity.
    return estimator(early_stopping=False, random_state=SEED, **parameters)


def _xgboost(task: Task, parameters: Parameters) -> BaseEstimator:
    from xgboost import XGBClassifier, XGBRegressor

    estimator = XGBClassifier if task == "binary" else XGBRegressor
    return estimator(tree_method="hist", random_state=SEED, **parameters)


def _lightgbm(task: Task, parameters: Parameters) -> BaseEstimator:
    from lightgbm import LGBMClassifier, LGBMRegressor

    estimator = LGBMClassifier if task == "binary" else LGBMRegressor
    return estimator(
        subsample_freq=1, deterministic=True, force_row_wise=True, verbose=-1, random_state=SEED, **parameters
    )


_ESTIMATORS: Mapping[str, Callable[[Task, Parameters], BaseEstimator]] = {
    "linear": _linear,
    "hist_gradient_boosting": _hist_gradient_boosting,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
}

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


def _selection(task: Task, columns: int) -> BaseEstimator:
    """Return a step that keeps the columns by which a small LightGBM gains most."""
    from lightgbm import LGBMClassifier, LGBMRegressor
    from numpy import inf
    from sklearn.feature_selection import SelectFromModel

    estimator = (LGBMClassifier if task == "binary" else LGBMRegressor)(
        n_estimators=50, num_leaves=15, importance_type="gain", deterministic=True, force_row_wise=True, verbose=-1
    )
    return SelectFromModel(estimator, threshold=-inf, max_features=columns)


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
