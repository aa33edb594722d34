"""What the tests share: this project's manifest, and finished runs on real and on small data."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from projects import Finished, copy_project, land_orders, run

from orchestration.project import Project, this_project


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    """dbt's manifest of this project."""
    return this_project().manifest


@pytest.fixture(scope="session")
def grocery(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A copy of this project, run once on the real data."""
    finished = run(copy_project(tmp_path_factory.mktemp("grocery") / "turnout"))
    assert finished.exit_code == 0, finished.output
    return finished


@pytest.fixture(scope="session")
def warehouse(grocery: Finished) -> Path:
    """The warehouse file of that run."""
    return grocery.project.warehouse.path


@pytest.fixture(scope="session")
def built_shop(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A copy of this project with the models of a small, generated shop instead, run once."""
    project = copy_project(tmp_path_factory.mktemp("shop") / "turnout")
    shutil.rmtree(project.dbt / "models")
    for singular in (project.dbt / "tests").glob("*.*"):
        singular.unlink()
    shutil.copytree(Path(__file__).parent / "shop" / "models", project.dbt / "models")
    shutil.rmtree(project.root / "samples")
    (project.root / "samples").mkdir()
    (project.root / "samples" / "__init__.py").write_text('"""No samples: the tests fill landing."""\n')
    land_orders(project)
    finished = run(project)
    assert finished.exit_code == 0, finished.output
    return finished


@pytest.fixture
def shop(built_shop: Finished, tmp_path: Path) -> Project:
    """A shop of the test's own, in the state after its first run."""
    copied = tmp_path / "turnout"
    shutil.copytree(built_shop.project.root, copied)
    return Project(copied)
