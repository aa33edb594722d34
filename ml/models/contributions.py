"""How far each feature moves a model's predictions: Shapley values, for the families that have exact ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.models.feature import Feature
from ml.models.feature_mapping import Array, source_features

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

    from ml.tasks import Task

Matrix = np.ndarray[tuple[int, int], np.dtype[Any]]

# Rows over which the importance of features is averaged.
IMPORTANCE_ROWS = 2_000
# A forest with more leaves would take longer than a millisecond for each row; it is scored without reasons.
MAX_LEAVES = 100_000


@dataclass(frozen=True)
class Explainer:
    """How far each feature moves a model's raw prediction from the average one.

    The raw prediction is in log-odds for a binary task and in units of the label for a regression; of scikit-learn's
    forests and decision trees that classify, it is the probability. `base` and the contributions of a row sum to it.
    That of an average is the mean of its members' raw predictions, so its contributions are the mean of theirs.

    Parameters
    ----------
    base : float
        The average raw prediction, over the rows that the model learned from.
    """

    base: float
    _parts: tuple[_Part, ...]

    def contributions(self, frame: pd.DataFrame) -> Matrix:
        """Return the contribution of each feature to each row's raw prediction.

        Parameters
        ----------
        frame : DataFrame of shape (n_rows, n_features)
            As `ml.examples.reading.feature_frame` makes it.

        Returns
        -------
        ndarray of shape (n_rows, n_features), float64
            Columns that the preprocessing makes from one feature are added up.
        """
        total = self._parts[0].contributions(frame)
        for part in self._parts[1:]:
            total += part.contributions(frame)
        return total / len(self._parts)


@dataclass(frozen=True)
class _Part:
    """What explains one Pipeline."""

    base: float
    transform: Callable[[pd.DataFrame], Any]
    of_columns: Callable[[Any], Matrix]
    # (n_columns, n_features): to which feature a transformed column belongs, times what all are multiplied with.
    features: Matrix
    # Whether the raw prediction is a probability, where those of other families are log-odds.
    is_probability: bool

    def contributions(self, frame: pd.DataFrame) -> Matrix:
        return self.of_columns(self.transform(frame)) @ self.features


def explainer_of(fitted: BaseEstimator, task: Task, features: Sequence[Feature]) -> Explainer | None:
    """Return what explains a fitted model's predictions.

    Trees are explained by path-dependent TreeSHAP, which is exact: LightGBM and XGBoost by their own, scikit-learn's
    histogram gradient boosting, forests and decision trees by SHAP. A linear model is explained by coefficient times
    transformed value: these are the Shapley values if features are independent and transformed columns have mean 0
    over the training rows, as those of our linear candidate have.

    Parameters
    ----------
    fitted : Pipeline, or an average of several, recalibrated or not
        Steps before the estimator are a ColumnTransformer, if any, and selections of its columns. A model with the
        attributes `pipeline`, `slope` and `intercept` is explained as slope times the pipeline's raw prediction plus
        intercept; one with `members`, as the mean of these.
    features : sequence of Feature
        The columns of the frames to explain, in their order.

    Returns
    -------
    Explainer or None
        None where an estimator is of another family, or nobody can tell which columns come from which feature, or the
        members of an average differ in what their raw prediction is.

    References
    ----------
    Lundberg et al., "From local explanations to global understanding with explainable AI for trees", Nature Machine
    Intelligence 2, 2020. Lundberg and Lee, "A unified approach to interpreting model predictions", NeurIPS 2017,
    corollary 1.
    """
    slope, intercept = float(getattr(fitted, "slope", 1.0)), float(getattr(fitted, "intercept", 0.0))
    model: Any = getattr(fitted, "pipeline", fitted)
    pipelines = [pipeline for _, pipeline in model.members] if hasattr(model, "members") else [model]
    parts: list[_Part] = []
    for pipeline in pipelines:
        part = _part_of(pipeline, task, features, slope)
        if part is None or part.is_probability != (parts or [part])[0].is_probability:
            return None
        parts.append(part)
    return Explainer(slope * sum(part.base for part in parts) / len(parts) + intercept, tuple(parts))


def _part_of(pipeline: Pipeline, task: Task, features: Sequence[Feature], slope: float) -> _Part | None:
    """Return what explains a fitted Pipeline; None if nothing does."""
    origins = source_features(pipeline, features)
    if origins is None:
        return None
    estimator = task.explained(pipeline.steps[-1][1])
    explained = None if estimator is None else _explained(estimator, len(origins))
    if explained is None:
        return None
    base, of_columns = explained
    belongs = np.zeros((len(origins), len(features)))
    belongs[np.arange(len(origins)), origins] = slope
    transform = pipeline[:-1].transform if len(pipeline.steps) > 1 else _as_it_is
    return _Part(base, transform, of_columns, belongs, is_probability=_is_probability(estimator))


def importance_of(
    fitted: BaseEstimator, task: Task, features: Sequence[Feature], frame: pd.DataFrame
) -> dict[str, float] | None:
    """Return the mean absolute contribution of each feature, the largest first; None if nothing explains the model.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_features or more)
        Examples of which at most `IMPORTANCE_ROWS`, evenly spaced, are explained.
    """
    explainer = explainer_of(fitted, task, features)
    if explainer is None or frame.empty:
        return None
    names = [feature.name for feature in features]
    rows = np.unique(np.linspace(0, len(frame) - 1, min(len(frame), IMPORTANCE_ROWS)).astype(int))
    mean = np.abs(explainer.contributions(frame[names].iloc[rows])).mean(axis=0)
    return {names[place]: float(mean[place]) for place in np.argsort(-mean, kind="stable")}


def _explained(estimator: Any, columns: int) -> tuple[float, Callable[[Any], Matrix]] | None:  # noqa: ANN401
    """Return the average raw prediction, and what gives the contributions of transformed columns; None if unknown."""
    if hasattr(estimator, "booster_"):
        return _by_its_own(_of_lightgbm(estimator), columns)
    if hasattr(estimator, "get_booster"):
        return _by_its_own(_of_xgboost(estimator), columns)
    if hasattr(estimator, "coef_"):
        return _of_linear(estimator, columns)
    return _of_trees(estimator)


def _of_trees(estimator: Any) -> tuple[float, Callable[[Any], Matrix]] | None:  # noqa: ANN401, no types there
    """Explain scikit-learn's histogram gradient boosting, forests and trees; of two classes, the second."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.ensemble._forest import BaseForest
    from sklearn.tree import BaseDecisionTree

    if isinstance(estimator, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        # SHAP takes a split by category for one by number, and what it tells then is wrong.
        is_known = estimator.is_categorical_ is None or not np.any(estimator.is_categorical_)
    elif isinstance(estimator, BaseForest | BaseDecisionTree):
        trees = getattr(estimator, "estimators_", [estimator])
        is_known = estimator.n_outputs_ == 1 and sum(tree.get_n_leaves() for tree in trees) <= MAX_LEAVES
    else:
        return None
    if not is_known or len(getattr(estimator, "classes_", (0, 1))) != 2:
        return None
    import shap

    explainer = shap.TreeExplainer(estimator, feature_perturbation="tree_path_dependent")

    def explain(values: Any) -> Matrix:  # noqa: ANN401, whatever the preprocessing makes
        found = np.asarray(explainer.shap_values(_dense(values), check_additivity=False), dtype=np.float64)
        return found[:, :, -1] if found.ndim == 3 else found

    return float(np.ravel(explainer.expected_value)[-1]), explain


def _is_probability(estimator: Any) -> bool:  # noqa: ANN401, no types there
    """Whether what is explained of an estimator is a probability: that of forests and decision trees that classify."""
    from sklearn.base import is_classifier
    from sklearn.ensemble._forest import BaseForest
    from sklearn.tree import BaseDecisionTree

    return is_classifier(estimator) and isinstance(estimator, BaseForest | BaseDecisionTree)


def _by_its_own(explain: Callable[[Any], Array], columns: int) -> tuple[float, Callable[[Any], Matrix]] | None:
    # Its last column is the average, the same in every row.
    average = explain(np.zeros((1, columns)))
    if average.shape != (1, columns + 1):
        return None  # more than two classes
    return float(average[0, -1]), lambda values: explain(values)[:, :-1].astype(np.float64)


def _of_lightgbm(estimator: Any) -> Callable[[Any], Array]:  # noqa: ANN401, no types there
    def explain(values: Any) -> Array:  # noqa: ANN401, whatever the preprocessing makes
        return np.asarray(estimator.predict(values, pred_contrib=True, validate_features=False))

    return explain


def _of_xgboost(estimator: Any) -> Callable[[Any], Array]:  # noqa: ANN401, no types there
    import xgboost

    def explain(values: Any) -> Array:  # noqa: ANN401, whatever the preprocessing makes
        data = xgboost.DMatrix(
            values,
            missing=estimator.missing,
            feature_types=estimator.feature_types,
            enable_categorical=estimator.enable_categorical,
            nthread=estimator.n_jobs,
        )
        # Where training stopped early, the trees after the best are not used.
        rounds = getattr(estimator, "best_iteration", -1) + 1
        booster = estimator.get_booster()
        return np.asarray(
            booster.predict(data, pred_contribs=True, iteration_range=(0, rounds), validate_features=False)
        )

    return explain


def _of_linear(estimator: Any, columns: int) -> tuple[float, Callable[[Any], Matrix]] | None:  # noqa: ANN401
    coefficients = np.ravel(estimator.coef_)
    if len(coefficients) != columns:
        return None  # more than two classes, or several labels
    return float(np.ravel(estimator.intercept_)[0]), lambda values: _dense(values) * coefficients


def _dense(values: Any) -> Matrix:  # noqa: ANN401, whatever the preprocessing makes
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=np.float64)


def _as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame
