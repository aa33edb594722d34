"""What a publication tells of itself, in tables beside the marts: what it is, how fresh, and which checks it passed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from turnout.advice import Action, Advice
from turnout.engines import identifier
from turnout.engines.duckdb import is_locked
from turnout.errors import TurnoutError

if TYPE_CHECKING:
    import duckdb

# No mart may be called like these.
OWN_TABLES = ("publication", "freshness", "checks")


class PublicationError(TurnoutError):
    """A publication cannot be made or read, or there is none where one is needed."""


@dataclass(frozen=True)
class Publication:
    """What a file is: the one row of its table `publication`.

    Parameters
    ----------
    publication_id : int
        Counts up from 1.
    published_at : datetime
        When it was made, in UTC.
    how : {"published", "restored"}
        Whether it took its place by being made, or because a person went back to it.
    who, because : str or None
        The person, and why; None where it was made.
    champions : str
        Version of the champion of each prediction, as a JSON object.
    load_ids : str
        The loads behind it, as a JSON list; see `records.loads` in the warehouse.
    code_version : str
        The code that made it.
    """

    publication_id: int
    published_at: datetime
    how: Literal["published", "restored"]
    who: str | None
    because: str | None
    champions: str
    load_ids: str
    code_version: str


@dataclass(frozen=True)
class Freshness:
    """How fresh a published mart is: a row of the table `freshness`.

    Parameters
    ----------
    table_name : str
        The mart.
    publication_id : int
        The publication that it belongs to.
    published_at : datetime
        When that was made, in UTC.
    row_count : int
        How many rows it has.
    newest_load_at : datetime or None
        When the newest load arrived that it was made from, in UTC; None if it was made from none.
    checked_at : datetime
        When a new publication was last tried, in UTC.
    is_current : bool
        False where a newer state did not pass, or a person went back: this is an earlier one.
    failed_checks : int
        Blocking checks of the mart, and of all it is made from, that failed when it was tried.
    held_back_because : str or None
        Why it is not current, in words.
    """

    table_name: str
    publication_id: int
    published_at: datetime
    row_count: int
    newest_load_at: datetime | None
    checked_at: datetime
    is_current: bool = True
    failed_checks: int = 0
    held_back_because: str | None = None


@dataclass(frozen=True)
class Check:
    """How a check came out: a row of the table `checks`.

    Parameters
    ----------
    group_name : str
        The group of assets in Dagster, which is the layer in dbt.
    asset : str
        What was checked, as Dagster calls it.
    check_name : str
        The check.
    passed : bool
        How it came out.
    severity : {"error", "warn"}
        Whether it stops what is downstream.
    evaluated_at : datetime
        When, in UTC.
    told : str or None
        What there is to say about it.
    """

    group_name: str
    asset: str
    check_name: str
    passed: bool
    severity: Literal["error", "warn"]
    evaluated_at: datetime
    told: str | None


# The types are what Python's are in DuckDB, so that an empty table has columns as well.
DATA_TYPES = {"int": "bigint", "str": "varchar", "bool": "boolean", "datetime": "timestamp"}


def read_publication(file: Path) -> Publication | None:
    """Return what a published file is; None if there is none, or an earlier release made it, which did not tell.

    Raises
    ------
    PublicationError
        If somebody has it open for writing, or it is damaged.
    """
    if not file.exists():
        return None
    with reading(file) as connection:
        return publication_in(connection)


def publication_in(connection: duckdb.DuckDBPyConnection) -> Publication | None:
    """Return what the file of a connection is; None if an earlier release made it."""
    if not connection.execute("from duckdb_tables() where table_name = 'publication'").fetchall():
        return None
    names = ", ".join(field.name for field in fields(Publication))
    (row,) = connection.execute(f"select {names} from publication").fetchall()
    return Publication(*row)


@contextmanager
def reading(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a published file to read.

    Raises
    ------
    PublicationError
        If somebody has it open for writing, or it is damaged.
    """
    import duckdb

    try:
        connection = duckdb.connect(file, read_only=True)
    except duckdb.IOException as error:
        if is_locked(error):
            raise PublicationError(
                "The published file is open for writing in another process, so that nobody else can read it.",
                where=str(error).strip(),
                rule="whoever reads a publication opens it read-only.",
                remedy="close that process, and run this again; the publication is untouched.",
            ) from None
        raise PublicationError(
            f"The published file cannot be read: {str(error).strip()}",
            where=str(file),
            rule="a publication is a whole DuckDB file.",
            remedy=Advice(
                "move it away; ",
                Action("run", "the next run"),
                " publishes anew, and ",
                Action("restore", "a restore"),
                " goes back to one that is kept.",
            ),
        ) from None
    with connection:
        yield connection


def write_table(connection: duckdb.DuckDBPyConnection, table: str, kind: type, rows: Sequence[Any]) -> None:
    """Create a table of the rows of a dataclass, in the place of one that is there.

    Parameters
    ----------
    table : str
        Its quoted name.
    kind : type
        `Publication`, `Freshness` or `Check`.
    rows : sequence of that type
        May be empty.
    """
    import pyarrow as pa

    columns = [
        f"cast({identifier(field.name)} as {DATA_TYPES.get(str(field.type).partition(' | ')[0], 'varchar')}) "
        f"as {identifier(field.name)}"
        for field in fields(kind)
    ]
    names = [field.name for field in fields(kind)]
    held = [asdict(row) for row in rows]
    connection.register("told", pa.table({name: pa.array([row[name] for row in held]) for name in names}))
    connection.execute(f"create or replace table {table} as select {', '.join(columns)} from told")
    connection.unregister("told")
