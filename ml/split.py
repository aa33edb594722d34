"""Training and holdout by time, with a gap: never by row order.

The holdout is the last matured as-of dates. Before it lies a gap of at least the horizon, so that the
label window of every training example has closed when the holdout begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from ml.errors import ExamplesError


@dataclass(frozen=True)
class Split:
    """Matured as-of dates, each list ascending; dates in the gap are used by neither side."""

    training: tuple[date, ...]
    gap: tuple[date, ...]
    holdout: tuple[date, ...]


def split_by_time(matured: Sequence[date], *, gap_days: int, holdout_dates: int, where: str) -> Split:
    """Split matured as-of dates into training, gap and holdout.

    Parameters
    ----------
    matured : sequence of date (or datetime)
        The as-of dates whose labels have matured, in any order, without repeats.
    gap_days : int
        A training as-of date lies at least this many days before the first date of the holdout.
    holdout_dates : int
        How many of the last as-of dates are the holdout.
    where : str
        The place to name if the split is impossible.

    Raises
    ------
    ExamplesError
        If no as-of date is left to train on.
    """
    dates = sorted(matured)
    holdout = dates[-holdout_dates:]
    last_training = holdout[0] - timedelta(days=gap_days) if holdout else None
    training = [day for day in dates if last_training is not None and day <= last_training]
    if not training or len(holdout) < holdout_dates:
        found = f"{len(dates)} as-of dates with a matured label" + (f" ({dates[0]} to {dates[-1]})" if dates else "")
        raise ExamplesError(
            f"Split: too little history: {found}, which leaves none to train on.",
            where=where,
            rule=f"the last {holdout_dates} matured as-of dates are the holdout, and training ends {gap_days} "
            "days before it, so that no training label looks into the holdout.",
            remedy="load more history, or declare a smaller 'holdout_dates' or a shorter 'horizon_days'.",
        )
    gap = [day for day in dates if training[-1] < day < holdout[0]]
    return Split(tuple(training), tuple(gap), tuple(holdout))
