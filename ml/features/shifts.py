"""How a column changes over time: its distribution, its missing values, and from one as-of date to the next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ml.features.measures import Increments, Shift
from ml.features.query import PERIODS
from turnout.distance import drift_between

if TYPE_CHECKING:
    from ml.features.measures import Kind
    from ml.features.query import ExamplesQuery

# Bins of a number's distribution (quantiles of the early examples), and categories that are told apart; as for loads.
BINS = 20
CATEGORIES = 30
# What chance alone does to one column of a thousand is allowed for.
CONFIDENCE = 0.999


def bins(query: ExamplesQuery, kind: Kind) -> list[dict[str, int]]:
    """Count the examples of each period in bins: between early quantiles, or of the commonest early categories."""
    place = (
        f"""least({BINS - 1}, floor({BINS} * (sum(early) over (order by value rows unbounded preceding) - early / 2)
            / nullif(sum(early) over (), 0)))"""
        if kind == "numeric"
        else f"least({CATEGORIES}, row_number() over (order by early desc, value) - 1)"
    )
    sums = ", ".join(f"cast(sum({period}) as bigint) as {period}" for period in PERIODS)
    return query.session.rows(
        f"""select {sums} from (select *, {place} as place from counted where value is not null)
            group by place order by place"""
    )


def drift(query: ExamplesQuery, binned: Sequence[Mapping[str, int]], one: str, other: str) -> Shift | None:
    """Return the distance of two periods' distributions, measured as between loads.

    Examples of one entity are alike, so entities are what counts for chance.
    """
    here, there = [found[one] for found in binned], [found[other] for found in binned]
    if not (sum(here) and sum(there)):
        return None
    found = drift_between(here, there, (query.entities[one], query.entities[other]), CONFIDENCE)
    return Shift(found.distance, math.sqrt(found.by_chance_squared))


def missing_change(query: ExamplesQuery, missing: Mapping[str, float], one: str, other: str) -> Shift | None:
    """Return by how much the share of missing values differs between two periods."""
    from scipy.stats import norm

    if one not in missing or other not in missing:
        return None
    share = min(max(missing[one], missing[other]), 0.5)
    together = 1 / query.entities[one] + 1 / query.entities[other]
    by_chance = float(norm.ppf(CONFIDENCE)) * math.sqrt(share * (1 - share) * together)
    return Shift(abs(missing[other] - missing[one]), by_chance)


def steps(query: ExamplesQuery, name: str) -> Increments:
    """Return how a number moves from an as-of date of an entity to its next."""
    up, down = query.row(
        f"""select
                coalesce(avg(case when value > before then 1 else 0 end), 0),
                coalesce(avg(case when value < before then 1 else 0 end), 0)
            from (
                select
                    {query.alias(name)} as value,
                    lag({query.alias(name)}) over (partition by entity order by as_of) as before
                from {query.examples(name)}
            )
            where value is not null and before is not null"""
    )
    return Increments(up, down)
