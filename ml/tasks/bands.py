"""Scores in ten bands: for a training in Python, for what was published in SQL, and both count alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

BANDS = 10


class Bands(ABC):
    """How scores are divided into bands, 1 the lowest and `BANDS` the highest."""

    sql: str
    """The band of a row of one as-of date, in SQL over its column `score`."""

    @abstractmethod
    def of(self, scores: pd.Series[Any], as_of_dates: pd.Series[Any]) -> pd.Series[Any]:
        """Return the band of each score.

        Parameters
        ----------
        scores, as_of_dates : Series of shape (n_examples,)
            The scores, and the as-of date of each.
        """


class TenthsOfProbability(Bands):
    """From zero to one in steps of a tenth, so a band means the same at every as-of date."""

    sql = f"least(floor(score * {BANDS}), {BANDS - 1}) + 1"

    def of(self, scores: pd.Series[Any], as_of_dates: pd.Series[Any]) -> pd.Series[Any]:
        """Return the band of each score; what stands beside it does not matter."""
        band: pd.Series[Any] = np.minimum(np.floor(scores * BANDS), BANDS - 1) + 1
        return band


class TenthsOfExamples(Bands):
    """Tenths of the examples of an as-of date by score.

    Those that are scored equally go where the first of them goes, as in the metric `calibration_error`.
    """

    sql = f"floor((rank() over (order by score) - 1) * {BANDS} / count(*) over ()) + 1"

    def of(self, scores: pd.Series[Any], as_of_dates: pd.Series[Any]) -> pd.Series[Any]:
        """Return the band of each score among those of its as-of date."""
        by_date = scores.groupby(as_of_dates)
        return (by_date.rank(method="min") - 1) * BANDS // by_date.transform("size") + 1
