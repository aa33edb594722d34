"""Weeks in which the truth is known: a champion and a challenger that see the same through noise of their own.

300 entities at four as-of dates, whose rows are correlated. The model that is worse sees through more noise, just so
much that its log loss is worse by a given share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml.judging.evaluation import evaluate, segments_of
from ml.judging.gate import Gate
from ml.judging.promotion import Champion, Decision, decide
from ml.judging.resampling import resample
from ml.tasks import BINARY
from ml.tasks.metrics import LOG_LOSS

if TYPE_CHECKING:
    from ml.tasks.metrics import Vector

    Shape = tuple[int, int]
    Rows = np.ndarray[Any, np.dtype[np.float64]]

METRIC = LOG_LOSS
MINIMUM_EFFECT = 0.005
RESAMPLES = 200
# Logits: what both models know of an entity and of a row, what none knows of an entity, and the noise of each.
ENTITY, ROW, HIDDEN, NOISE = 1.2, 0.4, 1.0, 0.3
# What share of a model's noise stays with an entity through all dates.
LASTING = 0.8
# Entities from which the noise for an improvement is found.
MANY = 200_000


@dataclass(frozen=True)
class Week:
    """The holdout of one week; all of shape (entities * dates,)."""

    entities: pd.Series[Any]
    label: Vector
    challenger: Vector
    champion: Vector
    baseline: Vector


def simulated_weeks(
    improvement: float, *, weeks: int = 200, entities: int = 300, dates: int = 4, seed: int = 0
) -> Iterator[Week]:
    """Yield weeks in which the challenger's expected log loss is lower than the champion's by a share.

    Parameters
    ----------
    improvement : float
        0.05 is a challenger that is better by five percent, -0.05 a champion that is; 0 two equals.
    weeks, entities, dates : int
        How many weeks, and of how many entities and as-of dates each.
    seed : int
        The same seed gives the same weeks.
    """
    generator = np.random.default_rng(seed)
    more = _noise_of_the_worse(abs(improvement))
    of_challenger, of_champion = (NOISE, more) if improvement > 0 else (more, NOISE)
    shape = (entities, dates)
    for _ in range(weeks):
        known, truth = _logits(generator, shape)
        label = (generator.random(shape) < _probability(truth)).astype(np.float64)
        yield Week(
            entities=pd.Series(np.repeat(np.arange(entities), dates)),
            label=label.ravel(),
            challenger=_probability(known + of_challenger * _noise(generator, shape)).ravel(),
            champion=_probability(known + of_champion * _noise(generator, shape)).ravel(),
            baseline=np.full(label.size, 0.5),
        )


def decision_of(week: Week, *, resamples: int = RESAMPLES) -> Decision:
    """Return what the gate decides in a simulated week."""
    nothing = pd.DataFrame(index=week.entities.index)
    segments, drawn = segments_of(nothing, nothing), resample(week.entities, resamples=resamples)
    return decide(
        Gate(metric=METRIC, minimum_effect=MINIMUM_EFFECT),
        challenger="challenger",
        label=week.label,
        predicted=week.challenger,
        baseline_predicted=week.baseline,
        champion=Champion(1, week.champion),
        segments=segments,
        resamples=drawn,
        evaluations=evaluate("challenger", BINARY, week.label, week.challenger, segments, drawn),
        prediction_seconds=0.0,
    )


def _logits(generator: np.random.Generator, shape: Shape) -> tuple[Rows, Rows]:
    """Return what can be known of each row, and the truth, as logits."""
    known = ENTITY * generator.normal(size=(shape[0], 1)) + ROW * generator.normal(size=shape)
    return known, known + HIDDEN * generator.normal(size=(shape[0], 1))


def _noise(generator: np.random.Generator, shape: Shape) -> Rows:
    """Return noise of variance one, part of which stays with the entity."""
    lasting = generator.normal(size=(shape[0], 1))
    noise: Rows = np.sqrt(LASTING) * lasting + np.sqrt(1 - LASTING) * generator.normal(size=shape)
    return noise


def _probability(logit: Rows) -> Rows:
    probability: Rows = 1 / (1 + np.exp(-logit))
    return probability


def _noise_of_the_worse(improvement: float) -> float:
    """Return the noise with which a model's expected log loss is so much above that of a model with `NOISE`."""
    from scipy.optimize import brentq

    generator = np.random.default_rng(0)
    known, truth = _logits(generator, (MANY, 1))
    true, noise = _probability(truth), _noise(generator, (MANY, 1))

    def expected_loss(scale: float) -> float:
        logit = known + scale * noise
        # log(1 + exp(logit)) - true * logit is the expected loss of a logit, computed without an overflow.
        return float(np.mean(np.logaddexp(0, logit) - true * logit))

    least = expected_loss(NOISE)
    return float(brentq(lambda scale: (1 - improvement) * expected_loss(scale) - least, NOISE, 10 * NOISE))
