"""A copy of this project as git would have it, so that a run in it begins as on a fresh checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

from turnout.project.paths import Project

ROOT = Path(__file__).resolve().parent.parent
# Made by running, in the root; elsewhere a folder may well have such a name.
STATE = {"landing", "warehouse", "published", "site"}
MADE_BY_TOOLS = (".git", ".venv", ".venv_bi", ".*_cache", ".hypothesis", "__pycache__", "target", "logs")


def copy_checkout(target: Path) -> Project:
    """Copy this project without state into a folder, which is made."""
    by_tools = shutil.ignore_patterns(*MADE_BY_TOOLS, "test_screenshots")

    def is_left(folder: str, names: list[str]) -> set[str]:
        return by_tools(folder, names) | (STATE if Path(folder) == ROOT else set())

    shutil.copytree(ROOT, target, ignore=is_left)
    return Project(target)
