"""The way of a file into a table: it is read, judged beside the loads before it, and becomes a load or is quarantined.

Files that wait together share what costs most: one DuckDB in memory, one look at the register, one transaction.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.engines import file_literal, identifier, literal
from turnout.engines.duckdb import connect
from turnout.loading.landing import ArrivedFile, samples_in
from turnout.loading.population import REFERENCE_LOADS, PopulationCheck, compare
from turnout.loading.reading import unreadable
from turnout.loading.refusal import RefusalError
from turnout.loading.register import Register, on_disk
from turnout.loading.rows import ParsedFile, first_event, parse
from turnout.records.loads import Load, QuarantinedFile

if TYPE_CHECKING:
    import duckdb

    from turnout.loading.contract import SourceTable
    from turnout.project.paths import Project

# What DuckDB holds in memory while it reads a file; the rest goes to disk.
MEMORY_LIMIT = "1GB"
# Rows that summary statistics are taken from, at most.
SUMMARIZED_ROWS = 500_000
# Rows that are held in memory while they are compared; what is more is read from its files, again for each check.
COMPARED_IN_MEMORY = 100_000
# Files whose keys are put together, so that the next files look for theirs in one.
MERGED_FILES = 32
# Findings that a message tells; the others are counted.
TOLD_FINDINGS = 3
# The summary statistics that are values of the column, or tell of them.
VALUES_SUMMARIZED = ("min", "max", "avg", "std", "q25", "q50", "q75")

# What is told of a text that would look the same if it had been cut within its last value.
_UNFINISHED = PopulationCheck(
    "unfinished_lines", "", 1, 0, 1, 0, "no line break after the last value: were it cut there, nobody would know"
)

# Begins the name of what is being written; what a killed loader left behind is removed by the next one.
INCOMING = ".incoming."


@dataclass(frozen=True)
class Acceptance:
    """A person's word that a file is to be loaded as it is."""

    by: str
    because: str


@dataclass(frozen=True)
class Arrival:
    """A file that asks to be let in.

    Parameters
    ----------
    file : ArrivedFile
        The file.
    content_hash : str
        The SHA-256 of its content.
    load_id : str
        The id of the load that it would be.
    acceptance : Acceptance, optional
        A person's word that it is to be loaded as it is.
    """

    file: ArrivedFile
    content_hash: str
    load_id: str
    acceptance: Acceptance | None = None


def load_id_of(content_hash: str, table: SourceTable, part: str = "", after: str = "") -> str:
    """Return the id of a file's load: from its content, how the contract reads it, its part, and what it came after."""
    return hashlib.sha256(f"{content_hash} {table.layout} {after}{part}".encode()).hexdigest()[:16]


class Intake:
    """Takes files into one table, one after the other; the register has to be committed then.

    Parameters
    ----------
    project : Project
        Where loads and quarantine are.
    register : Register
        The table's; nobody else is at work with it.
    table : SourceTable
        The contract.
    """

    def __init__(self, project: Project, register: Register, table: SourceTable) -> None:
        self._project, self._register, self._table = project, register, table
        self._folder = project.loads / table.folder / f"{INCOMING}files"
        self._database: duckdb.DuckDBPyConnection | None = None
        self._connection_count = 0
        self._sample_hashes = samples_in(project.loads / table.folder)
        # Files that hold the keys of many loads, and the ids of those loads.
        self._merged: list[Path] = []
        self._merged_ids: set[str] = set()

    def close(self) -> None:
        """Give the memory back; what was taken in has to be committed before."""
        if self._database is not None:
            self._database.close()

    def first_event(self, file: ArrivedFile) -> datetime | None:
        """Return when the first event of a file happened, as far as its first rows tell; None if they do not."""
        scratch = self._folder / "looked_into"
        with self._connection() as connection:
            try:
                return first_event(connection, file.path, scratch, self._table)
            finally:
                self._remove(scratch)

    def take(self, arrival: Arrival, *, others_wait: bool = False) -> Load | QuarantinedFile | None:
        """Make a file a load, or quarantine it.

        Parameters
        ----------
        arrival : Arrival
            The file.
        others_wait : bool
            Whether it is one of many, for which it pays to prepare.

        Returns
        -------
        Load, QuarantinedFile or None
            None if the file changed while it was read.

        Raises
        ------
        RefusalError
            If it cannot be loaded although a person accepts it.
        """
        file, scratch = arrival.file, self._folder / arrival.load_id
        checks: list[PopulationCheck] = []
        with self._connection() as connection:
            try:
                load, parsed = self._parse(connection, arrival, scratch, others_wait=others_wait)
                checks += [_UNFINISHED] if parsed.may_be_cut else []
                with self._readable(file.path):
                    checks += self._compare(connection, load, parsed.path)
                failed = [check for check in checks if not check.passed]
                if failed and arrival.acceptance is None:
                    raise _unexpected(self._table, str(file.path), failed, self._samples_before(load))
                with self._readable(file.path):
                    statistics = connection.sql(self._summary()).to_arrow_table()
            except RefusalError as refusal:
                self._remove(scratch)
                if arrival.acceptance is not None:
                    raise
                if file.has_changed():
                    return None
                return self._quarantine(arrival, refusal, checks)
            refused_rows = connection.sql(
                "select line_number, reason, content from refused_rows order by line_number"
            ).to_arrow_table()
        rows = self._folder / "rows" / f"{arrival.load_id}.parquet"
        rows.parent.mkdir(exist_ok=True)
        if parsed.path == file.path:
            shutil.copyfile(file.path, rows)
        else:
            parsed.path.replace(rows)
        self._remove(scratch)
        if file.has_changed():
            rows.unlink()
            return None
        on_disk(rows)
        self._register.add(load, rows, checks, statistics, refused_rows)
        return load

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give out a connection for one file, in whose tables and views nothing of another file stands.

        To open a DuckDB costs more than a small file does, so there is one for all of them.
        """
        import duckdb

        self._folder.mkdir(exist_ok=True)
        if self._database is None:
            spilled = str(self._folder / "spilled")
            self._database = connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": spilled})
        self._connection_count += 1
        schema = f"file_{self._connection_count}"
        with self._database.cursor() as connection:
            connection.execute(f"create schema {schema}")
            connection.execute(f"set schema = 'memory.{schema}'")
            try:
                yield connection
            finally:
                with suppress(duckdb.Error):  # what is told is what failed first
                    connection.execute(f"drop schema {schema} cascade")

    def _samples_before(self, load: Load) -> int:
        """Return how many loads a load was compared with, if all of them came of samples; else none."""
        reference = self._reference(load)
        return len(reference) if all(known.file_hash in self._sample_hashes for known in reference) else 0

    @contextmanager
    def _readable(self, path: Path) -> Iterator[None]:
        """Refuse a file that breaks only when all of it is read: a Parquet file is, when it is compared."""
        import duckdb

        try:
            yield
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            raise
        except duckdb.Error as error:
            raise unreadable(self._table, path, error) from None

    def _remove(self, scratch: Path) -> None:
        """Remove what was written while a file was read."""
        for left in scratch.parent.glob(f"{scratch.name}.*"):
            left.unlink()

    def _parse(
        self, connection: duckdb.DuckDBPyConnection, arrival: Arrival, scratch: Path, *, others_wait: bool
    ) -> tuple[Load, ParsedFile]:
        """Return the load that a file would be, and what came of its rows."""
        table, file, acceptance = self._table, arrival.file, arrival.acceptance
        _check_name(table, file)
        earlier = self._earlier(connection, arrival, others_wait=others_wait)
        parsed = parse(connection, file.path, scratch, table, earlier, is_accepted=acceptance is not None)
        now = self._register.next_moment()
        path = self._project.loads / table.folder / f"{now:%Y-%m-%d}" / f"{arrival.load_id}.parquet"
        load = Load(
            load_id=arrival.load_id,
            source=table.source,
            table_name=table.name,
            file_name=file.name,
            file_hash=arrival.content_hash,
            byte_count=file.byte_count,
            row_count=parsed.row_count,
            refused_row_count=parsed.refused_row_count,
            columns=parsed.columns,
            contract=table.terms,
            loaded_at=now,
            path=str(path.relative_to(self._project.root)),
            accepted_by=acceptance.by if acceptance else None,
            accepted_because=acceptance.because if acceptance else None,
        )
        return load, parsed

    def _earlier(self, connection: duckdb.DuckDBPyConnection, arrival: Arrival, *, others_wait: bool) -> Sequence[Path]:
        """Return files with the keys that the rows of a file may not repeat."""
        table, register = self._table, self._register
        if table.keys.mode != "append" or not table.keys.key:
            return []
        in_force = register.in_force()
        others = [load for load in in_force if load.file_hash != arrival.content_hash]
        if len(others) < len(in_force):  # the file was a load before, by another contract, whose place it takes
            self._merged, self._merged_ids = [], set()
            return [register.path_of(load) for load in others]
        apart = [load for load in others if load.load_id not in self._merged_ids]
        if others_wait and len(apart) > MERGED_FILES:
            held = {name for load in apart for name in load.columns}
            keys = ", ".join(identifier(name) for name in table.keys.key if name in held)
            files = ", ".join(file_literal(register.path_of(load)) for load in apart)
            merged = self._folder / f"keys_{len(self._merged)}.parquet"
            connection.execute(
                f"""copy (select {keys} from read_parquet([{files}], union_by_name = true, hive_partitioning = false))
                    to {literal(str(merged))} (format parquet)"""
            )
            self._merged.append(merged)
            self._merged_ids |= {load.load_id for load in apart}
            apart = []
        return [*self._merged, *(register.path_of(load) for load in apart)]

    def _compare(self, connection: duckdb.DuckDBPyConnection, load: Load, parquet: Path) -> list[PopulationCheck]:
        """Return what was measured of a load beside those before it."""
        table, register = self._table, self._register
        loads = register.loads_of(table.part_of(load.file_name))
        reference = self._reference(load)
        is_small = load.row_count + sum(known.row_count for known in reference) <= COMPARED_IN_MEMORY
        kind = "table" if is_small else "view"
        connection.execute(f"create {kind} arrived as {register.relation([replace(load, path=str(parquet))])}")
        if any(known.file_hash == load.file_hash for known in loads):
            return []  # the same bytes, read by another contract, are the same population
        if reference:
            connection.execute(f"create {kind} before as {register.relation(reference, 'try_cast')}")
        connection.execute("create view now as from arrived")
        return compare(connection, table, register.history(loads), load.loaded_at)

    def _reference(self, load: Load) -> list[Load]:
        """Return the loads that a load is compared with."""
        loads = self._register.loads_of(self._table.part_of(load.file_name))
        return self._register.in_force(loads)[-(REFERENCE_LOADS if self._table.keys.mode == "append" else 1) :]

    def _summary(self) -> str:
        """Return SQL for summary statistics of the columns: of personal ones counts alone.

        Maps have none; they would take memory without bound.
        """
        table = self._table
        columns = ", ".join(identifier(column.name) for column in table.columns if not column.keys.gather)
        summary = f"from (summarize from (select {columns} from arrived) using sample {SUMMARIZED_ROWS} rows)"
        if not table.has_personal:
            return summary
        personal = ", ".join(literal(column.name) for column in table.columns if column.is_personal)
        values = (f"case when column_name not in ({personal}) then {name} end as {name}" for name in VALUES_SUMMARIZED)
        return f"select * replace ({', '.join(values)}) {summary}"

    def _quarantine(
        self, arrival: Arrival, refusal: RefusalError, checks: Sequence[PopulationCheck]
    ) -> QuarantinedFile:
        """Keep a refused file as it arrived, and record why it was refused."""
        table, file, load_id = self._table, arrival.file, arrival.load_id
        target = self._project.quarantine / table.folder / load_id / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target != file.path:
            copy = self._folder / f"{load_id}.refused"
            shutil.copyfile(file.path, copy)
            on_disk(copy)
            copy.replace(target)
            on_disk(target.parent)
        refused = QuarantinedFile(
            load_id=load_id,
            source=table.source,
            table_name=table.name,
            file_name=file.name,
            file_hash=arrival.content_hash,
            byte_count=file.byte_count,
            contract=table.terms,
            quarantined_at=self._register.next_moment(),
            failed_check=refusal.check,
            problem=str(refusal.what),
            remedy=str(refusal.remedy),
            may_be_accepted=refusal.may_be_accepted,
            path=str(target.relative_to(self._project.root)),
        )
        self._register.quarantine(refused, checks)
        return refused


def _check_name(table: SourceTable, file: ArrivedFile) -> None:
    """Refuse a file whose name is no text, or of a snapshot in parts does not say which part it is."""
    if file.name != file.path.name:
        raise RefusalError(
            table, "its name is not encoded in UTF-8", file.name, "give the file a name that can be written down."
        )
    if table.keys.part and not table.part_of(file.path.name):
        raise RefusalError(
            table,
            f"its name does not say which part of the snapshot it is: it does not match '{table.keys.part}'",
            str(file.path),
            f"give the file such a name, or correct 'part' in {table.file}.",
        )


def _unexpected(table: SourceTable, where: str, failed: Sequence[PopulationCheck], samples: int) -> RefusalError:
    """Return the refusal of a file that can be read and is not the population we expect: what is furthest off first."""
    worst = sorted(failed, key=lambda check: check.excess, reverse=True)
    findings = "; ".join(str(check) for check in worst[:TOLD_FINDINGS])
    more = len(worst) - TOLD_FINDINGS
    rest = f"; and {more:,} more, all in records.load_checks" if more > 0 else ""
    found = f"it is not the population we expect, by {len(failed)} of its checks: {findings}{rest}"
    remedy = (
        "ask its sender; if it is right, accept it with a reason. What is so every time belongs into the contract, as "
        f"a limit, in {table.file}."
    )
    if samples:
        were = "the load before it was a generated sample" if samples == 1 else "the loads before it were samples"
        found = f"{were} of an example, so it is compared with what nobody sent; {found}"
        remedy = (
            "if it is real, take the example's files out of landing, or the example out of the checkout, and accept "
            f"this one with a reason; what follows is compared with it then. Else {remedy}"
        )
    return RefusalError(table, found, where, remedy, check="population", may_be_accepted=True)
