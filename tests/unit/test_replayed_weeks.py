"""Weeks that are lived through again know nothing of what came later."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from worlds import World

from ml.examples.split import day_of
from trials.replayed_weeks import FIRST, GATE, NEWEST, quick, replay
from turnout.engines.duckdb import DuckDB


def test_a_replayed_day_knows_only_what_had_matured_and_is_judged_by_what_came_true(
    world: World, tmp_path: Path
) -> None:
    # From the eighth week on the outcome is the opposite, so that the first model is wrong for ever.
    world.change("update predictions.will_return set outcome = 1 - outcome where day >= '2024-02-25'")
    lived = replay(
        world.warehouse, quick(world.prediction, ["linear"], trials=0, seconds=0.0), tmp_path / "replay", every=8
    )
    assert [week.day for week in lived.weeks] == [date(2024, 2, 18), date(2024, 4, 14)]
    replayed = DuckDB(tmp_path / "replay" / "warehouse.duckdb")
    with replayed.session() as session:
        held_out = session.rows("select holdout_last_as_of_date as day from records.model_versions order by version")
        (known,) = session.rows(
            """select max(day) as last, max(day) filter (where outcome is not null) as last_matured
               from predictions.will_return"""
        )
    horizon = timedelta(days=14)
    assert [row["day"] for row in held_out] == [week.day - horizon for week in lived.weeks]
    assert (known["last"], known["last_matured"]) == (date(2024, 4, 14), date(2024, 3, 31))

    days = lived.examples["day"].map(day_of)
    for week in lived.weeks:
        assert np.isnan(lived.predicted[week.version][(days < week.day).to_numpy()]).all()
        assert (lived.served(NEWEST)[week.rows] == lived.predicted[week.version][week.rows]).all()
        assert (lived.served(FIRST)[week.rows] == lived.predicted[1][week.rows]).all()
    more, low, high = lived.difference(NEWEST, FIRST)
    assert lived.realised(lived.served(NEWEST)) - lived.realised(lived.served(FIRST)) == pytest.approx(more)
    assert low < more < high < 0
    assert len(lived.changes(NEWEST)) == 1
    promoted = sum(week.is_promoted for week in lived.weeks)
    assert (len(lived.changes(GATE)) + 1, len(lived.kept_out())) == (promoted, 2 - promoted)
