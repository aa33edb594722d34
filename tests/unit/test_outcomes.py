"""What came true is set beside what was expected: once, whole, and only where it was a forecast."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import World

from ml.monitoring.outcomes import outcomes_of, record_published
from ml.tasks import BINARY, REGRESSION, Task
from turnout.records import opened

# One week of scores of a version that has learned until the eighth week: week 9 has matured, week 19 has not.
SCORED = date(2024, 3, 10)
EARLIER = date(2024, 3, 3)
SCORES = """
    create schema scores;
    create table scores.will_return as
    select
        entity, day, strength as score, entity % 4 = 0 as is_treated, 1 as model_version,
        timestamp '2024-03-10 12:00:00' as scored_at
    from predictions.will_return where day in ('2024-03-10', '2024-05-19')
"""
CHAMPION = """
    insert into records.champions by name
    select 'will_return' as prediction, 1 as version, timestamp '2024-03-10 11:00:00' as since, 'promoted' as how,
        'better' as reason, 'fit' as file, 'hash' as file_hash, date '2024-01-07' as first_as_of_date,
        date '2024-03-03' as last_as_of_date, 1 as example_count, 'data' as data_fingerprint,
        (select count(*) + 1 from records.champions)::integer as number
"""
COLUMNS = "version, as_of_date, is_treated, score_band, example_count, expected, realised, realised_stddev"
RECORDED = f"select {COLUMNS} from records.outcomes where basis = 'published' order by all"


def change(world: World, *statements: str) -> None:
    with opened(world.warehouse):
        pass
    world.change(";".join(statements))


@pytest.fixture
def scored(world: World) -> World:
    change(world, SCORES, CHAMPION)
    return world


def recorded(world: World) -> tuple[date, ...]:
    with world.warehouse.session() as session:
        return record_published(session, world.prediction)


def test_matured_scores_are_recorded_by_band_and_treatment(scored: World) -> None:
    assert recorded(scored) == (SCORED,)
    rows = scored.rows(RECORDED)
    assert rows == scored.rows(
        """select
               1, day, entity % 4 = 0, least(floor(strength * 10)::integer, 9) + 1,
               count(*), avg(strength), avg(outcome), stddev_samp(outcome)
           from predictions.will_return where day = '2024-03-10' group by 3, 4, day order by all"""
    )
    assert sum(int(str(row[4])) for row in rows) == 200


def test_recording_again_gives_the_same_and_takes_a_correction_in(scored: World) -> None:
    recorded(scored)
    before = scored.rows(RECORDED)
    recorded(scored)
    assert scored.rows(RECORDED) == before
    scored.change("update predictions.will_return set outcome = 1 where day = '2024-03-10'")
    recorded(scored)
    assert {row[6] for row in scored.rows(RECORDED)} == {1.0}


def test_what_is_in_the_examples_no_more_stays_recorded(scored: World) -> None:
    recorded(scored)
    before = scored.rows(RECORDED)
    scored.change("delete from predictions.will_return where day = '2024-03-10'")
    assert recorded(scored) == ()
    assert scored.rows(RECORDED) == before


def test_scores_by_a_fit_that_knew_the_labels_are_no_forecast(scored: World) -> None:
    """It became champion again with what it had learned by then, and scored the same week once more."""
    again = "since = '2024-04-01', last_as_of_date = '2024-03-10', number = 3"
    scored.change(f"update records.champions set {again}; {CHAMPION}")
    assert recorded(scored) == (SCORED,)
    scored.change("update scores.will_return set scored_at = '2024-04-02'")
    assert recorded(scored) == ()


def test_scores_of_an_earlier_release_count_as_treated(scored: World) -> None:
    scored.change("update scores.will_return set is_treated = null")
    recorded(scored)
    assert {row[2] for row in scored.rows(RECORDED)} == {True}


def test_without_scores_there_is_nothing_to_record(world: World) -> None:
    assert recorded(world) == ()


def test_the_tenths_of_a_regression_are_equal_and_equals_stand_together(spend: World) -> None:
    change(spend, SCORES, CHAMPION, "update scores.will_return set is_treated = true")
    spend.change("update scores.will_return set score = case when entity < 60 then -5 else entity end")
    recorded(spend)
    bands = spend.rows("select score_band, example_count from records.outcomes order by 1")
    assert bands == [(1, 60), *((band, 20) for band in range(4, 11))]


@given(
    examples=st.lists(
        st.tuples(st.sampled_from([EARLIER, SCORED]), st.integers(0, 1), st.integers(0, 20).map(lambda n: n / 20)),
        max_size=40,
    ),
    task=st.sampled_from([BINARY, REGRESSION]),
)
def test_every_example_of_a_training_is_in_one_band_of_its_date(
    examples: list[tuple[date, int, float]], task: Task
) -> None:
    days, labels, predicted = [[row[place] for row in examples] for place in range(3)]
    found = outcomes_of(
        task,
        "holdout",
        pd.Series(days, dtype=object),
        np.array(labels, dtype=float),
        np.array(predicted, dtype=float),
    )
    for day in (EARLIER, SCORED):
        of_day = [outcome for outcome in found if outcome.as_of_date == day]
        assert sum(outcome.example_count for outcome in of_day) == days.count(day)
        assert sum(outcome.example_count * outcome.realised for outcome in of_day) == pytest.approx(
            sum(label for label, own in zip(labels, days, strict=True) if own == day)
        )
        assert len({outcome.score_band for outcome in of_day}) == len(of_day)
        expected = [outcome.expected for outcome in sorted(of_day, key=lambda outcome: outcome.score_band)]
        assert expected == sorted(expected)
    assert all(1 <= outcome.score_band <= 10 and not outcome.is_treated for outcome in found)
    assert all((outcome.realised_stddev is None) == (outcome.example_count == 1) for outcome in found)


@pytest.mark.parametrize("kind", ["world", "spend"])
def test_a_training_and_the_warehouse_count_alike(request: pytest.FixtureRequest, kind: str) -> None:
    made: World = request.getfixturevalue(kind)
    change(made, SCORES, CHAMPION, "update scores.will_return set is_treated = false")
    recorded(made)
    rows = made.rows(
        """select score, outcome from scores.will_return
           inner join predictions.will_return using (entity, day) where day = '2024-03-10'"""
    )
    score, outcome = np.array(rows, dtype=float).T
    found = outcomes_of(made.prediction.task, "holdout", pd.Series([SCORED] * len(score)), outcome, score)
    rows = made.rows(RECORDED)
    assert [row[3:5] for row in rows] == [(one.score_band, one.example_count) for one in found]
    for row, one in zip(rows, found, strict=True):
        assert row[5:] == pytest.approx((one.expected, one.realised, one.realised_stddev))


def test_a_process_killed_while_recording_leaves_what_was_recorded(scored: World) -> None:
    recorded(scored)
    before = scored.rows(RECORDED)
    script = f"""
import sys, time
sys.path[:0] = {sys.path!r}
from pathlib import Path
from worlds import world_in
import ml.monitoring.outcomes
from turnout.engines.duckdb import DuckDB

def aggregated(*key):
    print("deleted", flush=True)
    time.sleep(60)
ml.monitoring.outcomes._aggregated = aggregated
made = world_in(Path({str(scored.models.parent)!r}) / "other")
with DuckDB(Path({str(scored.warehouse.path)!r})).session() as session:
    ml.monitoring.outcomes.record_published(session, made.prediction)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "deleted\n"
        writer.send_signal(signal.SIGKILL)
    assert scored.rows(RECORDED) == before
