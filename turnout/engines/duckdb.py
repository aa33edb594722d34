"""A DuckDB database file as a warehouse: the only module that holds its connections.

Connections are opened late and closed early, as DuckDB lets one process in at a time.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.advice import Action, Advice
from turnout.engines.sql import identifier, literal
from turnout.engines.warehouse import QueryError, RefusedRowError, StorageError
from turnout.errors import WarehouseError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from splink import DuckDBAPI

# Rows that are in memory at once while they stream: large enough to keep a model busy, small enough to forget.
BATCH_ROWS = 50_000
# How long to wait for another process to leave the file. A dbt build of the worked examples takes half of it.
LOCK_SECONDS = 60.0
# The storage version that DuckDB clients from 1.0 on can open.
STORAGE_VERSION = "v1.0.0"
# What engines do in different ways of their own is done in one: nulls come before all values, as if they were small.
PINNED = "set default_null_order = 'nulls_first_on_asc_last_on_desc'"
# What an instant is without a zone, and a zone's day, depends on the machine otherwise. Global, as a cursor is a
# connection of its own.
IN_UTC = "set global TimeZone = 'UTC'"


def connect(
    database: Path | str = ":memory:", *, config: Mapping[str, str] | None = None, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a connection to which the machine's time zone means nothing; none is opened in another way.

    Parameters
    ----------
    database : Path or str
        The file. Default: a database in memory, of the connection's own.
    config : mapping of str to str, optional
        DuckDB's settings by name.
    read_only : bool
        Whether it may only read.

    Raises
    ------
    duckdb.IOException
        If the file cannot be opened, for example because another process has it open.
    """
    import duckdb

    connection = duckdb.connect(database, read_only=read_only, config=dict(config or {}))
    connection.execute(f"set enable_progress_bar = false; {IN_UTC}")  # a bar would be drawn over our own
    return connection


def connect_when_free(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a file as `connect` does, waiting up to `LOCK_SECONDS` for another process to leave it.

    Raises
    ------
    WarehouseError
        If it has not left by then; it is named.
    duckdb.IOException
        If the file cannot be opened for another reason.
    """
    import duckdb
    import tenacity

    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_locked),
        stop=tenacity.stop_after_delay(LOCK_SECONDS),
        wait=tenacity.wait_fixed(0.5),
        reraise=True,
    )
    try:
        return waiting(connect, path)
    except duckdb.IOException as error:
        if not is_locked(error):
            raise
        raise WarehouseError(
            f"The warehouse is in use by {_holder(str(error))}, also after {LOCK_SECONDS:.0f} s of waiting.",
            where=str(path.resolve()),
            rule="DuckDB lets one process at a time into a database file, also where that only reads.",
            remedy="close the other process (a duckdb shell, a notebook, another run) and run this again; "
            "for reading, open the published file instead.",
        ) from None


def _holder(message: str) -> str:
    """Return which process has a file open, as far as DuckDB tells."""
    held = re.search(r"lock is held in (.+?) \(PID (\d+)\)", message)
    return f"another process, {Path(held[1]).name} with the number {held[2]}" if held else "another process"


@dataclass(frozen=True)
class DuckDB:
    """A DuckDB database file; see `turnout.engines.warehouse.Warehouse` for what may be asked of it.

    Parameters
    ----------
    path : Path
        The working file. It is created with the first session.
    """

    path: Path

    @contextmanager
    def session(self, *, memory: str | None = None) -> Iterator[DuckDBSession]:
        """Open the file, waiting up to `LOCK_SECONDS` for another process to leave it, and close it after use."""
        with self._opened() as connection:
            connection.execute(PINNED)
            if memory is not None:
                connection.execute(f"set memory_limit = {literal(memory)}")
            yield DuckDBSession(connection, self.path)

    def state(self) -> tuple[tuple[int, int, int], ...]:
        """Return which files there are, and when they changed; what is not yet in the database stands in its log."""
        found = []
        for file in (self.path, self.path.with_name(f"{self.path.name}.wal")):
            with suppress(FileNotFoundError):  # the log is gone as soon as another process is done
                stat = file.stat()
                found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return tuple(found)

    @contextmanager
    def scratch(self, name: str, *, memory: str) -> Iterator[DuckDBSession]:
        """Open an empty database file beside the warehouse's, with the same access, and remove it after use."""
        folder = self.path.parent / "scratch" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            with connect(folder / "scratch.duckdb", config={"memory_limit": memory}) as connection:
                connection.execute("set preserve_insertion_order = false")
                connection.execute("set autoinstall_known_extensions = false")  # nothing is downloaded at run time
                connection.execute(PINNED)
                yield DuckDBSession(connection, folder, is_scratch=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        unusable = next((character for character in "?\\" if character in str(self.path)), None)
        if unusable:
            raise WarehouseError(
                f"The warehouse cannot stand in a folder with '{unusable}' in its path.",
                where=str(self.path),
                rule="in the path of a database, a backslash is a slash to DuckDB, and a question mark begins options.",
                remedy="move the project to another folder, or give this one another name.",
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = connect_when_free(self.path)
        except duckdb.IOException as error:
            raise StorageError(str(error).strip()) from error
        try:
            yield connection
        finally:
            connection.close()


class DuckDBSession:
    """A connection to a DuckDB file; see `turnout.engines.warehouse.Session` for its verbs.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Nobody else uses it meanwhile.
    path : Path
        The file; for messages.
    is_scratch : bool
        Whether the whole file is this session's own.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, *, is_scratch: bool = False) -> None:
        self._connection, self._path, self._is_in_transaction = connection, path, False
        # A temporary table is out of a cursor's sight, and stands uncompressed.
        self._kept = "table" if is_scratch else "temp table"

    @property
    def expressions(self) -> DuckDBExpressions:
        """What DuckDB says in its own words."""
        return DuckDBExpressions()

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        rows: list[dict[str, Any]] = self.table(sql, parameters).to_pylist()
        return rows

    def table(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Return the result of a query as one Arrow table."""
        with _in_words():
            return self._connection.sql(sql, params=list(parameters)).to_arrow_table()

    @contextmanager
    def batches(
        self, sql: str, parameters: Sequence[object] = (), *, rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatchReader]:
        """Stream the result of a query, on a cursor, so that the session may be used meanwhile."""
        # A relation streams; `execute(...).to_arrow_reader` would hold the whole result in memory. Whatever
        # streams is closed here, also after an error: while a reader lives on, in a traceback for example,
        # the next connection to this file from this process would wait for it for ever.
        with self._in_any_order(), self._connection.cursor() as cursor:
            with _in_words():
                reader = cursor.sql(sql, params=list(parameters)).to_arrow_reader(rows)
            with reader:
                yield reader

    def require_expression(self, sql: str) -> None:
        """Refuse what is not one whole expression."""
        plain = self._parsed("select (1)")
        # Without brackets around it one that closes them is a mistake, and with them one that leaves a comment open.
        for query in (f"select {sql}", f"select ({sql})"):
            parsed = self._parsed(query)
            if parsed.get("error"):
                raise QueryError(f"Parser Error: {parsed['error_message']}", is_about_sql=True)
            ((found,), (wanted,)) = ([statement["node"] for statement in one["statements"]] for one in (parsed, plain))
            expressions = found.get("select_list", [])
            is_one = len(expressions) == 1 and expressions[0]["class"] != "STAR" and not expressions[0]["alias"]
            if not is_one or {**found, "select_list": None} != {**wanted, "select_list": None}:
                raise QueryError("it is more than one expression", is_about_sql=True)

    def _parsed(self, sql: str) -> dict[str, Any]:
        """Return what DuckDB's parser makes of a query, which is not run."""
        ((parsed,),) = self._execute("select json_serialize_sql(?)", (sql,)).fetchall()
        content: dict[str, Any] = json.loads(parsed)
        return content

    def has_table(self, schema: str, table: str) -> bool:
        """Return whether a table or view exists."""
        sql = "select count(*) as n from information_schema.tables where table_schema = ? and table_name = ?"
        return bool(self.rows(sql, (schema, table))[0]["n"])

    def columns_of(self, schema: str, table: str) -> pa.Schema:
        """Return the columns of a table, with Arrow's types."""
        if not self.has_table(schema, table):
            raise WarehouseError(
                f"There is no table {schema}.{table}.",
                where=str(self._path),
                rule="Python reads what dbt has built and tested.",
                remedy=Advice(
                    "build it first: ",
                    Action("build", f"'{table}' alone", {"table": table}),
                    ", or run ",
                    Action("run", "everything"),
                    ".",
                ),
            )
        return self.table(f"select * from {identifier(schema, table)} limit 0").schema

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside, or none of it if an error is raised."""
        if self._is_in_transaction:
            yield
            return
        self._execute("begin")
        self._is_in_transaction = True
        try:
            yield
        except BaseException:
            with suppress(QueryError):  # where the disk is full even that may fail; what is told is what failed first
                self._execute("rollback")
            raise
        else:
            self._execute("commit")
        finally:
            self._is_in_transaction = False

    def create(
        self, schema: str, table: str, columns: Mapping[str, str] | pa.Schema, constraints: Sequence[str] = ()
    ) -> None:
        """Create a table if it is missing, and each column that a table from before lacks."""
        if not isinstance(columns, Mapping):
            columns = self._types(columns)
        target = identifier(schema, table)
        described = ", ".join([*(f"{identifier(name)} {kind}" for name, kind in columns.items()), *constraints])
        self._execute(f"create schema if not exists {identifier(schema)}")
        self._execute(f"create table if not exists {target} ({described})")
        with _in_words():
            held = {row[0].lower() for row in self._connection.execute(f"describe {target}").fetchall()}
        for name, kind in columns.items():
            if name.lower() not in held:
                self._execute(f"alter table {target} add column {identifier(name)} {kind}")

    def rename_column(self, schema: str, table: str, column: str, name: str) -> None:
        """Give a column of a table another name; a column that has this name already is dropped."""
        target = identifier(schema, table)
        self._execute(f"alter table {target} drop column if exists {identifier(name)}")
        self._execute(f"alter table {target} rename column {identifier(column)} to {identifier(name)}")

    def append(
        self, schema: str, table: str, rows: Sequence[Mapping[str, Any]] | pa.Table | pa.RecordBatchReader
    ) -> int:
        """Append rows, matched by the names of their columns, and return how many."""
        target = identifier(schema, table)
        if isinstance(rows, Sequence):
            for row in rows:
                names, marks = ", ".join(map(identifier, row)), ", ".join("?" for _ in row)
                self._execute(f"insert into {target} ({names}) values ({marks})", list(row.values()))
            return len(rows)
        with self._in_any_order(), self._registered("appended", rows):
            names = ", ".join(map(identifier, rows.schema.names))
            return self._count(f"insert into {target} ({names}) select {names} from appended")

    def replace(self, schema: str, table: str, rows: pa.Table | pa.RecordBatchReader) -> int:
        """Put a table in the place of one that is there, whole, and return how many rows it has."""
        with self.transaction(), self._in_any_order(), self._registered("replacing", rows):
            self._execute(f"create schema if not exists {identifier(schema)}")
            return self._count(f"create or replace table {identifier(schema, table)} as select * from replacing")

    def delete(self, schema: str, table: str, where: Mapping[str, object]) -> None:
        """Delete the rows that have these values."""
        conditions = " and ".join(f"{identifier(name)} = ?" for name in where) or "true"
        self._execute(f"delete from {identifier(schema, table)} where {conditions}", list(where.values()))

    def insert(self, schema: str, table: str, sql: str, parameters: Sequence[object] = ()) -> int:
        """Append the result of a query, matched by the names of its columns, and return how many rows it has."""
        return self._count(f"insert into {identifier(schema, table)} by name {sql}", parameters)

    def keep(self, name: str, source: str | pa.RecordBatchReader, parameters: Sequence[object] = ()) -> None:
        """Keep the result of a query, or what is streamed, as a temporary table."""
        made = f"create or replace {self._kept} {identifier(name)} as"
        with self._in_any_order():
            if isinstance(source, str):
                self._execute(f"{made} {source}", parameters)
            else:
                with self._registered("kept", source):
                    self._execute(f"{made} select * from kept")

    def show(self, schema: str, view: str, sql: str) -> None:
        """Make a view, in the place of one that is there."""
        self._execute(f"create schema if not exists {identifier(schema)}")
        self._execute(f"create or replace view {identifier(schema, view)} as {sql}")

    def drop(self, schema: str, table: str) -> None:
        """Drop a table, with all that is in it."""
        self._execute(f"drop table {identifier(schema, table)}")

    def drop_schemas(self, beginning: str) -> None:
        """Drop every schema whose name begins so, with all that is in it."""
        sql = "select distinct schema_name from information_schema.schemata where starts_with(schema_name, ?)"
        for row in self.rows(sql, (beginning,)):
            self._execute(f"drop schema {identifier(row['schema_name'])} cascade")

    def copy_into(self, file: Path, tables: Mapping[str, str]) -> dict[str, int]:
        """Write the results of queries as tables of another DuckDB file, in one transaction that is in it then."""
        self._execute(f"attach {literal(str(file))} as copied (storage_version {literal(STORAGE_VERSION)})")
        try:
            with self.transaction():
                counts = {
                    name: self._count(f"create or replace table copied.main.{identifier(name)} as {sql}")
                    for name, sql in tables.items()
                }
            # Writes the log into the file, and fails if that cannot be done; to detach would do the same in silence.
            self._execute("checkpoint copied")
        except BaseException:
            with suppress(QueryError):  # what is told is what failed first
                self._execute("detach copied")
            raise
        self._execute("detach copied")
        return counts

    def export(self, sql: str, file: Path) -> None:
        """Write the result of a query as a Parquet file."""
        self._execute(f"copy ({sql}) to {literal(str(file))} (format parquet, compression zstd)")

    def splink(self) -> DuckDBAPI:
        """Return what splink calls a database: this one."""
        from splink import DuckDBAPI

        return DuckDBAPI(self._connection)

    @contextmanager
    def _in_any_order(self) -> Iterator[None]:
        """Let rows come as they like: their order in a table means nothing, and to keep it buffers a whole result."""
        ((before,),) = self._execute("select current_setting('preserve_insertion_order')").fetchall()
        self._execute("set preserve_insertion_order = false")
        try:
            yield
        finally:
            # On another cursor, as after an error in a transaction this one hears nothing but a rollback.
            with self._connection.cursor() as cursor:
                cursor.execute(f"set preserve_insertion_order = {before}")

    @contextmanager
    def _registered(self, name: str, rows: pa.Table | pa.RecordBatchReader) -> Iterator[None]:
        """Let SQL read what is in memory, or streams through it, by a name."""
        import duckdb

        self._connection.register(name, rows)
        try:
            yield
        finally:
            # A transaction that has failed takes the name back itself, and hears nothing before its rollback.
            with suppress(duckdb.TransactionException):
                self._connection.unregister(name)

    def _types(self, columns: pa.Schema) -> dict[str, str]:
        """Return DuckDB's types of Arrow's columns."""
        with self._registered("described", columns.empty_table()):
            return {name: kind for name, kind, *_ in self._execute("describe described").fetchall()}

    def _execute(self, sql: str, parameters: Sequence[object] = ()) -> duckdb.DuckDBPyConnection:
        with _in_words():
            return self._connection.execute(sql, list(parameters))

    def _count(self, sql: str, parameters: Sequence[object] = ()) -> int:
        ((count,),) = self._execute(sql, parameters).fetchall()
        return int(count)


class DuckDBExpressions:
    """How DuckDB says what engines say in different words; see `turnout.engines.warehouse.Expressions`."""

    def days_before(self, moment: str, earlier: str) -> str:
        """Return the days from one date or time to a later one."""
        return f"(epoch_us({moment}) - epoch_us({earlier})) / 86400e6"

    def fingerprint(self, *columns: str) -> str:
        """Return a number that is the same for equal values, and hardly for others."""
        return f"hash({', '.join(columns)})"

    def comparable_text(self, text: str) -> str:
        """Return text without case, accents, blanks and punctuation."""
        return rf"nullif(regexp_replace(lower(strip_accents({text})), '[^\p{{L}}\p{{N}}]', '', 'g'), '')"


def is_locked(error: BaseException) -> bool:
    """Return whether DuckDB raised it because another process has the file open."""
    return "Could not set lock on file" in str(error)


@contextmanager
def _in_words() -> Iterator[None]:
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException) as error:
        raise StorageError(str(error).strip(), is_in_use=is_locked(error)) from error
    except duckdb.ConstraintException as error:
        raise RefusedRowError(str(error).splitlines()[0]) from error
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
        raise QueryError(str(error).splitlines()[0], is_about_sql=True) from error
    except duckdb.Error as error:
        raise QueryError(str(error).splitlines()[0], is_about_sql=False) from error
