"""What the examples hold, checked before anything is learned or scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from ml.declaration import Prediction, ReportedGroups
from ml.examples.keys import KeyColumn, key_columns
from ml.models.feature import Feature
from turnout.engines import Session, identifier
from turnout.errors import ExamplesError, did_you_mean
from turnout.project.examples_table import ExamplesTable

if TYPE_CHECKING:
    import pyarrow as pa

    from ml.tasks.task import Problem

# In SQL; no engine's word for "is infinite" is known to all.
INFINITY = "cast('infinity' as double)"
# The largest number of single precision, which some estimators count in.
LARGEST = 3.4e38
# The days of the calendar that every library knows.
FIRST_DAY, LAST_DAY = "0001-01-01", "9999-12-31"


@dataclass(frozen=True)
class Examples:
    """What a prediction's table holds.

    Parameters
    ----------
    features : tuple of Feature
        Every column that is neither entity, as-of date, label, sensitive, that of unseen groups, ignored nor a key, in
        the table's order.
    as_of_dates : tuple of date
        All as-of dates, ascending.
    matured : tuple of date
        Those of them whose labels have matured, ascending.
    keys : tuple of KeyColumn
        The columns that are like a key; those of them that a person has declared to be a feature are one.
    """

    features: tuple[Feature, ...]
    as_of_dates: tuple[date, ...]
    matured: tuple[date, ...]
    keys: tuple[KeyColumn, ...] = ()

    @property
    def left_out(self) -> tuple[Feature, ...]:
        """What would be a feature, were it not a key."""
        return tuple(key.feature for key in self.keys if not key.is_feature)

    @property
    def all_features(self) -> tuple[Feature, ...]:
        """What a model may need that was trained before: whether a column is a key can change with its values."""
        return (*self.features, *self.left_out)


def inspect(session: Session, prediction: Prediction) -> Examples:
    """Check a prediction's table against its declaration and say what it holds.

    Raises
    ------
    ExamplesError
        If a declared column is missing, the table is empty, a key is null or repeated, a column cannot be
        a feature, or the label is not of the task's kind.
    """
    import pyarrow as pa

    examples, groups = prediction.examples, prediction.groups
    schema = session.columns_of(examples.schema, examples.table)
    _check_columns(prediction, schema.names)
    # What is ignored may be anything: no model sees it.
    schema = pa.schema([field for field in schema if field.name not in prediction.ignored])
    possible = _features(examples, groups, schema)
    keys = key_columns(session, examples, possible, schema)
    left_out = {key.feature for key in keys if not key.is_feature}
    features = tuple(feature for feature in possible if feature not in left_out)
    if not features:
        raise mistake(
            examples,
            f"there is no feature{f', as {_listed(left_out)} is a key' if left_out else ''}",
            "a model learns from features",
            "select at least one more column.",
        )
    _check_kinds(examples, schema)
    _check_values(session, examples, groups, schema)
    table = table_of(examples)
    entity, as_of, label = (identifier(name) for name in (examples.entity, examples.as_of, examples.label))
    dates = session.rows(
        f"""select
                {as_of} as as_of,
                count(*) as examples,
                count({label}) as matured,
                count({entity}) as entities,
                count(distinct {entity}) as distinct_entities
            from {table} group by {as_of} order by {as_of}"""
    )
    if not dates:
        raise mistake(examples, "the table is empty", "there is nothing to learn from", "check what feeds it.")
    nulls = sum(row["examples"] - row["entities"] for row in dates)
    nulls += sum(row["examples"] for row in dates if row["as_of"] is None)
    repeated = [row for row in dates if row["distinct_entities"] < row["entities"]]
    if nulls or repeated:
        found = (
            f"{nulls} rows have no entity or as-of date" if nulls else f"keys repeat, first on {repeated[0]['as_of']}"
        )
        raise mistake(
            examples,
            found,
            f"one row per {examples.entity} and {examples.as_of}, so that no example counts twice",
            f"mend the joins of the model, and test its key: unique over [{examples.entity}, {examples.as_of}].",
        )
    if problem := prediction.task.label_problem(session, table, examples.label):
        raise unlearnable(examples, problem)
    return Examples(
        features,
        tuple(row["as_of"] for row in dates),
        tuple(row["as_of"] for row in dates if row["matured"]),
        keys,
    )


def missing_features(needed: Sequence[Feature], held: Sequence[Feature]) -> str:
    """Return in words which features a model needs that the examples do not hold, or an empty string."""
    kinds = {feature.name: feature.kind for feature in held}
    absent = [
        f"'{feature.name}' ({feature.kind}{f', and it is {kinds[feature.name]} now' if feature.name in kinds else ''})"
        for feature in needed
        if feature not in held
    ]
    return f"it needs {', '.join(absent)}" if absent else ""


def unlearnable(examples: ExamplesTable, problem: Problem) -> ExamplesError:
    """Return the error for labels that cannot be learned from."""
    return mistake(examples, problem.found, problem.rule, problem.remedy)


def mistake(examples: ExamplesTable, found: str, rule: str, remedy: str) -> ExamplesError:
    """Return the error for examples that break a promise."""
    return ExamplesError(
        f"Examples of '{examples.name}': {found.rstrip('.')}.",
        where=f"table {examples.schema}.{examples.table}, declared in {examples.where}",
        rule=f"{rule}.",
        remedy=remedy,
    )


def table_of(examples: ExamplesTable) -> str:
    """Return the table of examples, as SQL names it."""
    return identifier(examples.schema, examples.table)


def is_date(data_type: pa.DataType) -> bool:
    """Return whether a column holds dates or moments."""
    from pyarrow import types

    return bool(types.is_date(data_type) or types.is_timestamp(data_type))


def _check_columns(prediction: Prediction, columns: Sequence[str]) -> None:
    examples, groups = prediction.examples, prediction.groups
    roles = {"entity": examples.entity, "as_of": examples.as_of, "label": examples.label}
    named = [*roles.items(), *(("sensitive", name) for name in groups.sensitive)]
    named += [] if groups.unseen_groups is None else [("unseen_groups", groups.unseen_groups)]
    named += [("label.expect.by", name) for name in prediction.expected.by]
    named += [("ignore", name) for name in prediction.ignored]
    for role, name in named:
        if name not in columns:
            raise mistake(
                examples,
                f"there is no column '{name}', which is declared as '{role}'.{did_you_mean(name, columns)}",
                "the declaration names columns of its own table",
                "select the column in the model, or correct the declaration.",
            )


def _listed(features: Iterable[Feature]) -> str:
    return ", ".join(f"'{feature.name}'" for feature in features)


def _features(examples: ExamplesTable, groups: ReportedGroups, schema: pa.Schema) -> tuple[Feature, ...]:
    from pyarrow import types

    text = (types.is_string, types.is_large_string, types.is_string_view, types.is_dictionary)
    reserved = {examples.entity, examples.as_of, examples.label, *groups.columns}
    features = []
    for field in schema:
        if field.name in reserved:
            continue
        if is_date(field.type):
            features.append(Feature(field.name, "date"))
        elif types.is_boolean(field.type):
            features.append(Feature(field.name, "boolean"))
        elif any(is_kind(field.type) for is_kind in _numeric()):
            features.append(Feature(field.name, "numeric"))
        elif any(is_kind(field.type) for is_kind in text):
            features.append(Feature(field.name, "categorical"))
        else:
            raise mistake(
                examples,
                f"the column '{field.name}' is of type {field.type}",
                "a feature is a number, a truth value, a date or text",
                f"turn '{field.name}' into one in SQL, or leave it out.",
            )
    return tuple(features)


def _check_kinds(examples: ExamplesTable, schema: pa.Schema) -> None:
    from pyarrow import types

    as_of, label = schema.field(examples.as_of).type, schema.field(examples.label).type
    if not is_date(as_of):
        raise mistake(
            examples,
            f"the as-of date '{examples.as_of}' is of type {as_of}",
            "an as-of date is a date",
            f"cast '{examples.as_of}' to date in the model.",
        )
    if not any(is_kind(label) for is_kind in (*_numeric(), types.is_null)):
        raise mistake(
            examples,
            f"the label '{examples.label}' is of type {label}",
            "a label is a number or a truth value",
            f"turn '{examples.label}' into one in the model.",
        )


def _check_values(session: Session, examples: ExamplesTable, groups: ReportedGroups, schema: pa.Schema) -> None:
    """Refuse an as-of date with a time of day, what no estimator or no calendar can hold, and a label that is nan."""
    from pyarrow import types

    used = [field for field in schema if field.name not in groups.columns]
    floats = [field for field in used if types.is_floating(field.type)]
    as_of, label = identifier(examples.as_of), identifier(examples.label)
    counts = {f"'{examples.as_of}' has a time of day": f"{as_of} <> cast({as_of} as date)"}
    for field in floats:
        column = identifier(field.name)
        counts[f"'{field.name}' is infinite"] = f"abs({column}) = {INFINITY}"
        counts[f"'{field.name}' is beyond {LARGEST:.1e}, which not every estimator can hold,"] = (
            f"not isnan({column}) and abs({column}) > {LARGEST} and abs({column}) < {INFINITY}"
        )
    for field in used:
        if is_date(field.type):
            counts[f"'{field.name}' lies outside the years 1 to 9999, or is infinite,"] = (
                f"cast({identifier(field.name)} as date) not between date '{FIRST_DAY}' and date '{LAST_DAY}'"
            )
    if any(field.name == examples.label for field in floats):
        counts[f"'{examples.label}' is not a number (nan, which is not null)"] = f"isnan({label})"
    columns = ", ".join(
        f"count(*) filter (where {condition}) as count_{place}" for place, condition in enumerate(counts.values())
    )
    (row,) = session.rows(f"select {columns} from {table_of(examples)}")
    for found, count in zip(counts, row.values(), strict=True):
        if count:
            raise mistake(
                examples,
                f"{found} in {count} rows",
                "as-of dates are whole days, and values are finite numbers and dates of the calendar, or null",
                "mend it in the model; a division by zero becomes null with nullif(divisor, 0), and so does a date or "
                "a number that stands for none.",
            )


def _numeric() -> tuple[Callable[[pa.DataType], bool], ...]:
    from pyarrow import types

    return (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)
