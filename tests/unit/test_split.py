"""Over any calendar no training label reaches the holdout, no fold leaks into another, no group stands on two sides."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.examples.split import HOLDOUT_SIDE, SIDES, Split, divide, fold_side, folds_of, side_of, split_by_time
from turnout.errors import ExamplesError

calendars = st.lists(st.dates(date(2000, 1, 1), date(2030, 12, 31)), unique=True, max_size=40)


@given(dates=calendars, horizon=st.integers(1, 400), extra=st.integers(0, 50), holdout_dates=st.integers(1, 6))
def test_every_training_label_window_closes_before_the_holdout_begins(
    dates: list[date], horizon: int, extra: int, holdout_dates: int
) -> None:
    try:
        split = split_by_time(dates, gap_days=horizon + extra, holdout_dates=holdout_dates, where="here")
    except ExamplesError:
        last_possible = sorted(dates)[-holdout_dates] - timedelta(horizon + extra) if dates[holdout_dates:] else None
        assert last_possible is None or min(dates) > last_possible
        return
    assert split.holdout == tuple(sorted(dates)[-holdout_dates:])
    assert max(split.training) + timedelta(days=horizon) <= min(split.holdout)
    assert sorted([*split.training, *split.gap, *split.holdout]) == sorted(dates)


@given(dates=calendars, horizon=st.integers(1, 60), holdout_dates=st.integers(1, 6), validation_dates=st.integers(1, 6))
def test_no_fold_leaks_into_another_nor_into_the_holdout(
    dates: list[date], horizon: int, holdout_dates: int, validation_dates: int
) -> None:
    try:
        split = split_by_time(dates, gap_days=horizon, holdout_dates=holdout_dates, where="here")
    except ExamplesError:
        return
    folds = folds_of(split.training, gap_days=horizon, horizon_days=horizon, fold_dates=validation_dates)
    label_ends = timedelta(days=horizon)
    for fold in folds:
        assert fold.training
        assert len(fold.holdout) == validation_dates
        assert max(fold.training) + label_ends <= min(fold.holdout)
        assert max(fold.holdout) + label_ends <= min(split.holdout)
        assert {*fold.training, *fold.gap, *fold.holdout} <= set(split.training)
    # No day of an outcome is in two folds, so they are evidence of different times.
    for earlier, later in pairwise(folds):
        assert max(earlier.holdout) + label_ends <= min(later.holdout)
    if folds:
        assert folds[-1].holdout == split.training[-validation_dates:]


weeks = st.integers(6, 30).map(lambda count: [date(2024, 1, 7) + timedelta(weeks=week) for week in range(count)])
members = st.one_of(st.text(max_size=3), st.none(), st.integers())


@given(dates=weeks, groups=st.lists(members, min_size=1, max_size=40, unique=True), seed=st.integers(0, 10))
def test_no_value_of_a_group_stands_on_two_sides(dates: list[date], groups: list[object], seed: int) -> None:
    rows = [(day, groups[(number * 7 + seed) % len(groups)]) for number, day in enumerate(dates * 5)]
    examples = pd.DataFrame(rows, columns=["day", "group"]).astype({"group": "object"})
    split = split_by_time(dates, gap_days=7, holdout_dates=2, where="here")
    sides = side_of(examples["group"])
    training, holdout = divide(examples, "day", split, sides)

    def values(part: pd.DataFrame) -> set[object]:
        return set(part["group"].where(part["group"].notna(), "").astype(str))

    assert values(training).isdisjoint(values(holdout))
    assert set(holdout["day"]) <= set(split.holdout)
    inside = side_of(training["group"])
    for number, fold in enumerate(folds_of(split.training, gap_days=7, horizon_days=7, fold_dates=1)):
        learned, judged = divide(training, "day", fold, inside, fold_side(number))
        assert values(learned).isdisjoint(values(judged))
        assert values(judged).isdisjoint(values(holdout))


def test_the_same_value_stands_on_the_same_side_for_ever() -> None:
    """A champion's fit from last year has not learned from the groups of today's holdout either."""
    assert list(side_of(pd.Series(["Ada", "Grace", None, "7"]))) == [2, 3, 4, 2]
    assert list(side_of(pd.Series([7, 8]))) == list(side_of(pd.Series([7, 8, None])))[:2]
    assert side_of(pd.Series(range(1000))).max() < SIDES
    share = (side_of(pd.Series(range(10_000))) == HOLDOUT_SIDE).mean()
    assert share == pytest.approx(1 / SIDES, abs=0.02)


def test_without_a_group_only_time_divides() -> None:
    examples = pd.DataFrame({"day": [date(2024, 1, 7), date(2024, 2, 4), date(2024, 2, 11)], "x": [1, 2, 3]})
    split = Split((date(2024, 1, 7),), (date(2024, 2, 4),), (date(2024, 2, 11),))
    training, holdout = divide(examples, "day", split)
    assert (list(training["x"]), list(holdout["x"])) == ([1], [3])


def test_a_holdout_may_begin_on_a_day() -> None:
    yearly = [date(year, 1, 1) for year in range(2000, 2020)]
    split = split_by_time(yearly, gap_days=400, holdout_from=date(2010, 1, 1), where="here")
    assert (split.training[-1], split.gap, split.holdout[0], len(split.holdout)) == (
        date(2008, 1, 1),
        (date(2009, 1, 1),),
        date(2010, 1, 1),
        10,
    )
    with pytest.raises(ExamplesError, match="none to judge by"):
        split_by_time(yearly, gap_days=400, holdout_from=date(2021, 1, 1), where="here")


def test_the_gap_is_no_longer_than_asked_for() -> None:
    weekly = [date(2024, 1, 7) + timedelta(weeks=week) for week in range(20)]
    split = split_by_time(weekly, gap_days=28, holdout_dates=4, where="here")
    assert (len(split.training), len(split.gap), len(split.holdout)) == (13, 3, 4)


@pytest.mark.parametrize("dates", [[], [date(2024, 1, 7)]])
def test_too_little_history_says_what_was_found_and_what_to_do(dates: list[date]) -> None:
    with pytest.raises(ExamplesError, match="too little history") as caught:
        split_by_time(dates, gap_days=28, holdout_dates=1, where="table predictions.p")
    assert caught.value.where == "table predictions.p"
    assert ("holdout_dates" if dates else "known_until") in caught.value.remedy
