"""Opens Dagster: this process becomes its UI and daemon, on loopback only."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from orchestration.command_line.pipeline import load_pipeline
from orchestration.loopback import HOST

if TYPE_CHECKING:
    from rich.console import Console

    from turnout.project.paths import Project


def open_ui(project: Project, console: Console, port: int) -> None:
    """Replace this process by Dagster's UI and daemon, on loopback only.

    Raises
    ------
    TurnoutError
        If the project cannot be loaded.
    """
    # Mistakes in the project are shown here, in words; Dagster would show them as a traceback in the page.
    with console.status("Reading the project"):
        load_pipeline(project)
    console.print(f"Dagster opens on http://{HOST}:{port} (stop it with Ctrl-C)")
    os.chdir(project.root)
    # A sensor may wait for the warehouse, and for whoever publishes; Dagster's own limit is a minute.
    os.environ.setdefault("DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS", "900")
    os.environ["VIRTUAL_ENV"] = sys.prefix  # the environment that `dg` runs in, whether or not it is activated
    # What it serves stands in pyproject.toml, under [tool.dg].
    program = [sys.executable, "-m", "orchestration.dagster_page", "dev", "--host", HOST, "--port", str(port)]
    os.execv(sys.executable, program)  # noqa: S606 - our own program, no shell
