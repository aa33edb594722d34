"""The loader's verdict on files that were changed in one way: the mutations of `benchmarks.loads`, on fewer weeks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.loads import HONEST, MUTATIONS, World

# Enough to learn from, and few enough to be quick.
WEEKS = 9

# What is only caught when more loads have been learned from.
NEED_MORE_WEEKS = {"sales_value in cents for a tenth of the rows"}


def judged_names():
    for name, mutation in MUTATIONS.items():
        if name not in NEED_MORE_WEEKS:
            missed = mutation.missed_because
            marks = [pytest.mark.xfail(strict=True, raises=AssertionError, reason=missed)] if missed else []
            yield pytest.param(name, marks=marks)


@pytest.fixture(scope="module")
def world(shared: Path, manifest: object) -> World:
    """The real tables, and the state after some honest weeks of each, made once for all workers."""
    (shared / "mutations").mkdir(exist_ok=True)
    return World(shared / "mutations", WEEKS)


@pytest.mark.parametrize("name", list(judged_names()))
def test_a_mutated_file_gets_the_verdict_of_a_careful_person(world, name):
    judgement = world.judge(MUTATIONS[name])
    assert judgement.is_expected, f"{judgement.verdict}: {judgement.message}"
    assert not judgement.unsaid, judgement.message


def test_no_mutation_is_left_out_that_does_not_exist():
    assert set(MUTATIONS) >= NEED_MORE_WEEKS


@pytest.mark.parametrize("name", ["transactions", "redemptions"])
def test_honest_deliveries_raise_no_alarm(world, name):
    found = world.honesty(replace(HONEST[name], first=2, weeks=4))
    assert (found.load_count, found.alarms, found.set_aside_count) == (4, {}, 0)
