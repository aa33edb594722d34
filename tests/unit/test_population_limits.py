"""Limits expect a trend, tell where a season is not known, and tell growth from another population."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import pytest

from turnout.loading.population import History, PopulationCheck, _most_by_adding, spread_of

NOW = datetime(2026, 11, 30)


def test_the_spread_of_neighbours_leaves_out_the_first_load_and_what_a_person_accepted() -> None:
    assert spread_of([1, 100, 110, 121]) == pytest.approx(0, abs=1e-12)
    assert spread_of([1, 100, 200, 100]) == pytest.approx(math.log(2) * math.sqrt(2))
    assert spread_of([1, 100, None, 100, 110]) == 0
    assert spread_of([]) == 0


def test_a_season_is_known_after_a_year_of_events_or_of_loads() -> None:
    twelve = History([1] * 12, first_loaded_at=NOW - timedelta(days=1))
    assert (twelve.holds_a_year(NOW, 31), twelve.holds_a_year(NOW, 7)) == (True, False)
    assert History([1, 1], first_loaded_at=NOW - timedelta(days=366)).holds_a_year(NOW, 0)


def test_adding_rows_moves_a_distribution_by_so_much_and_no_more() -> None:
    assert _most_by_adding(1.0) == 0
    assert _most_by_adding(1e-12) == pytest.approx(1)
    assert 0.6 < _most_by_adding(0.36) < 0.7


def test_findings_are_ranked_by_how_far_beyond_their_limits_they_lie() -> None:
    rows = PopulationCheck("row_count", "", 1_000, 5_000, 20_000, math.log(10))
    slight = PopulationCheck("drift", "shop", 0.22, 0, 0.2, 0.22)
    never = PopulationCheck("always", "state", 0.01, 0, 0, 0.01)
    late = PopulationCheck("last_event", "day", 60, -4, 10, 60)
    ranked = sorted([slight, rows, late, never], key=lambda check: check.excess, reverse=True)
    assert ranked == [never, late, rows, slight]
    assert all(check.excess > 0 for check in ranked)
