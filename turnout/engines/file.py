"""DuckDB files that are handed on, such as the one that BI opens, whatever engine holds the warehouse.

What is large comes out of a warehouse, by `Session.copy_into`; what is written here is in memory already. Either leaves
one file, with nothing in a log beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.engines.duckdb import DuckDBSession, connect, is_locked
from turnout.engines.sql import identifier
from turnout.engines.warehouse import StorageError

if TYPE_CHECKING:
    import pyarrow as pa


class OpenedFile:
    """A file that is open to read: it stays the same one until it is closed, also if another takes its place.

    Parameters
    ----------
    session : DuckDBSession
        Of a connection to the file that cannot write.
    """

    def __init__(self, session: DuckDBSession) -> None:
        self._session = session

    def tables(self) -> list[str]:
        """Return the names of its tables, sorted."""
        sql = """select table_name from information_schema.tables
                 where table_schema = 'main' and table_type = 'BASE TABLE' order by table_name"""
        return [row["table_name"] for row in self._session.rows(sql)]

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query, which are few, each as a mapping of column to value."""
        return self._session.rows(sql, parameters)

    def export(self, table: str, target: Path) -> None:
        """Write a table as a Parquet file."""
        self._session.export(f"select * from {identifier(table)}", target)


@contextmanager
def opened(file: Path) -> Iterator[OpenedFile]:
    """Open a file to read.

    Raises
    ------
    StorageError
        If another process has it open for writing, or it is damaged.
    """
    import duckdb

    try:
        connection = connect(file, read_only=True)
    except duckdb.IOException as error:
        raise StorageError(str(error).strip(), is_in_use=is_locked(error)) from error
    with connection:
        yield OpenedFile(DuckDBSession(connection, file))


def write(file: Path, tables: Mapping[str, pa.Table]) -> None:
    """Write tables that are in memory into a file, in the place of those there; all or none.

    Parameters
    ----------
    file : Path
        Is created if it is missing; see `turnout.engines.warehouse.Session.copy_into`.
    tables : mapping of str to Table
        Content by name.

    Raises
    ------
    StorageError
        If the file cannot be written. It is not to be used then.
    """
    with connect() as connection:
        for name, content in tables.items():
            connection.register(name, content)
        session = DuckDBSession(connection, file)
        session.copy_into(file, {name: f"select * from {identifier(name)}" for name in tables})
