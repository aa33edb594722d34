"""Resamples draw whole entities, are the same each time, and stay small."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ml.judging.resampling import CHUNK_CELLS, MIN_ENTITIES, interval_of, resample


def test_all_rows_of_an_entity_come_together_and_as_many_entities_are_drawn_as_there_are() -> None:
    entities = pd.Series(["b", "a", "b", "c", None, "a", "b", None])
    weights = np.vstack(list(resample(entities, resamples=50)))
    assert weights.shape == (50, 8)
    for rows in ([0, 2, 6], [1, 5], [4, 7]):
        assert (weights[:, rows] == weights[:, rows[:1]]).all()
    assert (weights[:, [0, 1, 3, 4]].sum(axis=1) == 4).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.5)


def test_the_same_resamples_come_each_time_and_another_seed_gives_others() -> None:
    entities = pd.Series(np.arange(10_000) % 3000)
    resamples = resample(entities, resamples=60, seed=1)
    chunks = list(resamples)
    assert len(chunks) > 1
    assert all(chunk.size <= CHUNK_CELLS for chunk in chunks)
    assert all((one == other).all() for one, other in zip(chunks, resamples, strict=True))
    assert (np.vstack(chunks) == np.vstack(list(resample(entities, resamples=60, seed=1)))).all()
    assert (np.vstack(chunks) != np.vstack(list(resample(entities, resamples=60, seed=2)))).any()


@pytest.mark.parametrize(
    ("example_count", "wanted", "count"), [(100_000, 1000, 1000), (500_000, 1000, 400), (2_000_000, 1000, 200)]
)
def test_many_examples_get_fewer_resamples_but_never_too_few(example_count: int, wanted: int, count: int) -> None:
    assert resample(pd.Series(np.zeros(example_count)), resamples=wanted).count == count


def test_an_interval_is_that_of_theory_where_rows_of_an_entity_are_alike() -> None:
    # 400 entities with four equal rows each: the mean has the standard error of 400 numbers, not of 1600.
    of_entity = np.random.default_rng(0).normal(size=400)
    label = np.repeat(of_entity, 4)
    resamples = resample(pd.Series(np.repeat(np.arange(400), 4)))
    rows = np.arange(1600)
    means = resamples.values_of([(rows, [lambda weights: weights @ label / weights.sum(axis=1)])])[0][0]
    interval = interval_of(means, resamples.entity_count)
    assert interval is not None
    standard_error = of_entity.std() / 20
    assert interval[1] - interval[0] == pytest.approx(2 * 1.96 * standard_error, rel=0.1)
    assert sum(interval) / 2 == pytest.approx(of_entity.mean(), abs=0.2 * standard_error)


def test_there_is_no_interval_of_a_handful_of_entities_or_of_what_is_mostly_undefined() -> None:
    values = np.append(np.arange(60.0), np.full(40, np.nan))
    interval = interval_of(values, MIN_ENTITIES)
    assert interval == pytest.approx((59 * 0.025, 59 * 0.975))
    assert interval_of(values, MIN_ENTITIES - 1) is None
    assert interval_of(values[20:], MIN_ENTITIES) == pytest.approx((20 + 39 * 0.025, 20 + 39 * 0.975))
    assert interval_of(values[21:], MIN_ENTITIES) is None
