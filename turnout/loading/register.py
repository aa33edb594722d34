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

from turnout.engines import Session, Warehouse, file_literal, identifier, literal
from turnout.errors import LoadError
from turnout.loading.contract import OURS
from turnout.loading.parquet import first_misfit
from turnout.loading.population import MAX_HISTORY, History, PopulationCheck
from turnout.records import SCHEMA, opened
from turnout.records.loads import BUILT_FROM, Load, QuarantinedFile
from turnout.records.loads import TABLES as SAID

if TYPE_CHECKING:
    import pyarrow as pa

    from turnout.loading.contract import SourceTable

# Where every row of every load can be seen, with the time from which on another load took its place.
HISTORY_SCHEMA = "loads"

TABLES = tuple(table.name for table in SAID if table is not BUILT_FROM)  # that one is dbt's to write

_TABLE = "source = ? and table_name = ?"
# Which file a row is from; a load may have a column `filename`.
_FILE = f"{OURS}file"
# What is read as a whole, in which order; and what of it is asked of the register for every file.
_ORDER = {
    "loads": "loaded_at",
    "quarantine": "quarantined_at",
    "load_checks": "check_name, column_name",
    "load_statistics": "column_name",
}
_ALWAYS_READ = ("loads", "quarantine", "load_checks")
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
        return [_load(row) for row in self._rows("loads")]

    def quarantined(self) -> list[QuarantinedFile]:
        """Return the files that were quarantined, oldest first, accepted ones included."""
        return [QuarantinedFile(**row) for row in self._rows("quarantine")]

    def checks(self, load_id: str) -> list[PopulationCheck]:
        """Return what was measured of a load."""
        return [
            PopulationCheck(name=row["check_name"], **{name: row[name] for name in _MEASURED})
            for row in self._rows("load_checks")
            if row["load_id"] == load_id
        ]

    def history(self, loads: Sequence[Load]) -> History:
        """Return what limits are learned from: what these loads passed by themselves."""
        recent = {load.load_id: place for place, load in enumerate(loads[-MAX_HISTORY:])}
        passed = [row for row in self._rows("load_checks") if row["load_id"] in recent and row["passed"]]
        deviations: dict[tuple[str, str], list[float]] = {}
        for row in sorted(passed, key=lambda row: recent[row["load_id"]]):
            deviations.setdefault((row["check_name"], row["column_name"]), []).append(row["deviation"])
        return History([load.row_count for load in loads], deviations)

    def in_force(self, loads: Sequence[Load]) -> list[Load]:
        """Return the loads that raw shows: the newest snapshot of each part, or of each file that is appended."""
        replaced = self._replaced(loads)
        return [load for load in loads if load.load_id not in replaced]

    def statistics(self, load_id: str) -> list[dict[str, Any]]:
        """Return the summary statistics of a load, a row for each column, in the order of the contract."""
        places = {column.name: place for place, column in enumerate(self._table.columns)}
        found = [row for row in self._rows("load_statistics") if row["load_id"] == load_id]
        return sorted(found, key=lambda row: places.get(row["column_name"], len(places)))

    def refused_rows(self, load_id: str, limit: int) -> list[dict[str, Any]]:
        """Return the first rows of a load that were set aside: `line_number`, `reason`, `content`."""
        with self._warehouse.session() as session:
            return session.rows(
                f"""select line_number, reason, content from {SCHEMA}.refused_rows
                    where load_id = ? and {_TABLE} order by line_number limit {limit}""",
                (load_id, *self._key),
            )

    def add(self, load: Load, checks: Iterable[PopulationCheck], statistics: pa.Table, refused_rows: pa.Table) -> None:
        """Register a load with all that belongs to it, and let the views show it; all or nothing.

        Parameters
        ----------
        load : Load
            The load; its Parquet file is in its place.
        checks : iterable of PopulationCheck
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
        with self._writing() as session:
            session.append(SCHEMA, "loads", [{**asdict(load), "columns": list(load.columns)}])
            self._remember(session, load.load_id, checks)
            for name, rows in (("load_statistics", statistics), ("refused_rows", refused_rows)):
                session.append(SCHEMA, name, self._with_key(load.load_id, rows))
            self._show(session)

    def quarantine(self, file: QuarantinedFile, checks: Iterable[PopulationCheck]) -> None:
        """Register a file that was not accepted, in place of what was said of it before."""
        with self._writing() as session:
            session.delete(SCHEMA, "quarantine", self._key_of(file.load_id))
            session.append(SCHEMA, "quarantine", [asdict(file)])
            self._remember(session, file.load_id, checks)

    def show(self) -> None:
        """Make the views anew, as the contract may have changed or the project moved.

        Raises
        ------
        LoadError
            If the loads in force cannot be shown by today's contract.
        """
        with self._writing() as session:
            self._show(session)

    def relation(self, loads: Sequence[Load], cast: str = "cast") -> str:
        """Return SQL that selects the rows of loads: the declared columns, `_load_id` and `_loaded_at`."""
        held = {name for load in loads for name in load.columns}
        columns = [
            f"{cast}({identifier(column.name) if column.name in held else 'null'} as {column.data_type}) "
            f"as {identifier(column.name)}"
            for column in self._table.columns
        ]
        # A file has the name of its load, so DuckDB opens only the files of the loads that a query asks for.
        load_id = f"parse_filename({_FILE}, true)"
        times = _by_load({load.load_id: load.loaded_at for load in loads})
        files = ", ".join(file_literal(self._root / load.path) for load in loads)
        return f"""select {", ".join(columns)}, {load_id} as _load_id, {times}[{load_id}] as _loaded_at
            from read_parquet([{files}], union_by_name = true, filename = '{_FILE}', hive_partitioning = false)"""

    def _show(self, session: Session) -> None:
        """Point the views at the loads as they are registered now."""
        table = self._table
        loads = [_load(row) for row in _rows(session, "loads", self._key)]
        session.delete(SCHEMA, "current_loads", self._key_of())
        if not loads:
            return
        in_force = self.in_force(loads)
        self._check_columns(in_force)
        self._check_types(in_force)
        session.append(SCHEMA, "current_loads", [{**self._key_of(), "load_id": load.load_id} for load in in_force])
        replaced_at = f"{_by_load(self._replaced(loads))}[_load_id] as _replaced_at"
        history = f"select *, {replaced_at} from ({self.relation(loads, 'try_cast')})"
        session.show(table.schema, table.identifier, self.relation(in_force))
        session.show(HISTORY_SCHEMA, table.identifier, history)

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

    def _check_types(self, loads: Sequence[Load]) -> None:
        """Refuse a `data_type` that values of a load in force are not of: the contract has changed since."""
        misfit = first_misfit([self._root / load.path for load in loads], self._table.columns)
        if misfit is not None:
            column = misfit.column
            example = "" if column.is_personal else f", such as {misfit.example!r}"
            raise self._cannot_be_shown(
                f"the contract now says that '{column.name}' is {column.data_type}, which {misfit.count:,} values "
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

    def _remember(self, session: Session, load_id: str, checks: Iterable[PopulationCheck]) -> None:
        key = self._key_of(load_id)
        session.delete(SCHEMA, "load_checks", key)
        measured = [
            {
                **key,
                "check_name": check.name,
                **{name: getattr(check, name) for name in _MEASURED},
                "passed": check.passed,
            }
            for check in checks
        ]
        session.append(SCHEMA, "load_checks", measured)

    def _key_of(self, load_id: str | None = None) -> dict[str, str]:
        """Return the values that all rows of this table have, or of one of its loads."""
        key = dict(zip(("source", "table_name"), self._key, strict=True))
        return key if load_id is None else {"load_id": load_id, **key}

    def _with_key(self, load_id: str, rows: pa.Table) -> pa.Table:
        """Return rows with the values in front of them that all rows of a load have."""
        import pyarrow as pa

        for place, (name, value) in enumerate(self._key_of(load_id).items()):
            rows = rows.add_column(place, name, pa.repeat(value, rows.num_rows))
        return rows

    def _rows(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table that are about ours; the first look reads what is always asked for, at once."""
        if name not in self._read:
            wanted = _ALWAYS_READ if name in _ALWAYS_READ else (name,)
            self._read |= {one: [] for one in wanted}
            if self._warehouse.path.exists():
                with opened(self._warehouse) as session:
                    self._read |= {one: _rows(session, one, self._key) for one in wanted}
        return self._read[name]

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with opened(self._warehouse) as session, session.transaction():
            yield session
            # Opening the file once more for each of them would be most of the time that a small file takes.
            read = {name: _rows(session, name, self._key) for name in _ALWAYS_READ}
        self._read = read

    def _cannot_be_shown(self, found: str, remedy: str) -> LoadError:
        return LoadError(
            f"{self._table.label} cannot be shown: {found}.",
            where=f"{self._table.file}, table '{self._table.name}'",
            rule="raw shows every declared column of every load in force, with its declared type.",
            remedy=remedy,
        )


def _rows(session: Session, name: str, key: Sequence[str]) -> list[dict[str, Any]]:
    return session.rows(f"select * from {SCHEMA}.{name} where {_TABLE} order by {_ORDER[name]}", key)


def _load(row: Mapping[str, Any]) -> Load:
    return Load(**{**row, "columns": tuple(row["columns"])})


def _by_load(times: Mapping[str, datetime]) -> str:
    """Return an SQL map from load to time."""
    entries = ", ".join(f"{literal(load)}: timestamp {literal(str(time))}" for load, time in times.items())
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
    with opened(warehouse) as session:
        rows = session.rows(f"select load_id from {SCHEMA}.built_from where model = ? order by load_id", (model,))
    return tuple(row["load_id"] for row in rows)
