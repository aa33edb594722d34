"""Quarantine: which files were refused and wait for a person, and how that person lets one in."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from turnout.advice import Action, Advice
from turnout.errors import LoadError, did_you_mean
from turnout.loading.intake import Acceptance, Arrival, Intake, load_id_of
from turnout.loading.landing import ArrivedFile
from turnout.loading.loader import locked_register
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
    if not because.strip():
        raise LoadError(
            f"'{load_id}' is not accepted: there is no reason.",
            where=f"{file.file_name} of {table.label}",
            rule="whoever accepts what was refused says why, for those who will ask.",
            remedy=Advice(Action("accept", f"accept {load_id} with a reason", {"load": load_id}), "."),
        )
    part = table.part_of(file.file_name)
    loads = [load for load in _register(project, table).loads() if table.part_of(load.file_name) == part]
    newest = max((load.loaded_at for load in loads), default=file.quarantined_at)
    if table.keys.mode == "snapshot" and newest > file.quarantined_at:
        raise LoadError(
            f"'{load_id}' is not accepted: another snapshot of {table.label} was loaded since.",
            where=f"{file.file_name} of {table.label}",
            rule="the snapshot that arrived last is the one that raw shows.",
            remedy="put the file into landing again if it is to take the place of the later one.",
        )
    stored = ArrivedFile.at(project.root / file.path)
    acceptance = Acceptance(getpass.getuser(), because.strip())
    arrival = Arrival(stored, file.file_hash, load_id_of(file.file_hash, table, part), acceptance)
    with locked_register(project, table) as register:
        with closing(Intake(project, register, table)) as intake:
            load = intake.take(arrival)
        register.commit()
    assert isinstance(load, Load)  # nobody writes to what is in quarantine, and a refusal is raised
    return load


def _register(project: Project, table: SourceTable) -> Register:
    return Register(project.warehouse, project.root, table)
