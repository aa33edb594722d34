"""The ways of reading the publication, as they stand in the guide: a shell, Python, pandas, SQLAlchemy, Parquet."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT, Finished, published, run


def blocks(language: str) -> list[str]:
    """The blocks of code in the guide's section."""
    (section,) = re.findall(r"^## Read it\n(.*?)^## ", (ROOT / "docs/guides/bi.md").read_text(), re.S | re.M)
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", section, re.S)
    return found


def ran(code: str, frame: str) -> dict[str, list[Any]]:
    """The columns of a pandas frame that a person's own program has when it has run these lines."""
    program = f"{code}\nimport json\nprint(json.dumps({frame}.to_dict('list'), default=str))"
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    columns: dict[str, list[Any]] = json.loads(shown.stdout)
    return columns


@pytest.fixture
def at_root(grocery: Finished, monkeypatch: pytest.MonkeyPatch) -> Finished:
    """A person in the project's folder, with its environment on the path."""
    monkeypatch.chdir(grocery.project.root)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return grocery


def test_the_shell(at_root: Finished) -> None:
    (command,) = blocks("sh")
    shown = subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout
    ((first,),) = published(at_root.project, "select household_id from households where sales_value_at_risk_rank = 1")
    assert str(first) in shown


def test_duckdb_in_python_pandas_and_sqlalchemy(at_root: Finished) -> None:
    in_duckdb, in_sqlalchemy = blocks("python")
    assert ran(in_duckdb, "households")["sales_value_at_risk_rank"] == list(range(1, 11))
    counties = ran(in_sqlalchemy, "counties")
    expected = published(at_root.project, "select state, county, expected_turnout from county_turnout order by all")
    assert sorted(zip(*counties.values(), strict=True)) == expected


def test_parquet_for_everything_else(at_root: Finished) -> None:
    import pandas as pd

    exported = run(at_root.project, "export")
    assert exported.exit_code == 0, exported.output
    ((number,),) = published(at_root.project, "select publication_id from publication")
    folder = at_root.project.published.parent / "parquet" / str(number)
    tables = {table for (table,) in published(at_root.project, "select table_name from duckdb_tables()")}
    assert {file.stem for file in folder.iterdir()} == tables
    for table in ("households", "voters"):
        ((rows,),) = published(at_root.project, f"select count(*) from {table}")
        assert len(pd.read_parquet(folder / f"{table}.parquet")) == rows
