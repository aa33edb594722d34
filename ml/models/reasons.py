"""Why a score is what it is, in words: the three features that moved it most, with their values and effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ml.models.contributions import Matrix
from ml.models.feature import Feature
from ml.models.feature_mapping import Array

if TYPE_CHECKING:
    import pyarrow as pa

# How many features a score is explained by.
PLACES = 3
# A feature that moved a score by less than this share of what moved it most has not moved it: sums of floats differ
# from zero in their last bits, and XGBoost's are of single precision.
NOTHING = 1e-6
SIGNIFICANT_DIGITS = 3

RAISES = ", which raises the score"
LOWERS = ", which lowers the score"
UNKNOWN = "not known"


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
    # All places of all rows, one after the other, in order by feature: each is written in one go, then put back.
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
    reasons_there, names_there, values_there = (
        pa.concat_arrays([*column, nothing]).take(pa.array(back)) for column in (words, names, values)
    )
    columns = []
    for place in range(PLACES):
        here = slice(place * rows, (place + 1) * rows)
        effect = pa.array(effects[place], mask=chosen[place] == len(features))
        columns += [reasons_there[here], names_there[here], values_there[here], effect]
    return columns


def shown_values(column: pa.Array) -> pa.Array:
    """Return values as a reader sees them; null where there is none.

    Whole numbers are whole, others have three significant digits; thousands are set apart by commas. Truth values are
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
    """Return whole numbers as they are, and others with so many significant digits, but none of the whole part lost."""
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
