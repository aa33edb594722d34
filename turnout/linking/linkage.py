"""From the warehouse to the warehouse: which record of one table is which of another.

Both tables are streamed into a scratch database, so that the warehouse is open only to read them and to write what was
found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from turnout.clock import utc_now
from turnout.engines import QueryError, Session, Warehouse, identifier
from turnout.errors import LinkError
from turnout.linking.comparisons import cleaned
from turnout.linking.declaration import Kind, Link, column_error
from turnout.linking.matching import POOL, SOUGHT, Weight, count, match, pairs_of

SCHEMA = "links"
# What the scratch database may hold in memory.
MEMORY_LIMIT = "2GB"
# More pairs than these take hours, and say that a list of columns to block on is too wide.
MAX_PAIRS = 500_000_000
# Lower ends of the bands in which probabilities are counted.
BANDS = (0.0, 0.1, 0.5, 0.75, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Linkage:
    """What was found, without any value of any record.

    Parameters
    ----------
    records, pool : int
        How many records were sought, and among how many.
    pairs : int
        How many pairs were compared, at most: one that shares several lists of columns counts more than once.
    found : int
        How many records were found.
    undecided : int
        How many are there with the probability that is asked for, but several candidates are alike.
    bands : mapping of str to int
        How many records have a best candidate of such a probability, or none.
    weights : tuple of Weight
        What each level of likeness of each column says.
    share_there : float, optional
        The estimated share of records that have a counterpart at all; None if there is nothing to learn from.
    """

    records: int
    pool: int
    pairs: int
    found: int
    undecided: int
    bands: dict[str, int]
    weights: tuple[Weight, ...]
    share_there: float | None

    @property
    def share_found(self) -> float:
        """The share of records that were found; 0 if there are none."""
        return self.found / self.records if self.records else 0.0


def link(warehouse: Warehouse, declared: Link) -> Linkage:
    """Find the records of one model in another, and replace `links.<table>` in one transaction.

    The table has a row for each record that was found: the two keys, `match_probability`, `runner_up_probability` (0
    without a second candidate) and `linked_at` (UTC). The same tables give the same rows, but for the time.

    Raises
    ------
    DeclarationError
        If a column is missing in one of the tables, or of a type that its kind cannot compare.
    LinkError
        If a key is empty or repeated, the condition cannot be evaluated, or far too many pairs would be compared.
    WarehouseError
        If one of the tables is not there.
    """
    # Plain names: whatever a column is called, splink's SQL must be able to say it.
    plain = {name: f"column_{number}" for number, name in enumerate(declared.columns)}
    kinds = {plain[name]: kind for name, kind in declared.compare}
    block = [[plain[name] for name in names] for names in declared.block]
    with warehouse.scratch(f"{SCHEMA}_{declared.table}", memory=MEMORY_LIMIT) as scratch:
        with warehouse.session() as session:
            _check_columns(session, declared)
            _copy(session, declared, plain, scratch)
        linkage = _matched(scratch, declared, kinds, block)
        _write(warehouse, declared, scratch)
    named = {plain[name]: name for name in plain}
    return replace(linkage, weights=tuple(replace(one, column=named[one.column]) for one in linkage.weights))


def _check_columns(session: Session, declared: Link) -> None:
    import pyarrow as pa

    wanted = [("compare", name) for name, _ in declared.compare]
    wanted += [("block", name) for names in declared.block for name in names]
    for table, own in (
        (declared.relation, ("key", declared.key)),
        (declared.to_relation, ("to_key", declared.to_key)),
    ):
        schema = session.columns_of(*table)
        for role, name in (own, *wanted):
            if name not in schema.names:
                raise column_error(declared, table, name, role, schema.names)
        for name, kind in declared.compare:
            found = schema.field(name).type
            is_number = pa.types.is_integer(found) or pa.types.is_floating(found) or pa.types.is_decimal(found)
            if kind == "year" and not (is_number or pa.types.is_string(found) or pa.types.is_large_string(found)):
                raise LinkError(
                    f"'{name}' is compared as a year, but is of type {found}.",
                    where=f"{declared.place}, table {'.'.join(table)}",
                    rule="a year is a whole number, or text that holds one.",
                    remedy=f"make it one in the model, such as year({name}), or compare it in another way.",
                )


def _copy(session: Session, declared: Link, plain: dict[str, str], scratch: Session) -> None:
    """Copy both tables: the key with the number of its record, and the cleaned columns under plain names."""
    columns = [
        f"{cleaned(name, kind, session.expressions)} as {plain[name]}" for name, kind in declared.columns.items()
    ]
    sides = (
        (SOUGHT, declared.relation, declared.key, "true"),
        (POOL, declared.to_relation, declared.to_key, _condition(session, declared)),
    )
    for name, table, key, condition in sides:
        _check_key(session, declared, table, key)
        # Numbered by key, so that nothing depends on the order in which rows happen to stand.
        with session.batches(
            f"""select row_number() over (order by key) as record, key, {", ".join(plain.values())}
                from (
                    select {identifier(key)} as key, {", ".join(columns)}
                    from {identifier(*table)} where ({condition})
                ) as cleaned"""
        ) as rows:
            scratch.keep(f"{name}_with_key", rows)
        scratch.keep(name, f"select record, {', '.join(plain.values())} from {name}_with_key")


def _condition(session: Session, declared: Link) -> str:
    """Return the condition for records of the other model, after a try."""
    if declared.where is None:
        return "true"
    try:
        session.require_expression(declared.where)
        session.rows(f"select count(*) as n from {identifier(*declared.to_relation)} where ({declared.where})")
    except QueryError as error:
        # What fails on a row may quote its value, which may be personal.
        why = str(error) if error.is_about_sql else f"it fails on some row, {type(error.__cause__).__name__}."
        raise LinkError(
            f"The condition cannot be evaluated: {why}",
            where=f"{declared.place}, key 'config.meta.link.where': {declared.where}",
            rule=f"'where' is a condition in SQL on the columns of {'.'.join(declared.to_relation)}.",
            remedy="correct it; it can be tried in a query, after WHERE.",
        ) from None
    return declared.where


def _check_key(session: Session, declared: Link, table: tuple[str, str], key: str) -> None:
    name = identifier(key)
    (counted,) = session.rows(
        f"""select count(*) as records, count({name}) as filled, count(distinct {name}) as different
            from {identifier(*table)}"""
    )
    records, filled, different = counted["records"], counted["filled"], counted["different"]
    if not records == filled == different:
        raise LinkError(
            f"{records - filled} rows of {'.'.join(table)} have no '{key}', and {filled - different} repeat one.",
            where=f"{declared.place}, table {'.'.join(table)}",
            rule="a link is written by key, so each record needs one of its own.",
            remedy=f"test '{key}' in the model as unique and not_null, and mend it.",
        )


def _matched(scratch: Session, declared: Link, kinds: dict[str, Kind], block: Sequence[Sequence[str]]) -> Linkage:
    """Match, keep the table `found` with the two numbers, and count."""
    records, pool = count(scratch, SOUGHT), count(scratch, POOL)
    counts = [pairs_of(scratch, columns) for columns in block]
    if sum(counts) > MAX_PAIRS:
        widest = declared.block[counts.index(max(counts))]
        raise LinkError(
            f"{sum(counts):,} pairs would be compared, {max(counts):,} of them because they share {', '.join(widest)}.",
            where=f"{declared.place}, key 'config.meta.link.block'",
            rule=f"at most {MAX_PAIRS:,} pairs are compared, so that a run ends in time.",
            remedy=f"add a column to the list [{', '.join(widest)}].",
        )
    weights: tuple[Weight, ...] = ()
    share_there = None
    if sum(counts):
        matching = match(scratch, kinds, block)
        weights, share_there = matching.weights, matching.share_there
    else:
        probabilities = ("match_probability", "runner_up_probability", "any_probability")
        unknown = ", ".join(f"cast(null as double) as {name}" for name in probabilities)
        scratch.keep("best", f"select record, record as other, {unknown} from {SOUGHT} where false")
    scratch.keep("found", "select * from best where match_probability >= ?", [declared.accept_above])
    alike = "any_probability >= ? and match_probability < ?"
    undecided = count(scratch, "best", alike, [declared.accept_above, declared.accept_above])
    bands = {"no candidate": records - count(scratch, "best")}
    for low, high in zip(BANDS, (*BANDS[1:], 2), strict=True):
        banded = "match_probability >= ? and match_probability < ?"
        bands[f"{low:g} to {min(high, 1):g}"] = count(scratch, "best", banded, [low, high])
    found = count(scratch, "found")
    return Linkage(records, pool, sum(counts), found, undecided, bands, weights, share_there)


def _write(warehouse: Warehouse, declared: Link, scratch: Session) -> None:
    """Replace the table, whole."""
    with (
        scratch.batches(
            f"""select
                    sought.key as {identifier(declared.key)},
                    pool.key as {identifier(declared.to_key)},
                    found.match_probability,
                    found.runner_up_probability,
                    ? as linked_at
                from found
                inner join {SOUGHT}_with_key as sought on found.record = sought.record
                inner join {POOL}_with_key as pool on found.other = pool.record
                order by sought.record""",
            [utc_now()],
        ) as rows,
        warehouse.session() as session,
    ):
        session.replace(SCHEMA, declared.table, rows)
