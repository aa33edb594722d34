"""One column grouped by its values: how many examples have each, in each period, and the sum of their labels.

Nearly everything else about the column follows from that table, which is kept in the session as `counted` until the
next column is grouped. So the examples are read once for each column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml.features.query import PERIODS

if TYPE_CHECKING:
    from ml.features.labels import Labels
    from ml.features.measures import Kind
    from ml.features.query import ExamplesQuery


def group(query: ExamplesQuery, name: str, labels: Labels) -> None:
    """Count the examples of each value, by period, and sum their labels, or the ranks of these."""
    alias, (of_all, of_early, of_late) = query.alias(name), labels.summed
    query.session.keep(
        "counted",
        f"""select
                {alias} as value,
                count(*) as examples,
                {", ".join(f"count(*) filter (where is_{period}) as {period}" for period in PERIODS)},
                count(label) as labels_all,
                coalesce(sum({of_all}), 0) as sum_all,
                count(label) filter (where is_early) as labels_early,
                coalesce(sum({of_early}) filter (where is_early), 0) as sum_early,
                count(label) filter (where is_late) as labels_late,
                coalesce(sum({of_late}) filter (where is_late), 0) as sum_late,
                count({alias}) filter (where is_early or is_late) as labels_calendar,
                count({alias}) filter (where is_late) as sum_calendar
            from {query.examples(name)} {labels.join}
            group by {alias}""",
    )


def describe(query: ExamplesQuery, kind: Kind) -> tuple[dict[str, float], int, bool]:
    """Return the shares of missing values, how many values there are, and whether they can be names."""
    counts = ", ".join(f"coalesce(sum({name}) filter (where value is null), 0)" for name in ("examples", *PERIODS))
    whole = "coalesce(bool_and(value = floor(value)), false)" if kind == "numeric" else "true"
    distinct, is_whole, *missing = query.row(f"select count(value), {whole}, {counts} from counted")
    shares = {
        period: float(count) / query.counts[period]
        for period, count in zip(("all", *PERIODS), missing, strict=True)
        if query.counts[period]
    }
    return shares, distinct, is_whole
