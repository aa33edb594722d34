"""Who is treated is dealt by a hash: the same for ever, a larger share keeps the smaller one, predictions differ."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import World, world_in

from ml.serving.treatment import is_treated

# Of the first sixty entities, at ten percent.
FIRST_DEAL = [10, 13, 16, 37, 48]
ENTITIES = 2000

shares = st.floats(0.01, 100)


def treated(world: World, share: float, entities: str = f"range({ENTITIES})", name: str = "will_return") -> set[str]:
    """The entities that a prediction of such a name and share treats."""
    condition = is_treated(replace(world.prediction.examples, name=name), share)
    rows = duckdb.sql(f"select entity from {entities} as entities(entity) where {condition}").fetchall()
    return {str(row[0]) for row in rows}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_in(tmp_path_factory.mktemp("treatment"))


@settings(max_examples=30)
@given(smaller=shares, larger=shares)
def test_a_larger_share_keeps_who_was_treated(world: World, smaller: float, larger: float) -> None:
    smaller, larger = sorted([smaller, larger])
    assert treated(world, smaller) <= treated(world, larger)


@settings(max_examples=30)
@given(share=shares, start=st.integers(0, 10**12))
def test_the_share_is_the_declared_one_but_for_chance(world: World, share: float, start: int) -> None:
    """By six standard deviations of a binomial distribution, and one for rounding."""
    found = len(treated(world, share, f"range({start}, {start + ENTITIES})"))
    expected = ENTITIES * share / 100
    assert abs(found - expected) <= 6 * math.sqrt(expected * (1 - share / 100)) + 1


@given(entity=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), share=shares)
def test_any_engine_that_knows_md5_deals_alike(world: World, entity: str, share: float) -> None:
    place = int(hashlib.md5(f"will_return:{entity}".encode()).hexdigest()[:8], 16)
    quoted = entity.replace("'", "''")
    found = treated(world, share, f"(select '{quoted}')")
    assert (entity in found) == (place < math.ceil(share / 100 * 2**32))


def test_the_deal_is_the_one_of_the_first_release_of_this_code(world: World) -> None:
    """An experiment runs for months: who changes this line changes who is in it."""
    assert sorted(map(int, treated(world, 10, "range(60)"))) == FIRST_DEAL


def test_predictions_are_dealt_independently(world: World) -> None:
    one, other = treated(world, 50), treated(world, 50, name="will_leave")
    assert abs(len(one & other) - ENTITIES / 4) <= 6 * math.sqrt(ENTITIES * 3 / 16)


def test_all_are_treated_by_default(world: World) -> None:
    assert world.prediction.serving.treatment_share == 100
    assert len(treated(world, 100)) == ENTITIES
    assert len(treated(world, math.nextafter(100, 0))) == ENTITIES
