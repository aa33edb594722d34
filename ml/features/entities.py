"""How values and entities belong together: columns that are names, and entities that are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml.features.measures import Duplicates, Names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ml.features.query import ExamplesQuery


def names(query: ExamplesQuery, name: str, distinct: int) -> Names:
    """Return how the distinct values of a column and the entities belong together."""
    pairs, entities = query.row(
        f"""select count(*), count(distinct entity)
            from (select distinct entity, {query.alias(name)} as value from {query.examples(name)})
            where value is not null"""
    )
    return Names(pairs / distinct, pairs / entities)


def duplicate_entities(query: ExamplesQuery, features: Sequence[str], at_least: int) -> Duplicates:
    """Find pairs of entities that have equal features and labels wherever both have an example.

    Also those that share only a part of the time. What stands still is no evidence, so the equal examples must be
    different from each other as well.

    Parameters
    ----------
    features : sequence of str
        The columns that must be equal.
    at_least : int
        As-of dates at which they are equal, and different examples among them.
    """
    vector = query.session.expressions.fingerprint(*(query.alias(name) for name in features), "label")
    query.session.keep("vectors", f"select entity, as_of, {vector} as vector from {query.examples(*features)}")
    # The first and the last of several that are equal: duplicates or not, they come up again at the next as-of
    # date.
    query.session.keep(
        "equal_examples",
        """select as_of, vector, min(entity) as one, max(entity) as other, count(*) as examples
           from vectors group by as_of, vector having count(*) > 1""",
    )
    query.session.keep(
        "duplicate_entities",
        """with pairs as (
               select one, other, count(*) as as_of_dates from equal_examples
               group by one, other having count(*) >= ? and count(distinct vector) >= ?
           )
           select pairs.one, pairs.other, pairs.as_of_dates
           from pairs
           inner join vectors as here on pairs.one = here.entity
           inner join vectors as there on pairs.other = there.entity and here.as_of = there.as_of
           group by pairs.one, pairs.other, pairs.as_of_dates
           having count(*) = pairs.as_of_dates""",
        (at_least, at_least),
    )
    (by_chance,) = query.row(
        """select cast(coalesce(sum(examples), 0) as bigint)
           from equal_examples left join duplicate_entities on equal_examples.one = duplicate_entities.one and
           equal_examples.other = duplicate_entities.other where duplicate_entities.one is null"""
    )
    pairs = query.session.rows(
        "select one, other, as_of_dates from duplicate_entities order by as_of_dates desc, one, other"
    )
    return Duplicates(tuple(tuple(pair.values()) for pair in pairs), by_chance / query.counts["all"])
