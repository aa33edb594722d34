"""`python -m bi`, as `make bi` calls it: what it says when it cannot, and what it does not do twice."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from socket import socket

import pytest
from looking import BI_PYTHON, Superset, project_of_dashboards
from projects import edit

from bi.state import State


def opened(state: State, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(BI_PYTHON), "-m", "bi", *arguments]
    return subprocess.run(command, cwd=state.root, env=environment, capture_output=True, text=True, timeout=300)


def test_without_a_publication_it_says_what_makes_one(tmp_path: Path) -> None:
    state = project_of_dashboards(tmp_path / "turnout", None)
    finished = opened(state)
    assert finished.returncode == 1
    assert "There is no publication yet." in finished.stderr
    assert str(state.published) in finished.stderr
    assert "make run" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_port_that_is_taken_is_said_in_words(superset: Superset) -> None:
    with socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        finished = opened(superset.state, "--port", str(port))
    assert finished.returncode == 1
    assert f"Port {port} is taken" in finished.stderr
    assert f"make bi PORT={port + 1}" in finished.stderr


def test_two_servers_do_not_share_a_state(superset: Superset) -> None:
    finished = opened(superset.state, "--port", "1")
    assert finished.returncode == 1
    assert "open already" in finished.stderr


def test_it_is_set_up_once_and_says_where_passwords_are(superset: Superset) -> None:
    said = superset.log.read_text()
    assert superset.address in said
    assert str(superset.state.credentials) in said
    # What this asks is what decides at the next start.
    program = "from bi.state import this_state; print(this_state().is_set_up)"
    asked = subprocess.run([BI_PYTHON, "-c", program], cwd=superset.state.root, capture_output=True, text=True)
    assert asked.stdout == "True\n", asked.stderr


@pytest.fixture
def broken(superset: Superset, tmp_path: Path) -> State:
    """A project with the same dashboards, one of which names a kind of chart that it does not say."""
    state = project_of_dashboards(tmp_path / "turnout", superset.state.published)
    file = next(iter(sorted((state.assets / "charts").glob("*.yaml"))))
    edit(file, "\nslice_name:" if not file.read_text().startswith("slice_name:") else "slice_name:", "no_name:")
    return state


def test_yaml_that_is_wrong_is_said_in_words_and_changes_nothing(broken: State) -> None:
    finished = opened(broken)
    assert finished.returncode == 1
    assert "Superset cannot import the dashboards" in finished.stderr
    assert "slice_name" in finished.stderr
    assert not broken.metadata.exists()
    assert not broken.set_up_from.exists()
