"""What the examples hold, checked before anything is learned or scored.

The same SQL makes training rows and rows to score; they differ only in whether the label has matured. So
the same functions here read both.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from ml.declaration import Prediction
from ml.models.feature import Feature
from turnout.dealing import is_one_in
from turnout.engines import QueryError, Session, identifier
from turnout.errors import ExamplesError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

logger = logging.getLogger(__name__)

# In SQL; no engine's word for "is infinite" is known to all.
INFINITY = "cast('infinity' as double)"


@dataclass(frozen=True)
class Examples:
    """What a prediction's table holds.

    Parameters
    ----------
    features : tuple of Feature
        Every column that is neither entity, as-of date, label, sensitive nor that of unseen groups, in the table's
        order.
    as_of_dates : tuple of date
        All as-of dates, ascending.
    matured : tuple of date
        Those of them whose labels have matured, ascending.
    """

    features: tuple[Feature, ...]
    as_of_dates: tuple[date, ...]
    matured: tuple[date, ...]


def inspect(session: Session, prediction: Prediction) -> Examples:
    """Check a prediction's table against its declaration and say what it holds.

    Raises
    ------
    ExamplesError
        If a declared column is missing, the table is empty, a key is null or repeated, a column cannot be
        a feature, or the label is not of the task's kind.
    """
    schema = session.columns_of(prediction.schema, prediction.table)
    _check_columns(prediction, schema.names)
    features = _features(prediction, schema)
    _check_kinds(prediction, schema)
    _check_values(session, prediction, schema)
    entity, as_of, label = (identifier(name) for name in (prediction.entity, prediction.as_of, prediction.label))
    dates = session.rows(
        f"""select
                {as_of} as as_of,
                count(*) as examples,
                count({label}) as matured,
                count({entity}) as entities,
                count(distinct {entity}) as distinct_entities
            from {_table(prediction)} group by {as_of} order by {as_of}"""
    )
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
        _check_binary_label(session, prediction)
    return Examples(
        features,
        tuple(row["as_of"] for row in dates),
        tuple(row["as_of"] for row in dates if row["matured"]),
    )


def read_matured(
    session: Session, prediction: Prediction, features: Sequence[Feature], until: date | None = None
) -> pd.DataFrame:
    """Return the matured examples, by as-of date and entity; a sample of entities if they are more than declared.

    Parameters
    ----------
    until : date, optional
        The last as-of date to read; the sample is the one that was taken when it was the last.

    Returns
    -------
    DataFrame of shape (n_examples, 3 + n_features + n_grouping + n_slices)
        Entity, as-of date, label (float64), sensitive columns and that of unseen groups as they are, and the features
        as `feature_frame` makes them; for each declared slice, a column `slice_column(name)` of truth values.

    Raises
    ------
    ExamplesError
        If the condition of a slice is none.
    """
    import pandas as pd

    keys = [prediction.entity, prediction.as_of, prediction.label, *prediction.grouping]
    columns = ", ".join(identifier(name) for name in [*keys, *(feature.name for feature in features)])
    slices = _check_slices(session, prediction)
    conditions = "".join(f", coalesce({condition}, false) as {identifier(name)}" for name, condition in slices.items())
    key = f"{identifier(prediction.as_of)}, {identifier(prediction.entity)}"
    table = session.table(
        f"""select {columns}{conditions}
            from {_table(prediction)} where {_sampled(session, prediction, until)} order by {key}"""
    )
    frame: pd.DataFrame = table.select(keys).to_pandas()
    frame[prediction.label] = frame[prediction.label].astype("float64")
    parts = [frame, feature_frame(table, features, prediction.as_of), table.select(list(slices)).to_pandas()]
    examples: pd.DataFrame = pd.concat(parts, axis=1)
    return examples


def _sampled(session: Session, prediction: Prediction, until: date | None) -> str:
    """Return the condition of the matured examples to read: all of them, or those of every 2nd, 4th, 8th … entity."""
    matured = f"{identifier(prediction.label)} is not null"
    if until is not None:
        matured += f" and {identifier(prediction.as_of)} <= date '{until.isoformat()}'"
    (counted,) = session.rows(f"select count(*) as examples from {_table(prediction)} where {matured}")
    count = counted["examples"]
    halvings = max(0, math.ceil(math.log2(max(count, 1) / prediction.sample)))
    if not halvings:
        return matured
    logger.info("%s: learns from one in %d entities, of %d examples", prediction.name, 2**halvings, count)
    return f"{matured} and {is_one_in(f'cast({identifier(prediction.entity)} as string)', halvings)}"


def missing_features(needed: Sequence[Feature], held: Sequence[Feature]) -> str:
    """Return in words which features a model needs that the examples do not hold, or an empty string."""
    absent = [f"'{feature.name}' ({feature.kind})" for feature in needed if feature not in held]
    return f"it needs {', '.join(absent)}" if absent else ""


def slice_column(name: str) -> str:
    """Return the column of `read_matured` that says whether an example is in a slice."""
    return f"(slice) {name}"


def feature_frame(data: pa.Table | pa.RecordBatch, features: Sequence[Feature], as_of: str) -> pd.DataFrame:
    """Return the features as every candidate expects them, in training as in scoring.

    Nothing is learned here: a date becomes the days from it to the example's own as-of date.

    Parameters
    ----------
    data : Table or RecordBatch of n_examples rows
        Holds at least the features' columns and the as-of date.
    as_of : str
        The column of the as-of date.

    Returns
    -------
    DataFrame of shape (n_examples, n_features)
        float64 for numeric features, nan where missing; for dates days, positive if they lie before the as-of date;
        object of str for categorical ones, None where missing.
    """
    import pandas as pd
    import pyarrow as pa

    columns = {}
    for feature in features:
        column = data[feature.name]
        if _is_date(column.type):
            columns[feature.name] = _days(data[as_of]) - _days(column)
        elif feature.kind == "numeric":
            # Integers beyond 2^53 are rounded to the nearest float, as every estimator would.
            columns[feature.name] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        else:
            columns[feature.name] = pd.Series(column.cast(pa.string()).to_pylist(), dtype="object")
    return pd.DataFrame(columns)


def data_fingerprint(prediction: Prediction, features: Sequence[Feature], examples: pd.DataFrame) -> str:
    """Return the fingerprint of what a model learns from: key, label and features.

    Columns that are only reported by, such as sensitive ones and slices, do not count.

    Parameters
    ----------
    examples : DataFrame of shape (n_examples, n_columns)
        As `read_matured` reads them.
    """
    keys = [prediction.entity, prediction.as_of, prediction.label]
    return fingerprint(examples[[*keys, *(feature.name for feature in features)]])


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
    named += [] if prediction.unseen_groups is None else [("unseen_groups", prediction.unseen_groups)]
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

    numeric = _numeric()
    text = (types.is_string, types.is_large_string, types.is_string_view, types.is_dictionary)
    reserved = {prediction.entity, prediction.as_of, prediction.label, *prediction.grouping}
    features = []
    for field in schema:
        if field.name in reserved:
            continue
        if any(is_kind(field.type) for is_kind in numeric) or _is_date(field.type):
            features.append(Feature(field.name, "numeric"))
        elif any(is_kind(field.type) for is_kind in text):
            features.append(Feature(field.name, "categorical"))
        else:
            raise _error(
                prediction,
                f"the column '{field.name}' is of type {field.type}",
                "a feature is a number, a truth value, a date or text",
                f"turn '{field.name}' into one in SQL, or leave it out.",
            )
    if not features:
        raise _error(
            prediction,
            "there is no feature",
            "a model learns from features",
            "select at least one more column.",
        )
    return tuple(features)


def _check_slices(session: Session, prediction: Prediction) -> dict[str, str]:
    """Return the condition of each declared slice, by the column that it becomes."""
    for name, condition in prediction.slices.items():
        try:
            session.table(
                f"select {identifier(prediction.as_of)} from {_table(prediction)} where ({condition}) limit 0"
            )
        except QueryError as error:
            raise _error(
                prediction,
                f"the slice '{name}' is no condition: {error}",
                "a slice is a condition in SQL over the columns of the model, true for the examples in it",
                f"correct 'slices.{name}', such as: days_since_first_order < 28.",
            ) from error
    return {slice_column(name): f"({condition})" for name, condition in prediction.slices.items()}


def _days(column: pa.Array | pa.ChunkedArray) -> Any:  # noqa: ANN401 - an ndarray of float64
    """Return days since 1970; nan where missing."""
    import numpy as np
    import pyarrow as pa

    moments = column.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
    return np.where(np.isnat(moments), np.nan, moments.astype("int64") / 86_400e6)


def _is_date(data_type: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_date(data_type) or types.is_timestamp(data_type))


def _check_kinds(prediction: Prediction, schema: pa.Schema) -> None:
    from pyarrow import types

    as_of, label = schema.field(prediction.as_of).type, schema.field(prediction.label).type
    if not (types.is_date(as_of) or types.is_timestamp(as_of)):
        raise _error(
            prediction,
            f"the as-of date '{prediction.as_of}' is of type {as_of}",
            "an as-of date is a date",
            f"cast '{prediction.as_of}' to date in the model.",
        )
    if not any(is_kind(label) for is_kind in (*_numeric(), types.is_null)):
        raise _error(
            prediction,
            f"the label '{prediction.label}' is of type {label}",
            "a label is a number or a truth value",
            f"turn '{prediction.label}' into one in the model.",
        )


def _check_values(session: Session, prediction: Prediction, schema: pa.Schema) -> None:
    """Refuse an as-of date with a time of day, an infinite value, and a label that is not a number."""
    from pyarrow import types

    used = [field for field in schema if field.name not in prediction.grouping and types.is_floating(field.type)]
    as_of, label = identifier(prediction.as_of), identifier(prediction.label)
    counts = {f"'{prediction.as_of}' has a time of day": f"{as_of} <> cast({as_of} as date)"}
    counts |= {f"'{field.name}' is infinite": f"abs({identifier(field.name)}) = {INFINITY}" for field in used}
    if any(field.name == prediction.label for field in used):
        counts[f"'{prediction.label}' is not a number (nan, which is not null)"] = f"isnan({label})"
    columns = ", ".join(
        f"count(*) filter (where {condition}) as count_{place}" for place, condition in enumerate(counts.values())
    )
    (row,) = session.rows(f"select {columns} from {_table(prediction)}")
    for found, count in zip(counts, row.values(), strict=True):
        if count:
            raise _error(
                prediction,
                f"{found} in {count} rows",
                "as-of dates are whole days, and values are finite numbers or null",
                "mend it in the model; a division by zero becomes null with nullif(divisor, 0).",
            )


def _check_binary_label(session: Session, prediction: Prediction) -> None:
    label = identifier(prediction.label)
    rows = session.rows(
        f"select distinct {label} as value from {_table(prediction)} where {label} is not null order by value limit 3"
    )
    values = [row["value"] for row in rows]
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


def _numeric() -> tuple[Callable[[pa.DataType], bool], ...]:
    from pyarrow import types

    return (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)


def _table(prediction: Prediction) -> str:
    return identifier(prediction.schema, prediction.table)


def _error(prediction: Prediction, found: str, rule: str, remedy: str) -> ExamplesError:
    return ExamplesError(
        f"Examples of '{prediction.name}': {found.rstrip('.')}.",
        where=f"table {prediction.schema}.{prediction.table}, declared in {prediction.where}",
        rule=f"{rule}.",
        remedy=remedy,
    )
