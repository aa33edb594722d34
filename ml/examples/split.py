"""Training and holdout by time, with a gap, and if asked for by group as well: never by row order.

The holdout is the last matured as-of dates. Before it lies a gap of at least the horizon, so that the
label window of every training example has closed when the holdout begins. What has to be chosen is chosen in
folds of the training dates, which are split in the same way. Where a group is declared, its values are dealt to
sides: those of the holdout are in no training, those of a fold's holdout not in that fold's training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from turnout.dealing import bucket_of
from turnout.errors import ExamplesError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Sides = np.ndarray[tuple[int], np.dtype[np.uint64]]

# A fifth of the groups stands on the holdout's side, and another fifth on that of each fold.
SIDES = 5
HOLDOUT_SIDE = 0
FOLDS = 3


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
            remedy="load more history, or declare a smaller 'holdout_dates' or a shorter 'horizon_days'."
            if dates
            else "load what happened until a horizon's end. Where no event comes after that, the label's SQL must take "
            "from elsewhere how far the data reach: 'reach' or 'known_until' of the macro events_within.",
        )
    gap = [day for day in dates if training[-1] < day < holdout[0]]
    return Split(tuple(training), tuple(gap), tuple(holdout))


def folds_of(
    training: Sequence[date], *, gap_days: int, validation_dates: int, folds: int = FOLDS
) -> tuple[Split, ...]:
    """Split training dates again, for what has to be chosen before the holdout is looked at.

    The holdouts of the folds are the last dates of the training, one after the other; each is judged by what was
    learned before it, with the same gap. As none lies beyond the training dates, no label of a fold reaches the real
    holdout.

    Parameters
    ----------
    training : sequence of date (or datetime)
        The training dates of a split, in any order, without repeats.
    gap_days : int
        As for `split_by_time`.
    validation_dates : int
        How many as-of dates each fold is judged on.
    folds : int
        How many folds are wanted.

    Returns
    -------
    tuple of Split
        By time; fewer than wanted where the history is short, none where it has no room for any.
    """
    dates, found = sorted(training), []
    for end in range(len(dates), 0, -validation_dates)[:folds]:
        holdout = dates[max(0, end - validation_dates) : end]
        learned = [day for day in dates if day <= holdout[0] - timedelta(days=gap_days)]
        if len(holdout) < validation_dates or not learned:
            break
        gap = [day for day in dates if learned[-1] < day < holdout[0]]
        found.append(Split(tuple(learned), tuple(gap), tuple(holdout)))
    return tuple(reversed(found))


def side_of(groups: pd.Series[Any]) -> Sides:
    """Deal the values of a group to sides, by a hash: the same value stands on the same side for ever.

    Parameters
    ----------
    groups : Series of shape (n_examples,)
        The value of the group in each example; missing ones are a group of their own.

    Returns
    -------
    ndarray of shape (n_examples,), uint64
        0 to `SIDES` - 1; `HOLDOUT_SIDE` is the holdout's.
    """
    return bucket_of(groups, SIDES)


def fold_side(number: int) -> int:
    """Return the side on which a fold, counted from 0 on, is judged; never the holdout's."""
    return 1 + number % (SIDES - 1)


def divide(
    examples: pd.DataFrame, as_of: str, split: Split, sides: Sides | None = None, side: int = HOLDOUT_SIDE
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the examples of a split's training and of its holdout.

    Parameters
    ----------
    examples : DataFrame of shape (n_examples, n_columns)
        At least the as-of date.
    as_of : str
        The column of the as-of date: date, datetime or Timestamp.
    split : Split
        The dates of each part.
    sides : ndarray of shape (n_examples,), optional
        Where a group is declared, what `side_of` says of each example.
    side : int
        The side whose groups are judged; those of all others are learned from.

    Returns
    -------
    training, holdout : DataFrame
    """
    import numpy as np

    days = examples[as_of].map(day_of)
    judged = np.ones(len(examples), dtype=bool) if sides is None else sides == side
    learned = np.ones(len(examples), dtype=bool) if sides is None else sides != side
    parts = ((learned, split.training), (judged, split.holdout))
    training, holdout = (examples[days.isin([day_of(day) for day in dates]) & mask] for mask, dates in parts)
    return training, holdout


def day_of(moment: date) -> date:
    """Return the calendar day of a date, datetime or Timestamp."""
    return moment.date() if isinstance(moment, datetime) else moment
