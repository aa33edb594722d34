"""One state's file under another's name is refused by the loader: nothing downstream is made of it, dbt included."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from samples.elections import land, wrong_state_file
from turnout.loading.contract import SourceTable, source_tables
from turnout.loading.loader import load_landed
from turnout.project.paths import Project


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Landing, with the files of a small electorate."""
    folder = tmp_path_factory.mktemp("electorate") / "landing"
    land(folder, voters=1000)
    return folder


@pytest.fixture
def project(landed: Path, tmp_path: Path) -> Project:
    """A project to which the states have sent their files."""
    shutil.copytree(landed, tmp_path / "landing")
    return Project(tmp_path)


def table(manifest: dict[str, Any], name: str) -> SourceTable:
    """The contract of a source table."""
    (found,) = (one for one in source_tables(manifest) if one.label == name)
    return found


def test_another_state_in_the_same_layout(project: Project, manifest: dict[str, Any]) -> None:
    voters = table(manifest, "north_carolina.ncvoter")
    before = load_landed(project, voters)
    assert not before.blocking
    wrong_state_file(project.landing)
    after = load_landed(project, voters)
    (refused,) = after.blocking
    assert "state_cd" in refused.problem
    assert "IA" in refused.problem
    assert after.in_force == before.in_force


def test_another_state_in_a_layout_of_its_own(project: Project, manifest: dict[str, Any]) -> None:
    (ohio, *_) = sorted((project.landing / "ohio" / "swvf").iterdir())
    shutil.copy(ohio, project.landing / "florida" / "voters" / "ALA_20241006.txt")
    (refused,) = load_landed(project, table(manifest, "florida.voters")).blocking
    assert refused.file_name == "ALA_20241006.txt"
    assert "where 38 are declared" in refused.problem


def test_a_state_that_changes_its_layout_between_two_files(project: Project, manifest: dict[str, Any]) -> None:
    """North Carolina sent 71 columns until 2021, 67 since 2022; one contract reads both."""
    loaded = load_landed(project, table(manifest, "north_carolina.ncvoter"))
    old, new = (landed.entered for landed in loaded.files)
    assert (len(old.columns), len(new.columns)) == (71, 67)
    assert [load.load_id for load in loaded.in_force] == [new.load_id]
