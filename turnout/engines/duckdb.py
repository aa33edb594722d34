"""A DuckDB database file as a warehouse: the only module that holds its connections.

Connections are opened late and closed early, as DuckDB lets one process in at a time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.engines.sql import identifier, literal
from turnout.engines.warehouse import QueryError
from turnout.errors import WarehouseError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# Rows that are in memory at once while they stream: large enough to keep a model busy, small enough to forget.
BATCH_ROWS = 50_000
# How long to wait for another process to leave the file. A dbt build of the worked examples takes half of it.
LOCK_SECONDS = 60.0
# The storage version that DuckDB clients from 1.0 on can open.
STORAGE_VERSION = "v1.0.0"


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
        with self.connect() as connection:
            if memory is not None:
                connection.execute(f"set memory_limit = {literal(memory)}")
            yield DuckDBSession(connection, self.path)

    @contextmanager
    def scratch(self, name: str, *, memory: str) -> Iterator[DuckDBSession]:
        """Open an empty database file beside the warehouse's, with the same access, and remove it after use."""
        import duckdb

        folder = self.path.parent / "scratch" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            with duckdb.connect(folder / "scratch.duckdb", config={"memory_limit": memory}) as connection:
                connection.execute("set enable_progress_bar = false; set preserve_insertion_order = false")
                connection.execute("set autoinstall_known_extensions = false")  # nothing is downloaded at run time
                yield DuckDBSession(connection, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """TRANSITION: becomes private."""
        import duckdb
        import tenacity

        self.path.parent.mkdir(parents=True, exist_ok=True)
        waiting = tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_locked),
            stop=tenacity.stop_after_delay(LOCK_SECONDS),
            wait=tenacity.wait_fixed(0.5),
            reraise=True,
        )
        try:
            connection = waiting(duckdb.connect, self.path)
        except duckdb.IOException as error:
            if not is_locked(error):
                raise
            raise WarehouseError(
                f"The warehouse is in use by another process, also after {LOCK_SECONDS:.0f} s of waiting.",
                where=f"{self.path}: {error}",
                rule="DuckDB lets one process at a time into a database file.",
                remedy="close the other process (a duckdb shell, a notebook, another run) and run this again; "
                "for reading, open the published file instead.",
            ) from None
        try:
            connection.execute("set enable_progress_bar = false")  # it would be drawn over our own
            yield connection
        finally:
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file, and commit what is done with it, or none of it if an error is raised."""
        with self.connect() as connection:
            connection.execute("begin")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Return the result of a query as one Arrow table."""
        with self.connect() as connection:
            return connection.sql(sql, params=list(parameters)).to_arrow_table()

    def has_table(self, schema: str, table: str) -> bool:
        """Return whether a table or view exists."""
        sql = "select count(*) as n from information_schema.tables where table_schema = ? and table_name = ?"
        return bool(self.query(sql, (schema, table))["n"][0].as_py())

    def schema_of(self, schema: str, table: str) -> pa.Schema:
        """Return the columns of a table.

        Raises
        ------
        WarehouseError
            If there is no such table.
        """
        if not self.has_table(schema, table):
            raise WarehouseError(
                f"There is no table {schema}.{table}.",
                where=str(self.path),
                rule="Python reads what dbt has built and tested.",
                remedy=f"build it first: materialize '{table}' in Dagster, or run 'make run'.",
            )
        return self.query(f"select * from {identifier(schema, table)} limit 0").schema

    def append(self, rows: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]], ddl: Sequence[str]) -> None:
        """Append rows to tables, all of them or none.

        Parameters
        ----------
        rows : mapping of (schema, table) to rows
            Each row maps column to value; all rows of a table have the same columns.
        ddl : sequence of str
            Statements that make sure that the tables exist; part of the same transaction.
        """
        with self.transaction() as connection:
            for statement in ddl:
                connection.execute(statement)
            for (schema, table), records in rows.items():
                for record in records:
                    columns = ", ".join(identifier(column) for column in record)
                    marks = ", ".join("?" for _ in record)
                    connection.execute(
                        f"insert into {identifier(schema, table)} ({columns}) values ({marks})",
                        list(record.values()),
                    )

    def replace_scores(
        self,
        *,
        examples: tuple[str, str],
        scores: tuple[str, str],
        columns: Sequence[str],
        computed: Mapping[str, str],
        entity: str,
        as_of: str,
        as_of_date: date,
        schema: pa.Schema,
        score: Callable[[pa.RecordBatch], pa.RecordBatch],
    ) -> int:
        """Replace the scores of one as-of date, in one transaction, as a stream.

        Examples are read, scored and written batch by batch: memory does not grow with the table. Readers
        and a process killed at any moment see the scores from before or the scores from after.

        Parameters
        ----------
        examples, scores : (schema, table)
            Where to read from and where to write to; the scores table, and each of its columns, is created if
            it is missing.
        columns : sequence of str
            The columns of the examples that `score` needs.
        computed : mapping of str to str
            What else it needs, by the name that it has there: SQL over the columns of the examples.
        entity, as_of : str
            The key columns, in the examples as in the scores.
        as_of_date : date
            The as-of date whose scores are replaced.
        schema : Schema
            The columns of the scores, with the types in which a new table is created.
        score : callable
            Takes a batch of examples with `columns` and `computed`, returns a batch with `schema`.

        Returns
        -------
        int
            The number of rows written.

        Raises
        ------
        WarehouseError
            If an entity would have two scores or none, or a score is missing; nothing is written then.
        """
        import duckdb
        import pyarrow as pa

        target = identifier(*scores)
        source = f"from {identifier(*examples)} where {identifier(as_of)} = ?"
        with self.transaction() as connection:
            # The order of rows in a table means nothing, and keeping it would buffer the whole result.
            connection.execute("set preserve_insertion_order = false")
            connection.register("score_columns", schema.empty_table())
            connection.execute(f"create schema if not exists {identifier(scores[0])}")
            connection.execute(f"create table if not exists {target} as select * from score_columns")
            for name, kind, *_ in connection.execute("describe score_columns").fetchall():
                # A table from before may lack what scores have since come to hold.
                connection.execute(f"alter table {target} add column if not exists {identifier(name)} {kind}")
            connection.execute(f"delete from {target} where {identifier(as_of)} = ?", [as_of_date])
            wanted = ", ".join(
                [*map(identifier, columns), *(f"{sql} as {identifier(name)}" for name, sql in computed.items())]
            )
            names = ", ".join(identifier(name) for name in schema.names)
            # A relation streams; `execute(...).to_arrow_reader` would hold the whole result in memory. Whatever
            # streams is closed here, also after an error: while a reader lives on, in a traceback for example,
            # the next connection to this file from this process would wait for it for ever.
            with (
                connection.cursor() as reading,
                reading.sql(f"select {wanted} {source}", params=[as_of_date]).to_arrow_reader(BATCH_ROWS) as batches,
                pa.RecordBatchReader.from_batches(schema, (score(batch) for batch in batches)) as scored,
            ):
                connection.register("scored", scored)
                try:
                    connection.execute(f"insert into {target} ({names}) select {names} from scored")
                except duckdb.ConstraintException as error:
                    raise WarehouseError(
                        f"The scores of {as_of_date} are not whole: {str(error).splitlines()[0]}.",
                        where=f"{self.path}, table {'.'.join(scores)}",
                        rule="what holds of every score is said where its table is made.",
                        remedy="the scores from before are still in place; look at the model that gave these.",
                    ) from None
            checks = connection.execute(
                f"""select
                        count(*),
                        count(*) - count(distinct {identifier(entity)}),
                        count(*) filter (where score is null or not isfinite(score)),
                        (select count(*) {source})
                    from {target} where {identifier(as_of)} = ?""",
                [as_of_date, as_of_date],
            ).fetchone()
            assert checks is not None  # an aggregate always has a row
            written, repeated, missing, expected = checks
            if repeated or missing or written != expected:
                raise WarehouseError(
                    f"The scores of {as_of_date} are not whole: {written} written for {expected} examples, "
                    f"{repeated} of them for an entity that already has one, {missing} without a finite value.",
                    where=f"{self.path}, table {'.'.join(scores)}",
                    rule="every example of an as-of date has exactly one score; writes replace, atomically.",
                    remedy="the scores from before are still in place; test the examples' key and run again.",
                )
        return int(written)


class DuckDBSession:
    """A connection to a DuckDB file; see `turnout.engines.warehouse.Session` for its verbs.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Nobody else uses it meanwhile.
    path : Path
        The file; for messages.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection, self._path, self._is_in_transaction = connection, path, False

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
        with self._connection.cursor() as cursor:
            with _in_words():
                reader = cursor.sql(sql, params=list(parameters)).to_arrow_reader(rows)
            with reader:
                yield reader

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
                rule="what is read has been built and tested before.",
                remedy=f"build '{table}' first.",
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
            self._execute("rollback")
            raise
        else:
            self._execute("commit")
        finally:
            self._is_in_transaction = False

    def create(self, schema: str, table: str, columns: Mapping[str, str], constraints: Sequence[str] = ()) -> None:
        """Create a table if it is missing, and each column that a table from before lacks."""
        target = identifier(schema, table)
        described = ", ".join([*(f"{identifier(name)} {kind}" for name, kind in columns.items()), *constraints])
        self._execute(f"create schema if not exists {identifier(schema)}")
        self._execute(f"create table if not exists {target} ({described})")
        for name, kind in columns.items():
            self._execute(f"alter table {target} add column if not exists {identifier(name)} {kind}")

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
        # The order of rows in a table means nothing, and keeping it would buffer the whole result.
        self._execute("set preserve_insertion_order = false")
        self._connection.register("appended", rows)
        try:
            names = ", ".join(map(identifier, rows.schema.names))
            return self._count(f"insert into {target} ({names}) select {names} from appended")
        finally:
            self._connection.unregister("appended")
            self._execute("reset preserve_insertion_order")

    def delete(self, schema: str, table: str, where: Mapping[str, object]) -> None:
        """Delete the rows that have these values."""
        conditions = " and ".join(f"{identifier(name)} = ?" for name in where) or "true"
        self._execute(f"delete from {identifier(schema, table)} where {conditions}", list(where.values()))

    def insert(self, schema: str, table: str, sql: str, parameters: Sequence[object] = ()) -> int:
        """Append the result of a query, matched by the names of its columns, and return how many rows it has."""
        return self._count(f"insert into {identifier(schema, table)} by name {sql}", parameters)

    def keep(self, name: str, source: str | pa.RecordBatchReader, parameters: Sequence[object] = ()) -> None:
        """Keep the result of a query, or what is streamed, as a temporary table."""
        self._execute("set preserve_insertion_order = false")
        try:
            if isinstance(source, str):
                self._execute(f"create or replace temp table {identifier(name)} as {source}", parameters)
            else:
                self._connection.register("streamed", source)
                self._execute(f"create or replace temp table {identifier(name)} as select * from streamed")
                self._connection.unregister("streamed")
        finally:
            self._execute("reset preserve_insertion_order")

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
        finally:
            self._execute("detach copied")
        return counts

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
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
        raise QueryError(str(error).splitlines()[0], is_about_sql=True) from error
    except duckdb.Error as error:
        raise QueryError(str(error).splitlines()[0], is_about_sql=False) from error
