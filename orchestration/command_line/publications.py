"""What a person does with publications: list them, go back to one, export the one in place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dagster import DagsterInstance

from orchestration.defs.publication.held_back import report_current
from turnout.publication.publish import export, restore
from turnout.publication.shelf import shelf_of
from turnout.publication.tables import read_publication

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from turnout.project.paths import Project


def print_publications(project: Project, console: Console) -> None:
    """Print what is published, and which publications are kept."""
    in_place = read_publication(project.published)
    kept = {number: read_publication(file) for number, file in shelf_of(project).kept().items()}
    if in_place is not None:
        kept[in_place.publication_id] = in_place
    for number, publication in sorted(kept.items(), reverse=True):
        assert publication is not None  # only what tells its id is kept
        champions = ", ".join(f"{name} {version}" for name, version in json.loads(publication.champions).items())
        place = "in place" if publication == in_place else ""
        console.print(
            f"{number:>5}  {publication.published_at:%Y-%m-%d %H:%M} UTC  {place:<8}  champions: {champions or 'none'}",
            markup=False,
        )
        if publication.because:
            console.print(f"       {publication.how} by {publication.who}: {publication.because}", markup=False)
    if not kept:
        console.print("Nothing is published yet; 'make run' does it.")


def restore_publication(project: Project, console: Console, publication_id: int, *, who: str, because: str) -> None:
    """Go back to a publication, tell Dagster, and say what comes next.

    Raises
    ------
    TurnoutError
        If it is not kept, it is in place already, or name or reason are missing.
    """
    restored = restore(project, publication_id, who=who, because=because)
    description = f"{restored.who} went back to publication {restored.publication_id}: {restored.because}"
    is_newest = restored.publication_id >= max(shelf_of(project).kept(), default=0)
    with DagsterInstance.get() as instance:
        report_current(instance, passed=is_newest, description=description)
    console.print(
        f"{description}\n"
        f"Readers see it from now on, as it was made on {restored.published_at:%Y-%m-%d %H:%M} UTC. The next "
        "run publishes the newest state again: mend what was wrong before.",
        markup=False,
    )


def export_publication(project: Project, console: Console, folder: Path | None) -> None:
    """Write every table of the publication as a Parquet file, and say where.

    Raises
    ------
    TurnoutError
        If nothing is published, or the folder cannot be written.
    """
    written = export(project, folder or project.published.parent / "parquet")
    console.print(f"Every table of the publication is a Parquet file in {written}", markup=False)
