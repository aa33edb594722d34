"""The labels of the examples: what of them is summed for each value of a column, and what follows from the sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml.tasks.strength import MIN_CASES, Strength, StrengthMeasure, Sums

if TYPE_CHECKING:
    from ml.features.query import ExamplesQuery


class Labels:
    """The labels, ranked where a measure of strength asks for ranks.

    Parameters
    ----------
    query : ExamplesQuery
        Of the examples; the ranks are kept in its session as `label_ranks`.
    measure : StrengthMeasure
        By what the strength of a column is measured.
    """

    def __init__(self, query: ExamplesQuery, measure: StrengthMeasure) -> None:
        self._query, self.measure = query, measure
        self._squares = _rank(query) if measure.ranks_labels else {}

    @property
    def summed(self) -> tuple[str, str, str]:
        """What is summed over all, early and late examples, in SQL."""
        return ("rank_all", "rank_early", "rank_late") if self.measure.ranks_labels else ("label", "label", "label")

    @property
    def join(self) -> str:
        """What the examples are joined with for that, in SQL."""
        return "left join label_ranks using (label)" if self.measure.ranks_labels else ""

    def strength(self, period: str, sums: Sums) -> Strength | None:
        """Return the strength of an order of the examples of a period; None if there are too few labels."""
        counts, entities = self._query.counts[period], self._query.entities[period]
        # Examples of one entity are alike: they count as one.
        independent = entities / counts if counts else 1.0
        return self.measure.strength(sums, independent, self._squares.get(period, 0.0))

    def errors_left(self) -> float | None:
        """Return the share of errors that are left if one guesses by value, as the early examples teach it.

        None where labels are no classes, or too few.

        Notes
        -----
        That is 1 - lambda of Goodman and Kruskal 1954, with guesses from one half and errors from the other.
        """
        if not self.measure.guesses_classes:
            return None
        errors, ones, zeros = self._query.row(
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


def _rank(query: ExamplesQuery) -> dict[str, float]:
    """Rank the labels among all, early and late ones, and return the sums of the squared ranks.

    Labels that are equal have the mean of their ranks.
    """
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
    return dict(zip(parts, (float(square or 0) for square in squares), strict=True))
