"""How much of what is wrong does the loader refuse, and how much of what is right?

Real tables are cut into weekly deliveries and landed one by one. Two things are counted:

- false alarms: honest deliveries that were quarantined. They are released, and the next one is landed;
- planted mutations: after some honest weeks the next one is changed in one way, and the loader's verdict compared with
  the verdict that a careful person would give. Each mutation is judged alone, on a copy of the same state.

Run it with `.venv/bin/python -m benchmarks.loads [weeks]`; so many honest weeks come before each mutation.
"""

from __future__ import annotations

import gzip
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import duckdb
from filelock import FileLock
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from orchestration.project import this_project
from samples import complete_journey
from turnout.engines import identifier
from turnout.loading import landing
from turnout.loading.contract import Column, ColumnKeys, FileFormat, SourceTable, source_tables
from turnout.loading.identity import Check
from turnout.loading.loader import load_landed
from turnout.loading.quarantine import release
from turnout.loading.reading import string
from turnout.loading.register import Register
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project
from turnout.records.loads import Load, QuarantinedFile

# Honest weeks before a mutation, if no other number is asked for.
WEEKS = 12

ACCEPTED = "accepted"
SET_ASIDE = "accepted, rows set aside"
ALTERED = "accepted, but altered"  # what is in the load is not what was sent
KNOWN = "known already"
REFUSED = "quarantined"  # as an expectation: by either check
CONTRACT = "quarantined: contract"
IDENTITY = "quarantined: identity"
LEFT_ALONE = "left alone"
CRASHED = "crashed"  # what nothing may lead to


@dataclass(frozen=True)
class Series:
    """Weekly deliveries of a real table.

    Parameters
    ----------
    name : str
        What is delivered.
    table : str
        The source table.
    mode : {"append", "snapshot"}
        Whether a delivery adds to those before it or replaces them.
    sql : str
        The rows of a delivery; `{week}` is its number, `{until}` the moment when it ends.
    weeks : int
        How many deliveries there are.
    first : int
        The week of the first one.
    added : tuple of Column
        Columns that the contract has beyond those of the source.
    """

    name: str
    table: str
    mode: Literal["append", "snapshot"]
    sql: str
    weeks: int = 53
    first: int = 1
    added: tuple[Column, ...] = ()

    def rows(self, number: int) -> str:
        """Return SQL for the rows of a delivery, the first being number 1."""
        week = self.first + number - 1
        return self.sql.format(week=week, until=f"(date '2017-01-02' + {7 * (week - 1)})")

    def contract(self) -> SourceTable:
        """Return the contract in the project's YAML, with the mode of the series."""
        tables = {table.name: table for table in source_tables(manifest_of(this_project()))}
        table = tables[self.table]
        return replace(
            table,
            columns=(*table.columns, *self.added),
            keys=replace(table.keys, mode=self.mode),
        )


SOLD = "(select product_id from transactions where week <= {week})"
SHOPPED = "(select household_id from transactions where week <= {week})"
STARTED = "(select campaign_id from campaign_descriptions where start_date < {until})"

# The shop's weeks begin on Monday; the first of 2017 had one day.
REDEEMED = "datediff('day', date '2016-12-26', redemption_date) // 7 + 1 = {week}"

_HONEST = (
    Series("transactions", "transactions", "append", "from transactions where week = {week}"),
    Series(
        "transactions, 20 weeks at first",
        "transactions",
        "append",
        "from transactions where week = {week} or {week} = 20 and week < 20",
        weeks=34,
        first=20,
    ),
    Series("redemptions", "coupon_redemptions", "append", f"from coupon_redemptions where {REDEEMED}"),
    Series("promotions", "promotions", "append", "from promotions where week = {week}", weeks=20),
    Series("transactions so far", "transactions", "snapshot", "from transactions where week <= {week}", weeks=10),
    Series("products", "products", "snapshot", f"from products where product_id in {SOLD} order by product_id"),
    Series(
        "demographics", "demographics", "snapshot", f"from demographics where household_id in {SHOPPED} order by all"
    ),
    Series("campaigns", "campaigns", "snapshot", f"from campaigns where campaign_id in {STARTED} order by all"),
    Series("coupons", "coupons", "snapshot", f"from coupons where campaign_id in {STARTED} order by all"),
    Series(
        "campaign descriptions",
        "campaign_descriptions",
        "snapshot",
        f"from campaign_descriptions where campaign_id in {STARTED} order by all",
    ),
)

HONEST = {series.name: series for series in _HONEST}

STATE = Column("state", "varchar", is_required=False, keys=ColumnKeys(always="IA"))

HALF = "from transactions where week = {week} and household_id % 2 = 0"

# What mutations are planted in: some of the above, and some that only half of the households or stores deliver.
MUTATED = {
    series.name: series
    for series in (
        replace(HONEST["transactions"], first=2),
        replace(HONEST["products"], first=2),
        Series("transactions of half", "transactions", "append", HALF, first=2),
        Series("transactions of half, from a first day on", "transactions", "append", HALF),
        Series(
            "promotions of a tenth",
            "promotions",
            "append",
            "from promotions where week = {week} and store_id % 10 = 1",
        ),
        replace(HONEST["redemptions"], first=8),
        Series(
            "demographics of half",
            "demographics",
            "snapshot",
            f"""select *, 'IA' as state from demographics
                where household_id in {SHOPPED} and household_id % 2 = 0 order by all""",
            first=2,
            added=(STATE,),
        ),
        replace(HONEST["campaign descriptions"], first=30),
    )
}


@dataclass(frozen=True)
class Form:
    """A way to write a file: how the contract declares it, and how DuckDB writes it."""

    suffix: str
    declared: FileFormat
    options: str


FORMS: Mapping[str, Form] = {
    "Parquet": Form(".parquet", FileFormat(), "format parquet"),
    "CSV": Form(".csv", FileFormat(format="csv"), "format csv, header"),
    "CSV, no header": Form(".csv", FileFormat(format="csv", header=False), "format csv, header false"),
    "CSV, Latin-1": Form(".csv", FileFormat(format="csv", encoding="latin-1"), "format csv, header"),
    "CSV, gzip": Form(".csv.gz", FileFormat(format="csv"), "format csv, header, compression gzip"),
    "CSV, d.m.y": Form(
        ".csv",
        FileFormat(format="csv", timestamp_format="%d.%m.%Y %H:%M:%S"),
        "format csv, header, timestampformat '%d.%m.%Y %H:%M:%S'",
    ),
    "JSON lines": Form(".jsonl", FileFormat(format="json_lines"), "format json"),
    "JSON lines, gzip": Form(".jsonl.gz", FileFormat(format="json_lines"), "format json, compression gzip"),
}


@dataclass(frozen=True)
class Mutation:
    """A delivery with one thing changed.

    Parameters
    ----------
    name : str
        What was changed.
    expected : str
        The verdict that a careful person would give.
    sql : str
        The rows. There are the real tables, `due`, the delivery of the week, `previous`, the one before, and
        `following`, the one that is not due yet.
    words : tuple of str
        What the message must contain.
    series : str
        What is delivered.
    form : str
        How the file is declared, and written but for what follows.
    options : str
        How DuckDB writes it, if not as declared.
    change : callable, optional
        What is done to the written bytes.
    contract : callable, optional
        What is different in the contract.
    suffix : str
        Added to the file's name.
    is_growing : bool
        Whether somebody is still writing when the loader looks.
    missed_because : str
        Why it does not get the verdict that it should get; empty if it does.
    """

    name: str
    expected: str
    sql: str = "from due"
    words: tuple[str, ...] = ()
    series: str = "transactions"
    form: str = "Parquet"
    options: str = ""
    change: Callable[[bytes], bytes] | None = None
    contract: Callable[[SourceTable], SourceTable] | None = None
    suffix: str = ""
    is_growing: bool = False
    missed_because: str = ""


def _replaced(*columns: str, where: str = "due") -> str:
    """Return the week's rows with other values in some columns, each as `value as column`."""
    return f"select * replace ({', '.join(columns)}) from {where}"


def _swapped(one: str, other: str) -> str:
    return _replaced(f"{other} as {one}", f"{one} as {other}")


def _where(condition: str, value: str, column: str) -> str:
    return _replaced(f"case when {condition} then {value} else {column} end as {column}")


def _one_in(rows: int) -> str:
    """Return a condition that holds for one row in so many, in no order."""
    return f"hash(basket_id, product_id) % {rows} = 0"


def _cut(share: float) -> Callable[[bytes], bytes]:
    """Cut a file so that its last line is broken in its second field."""

    def cut(content: bytes) -> bytes:
        start = content.index(b"\n", int(len(content) * share)) + 1
        return content[: start + 8]

    return cut


def _cut_anywhere(content: bytes) -> bytes:
    return content[: int(len(content) * 0.6)]


def _recoded(encoding: str, found: str = "utf-8") -> Callable[[bytes], bytes]:
    return lambda content: content.decode(found).encode(encoding)


def _with_repeated_name(content: bytes) -> bytes:
    header, *lines = content.splitlines()
    return b"\n".join([header + b",quantity", *(line + b",1" for line in lines)]) + b"\n"


def _every(lines: int, broken: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Break one line in so many, beginning with line 8."""

    def change(content: bytes) -> bytes:
        return b"".join(
            broken(line) if number % lines == 8 % lines and number > 1 else line
            for number, line in enumerate(content.splitlines(keepends=True), 1)
        )

    return change


def _optional(name: str) -> Callable[[SourceTable], SourceTable]:
    def declare(table: SourceTable) -> SourceTable:
        columns = (
            replace(column, keys=replace(column.keys, optional=True)) if column.name == name else column
            for column in table.columns
        )
        return replace(table, columns=tuple(columns))

    return declare


# Accents in one product in a hundred, as the real ones have none.
ACCENTS = "select * replace (case when product_id % 100 = 0 then replace(product_type, 'E', 'É') else product_type end "
ACCENTS += "as product_type) from due"

_COLUMNS = (
    Mutation(
        "sales_value renamed to sales_val",
        CONTRACT,
        "select * rename (sales_value as sales_val) from due",
        ("'sales_value' is missing", "Did you mean 'sales_val'?"),
    ),
    Mutation(
        "household_id renamed to customer",
        CONTRACT,
        "select * rename (household_id as customer) from due",
        ("'household_id' is missing", "Was it renamed to 'customer'?"),
        form="CSV",
    ),
    Mutation(
        "store_id and quantity renamed to shop and pieces",
        CONTRACT,
        "select * rename (store_id as shop, quantity as pieces) from due",
        ("'store_id' is missing", "'quantity' is missing", "shop", "pieces"),
        form="JSON lines",
    ),
    Mutation(
        "names in capitals",
        ACCEPTED,
        form="CSV",
        change=lambda content: (
            content[: content.index(b"\n")].upper() + content[content.index(b"\n") :]  # the header alone
        ),
    ),
    Mutation("coupon_disc dropped", CONTRACT, "select * exclude (coupon_disc) from due", ("'coupon_disc' is missing",)),
    Mutation(
        "coupon_disc dropped, CSV",
        CONTRACT,
        "select * exclude (coupon_disc) from due",
        ("'coupon_disc' is missing",),
        form="CSV",
    ),
    Mutation(
        "coupon_disc dropped, no header",
        CONTRACT,
        "select * exclude (coupon_disc) from due",
        ("10 columns where 11 are declared",),
        form="CSV, no header",
    ),
    Mutation(
        "coupon_match_disc dropped, declared optional",
        ACCEPTED,
        "select * exclude (coupon_match_disc) from due",
        contract=_optional("coupon_match_disc"),
    ),
    Mutation("till added", ACCEPTED, "select *, 1 as till from due"),
    Mutation("till added, CSV", ACCEPTED, "select 1 as till, * from due", form="CSV"),
    Mutation(
        "till added, no header",
        CONTRACT,
        "select *, 1 as till from due",
        ("12 columns where 11 are declared",),
        form="CSV, no header",
    ),
    Mutation(
        "quantity in the header twice",
        CONTRACT,
        words=("'quantity' is there twice",),
        form="CSV",
        change=_with_repeated_name,
    ),
    Mutation(
        "reordered",
        ACCEPTED,
        "select transaction_timestamp, sales_value, * exclude (transaction_timestamp, sales_value) from due",
    ),
    Mutation(
        "reordered, CSV",
        ACCEPTED,
        "select transaction_timestamp, store_id, * exclude (transaction_timestamp, store_id) from due",
        form="CSV",
    ),
    Mutation(
        "timestamp first, no header",
        CONTRACT,
        "select transaction_timestamp, * exclude (transaction_timestamp) from due",
        ("household_id is not bigint (line 1: 2017-",),
        form="CSV, no header",
    ),
    Mutation(
        "store_id and product_id change places, no header",
        REFUSED,
        _swapped("store_id", "product_id"),
        form="CSV, no header",
    ),
    Mutation(
        "household_id and store_id change places, no header",
        IDENTITY,
        _swapped("household_id", "store_id"),
        ("of store_id",),
        form="CSV, no header",
    ),
    Mutation(
        "sales_value and retail_disc change places, no header",
        IDENTITY,
        _swapped("sales_value", "retail_disc"),
        ("of sales_value", "of retail_disc"),
        form="CSV, no header",
    ),
    Mutation("store_id and product_id swapped", REFUSED, _swapped("store_id", "product_id")),
    Mutation(
        "store_id and product_id swapped, no key",
        IDENTITY,
        _swapped("store_id", "product_id"),
        ("of store_id", "of product_id"),
        series="promotions of a tenth",
        missed_because="does not name product_id: the halves of the first file, sorted by product, share none",
    ),
    Mutation(
        "retail_disc and coupon_disc swapped",
        IDENTITY,
        _swapped("retail_disc", "coupon_disc"),
        ("of retail_disc", "of coupon_disc"),
    ),
    Mutation(
        "coupon_disc and coupon_match_disc swapped",
        IDENTITY,
        _swapped("coupon_disc", "coupon_match_disc"),
        ("of coupon_disc",),
    ),
    Mutation(
        "household_id and campaign_id swapped, in a small file",
        IDENTITY,
        _swapped("household_id", "campaign_id"),
        ("of campaign_id",),
        series="redemptions",
        missed_because="new campaigns are usual, and in so small a file many; a key's distribution is not compared",
    ),
    Mutation("store_id the same in all rows", IDENTITY, _replaced("367 as store_id"), ("of store_id",)),
    Mutation(
        "coupon_disc nought in all rows",
        IDENTITY,
        _replaced("0.0 as coupon_disc"),
        ("of coupon_disc",),
    ),
)

_TYPES = (
    Mutation("sales_value as text", ACCEPTED, _replaced("cast(sales_value as varchar) as sales_value")),
    Mutation(
        "sales_value as text, with its currency",
        CONTRACT,
        _replaced("'EUR ' || sales_value as sales_value"),
        ("sales_value is not double", "EUR "),
    ),
    Mutation(
        "sales_value with a decimal comma",
        CONTRACT,
        _replaced("replace(cast(sales_value as varchar), '.', ',') as sales_value"),
        ("sales_value is not double",),
        form="CSV",
    ),
    Mutation("sales_value as decimal", ACCEPTED, _replaced("cast(sales_value as decimal(10, 2)) as sales_value")),
    Mutation(
        "quantity written as 1.0",
        ACCEPTED,
        _replaced("cast(cast(quantity as double) as varchar) as quantity"),
        form="CSV",
    ),
    Mutation("quantity as double", ACCEPTED, _replaced("cast(quantity as double) as quantity")),
    Mutation(
        "quantity with halves",
        CONTRACT,
        _replaced("quantity + 0.5::double as quantity"),
        ("quantity is not bigint", ": 1.5)"),
    ),
    Mutation(
        "quantity with halves, CSV",
        CONTRACT,
        _replaced("quantity + 0.5 as quantity"),
        ("quantity is not bigint", ": 1.5)"),
        form="CSV",
    ),
    Mutation(
        "household_id as text with leading noughts",
        ACCEPTED,
        _replaced("lpad(cast(household_id as varchar), 8, '0') as household_id"),
    ),
    Mutation(
        "basket_id in single precision: baskets fall together",
        REFUSED,
        _replaced("cast(basket_id as float) as basket_id"),
        ("basket_id",),
        missed_because="few enough rows repeat a key to be set aside; that all numbers were rounded is not seen",
    ),
    Mutation(
        "product_id as a list",
        CONTRACT,
        _replaced("[product_id] as product_id"),
        ("product_id is not bigint",),
    ),
    Mutation(
        "timestamp as seconds since 1970",
        CONTRACT,
        _replaced("cast(epoch(transaction_timestamp) as bigint) as transaction_timestamp"),
        ("transaction_timestamp is not timestamp",),
    ),
    Mutation("timestamp as day.month.year, declared", ACCEPTED, form="CSV, d.m.y"),
    Mutation(
        "timestamp as day.month.year, not declared",
        CONTRACT,
        words=("transaction_timestamp is not timestamp",),
        form="CSV",
        options=FORMS["CSV, d.m.y"].options,
    ),
    Mutation(
        "timestamp cut to its date",
        IDENTITY,
        _replaced("cast(transaction_timestamp as date) as transaction_timestamp"),
        ("transaction_timestamp",),
        missed_because="of event times only the first and the last are looked at",
    ),
)

_UNITS = (
    Mutation(
        "sales_value in cents", IDENTITY, _replaced("sales_value * 100 as sales_value"), ("drift of sales_value",)
    ),
    Mutation(
        "sales_value in whole cents, CSV",
        IDENTITY,
        _replaced("cast(round(sales_value * 100) as bigint) as sales_value"),
        ("drift of sales_value",),
        form="CSV",
    ),
    Mutation(
        "sales_value in cents for half of the stores",
        IDENTITY,
        _where("store_id % 2 = 0", "sales_value * 100", "sales_value"),
        ("of sales_value",),
    ),
    Mutation(
        "sales_value in cents for a tenth of the rows",
        IDENTITY,
        _where(_one_in(10), "sales_value * 100", "sales_value"),
        ("of sales_value",),
    ),
    Mutation(
        "sales_value in cents for a hundredth of the rows",
        IDENTITY,
        _where(_one_in(100), "sales_value * 100", "sales_value"),
        ("of sales_value",),
        missed_because="a distance of 0.06: they share a bin with the largest amounts before",
    ),
    Mutation(
        "sales_value in another currency, at 0.9",
        IDENTITY,
        _replaced("round(sales_value * 0.9, 2) as sales_value"),
        ("of sales_value",),
    ),
    Mutation(
        "sales_value in whole dollars", IDENTITY, _replaced("round(sales_value) as sales_value"), ("of sales_value",)
    ),
    Mutation(
        "retail_disc with its sign turned", IDENTITY, _replaced("-retail_disc as retail_disc"), ("of retail_disc",)
    ),
    Mutation("coupon_disc in cents", IDENTITY, _replaced("coupon_disc * 100 as coupon_disc"), ("of coupon_disc",)),
    Mutation(
        "coupon_disc with its sign turned", IDENTITY, _replaced("-coupon_disc as coupon_disc"), ("of coupon_disc",)
    ),
)

_POPULATION = (
    Mutation(
        "the other half of the households",
        IDENTITY,
        "from transactions where week = (select any_value(week) from due) and household_id % 2 = 1",
        ("new_values of household_id",),
        series="transactions of half",
    ),
    Mutation(
        "the other half of the households, where the first week had one day",
        IDENTITY,
        "from transactions where week = (select any_value(week) from due) and household_id % 2 = 1",
        ("new_values of household_id",),
        series="transactions of half, from a first day on",
        missed_because="the halves of that day share no household, which is learned from for 26 loads",
    ),
    Mutation(
        "a tenth of the other half of the households as well",
        IDENTITY,
        """from due union all
           from transactions where week = (select any_value(week) from due) and household_id % 20 = 1""",
        ("new_values of household_id",),
        series="transactions of half",
        missed_because="the first loads had many new households; 26 loads are learned from",
    ),
    Mutation(
        "stores numbered otherwise", IDENTITY, _replaced("store_id + 10000 as store_id"), ("new_values of store_id",)
    ),
    Mutation(
        "products numbered otherwise",
        IDENTITY,
        _replaced("product_id + 20000000 as product_id"),
        ("new_values of product_id",),
    ),
    Mutation(
        "the same households, but only meat and produce",
        IDENTITY,
        "from due where product_id in (from products select product_id where department in ('MEAT', 'PRODUCE'))",
        ("row_count",),
    ),
    Mutation(
        "the same households, all but groceries",
        IDENTITY,
        "from due where product_id not in (from products select product_id where department = 'GROCERY')",
        (),
    ),
    Mutation(
        "households shuffled among the rows",
        IDENTITY,
        """select shuffled.household_id, due.* exclude (household_id, place)
           from (select *, row_number() over () as place from due) as due
           inner join (
               select household_id, row_number() over (order by hash(basket_id, product_id)) as place from due
           ) as shuffled using (place)""",
        ("household_id",),
        missed_because="each column by itself is as before, and no check looks at two",
    ),
    Mutation(
        "demographics of the other half",
        IDENTITY,
        "select *, 'IA' as state from demographics where household_id % 2 = 1",
        ("new_values of household_id",),
        series="demographics of half",
    ),
    Mutation(
        "state OH where IA is declared",
        IDENTITY,
        _replaced("'OH' as state"),
        ("always of state", "OH"),
        series="demographics of half",
    ),
    Mutation(
        "state OH in a few rows",
        IDENTITY,
        _where("household_id % 100 = 0", "'OH'", "state"),
        ("always of state", "OH"),
        series="demographics of half",
    ),
    Mutation(
        "products that nobody bought",
        IDENTITY,
        """from products where product_id not in (select product_id from due) order by product_id
           limit (select count(*) from due)""",
        ("new_values of product_id",),
        series="products",
    ),
)

_AMOUNT = (
    Mutation("the first half of the rows", IDENTITY, "from due limit (select count(*) // 2 from due)", ("row_count",)),
    Mutation("every second row", IDENTITY, f"from due where {_one_in(2)}", ("row_count",)),
    Mutation("half of the stores", IDENTITY, "from due where store_id % 2 = 0", ("store_id",)),
    Mutation(
        "all but the largest store",
        IDENTITY,
        "from due where store_id <> (select mode(store_id) from due)",
        ("gone_values of store_id",),
    ),
    Mutation(
        "the last day is missing",
        IDENTITY,
        "from due where transaction_timestamp < (select max(transaction_timestamp) - interval 1 day from due)",
        ("last_event",),
    ),
    Mutation(
        "half of the products",
        IDENTITY,
        "from due limit (select count(*) // 2 from due)",
        ("gone_values of product_id",),
        series="products",
    ),
    Mutation("CSV cut in a line at half", REFUSED, form="CSV", change=_cut(0.5)),
    Mutation(
        "CSV cut in a line near its end",
        CONTRACT,
        words=("line",),
        form="CSV",
        change=_cut(0.95),
    ),
    Mutation(
        "JSON lines cut in a line near their end",
        CONTRACT,
        words=("line",),
        form="JSON lines",
        change=_cut(0.95),
    ),
    Mutation("Parquet cut", CONTRACT, words=("cannot be read as Parquet",), change=_cut_anywhere),
    Mutation("CSV in gzip cut", CONTRACT, words=("cannot be read as CSV",), form="CSV, gzip", change=_cut_anywhere),
    Mutation(
        "JSON lines in gzip cut",
        CONTRACT,
        words=("cannot be read as JSON lines",),
        form="JSON lines, gzip",
        change=_cut_anywhere,
    ),
    Mutation("the last week's file under another name", KNOWN, "from previous"),
    Mutation(
        "every row twice",
        CONTRACT,
        "from due union all from due",
        ("repeats the key of an earlier row",),
        form="CSV",
    ),
    Mutation(
        "every row twice, no key",
        IDENTITY,
        "from due union all from due",
        ("row_count",),
        series="promotions of a tenth",
    ),
    Mutation(
        "every tenth row twice, no key",
        IDENTITY,
        "from due union all from due where hash(product_id, store_id) % 10 = 0",
        series="promotions of a tenth",
    ),
    Mutation(
        "the last week again, as CSV",
        CONTRACT,
        "from previous",
        ("repeats the key of an earlier load",),
        form="CSV",
    ),
    Mutation(
        "the last week again, in another order, no key",
        REFUSED,
        "from previous order by all desc",
        series="promotions of a tenth",
        missed_because="no key, and other bytes; whether the rows were there before is not looked at",
    ),
    Mutation(
        "a tenth of the last week as well",
        CONTRACT,
        f"from due union all from previous where {_one_in(10)}",
        ("repeats the key of an earlier load",),
    ),
    Mutation(
        "a few rows of the last week as well",
        SET_ASIDE,
        f"from due union all from previous where {_one_in(200)}",
        ("repeats the key of an earlier load",),
    ),
    Mutation("the week after: one is missing between", IDENTITY, "from following", ("first_event",)),
)

_FILES = (
    Mutation("no byte", CONTRACT, words=("the file is empty",), form="CSV", change=lambda _: b""),
    Mutation("no byte, Parquet", CONTRACT, words=("the file is empty",), change=lambda _: b""),
    Mutation(
        "nothing, in gzip",
        CONTRACT,
        words=("the file is empty",),
        form="CSV, gzip",
        change=lambda _: gzip.compress(b""),
    ),
    Mutation("one empty line", CONTRACT, form="CSV, no header", change=lambda _: b"\n"),
    Mutation("a header and no row", CONTRACT, "from due limit 0", ("it has no rows",), form="CSV"),
    Mutation("Parquet without a row", CONTRACT, "from due limit 0", ("it has no rows",)),
    Mutation("somebody is still writing", LEFT_ALONE, form="CSV", is_growing=True),
    Mutation("named .part, as it is not yet whole", LEFT_ALONE, form="CSV", change=_cut(0.5), suffix=".part"),
    Mutation("accents", ACCEPTED, ACCENTS, series="products", form="CSV"),
    Mutation("accents, Latin-1", ACCEPTED, ACCENTS, series="products", form="CSV, Latin-1", change=_recoded("latin-1")),
    Mutation(
        "accents, with a byte order mark",
        ACCEPTED,
        ACCENTS,
        series="products",
        form="CSV",
        change=_recoded("utf-8-sig"),
    ),
    Mutation(
        "Latin-1 where UTF-8 is declared",
        CONTRACT,
        ACCENTS,
        ("not encoded in utf-8", "line"),
        series="products",
        form="CSV",
        change=_recoded("latin-1"),
    ),
    Mutation(
        "Latin-1 where UTF-8 is declared, in one row",
        CONTRACT,
        _where("product_id = (select max(product_id) from due)", "'CAFÉ'", "product_type"),
        ("not encoded in utf-8", "line"),
        series="products",
        form="CSV",
        change=_recoded("latin-1"),
    ),
    Mutation(
        "Latin-1 where UTF-8 is declared, JSON lines",
        CONTRACT,
        ACCENTS,
        ("not encoded in utf-8", "line"),
        series="products",
        form="JSON lines",
        change=_recoded("latin-1"),
    ),
    Mutation(
        "UTF-8 where Latin-1 is declared",
        CONTRACT,
        ACCENTS,
        ("UTF-8 throughout",),
        series="products",
        form="CSV, Latin-1",
    ),
    Mutation(
        "Windows-1252 where Latin-1 is declared",
        CONTRACT,
        ACCENTS.replace("'É'", "'€'"),
        ("encoding",),
        series="products",
        form="CSV, Latin-1",
        change=_recoded("cp1252"),
    ),
    Mutation("UTF-16 where UTF-8 is declared", CONTRACT, series="products", form="CSV", change=_recoded("utf-16")),
    Mutation(
        "semicolons for commas",
        CONTRACT,
        words=("delimiter were ';'",),
        form="CSV",
        options="format csv, header, delimiter ';'",
    ),
    Mutation(
        "semicolons for commas, no header",
        CONTRACT,
        words=("1 columns where 11 are declared", "delimiter were ';'"),
        form="CSV, no header",
        options="format csv, header false, delimiter ';'",
    ),
    Mutation(
        "tabs for commas",
        CONTRACT,
        words=("delimiter were '\\t'",),
        form="CSV",
        options="format csv, header, delimiter '\t'",
    ),
    Mutation(
        "lines that end as on Windows", ACCEPTED, form="CSV", change=lambda content: content.replace(b"\n", b"\r\n")
    ),
    Mutation(
        "a quote that is not closed",
        REFUSED,
        series="products",
        form="CSV",
        change=lambda content: content.replace(b"\n", b'\n"', 500).replace(b'\n"', b"\n", 499),
    ),
    Mutation(
        "CSV where Parquet is declared", CONTRACT, words=("cannot be read as Parquet",), options=FORMS["CSV"].options
    ),
    Mutation("Parquet where CSV is declared", CONTRACT, form="CSV", options=FORMS["Parquet"].options),
    Mutation("gzip that does not say so", CONTRACT, form="CSV", change=gzip.compress),
    Mutation("text that says it is gzip", CONTRACT, form="CSV, gzip", change=gzip.decompress),
    Mutation("one JSON array for JSON lines", CONTRACT, form="JSON lines", options="format json, array true"),
    Mutation(
        "a page that says the service is down",
        CONTRACT,
        form="CSV",
        change=lambda _: b"<html>\n<body>503 Service unavailable, come back later</body>\n</html>\n",
    ),
    Mutation("another table's file", CONTRACT, "from products", ("'household_id' is missing",)),
    *(
        Mutation(f"nothing, as {form}", ACCEPTED, form=form)
        for form in FORMS
        if form not in {"CSV, Latin-1", "CSV, d.m.y"}
    ),
)

_EVENTS = (
    Mutation(
        "National renamed to Natl, its department null",
        IDENTITY,
        _replaced(
            "case when brand = 'National' then 'Natl' else brand end as brand",
            "case when brand <> 'National' then department end as department",
        ),
        ("new_values of brand", "null_share of department"),
        series="products",
    ),
    Mutation(
        "National renamed to null",
        CONTRACT,
        _replaced("nullif(brand, 'National') as brand"),
        ("brand is missing",),
        series="products",
    ),
    Mutation(
        "GROCERY renamed to null",
        IDENTITY,
        _replaced("nullif(department, 'GROCERY') as department"),
        ("null_share of department",),
        series="products",
    ),
    Mutation(
        "DELI renamed to DELICATESSEN",
        IDENTITY,
        _where("department = 'DELI'", "'DELICATESSEN'", "department"),
        ("of department",),
        series="products",
    ),
    Mutation(
        "a missing size written as NULL",
        IDENTITY,
        _replaced("coalesce(package_size, 'NULL') as package_size"),
        ("of package_size",),
        series="products",
        form="CSV",
    ),
    Mutation(
        "Married renamed to M",
        IDENTITY,
        _where("marital_status = 'Married'", "'M'", "marital_status"),
        ("new_values of marital_status",),
        series="demographics of half",
    ),
    Mutation(
        "Type A renamed to TypeA, in a small file",
        IDENTITY,
        _where("campaign_type = 'Type A'", "'TypeA'", "campaign_type"),
        ("new_values of campaign_type",),
        series="campaign descriptions",
        missed_because="three of 20 rows: so many may have a new value by chance",
    ),
    Mutation(
        "retail_disc null where there was one",
        IDENTITY,
        _where("retail_disc > 0", "null", "retail_disc"),
        ("null_share of retail_disc",),
    ),
    Mutation(
        "coupon_disc null where there was one",
        IDENTITY,
        _where("coupon_disc > 0", "null", "coupon_disc"),
        ("null_share of coupon_disc",),
    ),
)

_TIMES = (
    Mutation(
        "the year 2117 in a few rows",
        IDENTITY,
        _where(_one_in(1000), "transaction_timestamp + interval 100 year", "transaction_timestamp"),
        ("future_events", "2117-"),
    ),
    Mutation(
        "the year 1970 in a few rows",
        IDENTITY,
        _where(_one_in(1000), "timestamp '1970-01-01'", "transaction_timestamp"),
        ("first_event", "1970-01-01"),
    ),
    Mutation(
        "a year later",
        IDENTITY,
        _replaced("transaction_timestamp + interval 1 year as transaction_timestamp"),
        ("first_event", "last_event"),
    ),
    Mutation(
        "a tenth of the rows 60 days later",
        IDENTITY,
        _where(_one_in(10), "transaction_timestamp + interval 60 day", "transaction_timestamp"),
        ("last_event",),
    ),
    Mutation(
        "a tenth of the rows 60 days earlier",
        IDENTITY,
        _where(_one_in(10), "transaction_timestamp - interval 60 day", "transaction_timestamp"),
        ("first_event",),
    ),
    Mutation(
        "five hours later: another time zone",
        IDENTITY,
        _replaced("transaction_timestamp + interval 5 hour as transaction_timestamp"),
        ("transaction_timestamp",),
        missed_because="of event times only the first and the last are looked at",
    ),
    Mutation(
        "redemptions a year later",
        IDENTITY,
        _replaced("redemption_date + interval 1 year as redemption_date"),
        ("first_event", "last_event"),
        series="redemptions",
    ),
)

_ROWS = (
    Mutation(
        "one amount in 200 with its currency",
        SET_ASIDE,
        """select * exclude (place) replace (
               case when place % 200 = 7 then 'EUR ' || sales_value else sales_value::varchar end as sales_value
           ) from (select *, row_number() over () as place from due) order by place""",
        ("line 8: sales_value is not double: EUR ", "line 208: sales_value is not double: EUR "),
        form="CSV",
    ),
    Mutation(
        "one amount in 20 with its currency",
        CONTRACT,
        _replaced(f"case when {_one_in(20)} then 'EUR ' else '' end || sales_value as sales_value"),
        ("sales_value is not double", "EUR "),
        form="CSV",
    ),
    Mutation(
        "one line in 200 without its last columns",
        SET_ASIDE,
        words=("line 8: cannot be split into columns", "line 208: cannot be split into columns"),
        form="CSV",
        change=_every(200, lambda line: b",".join(line.split(b",")[:5]) + b"\n"),
    ),
    Mutation(
        "one line in 200 with a column too many",
        SET_ASIDE,
        words=("line 8: cannot be split into columns", "line 208: cannot be split into columns"),
        form="CSV",
        change=_every(200, lambda line: b"7," + line),
    ),
    Mutation(
        "one line in 20 with a column too many",
        CONTRACT,
        words=("cannot be split into columns",),
        form="CSV",
        change=_every(20, lambda line: b"7," + line),
    ),
    Mutation(
        "one line in 200 that is not JSON",
        SET_ASIDE,
        words=("line 8: is not JSON", "line 208: is not JSON"),
        form="JSON lines",
        change=_every(200, lambda line: line[:30] + b"\n"),
    ),
    Mutation(
        "one amount in 200 is not a number, CSV",
        SET_ASIDE,
        _where(_one_in(200), "'nan'", "sales_value"),
        ("sales_value is not double: nan",),
        form="CSV",
    ),
    Mutation(
        "one amount in 200 is not a number, Parquet",
        SET_ASIDE,
        _where(_one_in(200), "'nan'::double", "sales_value"),
        ("sales_value is not a number",),
    ),
    Mutation(
        "one amount in 20 is not a number, Parquet",
        CONTRACT,
        _where(_one_in(20), "'nan'::double", "sales_value"),
        ("sales_value is not a number",),
    ),
    Mutation(
        "household_id null in a few rows",
        SET_ASIDE,
        _where(_one_in(1000), "null", "household_id"),
        ("household_id is missing",),
    ),
    Mutation(
        "household_id null in a tenth of the rows",
        CONTRACT,
        _where(_one_in(10), "null", "household_id"),
        ("household_id is missing",),
        form="JSON lines",
    ),
)

_ALL = (*_COLUMNS, *_TYPES, *_UNITS, *_POPULATION, *_AMOUNT, *_FILES, *_EVENTS, *_TIMES, *_ROWS)
MUTATIONS: Mapping[str, Mutation] = {mutation.name: mutation for mutation in _ALL}
assert len(MUTATIONS) == len(_ALL), "two mutations have one name"


@dataclass(frozen=True)
class Judgement:
    """What came of a mutation: the loader's verdict, its first reason, and all it said."""

    mutation: Mutation
    verdict: str
    reason: str
    message: str

    @property
    def is_expected(self) -> bool:
        """Whether the verdict is the expected one."""
        return self.verdict == self.mutation.expected or self.verdict.startswith(f"{self.mutation.expected}:")

    @property
    def unsaid(self) -> tuple[str, ...]:
        """The words that should have been in the message and were not."""
        return tuple(word for word in self.mutation.words if word not in self.message)


@dataclass(frozen=True)
class Honesty:
    """What came of the honest deliveries of a series; `alarms` are the checks that failed, by week."""

    series: Series
    load_count: int
    row_count: int
    set_aside_count: int
    check_count: int
    alarms: Mapping[int, tuple[str, ...]]
    seconds: float


class World:
    """The real tables, and for each series the state after some honest weeks.

    Parameters
    ----------
    folder : Path
        Where all of it is kept; several processes may use it.
    weeks : int
        How many weeks come before a mutation.
    """

    def __init__(self, folder: Path, weeks: int) -> None:
        self._folder, self._weeks = folder, weeks
        self._connection = duckdb.connect()
        self._connection.execute("set enable_progress_bar = false")  # it would be drawn over our own
        complete_journey.land(folder / "real")
        for path in (folder / "real" / complete_journey.SOURCES[0]).glob("*/*.parquet"):
            self._connection.execute(
                f"create view {identifier(path.parent.name)} as from read_parquet({string(str(path))})"
            )

    def honesty(self, series: Series) -> Honesty:
        """Land all deliveries of a series, release what is quarantined, and count."""
        with tempfile.TemporaryDirectory(dir=self._folder) as root:
            return self._deliver(Project(Path(root)), series, series.weeks)

    def history(self, series: Series) -> Path:
        """Return the folder `warehouse` after the honest weeks of a series; the first call makes it."""
        made = self._folder / "histories" / series.name
        made.parent.mkdir(exist_ok=True)
        with FileLock(made.with_suffix(".lock")):
            if not made.exists():
                with tempfile.TemporaryDirectory(dir=self._folder) as root:
                    self._deliver(Project(Path(root)), series, self._weeks)
                    (Path(root) / "warehouse").rename(made)
        return made

    def judge(self, mutation: Mutation) -> Judgement:
        """Land a mutation after the honest weeks, alone, and return what the loader says."""
        series, form = MUTATED[mutation.series], FORMS[mutation.form]
        table = series.contract()
        table = replace(table, keys=replace(table.keys, file=form.declared))
        table = mutation.contract(table) if mutation.contract else table
        history = self.history(series)
        with tempfile.TemporaryDirectory(dir=self._folder) as root:
            project = Project(Path(root))
            shutil.copytree(history, project.root / "warehouse")
            path = project.landing / table.folder / f"delivery{form.suffix}{mutation.suffix}"
            for view, number in (("previous", 0), ("due", 1), ("following", 2)):
                rows = series.rows(self._weeks + number)
                self._connection.execute(f"create or replace temp view {view} as {rows}")
            self._write(mutation.sql, path, mutation.options or form.options)
            if mutation.change:
                path.write_bytes(mutation.change(path.read_bytes()))
            try:
                with _growing(path) if mutation.is_growing else _settled():
                    loaded = load_landed(project, table)
            except Exception as error:  # noqa: BLE001 - that the loader breaks is a verdict
                return Judgement(mutation, CRASHED, f"{type(error).__name__}: {error}".splitlines()[0], str(error))
            if not loaded.outcomes:
                return Judgement(mutation, LEFT_ALONE, "", "")
            outcome, register = loaded.outcomes[-1], Register(project.warehouse, project.root, table)
            if isinstance(outcome.entered, QuarantinedFile):
                return _quarantined(mutation, outcome.entered, register.checks(outcome.entered.load_id))
            if not outcome.is_new:
                return Judgement(mutation, KNOWN, "", "")
            return _accepted(
                mutation, project, outcome.entered, self._is_altered(mutation.sql, project, outcome.entered, table)
            )

    def _is_altered(self, sql: str, project: Project, load: Load, table: SourceTable) -> bool:
        """Return whether a load has rows that were not sent, or lacks some that were not set aside."""
        loaded = {row[0] for row in self._connection.execute(f"describe {sql}").fetchall()}
        columns = ", ".join(
            f"try_cast({identifier(column.name) if column.name in loaded else 'null'} as {column.data_type})"
            for column in table.columns
        )
        kept = Register(project.warehouse, project.root, table).relation([load])
        invented = f"(select * exclude (_load_id, _loaded_at) from ({kept}) except all select {columns} from ({sql}))"
        counts = f"select (select count(*) from {invented}), (select count(*) from ({sql}))"
        invented_count, sent_count = self._connection.execute(counts).fetchall()[0]
        return bool(invented_count) or sent_count != load.row_count + load.refused_row_count

    def _write(self, sql: str, path: Path, options: str) -> int:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = self._connection.execute(f"copy ({sql}) to {string(str(path))} ({options})").fetchall()
        return int(written[0][0])

    def _deliver(self, project: Project, series: Series, weeks: int) -> Honesty:
        table, alarms = series.contract(), dict[int, tuple[str, ...]]()
        load_count = row_count = set_aside_count = check_count = 0
        started = time.perf_counter()
        for number in range(1, weeks + 1):
            path = project.landing / table.folder / f"week_{number:02}.parquet"
            if not self._write(series.rows(number), path, "format parquet"):
                path.unlink()  # nothing happened in this week
                continue
            with _settled():
                outcome = load_landed(project, table).outcomes[-1]
            if not outcome.is_new:
                continue  # nothing changed in this week
            entered = outcome.entered
            register = Register(project.warehouse, project.root, table)
            checks = [check for check in register.checks(entered.load_id) if not check.is_learning_only]
            if isinstance(entered, QuarantinedFile):
                failed = tuple(_name(check) for check in checks if not check.passed)
                alarms[series.first + number - 1] = failed or (entered.failed_check,)
                entered = release(project, [table], entered.load_id, "an honest delivery")
            load_count, check_count = load_count + 1, check_count + len(checks)
            row_count, set_aside_count = row_count + entered.row_count, set_aside_count + entered.refused_row_count
        seconds = time.perf_counter() - started
        return Honesty(series, load_count, row_count, set_aside_count, check_count, alarms, seconds)


def _quarantined(mutation: Mutation, file: QuarantinedFile, checks: list[Check]) -> Judgement:
    failed = [_name(check) for check in checks if not check.passed]
    reason = ", ".join(failed) or file.problem.split("cannot be loaded: ", 1)[-1]
    return Judgement(mutation, f"quarantined: {file.failed_check}", reason, f"{file.problem} {file.remedy}")


def _accepted(mutation: Mutation, project: Project, load: Load, is_altered: bool) -> Judgement:
    sql = "select line_number, reason from records.refused_rows where load_id = ? order by line_number"
    rows = project.warehouse.query(sql, (load.load_id,)).to_pylist()
    said = "\n".join(f"line {row['line_number']}: {row['reason']}" for row in rows)
    verdict = ALTERED if is_altered else SET_ASIDE if rows else ACCEPTED
    return Judgement(mutation, verdict, said.split("\n", 1)[0], said)


def _name(check: Check) -> str:
    return f"{check.name} of {check.column_name}" if check.column_name else check.name


@contextmanager
def _settled() -> Iterator[None]:
    """Let the loader believe that files in landing are whole, so that it does not wait."""
    seconds, landing.SETTLE_SECONDS = landing.SETTLE_SECONDS, 0.0
    try:
        yield
    finally:
        landing.SETTLE_SECONDS = seconds


@contextmanager
def _growing(path: Path) -> Iterator[None]:
    """Append to a file, again and again, from a process of its own."""
    write = "import sys, time\nwhile True:\n    open(sys.argv[1], 'ab').write(b'1,2,3'); time.sleep(0.05)"
    writer = subprocess.Popen([sys.executable, "-c", write, str(path)])
    try:
        yield
    finally:
        writer.kill()
        writer.wait()


_world: World


def _enter_world(folder: Path, weeks: int) -> None:
    """Make the world of a process of the pool."""
    global _world
    _world = World(folder, weeks)


def _honesty(name: str) -> Honesty:
    return _world.honesty(HONEST[name])


def _history(name: str) -> Path:
    return _world.history(MUTATED[name])


def _judge(name: str) -> tuple[str, str, str]:
    judgement = _world.judge(MUTATIONS[name])
    return judgement.verdict, judgement.reason, judgement.message


def main() -> None:
    """Measure both rates and print the tables."""
    weeks = int(sys.argv[1]) if sys.argv[1:] else WEEKS
    console = Console() if sys.stdout.isatty() else Console(width=240)
    tracked = partial(track, console=console, transient=True, disable=not sys.stdout.isatty())
    assert manifest_of(this_project())  # read before several processes do
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(
            os.cpu_count(), multiprocessing.get_context("spawn"), _enter_world, (Path(folder), weeks)
        ) as pool,
    ):
        complete_journey.land(Path(folder) / "real")
        honest = list(tracked(pool.map(_honesty, HONEST), "honest deliveries", len(HONEST)))
        list(tracked(pool.map(_history, MUTATED), "histories", len(MUTATED)))
        found = tracked(pool.map(_judge, MUTATIONS), "mutations", len(MUTATIONS))
        judged = [Judgement(MUTATIONS[name], *said) for name, said in zip(MUTATIONS, found, strict=True)]
    console.print(_honest_table(honest))
    console.print(_mutation_table(judged, weeks))
    loads, alarms = sum(found.load_count for found in honest), sum(len(found.alarms) for found in honest)
    expected = sum(judgement.is_expected for judgement in judged)
    console.print(
        f"planted mutations with the expected verdict: {expected} of {len(judged)}, {expected / len(judged):.1%}"
    )
    console.print(f"honest deliveries that raised an alarm:      {alarms} of {loads}, {alarms / loads:.1%}")


def _honest_table(honest: list[Honesty]) -> Table:
    table = Table(title="honest weekly deliveries of real tables", box=SIMPLE_HEAD)
    for heading in ("delivered", "mode"):
        table.add_column(heading)
    for heading in ("loads", "rows", "set aside", "s per load", "false alarms", "per load", "checks", "per check"):
        table.add_column(heading, justify="right")
    table.add_column("the checks that failed, by week")
    for found in honest:
        failed = sum(len(names) for names in found.alarms.values())
        table.add_row(
            found.series.name,
            found.series.mode,
            str(found.load_count),
            f"{found.row_count:,}",
            str(found.set_aside_count),
            f"{found.seconds / found.load_count:.2f}",
            str(len(found.alarms)),
            f"{len(found.alarms) / found.load_count:.1%}",
            f"{found.check_count:,}",
            f"{failed / found.check_count:.2%}",
            "\n".join(f"{number}: {', '.join(names)}" for number, names in found.alarms.items()),
        )
    return table


def _mutation_table(judged: list[Judgement], weeks: int) -> Table:
    table = Table(title=f"planted mutations after {weeks} honest weeks", box=SIMPLE_HEAD)
    for heading in ("mutation", "delivered", "expected", "verdict", "as expected", "first reason"):
        table.add_column(heading)
    for judgement in judged:
        mutation, unsaid = judgement.mutation, judgement.unsaid
        as_expected = "yes" if judgement.is_expected and not unsaid else "yes, but" if judgement.is_expected else "NO"
        reason = judgement.reason if as_expected == "yes" else mutation.missed_because or judgement.reason
        table.add_row(
            mutation.name,
            f"{mutation.series}, {mutation.form}",
            mutation.expected,
            judgement.verdict,
            as_expected,
            reason if len(reason) <= 90 else f"{reason[:87]}...",
            style="" if as_expected == "yes" else "bold",
        )
    return table


if __name__ == "__main__":
    main()
