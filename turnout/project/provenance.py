"""Where something comes from: the code and the loads that made it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnout.project.paths import Project


@dataclass(frozen=True)
class Provenance:
    """Where a training comes from, as far as only the caller knows.

    Parameters
    ----------
    code_version : str
        The commit, or a hash of the source where there is none or it was changed.
    load_ids : tuple of str
        The loads behind the examples.
    """

    code_version: str
    load_ids: tuple[str, ...]


def turnout_version(project: Project) -> str:
    """Return the version of Turnout, which stands in pyproject.toml and nowhere else."""
    stated = tomllib.loads((project.root / "pyproject.toml").read_text(encoding="utf-8"))
    return str(stated["project"]["version"])


def code_version(project: Project) -> str:
    """Return the commit, or a hash of the source where there is no commit or it was changed since."""
    if shutil.which("git"):
        git = ["git", "-C", str(project.root)]
        status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False)
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
        if commit.returncode == 0 and status.returncode == 0 and not status.stdout:
            return f"commit {commit.stdout.strip()}"
    digest = hashlib.sha256()
    for folder in ("dbt_project", "turnout", "ml", "orchestration"):
        for path in source_files(project.root / folder):
            digest.update(path.relative_to(project.root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"source {digest.hexdigest()}"


def source_files(folder: Path) -> list[Path]:
    """Return the files that a person wrote, and not dbt, by name."""
    kinds = {".sql", ".yml", ".yaml", ".py", ".csv", ".md", ".jinja"}
    made_by_dbt = {"target", "logs"}
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in kinds and not made_by_dbt.intersection(path.relative_to(folder).parts)
    )
