"""A small warehouse for every test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from worlds import EXAMPLES, World

from ml.declaration import Prediction
from ml.warehouse import Warehouse


@pytest.fixture
def world(tmp_path: Path) -> World:
    prediction = Prediction(
        name="will_return",
        unique_id="model.turnout.will_return",
        schema="predictions",
        table="will_return",
        file="models/predictions/will_return.yml",
        description="",
        task="binary",
        entity="entity",
        as_of="day",
        label="outcome",
        horizon_days=14,
        metric="log_loss",
        sensitive=("age",),
        retrain=None,
        gap_days=14,
        holdout_dates=3,
    )
    made = World(Warehouse(tmp_path / "warehouse.duckdb"), prediction, tmp_path / "models")
    made.change(EXAMPLES)
    return made


@pytest.fixture
def spend(world: World) -> World:
    """The same as a regression."""
    world.change("alter table predictions.will_return alter outcome type double")
    world.prediction = replace(world.prediction, task="regression", metric="rmse")
    return world
