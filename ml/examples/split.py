"""Training and holdout by time, with a gap, by the values of a group, or by both: never by row order.

By time, the holdout is the last matured as-of dates. Before it lies a gap of at least the horizon, so that the label
window of every training example has closed when the holdout begins. What has to be chosen is chosen in folds of the
training dates, which are split in the same way. Where a group is declared, its values are dealt to sides: those of the
holdout are in no training, those of a fold's holdout not in that fold's training. Examples of one as-of date, such as
those of an experiment, are divided by a group alone.
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

    from ml.declaration import SplitPlan

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


def split_by(plan: SplitPlan, matured: Sequence[date], where: str) -> Split:
    """Split matured as-of dates as it was declared; where only a group divides, all of them are on both sides.

    Parameters and errors are those of `split_by_time`.
    """
    if not plan.is_by_time:
        dates = tuple(sorted(matured))
        return Split(dates, (), dates)
    return split_by_time(
        matured,
        gap_days=plan.gap_days,
        where=where,
        holdout_dates=plan.holdout_dates,
        holdout_from=plan.holdout_from,
    )


def split_by_time(
    matured: Sequence[date],
    *,
    gap_days: int,
    where: str,
    holdout_dates: int | None = None,
    holdout_from: date | None = None,
) -> Split:
    """Split matured as-of dates into training, gap and holdout; the holdout is given by one of the two.

    Parameters
    ----------
    matured : sequence of date (or datetime)
        The as-of dates whose labels have matured, in any order, without repeats.
    gap_days : int
        A training as-of date lies at least this many days before the first date of the holdout.
    where : str
        The place to name if the split is impossible.
    holdout_dates : int, optional
        How many of the last as-of dates are the holdout.
    holdout_from : date, optional
        The first day of the holdout.

    Raises
    ------
    ExamplesError
        If no as-of date is left to train on, or to judge by.
    """
    dates = sorted(matured)
    if holdout_from is None:
        wanted = holdout_dates or 1
        which, key = f"the last {wanted} matured as-of dates are the holdout", "a smaller 'holdout_dates'"
        holdout = dates[-wanted:]
    else:
        wanted = 1
        which, key = f"the holdout begins with {holdout_from}", "another 'holdout_from'"
        holdout = [day for day in dates if day_of(day) >= holdout_from]
    last_training = holdout[0] - timedelta(days=gap_days) if holdout else None
    training = [day for day in dates if last_training is not None and day <= last_training]
    if not training or len(holdout) < wanted:
        found = f"{len(dates)} as-of dates with a matured label"
        found += f" ({day_of(dates[0])} to {day_of(dates[-1])})" if dates else ""
        lacking = "none to train on" if holdout or not dates else "none to judge by"
        raise ExamplesError(
            f"Split: too little history: {found}, which leaves {lacking}.",
            where=where,
            rule=f"{which}, and training ends {gap_days} days before it, so that no training label looks into the "
            "holdout.",
            remedy=f"load more history, or declare {key} or a shorter 'horizon_days'. Where there is one as-of date "
            "only, as in an experiment, declare 'split' with the column of the entity, so that entities are judged "
            "that nothing was learned from."
            if dates
            else "load what happened until a horizon's end. Where no event comes after that, the label's SQL must take "
            "from elsewhere how far the data reach: 'reach' or 'known_until' of the macro events_within.",
        )
    gap = [day for day in dates if training[-1] < day < holdout[0]]
    return Split(tuple(training), tuple(gap), tuple(holdout))


def folds_of(
    training: Sequence[date], *, gap_days: int, horizon_days: int, fold_dates: int, folds: int = FOLDS
) -> tuple[Split, ...]:
    """Split training dates again, for what has to be chosen before the holdout is looked at.

    The holdouts of the folds are as-of dates at the end of the training, where it is most like what comes; each is
    judged by what was learned before it, with the same gap. Between one fold and the next lies the horizon, so that
    no day of an outcome is in two folds: they are evidence of different times. As none lies beyond the training dates,
    no label of a fold reaches the real holdout.

    Parameters
    ----------
    training : sequence of date (or datetime)
        The training dates of a split, in any order, without repeats.
    gap_days : int
        As for `split_by_time`.
    horizon_days : int
        Days from an as-of date until its label has matured.
    fold_dates : int
        How many as-of dates each fold is judged on.
    folds : int
        How many folds are wanted.

    Returns
    -------
    tuple of Split
        By time; fewer than wanted where the history is short, none where it has no room for any.
    """
    found: list[Split] = []
    left = dates = sorted(training)
    while len(left) >= fold_dates and len(found) < folds:
        holdout = left[-fold_dates:]
        learned = [day for day in dates if day <= holdout[0] - timedelta(days=gap_days)]
        if not learned:
            break
        gap = [day for day in dates if learned[-1] < day < holdout[0]]
        found.append(Split(tuple(learned), tuple(gap), tuple(holdout)))
        left = [day for day in dates if day <= holdout[0] - timedelta(days=horizon_days)]
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
    """Return the side on which a fold by time, counted from 0 on, is judged; never the holdout's."""
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
