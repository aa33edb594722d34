"""How much of what is wrong does the loader refuse, and how much of what is right?

Real tables are cut into weekly deliveries and landed one by one. Two things are counted:

- false alarms: honest deliveries that were quarantined. They are accepted, and the next one is landed;
- planted mutations: after some honest weeks the next one is changed in one way, and the loader's verdict compared with
  the verdict that a careful person would give. Each mutation is judged alone, on a copy of the same state.

Run it with `.venv/bin/python -m benchmarks.loads [weeks]`; so many honest weeks come before each mutation.
"""

from __future__ import annotations

import gzip
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from orchestration.project import this_project
from samples import complete_journey
from trials.deliveries import HONEST, MUTATED, Honesty, Judgement, World
from trials.mutations import (
    ACCENTS,
    ACCEPTED,
    CONTRACT,
    FORMS,
    KINDS,
    LEFT_ALONE,
    POPULATION,
    REFUSED,
    SET_ASIDE,
    Mutation,
    cut_anywhere,
    cut_in_a_line,
    encoded,
    every,
    flipped,
    in_turn,
    one_in,
    optional,
    quoted,
    recoded,
    replaced,
    swapped,
    where,
)
from turnout.loading.contract import SourceTable
from turnout.project.manifest import manifest_of

# Honest weeks before a mutation, if no other number is asked for.
WEEKS = 12


def uncompared(name: str) -> Callable[[SourceTable], SourceTable]:
    """Return what declares a column as one that is not compared with the loads before."""

    def declare(table: SourceTable) -> SourceTable:
        columns = (
            replace(column, keys=replace(column.keys, compare=False)) if column.name == name else column
            for column in table.columns
        )
        return replace(table, columns=tuple(columns))

    return declare


_COLUMNS = (
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
    Mutation("coupon_disc dropped", CONTRACT, "select * exclude (coupon_disc) from due", ("'coupon_disc' is missing",)),
    Mutation(
        "coupon_disc dropped, CSV",
        CONTRACT,
        "select * exclude (coupon_disc) from due",
        ("'coupon_disc' is missing",),
        form="CSV",
    ),
    Mutation(
        "coupon_match_disc dropped, declared optional",
        ACCEPTED,
        "select * exclude (coupon_match_disc) from due",
        contract=optional("coupon_match_disc"),
    ),
    Mutation("till added", ACCEPTED, "select *, 1 as till from due"),
    Mutation(
        "till added, no header",
        CONTRACT,
        "select *, 1 as till from due",
        ("12 columns where 11 are declared",),
        form="CSV, no header",
    ),
    Mutation(
        "reordered",
        ACCEPTED,
        "select transaction_timestamp, sales_value, * exclude (transaction_timestamp, sales_value) from due",
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
        swapped("store_id", "product_id"),
        form="CSV, no header",
    ),
    Mutation(
        "sales_value and retail_disc change places, no header",
        POPULATION,
        swapped("sales_value", "retail_disc"),
        ("of sales_value", "of retail_disc"),
        form="CSV, no header",
    ),
    Mutation("store_id and product_id swapped", REFUSED, swapped("store_id", "product_id")),
    Mutation(
        "store_id and product_id swapped, no key",
        POPULATION,
        swapped("store_id", "product_id"),
        ("of store_id", "of product_id"),
        series="promotions of a tenth",
        missed_because="does not name product_id: the halves of the first file, sorted by product, share none",
    ),
    Mutation(
        "coupon_disc and coupon_match_disc swapped",
        POPULATION,
        swapped("coupon_disc", "coupon_match_disc"),
        ("of coupon_disc",),
    ),
    Mutation(
        "household_id and campaign_id swapped, in a small file",
        POPULATION,
        swapped("household_id", "campaign_id"),
        ("of campaign_id",),
        series="redemptions",
        missed_because="new campaigns are usual, and in so small a file many; a key's distribution is not compared",
    ),
    Mutation("store_id the same in all rows", POPULATION, replaced("367 as store_id"), ("of store_id",)),
    Mutation(
        "coupon_disc zero in all rows",
        POPULATION,
        replaced("0.0 as coupon_disc"),
        ("of coupon_disc",),
    ),
)

_TYPES = (
    Mutation("sales_value as text", ACCEPTED, replaced("cast(sales_value as varchar) as sales_value")),
    Mutation(
        "sales_value with a decimal comma",
        CONTRACT,
        replaced("replace(cast(sales_value as varchar), '.', ',') as sales_value"),
        ("sales_value is not double",),
        form="CSV",
    ),
    Mutation("sales_value as decimal", ACCEPTED, replaced("cast(sales_value as decimal(10, 2)) as sales_value")),
    Mutation(
        "quantity written as 1.0",
        ACCEPTED,
        replaced("cast(cast(quantity as double) as varchar) as quantity"),
        form="CSV",
    ),
    Mutation(
        "quantity with halves, CSV",
        CONTRACT,
        replaced("quantity + 0.5 as quantity"),
        ("quantity is not bigint", ": 1.5)"),
        form="CSV",
    ),
    Mutation(
        "household_id as text with leading noughts",
        ACCEPTED,
        replaced("lpad(cast(household_id as varchar), 8, '0') as household_id"),
    ),
    Mutation(
        "basket_id in single precision: baskets fall together",
        REFUSED,
        replaced("cast(basket_id as float) as basket_id"),
        ("basket_id",),
        missed_because="few enough rows repeat a key to be set aside; that all numbers were rounded is not seen",
    ),
    Mutation(
        "product_id as a list",
        CONTRACT,
        replaced("[product_id] as product_id"),
        ("product_id is not bigint",),
    ),
    Mutation(
        "timestamp as seconds since 1970",
        CONTRACT,
        replaced("cast(epoch(transaction_timestamp) as bigint) as transaction_timestamp"),
        ("transaction_timestamp is not timestamp",),
    ),
    Mutation(
        "timestamp cut to its date",
        POPULATION,
        replaced("cast(transaction_timestamp as date) as transaction_timestamp"),
        ("transaction_timestamp",),
        missed_because="of event times only the first and the last are looked at",
    ),
)

_UNITS = (
    Mutation(
        "sales_value in whole cents, CSV",
        POPULATION,
        replaced("cast(round(sales_value * 100) as bigint) as sales_value"),
        ("drift of sales_value",),
        form="CSV",
    ),
    Mutation(
        "sales_value in cents for half of the stores",
        POPULATION,
        where("store_id % 2 = 0", "sales_value * 100", "sales_value"),
        ("of sales_value",),
    ),
    Mutation(
        "sales_value in cents for a tenth of the rows",
        POPULATION,
        where(one_in(10), "sales_value * 100", "sales_value"),
        ("of sales_value",),
        missed_because="its distance is .139, as is the limit; bins of approximate quantiles decide each time anew",
    ),
    Mutation(
        "sales_value in cents for a hundredth of the rows",
        POPULATION,
        where(one_in(100), "sales_value * 100", "sales_value"),
        ("of sales_value",),
        missed_because="a distance of 0.06: they share a bin with the largest amounts before",
    ),
    Mutation(
        "sales_value in whole dollars", POPULATION, replaced("round(sales_value) as sales_value"), ("of sales_value",)
    ),
    Mutation("coupon_disc in cents", POPULATION, replaced("coupon_disc * 100 as coupon_disc"), ("of coupon_disc",)),
    Mutation(
        "coupon_disc with its sign turned", POPULATION, replaced("-coupon_disc as coupon_disc"), ("of coupon_disc",)
    ),
)

_POPULATION = (
    Mutation(
        "the other half of the households",
        POPULATION,
        "from transactions where week = (select any_value(week) from due) and household_id % 2 = 1",
        ("new_values of household_id",),
        series="transactions of half",
    ),
    Mutation(
        "the other half of the households, where the first week had one day",
        POPULATION,
        "from transactions where week = (select any_value(week) from due) and household_id % 2 = 1",
        ("new_values of household_id",),
        series="transactions of half, from a first day on",
        missed_because="the halves of that day share no household, which is learned from for 26 loads",
    ),
    Mutation(
        "a tenth of the other half of the households as well",
        POPULATION,
        """from due union all
           from transactions where week = (select any_value(week) from due) and household_id % 20 = 1""",
        ("new_values of household_id",),
        series="transactions of half",
        missed_because="the first loads had many new households; 26 loads are learned from",
    ),
    Mutation(
        "products numbered otherwise",
        POPULATION,
        replaced("product_id + 20000000 as product_id"),
        ("new_values of product_id",),
    ),
    Mutation(
        "the same households, but only meat and produce",
        POPULATION,
        "from due where product_id in (from products select product_id where department in ('MEAT', 'PRODUCE'))",
        ("row_count",),
    ),
    Mutation(
        "households shuffled among the rows",
        POPULATION,
        """select shuffled.household_id, due.* exclude (household_id, place)
           from (select *, row_number() over () as place from due) as due
           inner join (
               select household_id, row_number() over (order by hash(basket_id, product_id)) as place from due
           ) as shuffled using (place)""",
        ("household_id",),
        missed_because="each column by itself is as before, and no check looks at two",
    ),
    Mutation(
        "state OH where IA is declared",
        POPULATION,
        replaced("'OH' as state"),
        ("always of state", "OH"),
        series="demographics of half",
    ),
    Mutation(
        "products that nobody bought",
        POPULATION,
        """from products where product_id not in (select product_id from due) order by product_id
           limit (select count(*) from due)""",
        ("new_values of product_id",),
        series="products",
    ),
)

_AMOUNT = (
    Mutation("every second row", POPULATION, f"from due where {one_in(2)}", ("row_count",)),
    Mutation("half of the stores", POPULATION, "from due where store_id % 2 = 0", ("store_id",)),
    Mutation(
        "half of the products",
        POPULATION,
        "from due limit (select count(*) // 2 from due)",
        ("gone_values of product_id",),
        series="products",
    ),
    Mutation("CSV cut in a line at half", REFUSED, form="CSV", change=cut_in_a_line(0.5)),
    Mutation(
        "JSON lines cut in a line near their end",
        CONTRACT,
        words=("line",),
        form="JSON lines",
        change=cut_in_a_line(0.95),
    ),
    Mutation("CSV in gzip cut", CONTRACT, words=("cannot be read as CSV",), form="CSV, gzip", change=cut_anywhere),
    Mutation(
        "JSON lines in gzip cut",
        CONTRACT,
        words=("cannot be read as JSON lines",),
        form="JSON lines, gzip",
        change=cut_anywhere,
    ),
    Mutation(
        "every row twice, no key",
        POPULATION,
        "from due union all from due",
        ("row_count",),
        series="promotions of a tenth",
    ),
    Mutation(
        "every tenth row twice, no key",
        POPULATION,
        "from due union all from due where hash(product_id, store_id) % 10 = 0",
        series="promotions of a tenth",
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
        f"from due union all from previous where {one_in(10)}",
        ("repeats the key of an earlier load",),
    ),
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
    Mutation("Parquet without a row", CONTRACT, "from due limit 0", ("it has no rows",)),
    Mutation("named .part, as it is not yet whole", LEFT_ALONE, form="CSV", change=cut_in_a_line(0.5), suffix=".part"),
    Mutation("accents", ACCEPTED, ACCENTS, series="products", form="CSV"),
    Mutation("accents, Latin-1", ACCEPTED, ACCENTS, series="products", form="CSV, Latin-1", change=recoded("latin-1")),
    Mutation(
        "accents, with a byte order mark",
        ACCEPTED,
        ACCENTS,
        series="products",
        form="CSV",
        change=recoded("utf-8-sig"),
    ),
    Mutation(
        "Latin-1 where UTF-8 is declared, in one row",
        CONTRACT,
        where("product_id = (select max(product_id) from due)", "'CAFÉ'", "product_type"),
        ("not encoded in utf-8", "line"),
        series="products",
        form="CSV",
        change=recoded("latin-1"),
    ),
    Mutation(
        "Latin-1 where UTF-8 is declared, JSON lines",
        CONTRACT,
        ACCENTS,
        ("not encoded in utf-8", "line"),
        series="products",
        form="JSON lines",
        change=recoded("latin-1"),
    ),
    Mutation(
        "Windows-1252 where Latin-1 is declared",
        CONTRACT,
        ACCENTS.replace("'É'", "'€'"),
        ("encoding",),
        series="products",
        form="CSV, Latin-1",
        change=recoded("cp1252"),
    ),
    Mutation("UTF-16 where UTF-8 is declared", CONTRACT, series="products", form="CSV", change=recoded("utf-16")),
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
    Mutation("Parquet where CSV is declared", CONTRACT, form="CSV", options=FORMS["Parquet"].options),
    Mutation("gzip that does not say so", CONTRACT, form="CSV", change=gzip.compress),
    Mutation("text that says it is gzip", CONTRACT, form="CSV, gzip", change=gzip.decompress),
    Mutation("one JSON array for JSON lines", CONTRACT, form="JSON lines", options="format json, array true"),
    Mutation("another table's file", CONTRACT, "from products", ("'household_id' is missing",)),
    *(
        Mutation(f"nothing, as {form}", ACCEPTED, form=form)
        for form in FORMS
        if form not in {"CSV, Latin-1", "CSV, d.m.y", "Excel"}
    ),
)

_QUOTES = (
    Mutation(
        "a quote that is not closed in a line of 200",
        SET_ASIDE,
        words=("line 8: cannot be split", "line 208: cannot be split"),
        form="CSV",
        change=every(200, lambda line: b'"' + line),
    ),
    Mutation(
        "a quote that is not closed in a line of 20",
        CONTRACT,
        words=("is not closed on this line",),
        form="CSV",
        change=every(20, lambda line: b'"' + line),
    ),
    Mutation(
        "a quote that is not closed, gzip",
        SET_ASIDE,
        words=("line 501: cannot be split",),
        form="CSV, gzip",
        change=in_turn(gzip.decompress, quoted(501), gzip.compress),
    ),
    Mutation(
        "two quotes that are not closed",
        SET_ASIDE,
        words=("line 501: cannot be split", "line 801: cannot be split"),
        form="CSV",
        change=quoted(501, 801),
    ),
    Mutation(
        "a quote that the next line closes",
        SET_ASIDE,
        words=("line 501: cannot be split", "line 502: cannot be split"),
        form="CSV",
        change=in_turn(quoted(501), quoted(502, at_end=True)),
    ),
    Mutation(
        "a quote that is not closed in the header",
        CONTRACT,
        words=("transaction_timestamp' is missing",),
        form="CSV",
        change=quoted(1),
    ),
    Mutation(
        "line breaks within quotes",
        ACCEPTED,
        replaced("replace(product_type, ' ', chr(13) || chr(10)) as product_type"),
        series="products",
        form="CSV",
        contract=uncompared("product_type"),
    ),
)

_TEXTS = (
    Mutation("a blank first line", ACCEPTED, form="CSV", change=lambda content: b"\n" + content),
    Mutation(
        "utf-8-sig declared and written",
        ACCEPTED,
        ACCENTS,
        series="products",
        form="CSV",
        change=recoded("utf-8-sig"),
        contract=encoded("utf-8-sig"),
    ),
    Mutation("a text behind gzip", CONTRACT, form="CSV, gzip", change=lambda content: content + b"thanks"),
    Mutation("JSON lines in gzip with a bit flipped", CONTRACT, form="JSON lines, gzip", change=flipped(0.5)),
    Mutation(
        "an index without a name, as pandas writes it",
        ACCEPTED,
        "select row_number() over () as _, * from due",
        form="CSV",
        change=lambda content: content.removeprefix(b"_"),
    ),
    Mutation(
        "a delimiter at the end of each line",
        ACCEPTED,
        form="CSV",
        change=lambda content: content.replace(b"\n", b",\n"),
    ),
    Mutation(
        "10,000 columns too many",
        CONTRACT,
        words=("10,011 columns, more than",),
        form="CSV",
        change=lambda content: b"".join(
            line + b"".join(b",c%d" % number for number in range(10_000)) + b"\n" for line in content.splitlines()[:9]
        ),
    ),
    Mutation("a name that stands for others, Parquet", ACCEPTED, suffix="?*"),
    Mutation(
        "numbers of JSON lines written as 1.0",
        ACCEPTED,
        replaced("cast(quantity as double) as quantity"),
        form="JSON lines",
    ),
    Mutation(
        "a key twice in a line of 200 of JSON lines",
        SET_ASIDE,
        words=("line 8: names a key twice",),
        form="JSON lines",
        change=every(200, lambda line: line.replace(b"{", b'{"store_id":1,', 1)),
    ),
    Mutation(
        "a value too many in a line of 200, aligned by blanks",
        SET_ASIDE,
        words=("line 8: cannot be split into columns", "line 208: cannot be split into columns"),
        form="aligned by blanks",
        change=every(200, lambda line: b"7 " + line),
    ),
    Mutation(
        "a line of 200 too long, fixed width",
        SET_ASIDE,
        words=("line 8: cannot be split into columns", "line 208: cannot be split into columns"),
        form="fixed width",
        change=every(200, lambda line: line.rstrip().ljust(300) + b"x\n"),
    ),
    Mutation("a workbook cut", CONTRACT, words=("cannot be read as Excel",), form="Excel", change=cut_anywhere),
    Mutation(
        "CSV cut within its last value",
        REFUSED,
        form="CSV",
        change=lambda content: content[:-4],
        missed_because="what is left is a value, too; the load's page says that no line break follows it",
    ),
)

_EVENTS = (
    Mutation(
        "National renamed to null",
        CONTRACT,
        replaced("nullif(brand, 'National') as brand"),
        ("brand is missing",),
        series="products",
    ),
    Mutation(
        "DELI renamed to DELICATESSEN",
        POPULATION,
        where("department = 'DELI'", "'DELICATESSEN'", "department"),
        ("of department",),
        series="products",
    ),
    Mutation(
        "Married renamed to M",
        POPULATION,
        where("marital_status = 'Married'", "'M'", "marital_status"),
        ("new_values of marital_status",),
        series="demographics of half",
    ),
    Mutation(
        "Type A renamed to TypeA, in a small file",
        POPULATION,
        where("campaign_type = 'Type A'", "'TypeA'", "campaign_type"),
        ("new_values of campaign_type",),
        series="campaign descriptions",
        missed_because="three of 20 rows: so many may have a new value by chance",
    ),
    Mutation(
        "retail_disc null where there was one",
        POPULATION,
        where("retail_disc > 0", "null", "retail_disc"),
        ("null_share of retail_disc",),
    ),
    Mutation(
        "coupon_disc null where there was one",
        POPULATION,
        where("coupon_disc > 0", "null", "coupon_disc"),
        ("null_share of coupon_disc",),
    ),
)

_TIMES = (
    Mutation(
        "the year 1970 in a few rows",
        POPULATION,
        where(one_in(1000), "timestamp '1970-01-01'", "transaction_timestamp"),
        ("first_event", "1970-01-01"),
    ),
    Mutation(
        "a tenth of the rows 60 days later",
        POPULATION,
        where(one_in(10), "transaction_timestamp + interval 60 day", "transaction_timestamp"),
        ("last_event",),
    ),
    Mutation(
        "a tenth of the rows 60 days earlier",
        POPULATION,
        where(one_in(10), "transaction_timestamp - interval 60 day", "transaction_timestamp"),
        ("first_event",),
    ),
    Mutation(
        "five hours later: another time zone",
        POPULATION,
        replaced("transaction_timestamp + interval 5 hour as transaction_timestamp"),
        ("transaction_timestamp",),
        missed_because="of event times only the first and the last are looked at",
    ),
    Mutation(
        "redemptions a year later",
        POPULATION,
        replaced("redemption_date + interval 1 year as redemption_date"),
        ("first_event", "last_event"),
        series="redemptions",
    ),
)

_VALUES = (
    Mutation(
        "timestamp that ends in Z, JSON lines",
        ACCEPTED,
        replaced("strftime(transaction_timestamp, '%xT%XZ') as transaction_timestamp"),
        form="JSON lines",
        means="from due",
    ),
    Mutation(
        "timestamp five hours behind, which its offset says, JSON lines",
        ACCEPTED,
        replaced("strftime(transaction_timestamp - interval 5 hour, '%x %X-05') as transaction_timestamp"),
        form="JSON lines",
        means="from due",
    ),
    Mutation(
        "timestamp with time zone, Parquet",
        ACCEPTED,
        replaced("timezone('UTC', transaction_timestamp) as transaction_timestamp"),
        means="from due",
    ),
    Mutation(
        "timestamp with nanoseconds that are zero",
        ACCEPTED,
        replaced("cast(transaction_timestamp as timestamp_ns) as transaction_timestamp"),
        means="from due",
    ),
    Mutation(
        "timestamp with nanoseconds that are not",
        CONTRACT,
        replaced("make_timestamp_ns(epoch_ns(transaction_timestamp) + 1) as transaction_timestamp"),
        ("transaction_timestamp is not timestamp",),
    ),
    Mutation(
        "timestamp followed by EST, CSV",
        CONTRACT,
        replaced("transaction_timestamp || ' EST' as transaction_timestamp"),
        ("transaction_timestamp is not timestamp",),
        form="CSV",
    ),
    Mutation(
        "years of two digits, CSV",
        CONTRACT,
        replaced("strftime(transaction_timestamp, '%y-%m-%d %X') as transaction_timestamp"),
        ("transaction_timestamp is not timestamp",),
        form="CSV",
    ),
    Mutation(
        "one time in 200 is infinity, CSV",
        SET_ASIDE,
        where(one_in(200), "timestamp 'infinity'", "transaction_timestamp"),
        ("transaction_timestamp is not timestamp: infinity",),
        form="CSV",
    ),
    Mutation(
        "one time in 200 is infinity, Parquet",
        SET_ASIDE,
        where(one_in(200), "timestamp 'infinity'", "transaction_timestamp"),
        ("transaction_timestamp is not within the years 1 to 9999: infinity",),
    ),
    Mutation(
        "quantity with an exponent, CSV",
        CONTRACT,
        replaced("quantity || 'e0' as quantity"),
        ("quantity is not bigint",),
        form="CSV",
    ),
    Mutation(
        "one household in 200 beyond 64 bits, JSON lines",
        SET_ASIDE,
        replaced(f"case when {one_in(200)} then 18446744073709551616 else household_id end as household_id"),
        ("household_id is not bigint",),
        form="JSON lines",
    ),
    Mutation(
        "households as doubles that stand for two of them",
        CONTRACT,
        replaced("cast(household_id * 2 + 9007199254740992 as double) as household_id"),
        ("household_id is not bigint",),
    ),
)

_ROWS = (
    Mutation(
        "one amount in 20 with its currency",
        CONTRACT,
        replaced(f"case when {one_in(20)} then 'EUR ' else '' end || sales_value as sales_value"),
        ("sales_value is not double", "EUR "),
        form="CSV",
    ),
    Mutation(
        "one line in 200 without its last columns",
        SET_ASIDE,
        words=("line 8: cannot be split into columns", "line 208: cannot be split into columns"),
        form="CSV",
        change=every(200, lambda line: b",".join(line.split(b",")[:5]) + b"\n"),
    ),
    Mutation(
        "one line in 20 with a column too many",
        CONTRACT,
        words=("cannot be split into columns",),
        form="CSV",
        change=every(20, lambda line: b"7," + line),
    ),
    Mutation(
        "one line in 200 that is not JSON",
        SET_ASIDE,
        words=("line 8: is not JSON", "line 208: is not JSON"),
        form="JSON lines",
        change=every(200, lambda line: line[:30] + b"\n"),
    ),
    Mutation(
        "one amount in 200 is not a number, CSV",
        SET_ASIDE,
        where(one_in(200), "'nan'", "sales_value"),
        ("sales_value is not double: nan",),
        form="CSV",
    ),
    Mutation(
        "one amount in 200 is not a number, Parquet",
        SET_ASIDE,
        where(one_in(200), "'nan'::double", "sales_value"),
        ("sales_value is not a number",),
    ),
    Mutation(
        "household_id null in a tenth of the rows",
        CONTRACT,
        where(one_in(10), "null", "household_id"),
        ("household_id is missing",),
        form="JSON lines",
    ),
)

_ALL = (
    *KINDS,
    *_COLUMNS,
    *_TYPES,
    *_UNITS,
    *_POPULATION,
    *_AMOUNT,
    *_FILES,
    *_EVENTS,
    *_TIMES,
    *_VALUES,
    *_ROWS,
    *_QUOTES,
    *_TEXTS,
)
MUTATIONS: Mapping[str, Mutation] = {mutation.name: mutation for mutation in _ALL}
assert len(MUTATIONS) == len(_ALL), "two mutations have one name"


_world: World


def _enter_world(folder: Path, weeks: int) -> None:
    """Make the world of a process of the pool."""
    global _world
    _world = World(folder, weeks, manifest_of(this_project()))


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
    table = Table(title="honest deliveries of real tables, weekly unless they say otherwise", box=SIMPLE_HEAD)
    for heading in ("delivered", "mode"):
        table.add_column(heading)
    for heading in ("loads", "rows", "set aside", "s per load", "false alarms", "per load", "checks", "per check"):
        table.add_column(heading, justify="right")
    table.add_column("the checks that failed, by delivery")
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
