"""A forked process is like one that was started: its folder, environment, files, signals and exit code are its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from turnout import prefork

ASKED = """
import json, os, signal, sys, time

def tell():
    imported = "turnout" in sys.modules
    print(json.dumps([sys.argv, os.getcwd(), os.environ["ASKED"], "AWAY" in os.environ, sys.stdin.read(), imported]))
    print("a warning", file=sys.stderr)
    return 3

def wait():
    try:
        print(os.getpid(), flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        sys.exit("interrupted")

def stumble():
    raise ValueError("on a stone")

def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=["forked", "alone"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a module stands, once with a server and once after it was lost."""
    (tmp_path / "asked.py").write_text(ASKED)
    monkeypatch.delenv(prefork.SOCKET_VARIABLE, raising=False)
    monkeypatch.setattr(prefork, "_servers", [])
    monkeypatch.setenv("AWAY", "")
    prefork.start("json")
    if request.param == "alone":
        (server,) = prefork._servers
        server.kill()
        server.wait()
    return tmp_path


@pytest.fixture
def waiting(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """A process that waits, and its number."""
    client = subprocess.Popen(
        prefork.command("asked:wait"), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert client.stdout is not None
    return client, int(client.stdout.readline())


def within_seconds(is_so: Callable[[], bool]) -> bool:
    return any(is_so() or time.sleep(0.05) for _ in range(200))


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_arguments_folder_environment_and_files_are_its_own(folder: Path) -> None:
    environment = {"ASKED": "für uns", "PATH": os.environ["PATH"]} | {
        name: value for name, value in os.environ.items() if name == prefork.SOCKET_VARIABLE
    }
    told = subprocess.run(
        prefork.command("asked:tell", "one", "two words"),
        cwd=folder,
        env=environment,
        input="said to it",
        capture_output=True,
        text=True,
    )
    assert told.stdout == f'[["asked", "one", "two words"], "{folder}", "f\\u00fcr uns", false, "said to it", false]\n'
    assert (told.stderr, told.returncode) == ("a warning\n", 3)


def test_how_it_ended_is_told(folder: Path) -> None:
    stumbled = subprocess.run(prefork.command("asked:stumble"), cwd=folder, capture_output=True, text=True)
    assert (stumbled.returncode, "ValueError: on a stone" in stumbled.stderr) == (1, True)
    assert subprocess.run(prefork.command("asked:die"), cwd=folder).returncode == -signal.SIGKILL


def test_an_interruption_reaches_it(waiting: tuple[subprocess.Popen[str], int]) -> None:
    client, _ = waiting
    client.send_signal(signal.SIGINT)
    assert client.communicate(timeout=10) == ("", "interrupted\n")
    assert client.returncode == 1


def test_killed_it_leaves_nothing_running(waiting: tuple[subprocess.Popen[str], int]) -> None:
    client, process = waiting
    client.kill()
    client.communicate()
    assert within_seconds(lambda: is_gone(process))


def test_it_ends_with_whoever_started_its_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "asked.py").write_text(ASKED)
    monkeypatch.delenv(prefork.SOCKET_VARIABLE, raising=False)
    monkeypatch.setattr(prefork, "_servers", [])
    prefork.start("json")
    script = "import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()"
    command = [sys.executable, "-c", script, *prefork.command("asked:wait")]
    starter = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    process = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    starter.stdout.close()
    assert within_seconds(lambda: is_gone(process))


@pytest.mark.slow
def test_the_server_practises_on_a_project_that_dbt_can_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    from turnout.prefork.practice import practise

    monkeypatch.setenv("DBT_TARGET", "of another project")
    assert practise()


def test_the_server_ends_with_who_started_it(tmp_path: Path) -> None:
    script = """
from turnout import prefork
import os, signal
prefork.start("json")
print(prefork._servers[0].pid, os.environ[prefork.SOCKET_VARIABLE], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {name: value for name, value in os.environ.items() if name != prefork.SOCKET_VARIABLE}
    started = subprocess.run([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    server, address = started.stdout.split()
    assert within_seconds(lambda: is_gone(int(server)))
    assert not Path(address).parent.exists()
