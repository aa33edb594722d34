"""Where something comes from: the code and the loads that made it."""

from __future__ import annotations

import hashlib
import os
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
    """Return the files that a person wrote, and not dbt, by name; also those behind links, as packages often are."""
    kinds = {".sql", ".yml", ".yaml", ".py", ".csv", ".md", ".jinja"}
    made_by_dbt = {folder / "target", folder / "logs"}  # a layer or a domain may well have such a name
    found, seen = [], set()
    for at, folders, files in os.walk(folder, followlinks=True):
        here = Path(at)
        # A link may lead back to where it stands.
        folders[:] = (
            [] if (real := here.resolve()) in seen else [name for name in folders if here / name not in made_by_dbt]
        )
        if real not in seen:
            found += [here / name for name in files if Path(name).suffix in kinds or name == ".dbtignore"]
        seen.add(real)
    return sorted(path for path in found if path.is_file())  # an editor's lock is a link to nowhere
