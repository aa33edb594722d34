"""Visits to a shop as files, a loader of them in a process of its own, and what holds of all that it leaves."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from projects import ROOT

ID = {"id": {"type": "bigint", "not_null": True}}
CSV = {"file": {"format": "csv"}}
# Nothing to compare with: these tests are about files, not about what is in them.
LIMITS = {"limits": {"row_count": 1_000}}
UNCOMPARED = {"id": {"type": "bigint", "not_null": True, "compare": False}}


def lines(*numbers: int) -> str:
    return "id\n" + "".join(f"{number}\n" for number in numbers)


LOAD = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from tables import manifest_of
from turnout.loading import landing
from turnout.loading.contract import source_tables
from turnout.loading.loader import load_landed
from turnout.project.paths import Project
landing.SETTLE_SECONDS = 0
(table,) = source_tables(manifest_of({columns!r}, **{keys!r}))
load_landed(Project(Path({project!r})), table)
"""


def loader(visits: Any, columns: Any, keys: Any) -> subprocess.Popen[str]:
    script = LOAD.format(
        root=str(ROOT), tests=str(ROOT / "tests"), columns=columns, keys=keys, project=str(visits.project.root)
    )
    return subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)


def is_whole(visits: Any, expected: dict[str, int]) -> None:
    """The register, the folders and raw tell the same: every file once, and nothing half-made."""
    loads = visits.register.loads()
    assert {load.file_name: load.row_count for load in loads} == expected
    folder = visits.project.loads / visits.table.folder
    assert {str(path.relative_to(visits.project.root)) for path in folder.rglob("*.parquet")} == {
        load.path for load in loads
    }
    assert not list(folder.glob(".incoming*"))
    assert visits.raw("select count(*) from raw.visits") == [(sum(expected.values()),)]
