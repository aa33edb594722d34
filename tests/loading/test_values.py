"""A value is kept as it was written, or its row is refused: one rule for every type, in every kind of file."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import manifest_of

from turnout.engines.duckdb import connect
from turnout.errors import LoadError
from turnout.loading.contract import source_tables
from turnout.loading.values import canonical_types, check_formats, converted, local_time_of

ROOT = Path(__file__).parents[2]
REFUSED = "refused"
AT = datetime(2024, 1, 1, 3)


def read(values: pa.Array | Sequence[str], declared: str, **file: Any) -> list[Any]:
    """What a column's values become when they are declared so; those that are refused, `REFUSED`."""
    (table,) = source_tables(manifest_of({"x": {"type": declared}}, file=file))
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, pa.string())
    with tempfile.NamedTemporaryFile(suffix=".parquet") as kept, connect() as connection:
        pq.write_table(pa.table({"x": array}), kept.name)
        connection.execute(f"create view found as from read_parquet('{kept.name}')")
        ((_, found, *_),) = connection.execute("describe found").fetchall()
        check_formats(connection, table)
        kind = canonical_types(table)["x"]
        value = converted('"x"', found, kind, table.keys.file, local_time_of(table))
        rows = connection.execute(f"select x is not null and {value} is null, {value} from found").fetchall()
    return [REFUSED if is_refused else value for is_refused, value in rows]


# Declared type; what stands in a text; what it is.
TEXT = [
    ("bigint", "7", 7),
    ("bigint", " 7\t", 7),
    ("bigint", "+7", 7),
    ("bigint", "007", 7),
    ("bigint", "7.000", 7),
    ("bigint", "-0", 0),
    ("bigint", "9223372036854775807", 2**63 - 1),
    ("bigint", "9223372036854775808", REFUSED),
    ("hugeint", "9223372036854775808", 2**63),
    ("integer", "2147483648", REFUSED),
    *(("bigint", text, REFUSED) for text in ("7.5", "1e3", "0x10", "1_000", "1,000", "\uff11\uff12", "7\xa0", "")),
    ("decimal(10,2)", "1.5", Decimal("1.50")),
    ("decimal(10,2)", "1.500", Decimal("1.50")),
    ("decimal(10,2)", ".5", Decimal("0.50")),
    ("decimal(10,2)", " -7. ", Decimal(-7)),
    *(("decimal(10,2)", text, REFUSED) for text in ("0.001", "1.005", "1e-3", "1_0.00", "1,50", "123456789.00", ".")),
    ("decimal(5,0)", "7.0", Decimal(7)),
    ("decimal(5,0)", "7.5", REFUSED),
    ("decimal(5,0)", ".0", REFUSED),
    ("decimal(38,3)", "12345678901234567890.123", Decimal("12345678901234567890.123")),
    ("double", "1e5", 1e5),
    ("double", "-.5", -0.5),
    ("double", " 5. ", 5.0),
    ("double", "0e5", 0.0),
    ("double", "0.1000000000000000055511151231257827", 0.1),  # a double has no more
    *(("double", text, REFUSED) for text in ("nan", "inf", "1e400", "1e-400", "1_000", "0x10", "1,5", "5%", "EUR 5")),
    *(("boolean", text, True) for text in ("true", "True", "t", "T", "yes", "Y", "1", " true ")),
    *(("boolean", text, False) for text in ("false", "FALSE", "f", "no", "n", "0")),
    *(("boolean", text, REFUSED) for text in ("2", "1.0", "on", "wahr", "-")),
    ("date", "2024-02-29", date(2024, 2, 29)),
    ("date", " 2024-2-9 ", date(2024, 2, 9)),
    ("date", "2024/02/29", date(2024, 2, 29)),
    ("date", "2024-02-29T00:00:00.000", date(2024, 2, 29)),
    ("date", "2024-02-29 00:00:00", date(2024, 2, 29)),
    ("date", "0001-01-01", date(1, 1, 1)),
    ("date", "9999-12-31", date(9999, 12, 31)),
    *(
        ("date", text, REFUSED)
        for text in (
            "2024-02-29 23:59:59", "2024-02-29T00:00:00Z", "2024-02-29 00:00:00+02", "2024-02-30", "24-02-29",
            "0000-01-01", "10000-01-01", "-2024-01-01", "2024-01-01 (BC)", "infinity", "-infinity", "epoch", "Epoch",
            "today", "now", "2024", "2024-02-29 foo", "20240229", "45351",
        )
    ),
    ("timestamp", "2024-01-01 03:00:00", AT),
    ("timestamp", "2024-01-01T03:00", AT),
    ("timestamp", "2024-01-01", datetime(2024, 1, 1)),
    ("timestamp", "2024-01-01 03:00:00.5", AT.replace(microsecond=500_000)),
    ("timestamp", "2024-01-01 03:00:00.123456000", AT.replace(microsecond=123_456)),
    ("timestamp", "2023-12-31 24:00", datetime(2024, 1, 1)),
    *(
        ("timestamp", text, AT)
        for text in (
            "2024-01-01T03:00:00Z", "2024-01-01t03:00:00z", "2024-01-01 03:00:00 UTC", "2024-01-01 05:00:00+02",
            "2024-01-01T05:00:00.000+02:00", "2024-01-01 05:00:00 +0200", "2023-12-31 22:00:00-05",
            "2024-01-01 08:30:00+0530", " 2024-01-01T03:00Z ", "2024-01-01 03:00:00-00:00",
        )
    ),
    *(
        ("timestamp", text, REFUSED)
        for text in (
            "2024-01-01 10:00:00 EST", "2024-01-01 10:00:00 PM", "2024-01-01 10:00:00 foo", "2024-01-01 10:00:00+2",
            "2023-12-31 22:00:00 America/New_York", "2024-01-01 10:00:00+25", "2024-01-01 10:00:00+02:00:30",
            "2024-01-01 25:00", "2024-01-01 23:59:60", "2024-01-01 10", "2024-01-01 10:00:00.1234567", "2024-01-01Z",
            "24-01-01 10:00", "0000-01-01 10:00", "0001-01-01 00:00:00+14", "9999-12-31 24:00", "9999-12-31 20:00-05",
            "infinity", "-infinity", "epoch", "now", "1704078000", "2024-01-01 10:00:00,5",
        )
    ),
    ("timestamp_s", "2024-01-01 03:00:00.000", AT),
    ("timestamp_s", "2024-01-01 03:00:00.5", REFUSED),
    ("timestamp_ms", "2024-01-01 05:00:00.5+02", AT.replace(microsecond=500_000)),
    ("timestamp_ms", "2024-01-01 03:00:00.0005", REFUSED),
    ("timestamp with time zone", "2024-01-01 05:00:00+02", AT.replace(tzinfo=UTC)),
    ("timestamp with time zone", "2024-01-01 03:00:00", AT.replace(tzinfo=UTC)),
    ("time", "10:00", time(10)),
    ("time", "10:00:00.5", time(10, 0, 0, 500_000)),
    *(("time", text, REFUSED) for text in ("10:00:00 PM", "10:00:00+02", "10:00:00.1234567", "25:00", "7")),
    ("varchar", " 000022 ", " 000022 "),
    ("varchar", "a\0b", "a\0b"),
    ("blob", "\xeb", REFUSED),
    ("uuid", "not one", REFUSED),
    ("interval", "a while", REFUSED),
]  # fmt: skip


@pytest.mark.parametrize("declared", dict.fromkeys(kind for kind, *_ in TEXT))
def test_a_text_is_a_value_of_its_type_or_refused(declared: str) -> None:
    rows = {text: expected for kind, text, expected in TEXT if kind == declared}
    assert dict(zip(rows, read(list(rows), declared), strict=True)) == rows


# Type in Arrow, as in Parquet; declared type; what stands there; what it is.
TYPED = [
    (pa.int32(), "bigint", 7, 7),
    (pa.uint64(), "bigint", 2**63 - 1, 2**63 - 1),
    (pa.uint64(), "bigint", 2**63, REFUSED),
    (pa.int64(), "integer", 2**31, REFUSED),
    (pa.int64(), "double", 2**53, 2.0**53),
    (pa.int64(), "double", 2**53 + 1, REFUSED),
    (pa.int64(), "boolean", 2, REFUSED),
    (pa.int64(), "date", 7, REFUSED),
    (pa.int64(), "timestamp", 1_704_078_000, REFUSED),
    (pa.int64(), "varchar", 22, "22"),
    (pa.float64(), "bigint", 7.0, 7),
    (pa.float64(), "bigint", 7.5, REFUSED),
    (pa.float64(), "bigint", 2.0**53, 2**53),
    (pa.float64(), "bigint", 2.0**53 + 2, REFUSED),  # its neighbour may have been meant
    (pa.float64(), "varchar", 2.0**60, REFUSED),
    (pa.float64(), "decimal(10,2)", 0.1, Decimal("0.10")),
    (pa.float64(), "decimal(10,2)", 0.001, REFUSED),
    (pa.float64(), "decimal(20,2)", 1e15 + 0.25, REFUSED),
    (pa.float64(), "bigint", float("nan"), REFUSED),
    (pa.float32(), "double", 1.5, 1.5),
    (pa.float32(), "double", float("inf"), REFUSED),
    (pa.float32(), "bigint", 2.0**25, REFUSED),
    (pa.float16(), "double", 1.5, 1.5),
    (pa.decimal128(38, 3), "decimal(10,2)", Decimal("1.500"), Decimal("1.50")),
    (pa.decimal128(38, 3), "decimal(10,2)", Decimal("1.005"), REFUSED),
    (pa.decimal128(38, 3), "decimal(10,2)", Decimal("123456789.000"), REFUSED),
    (pa.decimal128(38, 0), "bigint", Decimal(2**63), REFUSED),
    (pa.string(), "bigint", "1e3", REFUSED),
    (pa.large_string(), "varchar", "000022", "000022"),
    (pa.dictionary(pa.int8(), pa.string()), "varchar", "000022", "000022"),
    (pa.binary(), "varchar", "Zoë".encode(), "Zoë"),
    (pa.binary(), "varchar", "Zoë".encode("latin-1"), REFUSED),
    (pa.list_(pa.int64()), "varchar", [1], REFUSED),
    (pa.struct([("a", pa.int64())]), "varchar", {"a": 1}, REFUSED),
    (pa.date32(), "timestamp", date(2024, 1, 1), datetime(2024, 1, 1)),
    (pa.date64(), "date", date(2024, 1, 1), date(2024, 1, 1)),
    (pa.timestamp("us"), "date", datetime(2024, 1, 1), date(2024, 1, 1)),
    (pa.timestamp("us"), "date", AT, REFUSED),
    (pa.timestamp("us", "UTC"), "date", datetime(2024, 1, 1), REFUSED),
    (pa.timestamp("s"), "timestamp", AT, AT),
    (pa.timestamp("us", "America/New_York"), "timestamp", AT.replace(tzinfo=UTC), AT),
    (pa.timestamp("ns"), "timestamp", 1_704_078_000_000_000_000, AT),
    (pa.timestamp("ns"), "timestamp", 1_704_078_000_000_000_001, REFUSED),
    (pa.timestamp("ns", "UTC"), "timestamp", 1_704_078_000_000_000_000, AT),
    (pa.timestamp("ns", "UTC"), "timestamp", 1_704_078_000_000_000_001, REFUSED),
    (pa.timestamp("us"), "timestamp with time zone", AT, AT.replace(tzinfo=UTC)),
    (pa.time64("us"), "time", time(10), time(10)),
    (pa.null(), "bigint", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("arrow", "declared", "value", "expected"), TYPED, ids=str)
def test_a_value_of_another_type_is_the_same_value_or_refused(
    arrow: pa.DataType, declared: str, value: Any, expected: Any
) -> None:
    is_nanoseconds = pa.types.is_timestamp(arrow) and arrow.unit == "ns"
    array = pa.array([value], pa.int64()).cast(arrow) if is_nanoseconds else pa.array([value], arrow)
    assert read(array, declared) == [expected]


# A format that is declared; the declared type; what stands in a text; what it is.
FORMATTED = [
    ("%d/%m/%Y", "date", "3/4/2024", date(2024, 4, 3)),
    ("%d/%m/%Y", "date", "03/04/24", REFUSED),
    ("%d/%m/%Y", "date", "31/02/2024", REFUSED),
    ("%d/%m/%Y", "date", "infinity", REFUSED),
    ("%d/%m/%Y", "date", "EPOCH", REFUSED),
    ("%d/%m/%Y", "date", "01/01/1900", date(1900, 1, 1)),
    ("%d/%m/%y", "date", "03/04/68", date(2068, 4, 3)),
    ("%d/%m/%y", "date", "03/04/69", date(1969, 4, 3)),
    ("%d/%m/%Y %H:%M", "date", "03/04/2024 00:00", date(2024, 4, 3)),
    ("%d/%m/%Y %H:%M", "date", "03/04/2024 23:59", REFUSED),
    ("%d/%m/%Y %I:%M %p", "timestamp", "01/01/2024 03:00 AM", AT),
    ("%d/%m/%Y %H:%M", "timestamp", "01/01/2024 03:00 PM", REFUSED),
    ("%d/%m/%Y %H:%M%z", "timestamp", "01/01/2024 05:00+02:00", AT),
    ("%d/%m/%Y %H:%M%z", "timestamp", "01/01/2024 03:00Z", AT),
    ("%d/%m/%Y %H:%M%z", "timestamp", "01/01/2024 03:00", REFUSED),
    ("%d/%m/%Y %H:%M %Z", "timestamp", "31/12/2023 22:00 EST", AT),
    ("%d/%m/%Y %H:%M %Z", "timestamp", "31/12/2023 22:00 foo", REFUSED),
    ("%Y-%m-%d %H:%M:%S.%n", "timestamp", "2024-01-01 03:00:00.000000001", REFUSED),
    ("%Y-%m-%d %H:%M:%S.%n", "timestamp", "2024-01-01 03:00:00.000001000", AT.replace(microsecond=1)),
]  # fmt: skip


@pytest.mark.parametrize(("written", "declared", "text", "expected"), FORMATTED)
def test_what_a_format_does_not_say_is_refused(written: str, declared: str, text: str, expected: Any) -> None:
    key = "date_format" if declared == "date" else "timestamp_format"
    assert read([text], declared, **{key: written}) == [expected]


def test_of_several_formats_the_first_that_fits_is_taken_with_its_offset_or_in_the_declared_zone() -> None:
    formats = ["%d.%m.%Y %H:%M%z", "%d.%m.%Y %H:%M"]
    texts = ["01.01.2024 05:00+02:00", "31.12.2023 22:00", "01.01.2024 03:00Z"]
    assert read(texts, "timestamp", timestamp_format=formats, time_zone="America/New_York") == [AT] * 3


# What a clock in New York shows; the instant.
IN_NEW_YORK = [
    ("2023-12-31 22:00:00", AT),
    ("2023-12-31T22:00", AT),
    ("2024-01-01T03:00:00Z", AT),
    ("2024-01-01 05:00:00+02:00", AT),
    ("2024-07-01", datetime(2024, 7, 1, 4)),
    ("2024-03-10 01:59:59", datetime(2024, 3, 10, 6, 59, 59)),
    ("2024-03-10 02:00:00", REFUSED),  # the clocks are put forward over this hour
    ("2024-03-10 02:59:59", REFUSED),
    ("2024-03-10 03:00:00", datetime(2024, 3, 10, 7)),
    ("2024-11-03 00:59:59", datetime(2024, 11, 3, 4, 59, 59)),
    ("2024-11-03 01:00:00", REFUSED),  # and back over this one
    ("2024-11-03 01:59:59", REFUSED),
    ("2024-11-03 01:30:00-04:00", datetime(2024, 11, 3, 5, 30)),
    ("2024-11-03 02:00:00", datetime(2024, 11, 3, 7)),
    ("2150-07-01 00:00:00", datetime(2150, 7, 1, 4)),
]


def test_local_time_becomes_utc_but_for_hours_that_are_none_or_two() -> None:
    texts = [text for text, _ in IN_NEW_YORK]
    expected = [instant for _, instant in IN_NEW_YORK]
    assert read(texts, "timestamp", time_zone="America/New_York") == expected
    plain = {text: instant for text, instant in IN_NEW_YORK if (text[-1] != "Z" and text[-3] != ":") or len(text) == 19}
    times = pa.array([datetime.fromisoformat(text) for text in plain], pa.timestamp("us"))
    assert read(times, "timestamp", time_zone="America/New_York") == list(plain.values())
    told = pa.array([AT], pa.timestamp("us", "UTC"))
    assert read(told, "timestamp", time_zone="America/New_York") == [AT]


ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo", "Asia/Gaza"]


@settings(deadline=None, max_examples=10)
@given(
    zone=st.sampled_from(ZONES),
    shown=st.lists(st.datetimes(datetime(1972, 1, 1), datetime(2037, 1, 1)), min_size=50, max_size=50),
)
def test_local_time_is_what_the_standard_library_says(zone: str, shown: list[datetime]) -> None:
    clock = ZoneInfo(zone)
    expected = []
    for local in shown:
        both = {local.replace(tzinfo=clock, fold=fold).astimezone(UTC) for fold in (0, 1)}
        instants = [one.replace(tzinfo=None) for one in both if one.astimezone(clock).replace(tzinfo=None) == local]
        expected.append(instants[0] if len(instants) == 1 else REFUSED)
    assert read(pa.array(shown, pa.timestamp("us")), "timestamp", time_zone=zone) == expected


@settings(deadline=None, max_examples=20)
@given(
    values=st.lists(
        st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12), min_size=1
    )
)
def test_a_decimal_that_loads_is_what_was_written(values: list[Decimal]) -> None:
    expected = [value if value == round(value, 4) else REFUSED for value in values]
    assert read([f"{value:f}" for value in values], "decimal(18,4)") == expected


@settings(deadline=None, max_examples=20)
@given(
    written=st.lists(
        st.tuples(
            st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), st.integers(-15 * 60, 15 * 60), st.booleans()
        ),
        min_size=1,
    )
)
def test_an_instant_is_the_same_with_every_offset(written: list[tuple[datetime, int, bool]]) -> None:
    texts = []
    for instant, minutes, is_apart in written:
        text = instant.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes))).isoformat()
        texts.append(f"{text[:-6]} {text[-6:]}" if is_apart else text)
    assert read(texts, "timestamp") == [instant for instant, _, _ in written]


# What numbers and dates are written with, what looks like it, and words of the engine's own.
PIECES = [
    *"0123456789.,-+/:_ \t\0TZze%",
    "\uff11\uff12",
    "e5",
    "0x",
    "2024",
    "-02-",
    "00:00",
    "infinity",
    "epoch",
    "nan",
    "BC",
    "now",
]


@settings(deadline=None, max_examples=15)
@given(
    texts=st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join), min_size=100, max_size=100)
)
def test_no_type_makes_of_a_text_what_it_does_not_say(texts: list[str]) -> None:
    for declared in ("bigint", "decimal(12,3)", "double"):
        for text, number in zip(texts, read(texts, declared), strict=True):
            assert number == REFUSED or Decimal(text.strip()) == Decimal(
                repr(number) if declared == "double" else number
            )
    for declared in ("date", "timestamp"):
        for text, found in zip(texts, read(texts, declared), strict=True):
            assert found == REFUSED or abs(int(text.strip()[:4]) - found.year) <= 1


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ({"time_zone": "America/NewYork"}, "there is no time zone 'America/NewYork'.*Did you mean 'America/New_York'"),
        ({"date_format": "%Y-%m-%d %z"}, "dates are written as '%Y-%m-%d %z', but a date has no offset"),
    ],
)  # fmt: skip
def test_a_zone_that_does_not_exist_is_a_mistake_in_the_contract(file: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadError, match=f"(?s){words}"):
        read(["2024-01-01"], "date", **file)


def test_a_contract_that_would_change_the_values_of_a_load_is_refused(arriving: Callable[..., Any]) -> None:
    visits = arriving({"paid": {"type": "decimal(10,4)"}, "at": {}}, file={"format": "csv"})
    visits.arrive("v.csv", "paid,at\n0.0010,2024-01-01 05:00:00+02\n")
    visits.landed("v.csv").unlink()
    for column, declared in (("paid", "decimal(10,2)"), ("at", "timestamp")):
        columns = {"paid": {"type": "decimal(10,4)"}, "at": {}, column: {"type": declared}}
        visits.change(columns, file={"format": "csv"})
        words = re.escape(f"the contract now says that '{column}' is {declared}, which 1 values of the loads in force")
        with pytest.raises(LoadError, match=words):
            visits.load()


def test_a_time_that_is_none_or_two_is_told(arriving: Callable[..., Any]) -> None:
    file = {"format": "csv", "time_zone": "America/New_York"}
    visits = arriving({"at": {"type": "timestamp"}}, file=file, refuse_above=0.9)
    load = visits.arrive("v.csv", "at\n2024-03-10 02:30:00\n2024-11-03 01:30:00\nnoon\n2024-11-03 03:00:00\n")
    assert [row["reason"] for row in visits.register.refused_rows(load.load_id, 10)] == [
        "at is in an hour that America/New_York skips: 2024-03-10 02:30:00",
        "at is in an hour that America/New_York has twice: 2024-11-03 01:30:00",
        "at is not timestamp: noon",
    ]
    assert visits.raw() == [(datetime(2024, 11, 3, 8),)]


def test_a_parquet_file_with_times_that_nobody_can_hold_loses_those_rows_alone(arriving: Callable[..., Any]) -> None:
    visits = arriving({"at": {"type": "timestamp"}, "day": {"type": "date"}}, refuse_above=0.9)
    file = visits.project.root / "v.parquet"
    with connect() as connection:
        rows = "(timestamp '2024-01-01', date '2024-01-01'), ('infinity', null), (null, '10000-01-01')"
        connection.execute(f'copy (select * from (values {rows}) as v("at", "day")) to \'{file}\'')
    load = visits.arrive("v.parquet", file.read_bytes())
    assert [row["reason"] for row in visits.register.refused_rows(load.load_id, 10)] == [
        "at is not within the years 1 to 9999: infinity",
        "day is not within the years 1 to 9999: 10000-01-01",
    ]
    assert visits.raw() == [(datetime(2024, 1, 1), date(2024, 1, 1))]
