"""Why a score is what it is: how far each feature moved it, and the three that moved it most, in words."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.models.feature import Feature

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

    from ml.tasks import Task

Matrix = np.ndarray[tuple[int, int], np.dtype[Any]]
Array = np.ndarray[Any, np.dtype[Any]]

# How many features a score is explained by.
PLACES = 3
# Rows over which the importance of features is averaged.
IMPORTANCE_ROWS = 2_000
# A feature that moved a score by less than this share of what moved it most has not moved it: sums of floats differ
# from zero in their last bits, and XGBoost's are of single precision.
NOTHING = 1e-6
SIGNIFICANT_DIGITS = 3
# A forest with more leaves would take longer than a millisecond for each row; it is scored without reasons.
MAX_LEAVES = 100_000

RAISES = ", which raises the score"
LOWERS = ", which lowers the score"
UNKNOWN = "not known"


@dataclass(frozen=True)
class Explainer:
    """How far each feature moves a model's raw prediction from the average one.

    The raw prediction is in log-odds for a binary task and in units of the label for a regression; of scikit-learn's
    forests and decision trees that classify, it is the probability. `base` and the contributions of a row sum to it.

    Parameters
    ----------
    base : float
        The average raw prediction, over the rows that the model learned from.
    """

    base: float
    _transform: Callable[[pd.DataFrame], Any]
    _of_columns: Callable[[Any], Matrix]
    # (n_columns, n_features): to which feature a transformed column belongs, times what all are multiplied with.
    _features: Matrix

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
        return self._of_columns(self._transform(frame)) @ self._features


def explainer_of(fitted: BaseEstimator, task: Task, features: Sequence[Feature]) -> Explainer | None:
    """Return what explains a fitted model's predictions.

    Trees are explained by path-dependent TreeSHAP, which is exact: LightGBM and XGBoost by their own, scikit-learn's
    histogram gradient boosting, forests and decision trees by SHAP. A linear model is explained by coefficient times
    transformed value: these are the Shapley values if features are independent and transformed columns have mean 0
    over the training rows, as those of our linear candidate have.

    Parameters
    ----------
    fitted : Pipeline or recalibrated Pipeline
        Steps before the estimator are a ColumnTransformer, if any, and selections of its columns. A model with the
        attributes `pipeline`, `slope` and `intercept` is explained as slope times the pipeline's raw prediction plus
        intercept.
    features : sequence of Feature
        The columns of the frames to explain, in their order.

    Returns
    -------
    Explainer or None
        None where the estimator is of another family, or nobody can tell which columns come from which feature.

    References
    ----------
    Lundberg et al., "From local explanations to global understanding with explainable AI for trees", Nature Machine
    Intelligence 2, 2020. Lundberg and Lee, "A unified approach to interpreting model predictions", NeurIPS 2017,
    corollary 1.
    """
    slope, intercept = float(getattr(fitted, "slope", 1.0)), float(getattr(fitted, "intercept", 0.0))
    pipeline: Pipeline = getattr(fitted, "pipeline", fitted)
    origins = _origins(pipeline, features)
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
    return Explainer(slope * base + intercept, transform, of_columns, belongs)


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


def reason_fields() -> list[pa.Field]:
    """Return the columns that scores have for their reasons, three times words, feature, value and effect."""
    import pyarrow as pa

    return [
        field
        for place in range(1, PLACES + 1)
        for field in (
            pa.field(f"reason_{place}", pa.string()),
            pa.field(f"reason_{place}_feature", pa.string()),
            pa.field(f"reason_{place}_value", pa.string()),
            pa.field(f"reason_{place}_effect", pa.float64()),
        )
    ]


def no_reasons(row_count: int) -> list[pa.Array]:
    """Return the columns of `reason_fields`, all null."""
    import pyarrow as pa

    return [pa.nulls(row_count, field.type) for field in reason_fields()]


def reasons(
    batch: pa.RecordBatch, features: Sequence[Feature], titles: Mapping[str, str], contributions: Matrix
) -> list[pa.Array]:
    """Return the columns of `reason_fields`: the features that moved each score most, the strongest first.

    Parameters
    ----------
    batch : RecordBatch of n_rows rows
        Holds the features as they stand in the warehouse: their values are what a reader knows.
    titles : mapping of str to str
        What a reader calls a feature; without a title it is called by its name.
    contributions : ndarray of shape (n_rows, n_features)
        As `Explainer.contributions` gives them.

    Returns
    -------
    list of Array
        All null at a place for which too few features moved the score.
    """
    import pyarrow as pa

    rows = len(batch)
    if not rows:
        return no_reasons(0)
    chosen, effects = _strongest(contributions)
    # All places of all rows, one after the other, in order by feature: each is put in words in one go, then put back.
    order = np.argsort(chosen, axis=None, kind="stable")
    ends = np.searchsorted(chosen.ravel()[order], np.arange(len(features)), side="right")
    words: list[pa.Array] = []
    values: list[pa.Array] = []
    names: list[pa.Array] = []
    for feature, start, end in zip(features, [0, *ends[:-1]], ends, strict=True):
        positions = order[start:end]
        shown = shown_values(batch[feature.name].take(pa.array(positions % rows)))
        values.append(shown)
        words.append(_in_words(titles.get(feature.name, feature.name), shown, effects.ravel()[positions] > 0))
        names.append(pa.repeat(pa.scalar(feature.name), len(positions)))
    # Where too few features moved the score, the last ones in order are left.
    nothing = pa.nulls(rows * PLACES - ends[-1], pa.string())
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    in_words, named, valued = (
        pa.concat_arrays([*column, nothing]).take(pa.array(back)) for column in (words, names, values)
    )
    columns = []
    for place in range(PLACES):
        here = slice(place * rows, (place + 1) * rows)
        effect = pa.array(effects[place], mask=chosen[place] == len(features))
        columns += [in_words[here], named[here], valued[here], effect]
    return columns


def shown_values(column: pa.Array) -> pa.Array:
    """Return values as a reader sees them; null where there is none.

    Whole numbers are whole, others have three digits that count; thousands are set apart by commas. Truth values are
    yes and no. Text and dates stay as they are.
    """
    import pyarrow as pa
    from pyarrow import compute, types

    if types.is_boolean(column.type):
        return compute.if_else(column, "yes", "no")
    if not (types.is_integer(column.type) or types.is_floating(column.type) or types.is_decimal(column.type)):
        return column.cast(pa.string())
    # Rounded first: there are few different numbers of three digits, and only they are written out.
    rounded = _rounded(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    distinct, places = np.unique(rounded, return_inverse=True)
    texts = pa.array([None if value != value else _number(value) for value in distinct.tolist()], pa.string())
    return texts.take(pa.array(places))


def _strongest(contributions: Matrix) -> tuple[Array, Array]:
    """Return the places of the strongest features and their effects, each of shape (PLACES, n_rows).

    Where no more features moved the score, the place is n_features. Equals go by the order of the features.
    """
    rows, features = np.arange(len(contributions)), contributions.shape[1]
    strength = np.abs(contributions)
    least = NOTHING * strength.max(axis=1)
    chosen = np.full((PLACES, len(rows)), features)
    effects = np.zeros((PLACES, len(rows)))
    for place in range(min(PLACES, features)):
        strongest = strength.argmax(axis=1)
        moved = strength[rows, strongest] > least
        chosen[place, moved] = strongest[moved]
        effects[place, moved] = contributions[rows, strongest][moved]
        strength[rows, strongest] = -1.0
    return chosen, effects


def _in_words(title: str, shown: pa.Array, rises: Array) -> pa.Array:
    import pyarrow as pa
    from pyarrow import compute

    direction = compute.if_else(pa.array(rises), RAISES, LOWERS)
    return compute.binary_join_element_wise(f"{title}: ", compute.fill_null(shown, UNKNOWN), direction, "")


def _rounded(values: Array) -> Array:
    """Return whole numbers as they are, and others with so many digits that count, but none of the whole part lost."""
    with np.errstate(divide="ignore", invalid="ignore"):
        magnitude = np.floor(np.log10(np.abs(values)))
        scale = 10.0 ** np.clip(SIGNIFICANT_DIGITS - 1 - magnitude, 0, 300)
        return np.where(values == np.trunc(values), values, np.rint(values * scale) / scale)


def _number(value: float) -> str:
    if value != 0 and not 1e-6 <= abs(value) < 1e15:
        return f"{value:.{SIGNIFICANT_DIGITS}g}"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.9f}".rstrip("0")


def _origins(pipeline: Pipeline, features: Sequence[Feature]) -> Array | None:
    """Return, for each column that the estimator sees, the place of the feature it is made from; None if unclear."""
    from sklearn.compose import ColumnTransformer

    origins = np.arange(len(features))
    for number, (_, step) in enumerate(pipeline.steps[:-1]):
        if number == 0 and isinstance(step, ColumnTransformer):
            found = _origins_of_transformed(step, [feature.name for feature in features])
            if found is None:
                return None
            origins = found
        elif step is None or step == "passthrough":
            continue
        elif hasattr(step, "get_support"):
            origins = origins[step.get_support()]
        else:
            return None
    return origins


def _origins_of_transformed(transformer: Any, names: Sequence[str]) -> Array | None:  # noqa: ANN401, no types there
    places = {name: place for place, name in enumerate(names)}
    origins = np.full(sum(_length(columns) for columns in transformer.output_indices_.values()), -1)
    for name, part, selected in transformer.transformers_:
        filled = transformer.output_indices_[name]
        if not _length(filled):
            continue
        inputs = _selected(transformer, selected)
        inside = _places_inside(part, len(inputs))
        if inside is None or len(inside) != _length(filled) or any(column not in places for column in inputs):
            return None
        origins[filled] = [places[inputs[place]] for place in inside]
    return origins


def _length(filled: slice) -> int:
    return int(filled.stop - filled.start)


def _selected(transformer: Any, selected: Any) -> list[str]:  # noqa: ANN401, no types there
    """Return the names of the columns that a part of a ColumnTransformer was given."""
    from sklearn.utils import _safe_indexing

    if isinstance(selected, str):
        return [selected]
    if len(selected) and all(isinstance(column, str) for column in selected):
        return list(selected)
    return list(_safe_indexing(np.asarray(transformer.feature_names_in_, dtype=object), selected))


def _places_inside(part: Any, inputs: int) -> list[int] | None:  # noqa: ANN401, no types there
    """Return for each column that a fitted transformer makes the place of the column it is made from; None if unclear.

    The transformer is asked for the names it gives, if its inputs are called by something that no category contains.
    """
    from sklearn.base import BaseEstimator

    if part == "passthrough":
        return list(range(inputs))
    renamed = copy.deepcopy(part)
    # Nothing else keeps it from taking other names than those it was fitted with.
    for step in (renamed, *renamed.get_params(deep=True).values()):
        if isinstance(step, BaseEstimator) and "feature_names_in_" in vars(step):
            del step.feature_names_in_
    try:
        made = renamed.get_feature_names_out([f"\0{place}\0" for place in range(inputs)])
    except (AttributeError, ValueError):
        return None
    found = [re.search(r"\0(\d+)\0", str(name)) for name in made]
    return [int(match[1]) for match in found if match] if all(found) else None


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
