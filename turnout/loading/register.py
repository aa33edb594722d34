"""The register in the warehouse: which loads there are, what was refused, what was measured, and the raw views.

A load is registered, and the views moved on to it, in one transaction: it is wholly there or not there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.clock import utc_now
from turnout.engines import Session, Warehouse, file_literal, identifier, literal
from turnout.errors import LoadError
from turnout.loading.contract import OURS
from turnout.loading.parquet import first_misfit
from turnout.loading.population import MAX_HISTORY, History, PopulationCheck, spread_of
from turnout.loading.remembered import Remembered, remembered_of
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
# In which order the rows of a table are read.
_ORDER = {
    "load_checks": "check_name, column_name",
    "load_statistics": "column_name",
}
_MEASURED = ("column_name", "value", "low", "high", "deviation", "detail", "is_learning_only")
_NUMBERS = ("value", "low", "high", "deviation")


@dataclass(frozen=True)
class _Added:
    """A load that is not written down yet."""

    load: Load
    rows: Mapping[str, pa.Table]


class Register:
    """What the warehouse remembers of the loads of one source table.

    What was read is kept, so it is for somebody who is alone with the table. What is added is known here at once and
    written by `commit`: many files are one transaction.

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
        self._checks: dict[str, list[PopulationCheck]] = {}
        self._unplaced: dict[str, Path] = {}
        self._added: list[_Added] = []
        self._refused: dict[str, QuarantinedFile] = {}
        self._session: Session | None = None

    @contextmanager
    def held_open(self) -> Iterator[None]:
        """Let all that is read meanwhile be read in one session; to open the warehouse is most of what a look costs."""
        with opened(self._warehouse) as self._session:
            try:
                yield
            finally:
                self._session = None

    def loads(self) -> list[Load]:
        """Return all loads, oldest first."""
        return self._remembered.loads

    def loads_of(self, part: str) -> list[Load]:
        """Return all loads of a part, oldest first; of no part where files are none."""
        return self._remembered.by_part.get(part, [])

    def load(self, load_id: str) -> Load | None:
        """Return the load of an id."""
        return self._remembered.by_id.get(load_id)

    def quarantined(self) -> list[QuarantinedFile]:
        """Return the files that were quarantined, oldest first, accepted ones included."""
        return list(self._remembered.quarantined.values())

    def refusal(self, load_id: str) -> QuarantinedFile | None:
        """Return what was said last of a file that was quarantined."""
        return self._remembered.quarantined.get(load_id)

    def checks(self, load_id: str) -> list[PopulationCheck]:
        """Return what was measured of a load."""
        return self._checks_of([load_id])[load_id]

    def history(self, loads: Sequence[Load]) -> History:
        """Return what limits are learned from: what these loads passed by themselves."""
        recent = [load.load_id for load in loads[-MAX_HISTORY:]]
        known, deviations = self._checks_of(recent), dict[tuple[str, str], list[float]]()
        for check in (check for load_id in recent for check in known[load_id] if check.passed):
            deviations.setdefault((check.name, check.column_name), []).append(check.deviation)
        unaided = [None if load.accepted_by else load.row_count for load in loads[-MAX_HISTORY:]]
        return History(
            [load.row_count for load in loads],
            deviations,
            spread_of(unaided),
            loads[0].loaded_at if loads else None,
        )

    def in_force(self, loads: Sequence[Load] | None = None) -> list[Load]:
        """Return those of all loads, or of some, that raw shows: the newest of each part, or of each appended file."""
        loads = self.loads() if loads is None else loads
        replaced = self._remembered.replaced
        return [load for load in loads if load.load_id not in replaced]

    def next_moment(self) -> datetime:
        """Return the time now, later than all loads: times tell their order, whatever the clock does."""
        loads = self.loads()
        return max([utc_now(), *(load.loaded_at + timedelta(microseconds=1) for load in loads[-1:])])

    def statistics(self, load_id: str) -> list[dict[str, Any]]:
        """Return the summary statistics of a load, a row for each column, in the order of the contract."""
        places = {column.name: place for place, column in enumerate(self._table.columns)}
        with self._reading() as session:
            found = _rows(session, "load_statistics", (*self._key, load_id), f"{_TABLE} and load_id = ?")
        return sorted(found, key=lambda row: places.get(row["column_name"], len(places)))

    def refused_rows(self, load_id: str, limit: int) -> list[dict[str, Any]]:
        """Return the first rows of a load that were set aside: `line_number`, `reason`, `content`."""
        with self._reading() as session:
            return session.rows(
                f"""select line_number, reason, content from {SCHEMA}.refused_rows
                    where load_id = ? and {_TABLE} order by line_number limit {limit}""",
                (load_id, *self._key),
            )

    def add(
        self,
        load: Load,
        parquet: Path,
        checks: Sequence[PopulationCheck],
        statistics: pa.Table,
        refused_rows: pa.Table,
    ) -> None:
        """Take in a load with all that belongs to it; `commit` writes it down.

        Parameters
        ----------
        load : Load
            The load.
        parquet : Path
            Its rows, whole and on disk, in a file that is called by its id; `commit` puts it into the load's place.
        checks : sequence of PopulationCheck
            What was measured of it.
        statistics : Table
            The columns of DuckDB's `summarize`, a row for each column of the load.
        refused_rows : Table
            `line_number`, `reason` and `content` of the rows that were set aside.
        """
        self._remembered.add(load, self._table)
        self._checks[load.load_id] = list(checks)
        self._unplaced[load.load_id] = parquet
        self._added.append(_Added(load, {"load_statistics": statistics, "refused_rows": refused_rows}))

    def quarantine(self, file: QuarantinedFile, checks: Sequence[PopulationCheck]) -> None:
        """Take in a file that was not accepted, in place of what was said of it before; `commit` writes it down."""
        self._remembered.refuse(file)
        self._checks[file.load_id] = list(checks)
        self._refused[file.load_id] = file

    def commit(self) -> None:
        """Write down what was added, and let the views show it; all or nothing.

        Raises
        ------
        LoadError
            If the loads in force cannot be shown by today's contract.
        """
        if not (self._added or self._refused):
            return
        try:
            self._place()
            with opened(self._warehouse) as session, session.transaction():
                self._write(session)
                if self._added:
                    self._show(session)
        except BaseException:
            self._forget()  # what is remembered here was never written
            raise
        self._remembered.refused_before |= self._refused.keys()
        self._added, self._refused = [], {}

    def show(self) -> None:
        """Make the views anew, as the project may have moved.

        Raises
        ------
        LoadError
            If the loads in force cannot be shown by today's contract.
        """
        with opened(self._warehouse) as session, session.transaction():
            self._show(session)

    def show_if_changed(self) -> None:
        """Make the views anew if they are not what they would be: the contract may have changed, or the project moved.

        Raises
        ------
        LoadError
            If the loads in force cannot be shown by today's contract.
        """
        if self._remembered.shown_as != self._shown_as():
            self.show()

    def path_of(self, load: Load) -> Path:
        """Return where the rows of a load stand."""
        return self._unplaced.get(load.load_id, self._root / load.path)

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
        files = ", ".join(file_literal(self.path_of(load)) for load in loads)
        return f"""select {", ".join(columns)}, {load_id} as _load_id, {times}[{load_id}] as _loaded_at
            from read_parquet([{files}], union_by_name = true, filename = '{_FILE}', hive_partitioning = false)"""

    @cached_property
    def _remembered(self) -> Remembered:
        """What the warehouse remembers, read at once when it is asked for first."""
        if not self._warehouse.path.exists():
            return Remembered()
        return remembered_of(self._warehouse, self._table)

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        if self._session is not None:
            yield self._session
        else:
            with opened(self._warehouse) as session:
                yield session

    def _forget(self) -> None:
        self.__dict__.pop("_remembered", None)
        self._checks, self._unplaced, self._added, self._refused = {}, {}, [], {}

    def _checks_of(self, load_ids: Sequence[str]) -> dict[str, list[PopulationCheck]]:
        """Return what was measured of loads; those that were not asked for before are read together."""
        unread = [load_id for load_id in load_ids if load_id not in self._checks]
        if unread:
            self._checks |= {load_id: [] for load_id in unread}
            marks = ", ".join("?" for _ in unread)
            rows: list[dict[str, Any]] = []
            if self._warehouse.path.exists():
                with self._reading() as session:
                    rows = _rows(session, "load_checks", (*self._key, *unread), f"{_TABLE} and load_id in ({marks})")
            for row in rows:
                measured = {name: row[name] for name in _MEASURED}
                self._checks[row["load_id"]].append(PopulationCheck(name=row["check_name"], **measured))
        return {load_id: self._checks[load_id] for load_id in load_ids}

    def _place(self) -> None:
        """Put the rows of what was added into their places, such that after a loss of power they are there."""
        folders = set()
        for added in self._added:
            target, parquet = self._root / added.load.path, self._unplaced[added.load.load_id]
            for orphan in target.parent.parent.glob(f"*/{target.name}"):
                orphan.unlink()  # a loader was killed before it could register this load
            target.parent.mkdir(exist_ok=True)
            parquet.replace(target)
            del self._unplaced[added.load.load_id]
            folders.add(target.parent)
        for folder in folders:
            on_disk(folder)

    def _write(self, session: Session) -> None:
        """Write down what was added, in place of what was said before of the same files."""
        import pyarrow as pa

        written = [*self._refused, *(added.load.load_id for added in self._added)]
        for load_id in self._remembered.refused_before.intersection(written):
            session.delete(SCHEMA, "load_checks", self._key_of(load_id))
            if load_id in self._refused:
                session.delete(SCHEMA, "quarantine", self._key_of(load_id))
        loads = [{**asdict(added.load), "columns": list(added.load.columns)} for added in self._added]
        measured = [
            {
                **self._key_of(load_id),
                "check_name": check.name,
                **{name: float(value) if name in _NUMBERS else value for name, value in _measured(check).items()},
                "passed": check.passed,
            }
            for load_id in dict.fromkeys(written)
            for check in self._checks[load_id]
        ]
        refused = [asdict(file) for file in self._refused.values()]
        for name, rows in (("loads", loads), ("quarantine", refused), ("load_checks", measured)):
            if rows:
                session.append(SCHEMA, name, pa.Table.from_pylist(rows))
        for name in ("load_statistics", "refused_rows") if self._added else ():
            tables = [self._with_key(added.load.load_id, added.rows[name]) for added in self._added]
            session.append(SCHEMA, name, pa.concat_tables(tables, promote_options="permissive"))

    def _show(self, session: Session) -> None:
        """Point the views at the loads as they are registered now."""
        import pyarrow as pa

        table, in_force = self._table, self.in_force()
        session.delete(SCHEMA, "current_loads", self._key_of())
        if not in_force:
            return
        # What this contract has read is as it says.
        by_another = [load for load in in_force if load.contract != table.terms]
        if by_another:
            self._check_columns(by_another)
            self._check_types(by_another)
        shown_as = self._shown_as()
        current = [{**self._key_of(), "load_id": load.load_id, "shown_as": shown_as} for load in in_force]
        session.append(SCHEMA, "current_loads", pa.Table.from_pylist(current))
        session.show(table.schema, table.identifier, self.relation(in_force))
        session.show(HISTORY_SCHEMA, table.identifier, self._history())
        self._remembered.shown_as = shown_as

    def _history(self) -> str:
        """Return SQL that selects the rows of all loads, with the time from which on another one took their place."""
        replaced_at = f"{_by_load(self._remembered.replaced)}[_load_id] as _replaced_at"
        return f"select *, {replaced_at} from ({self.relation(self.loads(), 'try_cast')})"

    def _shown_as(self) -> str:
        """Return a hash of all that the views are made of."""
        table = self._table
        said = (table.schema, table.identifier, table.terms, self.relation(self.in_force()), self._history())
        return hashlib.sha256("\n".join(said).encode()).hexdigest()

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
        misfit = first_misfit([self.path_of(load) for load in loads], self._table.columns)
        if misfit is not None:
            column = misfit.column
            example = "" if column.is_personal else f", such as {misfit.example!r}"
            raise self._cannot_be_shown(
                f"the contract now says that '{column.name}' is {column.data_type}, which {misfit.count:,} values "
                f"of the loads in force are not{example}",
                "correct the data_type, or put a file that keeps it into landing.",
            )

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

    def _cannot_be_shown(self, found: str, remedy: str) -> LoadError:
        return LoadError(
            f"{self._table.label} cannot be shown: {found}.",
            where=f"{self._table.file}, table '{self._table.name}'",
            rule="raw shows every declared column of every load in force, with its declared type.",
            remedy=remedy,
        )


def _rows(session: Session, name: str, values: Sequence[str], where: str = _TABLE) -> list[dict[str, Any]]:
    return session.rows(f"select * from {SCHEMA}.{name} where {where} order by {_ORDER[name]}", values)


def _measured(check: PopulationCheck) -> dict[str, Any]:
    return {name: getattr(check, name) for name in _MEASURED}


def on_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk: after a loss of power they are there."""
    opened_path = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened_path)
    finally:
        os.close(opened_path)


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
