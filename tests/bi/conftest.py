"""Superset and Dagster on a finished run, a person who asks over REST, and one with a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from looking import BI_PYTHON, Asking, Superset, project_of_dashboards
from playwright.sync_api import Browser, sync_playwright
from projects import ROOT
from servers import free_port, served

from turnout.project.paths import Project

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def finished(request: pytest.FixtureRequest) -> Project:
    """A project that was run once: the one that was kept where TURNOUT_KEEP_RUN says, or a new one."""
    kept = os.environ.get("TURNOUT_KEEP_RUN")
    if kept and (Path(kept) / "turnout").exists():
        return Project(Path(kept) / "turnout")
    project: Project = request.getfixturevalue("grocery").project
    return project


@pytest.fixture(scope="session")
def superset(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superset]:
    """Superset on a copy of the publication, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("superset")
    state = project_of_dashboards(folder / "with a space", finished.published)
    port = free_port()
    address, log = f"http://127.0.0.1:{port}", folder / "log"
    with served(
        [str(BI_PYTHON), "-m", "bi", "--port", str(port)], f"{address}/health", folder=state.root, log=log, seconds=600
    ):
        yield Superset(state, address, log)


@pytest.fixture(scope="session")
def reader(superset: Superset) -> Asking:
    """Who may look."""
    return superset.login("reader")


@pytest.fixture(scope="session")
def admin(superset: Superset) -> Asking:
    """Who may do all that can be done in Superset."""
    return superset.login("admin")


@pytest.fixture(scope="session")
def tables(admin: Asking) -> dict[str, int]:
    """The id of each dataset that is a published table, by its name."""
    return admin.tables()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, without a window."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(f"These tests need a browser: none of {', '.join(BROWSERS)} is here. apt-get install chromium")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=quiet)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where screenshots are kept: TURNOUT_SCREENSHOTS, or a folder beside the tests that git ignores."""
    folder = Path(os.environ.get("TURNOUT_SCREENSHOTS") or ROOT / "test_screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
