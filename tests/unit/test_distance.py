"""Equal distributions are at 0, strangers at 1, and samples of one distribution stay below what is given to chance."""

from __future__ import annotations

import math

import numpy as np

from turnout.distance import drift_between


def test_the_distance_goes_from_nought_to_one() -> None:
    assert drift_between([3, 5], [30, 50], (8, 80), 0.999).distance == 0
    assert math.isclose(drift_between([3, 0], [0, 5], (3, 5), 0.999).distance, 1)
    assert drift_between([3], [5], (3, 5), 0.999).distance == 0


def test_samples_of_one_distribution_differ_more_than_by_chance_as_seldom_as_said() -> None:
    random = np.random.default_rng(0)
    shares, sizes = [0.1, 0.2, 0.3, 0.4], (400, 900)
    drifts = [
        drift_between(random.multinomial(sizes[0], shares), random.multinomial(sizes[1], shares), sizes, 0.95)
        for _ in range(2000)
    ]
    above = sum(drift.distance**2 > drift.by_chance_squared for drift in drifts) / len(drifts)
    assert 0.03 < above < 0.07
