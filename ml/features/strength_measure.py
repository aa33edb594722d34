"""How strong a feature is by itself: by what that is measured for each kind of label, from sums of the warehouse."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml.judging.evaluation import Task

# With fewer labels, or fewer of either class, the strength of a feature says more about chance than about it.
MIN_CASES = 20


@dataclass(frozen=True)
class Strength:
    """How well a column by itself puts the examples in the order of their labels.

    Parameters
    ----------
    signed : float
        From -1, the opposite order, to 1: 2 AUC - 1 for a binary label, Spearman's correlation for a number.
    error : float
        Its standard error, as if all examples of one entity were one example.
    """

    signed: float
    error: float


@dataclass(frozen=True)
class Sums:
    """Sums over the labelled examples of a period: how many, of labels, of ranks times labels, of squared ranks."""

    count: float
    labels: float
    products: float
    squares: float


class StrengthMeasure(ABC):
    """By what the strength of a feature is measured.

    Attributes
    ----------
    name : str
        How records call it.
    title : str
        How a sentence calls it.
    ranks_labels : bool
        Whether the sums are of the ranks of the labels instead of the labels.
    guesses_classes : bool
        Whether it is measured as well how many errors are left if one guesses the label by the feature's value.
    """

    name: str
    title: str
    ranks_labels: bool
    guesses_classes: bool

    @abstractmethod
    def strength(self, sums: Sums, independent: float, label_squares: float) -> Strength | None:
        """Return the strength in a period; None if there are too few labels.

        Parameters
        ----------
        independent : float
            Entities for each example: examples of one entity are alike, so they count as one.
        label_squares : float
            The sum of the squared ranks of the labels; 0 unless labels are ranked.
        """

    @abstractmethod
    def shown(self, strength: Strength) -> float:
        """Return a strength as it is known, whatever its direction."""


class RocAuc(StrengthMeasure):
    """The area under the ROC curve, 0.5 to 1.

    It is the share of pairs of either class that are in order, those that are equal counted half: Mann and Whitney
    1947; its standard error is that of Hanley and McNeil 1982.
    """

    name = "roc_auc"
    title = "ROC AUC"
    ranks_labels = False
    guesses_classes = True

    def strength(self, sums: Sums, independent: float, label_squares: float) -> Strength | None:
        """Return 2 AUC - 1 and its error; None if either class has too few."""
        ones, zeros = sums.labels, sums.count - sums.labels
        area = area_under_roc(sums)
        if area is None or min(ones, zeros) < MIN_CASES:
            return None
        return Strength(2 * area - 1, 2 * _area_error(area, ones * independent, zeros * independent))

    def shown(self, strength: Strength) -> float:
        """Return the area, 0.5 to 1."""
        return (1 + abs(strength.signed)) / 2


class Spearman(StrengthMeasure):
    """Spearman's correlation, 0 to 1.

    Spearman 1904 is Pearson's correlation of the ranks, whose error is about that of Fisher 1915.
    """

    name = "spearman"
    title = "Spearman's correlation"
    ranks_labels = True
    guesses_classes = False

    def strength(self, sums: Sums, independent: float, label_squares: float) -> Strength | None:
        """Return the correlation of the ranks and its error; None if there are too few labels."""
        if sums.count < MIN_CASES:
            return None
        middle = sums.count * ((sums.count + 1) / 2) ** 2
        spread = (sums.squares - middle) * (label_squares - middle)
        signed = (sums.products - middle) / math.sqrt(spread) if spread > 0 else 0.0
        return Strength(signed, (1 - signed**2) / math.sqrt(max(sums.count * independent - 1, 1)))

    def shown(self, strength: Strength) -> float:
        """Return the correlation without its sign."""
        return abs(strength.signed)


def strength_measure(task: Task) -> StrengthMeasure:
    """Return by what the strength of a feature is measured for a task."""
    return RocAuc() if task == "binary" else Spearman()


def area_under_roc(sums: Sums) -> float | None:
    """Return the area under the ROC curve; None if there is only one class."""
    ones, zeros = sums.labels, sums.count - sums.labels
    return (sums.products - ones * (ones + 1) / 2) / (ones * zeros) if ones and zeros else None


def _area_error(area: float, ones: float, zeros: float) -> float:
    """Return the standard error of an area under the ROC curve, after Hanley and McNeil 1982."""
    area = max(area, 1 - area)
    both_ones, both_zeros = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area)
    variance += (ones - 1) * (both_ones - area**2) + (zeros - 1) * (both_zeros - area**2)
    return math.sqrt(max(variance, 0.0) / (ones * zeros))
