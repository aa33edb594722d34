"""Deliveries with one thing changed, and the verdict that a careful person would give.

Here are the forms of files, the ways to change them, and one mutation of each kind, which the tests judge each time;
`benchmarks.loads` has many more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from trials.workbooks import as_workbook
from turnout.loading.contract import FileFormat, SourceTable

ACCEPTED = "accepted"
SET_ASIDE = "accepted, rows set aside"
ALTERED = "accepted, but altered"  # what is in the load is not what was sent
KNOWN = "known already"
REFUSED = "quarantined"  # as an expectation: by either check
CONTRACT = "quarantined: contract"
POPULATION = "quarantined: population"
LEFT_ALONE = "left alone"
CRASHED = "crashed"  # what nothing may lead to


@dataclass(frozen=True)
class Form:
    """A way to write a file.

    Parameters
    ----------
    suffix : str
        With what its name ends.
    declared : FileFormat
        How the contract declares it.
    options : str
        How DuckDB writes it.
    rewrite : callable, optional
        What makes the file of what DuckDB wrote, where that does not write such files.
    width : int, optional
        How wide the contract says that each column is.
    """

    suffix: str
    declared: FileFormat
    options: str
    rewrite: Callable[[bytes], bytes] | None = None
    width: int | None = None


# How wide columns of fixed width are; no value is wider.
WIDTH = 24


def _in_fixed_width(content: bytes) -> bytes:
    lines = (b"".join(value.ljust(WIDTH) for value in line.split(b",")).rstrip() for line in content.splitlines())
    return b"\n".join(lines) + b"\n"


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
    "aligned by blanks": Form(
        ".txt",
        FileFormat(format="csv", delimiter="blanks", null_values=("-",)),
        "format csv, header, delimiter ' ', nullstr '-', timestampformat '%Y-%m-%dT%H:%M:%S'",
        lambda content: content.replace(b" ", b"   "),
    ),
    "fixed width": Form(".txt", FileFormat(format="fixed_width"), "format csv, header", _in_fixed_width, width=WIDTH),
    "Excel": Form(".xlsx", FileFormat(format="excel"), "format csv, header", as_workbook),
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
    means : str
        The rows that those of `sql` mean, where a plain cast would make others of them.
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
    means: str = ""
    suffix: str = ""
    is_growing: bool = False
    missed_because: str = ""


def replaced(*columns: str, where: str = "due") -> str:
    """Return the week's rows with other values in some columns, each as `value as column`."""
    return f"select * replace ({', '.join(columns)}) from {where}"


def swapped(one: str, other: str) -> str:
    """Return the week's rows with the values of two columns in each other's place."""
    return replaced(f"{other} as {one}", f"{one} as {other}")


def where(condition: str, value: str, column: str) -> str:
    """Return the week's rows with another value in a column, where a condition holds."""
    return replaced(f"case when {condition} then {value} else {column} end as {column}")


def one_in(rows: int) -> str:
    """Return a condition that holds for one row in so many, in no order."""
    return f"hash(basket_id, product_id) % {rows} = 0"


def cut_in_a_line(share: float) -> Callable[[bytes], bytes]:
    """Cut a file so that its last line is broken in its second field."""

    def cut(content: bytes) -> bytes:
        start = content.index(b"\n", int(len(content) * share)) + 1
        return content[: start + 8]

    return cut


def cut_anywhere(content: bytes) -> bytes:
    """Cut a file at three fifths of its bytes."""
    return content[: int(len(content) * 0.6)]


def recoded(encoding: str, found: str = "utf-8") -> Callable[[bytes], bytes]:
    """Return what writes a text in another encoding."""
    return lambda content: content.decode(found).encode(encoding)


def quoted(*lines: int, at_end: bool = False) -> Callable[[bytes], bytes]:
    """Plant a quote in some lines: before the last value, or at its end."""

    def plant(content: bytes) -> bytes:
        found = content.splitlines(keepends=True)
        for line in lines:
            values, last = found[line - 1].rstrip(b"\n").rsplit(b",", 1)
            found[line - 1] = values + (b"," + last + b'"\n' if at_end else b',"' + last + b"\n")
        return b"".join(found)

    return plant


def in_turn(*changes: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Return what changes a file in several ways, one after the other."""

    def change(content: bytes) -> bytes:
        for one in changes:
            content = one(content)
        return content

    return change


def flipped(share: float) -> Callable[[bytes], bytes]:
    """Flip a bit of a file, behind a share of its bytes."""

    def flip(content: bytes) -> bytes:
        place = int(len(content) * share)
        return content[:place] + bytes([content[place] ^ 8]) + content[place + 1 :]

    return flip


def ending_in_several_ways(content: bytes) -> bytes:
    """End every second line as on Windows, every seventh as on old Macs, and leave some blank."""
    ends = (b"\r\n" if number % 2 else b"\r" if number % 7 == 0 else b"\n\n" for number in range(1, 1_000_000))
    return b"".join(line + end for line, end in zip(content.splitlines(), ends, strict=False))


def encoded(name: str) -> Callable[[SourceTable], SourceTable]:
    """Return what declares another encoding."""
    return lambda table: replace(table, keys=replace(table.keys, file=replace(table.keys.file, encoding=name)))


def with_repeated_name(content: bytes) -> bytes:
    """Name `quantity` a second time in a header, and add a value to each line."""
    header, *lines = content.splitlines()
    return b"\n".join([header + b",quantity", *(line + b",1" for line in lines)]) + b"\n"


def every(lines: int, broken: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Break one line in so many, beginning with line 8."""

    def change(content: bytes) -> bytes:
        return b"".join(
            broken(line) if number % lines == 8 % lines and number > 1 else line
            for number, line in enumerate(content.splitlines(keepends=True), 1)
        )

    return change


def optional(name: str) -> Callable[[SourceTable], SourceTable]:
    """Return what declares a column as optional."""

    def declare(table: SourceTable) -> SourceTable:
        columns = (
            replace(column, keys=replace(column.keys, optional=True)) if column.name == name else column
            for column in table.columns
        )
        return replace(table, columns=tuple(columns))

    return declare


def in_zone(zone: str) -> Callable[[SourceTable], SourceTable]:
    """Return what declares that times without an offset are a zone's local time."""
    return lambda table: replace(table, keys=replace(table.keys, file=replace(table.keys.file, time_zone=zone)))


# Accents in one product in a hundred, as the real ones have none.
ACCENTS = "select * replace (case when product_id % 100 = 0 then replace(product_type, 'E', 'É') else product_type end "
ACCENTS += "as product_type) from due"

KINDS = (
    Mutation(
        "sales_value renamed to sales_val",
        CONTRACT,
        "select * rename (sales_value as sales_val) from due",
        ("'sales_value' is missing", "Did you mean 'sales_val'?"),
    ),
    Mutation(
        "names in capitals",
        ACCEPTED,
        form="CSV",
        change=lambda content: (
            content[: content.index(b"\n")].upper() + content[content.index(b"\n") :]  # the header alone
        ),
    ),
    Mutation(
        "coupon_disc dropped, no header",
        CONTRACT,
        "select * exclude (coupon_disc) from due",
        ("10 columns where 11 are declared",),
        form="CSV, no header",
    ),
    Mutation("till added, CSV", ACCEPTED, "select 1 as till, * from due", form="CSV"),
    Mutation(
        "quantity in the header twice",
        CONTRACT,
        words=("'quantity' is there twice",),
        form="CSV",
        change=with_repeated_name,
    ),
    Mutation(
        "reordered, CSV",
        ACCEPTED,
        "select transaction_timestamp, store_id, * exclude (transaction_timestamp, store_id) from due",
        form="CSV",
    ),
    Mutation(
        "household_id and store_id change places, no header",
        POPULATION,
        swapped("household_id", "store_id"),
        ("of store_id",),
        form="CSV, no header",
    ),
    Mutation(
        "retail_disc and coupon_disc swapped",
        POPULATION,
        swapped("retail_disc", "coupon_disc"),
        ("of retail_disc", "of coupon_disc"),
    ),
    Mutation(
        "sales_value as text, with its currency",
        CONTRACT,
        replaced("'EUR ' || sales_value as sales_value"),
        ("sales_value is not double", "EUR "),
    ),
    Mutation("quantity as double", ACCEPTED, replaced("cast(quantity as double) as quantity")),
    Mutation(
        "quantity with halves",
        CONTRACT,
        replaced("quantity + 0.5::double as quantity"),
        ("quantity is not bigint", ": 1.5)"),
    ),
    Mutation(
        "timestamp two hours ahead, which its offset says, CSV",
        ACCEPTED,
        replaced("strftime(transaction_timestamp + interval 2 hour, '%xT%X+02:00') as transaction_timestamp"),
        form="CSV",
        means="from due",
    ),
    Mutation(
        "timestamp with AM or PM, CSV",
        CONTRACT,
        replaced("strftime(transaction_timestamp, '%x %I:%M:%S %p') as transaction_timestamp"),
        ("transaction_timestamp is not timestamp",),
        form="CSV",
    ),
    Mutation(
        "timestamp in New York's time, declared",
        ACCEPTED,
        replaced("timezone('America/New_York', timezone('UTC', transaction_timestamp)) as transaction_timestamp"),
        contract=in_zone("America/New_York"),
        means="from due",
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
        "sales_value in cents", POPULATION, replaced("sales_value * 100 as sales_value"), ("drift of sales_value",)
    ),
    Mutation(
        "sales_value in another currency, at 0.9",
        POPULATION,
        replaced("round(sales_value * 0.9, 2) as sales_value"),
        ("of sales_value",),
    ),
    Mutation(
        "retail_disc with its sign turned", POPULATION, replaced("-retail_disc as retail_disc"), ("of retail_disc",)
    ),
    Mutation(
        "stores numbered otherwise", POPULATION, replaced("store_id + 10000 as store_id"), ("new_values of store_id",)
    ),
    Mutation(
        "the same households, all but groceries",
        POPULATION,
        "from due where product_id not in (from products select product_id where department = 'GROCERY')",
        (),
    ),
    Mutation(
        "demographics of the other half",
        POPULATION,
        "select *, 'IA' as state from demographics where household_id % 2 = 1",
        ("new_values of household_id",),
        series="demographics of half",
    ),
    Mutation(
        "state OH in a few rows",
        POPULATION,
        where("household_id % 100 = 0", "'OH'", "state"),
        ("always of state", "OH"),
        series="demographics of half",
    ),
    Mutation(
        "the first half of the rows", POPULATION, "from due limit (select count(*) // 2 from due)", ("row_count",)
    ),
    Mutation(
        "all but the largest store",
        POPULATION,
        "from due where store_id <> (select mode(store_id) from due)",
        ("gone_values of store_id",),
    ),
    Mutation(
        "the last day is missing",
        POPULATION,
        "from due where transaction_timestamp < (select max(transaction_timestamp) - interval 1 day from due)",
        ("last_event",),
    ),
    Mutation(
        "CSV cut in a line near its end",
        CONTRACT,
        words=("line",),
        form="CSV",
        change=cut_in_a_line(0.95),
    ),
    Mutation("Parquet cut", CONTRACT, words=("cannot be read as Parquet",), change=cut_anywhere),
    Mutation("the last week's file under another name", KNOWN, "from previous"),
    Mutation(
        "every row twice",
        CONTRACT,
        "from due union all from due",
        ("repeats the key of an earlier row",),
        form="CSV",
    ),
    Mutation(
        "the last week again, as CSV",
        CONTRACT,
        "from previous",
        ("repeats the key of an earlier load",),
        form="CSV",
    ),
    Mutation(
        "a few rows of the last week as well",
        SET_ASIDE,
        f"from due union all from previous where {one_in(200)}",
        ("repeats the key of an earlier load",),
    ),
    Mutation("the week after: one is missing between", POPULATION, "from following", ("first_event",)),
    Mutation("a header and no row", CONTRACT, "from due limit 0", ("it has no rows",), form="CSV"),
    Mutation("somebody is still writing", LEFT_ALONE, form="CSV", is_growing=True),
    Mutation(
        "Latin-1 where UTF-8 is declared",
        CONTRACT,
        ACCENTS,
        ("not encoded in utf-8", "line"),
        series="products",
        form="CSV",
        change=recoded("latin-1"),
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
        "semicolons for commas",
        CONTRACT,
        words=("delimiter were ';'",),
        form="CSV",
        options="format csv, header, delimiter ';'",
    ),
    Mutation(
        "a quote that is not closed",
        SET_ASIDE,
        words=("line 501: cannot be split into columns: the quote that opens its value of product_id is not closed",),
        series="products",
        form="CSV",
        change=lambda content: content.replace(b"\n", b'\n"', 500).replace(b'\n"', b"\n", 499),
    ),
    Mutation(
        "two quotes in one column, 300 lines apart",
        SET_ASIDE,
        words=("line 501: cannot be split", "line 801: cannot be split", "a quote ends its value of"),
        form="CSV",
        change=in_turn(quoted(501), quoted(801, at_end=True)),
    ),
    Mutation(
        "a bit flipped within gzip",
        CONTRACT,
        words=("cannot be read as CSV",),
        form="CSV, gzip",
        change=flipped(0.7),
    ),
    Mutation("lines that end in several ways, some blank", ACCEPTED, form="CSV", change=ending_in_several_ways),
    Mutation(
        "a key of JSON lines that is there from line 1,500 on",
        ACCEPTED,
        "select *, case when row_number() over () > 1500 then 7 end as till from due",
        form="JSON lines",
        change=lambda content: content.replace(b',"till":null', b""),
    ),
    Mutation("a name that stands for others, CSV", ACCEPTED, form="CSV", suffix="[*]"),
    Mutation(
        "a damaged page, Parquet",
        CONTRACT,
        words=("cannot be read as Parquet",),
        change=in_turn(*(flipped(0.3 + place / 1_000) for place in range(40))),
    ),
    Mutation("nothing, as Excel", ACCEPTED, form="Excel"),
    Mutation(
        "CSV where Parquet is declared", CONTRACT, words=("cannot be read as Parquet",), options=FORMS["CSV"].options
    ),
    Mutation(
        "a page that says the service is down",
        CONTRACT,
        form="CSV",
        change=lambda _: b"<html>\n<body>503 Service unavailable, come back later</body>\n</html>\n",
    ),
    Mutation(
        "National renamed to Natl, its department null",
        POPULATION,
        replaced(
            "case when brand = 'National' then 'Natl' else brand end as brand",
            "case when brand <> 'National' then department end as department",
        ),
        ("new_values of brand", "null_share of department"),
        series="products",
    ),
    Mutation(
        "GROCERY renamed to null",
        POPULATION,
        replaced("nullif(department, 'GROCERY') as department"),
        ("null_share of department",),
        series="products",
    ),
    Mutation(
        "a missing size written as NULL",
        POPULATION,
        replaced("coalesce(package_size, 'NULL') as package_size"),
        ("of package_size",),
        series="products",
        form="CSV",
    ),
    Mutation(
        "the year 2117 in a few rows",
        POPULATION,
        where(one_in(1000), "transaction_timestamp + interval 100 year", "transaction_timestamp"),
        ("future_events", "2117-"),
    ),
    Mutation(
        "a year later",
        POPULATION,
        replaced("transaction_timestamp + interval 1 year as transaction_timestamp"),
        ("first_event", "last_event"),
    ),
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
        "one line in 200 with a column too many",
        SET_ASIDE,
        words=("line 8: cannot be split into columns", "line 208: cannot be split into columns"),
        form="CSV",
        change=every(200, lambda line: b"7," + line),
    ),
    Mutation(
        "one amount in 20 is not a number, Parquet",
        CONTRACT,
        where(one_in(20), "'nan'::double", "sales_value"),
        ("sales_value is not a number",),
    ),
    Mutation(
        "household_id null in a few rows",
        SET_ASIDE,
        where(one_in(1000), "null", "household_id"),
        ("household_id is missing",),
    ),
)
