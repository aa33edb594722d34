"""How values and entities belong together: columns that are names, and entities that are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml.features.measures import Duplicates, Names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ml.features.query import ExamplesQuery

# One equal purchase makes a column turn twice, as days since the last one rise, fall and rise again.
MIN_TURNS = 3
# So many pairs are looked at, and as many that differ somewhere; more would not change what is said.
MOST_PAIRS = 1000


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
    different from each other as well. Nor is what moves with the calendar alone: after one equal purchase days since
    then rise, and counts in a window fall, in the same way for all. So some column must turn, up after down or down
    after up, `MIN_TURNS` times while both are equal. Pairs that do all this and differ elsewhere say how often chance
    makes two entities equal for so long.

    Parameters
    ----------
    features : sequence of str
        The columns that must be equal.
    at_least : int
        As-of dates at which they are equal, and different examples among them.
    """
    keep = query.session.keep
    vector = query.session.expressions.fingerprint(*(query.alias(name) for name in features), "label")
    keep("vectors", f"select entity, as_of, {vector} as vector from {query.examples(*features)}")
    # The first and the last of several that are equal: duplicates or not, they come up again at the next as-of
    # date.
    keep(
        "equal_examples",
        """select as_of, vector, min(entity) as one, max(entity) as other, count(*) as examples
           from vectors group by as_of, vector having count(*) > 1""",
    )
    keep(
        "similar_entities",
        """with pairs as (
               select one, other, count(*) as as_of_dates from equal_examples
               group by one, other having count(*) >= ? and count(distinct vector) >= ?
           ),
           compared as (
               select pairs.one, pairs.other, pairs.as_of_dates, count(*) = pairs.as_of_dates as is_whole
               from pairs
               inner join vectors as here on pairs.one = here.entity
               inner join vectors as there on pairs.other = there.entity and here.as_of = there.as_of
               group by pairs.one, pairs.other, pairs.as_of_dates
           ),
           numbered as (
               select *, row_number() over (partition by is_whole order by as_of_dates desc, one, other) as place
               from compared
           )
           select one, other, as_of_dates, is_whole from numbered where place <= ?""",
        (at_least, at_least, MOST_PAIRS),
    )
    keep(
        "equal_histories",
        f"""select similar_entities.one, similar_entities.other, examples.*
            from similar_entities
            inner join equal_examples
                on similar_entities.one = equal_examples.one and similar_entities.other = equal_examples.other
            inner join {query.examples(*features)}
                on similar_entities.one = examples.entity and equal_examples.as_of = examples.as_of""",
    )
    turns = " union all ".join(_turns(column) for column in (*map(query.alias, features), "label"))
    keep(
        "duplicate_entities",
        f"""select one, other, as_of_dates, is_whole from similar_entities
            where exists (
                select 1 from ({turns}) as turned
                where turned.one = similar_entities.one and turned.other = similar_entities.other
            )""",
    )
    by_chance, differing = query.row(
        """select
               (select cast(coalesce(sum(examples), 0) as bigint)
                from equal_examples left join similar_entities on equal_examples.one = similar_entities.one and
                equal_examples.other = similar_entities.other and similar_entities.is_whole
                where similar_entities.one is null),
               (select count(*) from duplicate_entities where not is_whole)"""
    )
    pairs = query.session.rows(
        """select one, other, as_of_dates from duplicate_entities where is_whole
           order by as_of_dates desc, one, other"""
    )
    return Duplicates(tuple(tuple(pair.values()) for pair in pairs), by_chance / query.counts["all"], differing)


def _turns(column: str) -> str:
    """Return the query of the pairs in whose equal examples a column turns often enough."""
    over = "over (partition by one, other order by as_of)"
    return f"""(
        with moves as (
            select one, other, as_of, {column} > lag({column}) {over} as is_up, {column} = lag({column}) {over} as rests
            from equal_histories where {column} is not null
        ),
        turns as (select one, other, is_up <> lag(is_up) {over} as is_turn from moves where not rests)
        select one, other from turns where is_turn group by one, other having count(*) >= {MIN_TURNS}
    )"""
