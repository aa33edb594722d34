"""Superset and Dagster on a finished run, a person who asks over REST, and one with a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright
from projects import ROOT
from servers import free_port, served

from bi.state import State
from orchestration.project import Project

BI_PYTHON = ROOT / ".venv_bi" / "bin" / "python"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def finished(request: pytest.FixtureRequest) -> Project:
    """A project that was run once: the one that was kept where TURNOUT_KEEP_RUN says, or a new one."""
    kept = os.environ.get("TURNOUT_KEEP_RUN")
    if kept and (Path(kept) / "turnout").exists():
        return Project(Path(kept) / "turnout")
    project: Project = request.getfixturevalue("grocery").project
    return project


@dataclass(frozen=True)
class Superset:
    """A running Superset.

    Parameters
    ----------
    state : State
        Its project, which holds a publication, `bi/` and what that needs.
    address : str
        Where it answers.
    log : Path
        What it said.
    """

    state: State
    address: str
    log: Path

    def login(self, name: str) -> Asking:
        """Return a session of one of the accounts."""
        session = requests.Session()
        login = {"username": name, "password": self.state.passwords[name], "provider": "db"}
        token = session.post(f"{self.address}/api/v1/security/login", json=login, timeout=60)
        token.raise_for_status()
        session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        forged = session.get(f"{self.address}/api/v1/security/csrf_token/", timeout=60)
        session.headers["X-CSRFToken"] = forged.json()["result"]
        session.headers["Referer"] = self.address
        return Asking(self.address, session)


@dataclass(frozen=True)
class Asking:
    """Somebody who asks Superset over REST."""

    address: str
    session: requests.Session

    def get(self, path: str) -> requests.Response:
        """Get a path of the API."""
        return self.session.get(f"{self.address}/api/v1/{path}", timeout=120)

    def post(self, path: str, body: Any) -> requests.Response:
        """Post JSON to a path of the API."""
        return self.session.post(f"{self.address}/api/v1/{path}", json=body, timeout=120)

    def dashboards(self) -> list[dict[str, Any]]:
        """Return all dashboards."""
        answer = self.get("dashboard/?q=(page_size:100)")
        assert answer.ok, answer.text
        return sorted(answer.json()["result"], key=lambda dashboard: dashboard["slug"])

    def charts(self) -> dict[int, str]:
        """Return the names of the charts on any dashboard, by id."""
        names = {}
        for dashboard in self.dashboards():
            answer = self.get(f"dashboard/{dashboard['id']}/charts")
            assert answer.ok, answer.text
            names.update({chart["id"]: chart["slice_name"] for chart in answer.json()["result"]})
        return names

    def sql(self, sql: str) -> requests.Response:
        """Run SQL as in SQL Lab."""
        return self.post("sqllab/execute/", {"database_id": 1, "schema": "main", "sql": sql})


def project_of_dashboards(folder: Path, published: Path | None) -> State:
    """Make what `python -m bi` needs of a project: its package, the errors' words, a publication of its own."""
    made = shutil.ignore_patterns("__pycache__")
    for package in ("bi", "ml"):
        shutil.copytree(ROOT / package, folder / package, ignore=made)
    state = State(folder)
    if published is not None:
        state.published.parent.mkdir()
        shutil.copyfile(published, state.published)
    return state


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


@dataclass
class Watched:
    """A page, and all that went wrong in it.

    Parameters
    ----------
    page : Page
        The page.
    noise : dict
        Texts of what is no fault of ours, each with the reason why it comes.
    problems : list of str
        Errors in the console and in scripts, requests that failed, were refused, or left this machine.
    """

    page: Page
    noise: dict[str, str]
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self._problem(f"error in the page: {error}"))
        self.page.on("request", self._asked)
        self.page.on("requestfailed", lambda request: self._problem(f"failed: {request.url} {request.failure}"))
        self.page.on("response", self._answered)

    def _problem(self, text: str) -> None:
        if not any(known in text for known in self.noise):
            self.problems.append(text)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._problem(f"console: {message.text} ({message.location['url']})")

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self._problem(f"leaves this machine: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self._problem(f"{response.status}: {response.url}")
