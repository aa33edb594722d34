"""A small warehouse for every test, and an eye on the SQL that is handed to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from one_sql import watched
from worlds import World, world_in

from ml.tasks import REGRESSION

# What fits models or links people, and so takes seconds: `make test-fast` does without.
SLOW = {
    *("test_champions", "test_linking", "test_replayed_weeks", "test_search", "test_third_task", "test_tracking"),
    "test_training_and_scoring",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow ones."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem in SLOW:
            item.add_marker("slow")


@pytest.fixture(scope="module", autouse=True)
def _one_sql() -> Iterator[None]:
    """Every statement that is handed to a session is one that all engines read alike."""
    with watched():
        yield


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_in(tmp_path)


@pytest.fixture
def spend(world: World) -> World:
    """The same as a regression."""
    world.change("alter table predictions.will_return alter outcome type double")
    world.declare(task=REGRESSION, metric=REGRESSION.metrics["rmse"])
    return world
