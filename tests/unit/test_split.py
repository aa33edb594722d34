"""Over any calendar, no training label reaches the holdout."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.errors import ExamplesError
from ml.split import split_by_time

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


def test_the_gap_is_no_longer_than_asked_for() -> None:
    weekly = [date(2024, 1, 7) + timedelta(weeks=week) for week in range(20)]
    split = split_by_time(weekly, gap_days=28, holdout_dates=4, where="here")
    assert (len(split.training), len(split.gap), len(split.holdout)) == (13, 3, 4)


@pytest.mark.parametrize("dates", [[], [date(2024, 1, 7)]])
def test_too_little_history_says_what_was_found_and_what_to_do(dates: list[date]) -> None:
    with pytest.raises(ExamplesError, match="too little history") as caught:
        split_by_time(dates, gap_days=28, holdout_dates=1, where="table predictions.p")
    assert caught.value.where == "table predictions.p"
    assert "holdout_dates" in caught.value.remedy
