"""Those who look at dashboards: over REST, and with a browser that remembers all that went wrong."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from projects import ROOT

from bi.state import State

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, Request, Response

BI_PYTHON = ROOT / ".venv_bi" / "bin" / "python"


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

    def tables(self) -> dict[str, int]:
        """Return the id of each dataset that is a published table, by its name; a reader does not see that list."""
        answer = self.get("dataset/?q=(page_size:100)")
        assert answer.ok, answer.text
        return {one["table_name"]: one["id"] for one in answer.json()["result"] if one["kind"] == "physical"}

    def chart(self, table: int, **query: Any) -> requests.Response:
        """Ask what a chart on a dataset would."""
        return self.post("chart/data", {"datasource": {"id": table, "type": "table"}, "queries": [query]})

    def sql(self, sql: str) -> requests.Response:
        """Run SQL as in SQL Lab."""
        return self.post("sqllab/execute/", {"database_id": 1, "schema": "main", "sql": sql})


def project_of_dashboards(folder: Path, published: Path | None) -> State:
    """Make what `python -m bi` needs of a project: its package, the errors' words, a publication of its own."""
    made = shutil.ignore_patterns("__pycache__")
    for package in ("bi", "ml", "orchestration", "turnout"):
        shutil.copytree(ROOT / package, folder / package, ignore=made)
    state = State(folder)
    if published is not None:
        state.published.parent.mkdir()
        shutil.copyfile(published, state.published)
    return state


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
