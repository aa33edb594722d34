"""Builds models again as they would have been, in schemas of their own beside those in use."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from turnout import prefork
from turnout.errors import TurnoutError
from turnout.leakage.dbt_process import SCHEMA, SCHEMA_VARIABLE
from turnout.project.manifest import manifest_of

if TYPE_CHECKING:
    from turnout.leakage.past import Past
    from turnout.project.paths import Project

Rebuild = Callable[["Past", Sequence[str]], None]


class RebuildError(TurnoutError):
    """The past cannot be built again."""


def rebuilt_schema(schema: str) -> str:
    """Return where a schema's tables stand after a rebuild."""
    return f"{SCHEMA}_{schema}"


@contextmanager
def rebuilding(project: Project) -> Iterator[Rebuild]:
    """Start a dbt process; what is returned builds models, with all that they are made from, as of a past.

    What was rebuilt is gone when the context ends.

    Raises
    ------
    RebuildError
        If dbt cannot build a model from what the sources held in that past.
    """
    _drop_rebuilt(project)  # what a killed audit has left
    # No model makes a seed or a snapshot again; dbt reads those in use.
    kept = any(node["resource_type"] in {"seed", "snapshot"} for node in manifest_of(project)["nodes"].values())
    defer = str(project.manifest_folder) if kept else ""
    complaints = TemporaryFile("w+")  # noqa: SIM115 - closed below; a pipe that nobody reads would fill up
    prefork.start()
    process = subprocess.Popen(
        prefork.command("turnout.leakage.dbt_process:main"),
        cwd=project.dbt,
        env={**os.environ, SCHEMA_VARIABLE: SCHEMA, "PYTHONPATH": str(project.root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
    )

    def rebuild(past: Past, models: Sequence[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        asked = {
            "sample": past.sample,
            "variables": past.variables,
            "select": [f"+{name}" for name in models],
            "defer": defer,
        }
        try:
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if answer:
            problem = json.loads(answer)["problem"]
        else:
            complaints.seek(0)
            problem = complaints.read().strip()[-2000:] or "the process ended without a word"
        if problem:
            raise RebuildError(
                f"The models cannot be built as of {past.as_of_date}: {problem}",
                where=f"{project.dbt}, {', '.join(models)}",
                rule="what is learned from can be built again from what was known at its time.",
                remedy="correct the model that dbt names; it must also work with fewer rows than there are today.",
            )

    try:
        yield rebuild
    finally:
        process.kill()
        process.communicate()
        complaints.close()
        _drop_rebuilt(project)


def _drop_rebuilt(project: Project) -> None:
    with project.warehouse.session() as session:
        session.drop_schemas(SCHEMA)
