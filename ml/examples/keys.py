"""Columns that are keys: there for SQL to join by, and nothing to learn from.

A key in a number would be compared as a number, and one in a text learned by heart. A column is taken for one by its
name and by its values; neither is enough, as a `store_id` of few values says something, and so does an amount of many.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml.models.feature import Feature
from turnout.engines import Session, identifier

if TYPE_CHECKING:
    import pyarrow as pa

    from turnout.project.examples_table import ExamplesTable

# The finding that tells of it, and by which a person says that a column is a feature all the same.
FINDING = "identifier"
# A value stands for so many entities at most; what more of them share may be a place or a kind of thing.
ENTITIES_PER_VALUE = 2
# Of fewer values nothing can be said.
MIN_VALUES = 20
# As in `customer_id`, `customerId`, `uuid`.
_NAME_OF_A_KEY = re.compile(r"(?:^|_)(?:id|uuid|guid|key|pk)$")
# A number that was made from keys, as in `count_distinct_product_id`.
_NUMBER_OF_KEYS = re.compile(r"(?:^|_)(?:count|counts|num|number|days|share|mean|total)_")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class KeyColumn:
    """A column that is like a key.

    Parameters
    ----------
    feature : Feature
        What it would be to a model.
    values, entities : int
        How many of each there are.
    is_feature : bool
        Whether a person has said that it is a feature all the same.
    """

    feature: Feature
    values: int
    entities: int
    is_feature: bool


def key_columns(
    session: Session, examples: ExamplesTable, features: Sequence[Feature], schema: pa.Schema
) -> tuple[KeyColumn, ...]:
    """Return those columns that are named like a key, and have about as many values as there are entities, or more."""
    named = [
        feature for feature in features if sounds_like_key(feature.name) and _is_whole(schema.field(feature.name).type)
    ]
    if not named:
        return ()
    counted = ", ".join(
        f"count(distinct {identifier(name)}) as count_{place}"
        for place, name in enumerate([examples.entity, *(feature.name for feature in named)])
    )
    (row,) = session.rows(f"select {counted} from {identifier(examples.schema, examples.table)}")
    entities, *counts = row.values()
    acknowledged = examples.acknowledged.get(FINDING, {})
    return tuple(
        KeyColumn(feature, values, entities, bool(acknowledged.get(feature.name)))
        for feature, values in zip(named, counts, strict=True)
        if values >= max(MIN_VALUES, entities / ENTITIES_PER_VALUE)
    )


def sounds_like_key(name: str) -> bool:
    """Return whether a column's name is that of a key.

    >>> sounds_like_key("customer_id"), sounds_like_key("customerId"), sounds_like_key("is_paid")
    (True, True, False)
    """
    words = _HUMP.sub("_", name).lower()
    return _NAME_OF_A_KEY.search(words) is not None and _NUMBER_OF_KEYS.search(words) is None


def _is_whole(data_type: pa.DataType) -> bool:
    """Return whether a column holds text or whole numbers."""
    from pyarrow import types

    if types.is_decimal(data_type):
        return bool(data_type.scale == 0)
    kinds = (types.is_integer, types.is_string, types.is_large_string, types.is_string_view, types.is_dictionary)
    return any(is_kind(data_type) for is_kind in kinds)
