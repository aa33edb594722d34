"""The whole way of a file: from landing into raw, or into quarantine."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ml.errors import LoadError
from orchestration.loading.identity import REFERENCE_LOADS, Check, compare
from orchestration.loading.landing import ArrivedFile, FilesSeen, files_in, hash_of, settled
from orchestration.loading.refusal import RefusalError, why
from orchestration.loading.register import Load, QuarantinedFile, Register
from orchestration.loading.rows import parse

if TYPE_CHECKING:
    import duckdb

    from orchestration.loading.contract import SourceTable
    from orchestration.project import Project

# What DuckDB holds in memory while it reads a file; the rest goes to disk.
MEMORY_LIMIT = "1GB"
# How long to wait for another loader of the same table.
LOCK_SECONDS = 600
# Rows that summary statistics are taken from, at most.
SUMMARIZED_ROWS = 500_000

# Begins the name of what is being written; what a killed loader left behind is removed by the next one.
_INCOMING = ".incoming."


@dataclass(frozen=True)
class Acceptance:
    """A person's word that a file is to be loaded as it is."""

    by: str
    because: str


@dataclass(frozen=True)
class Outcome:
    """What came of one file in landing: a load or a place in quarantine, new or long known."""

    entered: Load | QuarantinedFile
    is_new: bool


@dataclass(frozen=True)
class Loaded:
    """A table after landing was looked through.

    Parameters
    ----------
    outcomes : tuple of Outcome
        One for each file, in the order in which they arrived.
    growing : tuple of str
        Names of the files that are still being written; they were left alone.
    in_force : tuple of Load
        The loads that raw shows, oldest first.
    blocking : tuple of QuarantinedFile
        The quarantined files that stand in landing and whose place no later file has taken: what is downstream would
        be made without them.
    """

    outcomes: tuple[Outcome, ...]
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
    with alone(project, table) as register:
        whole, growing = settled(files_in(landing))
        seen = FilesSeen(project.loads / table.folder)
        outcomes = []
        for file in whole:
            content_hash = seen.hash_of(file) or hash_of(file.path)
            outcome = _known(register, table, content_hash)
            if outcome is None:
                entered = enter(project, register, table, file, content_hash)
                outcome = Outcome(entered, is_new=True) if entered else None
            if outcome is None:
                growing.append(file)
            else:
                seen.remember(file, content_hash)
                outcomes.append(outcome)
        blocking = _blocking(table, outcomes)
        loads = register.loads()
        if not loads:
            raise _nothing_to_show(table, landing, blocking, growing)
        register.show()
    names = tuple(file.path.name for file in growing)
    return Loaded(tuple(outcomes), names, tuple(register.in_force(loads)), blocking)


def enter(
    project: Project,
    register: Register,
    table: SourceTable,
    file: ArrivedFile,
    content_hash: str,
    acceptance: Acceptance | None = None,
) -> Load | QuarantinedFile | None:
    """Make a file a load, or quarantine it.

    Parameters
    ----------
    project : Project
        Where loads and quarantine are.
    register : Register
        The table's, from `alone`.
    table : SourceTable
        The contract.
    file : ArrivedFile
        The file.
    content_hash : str
        The SHA-256 of its content.
    acceptance : Acceptance, optional
        A person's word that it is to be loaded as it is.

    Returns
    -------
    Load, QuarantinedFile or None
        None if the file changed while it was read.

    Raises
    ------
    RefusalError
        If it cannot be loaded although a person accepts it.
    """
    import duckdb

    folder = project.loads / table.folder
    scratch = folder / f"{_INCOMING}{load_id_of(content_hash, table)}"
    spilled = scratch.with_name(f"{scratch.name}.spilled")
    checks: list[Check] = []
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(spilled)}) as connection:
        try:
            load, parquet = _parse(connection, project, register, table, file, content_hash, acceptance)
            checks += _compare(connection, register, table, load, parquet)
            failed = [check for check in checks if not check.passed]
            if failed and acceptance is None:
                raise _unexpected(table, file, failed)
        except RefusalError as refusal:
            if acceptance is not None:
                raise
            if file.has_changed():
                return None
            return _quarantine(project, register, table, file, content_hash, refusal, checks)
        statistics = connection.sql(
            f"summarize from (select * exclude (_load_id, _loaded_at) from arrived) using sample {SUMMARIZED_ROWS} rows"
        ).to_arrow_table()
        refused_rows = connection.sql(
            "select line_number, reason, content from refused_rows order by line_number"
        ).to_arrow_table()
    if not _keep(parquet, file, project.root / load.path):
        return None
    register.accept(load, checks, statistics, refused_rows)
    return load


def load_id_of(content_hash: str, table: SourceTable) -> str:
    """Return the id of the load of a file: from its content, and how the contract reads it."""
    return hashlib.sha256(f"{content_hash} {table.layout}".encode()).hexdigest()[:16]


@contextmanager
def alone(project: Project, table: SourceTable) -> Iterator[Register]:
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
            for left in folder.glob(f"{_INCOMING}*"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield Register(project.warehouse, project.root, table)
    except Timeout:
        raise LoadError(
            f"{table.label} cannot be loaded: another loader has been at work on it for {LOCK_SECONDS} seconds.",
            where=str(folder / ".lock"),
            rule="one loader at a time takes in the files of a table.",
            remedy="wait for the other run to end, or stop it, and run this again.",
        ) from None


def _parse(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    register: Register,
    table: SourceTable,
    file: ArrivedFile,
    content_hash: str,
    acceptance: Acceptance | None,
) -> tuple[Load, Path]:
    """Return the load that a file would be, and the Parquet file of its rows."""
    folder, load_id = project.loads / table.folder, load_id_of(content_hash, table)
    loads = register.loads()
    others = [load for load in register.in_force(loads) if load.file_hash != content_hash]
    appended_to = [project.root / load.path for load in others] if table.keys.mode == "append" else []
    scratch = folder / f"{_INCOMING}{load_id}"
    parsed = parse(connection, file.path, scratch, table, appended_to, is_released=acceptance is not None)
    # Times of loads tell their order, whatever the clock does.
    now = max([datetime.now(UTC).replace(tzinfo=None), *(load.loaded_at + timedelta(microseconds=1) for load in loads)])
    load = Load(
        load_id=load_id,
        source=table.source,
        table_name=table.name,
        file_name=file.path.name,
        file_hash=content_hash,
        byte_count=file.byte_count,
        row_count=parsed.row_count,
        refused_row_count=parsed.refused_row_count,
        columns=parsed.columns,
        contract=table.terms,
        loaded_at=now,
        path=str((folder / f"{now:%Y-%m-%d}" / f"{load_id}.parquet").relative_to(project.root)),
        accepted_by=acceptance.by if acceptance else None,
        accepted_because=acceptance.because if acceptance else None,
    )
    return load, parsed.path


def _compare(
    connection: duckdb.DuckDBPyConnection,
    register: Register,
    table: SourceTable,
    load: Load,
    parquet: Path,
) -> list[Check]:
    """Return what was measured of a load beside those before it."""
    arrived = register.relation([replace(load, path=str(parquet))])
    connection.execute(f"create view arrived as {arrived}")
    loads = register.loads()
    if any(known.file_hash == load.file_hash for known in loads):
        return []  # the same bytes, read by another contract, are the same population
    count = REFERENCE_LOADS if table.keys.mode == "append" else 1
    reference = register.in_force(loads)[-count:]
    if reference:
        connection.execute(f"create view before as {register.relation(reference, 'try_cast')}")
    connection.execute("create view now as from arrived")
    return compare(connection, table, register.history(loads), load.loaded_at)


def _keep(parquet: Path, file: ArrivedFile, target: Path) -> bool:
    """Put a load's Parquet file in its place, whole and on disk; return False if the file it came from has changed."""
    target.parent.mkdir(exist_ok=True)
    if parquet == file.path:
        parquet = target.parent.with_name(f"{_INCOMING}{target.name}")
        shutil.copyfile(file.path, parquet)
    if file.has_changed():
        return False
    _put(parquet, target)
    return True


def _quarantine(
    project: Project,
    register: Register,
    table: SourceTable,
    file: ArrivedFile,
    content_hash: str,
    refusal: RefusalError,
    checks: Sequence[Check],
) -> QuarantinedFile:
    """Keep a refused file as it arrived, and record why it was refused."""
    load_id = load_id_of(content_hash, table)
    target = project.quarantine / table.folder / load_id / file.path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target != file.path:
        copy = project.loads / table.folder / f"{_INCOMING}{load_id}.refused"
        shutil.copyfile(file.path, copy)
        _put(copy, target)
    refused = QuarantinedFile(
        load_id=load_id,
        source=table.source,
        table_name=table.name,
        file_name=file.path.name,
        file_hash=content_hash,
        byte_count=file.byte_count,
        contract=table.terms,
        quarantined_at=datetime.now(UTC).replace(tzinfo=None),
        failed_check=refusal.check,
        problem=refusal.what,
        remedy=refusal.remedy,
        may_be_released=refusal.may_be_released,
        path=str(target.relative_to(project.root)),
    )
    register.quarantine(refused, checks)
    return refused


def _put(file: Path, target: Path) -> None:
    """Move a file to its place such that after a loss of power it is there whole or not at all."""
    with file.open("rb+") as content:
        os.fsync(content.fileno())
    file.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _known(register: Register, table: SourceTable, content_hash: str) -> Outcome | None:
    """Return what came of a file before, unless the contract it was refused by has changed."""
    load_id = load_id_of(content_hash, table)
    accepted = next((load for load in register.loads() if load.load_id == load_id), None)
    if accepted:
        return Outcome(accepted, is_new=False)
    refused = next((file for file in register.quarantined() if file.load_id == load_id), None)
    return Outcome(refused, is_new=False) if refused and refused.contract == table.terms else None


def _blocking(table: SourceTable, outcomes: Sequence[Outcome]) -> tuple[QuarantinedFile, ...]:
    """Return the quarantined files without which raw would not be what was sent."""
    counting = outcomes if table.keys.mode == "append" else outcomes[-1:]
    return tuple(outcome.entered for outcome in counting if isinstance(outcome.entered, QuarantinedFile))


def _unexpected(table: SourceTable, file: ArrivedFile, failed: Sequence[Check]) -> RefusalError:
    findings = "; ".join(str(check) for check in failed)
    return RefusalError(
        table,
        f"it is not the population we expect, by {len(failed)} of its checks: {findings}",
        str(file.path),
        "ask its sender; if it is right, release it with a reason. What is so every time belongs into the contract, as "
        f"a limit, in {table.file}.",
        check="identity",
        may_be_released=True,
    )


def _nothing_to_show(
    table: SourceTable, landing: Path, refused: Sequence[QuarantinedFile], growing: Sequence[ArrivedFile]
) -> LoadError:
    if refused:
        return why(table, refused[-1])
    found = "the only file is still being written" if growing else "there is no file"
    remedy = "run this again when it is whole." if growing else f"put a file there ({table.keys.file.format})."
    return RefusalError(table, found, str(landing), remedy)
