"""Dashboards and Dagster as people see them, in a real browser; each page leaves a screenshot to look at."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
from looking import Asking, Superset, Watched
from playwright.sync_api import Browser, BrowserContext, Page, expect
from servers import free_port, served

from turnout.project.paths import Project

WIDTH = 1440
SECONDS = 120
# What is Superset's own, each with the reason why it comes and does no harm.
SUPERSET_NOISE = {
    "apachesuperset.gateway.scarf.sh": "its counter of visits; our Content-Security-Policy stops the request",
    "net::ERR_ABORTED": "it takes back questions of a page that is left",
}
DAGSTER_NOISE = {
    "net::ERR_ABORTED": "it takes back questions of a page that is left",
}
# Charts of what is rare, where nothing to show is the good news.
MAY_BE_EMPTY = {
    "Does acting on the scores change anything?",
    "Which checks did not pass, and what do they say?",
    "Which files do not look like those before?",
    "Which files wait for a person?",
    "Which rows were set aside, and why?",
}


@dataclass
class Visit:
    """A dashboard that was looked at: its charts, what each asked and was answered, and what went wrong."""

    title: str
    charts: dict[int, str]
    questions: dict[int, Any] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def person(superset: Superset, browser: Browser) -> Iterator[BrowserContext]:
    """A reader's browser, logged in by the form."""
    context = browser.new_context(viewport={"width": WIDTH, "height": 1000})
    page = context.new_page()
    page.goto(f"{superset.address}/login/")
    page.fill("#username", "reader")
    page.fill("#password", superset.state.passwords["reader"])
    page.click("button[type=submit]")
    page.wait_for_url("**/superset/welcome/", timeout=SECONDS * 1000)
    page.close()
    yield context
    context.close()


@pytest.fixture(scope="module")
def visits(superset: Superset, reader: Asking, person: BrowserContext, screenshots: Path) -> list[Visit]:
    """Every dashboard, opened in a browser."""
    return [visit(superset, reader, dashboard, person, screenshots) for dashboard in reader.dashboards()]


def visit(
    superset: Superset, reader: Asking, dashboard: dict[str, Any], person: BrowserContext, screenshots: Path
) -> Visit:
    """Open a dashboard, look into every tab of it, and wait until all charts are there."""
    answer = reader.get(f"dashboard/{dashboard['id']}/charts").json()["result"]
    visited = Visit(dashboard["dashboard_title"], {chart["id"]: chart["slice_name"] for chart in answer})
    page = person.new_page()
    watched = Watched(page, SUPERSET_NOISE)
    page.on("request", lambda request: remember_question(visited, request))
    page.goto(f"{superset.address}/superset/dashboard/{dashboard['slug']}/")
    page.wait_for_selector("[data-test='grid-container']", timeout=SECONDS * 1000)
    # Within a tab there may be others, which are there once it is open.
    look(page, visited, screenshots / f"{dashboard['slug']}.png")
    tabs = page.locator("[data-test='dashboard-component-tabs'] [role=tab]")
    for index in range(tabs.count()):
        tab = tabs.nth(index)
        if tab.get_attribute("aria-selected") != "true":
            tab.click()
            name = tab.inner_text().strip().lower().replace(" ", "_")
            look(page, visited, screenshots / f"{dashboard['slug']}_{name}.png")
    visited.problems = watched.problems
    page.close()
    return visited


def remember_question(visited: Visit, request: Any) -> None:
    if request.method == "POST" and "/api/v1/chart/data" in request.url:
        body = json.loads(request.post_data)
        if chart := body["form_data"].get("slice_id"):  # a filter asks as well, for its values
            visited.questions[int(chart)] = body


def look(page: Page, visited: Visit, screenshot: Path) -> None:
    """Wait until the charts in sight are rendered, note them, and keep a picture of the whole page."""
    page.set_viewport_size({"width": WIDTH, "height": 1000})
    page.wait_for_timeout(1000)
    # Superset renders what is in sight, so all of it has to be.
    height = page.evaluate("document.querySelector(\"[data-test='grid-container']\").scrollHeight")
    page.set_viewport_size({"width": WIDTH, "height": max(1000, int(height) + 300)})
    page.wait_for_function(
        """() => {
            const charts = [...document.querySelectorAll('[data-test-chart-id]')].filter(e => e.checkVisibility());
            const waiting = [...document.querySelectorAll('.loading, [data-test=loading-indicator]')];
            return charts.length && charts.every(e => e.querySelector('[data-test=slice-container], [role=alert]'))
                && !waiting.some(e => e.checkVisibility());
        }""",
        timeout=SECONDS * 1000,
    )
    page.wait_for_timeout(1500)  # lines and bars grow
    for chart in page.locator("[data-test-chart-id]:visible").all():
        visited.shown.add(int(chart.get_attribute("data-test-chart-id") or 0))
    alerts = page.locator("[role=alert]:visible, [data-test='error-message']:visible, .ant-alert-error:visible")
    visited.errors += [text for text in alerts.all_inner_texts() if text.strip()]
    page.screenshot(path=screenshot, full_page=True)


def test_every_dashboard_opens_without_an_error(visits: list[Visit]) -> None:
    assert visits
    assert {visited.title: visited.errors + visited.problems for visited in visits} == {
        visited.title: [] for visited in visits
    }


def test_every_chart_is_shown(visits: list[Visit]) -> None:
    for visited in visits:
        assert {visited.charts[chart] for chart in visited.charts.keys() - visited.shown} == set(), visited.title


def test_what_each_chart_asks_is_answered_from_the_published_file(
    visits: list[Visit], superset: Superset, reader: Asking
) -> None:
    """Asked once more over REST: the same SQL on the file gives the same numbers, and little is empty."""
    problems, empty = {}, set()
    with duckdb.connect(superset.state.published, read_only=True) as publication:
        for visited in visits:
            for chart, name in visited.charts.items():
                answer = reader.post("chart/data", visited.questions[chart])
                if not answer.ok:
                    problems[name] = answer.text
                    continue
                for result in answer.json()["result"]:
                    rows = publication.execute(result["query"].rstrip().rstrip(";")).fetchall()
                    if result["error"] or result["sql_rowcount"] != len(rows):
                        problems[name] = result["error"] or f"{result['sql_rowcount']} rows, the file has {len(rows)}"
                    elif not visited.questions[chart]["queries"][0].get("post_processing") and not tells_time(result):
                        problems.update(differences(name, result, rows))
                    if not rows:
                        empty.add(name)
    assert problems == {}
    assert empty - MAY_BE_EMPTY == set()


def tells_time(result: dict[str, Any]) -> bool:
    """Whether the answer is another one a moment later."""
    return any(clock in result["query"].lower() for clock in ("now()", "current_timestamp", "get_current"))


def differences(name: str, result: dict[str, Any], rows: list[tuple[Any, ...]]) -> dict[str, str]:
    """Compare every column of numbers; rows that rank the same may come in another order."""
    found = {}
    for index, column in enumerate(result["colnames"]):
        expected = [row[index] for row in rows if row[index] is not None]
        if all(isinstance(value, int | float | Decimal) for value in expected):
            shown = [row[column] for row in result["data"] if row[column] is not None]
            if sorted(shown) != pytest.approx(sorted(map(float, expected))):
                found[name] = f"{column} is not what the file has"
    return found


def test_the_pages_around_the_dashboards_open_without_an_error(
    superset: Superset, person: BrowserContext, screenshots: Path
) -> None:
    page = person.new_page()
    watched = Watched(page, SUPERSET_NOISE)
    for name, path in {"welcome": "superset/welcome/", "dashboards": "dashboard/list/"}.items():
        page.goto(f"{superset.address}/{path}")
        expect(page.get_by_text("Who needs attention").first).to_be_visible(timeout=SECONDS * 1000)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=screenshots / f"superset_{name}.png", full_page=True)
    page.close()
    assert watched.problems == []


@pytest.fixture(scope="module")
def dagster(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Dagster's UI on the finished run."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "orchestration", "ui", "--port", str(port)]
    log = tmp_path_factory.mktemp("dagster") / "log"
    with served(command, f"{address}/server_info", folder=finished.root, log=log):
        yield address


def test_foreign_names_are_not_answered(dagster: str, superset: Superset) -> None:
    """Else a page from elsewhere could have a name of its own lead here."""
    for address in (dagster, superset.address):
        assert requests.get(address, headers={"Host": "evil.example"}, timeout=SECONDS).status_code == 403


# A page, and a text that is on it once it is rendered.
DAGSTER_PAGES = {
    "lineage": ("asset-groups", "publication"),
    "publication": ("assets/publication", "bytes"),
    "mart": ("assets/marts/households", "households"),
    "mart_lineage": ("assets/marts/households?view=lineage", "publication"),
    "dashboard": ("assets/dashboards/who_needs_attention", "who_needs_attention"),
    "dashboard_lineage": ("assets/dashboards/who_needs_attention?view=lineage", "publication"),
}


@pytest.mark.parametrize("name", DAGSTER_PAGES)
def test_dagster_shows(name: str, dagster: str, browser: Browser, screenshots: Path) -> None:
    path, text = DAGSTER_PAGES[name]
    page = browser.new_page(viewport={"width": WIDTH, "height": 1000})
    watched = Watched(page, DAGSTER_NOISE)
    page.goto(f"{dagster}/{path}")
    expect(page.get_by_text(text, exact=False).first).to_be_visible(timeout=SECONDS * 1000)
    expect(page.get_by_text("Loading", exact=False)).to_have_count(0, timeout=SECONDS * 1000)
    page.wait_for_timeout(3000)
    page.screenshot(path=screenshots / f"dagster_{name}.png", full_page=True)
    page.close()
    assert watched.problems == []
