"""What the examples hold, checked before anything is learned or scored.

The same SQL makes training rows and rows to score; they differ only in whether the label has matured. So
the same functions here read both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from ml.candidates import Feature
from ml.declaration import Prediction
from ml.errors import ExamplesError, did_you_mean
from ml.warehouse import Warehouse, identifier

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class Examples:
    """What a prediction's table holds.

    Parameters
    ----------
    features : tuple of Feature
        Every column that is neither entity, as-of date, label nor sensitive, in the table's order.
    as_of_dates : tuple of date
        All as-of dates, ascending.
    matured : tuple of date
        Those of them whose labels have matured, ascending.
    """

    features: tuple[Feature, ...]
    as_of_dates: tuple[date, ...]
    matured: tuple[date, ...]


def inspect(warehouse: Warehouse, prediction: Prediction) -> Examples:
    """Check a prediction's table against its declaration and say what it holds.

    Raises
    ------
    ExamplesError
        If a declared column is missing, the table is empty, a key is null or repeated, a column cannot be
        a feature, or the label is not of the task's kind.
    """
    schema = warehouse.schema_of(prediction.schema, prediction.table)
    _check_columns(prediction, schema.names)
    features = _features(prediction, schema)
    entity, as_of, label = (identifier(name) for name in (prediction.entity, prediction.as_of, prediction.label))
    dates = warehouse.query(
        f"""select
                {as_of} as as_of,
                count(*) as examples,
                count({label}) as matured,
                count({entity}) as entities,
                count(distinct {entity}) as distinct_entities
            from {_table(prediction)} group by {as_of} order by {as_of}"""
    ).to_pylist()
    if not dates:
        raise _error(prediction, "the table is empty", "there is nothing to learn from", "check what feeds it.")
    nulls = sum(row["examples"] - row["entities"] for row in dates)
    nulls += sum(row["examples"] for row in dates if row["as_of"] is None)
    repeated = [row for row in dates if row["distinct_entities"] < row["entities"]]
    if nulls or repeated:
        found = (
            f"{nulls} rows have no entity or as-of date" if nulls else f"keys repeat, first on {repeated[0]['as_of']}"
        )
        raise _error(
            prediction,
            found,
            f"one row per {prediction.entity} and {prediction.as_of}, so that no example counts twice",
            f"mend the joins of the model, and test its key: unique over [{prediction.entity}, {prediction.as_of}].",
        )
    if prediction.task == "binary":
        _check_binary_label(warehouse, prediction)
    return Examples(
        features,
        tuple(row["as_of"] for row in dates),
        tuple(row["as_of"] for row in dates if row["matured"]),
    )


def read_matured(warehouse: Warehouse, prediction: Prediction, features: Sequence[Feature]) -> pd.DataFrame:
    """Return all matured examples, by as-of date and entity.

    Returns
    -------
    DataFrame of shape (n_examples, 3 + n_features + n_sensitive)
        Entity, as-of date, label (float64), sensitive columns as they are, and the features as
        `feature_frame` makes them.
    """
    import pandas as pd

    keys = [prediction.entity, prediction.as_of, prediction.label, *prediction.sensitive]
    columns = ", ".join(identifier(name) for name in [*keys, *(feature.name for feature in features)])
    key = f"{identifier(prediction.as_of)}, {identifier(prediction.entity)}"
    table = warehouse.query(
        f"select {columns} from {_table(prediction)} where {identifier(prediction.label)} is not null order by {key}"
    )
    frame: pd.DataFrame = table.select(keys).to_pandas()
    frame[prediction.label] = frame[prediction.label].astype("float64")
    return pd.concat([frame, feature_frame(table, features)], axis=1)


def feature_frame(data: pa.Table | pa.RecordBatch, features: Sequence[Feature]) -> pd.DataFrame:
    """Return the features as every candidate expects them, in training as in scoring.

    Parameters
    ----------
    data : Table or RecordBatch of n_examples rows
        Holds at least the features' columns.

    Returns
    -------
    DataFrame of shape (n_examples, n_features)
        float64 for numeric features, nan where missing; object of str for categorical ones, None where
        missing.
    """
    import pandas as pd
    import pyarrow as pa

    columns = {}
    for feature in features:
        column = data[feature.name]
        if feature.kind == "numeric":
            columns[feature.name] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        else:
            columns[feature.name] = pd.Series(column.cast(pa.string()).to_pylist(), dtype="object")
    return pd.DataFrame(columns)


def fingerprint(frame: pd.DataFrame) -> str:
    """Return a SHA-256 over column names, row order and every value: which data a model saw."""
    import hashlib

    import pandas as pd

    digest = hashlib.sha256("\n".join(map(str, frame.columns)).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _check_columns(prediction: Prediction, columns: Sequence[str]) -> None:
    roles = {"entity": prediction.entity, "as_of": prediction.as_of, "label": prediction.label}
    named = [*roles.items(), *(("sensitive", name) for name in prediction.sensitive)]
    for role, name in named:
        if name not in columns:
            raise _error(
                prediction,
                f"there is no column '{name}', which is declared as '{role}'.{did_you_mean(name, columns)}",
                "the declaration names columns of its own table",
                "select the column in the model, or correct the declaration.",
            )


def _features(prediction: Prediction, schema: pa.Schema) -> tuple[Feature, ...]:
    from pyarrow import types

    numeric = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)
    text = (types.is_string, types.is_large_string, types.is_string_view, types.is_dictionary)
    reserved = {prediction.entity, prediction.as_of, prediction.label, *prediction.sensitive}
    features = []
    for field in schema:
        if field.name in reserved:
            continue
        if any(is_kind(field.type) for is_kind in numeric):
            features.append(Feature(field.name, "numeric"))
        elif any(is_kind(field.type) for is_kind in text):
            features.append(Feature(field.name, "categorical"))
        else:
            raise _error(
                prediction,
                f"the column '{field.name}' is of type {field.type}",
                "a feature is a number, a truth value or text",
                f"turn '{field.name}' into one in SQL (for a date: days before {prediction.as_of}), or leave it out.",
            )
    if not features:
        raise _error(
            prediction,
            "there is no feature",
            "a model learns from features",
            "select at least one more column.",
        )
    return tuple(features)


def _check_binary_label(warehouse: Warehouse, prediction: Prediction) -> None:
    label = identifier(prediction.label)
    values = warehouse.query(
        f"select distinct {label} as value from {_table(prediction)} where {label} is not null order by 1 limit 3"
    )["value"].to_pylist()
    if any(value not in {0, 1} for value in values):
        raise _error(
            prediction,
            f"the label '{prediction.label}' has values such as {', '.join(map(repr, values))}",
            "the label of a binary prediction is 0 or 1, false or true, or null until it has matured",
            "change the label in the model, or declare 'task: regression'.",
        )
    if len(values) == 1:
        raise one_class(prediction, values[0], "of all matured examples")


def one_class(prediction: Prediction, value: object, which: str) -> ExamplesError:
    """Return the error for a binary label that never varies."""
    return _error(
        prediction,
        f"the label '{prediction.label}' is {value!r} in each {which}",
        "a binary prediction needs examples of both outcomes",
        "check the SQL of the label; if it is right, widen the horizon or the population, or load more history.",
    )


def _table(prediction: Prediction) -> str:
    return identifier(prediction.schema, prediction.table)


def _error(prediction: Prediction, found: str, rule: str, remedy: str) -> ExamplesError:
    return ExamplesError(
        f"Examples of '{prediction.name}': {found.rstrip('.')}.",
        where=f"table {prediction.schema}.{prediction.table}, declared in {prediction.where}",
        rule=f"{rule}.",
        remedy=remedy,
    )
