"""The register in the warehouse: which loads there are, what was refused, what was measured, and the raw views.

A load is registered, and the views moved on to it, in one transaction: it is wholly there or not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.engines import Warehouse, identifier
from turnout.errors import LoadError
from turnout.loading.identity import MAX_HISTORY, Check, History
from turnout.loading.reading import string
from turnout.records import SCHEMA, opened
from turnout.records.loads import BUILT_FROM, Load, QuarantinedFile
from turnout.records.loads import TABLES as SAID

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from turnout.loading.contract import SourceTable

# Where every row of every load can be seen, with the time from which on another load took its place.
HISTORY_SCHEMA = "loads"

TABLES = tuple(table.name for table in SAID if table is not BUILT_FROM)  # that one is dbt's to write

_TABLE = "source = ? and table_name = ?"
# What is asked of the register for every file, and in which order.
_ALWAYS_READ = {"loads": "loaded_at", "quarantine": "quarantined_at", "load_checks": "check_name, column_name"}
_MEASURED = ("column_name", "value", "low", "high", "deviation", "detail", "is_learning_only")


class Register:
    """What the warehouse remembers of the loads of one source table.

    What was read is kept until this register writes, so it is for somebody who is alone with the table.

    Parameters
    ----------
    warehouse : Warehouse
        The working file.
    root : Path
        The folder that paths in the register start from.
    table : SourceTable
        The contract.
    """

    def __init__(self, warehouse: Warehouse, root: Path, table: SourceTable) -> None:
        self._warehouse, self._root, self._table = warehouse, root, table
        self._key = (table.source, table.name)
        self._read: dict[str, list[dict[str, Any]]] = {}

    def loads(self) -> list[Load]:
        """Return all loads, oldest first."""
        return [_load(row) for row in self._rows("loads", "loaded_at")]

    def quarantined(self) -> list[QuarantinedFile]:
        """Return the files that were quarantined, oldest first, released ones included."""
        return [QuarantinedFile(**row) for row in self._rows("quarantine", "quarantined_at")]

    def checks(self, load_id: str) -> list[Check]:
        """Return what was measured of a load."""
        return [
            Check(name=row["check_name"], **{name: row[name] for name in _MEASURED})
            for row in self._rows("load_checks", "check_name, column_name")
            if row["load_id"] == load_id
        ]

    def history(self, loads: Sequence[Load]) -> History:
        """Return what limits are learned from: what these loads passed by themselves."""
        recent = {load.load_id: place for place, load in enumerate(loads[-MAX_HISTORY:])}
        passed = [row for row in self._rows("load_checks", "load_id") if row["load_id"] in recent and row["passed"]]
        deviations: dict[tuple[str, str], list[float]] = {}
        for row in sorted(passed, key=lambda row: recent[row["load_id"]]):
            deviations.setdefault((row["check_name"], row["column_name"]), []).append(row["deviation"])
        return History([load.row_count for load in loads], deviations)

    def in_force(self, loads: Sequence[Load]) -> list[Load]:
        """Return the loads that raw shows: the newest snapshot of each part, or of each file that is appended."""
        replaced = self._replaced(loads)
        return [load for load in loads if load.load_id not in replaced]

    def statistics(self, load_id: str) -> list[dict[str, Any]]:
        """Return the summary statistics of a load, a row for each column."""
        return [row for row in self._rows("load_statistics", "rowid") if row["load_id"] == load_id]

    def refused_rows(self, load_id: str, limit: int) -> list[dict[str, Any]]:
        """Return the first rows of a load that were set aside: `line_number`, `reason`, `content`."""
        rows: list[dict[str, Any]] = self._warehouse.query(
            f"""select line_number, reason, content from {SCHEMA}.refused_rows
                where load_id = ? and {_TABLE} order by line_number limit {limit}""",
            (load_id, *self._key),
        ).to_pylist()
        return rows

    def accept(self, load: Load, checks: Iterable[Check], statistics: pa.Table, refused_rows: pa.Table) -> None:
        """Register a load with all that belongs to it, and let the views show it; all or nothing.

        Parameters
        ----------
        load : Load
            The load; its Parquet file is in its place.
        checks : iterable of Check
            What was measured of it.
        statistics : Table
            The columns of DuckDB's `summarize`, a row for each column of the load.
        refused_rows : Table
            `line_number`, `reason` and `content` of the rows that were set aside.

        Raises
        ------
        LoadError
            If the loads in force cannot be shown by today's contract.
        """
        with self._writing() as connection:
            _insert(connection, "loads", [{**asdict(load), "columns": list(load.columns)}])
            self._remember(connection, load.load_id, checks)
            for name, rows in (("load_statistics", statistics), ("refused_rows", refused_rows)):
                connection.register("rows_of_load", rows)
                connection.execute(
                    f"insert into {SCHEMA}.{name} select ?, ?, ?, * from rows_of_load", [load.load_id, *self._key]
                )
            self._show(connection)

    def quarantine(self, file: QuarantinedFile, checks: Iterable[Check]) -> None:
        """Register a file that was not accepted, in place of what was said of it before."""
        with self._writing() as connection:
            connection.execute(
                f"delete from {SCHEMA}.quarantine where load_id = ? and {_TABLE}", [file.load_id, *self._key]
            )
            _insert(connection, "quarantine", [asdict(file)])
            self._remember(connection, file.load_id, checks)

    def show(self) -> None:
        """Make the views anew, as the contract may have changed or the project moved.

        Raises
        ------
        LoadError
            If the loads in force cannot be shown by today's contract.
        """
        with self._writing() as connection:
            self._show(connection)

    def relation(self, loads: Sequence[Load], cast: str = "cast") -> str:
        """Return SQL that selects the rows of loads: the declared columns, `_load_id` and `_loaded_at`."""
        held = {name for load in loads for name in load.columns}
        columns = [
            f"{cast}({identifier(column.name) if column.name in held else 'null'} as {column.data_type}) "
            f"as {identifier(column.name)}"
            for column in self._table.columns
        ]
        # A file has the name of its load, so DuckDB opens only the files of the loads that a query asks for.
        load_id = "parse_filename(filename, true)"
        times = _by_load({load.load_id: load.loaded_at for load in loads})
        files = ", ".join(string(str(self._root / load.path)) for load in loads)
        return f"""select {", ".join(columns)}, {load_id} as _load_id, {times}[{load_id}] as _loaded_at
            from read_parquet([{files}], union_by_name = true, filename = true)"""

    def _show(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Point the views at the loads as they are registered now."""
        table = self._table
        loads = [_load(row) for row in _rows(connection, "loads", "loaded_at", self._key)]
        connection.execute(f"delete from {SCHEMA}.current_loads where {_TABLE}", self._key)
        if not loads:
            return
        in_force = self.in_force(loads)
        self._check_columns(in_force)
        self._check_types(connection, in_force)
        key = dict(zip(("source", "table_name"), self._key, strict=True))
        _insert(connection, "current_loads", [{**key, "load_id": load.load_id} for load in in_force])
        replaced_at = f"{_by_load(self._replaced(loads))}[_load_id] as _replaced_at"
        connection.execute(f"create schema if not exists {identifier(table.schema)}")
        connection.execute(f"create schema if not exists {HISTORY_SCHEMA}")
        for schema, relation in (
            (table.schema, self.relation(in_force)),
            (HISTORY_SCHEMA, f"select *, {replaced_at} from ({self.relation(loads, 'try_cast')})"),
        ):
            connection.execute(f"create or replace view {identifier(schema, table.identifier)} as {relation}")

    def _check_columns(self, loads: Sequence[Load]) -> None:
        """Refuse a declared column that a load in force does not have: the contract has changed since."""
        for column in self._table.columns:
            lacking = [load for load in loads if column.name not in load.columns and not column.keys.optional]
            if lacking:
                raise self._cannot_be_shown(
                    f"the contract asks for the column '{column.name}', which {lacking[0].file_name} (load "
                    f"{lacking[0].load_id}) does not have",
                    "put a file that has it into landing, or declare the column optional.",
                )

    def _check_types(self, connection: duckdb.DuckDBPyConnection, loads: Sequence[Load]) -> None:
        """Refuse a `data_type` that values of a load in force are not of: the contract has changed since."""
        files = ", ".join(string(str(self._root / load.path)) for load in loads)
        source = f"read_parquet([{files}], union_by_name = true)"
        stored = {row[0]: row[1] for row in connection.execute(f"describe select * from {source}").fetchall()}
        for column in self._table.columns:
            name = identifier(column.name)
            declared = connection.execute(f"describe select cast(null as {column.data_type})").fetchall()[0][1]
            if stored.get(column.name, declared) == declared:
                continue
            unfit = connection.execute(
                f"""select {name}, count(*) over () from {source}
                    where {name} is not null and try_cast({name} as {column.data_type}) is null limit 1"""
            ).fetchall()
            if unfit:
                example = "" if column.is_personal else f", such as {unfit[0][0]!r}"
                raise self._cannot_be_shown(
                    f"the contract now says that '{column.name}' is {column.data_type}, which {unfit[0][1]:,} values "
                    f"of the loads in force are not{example}",
                    "correct the data_type, or put a file that keeps it into landing.",
                )

    def _replaced(self, loads: Sequence[Load]) -> dict[str, datetime]:
        """Return the loads that are no longer in force, with the time when another took their place.

        A load from before its table came in parts was all of them: the first part takes its place.
        """
        newest: dict[str, Load] = {}
        replaced = {}
        for load in loads:
            is_append = self._table.keys.mode == "append"
            place = load.file_hash if is_append else self._table.part_of(load.file_name)
            for taken in {place, ""} & newest.keys():
                replaced[newest.pop(taken).load_id] = load.loaded_at
            newest[place] = load
        return replaced

    def _remember(self, connection: duckdb.DuckDBPyConnection, load_id: str, checks: Iterable[Check]) -> None:
        connection.execute(f"delete from {SCHEMA}.load_checks where load_id = ? and {_TABLE}", [load_id, *self._key])
        key = dict(zip(("load_id", "source", "table_name"), (load_id, *self._key), strict=True))
        measured = [
            {
                **key,
                "check_name": check.name,
                **{name: getattr(check, name) for name in _MEASURED},
                "passed": check.passed,
            }
            for check in checks
        ]
        _insert(connection, "load_checks", measured)

    def _rows(self, name: str, order: str) -> list[dict[str, Any]]:
        if name not in self._read:
            self._read[name] = []
            if self._warehouse.path.exists() and self._warehouse.has_table(SCHEMA, name):
                with self._warehouse.connect() as connection:
                    self._read[name] = _rows(connection, name, order, self._key)
        return self._read[name]

    @contextmanager
    def _writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with opened(self._warehouse):
            pass
        with self._warehouse.transaction() as connection:
            yield connection
            # Opening the file once more for each of them would be most of the time that a small file takes.
            read = {name: _rows(connection, name, order, self._key) for name, order in _ALWAYS_READ.items()}
        self._read = read

    def _cannot_be_shown(self, found: str, remedy: str) -> LoadError:
        return LoadError(
            f"{self._table.label} cannot be shown: {found}.",
            where=f"{self._table.file}, table '{self._table.name}'",
            rule="raw shows every declared column of every load in force, with its declared type.",
            remedy=remedy,
        )


def _insert(connection: duckdb.DuckDBPyConnection, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        columns, marks = ", ".join(row), ", ".join("?" for _ in row)
        connection.execute(f"insert into {SCHEMA}.{name} ({columns}) values ({marks})", list(row.values()))


def _rows(connection: duckdb.DuckDBPyConnection, name: str, order: str, key: Sequence[str]) -> list[dict[str, Any]]:
    sql = f"select * from {SCHEMA}.{name} where {_TABLE} order by {order}"
    rows: list[dict[str, Any]] = connection.sql(sql, params=list(key)).to_arrow_table().to_pylist()
    return rows


def _load(row: Mapping[str, Any]) -> Load:
    return Load(**{**row, "columns": tuple(row["columns"])})


def _by_load(times: Mapping[str, datetime]) -> str:
    """Return an SQL map from load to time."""
    entries = ", ".join(f"{string(load)}: timestamp {string(str(time))}" for load, time in times.items())
    return f"map {{{entries}}}" if times else "cast(map {} as map(varchar, timestamp))"


def load_ids_behind(warehouse: Warehouse, model: str) -> tuple[str, ...]:
    """Return the ids of the loads that dbt made a table from, sorted; none if dbt did not record it.

    Parameters
    ----------
    warehouse : Warehouse
        The working file.
    model : str
        The model's `unique_id` in dbt's manifest.
    """
    if not warehouse.has_table(SCHEMA, "built_from"):
        return ()
    rows = warehouse.query(f"select load_id from {SCHEMA}.built_from where model = ? order by load_id", (model,))
    return tuple(rows["load_id"].to_pylist())
