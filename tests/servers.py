"""Servers of this project, started as a person starts them, and ended with all that they have started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import requests


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(command: list[str], page: str, *, folder: Path, log: Path, seconds: int = 300) -> Iterator[None]:
    """Run a server until the block ends, which begins once its page answers.

    Raises
    ------
    AssertionError
        If it ends, or does not answer in time; with all that it said.
    """
    with log.open("w") as output:
        # A session of its own, so that what it starts can be ended with it.
        server = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, env=_environment()
        )
    try:
        deadline = time.monotonic() + seconds
        while not _answers(page):
            assert server.poll() is None, f"It ended with {server.returncode}:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"No answer from {page} in {seconds} s:\n{log.read_text()}"
            time.sleep(0.5)
        yield
    finally:
        _end(server)


def _environment() -> dict[str, str]:
    """Return the environment without what would lead a server into another project."""
    foreign = {"DAGSTER_HOME", "PYTHONPATH", "MLFLOW_TRACKING_URI", "SUPERSET_CONFIG_PATH", "SUPERSET_HOME"}
    return {name: value for name, value in os.environ.items() if name not in foreign}


def _answers(page: str) -> bool:
    try:
        return requests.get(page, timeout=30).ok
    except requests.RequestException:
        return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """End a server as Ctrl-C does, and kill what is left of its session after half a minute."""
    try:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(timeout=30)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(server.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.2)
    try:
        os.killpg(server.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    server.wait(timeout=10)
