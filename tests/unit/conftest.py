"""A small warehouse for every test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from worlds import World, world_in


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_in(tmp_path)


@pytest.fixture
def spend(world: World) -> World:
    """The same as a regression."""
    world.change("alter table predictions.will_return alter outcome type double")
    world.prediction = replace(world.prediction, task="regression", metric="rmse")
    return world
