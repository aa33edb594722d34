"""Opens MLflow: this process becomes its UI, on loopback only."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from orchestration.commands import command
from orchestration.loopback import HOST, NAMES, require_free
from orchestration.project import own_tracking_uri, track_all, tracking_uri

if TYPE_CHECKING:
    from rich.console import Console

    from turnout.project.paths import Project


def open_leaderboard(project: Project, console: Console, port: int) -> None:
    """Bring MLflow up to date, and replace this process by its UI on loopback; where there is a server, name that.

    Raises
    ------
    TurnoutError
        If the project cannot be read, or the port is taken.
    """
    with console.status("Sending what is new to MLflow"):
        tracking = track_all(project, ask=True)
    console.print(tracking.text(command), style="yellow" if tracking.problems else None, markup=False)
    is_server = tracking.uri.startswith(("http", "databricks"))
    if not is_server:
        require_free(port, "leaderboard")
    server = tracking.uri.rstrip("/") if is_server else f"http://{HOST}:{port}"
    for prediction, page in tracking.pages.items():
        console.print(f"{prediction}: {server}/{page}", markup=False)
    if is_server:
        console.print(f"MLflow is where MLFLOW_TRACKING_URI says: {server}", markup=False)
        return
    console.print(f"MLflow opens on {server} (stop it with Ctrl-C)")
    if tracking_uri(project) == own_tracking_uri(project):
        project.mlflow.mkdir(parents=True, exist_ok=True)
        os.chdir(project.mlflow)  # what others send to this server is kept here as well
    # Not as arguments, which others on this machine can read: there may be a password in it.
    os.environ["MLFLOW_BACKEND_STORE_URI"] = os.environ["MLFLOW_REGISTRY_STORE_URI"] = tracking_uri(project)
    # One reader needs one worker, none of the services for language models, which start processes of their own, and no
    # word about every request.
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    program = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    # By itself it would also answer every address of a private network.
    own = ["--allowed-hosts", ",".join([*NAMES, *(f"{name.replace('[', '[[]')}:*" for name in NAMES)])]
    quietly = ["--workers", "1", "--uvicorn-opts", "--log-level warning"]
    os.execv(sys.executable, [*program, *own, *quietly])  # noqa: S606 - our own program, no shell
