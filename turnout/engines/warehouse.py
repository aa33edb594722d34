"""The seam: what may be asked of a warehouse, whatever engine holds it.

A caller asks a `Warehouse` for a session, and the session for rows. It writes the SQL that all engines read alike: of
what has other words on each engine, `Session.expressions` returns the words. Parameters stand in SQL as `?`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa
    from splink.internals.database_api import DatabaseAPI


class QueryError(Exception):
    """The engine cannot run a statement.

    Whoever knows what the statement was for says it in words; what arrives as it is, is a mistake of ours.

    Parameters
    ----------
    message : str
        What the engine says, its first line.
    is_about_sql : bool
        Whether the statement itself is wrong: a name, a type, a comma. Else it failed on some row, whose values the
        message may quote.
    """

    def __init__(self, message: str, *, is_about_sql: bool) -> None:
        self.is_about_sql = is_about_sql
        super().__init__(message)


class RefusedRowError(QueryError):
    """A row is not what its table promises: a key comes again, or a check does not hold.

    Parameters
    ----------
    message : str
        What the engine says, its first line.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, is_about_sql=False)


class StorageError(QueryError):
    """What is on disk cannot be read or written: the disk is full, the file is damaged, or somebody else has it.

    Parameters
    ----------
    message : str
        All that the engine says; it quotes no values.
    is_in_use : bool
        Whether another process has the file open.
    """

    def __init__(self, message: str, *, is_in_use: bool = False) -> None:
        self.is_in_use = is_in_use
        super().__init__(message, is_about_sql=False)


class Expressions(Protocol):
    """What is said in other words on each engine, as SQL to stand in a statement."""

    def days_before(self, moment: str, earlier: str) -> str:
        """Return the days from one date or time to a later one, as a double; null if either is."""
        ...

    def fingerprint(self, *columns: str) -> str:
        """Return a number that is the same for equal values of these columns, nulls included, and hardly for others."""
        ...

    def comparable_text(self, text: str) -> str:
        """Return text without case, accents, blanks and punctuation; null if nothing is left."""
        ...


class Session(Protocol):
    """One caller's time with the warehouse, from opening it to leaving it to the next."""

    @property
    def expressions(self) -> Expressions:
        """What this engine says in its own words."""
        ...

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query, which are few, each as a mapping of column to value.

        Raises
        ------
        QueryError
            If the engine cannot run it; so does every verb that takes SQL.
        """
        ...

    def table(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Return the result of a query as one Arrow table."""
        ...

    def batches(
        self, sql: str, parameters: Sequence[object] = (), *, rows: int = ...
    ) -> AbstractContextManager[pa.RecordBatchReader]:
        """Stream the result of a query in batches of so many rows; memory does not grow with it."""
        ...

    def require_expression(self, sql: str) -> None:
        """Refuse what is not one whole expression, as a condition that a person wrote must be before it is put in SQL.

        It is only parsed; whether its columns exist is not asked.

        Raises
        ------
        QueryError
            If it is none, more than one, or goes on beyond it: a bracket or a comment that is not closed, a clause, a
            statement.
        """
        ...

    def has_table(self, schema: str, table: str) -> bool:
        """Return whether a table or view exists."""
        ...

    def columns_of(self, schema: str, table: str) -> pa.Schema:
        """Return the columns of a table, with Arrow's types.

        Raises
        ------
        WarehouseError
            If there is no such table.
        """
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commit what is done inside, or none of it if an error is raised. A transaction within one is a part of it."""
        ...

    def create(
        self, schema: str, table: str, columns: Mapping[str, str] | pa.Schema, constraints: Sequence[str] = ()
    ) -> None:
        """Create a table if it is missing, and each column that a table from before lacks.

        Parameters
        ----------
        columns : mapping of str to str, or Schema
            Name to type, in the words of standard SQL or as Arrow's.
        constraints : sequence of str
            What the engine is to refuse, in SQL, as far as it can; they are not added to a table that is there.
        """
        ...

    def rename_column(self, schema: str, table: str, column: str, name: str) -> None:
        """Give a column of a table another name; a column that has this name already is dropped."""
        ...

    def append(
        self, schema: str, table: str, rows: Sequence[Mapping[str, Any]] | pa.Table | pa.RecordBatchReader
    ) -> int:
        """Append rows, matched by the names of their columns, and return how many."""
        ...

    def replace(self, schema: str, table: str, rows: pa.Table | pa.RecordBatchReader) -> int:
        """Put a table in the place of one that is there, whole, and return how many rows it has.

        Others see the one before or the one after, also if the process is killed.
        """
        ...

    def delete(self, schema: str, table: str, where: Mapping[str, object]) -> None:
        """Delete the rows that have these values."""
        ...

    def insert(self, schema: str, table: str, sql: str, parameters: Sequence[object] = ()) -> int:
        """Append the result of a query, matched by the names of its columns, and return how many rows it has."""
        ...

    def keep(self, name: str, source: str | pa.RecordBatchReader, parameters: Sequence[object] = ()) -> None:
        """Keep the result of a query, or what is streamed, under a name that this session alone sees, in any order.

        What was kept under that name before is gone.
        """
        ...

    def show(self, schema: str, view: str, sql: str) -> None:
        """Make a view, in the place of one that is there."""
        ...

    def drop(self, schema: str, table: str) -> None:
        """Drop a table, with all that is in it."""
        ...

    def drop_schemas(self, beginning: str) -> None:
        """Drop every schema whose name begins so, with all that is in it."""
        ...

    def splink(self) -> DatabaseAPI[Any]:
        """Return what splink calls a database: this one, with all that was kept. It leaves its own tables there."""
        ...

    def copy_into(self, file: Path, tables: Mapping[str, str]) -> dict[str, int]:
        """Write the results of queries as tables of a DuckDB file, in the place of those there; all or none.

        Parameters
        ----------
        file : Path
            Is created if it is missing, in a storage version that clients from DuckDB 1.0 on read.
        tables : mapping of str to str
            Query by the name of the table that it becomes.

        Returns
        -------
        dict of str to int
            Rows by table.

        Raises
        ------
        StorageError
            If the file cannot be written, as the disk is full for example. The file is not to be used then.
        """
        ...


class Warehouse(Protocol):
    """Where examples, scores and records are held."""

    @property
    def path(self) -> Path:
        """Where it stands; what else an engine needs on disk stands beside it."""
        ...

    def session(self, *, memory: str | None = None) -> AbstractContextManager[Session]:
        """Open the warehouse, waiting for others to leave it, and leave it after use.

        Parameters
        ----------
        memory : str, optional
            What the session may hold in memory, such as "1GB"; the rest goes to disk. Default: the engine's own.

        Raises
        ------
        WarehouseError
            If others hold it for too long.
        """
        ...

    def state(self) -> Hashable | None:
        """Return what is another one after every change of what the warehouse holds; None if that cannot be told."""
        ...

    def scratch(self, name: str, *, memory: str) -> AbstractContextManager[Session]:
        """Open an empty database of its own, so that others may have the warehouse meanwhile; it is removed after use.

        Parameters
        ----------
        name : str
            Tells it apart from others that are open; what a killed process left under it is removed first.
        memory : str
            What it may hold in memory; the rest goes to disk.
        """
        ...
