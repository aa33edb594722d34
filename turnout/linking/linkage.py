"""From the warehouse to the warehouse: which record of one table is which of another.

Both tables are copied into a database file of their own, so that the warehouse is open only to read them and to write
what was found. That file is removed afterwards, also after an error; what a killed process left is removed by the next.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.clock import utc_now
from turnout.engines import Warehouse, identifier
from turnout.errors import LinkError
from turnout.linking.comparisons import cleaned
from turnout.linking.declaration import Kind, Link, column_error
from turnout.linking.matching import POOL, SOUGHT, Weight, match, pairs_of, row

if TYPE_CHECKING:
    import duckdb

SCHEMA = "links"
# What the database of its own may hold in memory; the rest goes to disk, beside it.
MEMORY_LIMIT = "2GB"
# More pairs than these take hours, and say that a list of columns to block on is too wide.
MOST_PAIRS = 500_000_000
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
    import duckdb

    _check_columns(warehouse, declared)
    # Plain names: whatever a column is called, splink's SQL must be able to say it.
    plain = {name: f"column_{number}" for number, name in enumerate(declared.columns)}
    kinds = {plain[name]: kind for name, kind in declared.compare}
    block = [[plain[name] for name in names] for names in declared.block]
    with _scratch(warehouse, declared) as scratch:
        _copy(warehouse, declared, plain, scratch)
        with duckdb.connect(scratch) as connection:
            connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
            connection.execute("set preserve_insertion_order = false")
            connection.execute("set autoinstall_known_extensions = false")  # nothing is downloaded at run time
            connection.execute("set enable_progress_bar = false")
            linkage = _matched(connection, declared, kinds, block)
        _write(warehouse, declared, scratch)
    named = {plain[name]: name for name in plain}
    return replace(linkage, weights=tuple(replace(one, column=named[one.column]) for one in linkage.weights))


def _check_columns(warehouse: Warehouse, declared: Link) -> None:
    import pyarrow as pa

    wanted = [("compare", name) for name, _ in declared.compare]
    wanted += [("block", name) for names in declared.block for name in names]
    for table, own in (
        (declared.relation, ("key", declared.key)),
        (declared.to_relation, ("to_key", declared.to_key)),
    ):
        schema = warehouse.schema_of(*table)
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


@contextmanager
def _scratch(warehouse: Warehouse, declared: Link) -> Iterator[Path]:
    """Make a folder beside the warehouse, with the same access, in which a database may grow."""
    folder = warehouse.path.parent / "linking" / declared.table
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder / "linking.duckdb"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, scratch: Path) -> Iterator[None]:
    path = str(scratch).replace("'", "''")
    connection.execute(f"attach '{path}' as scratch")
    try:
        yield
    finally:
        connection.execute("detach scratch")


def _copy(warehouse: Warehouse, declared: Link, plain: dict[str, str], scratch: Path) -> None:
    """Copy both tables: the key with the number of its record, and the cleaned columns under plain names."""
    import duckdb

    columns = [f"{cleaned(name, kind)} as {plain[name]}" for name, kind in declared.columns.items()]
    sides = (
        (SOUGHT, declared.relation, declared.key, None),
        (POOL, declared.to_relation, declared.to_key, declared.where),
    )
    with warehouse.connect() as connection, _attached(connection, scratch):
        for name, table, key, where in sides:
            _check_key(connection, declared, table, key)
            kept = f"where ({where})" if where else ""
            try:
                # Numbered by key, so that nothing depends on the order in which rows happen to stand.
                connection.execute(
                    f"""create table scratch.{name}_with_key as
                        select row_number() over (order by key) as record, key, {", ".join(plain.values())}
                        from (select {identifier(key)} as key, {", ".join(columns)} from {identifier(*table)} {kept})"""
                )
            except duckdb.Error as error:
                if where is None:
                    raise
                # What fails on a row may quote its value, which may be personal.
                is_of_sql = isinstance(error, (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException))
                why = str(error).splitlines()[0] if is_of_sql else f"it fails on some row, {type(error).__name__}."
                raise LinkError(
                    f"The condition cannot be evaluated: {why}",
                    where=f"{declared.place}, key 'config.meta.link.where': {where}",
                    rule=f"'where' is a condition in SQL on the columns of {'.'.join(table)}.",
                    remedy="correct it; in a duckdb shell it can be tried after WHERE.",
                ) from None


def _check_key(connection: duckdb.DuckDBPyConnection, declared: Link, table: tuple[str, str], key: str) -> None:
    counted = f"select count(*), count({identifier(key)}), count(distinct {identifier(key)}) from {identifier(*table)}"
    rows, filled, distinct = row(connection, counted)
    if not rows == filled == distinct:
        raise LinkError(
            f"{rows - filled} rows of {'.'.join(table)} have no '{key}', and {filled - distinct} repeat one.",
            where=f"{declared.place}, table {'.'.join(table)}",
            rule="a link is written by key, so each record needs one of its own.",
            remedy=f"test '{key}' in the model as unique and not_null, and mend it.",
        )


def _matched(
    connection: duckdb.DuckDBPyConnection, declared: Link, kinds: dict[str, Kind], block: Sequence[Sequence[str]]
) -> Linkage:
    """Match, write the table `found` with the two numbers, and count."""
    for name in (SOUGHT, POOL):
        connection.execute(f"create view {name} as select * exclude (key) from {name}_with_key")
    (records,), (pool,) = (row(connection, f"select count(*) from {name}") for name in (SOUGHT, POOL))
    counts = [pairs_of(connection, columns) for columns in block]
    if sum(counts) > MOST_PAIRS:
        widest = declared.block[counts.index(max(counts))]
        raise LinkError(
            f"{sum(counts):,} pairs would be compared, {max(counts):,} of them because they share {', '.join(widest)}.",
            where=f"{declared.place}, key 'config.meta.link.block'",
            rule=f"at most {MOST_PAIRS:,} pairs are compared, so that a run ends in time.",
            remedy=f"add a column to the list [{', '.join(widest)}].",
        )
    weights: tuple[Weight, ...] = ()
    share_there = None
    if sum(counts):
        matching = match(connection, kinds, block)
        weights, share_there = matching.weights, matching.share_there
    else:
        connection.execute(
            """create table best (
                record bigint, other bigint, match_probability double, runner_up_probability double,
                any_probability double
            )"""
        )
    connection.execute("create table found as from best where match_probability >= ?", [declared.accept_above])
    (found,) = row(connection, "select count(*) from found")
    alike = "select count(*) from best where any_probability >= $1 and match_probability < $1"
    (undecided,) = row(connection, alike, [declared.accept_above])
    (without,) = row(connection, f"select count(*) from {SOUGHT} anti join best using (record)")
    bands = {"no candidate": int(without)}
    for low, high in zip(BANDS, (*BANDS[1:], 2), strict=True):
        banded = "select count(*) from best where match_probability >= ? and match_probability < ?"
        (bands[f"{low:g} to {min(high, 1):g}"],) = row(connection, banded, [low, high])
    return Linkage(records, pool, sum(counts), found, undecided, bands, weights, share_there)


def _write(warehouse: Warehouse, declared: Link, scratch: Path) -> None:
    """Replace the table, whole; readers and a process killed at any moment see the one before or the one after."""
    target = identifier(SCHEMA, declared.table)
    with warehouse.connect() as connection, _attached(connection, scratch):
        connection.execute("begin")
        try:
            connection.execute(f"create schema if not exists {SCHEMA}")
            connection.execute(
                f"""create or replace table {target} as
                    select
                        sought.key as {identifier(declared.key)},
                        pool.key as {identifier(declared.to_key)},
                        found.match_probability,
                        found.runner_up_probability,
                        cast(? as timestamp) as linked_at
                    from scratch.found
                    inner join scratch.{SOUGHT}_with_key as sought on found.record = sought.record
                    inner join scratch.{POOL}_with_key as pool on found.other = pool.record
                    order by sought.record""",
                [utc_now()],
            )
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")
