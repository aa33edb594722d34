"""What the tests share: this project's manifest, and finished runs on real and on small data."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings
from projects import IMPORTED, Finished, edit, executed, land_cut, land_orders, run
from xdist.scheduler import LoadScopeScheduling

from orchestration.project import this_project
from trials.checkouts import copy_checkout
from turnout import prefork
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project

IN_PARALLEL = "PYTEST_XDIST_WORKER" in os.environ

if IN_PARALLEL:
    # scikit-learn's threads wait by spinning; one for each core in every worker would take the cores from the others.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # What a shell begins in the background ignores interruptions, and so would all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes depends on what the other worker does, and on who has imported scikit-learn already.
settings.register_profile("turnout", deadline=None)
# The electorate of every run; it is generated.
os.environ["TURNOUT_SAMPLE_VOTERS"] = "3000"
settings.load_profile("turnout")


# Tests that look at the same run, build or training, for which two workers would both wait, or which both would make.
TOGETHER = {
    "tests/end_to_end/test_treatment.py": "treatment",
    "tests/end_to_end/": "grocery",
    "tests/dbt/test_project_structure.py": "grocery",
    "tests/dbt/test_point_in_time_macros.py": "gym",
    "tests/orchestration/test_leakage.py::test_a_leak_stops_training": "",
    "tests/orchestration/test_leakage.py": "leakage",
    "tests/loading/test_mutations.py": "mutations",
    "tests/unit/test_linking.py": "linking",
    "tests/unit/test_third_task.py": "third task",
    "tests/unit/test_tracking.py": "tracking",
}
# What takes longest is begun first: the run on the real data, then what needs a shop or a build of its own.
LONGEST = {"grocery", "elections", "warehouse"}
LONG = {"shop", "built_shop", "audited", "gym"}


class Scheduling(LoadScopeScheduling):
    """Hands the workers one test after the other, but to one all that look at the same run.

    `--dist loadgroup` would do that with marks, but pytest-xdist 3.8 does not see them in pytest 9.2 (its issue 1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        scope = next((scope for place, scope in TOGETHER.items() if nodeid.startswith(place)), "")
        return scope or nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the runs where there are several workers: small tests fill the end, so that all end together."""
    if any(not (LONGEST | LONG).isdisjoint(item.fixturenames) for item in items):
        prefork.start(*IMPORTED)
    if IN_PARALLEL:
        items.sort(key=_after)


def _after(item: pytest.Item) -> tuple[bool, bool, bool]:
    return (
        LONGEST.isdisjoint(item.fixturenames),
        LONG.isdisjoint(item.fixturenames),
        not item.nodeid.startswith(tuple(TOGETHER)),
    )


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers have in common, new for every session."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if IN_PARALLEL else own


@pytest.fixture(scope="session")
def manifest(shared: Path) -> dict[str, Any]:
    """dbt's manifest of this project."""
    with FileLock(shared / "manifest.lock"):  # dbt writes it into the checkout, if that has changed
        return manifest_of(this_project())


@pytest.fixture(scope="session")
def grocery(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A copy of this project, run once on both examples: few households, few candidates, an average and a search."""
    project = copy_checkout(tmp_path_factory.mktemp("grocery") / "turnout")
    for name, judged in {
        "grocery/household_lapse": ["candidates: [linear, xgboost]", "search: { trials: 3, seconds: 10 }"],
        "grocery/household_spend": ["candidates: [linear, xgboost, average]"],
        "elections/voter_turnout": ["candidates: [linear, lightgbm]"],
    }.items():
        keys = "\n          ".join([*judged, "baseline: entity_mean"])
        edit(project.dbt / f"models/predictions/{name}.yml", "baseline: entity_mean", keys)
    edit(project.root / "turnout/leakage/audit.py", "DATES = 2", "DATES = 1")
    land_cut(project)
    # As a person starts it; the runs of the shop are forked from what has imported everything.
    finished = executed(project, [sys.executable, "-m", "orchestration", "run"], project.root)
    assert finished.exit_code == 0, finished.output
    if kept := os.environ.get("TURNOUT_KEEP_RUN"):
        # For tests/bi, which would otherwise make one more: as it is now, before the tests change it.
        shutil.copytree(project.root, Path(kept) / "copying", dirs_exist_ok=True)
        (Path(kept) / "copying").rename(Path(kept) / "turnout")
    return finished


@pytest.fixture(scope="session")
def elections(grocery: Finished) -> Finished:
    """The same run, for the tests of the other example."""
    return grocery


@pytest.fixture(scope="session")
def warehouse(grocery: Finished) -> Path:
    """The warehouse file of that run."""
    return grocery.project.warehouse.path


@pytest.fixture(scope="session")
def built_shop(shared: Path) -> Finished:
    """A copy of this project with the models of a small, generated shop instead, run once for all workers."""
    project, outcome = Project(shared / "shop" / "turnout"), shared / "shop" / "outcome.json"
    with FileLock(shared / "shop.lock"):
        if not outcome.exists():
            finished = run(small_shop(project.root))
            outcome.write_text(json.dumps([finished.exit_code, finished.output]))
    exit_code, output = json.loads(outcome.read_text())
    assert exit_code == 0, output
    return Finished(project, exit_code, output)


def small_shop(target: Path) -> Project:
    """Copy this project, put the shop's models in the place of its own, and land orders.

    It does without MLflow, which has tests of its own: each of these runs would wait for its import.
    """
    project = copy_checkout(target)
    shutil.rmtree(project.dbt / "models")
    for singular in (project.dbt / "tests").glob("*.*"):
        singular.unlink()
    shutil.copytree(Path(__file__).parent / "shop" / "models", project.dbt / "models")
    shutil.rmtree(project.root / "orchestration/defs/tracking")
    shutil.rmtree(project.root / "samples")
    (project.root / "samples").mkdir()
    (project.root / "samples" / "__init__.py").write_text('"""No samples: the tests fill landing."""\n')
    land_orders(project)
    return project


@pytest.fixture
def shop(built_shop: Finished, tmp_path: Path) -> Project:
    """A shop of the test's own, in the state after its first run."""
    copied = tmp_path / "turnout"
    shutil.copytree(built_shop.project.root, copied)
    return Project(copied)
