"""dbt's manifest, always that of the files as they are."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout import prefork
from turnout.errors import TurnoutError
from turnout.project.dbt_inputs import state_of

if TYPE_CHECKING:
    from turnout.project.paths import Project

# dbt's own name of the file in its target folder.
_PARTIAL_PARSE = "partial_parse.msgpack"


class ProjectError(TurnoutError):
    """The dbt project cannot be read."""


def manifest_of(project: Project) -> dict[str, Any]:
    """Return the manifest of dbt, which parses the project first if what it would read there has changed.

    The same files give the same object, so whoever changes it changes it for all.

    Raises
    ------
    ProjectError
        If dbt cannot parse the project.
    """
    return _manifest(project, state_of(project.dbt))


def share_parse(project: Project, target: Path) -> None:
    """Let a dbt command begin with what was parsed for the manifest, unless its own parse is younger.

    Parameters
    ----------
    project : Project
        The project.
    target : Path
        The command's target folder.
    """
    parsed, own = project.manifest_folder / _PARTIAL_PARSE, target / _PARTIAL_PARSE
    if parsed.exists() and not (own.exists() and own.stat().st_mtime_ns >= parsed.stat().st_mtime_ns):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(parsed, own)


def declared_predictions(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the `unique_id` of the model that declares each prediction, by name; what it declares is not read.

    Of a model in several versions it is the latest, as for a `ref` that names none.
    """
    return {
        node["name"]: node["unique_id"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and "prediction" in node["config"]["meta"] and is_latest(node)
    }


def declared_label(node: Mapping[str, Any]) -> str | None:
    """Return the column that a model declares as the label of its prediction; None if it declares none."""
    declared = node["config"]["meta"].get("prediction")
    label = declared.get("label") if isinstance(declared, dict) else None
    return label.get("column") if isinstance(label, dict) else label


def is_latest(node: Mapping[str, Any]) -> bool:
    """Return whether a model is the one that a `ref` to its name means: it has no versions, or is the latest."""
    return node.get("version") == node.get("latest_version")


def is_ephemeral(node: Mapping[str, Any]) -> bool:
    """Return whether a model is no table: dbt writes its SQL into whatever reads it."""
    return str(node["config"].get("materialized")) == "ephemeral"


@lru_cache(maxsize=8)
def _manifest(project: Project, state: str) -> dict[str, Any]:
    target = project.manifest_folder
    path, parsed_from = target / "manifest.json", target / "parsed_from"
    if not (path.exists() and parsed_from.exists() and parsed_from.read_text() == state):
        _parse(project.dbt, target)
        parsed_from.write_text(state)
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


def _parse(dbt: Path, target: Path) -> None:
    # A process of its own: dbt's in-process runner keeps the lock of the warehouse.
    prefork.start()
    parse = ("--no-use-colors", "--log-format", "text", "parse", "--target-path", str(target))
    finished = subprocess.run(
        prefork.command(prefork.DBT, *parse), cwd=dbt, capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        raise ProjectError(
            f"dbt cannot parse the project:\n{finished.stdout.strip() or finished.stderr.strip()}",
            where=str(dbt),
            rule="the asset graph is made from dbt's manifest.",
            remedy="correct the file that dbt names; 'dbt parse' in dbt_project/ says the same, faster.",
        )
