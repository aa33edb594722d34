"""The seam: the only module that knows which engine holds examples, scores and records.

Connections are opened late and closed early, as DuckDB lets one process in at a time. Another engine is
another class with these methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.errors import WarehouseError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# Rows that are in memory at once while scoring: large enough to keep the model busy, small enough to forget.
BATCH_ROWS = 50_000
# How long to wait for another process to leave the file. A dbt build of the worked examples takes half of it.
LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Warehouse:
    """A DuckDB database file.

    Parameters
    ----------
    path : Path
        The working file. It is created with the first connection.
    """

    path: Path

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file, waiting up to `LOCK_SECONDS` for another process to leave it, and close it after use.

        Raises
        ------
        WarehouseError
            If another process holds the file for longer.
        """
        import duckdb
        import tenacity

        self.path.parent.mkdir(parents=True, exist_ok=True)
        waiting = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_locked),
            stop=tenacity.stop_after_delay(LOCK_SECONDS),
            wait=tenacity.wait_fixed(0.5),
            reraise=True,
        )
        try:
            connection = waiting(duckdb.connect, self.path)
        except duckdb.IOException as error:
            if not _is_locked(error):
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
                connection.execute(f"insert into {target} ({names}) select {names} from scored")
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


def identifier(*parts: str) -> str:
    """Return a quoted SQL identifier, such as `"schema"."table"`; a quote inside a part is doubled."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def _is_locked(error: BaseException) -> bool:
    return "Could not set lock on file" in str(error)
