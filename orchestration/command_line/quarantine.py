"""What a person does with files that were refused: list them, and accept them as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.commands import command, error_in_words
from turnout.advice import Action, Advice
from turnout.errors import TurnoutError
from turnout.loading.contract import source_tables
from turnout.loading.quarantine import accept, accept_all, quarantined
from turnout.loading.refusal import why
from turnout.project.manifest import manifest_of

if TYPE_CHECKING:
    from rich.console import Console

    from turnout.project.paths import Project


class AcceptError(TurnoutError):
    """It is not clear what is to be accepted."""


class RenamedCommandError(TurnoutError):
    """A command of an earlier release has another name now."""


def print_quarantine(project: Project, console: Console) -> None:
    """Print every file in quarantine: why it is there, and what can be done."""
    count = 0
    for table in source_tables(manifest_of(project)):
        files = quarantined(project, table)
        for file in files:
            said = error_in_words(why(table, file))
            console.print(f"\n{file.quarantined_at:%Y-%m-%d %H:%M} UTC  {said}", markup=False)
        if sum(file.may_be_accepted for file in files) > 1:
            accept_them = command(Action("accept", "", {"source": table.source, "table": table.name}))
            console.print(f"\nTo load all that wait of {table.label} as they are: {accept_them}.", markup=False)
        count += len(files)
    console.print(f"\n{count} files wait in {project.quarantine}" if count else "Quarantine is empty.")


def accept_files(
    project: Project, console: Console, because: str, *, load: str = "", source: str = "", table: str = ""
) -> None:
    """Load a quarantined file, or all that wait of a table, on the word of the person who asks; say what came of it.

    Raises
    ------
    TurnoutError
        If there is no such file or table, no reason, or a file cannot be loaded at all; if both are named, or neither.
    """
    if bool(load) == bool(source or table):
        raise AcceptError(
            "Nothing is accepted: it is not clear what." if load else "Nothing is accepted: nothing is named.",
            where="the command line",
            rule="one file is accepted by its id, or all that wait of one table by its source and its name.",
            remedy="make accept LOAD=id BECAUSE='the reason', or make accept SOURCE=source TABLE=table BECAUSE='...'.",
        )
    tables = source_tables(manifest_of(project))
    accepted = [accept(project, tables, load, because)] if load else accept_all(project, tables, source, table, because)
    for one in accepted:
        console.print(
            f"{one.file_name} is loaded into {one.source}.{one.table_name} as {one.load_id}: {one.row_count:,} rows, "
            f"{one.refused_row_count:,} set aside; accepted by {one.accepted_by}: {one.accepted_because}",
            markup=False,
        )
    console.print("Next: 'make run' makes everything anew that comes from it.", markup=False)


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
