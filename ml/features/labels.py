"""The labels of the examples, as classes or as ranks: what of them is summed, and how strength follows from the sums.

Each of the two kinds of labels has the same methods, so that nobody else asks which it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ml.features.measures import Strength, StrengthScale

if TYPE_CHECKING:
    from ml.features.query import ExamplesQuery
    from ml.judging.evaluation import Task

# With fewer labels, or fewer of either class, the strength of a feature says more about chance than about it.
MIN_CASES = 20


@dataclass(frozen=True)
class Sums:
    """Sums over the labelled examples of a period: how many, of labels, of ranks times labels, of squared ranks."""

    count: float
    labels: float
    products: float
    squares: float


class Labels(Protocol):
    """What is asked of the labels, whatever they are."""

    @property
    def scale(self) -> StrengthScale:
        """On which scale strength is shown."""
        ...

    @property
    def summed(self) -> tuple[str, str, str]:
        """What is summed over all, early and late examples, in SQL."""
        ...

    @property
    def join(self) -> str:
        """What the examples are joined with for that, in SQL."""
        ...

    def strength(self, period: str, sums: Sums, independent: float) -> Strength | None:
        """Return the strength of an order of a period's examples; None without enough labels.

        Parameters
        ----------
        period : {"all", "early", "late"}
            Whose labels they are.
        sums : Sums
            Over the labelled examples, with the ranks of the order.
        independent : float
            The share of the examples that count: those of one entity are alike, and count as one.
        """
        ...

    def errors_left(self, query: ExamplesQuery) -> float | None:
        """Return the share of errors that are left if one guesses by value; None where labels cannot be guessed so."""
        ...


def labels_of(query: ExamplesQuery, task: Task) -> Labels:
    """Return the labels of a task, ready to be summed."""
    return ClassLabels() if task == "binary" else RankedLabels(query)


class ClassLabels:
    """Labels that are 1 or 0.

    Notes
    -----
    The area under the ROC curve is the share of pairs of either class that are in order, those that are equal counted
    half: Mann and Whitney 1947; its standard error is that of Hanley and McNeil 1982.
    """

    scale = StrengthScale("roc_auc", "ROC AUC", by_chance=0.5)
    summed = ("label", "label", "label")
    join = ""

    def strength(self, period: str, sums: Sums, independent: float) -> Strength | None:
        """Return 2 AUC - 1, and its standard error."""
        ones, zeros = sums.labels, sums.count - sums.labels
        area = area_of(sums)
        if area is None or min(ones, zeros) < MIN_CASES:
            return None
        return Strength(2 * area - 1, 2 * _area_error(area, ones * independent, zeros * independent))

    def errors_left(self, query: ExamplesQuery) -> float | None:
        """Return the share of errors that are left if one guesses by value, as the early examples teach it.

        Notes
        -----
        That is 1 - lambda of Goodman and Kruskal 1954, with guesses from one half and errors from the other.
        """
        errors, ones, zeros = query.row(
            """with shared as (
                   select *, sum(sum_early) over () / nullif(sum(labels_early) over (), 0) as share from counted
               ),
               guessed as (
                   select *, coalesce(sum_early / nullif(labels_early, 0), share) > 0.5 as guess from shared
               )
               select
                   coalesce(sum(case when guess then labels_late - sum_late else sum_late end), 0),
                   coalesce(sum(sum_late), 0),
                   coalesce(sum(labels_late - sum_late), 0)
               from guessed"""
        )
        commoner = min(ones, zeros)
        return float(errors / commoner) if commoner >= MIN_CASES else None


class RankedLabels:
    """Labels that are numbers, ranked: those that are equal by the mean of their ranks, among all, early and late ones.

    Notes
    -----
    Spearman 1904 is Pearson's correlation of the ranks, whose error is about that of Fisher 1915.
    """

    scale = StrengthScale("spearman", "Spearman's correlation", by_chance=0.0)
    summed = ("rank_all", "rank_early", "rank_late")
    join = "left join label_ranks using (label)"

    def __init__(self, query: ExamplesQuery) -> None:
        parts = {"all": "true", "early": "is_early", "late": "is_late"}
        counts = ", ".join(f"count(*) filter (where {condition}) as count_{part}" for part, condition in parts.items())
        ranks = ", ".join(
            f"sum(count_{part}) over (order by label) - (count_{part} - 1) / 2 as rank_{part}" for part in parts
        )
        query.session.keep(
            "label_ranks",
            f"""select *, {ranks}
                from (select label, {counts} from {query.examples()} where label is not null group by label)""",
        )
        squares = query.row(
            f"select {', '.join(f'sum(count_{part} * power(rank_{part}, 2))' for part in parts)} from label_ranks"
        )
        self._label_squares = dict(zip(parts, (float(square or 0) for square in squares), strict=True))

    def strength(self, period: str, sums: Sums, independent: float) -> Strength | None:
        """Return Spearman's correlation, and its standard error."""
        if sums.count < MIN_CASES:
            return None
        middle = sums.count * ((sums.count + 1) / 2) ** 2
        spread = (sums.squares - middle) * (self._label_squares[period] - middle)
        signed = (sums.products - middle) / math.sqrt(spread) if spread > 0 else 0.0
        return Strength(signed, (1 - signed**2) / math.sqrt(max(sums.count * independent - 1, 1)))

    def errors_left(self, query: ExamplesQuery) -> float | None:
        """Return None: a number is not guessed."""
        return None


def area_of(sums: Sums) -> float | None:
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
