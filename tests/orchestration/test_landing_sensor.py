"""New files in landing start a run of all that comes from them but the models; known and growing files do not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from projects import land_orders, run

from turnout.loading.landing import SETTLE_SECONDS
from turnout.project.paths import Project

# What the daemon does: ask the sensor.
ASK = """
import json
from dagster import build_sensor_context
from orchestration.definitions import defs
repository = defs().get_repository_def()
answer = repository.get_sensor_def("landing")(build_sensor_context(repository_def=repository))
keys = [key.to_user_string() for key in getattr(answer, "asset_selection", [])]
print(json.dumps({"answer": type(answer).__name__, "run_key": getattr(answer, "run_key", None), "assets": keys}))
"""


def asked(project: Project) -> dict[str, Any]:
    answered = subprocess.run(
        [sys.executable, "-c", ASK], cwd=project.root, capture_output=True, text=True, check=True, timeout=120
    )
    answer: dict[str, Any] = json.loads(answered.stdout.splitlines()[-1])
    return answer


def test_a_new_file_is_seen_once_and_starts_all_that_comes_from_it_but_no_training(shop: Project) -> None:
    assert asked(shop)["answer"] == "SkipReason"
    land_orders(shop, "select * replace (amount + 0.01 as amount) from orders", "new.parquet")
    time.sleep(SETTLE_SECONDS)
    first, second = asked(shop), asked(shop)
    assert first["answer"] == "RunRequest"
    assert first["run_key"] == second["run_key"]
    assert {"shop/orders", "scores/customer_return", "publication"} <= set(first["assets"])
    assert "model_versions/customer_return" not in first["assets"]
    assert run(shop).exit_code == 0
    assert asked(shop)["answer"] == "SkipReason"
