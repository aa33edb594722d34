"""Every change of the asset graph shows up in review, as a change of the snapshot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dagster import AssetSelection

from orchestration.definitions import defs

# The definitions read the manifest; only the fixture has it made by one worker at a time.
pytestmark = pytest.mark.usefixtures("manifest")

SNAPSHOT = Path(__file__).with_name("asset_graph.txt")


def test_the_asset_graph_is_the_one_that_was_reviewed() -> None:
    """To accept a change: UPDATE_SNAPSHOT=1 .venv/bin/python -m pytest tests/orchestration/test_asset_graph.py."""
    graph = defs().resolve_asset_graph()
    lines = []
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        lines.append(
            f"{key.to_user_string()}  [{node.group_name}, pools: {', '.join(sorted(node.pools or ())) or 'none'}]"
        )
        lines += [f"    <- {parent.to_user_string()}" for parent in sorted(node.parent_keys)]
        checks = sorted(check.name for check in graph.asset_check_keys if check.asset_key == key)
        lines += [f"    ? {name}" for name in checks]
    found = "\n".join(lines) + "\n"
    if os.environ.get("UPDATE_SNAPSHOT"):
        SNAPSHOT.write_text(found)
    assert found == SNAPSHOT.read_text()


def test_everything_that_opens_the_warehouse_is_in_its_pool() -> None:
    graph = defs().resolve_asset_graph()
    outside = {graph.get(key).group_name for key in graph.get_all_asset_keys() if graph.get(key).pools != {"warehouse"}}
    assert outside == {"landing", "dashboards"}  # files arrive in the one; the others are read by Superset


def test_all_downstream_of_a_model_can_be_asked_for() -> None:
    graph = defs().resolve_asset_graph()
    asked = AssetSelection.from_string('key:"model_versions/household_lapse"+').resolve(graph)
    assert {"scores", "marts", "publication", "dashboards"} <= {key.path[0] for key in asked}
    assert asked <= graph.executable_asset_keys  # Dagster's client refuses all others


def test_what_declares_retrain_has_a_schedule_and_what_arrives_or_fails_is_seen() -> None:
    repository = defs().get_repository_def()
    assert {sensor.name for sensor in repository.sensor_defs} == {"landing", "held_back"}
    assert {schedule.name: schedule.cron_schedule for schedule in repository.schedule_defs} == {
        "retrain_household_lapse_schedule": "0 17 * * 0",
        "retrain_household_spend_schedule": "0 18 * * 0",
        "retrain_voter_turnout_schedule": "0 5 1 * *",
    }
