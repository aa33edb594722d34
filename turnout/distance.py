"""How far two distributions lie apart, and how far they would by chance alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Drift(NamedTuple):
    """How two samples of one column differ.

    Parameters
    ----------
    distance : float
        Between their distributions, 0 to 1.
    by_chance_squared : float
        The square of the distance that samples of one distribution stay below, with the confidence asked for.
    """

    distance: float
    by_chance_squared: float


def drift_between(here: Sequence[int], there: Sequence[int], sizes: tuple[int, int], confidence: float) -> Drift:
    """Compare two samples that are counted in the same bins.

    Parameters
    ----------
    here, there : sequence of int, of shape (n_bins,)
        How many of each sample fall into each bin; of each sample at least one.
    sizes : (int, int)
        How many independent values each sample has; fewer than were counted where some are alike.
    confidence : float
        Of 0 to 1: how often the distance stays below what is allowed to chance.

    Notes
    -----
    The distance is the square root of the Jensen-Shannon divergence to base 2, 0 for equal distributions and 1 for
    those that share nothing (Lin 1991, Divergence measures based on the Shannon entropy; Endres and Schindelin
    2003, A new metric for probability distributions). For samples of n and m values of one distribution over k
    bins its square is about chi-squared with k - 1 degrees of freedom, times (1/n + 1/m) / (8 ln 2), as its
    expansion to the second order shows.
    """
    from scipy.spatial.distance import jensenshannon
    from scipy.special import gammaincinv

    distance = float(jensenshannon(here, there, base=2)) if len(here) > 1 else 0.0
    quantile = 2 * float(gammaincinv(max(1, len(here) - 1) / 2, confidence))  # of chi-squared
    return Drift(distance, quantile * (1 / sizes[0] + 1 / sizes[1]) / (8 * math.log(2)))
