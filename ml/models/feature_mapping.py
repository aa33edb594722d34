"""From which feature each column comes that an estimator sees, after a fitted pipeline's preprocessing."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.models.feature import Feature

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Array = np.ndarray[Any, np.dtype[Any]]


def source_features(pipeline: Pipeline, features: Sequence[Feature]) -> Array | None:
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
