"""New files in landing start a run of all that comes from them but the models; known and growing files do not."""

from __future__ import annotations

import time

from dagster import RunRequest, SkipReason, build_sensor_context
from in_process import at, launched
from projects import land_orders

from turnout.loading.landing import SETTLE_SECONDS
from turnout.project.paths import Project


def asked(project: Project) -> object:
    """Do what the daemon does: ask the sensor."""
    with at(project) as defs:
        repository = defs.get_repository_def()
        return repository.get_sensor_def("landing")(build_sensor_context(repository_def=repository))


def test_a_new_file_is_seen_once_and_starts_all_that_comes_from_it_but_no_training(shop: Project) -> None:
    assert isinstance(asked(shop), SkipReason)
    land_orders(shop, "select * replace (amount + 0.01 as amount) from orders", "new.parquet")
    time.sleep(SETTLE_SECONDS)
    first, second = asked(shop), asked(shop)
    assert isinstance(first, RunRequest)
    assert isinstance(second, RunRequest)
    assert first.run_key == second.run_key
    started = {key.to_user_string() for key in first.asset_selection or ()}
    assert {"shop/orders", "scores/customer_return", "publication"} <= started
    assert "model_versions/customer_return" not in started
    assert launched(shop, "shop/orders").exit_code == 0
    assert isinstance(asked(shop), SkipReason)
