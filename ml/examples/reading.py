"""The examples as frames, the same for training and scoring.

The same SQL makes training rows and rows to score; they differ only in whether the label has matured. So
the same functions here read both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from ml.declaration import Prediction
from ml.examples.inspection import is_date, mistake, table_of
from ml.examples.plausibility import require_plausible
from ml.examples.split import day_of
from ml.models.feature import Feature
from turnout.dealing import is_one_in
from turnout.engines import QueryError, Session, identifier
from turnout.project.examples_table import ExamplesTable

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from ml.examples.split import Split

# The column that says whether an example is among those that are learned from.
SAMPLED = "(sampled)"
# More examples make intervals hardly narrower, and so many still get all resamples.
JUDGED = 200_000


@dataclass(frozen=True)
class Thinning:
    """How often the entities are halved where there are more examples than are wanted; 0 takes all of them.

    Parameters
    ----------
    learned : int
        Of the examples before the holdout.
    judged : int
        Of those in it: never oftener.
    """

    learned: int = 0
    judged: int = 0


def thinning_of(
    session: Session, prediction: Prediction, *, split: Split | None = None, until: date | None = None
) -> Thinning:
    """Return how often `read_matured`, whose parameters these are, halves the entities."""
    is_judged = _is_judged(prediction, split)
    (counted,) = session.rows(
        f"""select
                count(*) filter (where not ({is_judged})) as learned,
                count(*) filter (where {is_judged}) as judged
            from {table_of(prediction.examples)} where {_matured(prediction.examples, until)}"""
    )
    wanted = prediction.split.sample
    learned, judged = (
        max(0, math.ceil(math.log2(max(count, 1) / most)))
        for count, most in ((counted["learned"], wanted), (counted["judged"], max(wanted, JUDGED)))
    )
    return Thinning(learned, min(learned, judged))


def read_matured(
    session: Session,
    prediction: Prediction,
    features: Sequence[Feature],
    *,
    split: Split | None = None,
    until: date | None = None,
) -> pd.DataFrame:
    """Return the matured examples, by as-of date and entity.

    If those before the holdout are more than declared, one in so many entities is taken there, always the same ones. In
    the holdout only as many are left out as its intervals can do without.

    Parameters
    ----------
    split : Split, optional
        What the holdout is. Default: there is none, and the declared number holds for all examples.
    until : date, optional
        The last as-of date to read; the sample is the one that was taken when it was the last.

    Returns
    -------
    DataFrame of shape (n_examples, 4 + n_features + n_grouping + n_slices)
        Entity, as-of date, label (float64), sensitive columns and that of unseen groups as they are, and the features
        as `feature_frame` makes them; for each declared slice, a column `slice_column(name)` of truth values; and
        `SAMPLED`, whether the example is among those that are learned from, were it not in the holdout.

    Raises
    ------
    ExamplesError
        If the condition of a slice is none, or nobody can believe the labels; see `ml.examples.plausibility`.
    """
    import pandas as pd

    examples = prediction.examples
    require_plausible(session, prediction, until)
    keys = [examples.entity, examples.as_of, examples.label, *prediction.groups.columns]
    group = prediction.split.group
    if group is not None and group not in {*keys, *(feature.name for feature in features)}:
        keys.append(group)  # it divides, and is no feature
    columns = ", ".join(identifier(name) for name in [*keys, *(feature.name for feature in features)])
    slices = _check_slices(session, examples, prediction.groups.slices)
    key = f"{identifier(examples.as_of)}, {identifier(examples.entity)}"
    matured, is_judged = _matured(examples, until), _is_judged(prediction, split)
    thinning = thinning_of(session, prediction, split=split, until=until)
    conditions = {**slices, SAMPLED: _is_one_in(examples, thinning.learned)}
    computed = "".join(
        f", coalesce({condition}, false) as {identifier(name)}" for name, condition in conditions.items()
    )
    taken = f"case when {is_judged} then {_is_one_in(examples, thinning.judged)} else {conditions[SAMPLED]} end"
    table = session.table(
        f"""select {columns}{computed}
            from {table_of(examples)} where {matured} and {taken} order by {key}"""
    )
    frame: pd.DataFrame = table.select(keys).to_pandas()
    frame[examples.label] = frame[examples.label].astype("float64")
    parts = [frame, feature_frame(table, features, examples.as_of), table.select([*slices, SAMPLED]).to_pandas()]
    read: pd.DataFrame = pd.concat(parts, axis=1)
    return read


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
        if is_date(column.type):
            columns[feature.name] = _days(data[as_of]) - _days(column)
        elif not feature.is_category:
            # Integers beyond 2^53 are rounded to the nearest float, as every estimator would.
            columns[feature.name] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        else:
            columns[feature.name] = pd.Series(column.cast(pa.string()).to_pylist(), dtype="object")
    return pd.DataFrame(columns)


def data_fingerprint(examples: ExamplesTable, features: Sequence[Feature], matured: pd.DataFrame) -> str:
    """Return the fingerprint of what a model learns from: key, label and features.

    Columns that are only reported by, such as sensitive ones and slices, do not count.

    Parameters
    ----------
    matured : DataFrame of shape (n_examples, n_columns)
        As `read_matured` reads them.
    """
    keys = [examples.entity, examples.as_of, examples.label]
    return fingerprint(matured[[*keys, *(feature.name for feature in features)]])


def fingerprint(frame: pd.DataFrame) -> str:
    """Return a SHA-256 over column names, row order and every value: which data a model saw."""
    import hashlib

    import pandas as pd

    digest = hashlib.sha256("\n".join(map(str, frame.columns)).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _matured(examples: ExamplesTable, until: date | None) -> str:
    """Return the condition of the matured examples."""
    matured = f"{identifier(examples.label)} is not null"
    return matured if until is None else f"{matured} and {identifier(examples.as_of)} <= date '{until.isoformat()}'"


def _is_judged(prediction: Prediction, split: Split | None) -> str:
    """Return the condition of the as-of dates that judge and are not learned from."""
    if split is None or not prediction.split.is_by_time:
        return "false"
    return f"{identifier(prediction.examples.as_of)} >= date '{day_of(split.holdout[0]).isoformat()}'"


def _is_one_in(examples: ExamplesTable, halvings: int) -> str:
    """Return the condition of the examples of every 2nd, 4th, 8th … entity; of all without a halving."""
    return is_one_in(f"cast({identifier(examples.entity)} as string)", halvings)


def _check_slices(session: Session, examples: ExamplesTable, slices: Mapping[str, str]) -> dict[str, str]:
    """Return the condition of each declared slice, by the column that it becomes."""
    for name, condition in slices.items():
        try:
            session.require_expression(condition)
            session.table(f"select {identifier(examples.as_of)} from {table_of(examples)} where ({condition}) limit 0")
        except QueryError as error:
            raise mistake(
                examples,
                f"the slice '{name}' is no condition: {error}",
                "a slice is a condition in SQL over the columns of the model, true for the examples in it",
                f"correct 'slices.{name}', such as: days_since_first_order < 28.",
            ) from error
    return {slice_column(name): f"({condition})" for name, condition in slices.items()}


def _days(column: pa.Array | pa.ChunkedArray) -> Any:  # noqa: ANN401 - an ndarray of float64
    """Return days since 1970; nan where missing."""
    import numpy as np
    import pyarrow as pa

    moments = column.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
    return np.where(np.isnat(moments), np.nan, moments.astype("int64") / 86_400e6)
