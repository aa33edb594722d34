"""The loader's verdict on files that were changed in one way, one of each kind; `benchmarks.loads` has many more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trials.deliveries import HONEST, World
from trials.mutations import KINDS, Mutation

# Enough to learn from, and few enough to be quick.
WEEKS = 9


@pytest.fixture(scope="module")
def world(shared: Path, manifest: dict[str, Any]) -> World:
    """The real tables, and the state after some honest weeks of each, made once for all workers."""
    (shared / "mutations").mkdir(exist_ok=True)
    return World(shared / "mutations", WEEKS, manifest)


@pytest.mark.parametrize("mutation", KINDS, ids=lambda mutation: mutation.name)
def test_a_mutated_file_gets_the_verdict_of_a_careful_person(world: World, mutation: Mutation) -> None:
    judgement = world.judge(mutation)
    assert judgement.is_expected, f"{judgement.verdict}: {judgement.message}"
    assert not judgement.unsaid, judgement.message


@pytest.mark.parametrize("name", ["transactions", "redemptions"])
def test_honest_deliveries_raise_no_alarm(world: World, name: str) -> None:
    found = world.honesty(replace(HONEST[name], first=2, weeks=4))
    assert (found.load_count, found.alarms, found.set_aside_count) == (4, {}, 0)
