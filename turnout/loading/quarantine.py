"""Quarantine: which files were refused and wait for a person, and how that person lets them in."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from turnout.advice import Action, Advice
from turnout.errors import LoadError, did_you_mean
from turnout.loading.intake import Acceptance, Arrival, Intake, load_id_of
from turnout.loading.landing import ArrivedFile, FilesSeen, files_in, hash_of
from turnout.loading.loader import by_event, locked_register
from turnout.loading.register import Register
from turnout.records.loads import Load, QuarantinedFile

if TYPE_CHECKING:
    from turnout.loading.contract import SourceTable
    from turnout.project.paths import Project


def quarantined(project: Project, table: SourceTable) -> list[QuarantinedFile]:
    """Return the files of a table that are in quarantine, oldest first."""
    register = _register(project, table)
    accepted = {(table.part_of(load.file_name), load.file_hash) for load in register.loads()}
    return [file for file in register.quarantined() if (table.part_of(file.file_name), file.file_hash) not in accepted]


def accept(project: Project, tables: Sequence[SourceTable], load_id: str, because: str) -> Load:
    """Load a quarantined file as it is, on a person's word, which is recorded with the reason.

    Rows that do not keep the contract are set aside all the same, however many they are.

    Parameters
    ----------
    project : Project
        Where quarantine is.
    tables : sequence of SourceTable
        The contracts of all source tables.
    load_id : str
        The id that the file is listed with.
    because : str
        The reason.

    Raises
    ------
    LoadError
        If there is no such file in quarantine, there is no reason, or the file cannot be loaded whatever a person says.
    """
    waiting = {file.load_id: (table, file) for table in tables for file in quarantined(project, table)}
    if load_id not in waiting:
        raise LoadError(
            f"There is no '{load_id}' in quarantine.{did_you_mean(load_id, waiting)}",
            where=str(project.quarantine),
            rule="a quarantined file is accepted once, by its id.",
            remedy=Advice(Action("quarantine", "the quarantine"), " lists what waits."),
        )
    table, file = waiting[load_id]
    accept_this = Action("accept", f"accept {load_id} with a reason", {"load": load_id})
    _require_reason(because, f"'{load_id}'", f"{file.file_name} of {table.label}", accept_this)
    loads = _register(project, table).loads_of(table.part_of(file.file_name))
    newest = max((load.loaded_at for load in loads), default=file.quarantined_at)
    if table.keys.mode == "snapshot" and newest > file.quarantined_at:
        raise LoadError(
            f"'{load_id}' is not accepted: another snapshot of {table.label} was loaded since.",
            where=f"{file.file_name} of {table.label}",
            rule="the snapshot that arrived last is the one that raw shows.",
            remedy="put the file into landing again if it is to take the place of the later one.",
        )
    (load,) = _accept(project, table, [file], because)
    return load


def accept_all(
    project: Project, tables: Sequence[SourceTable], source: str, table_name: str, because: str
) -> tuple[Load, ...]:
    """Load the quarantined files of a table that stand in landing, as they are, on a person's word.

    What is appended is loaded in the order of its events; of snapshots, the one that arrived last, of each part. Files
    that no person may accept stay where they are.

    Parameters
    ----------
    project : Project
        Where quarantine is.
    tables : sequence of SourceTable
        The contracts of all source tables.
    source, table_name : str
        Which of them.
    because : str
        The reason.

    Raises
    ------
    LoadError
        If there is no such table, none of its files may be accepted, there is no reason, or a file cannot be loaded
        whatever a person says; those before it are loaded then.
    """
    labels = {table.label: table for table in tables}
    table = labels.get(f"{source}.{table_name}")
    if table is None:
        raise LoadError(
            f"There is no table '{source}.{table_name}'.{did_you_mean(f'{source}.{table_name}', labels)}",
            where=str(project.quarantine),
            rule="the files of a table that dbt declares as a source are accepted together.",
            remedy=f"name the source and the table of one of: {', '.join(labels)}.",
        )
    accept_these = Action("accept", "accept them with a reason", {"source": source, "table": table_name})
    _require_reason(because, f"What waits of {table.label}", str(project.quarantine / table.folder), accept_these)
    seen, landed = (
        FilesSeen(project.loads / table.folder),
        files_in(project.landing / table.folder, follow_links=table.keys.follow_links),
    )
    standing = {seen.hash_of(file) or hash_of(file.path) for file in landed}
    waiting = [file for file in quarantined(project, table) if file.may_be_accepted and file.file_hash in standing]
    if table.keys.mode == "snapshot":
        latest = {table.part_of(file.file_name): file for file in waiting}
        loads = {part: _register(project, table).loads_of(part)[-1:] for part in latest}
        waiting = [
            file for part, file in latest.items() if all(load.loaded_at < file.quarantined_at for load in loads[part])
        ]
    if not waiting:
        raise LoadError(
            f"No file of {table.label} waits that a person may accept.",
            where=str(project.quarantine / table.folder),
            rule="files that stand in landing and were refused as another population, or for some of their rows, may "
            "be accepted.",
            remedy=Advice(Action("quarantine", "the quarantine"), " lists what waits."),
        )
    return _accept(project, table, waiting, because)


def _accept(project: Project, table: SourceTable, files: Sequence[QuarantinedFile], because: str) -> tuple[Load, ...]:
    acceptance = Acceptance(getpass.getuser(), because.strip())
    stored = {ArrivedFile.at(project.root / file.path): file for file in files}
    loads = []
    with locked_register(project, table) as register, closing(Intake(project, register, table)) as intake:
        try:
            for standing in by_event(intake, list(stored)) if table.keys.mode == "append" else stored:
                file = stored[standing]
                part = table.part_of(file.file_name)
                arrival = Arrival(standing, file.file_hash, load_id_of(file.file_hash, table, part), acceptance)
                load = intake.take(arrival)
                assert isinstance(load, Load)  # nobody writes to what is in quarantine, and a refusal is raised
                loads.append(load)
        finally:
            register.commit()
    return tuple(loads)


def _require_reason(because: str, what: str, where: str, accept_with_reason: Action) -> None:
    if not because.strip():
        raise LoadError(
            f"{what} is not accepted: there is no reason.",
            where=where,
            rule="whoever accepts what was refused says why, for those who will ask.",
            remedy=Advice(accept_with_reason, "."),
        )


def _register(project: Project, table: SourceTable) -> Register:
    return Register(project.warehouse, project.root, table)
