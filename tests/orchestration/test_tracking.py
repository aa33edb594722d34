"""MLflow is a step that nothing waits for, and a page on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from socket import socket
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from dagster import AssetCheckSeverity, DagsterInstance, materialize

from orchestration.defs.tracking.assets import KEY, tracking_assets
from turnout.project.paths import Project


def free_port() -> int:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_server_that_is_down_is_a_warning_and_fails_nothing(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    result = materialize(tracking_assets(shop), instance=DagsterInstance.ephemeral())
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    assert (check.asset_key, check.passed, check.severity) == (KEY, False, AssetCheckSeverity.WARN)
    told = (check.description or "").partition("\n")[0]
    assert told.startswith("MLflow cannot be reached")
    assert told.endswith("the run is kept in the records and sent with the next run or 'make leaderboard'.")


def test_the_leaderboard_opens_on_loopback_and_ends_with_control_c(shop: Project) -> None:
    port = free_port()
    page = subprocess.Popen(
        [sys.executable, "-m", "orchestration", "leaderboard", "--port", str(port)],
        cwd=shop.root,
        env={**os.environ, "PYTHONPATH": str(shop.root)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Control-C goes to all processes of a terminal
    )
    try:
        for _ in range(240):
            try:
                with urlopen(f"http://127.0.0.1:{port}/health"):
                    break
            except OSError:
                time.sleep(0.25)
        foreign = Request(f"http://127.0.0.1:{port}/", headers={"Host": f"192.168.0.9:{port}"})
        with pytest.raises(HTTPError, match="403"):
            urlopen(foreign)
        refused = subprocess.run(
            [sys.executable, "-m", "orchestration", "leaderboard", "--port", str(port)],
            cwd=shop.root,
            env={**os.environ, "PYTHONPATH": str(shop.root)},
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.killpg(page.pid, signal.SIGINT)
    _, told = page.communicate(timeout=30)
    assert f"MLflow opens on http://127.0.0.1:{port}" in told
    assert refused.returncode == 1
    assert f"Port {port} is taken by another program." in refused.stderr
    with socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
