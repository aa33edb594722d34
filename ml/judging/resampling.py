"""Intervals by the bootstrap of entities: how much would a number move if other entities had come?

Rows of one entity are alike, so many rows of few entities say less than they seem to. Whole entities are drawn with
replacement, and all rows of an entity come together (the cluster bootstrap). An interval is what lies between two
percentiles of the values in all resamples.

References
----------
B. Efron and R. J. Tibshirani, "An introduction to the bootstrap", 1993, chapter 13 (percentile intervals).
A. C. Davison and D. V. Hinkley, "Bootstrap methods and their application", 1997, section 3.8 (clusters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    Vector = np.ndarray[tuple[int], np.dtype[Any]]
    Matrix = np.ndarray[tuple[int, int], np.dtype[Any]]
    # Takes weights of shape (n_resamples, n_examples) and returns a value for each resample.
    Weighted = Callable[[Matrix], Vector]

RESAMPLES = 1000
# So many resamples place the ends of a 95 % interval well enough; more cells than that take minutes.
MIN_RESAMPLES = 200
MAX_CELLS = 200_000_000
# Weights that are held at once: they stay in the processor's cache.
CHUNK_CELLS = 250_000
# Of fewer entities no interval is reported. A difference that is pure chance is for the better in all n of them with
# the probability 2**-n, and then it is in every resample; from six on that is rarer than the 2.5 % below an interval.
MIN_ENTITIES = 6
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Resamples:
    """The same resamples of entities each time they are iterated, so that two models can be compared in pairs.

    Parameters
    ----------
    codes : ndarray of int, shape (n_examples,)
        The entity of each example, from 0 to `entity_count` - 1.
    entity_count : int
        How many entities there are, and how many are drawn for each resample.
    count : int
        How many resamples there are.
    seed : int
        The same seed gives the same resamples.
    """

    codes: Vector
    entity_count: int
    count: int
    seed: int

    def __iter__(self) -> Iterator[Matrix]:
        """Yield how often each example counts, in chunks of shape (n_resamples_of_chunk, n_examples), float64."""
        generator = np.random.default_rng(self.seed)
        chunk = max(1, CHUNK_CELLS // len(self.codes))
        for first in range(0, self.count, chunk):
            size = min(chunk, self.count - first)
            drawn = generator.integers(self.entity_count, size=(size, self.entity_count))
            drawn += self.entity_count * np.arange(size)[:, np.newaxis]
            times = np.bincount(drawn.ravel(), minlength=size * self.entity_count).reshape(size, self.entity_count)
            yield times.astype(np.float64).take(self.codes, axis=1)

    def values_of(self, parts: Sequence[tuple[Vector, Sequence[Weighted]]]) -> list[Matrix]:
        """Return the values of scores in every resample.

        Parameters
        ----------
        parts : sequence of (rows, scores)
            `rows` are the positions of the examples that the part is about, ascending; `scores` take the weights of
            these, of shape (n_resamples, n_rows).

        Returns
        -------
        list of ndarray of shape (n_scores, count), one for each part
        """
        values = [np.empty((len(scores), self.count)) for _, scores in parts]
        first = 0
        for weights in self:
            last = first + len(weights)
            for (rows, scores), found in zip(parts, values, strict=True):
                own = weights if len(rows) == len(self.codes) else weights.take(rows, axis=1)
                for number, score in enumerate(scores):
                    found[number, first:last] = score(own)
            first = last
        return values

    def entity_count_in(self, mask: Vector) -> int:
        """Return how many entities have an example where `mask`, bool of shape (n_examples,), is true."""
        return int(np.unique(self.codes[mask]).size)


def resample(entities: pd.Series[Any], *, resamples: int = RESAMPLES, seed: int = 0) -> Resamples:
    """Prepare resamples of the entities behind examples.

    Of many examples fewer resamples are taken: so many that resamples times examples stay below 2e8, but never
    fewer than 200. 200,000 examples still get 1,000 resamples, one million or more get 200.

    Parameters
    ----------
    entities : Series of shape (n_examples,)
        The entity of each example; a missing one counts as one entity.
    resamples : int
        How many resamples are wanted.
    seed : int
        The same seed gives the same resamples.
    """
    import pandas as pd

    codes, names = pd.factorize(entities, use_na_sentinel=False)
    affordable = max(MIN_RESAMPLES, MAX_CELLS // max(1, len(codes)))
    return Resamples(codes, len(names), min(resamples, affordable), seed)


def interval_of(values: Vector, entity_count: int, *, reflected_at: float | None = None) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of a number.

    Resampling adds chance to chance. That leaves most numbers where they are, but a sum of absolute differences grows,
    and is as much too high in the resamples as it is on the examples. So its interval is reflected at the number itself
    (the basic bootstrap of Davison and Hinkley, section 2.4), no lower than zero and so that it holds the number. Where
    the real sum is no more than chance makes of zero, it is still too high more often than in one case of forty.

    Parameters
    ----------
    values : ndarray of shape (n_resamples,)
        The number in each resample; nan where it is undefined, which is left out.
    entity_count : int
        Of how many entities the number tells.
    reflected_at : float, optional
        The number itself, if it is one that grows by resampling.

    Returns
    -------
    (low, high) or None
        None where the number is undefined in more than half of the resamples, or tells of fewer than six entities.
    """
    known = values[np.isfinite(values)]
    if entity_count < MIN_ENTITIES or 2 * known.size < values.size:
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    if reflected_at is not None:
        low, high = max(0.0, min(reflected_at, 2 * reflected_at - high)), max(reflected_at, 2 * reflected_at - low)
    return float(low), float(high)
