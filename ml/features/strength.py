"""How well a column by itself puts the examples in the order of their labels; from the table of its values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ml.tasks.strength import Strength, Sums, area_under_roc

if TYPE_CHECKING:
    from ml.features.labels import Labels
    from ml.features.query import ExamplesQuery


def by_rank(query: ExamplesQuery, labels: Labels) -> tuple[dict[str, Strength], float | None]:
    """Return the strength of a number's order, and the ROC AUC of telling late examples from early ones.

    A missing value stands for something that we do not know, so it may come before all others or after them; what
    is stronger over all examples counts.
    """
    parts = ("all", "early", "late", "calendar")
    ranks = ", ".join(
        f"""sum(labels_{part}) over ordered - (labels_{part} - 1) / 2 as first_{part},
            case
                when value is null then sum(case when value is not null then labels_{part} else 0 end) over ()
                else -sum(case when value is null then labels_{part} else 0 end) over ()
            end as moved_{part}"""
        for part in parts
    )
    places = [(f"first_{part}", part) for part in parts]
    places += [(f"(first_{part} + moved_{part})", part) for part in parts]
    sums = ", ".join(
        f"sum(labels_{part}), sum(sum_{part}), sum({place} * sum_{part}), sum(labels_{part} * power({place}, 2))"
        for place, part in places
    )
    row = query.row(
        f"""select {sums} from (
                select *, {ranks} from counted
                window ordered as (order by value nulls first rows unbounded preceding)
            )"""
    )
    found = [Sums(*(float(value or 0) for value in row[start : start + 4])) for start in range(0, len(row), 4)]
    first, last = dict(zip(parts, found[:4], strict=True)), dict(zip(parts, found[4:], strict=True))
    orders = (_strengths(labels, first), _strengths(labels, last))
    strongest = max(orders, key=lambda strengths: _size(strengths.get("all")))
    calendar = [area_under_roc(sums["calendar"]) for sums in (first, last)]
    separation = [max(area, 1 - area) for area in calendar if area is not None]
    return strongest, max(separation, default=None)


def by_category(query: ExamplesQuery, labels: Labels) -> dict[str, Strength]:
    """Return the strength of categories in the order of their mean label.

    The means are those of the other period, so that no label has a part in the order it is judged by. Over all
    examples it is the mean of the two. A category that the other period does not know has the mean of all.
    """
    strengths: dict[str, Strength] = {}
    for period, other in (("early", "late"), ("late", "early")):
        row = query.row(
            f"""with means as (
                    select
                        labels_{period},
                        sum_{period},
                        coalesce(
                            sum_{other} / nullif(labels_{other}, 0),
                            (select sum(sum_{other}) / nullif(sum(labels_{other}), 0) from counted),
                            0
                        ) as score
                    from counted
                ),
                scored as (
                    select score, sum(labels_{period}) as labels, sum(sum_{period}) as total
                    from means group by score
                ),
                placed as (
                    select *, sum(labels) over (order by score rows unbounded preceding) - (labels - 1) / 2 as place
                    from scored
                )
                select sum(labels), sum(total), sum(place * total), sum(labels * power(place, 2)) from placed"""
        )
        strengths |= _strengths(labels, {period: Sums(*(float(value or 0) for value in row))})
    if strengths:
        signed = sum(strength.signed for strength in strengths.values()) / len(strengths)
        error = math.hypot(*(strength.error for strength in strengths.values())) / len(strengths)
        strengths["all"] = Strength(signed, error)
    return strengths


def _strengths(labels: Labels, sums: Mapping[str, Sums]) -> dict[str, Strength]:
    """Return the strength in each period that has enough labels."""
    found = {period: labels.strength(period, sums[period]) for period in sums.keys() & {"all", "early", "late"}}
    return {period: strength for period, strength in found.items() if strength is not None}


def _size(strength: Strength | None) -> float:
    return 0.0 if strength is None else abs(strength.signed)
