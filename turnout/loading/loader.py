"""The whole way of a file: from landing into raw, or into quarantine."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.clock import utc_now
from turnout.engines import identifier, literal
from turnout.engines.duckdb import connect
from turnout.errors import LoadError
from turnout.loading.landing import ArrivedFile, FilesSeen, files_in, hash_of, settled
from turnout.loading.population import REFERENCE_LOADS, PopulationCheck, compare
from turnout.loading.refusal import RefusalError, why
from turnout.loading.register import Register
from turnout.loading.rows import ParsedFile, parse
from turnout.records.loads import Load, QuarantinedFile

if TYPE_CHECKING:
    import duckdb

    from turnout.loading.contract import SourceTable
    from turnout.project.paths import Project

# What DuckDB holds in memory while it reads a file; the rest goes to disk.
MEMORY_LIMIT = "1GB"
# How long to wait for another loader of the same table.
LOCK_SECONDS = 600
# Rows that summary statistics are taken from, at most.
SUMMARIZED_ROWS = 500_000
# The summary statistics that are values of the column, or tell of them.
VALUES_SUMMARIZED = ("min", "max", "avg", "std", "q25", "q50", "q75")

# What is told of a text that would look the same if it had been cut within its last value.
_UNFINISHED = PopulationCheck(
    "unfinished_lines", "", 1, 0, 1, 0, "no line break after the last value: were it cut there, nobody would know"
)

# Begins the name of what is being written; what a killed loader left behind is removed by the next one.
_INCOMING = ".incoming."


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


@dataclass(frozen=True)
class LandedFile:
    """What came of one file in landing: a load or a place in quarantine, new or known from an earlier look.

    The same content under another name is the same load, so `entered` may name another file.
    """

    file_name: str
    entered: Load | QuarantinedFile
    is_new: bool


@dataclass(frozen=True)
class Loaded:
    """A table after landing was looked through.

    Parameters
    ----------
    files : tuple of LandedFile
        One for each file, in the order in which they arrived.
    growing : tuple of str
        Names of the files that are still being written; they were left alone.
    in_force : tuple of Load
        The loads that raw shows, oldest first.
    blocking : tuple of QuarantinedFile
        The quarantined files that stand in landing and whose place no later file, of their part, has taken: what is
        downstream would be made without them.
    """

    files: tuple[LandedFile, ...]
    growing: tuple[str, ...]
    in_force: tuple[Load, ...]
    blocking: tuple[QuarantinedFile, ...]


def load_landed(project: Project, table: SourceTable) -> Loaded:
    """Take in every file of a table that stands in landing, and let raw show the loads in force.

    A file that was taken in before is not read again. Loaders of one table wait for each other; killed at any moment,
    a load is wholly there or not there.

    Raises
    ------
    LoadError
        If there is nothing to show: no load yet, and none came of the files in landing. If the loads do not keep the
        contract, as it has changed.
    """
    landing = project.landing / table.folder
    with locked_register(project, table) as register:
        whole, growing = settled(files_in(landing))
        seen = FilesSeen(project.loads / table.folder)
        newest = {table.part_of(file.path.name): file for file in whole}
        files = []
        for file in whole:
            try:
                content_hash = seen.hash_of(file) or hash_of(file.path)
            except FileNotFoundError:  # taken away meanwhile
                continue
            part = table.part_of(file.path.name)
            arrival = Arrival(file, content_hash, load_id_of(content_hash, table, part))
            known = _known(register, table, arrival)
            if isinstance(known, Load) and file == newest[part] and not seen.has(file, content_hash):
                known, arrival = _returned(register, table, arrival, known)
            entered = known or load_file(project, register, table, arrival)
            if entered is None:
                growing.append(file)
            else:
                seen.remember(file, content_hash)
                files.append(LandedFile(file.name, entered, is_new=known is None))
        blocking = _blocking(table, files)
        loads = register.loads()
        if not loads:
            raise _nothing_to_show(table, landing, blocking, growing)
        register.show()
    names = tuple(file.name for file in growing)
    return Loaded(tuple(files), names, tuple(register.in_force(loads)), blocking)


def load_file(
    project: Project, register: Register, table: SourceTable, arrival: Arrival
) -> Load | QuarantinedFile | None:
    """Make a file a load, or quarantine it.

    Parameters
    ----------
    project : Project
        Where loads and quarantine are.
    register : Register
        The table's, from `locked_register`.
    table : SourceTable
        The contract.
    arrival : Arrival
        The file.

    Returns
    -------
    Load, QuarantinedFile or None
        None if the file changed while it was read.

    Raises
    ------
    RefusalError
        If it cannot be loaded although a person accepts it.
    """
    file, scratch = arrival.file, project.loads / table.folder / f"{_INCOMING}{arrival.load_id}"
    spilled = scratch.with_name(f"{scratch.name}.spilled")
    checks: list[PopulationCheck] = []
    with connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(spilled)}) as connection:
        try:
            load, parsed = _parse(connection, project, register, table, arrival, scratch)
            checks += [_UNFINISHED] if parsed.may_be_cut else []
            checks += _compare(connection, register, table, load, parsed.path)
            failed = [check for check in checks if not check.passed]
            if failed and arrival.acceptance is None:
                raise _unexpected(table, file, failed)
        except RefusalError as refusal:
            if arrival.acceptance is not None:
                raise
            if file.has_changed():
                return None
            return _quarantine(project, register, table, arrival, refusal, checks)
        statistics = connection.sql(_summary(table)).to_arrow_table()
        refused_rows = connection.sql(
            "select line_number, reason, content from refused_rows order by line_number"
        ).to_arrow_table()
    if not _keep(parsed.path, file, project.root / load.path):
        return None
    register.add(load, checks, statistics, refused_rows)
    return load


def load_id_of(content_hash: str, table: SourceTable, part: str = "", after: str = "") -> str:
    """Return the id of a file's load: from its content, how the contract reads it, its part, and what it came after."""
    return hashlib.sha256(f"{content_hash} {table.layout} {after}{part}".encode()).hexdigest()[:16]


@contextmanager
def locked_register(project: Project, table: SourceTable) -> Iterator[Register]:
    """Wait until no other loader is at work on a table, keep others out, and give out the table's register.

    A killed loader keeps nobody out.

    Raises
    ------
    LoadError
        If another loader is at work for longer than `LOCK_SECONDS`.
    """
    from filelock import FileLock, Timeout

    folder = project.loads / table.folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
            _clear(folder)
            try:
                yield Register(project.warehouse, project.root, table)
            finally:
                _clear(folder)
    except Timeout:
        raise LoadError(
            f"{table.label} cannot be loaded: another loader has been at work on it for {LOCK_SECONDS} seconds.",
            where=str(folder / ".lock"),
            rule="one loader at a time takes in the files of a table.",
            remedy="wait for the other run to end, or stop it, and run this again.",
        ) from None


def _clear(folder: Path) -> None:
    """Remove what is being written, or was when a loader was killed."""
    for left in folder.glob(f"{_INCOMING}*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def _parse(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    register: Register,
    table: SourceTable,
    arrival: Arrival,
    scratch: Path,
) -> tuple[Load, ParsedFile]:
    """Return the load that a file would be, and what came of its rows."""
    _check_name(table, arrival.file)
    file, acceptance, loads = arrival.file, arrival.acceptance, register.loads()
    others = [load for load in register.in_force(loads) if load.file_hash != arrival.content_hash]
    appended_to = [project.root / load.path for load in others] if table.keys.mode == "append" else []
    parsed = parse(connection, file.path, scratch, table, appended_to, is_accepted=acceptance is not None)
    # Times of loads tell their order, whatever the clock does.
    now = max([utc_now(), *(load.loaded_at + timedelta(microseconds=1) for load in loads)])
    path = project.loads / table.folder / f"{now:%Y-%m-%d}" / f"{arrival.load_id}.parquet"
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
        path=str(path.relative_to(project.root)),
        accepted_by=acceptance.by if acceptance else None,
        accepted_because=acceptance.because if acceptance else None,
    )
    return load, parsed


def _compare(
    connection: duckdb.DuckDBPyConnection,
    register: Register,
    table: SourceTable,
    load: Load,
    parquet: Path,
) -> list[PopulationCheck]:
    """Return what was measured of a load beside those before it."""
    arrived = register.relation([replace(load, path=str(parquet))])
    connection.execute(f"create view arrived as {arrived}")
    part = table.part_of(load.file_name)
    loads = [known for known in register.loads() if table.part_of(known.file_name) == part]
    if any(known.file_hash == load.file_hash for known in loads):
        return []  # the same bytes, read by another contract, are the same population
    count = REFERENCE_LOADS if table.keys.mode == "append" else 1
    reference = register.in_force(loads)[-count:]
    if reference:
        connection.execute(f"create view before as {register.relation(reference, 'try_cast')}")
    connection.execute("create view now as from arrived")
    return compare(connection, table, register.history(loads), load.loaded_at)


def _summary(table: SourceTable) -> str:
    """Return SQL for summary statistics of the columns: of personal ones counts alone.

    Maps have none; they would take memory without bound.
    """
    columns = ", ".join(identifier(column.name) for column in table.columns if not column.keys.gather)
    summary = f"from (summarize from (select {columns} from arrived) using sample {SUMMARIZED_ROWS} rows)"
    if not table.has_personal:
        return summary
    personal = ", ".join(literal(column.name) for column in table.columns if column.is_personal)
    values = (f"case when column_name not in ({personal}) then {name} end as {name}" for name in VALUES_SUMMARIZED)
    return f"select * replace ({', '.join(values)}) {summary}"


def _keep(parquet: Path, file: ArrivedFile, target: Path) -> bool:
    """Put a load's Parquet file in its place, whole and on disk; return False if the file it came from has changed."""
    folder = target.parent.parent
    if parquet == file.path:
        parquet = folder / f"{_INCOMING}{target.name}"
        shutil.copyfile(file.path, parquet)
    if file.has_changed():
        return False
    for orphan in folder.glob(f"*/{target.name}"):
        orphan.unlink()  # a loader was killed before it could register this load
    target.parent.mkdir(exist_ok=True)
    _move_durably(parquet, target)
    return True


def _quarantine(
    project: Project,
    register: Register,
    table: SourceTable,
    arrival: Arrival,
    refusal: RefusalError,
    checks: Sequence[PopulationCheck],
) -> QuarantinedFile:
    """Keep a refused file as it arrived, and record why it was refused."""
    file, load_id = arrival.file, arrival.load_id
    target = project.quarantine / table.folder / load_id / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target != file.path:
        copy = project.loads / table.folder / f"{_INCOMING}{load_id}.refused"
        shutil.copyfile(file.path, copy)
        _move_durably(copy, target)
    refused = QuarantinedFile(
        load_id=load_id,
        source=table.source,
        table_name=table.name,
        file_name=file.name,
        file_hash=arrival.content_hash,
        byte_count=file.byte_count,
        contract=table.terms,
        quarantined_at=utc_now(),
        failed_check=refusal.check,
        problem=str(refusal.what),
        remedy=str(refusal.remedy),
        may_be_accepted=refusal.may_be_accepted,
        path=str(target.relative_to(project.root)),
    )
    register.quarantine(refused, checks)
    return refused


def _move_durably(file: Path, target: Path) -> None:
    """Move a file to its place such that after a loss of power it is there whole or not at all."""
    with file.open("rb+") as content:
        os.fsync(content.fileno())
    file.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _known(register: Register, table: SourceTable, arrival: Arrival) -> Load | QuarantinedFile | None:
    """Return what came of a file before, unless the contract it was refused by has changed."""
    accepted = next((load for load in register.loads() if load.load_id == arrival.load_id), None)
    if accepted:
        return accepted
    refused = next((file for file in register.quarantined() if file.load_id == arrival.load_id), None)
    return refused if refused and refused.contract == table.terms else None


def _returned(register: Register, table: SourceTable, arrival: Arrival, known: Load) -> tuple[Load | None, Arrival]:
    """Return an arrival of its own for a snapshot that is sent again after another one: the sender went back to it."""
    part = table.part_of(arrival.file.path.name)
    newest = next((load for load in reversed(register.loads()) if table.part_of(load.file_name) == part), known)
    if table.keys.mode == "append" or newest.file_hash == known.file_hash:
        return known, arrival
    return None, replace(arrival, load_id=load_id_of(arrival.content_hash, table, part, after=newest.load_id))


def _blocking(table: SourceTable, files: Sequence[LandedFile]) -> tuple[QuarantinedFile, ...]:
    """Return the quarantined files without which raw would not be what was sent."""

    def place(landed_file: LandedFile) -> str:
        is_apart = table.keys.mode == "append" or table.keys.part
        return table.part_of(landed_file.file_name) or (landed_file.file_name if is_apart else "")

    latest = {place(landed_file): landed_file.entered for landed_file in files}
    return tuple(entered for entered in latest.values() if isinstance(entered, QuarantinedFile))


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


def _unexpected(table: SourceTable, file: ArrivedFile, failed: Sequence[PopulationCheck]) -> RefusalError:
    findings = "; ".join(str(check) for check in failed)
    return RefusalError(
        table,
        f"it is not the population we expect, by {len(failed)} of its checks: {findings}",
        str(file.path),
        "ask its sender; if it is right, accept it with a reason. What is so every time belongs into the contract, as "
        f"a limit, in {table.file}.",
        check="population",
        may_be_accepted=True,
    )


def _nothing_to_show(
    table: SourceTable, landing: Path, refused: Sequence[QuarantinedFile], growing: Sequence[ArrivedFile]
) -> LoadError:
    if refused:
        return why(table, refused[-1])
    found = "the only file is still being written" if growing else "there is no file"
    remedy = "run this again when it is whole." if growing else f"put a file there ({table.keys.file.format})."
    return RefusalError(table, found, str(landing), remedy)
