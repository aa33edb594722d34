"""Folds of the training examples, in which is chosen before the holdout is seen: by time where there is room for them.

Without room for any, what was learned from some entities is judged by others, on the same dates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml.examples.split import HOLDOUT_SIDE, SIDES, Split, day_of, divide, fold_side, folds_of, side_of

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from ml.declaration import Prediction
    from ml.examples.split import Sides


@dataclass(frozen=True)
class Fold:
    """Examples to learn from and others to judge by; a DataFrame each, with key, label and features."""

    number: int
    learned: pd.DataFrame
    judged: pd.DataFrame
    first_as_of_date: date
    last_as_of_date: date


@dataclass(frozen=True)
class Folds:
    """The folds of a training.

    Parameters
    ----------
    folds : tuple of Fold
        Numbered from 0 on; folds by time in their order.
    group : str or None
        The column whose values are judged by what was learned from other values, on the same dates; None if the folds
        are of different times.
    """

    folds: tuple[Fold, ...]
    group: str | None = None

    def __iter__(self) -> Iterator[Fold]:
        return iter(self.folds)

    def __len__(self) -> int:
        return len(self.folds)

    @property
    def are_by_time(self) -> bool:
        """Whether each fold is judged on later dates than it has learned from."""
        return self.group is None

    def __str__(self) -> str:
        count = f"{len(self)} fold{'' if len(self) == 1 else 's'}"
        return f"{count} by {'time' if self.group is None else self.group}" if self.folds else "no folds"


def folds_in(prediction: Prediction, split: Split, training: pd.DataFrame, sides: Sides | None) -> Folds:
    """Return the folds of the training examples in which there is something to learn and to judge by.

    They are by time. If the history has no room for one, or is not split by time at all, they are by the values of the
    declared group, or else by entity.

    Parameters
    ----------
    training : DataFrame of shape (n_training, n_columns)
        The examples of the training dates.
    sides : ndarray of shape (n_training,), optional
        Where a group is declared, what `ml.examples.split.side_of` says of each of them.
    """
    plan = prediction.split
    if plan.is_by_time:
        folds = folds_of(
            split.training,
            gap_days=plan.gap_days,
            horizon_days=prediction.examples.horizon_days,
            fold_dates=plan.fold_dates,
        )
        parts = [(fold, sides, fold_side(number)) for number, fold in enumerate(folds)]
        if found := _learnable(prediction, training, parts):
            return Folds(found)
    group = plan.group or prediction.examples.entity
    whole = Split(split.training, (), split.training)
    dealt = side_of(training[group]) if sides is None else sides
    judged = range(SIDES) if sides is None else [side for side in range(SIDES) if side != HOLDOUT_SIDE]
    return Folds(_learnable(prediction, training, [(whole, dealt, side) for side in judged]), group)


def _learnable(
    prediction: Prediction, training: pd.DataFrame, parts: list[tuple[Split, Sides | None, int]]
) -> tuple[Fold, ...]:
    examples, found = prediction.examples, list[Fold]()
    for split, sides, side in parts:
        learned, judged = divide(training, examples.as_of, split, sides, side)
        labels = learned[examples.label], judged[examples.label]
        if all(prediction.task.can_learn(label.to_numpy()) for label in labels):
            found.append(Fold(len(found), learned, judged, day_of(split.holdout[0]), day_of(split.holdout[-1])))
    return tuple(found)
