"""How a table is said once: columns from a dataclass; what the warehouse is to refuse, and dbt's YAML, follow.

A field of the dataclass is a column. Its type says what a value is, and whether there may be none; `Annotated` adds the
words that describe it, and what else holds of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from turnout.engines import identifier, literal

TYPES: dict[Any, str] = {
    str: "varchar",
    bool: "boolean",
    int: "integer",
    float: "double",
    date: "date",
    datetime: "timestamp",
    tuple[str, ...]: "varchar[]",
}


@dataclass(frozen=True)
class Stored:
    """The SQL type of a column, where it is not the usual one of what Python holds."""

    data_type: str


@dataclass(frozen=True)
class Between:
    """The least and the most that a number may be; None where there is no end."""

    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class Lacking:
    """That a row may lack the value although Python always has one, and why."""

    why: str


BIGINT = Stored("bigint")
# Python holds an object, whose text stands in the table.
JSON = Stored("varchar")
UNDEFINED = Lacking("where it is undefined")
LATER = Lacking("in rows of earlier releases")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    name, data_type : str
        In the words of SQL.
    words : str
        What it holds.
    is_nullable : bool
        Whether there may be no value.
    values : tuple of str
        All that it may hold; empty if it may hold anything.
    between : Between
        Where its numbers lie.
    """

    name: str
    data_type: str
    words: str
    is_nullable: bool = False
    values: tuple[str, ...] = ()
    between: Between = Between()

    @property
    def checks(self) -> Iterator[str]:
        """What holds of it in every row, as conditions in SQL."""
        name = identifier(self.name)
        if not self.is_nullable:
            yield f"{name} is not null"
        if self.values:
            yield f"{name} in ({', '.join(map(literal, self.values))})"
        if self.between.least is not None:
            yield f"{name} >= {self.between.least:g}"
        if self.between.most is not None:
            yield f"{name} <= {self.between.most:g}"


@dataclass(frozen=True)
class Relationship:
    """That columns of a table are the key of a row in another, which other steps write: dbt tests it.

    Parameters
    ----------
    name : str
        Of dbt's test.
    columns : tuple of str
        In both tables.
    to : str
        The other table, as dbt refers to it.
    blocks : str
        The dbt model that is not built if the test fails.
    where : str
        A condition in SQL which the tested rows meet; empty for all rows.
    """

    name: str
    columns: tuple[str, ...]
    to: str
    blocks: str
    where: str = ""


@dataclass(frozen=True)
class Table:
    """A table that Python writes.

    Parameters
    ----------
    name : str
        Its name in its schema.
    words : str
        What it holds; the last sentence says what a row is.
    columns : tuple of Column
        In their order.
    key : tuple of str
        Columns whose values together occur once. The warehouse refuses a second such row, unless `is_key_enforced` is
        false: then whoever writes the table takes care of it.
    checks : tuple of str
        What else holds in every row, as conditions in SQL.
    relationships : tuple of Relationship
        Where rows belong to rows of another table.
    is_shown : bool
        Whether dbt knows it as a source, and Dagster as an asset.
    """

    name: str
    words: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    is_key_enforced: bool = True
    checks: tuple[str, ...] = ()
    relationships: tuple[Relationship, ...] = field(default=())
    is_shown: bool = True

    @property
    def types(self) -> dict[str, str]:
        """SQL type by column."""
        return {column.name: column.data_type for column in self.columns}

    @property
    def constraints(self) -> tuple[str, ...]:
        """What the warehouse is to refuse, in the words of SQL."""
        key = [f"primary key ({', '.join(map(identifier, self.key))})"] if self.is_key_enforced else []
        held = [
            check
            for column in self.columns
            for check in (replace(column, is_nullable=True) if key and column.name in self.key else column).checks
        ]
        return (*key, *(f"check ({check})" for check in (*held, *self.checks)))


def columns_of(*parts: type) -> tuple[Column, ...]:
    """Return the columns that the fields of dataclasses are, one class after the other.

    Raises
    ------
    TypeError
        If a field has no words, or a type that no column has.
    """
    return tuple(
        _column(declared.name, get_type_hints(part, include_extras=True)[declared.name])
        for part in parts
        for declared in fields(part)
    )


def _column(name: str, annotated: Any) -> Column:  # noqa: ANN401 - what stands behind a field's colon
    if get_origin(annotated) is not Annotated:
        raise TypeError(f"the column {name} is not described: Annotated[{annotated}, 'words']")
    hint, words, *said = get_args(annotated)
    is_nullable = any(isinstance(one, Lacking) for one in said)
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (one for one in get_args(hint) if one is not type(None))
        is_nullable = True
    values: tuple[str, ...] = get_args(hint) if get_origin(hint) is Literal else ()
    stored = next((one.data_type for one in said if isinstance(one, Stored)), "") or TYPES.get(str if values else hint)
    if stored is None:
        raise TypeError(f"the column {name} is a {hint}, which no column is")
    between = next((one for one in said if isinstance(one, Between)), Between())
    lacking = "".join(f" Null {one.why}." for one in said if isinstance(one, Lacking))
    return Column(name, stored, words + lacking, is_nullable, values, between)
