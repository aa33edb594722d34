"""dbt's sources of what Python writes: their YAML, which a command writes from what Python says of its tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ml.serving import scores_table
from orchestration.project import predictions_of
from turnout import records
from turnout.project.manifest import manifest_of
from turnout.records.sources import sources_of

if TYPE_CHECKING:
    from turnout.project.paths import Project

HEADER = "# Written by `{command}` from {said}; do not change it here.\n"
COMMAND = "make sources"
RECORDS = "What happened in every load and every training; rows are added, never changed."


def sources(project: Project) -> dict[Path, str]:
    """Return the YAML files of the sources `records` and `scores`, each as it would be written.

    Raises
    ------
    TurnoutError
        If the project cannot be read, or a declaration lacks what its scores need.
    """
    models, manifest = project.dbt / "models", manifest_of(project)
    tables = [scores_table.declared_table(prediction, manifest) for prediction in predictions_of(project)]
    written = {
        models / "records/_records__sources.yml": HEADER.format(command=COMMAND, said="turnout/records")
        + sources_of(records.SCHEMA, RECORDS, records.TABLES),
    }
    if tables:
        written[models / "scores/_scores__sources.yml"] = HEADER.format(
            command=COMMAND, said="ml/serving/scores_table.py and the declared predictions"
        ) + sources_of(scores_table.SCHEMA, scores_table.WORDS, tables)
    return written


def write_sources(project: Project) -> list[Path]:
    """Write the files that are not what they should be, and return them."""
    changed = []
    for file, text in sources(project).items():
        if not file.exists() or file.read_text() != text:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            changed.append(file)
    return changed
