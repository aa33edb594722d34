"""What a person does with files that were refused: list them, and accept one as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.commands import error_in_words
from turnout.advice import Action, Advice
from turnout.errors import TurnoutError
from turnout.loading.contract import source_tables
from turnout.loading.quarantine import accept, quarantined
from turnout.loading.refusal import why
from turnout.project.manifest import manifest_of

if TYPE_CHECKING:
    from rich.console import Console

    from turnout.project.paths import Project


class RenamedCommandError(TurnoutError):
    """A command of an earlier release has another name now."""


def print_quarantine(project: Project, console: Console) -> None:
    """Print every file in quarantine: why it is there, and what can be done."""
    files = [(table, file) for table in source_tables(manifest_of(project)) for file in quarantined(project, table)]
    for table, file in files:
        console.print(f"\n{file.quarantined_at:%Y-%m-%d %H:%M} UTC  {error_in_words(why(table, file))}", markup=False)
    console.print(f"\n{len(files)} files wait in {project.quarantine}" if files else "Quarantine is empty.")


def accept_file(project: Project, console: Console, load_id: str, because: str) -> None:
    """Load a quarantined file on the word of the person who asks, and say what came of it.

    Raises
    ------
    TurnoutError
        If there is no such file, no reason, or it cannot be loaded at all.
    """
    load = accept(project, source_tables(manifest_of(project)), load_id, because)
    console.print(
        f"{load.file_name} is loaded into {load.source}.{load.table_name} as {load.load_id}: {load.row_count:,} rows, "
        f"{load.refused_row_count:,} set aside; accepted by {load.accepted_by}: {load.accepted_because}\n"
        "Next: 'make run' makes everything anew that comes from it.",
        markup=False,
    )


def refuse_release(load_id: str) -> None:
    """Say that a quarantined file is accepted, not released.

    Raises
    ------
    RenamedCommandError
        Always.
    """
    raise RenamedCommandError(
        "The command 'release' is called 'accept'.",
        where="the command line",
        rule="a word means one thing: a file is accepted; nothing else is.",
        remedy=Advice(Action("accept", "accept it", {"load": load_id}), "."),
    )
