"""Rows arrive as they were sent, whatever the format; the unfit are set aside with line and reason, none is lost."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import manifest_of

from turnout.errors import LoadError
from turnout.loading.contract import source_tables
from turnout.loading.rows import parse
from turnout.records.loads import Load, QuarantinedFile

COLUMNS = {
    "id": {"type": "bigint"},
    "name": {},
    "paid": {"type": "decimal(10,2)"},
    "day": {"type": "date"},
    "at": {"type": "timestamp"},
}
ROWS = [
    (1, "Zoë; or 'Z'", 1.5, date(2024, 2, 29), datetime(2024, 2, 29, 23, 59, 59)),
    (2, 'said "no",\nthen went', -20.25, date(1999, 12, 31), datetime(2024, 1, 1)),
    (3, None, None, None, None),
]


def as_csv(rows: list[tuple[Any, ...]], header: bool = True, **dialect: Any) -> str:
    text = io.StringIO()
    writer = csv.writer(text, **dialect)
    writer.writerows([tuple(COLUMNS)] * header + [tuple("" if v is None else v for v in row) for row in rows])
    return text.getvalue()


def as_parquet(rows: list[tuple[Any, ...]], folder: Path) -> bytes:
    file = folder / "rows.parquet"
    with duckdb.connect() as connection:
        types = ", ".join(f'"{name}" {declared.get("type", "varchar")}' for name, declared in COLUMNS.items())
        connection.execute(f"create table visits ({types})")
        connection.executemany("insert into visits values (?, ?, ?, ?, ?)", rows)
        connection.execute(f"copy visits to '{file}' (format parquet)")
    return file.read_bytes()


def as_json_lines(rows: list[tuple[Any, ...]]) -> str:
    lines = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    return "".join(json.dumps(line, default=str) + "\n" for line in lines)


@pytest.mark.parametrize(
    ("name", "write", "file"),
    [
        ("v.csv", as_csv, {"format": "csv"}),
        ("v.csv", lambda rows: "\ufeff" + as_csv(rows, lineterminator="\n"), {"format": "csv"}),
        ("v.txt", lambda rows: as_csv(rows, delimiter="\t").encode("latin-1"),
         {"format": "csv", "delimiter": "\t", "encoding": "latin-1"}),
        ("v.txt", lambda rows: as_csv(rows, delimiter=";").encode("utf-16"),
         {"format": "csv", "delimiter": ";", "encoding": "utf-16"}),
        ("v.csv", lambda rows: as_csv(rows, header=False), {"format": "csv", "header": False}),
        ("v.csv.gz", lambda rows: gzip.compress(as_csv(rows).encode()), {"format": "csv"}),
        ("v.csv.gz", lambda rows: gzip.compress(as_csv(rows).encode("cp1252")),
         {"format": "csv", "encoding": "cp1252"}),
        ("v.jsonl", as_json_lines, {"format": "json_lines"}),
        ("v.jsonl.gz", lambda rows: gzip.compress(as_json_lines(rows).encode()), {"format": "json_lines"}),
    ],
)  # fmt: skip
def test_a_format_is_a_matter_of_the_contract_alone(
    arriving: Callable[..., Any], name: str, write: Callable[..., Any], file: dict[str, Any], tmp_path: Path
) -> None:
    visits = arriving(COLUMNS, key=["id"])
    visits.arrive("v.parquet", as_parquet(ROWS, tmp_path))
    expected = visits.raw()
    assert [row[0] for row in expected] == [1, 2, 3]

    visits.landed("v.parquet").unlink()
    visits.change(COLUMNS, key=["id"], file=file)
    entered = visits.arrive(name, write(ROWS))
    assert (entered.row_count, entered.refused_row_count) == (3, 0)
    assert visits.raw() == expected


def test_dates_are_read_as_the_contract_says(arriving: Callable[..., Any]) -> None:
    file = {"format": "csv", "date_format": "%d/%m/%Y", "timestamp_format": "%m-%d-%y %H:%M", "null_values": ["-"]}
    visits = arriving({"day": {"type": "date"}, "at": {"type": "timestamp"}}, file=file)
    visits.arrive("v.csv", "day,at\n03/04/2024,04-03-24 17:05\n-,-\n")
    assert visits.raw() == [(date(2024, 4, 3), datetime(2024, 4, 3, 17, 5)), (None, None)]


def test_a_date_may_be_written_in_several_ways(arriving: Callable[..., Any]) -> None:
    file = {"format": "csv", "date_format": ["%m/%d/%Y", "%Y-%m-%d"], "timestamp_format": ["%Y%m%d %H:%M", "%Y-%m-%d"]}
    visits = arriving({"day": {"type": "date"}, "at": {"type": "timestamp"}}, file=file)
    visits.arrive("v.csv", "day,at\n04/03/2024,20240403 17:05\n2024-05-06,2024-05-06\n")
    assert visits.raw() == [
        (date(2024, 4, 3), datetime(2024, 4, 3, 17, 5)),
        (date(2024, 5, 6), datetime(2024, 5, 6)),
    ]


def test_what_a_column_always_is_may_be_nothing(arriving: Callable[..., Any]) -> None:
    visits = arriving({"id": {}, "state": {"always": ["IA", None]}, "flag": {"always": [None]}}, file={"format": "csv"})
    assert isinstance(visits.arrive("a.csv", "id,state,flag\n1,IA,\n2,,\n"), Load)
    refused = visits.arrive("b.csv", "id,state,flag\n1,OH,\n2,,Y\n")
    assert "always of state is 0.5, expected at most 0 (of the rows are not IA or null but OH)" in refused.problem
    assert "(of the rows are not null but Y)" in refused.problem


def test_every_row_that_is_set_aside_has_its_line_and_its_reason(arriving: Callable[..., Any]) -> None:
    visits = arriving(
        {"id": {"type": "bigint"}, "shop": {"not_null": True}, "paid": {"type": "double"}},
        key=["id"], file={"format": "csv"}, refuse_above=0.9,
    )  # fmt: skip
    lines = ["id,shop,paid", "1,a,1", "2,a", "1,a,2", "3,a,free", "4,,4", "5,b,5,5", "6.5,b,6", "7.0,b,7", ",b,8"]
    load = visits.arrive("v.csv", "\n".join(lines) + "\n")
    refused = visits.register.refused_rows(load.load_id, 10)
    assert [(row["line_number"], row["reason"]) for row in refused] == [
        (3, "cannot be split into columns: expected number of columns: 3 found: 2"),
        (4, "repeats the key of an earlier row"),
        (5, "paid is not double: free"),
        (6, "shop is missing"),
        (7, "cannot be split into columns: expected number of columns: 3 found: 4"),
        (8, "id is not bigint: 6.5"),
        (10, "id is missing"),
    ]
    assert refused[2]["content"] == '{"id":"3","shop":"a","paid":"free"}'
    assert visits.raw() == [(1, "a", 1), (7, "b", 7)]
    assert (load.row_count, load.refused_row_count) == (2, 7)


def test_json_lines_that_are_no_json_are_set_aside(arriving: Callable[..., Any]) -> None:
    visits = arriving({"id": {"type": "bigint"}}, file={"format": "json_lines"}, refuse_above=0.9)
    load = visits.arrive("v.jsonl", '{"id": 1}\n{"id": \n{"id": 2.5}\n{"id": "3"}\n{"id": null}\n')
    refused = visits.register.refused_rows(load.load_id, 10)
    assert [(row["line_number"], row["reason"]) for row in refused] == [
        (2, "is not JSON"),
        (3, "id is not bigint: 2.5"),
    ]
    assert visits.raw() == [(1,), (3,), (None,)]


def test_an_appended_row_may_not_repeat_a_key_of_an_earlier_load(arriving: Callable[..., Any]) -> None:
    visits = arriving({"id": {"type": "bigint", "compare": False}}, mode="append", key=["id"], file={"format": "csv"},
                      refuse_above=0.5, limits={"row_count": 10})  # fmt: skip
    visits.arrive("a.csv", "id\n1\n2\n3\n")
    load = visits.arrive("b.csv", "id\n3\n4\n5\n")
    assert [row["reason"] for row in visits.register.refused_rows(load.load_id, 10)] == [
        "repeats the key of an earlier load"
    ]
    assert visits.raw() == [(1,), (2,), (3,), (4,), (5,)]


def test_too_many_unfit_rows_quarantine_the_file_with_counts_and_an_example(arriving: Callable[..., Any]) -> None:
    visits = arriving({"id": {"type": "bigint"}, "paid": {"type": "double"}}, file={"format": "csv"})
    visits.arrive("a.csv", "id,paid\n1,1\n2,2\n")
    refused = visits.arrive("b.csv", "id,paid\n1,EUR 1.50\n2,EUR 2\nx,3\n")
    assert isinstance(refused, QuarantinedFile)
    assert "3 of 3 rows do not keep the contract, more than 0.01 of all" in refused.problem
    assert "2 because paid is not double (line 2: EUR 1.50)" in refused.problem
    assert visits.raw() == [(1, 1), (2, 2)]


def test_a_type_or_a_format_that_does_not_exist_is_a_mistake_in_the_contract(arriving: Callable[..., Any]) -> None:
    visits = arriving({"id": {"type": "bigin"}}, file={"format": "csv"})
    with pytest.raises(LoadError, match="the data_type 'bigin' of the column 'id' does not exist"):
        visits.arrive("a.csv", "id\n1\n")
    visits.change({"id": {"type": "date"}}, file={"format": "csv", "date_format": ["%Y-%m-%d", "%Q"]})
    with pytest.raises(LoadError, match="Contract: dates cannot be written as '%Q'"):
        visits.load()


def test_what_the_contract_does_not_name_is_kept_and_what_is_optional_may_be_missing(
    arriving: Callable[..., Any],
) -> None:
    visits = arriving({"id": {"type": "bigint"}, "email": {"optional": True}}, file={"format": "csv"})
    load = visits.arrive("a.csv", "Phone,ID\n0123,1\n")
    assert isinstance(load, Load)
    assert load.columns == ("Phone", "id")
    assert visits.raw() == [(1, None)]
    with duckdb.connect() as connection:
        kept = connection.execute("select Phone from read_parquet(?)", [str(visits.project.root / load.path)])
        assert kept.fetchall() == [("0123",)]


GATHERING = {"id": {"type": "bigint"}, "seasons": {"type": "map(varchar, varchar)", "gather": "S[0-9]{4}"}}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ({"format": "csv", "null_values": ["-"]}, "S2012,id,Phone,S2016\nX,1,0123,\n-,2,,D\n  ,3,,\n"),
        (
            {"format": "json_lines"},
            '{"S2012": "X", "id": 1, "Phone": "0123"}\n' + '{"id": 2, "S2016": "D"}\n{"id": 3, "S2016": ""}\n',
        ),
    ],
)
def test_columns_that_come_and_go_are_gathered_into_a_map(
    arriving: Callable[..., Any], file: dict[str, Any], content: str
) -> None:
    visits = arriving(GATHERING, file=file)
    load = visits.arrive("v", content)
    assert visits.raw() == [(1, {"S2012": "X"}), (2, {"S2016": "D"}), (3, {})]
    assert set(load.columns) == {"id", "Phone", "seasons"}
    # The next file has other columns, and nothing to compare them with.
    visits.arrive("w", content.replace("S2012", "S2020"))
    assert visits.raw()[0] == (1, {"S2020": "X"})
    assert {check.column_name for check in visits.register.checks(visits.register.loads()[-1].load_id)} == {"", "id"}


def test_numbers_of_a_parquet_file_are_gathered_as_text(arriving: Callable[..., Any]) -> None:
    visits = arriving(GATHERING, mode="append")
    with duckdb.connect() as connection:
        file = visits.project.root / "seasons.parquet"
        connection.execute(f"copy (select 1 as id, 2.5 as S2012, null::int as S2016, 7 as S20) to '{file}'")
    visits.arrive("v.parquet", file.read_bytes())
    assert visits.raw() == [(1, {"S2012": "2.5"})]


def test_of_the_columns_to_gather_one_must_be_there_unless_they_are_optional(arriving: Callable[..., Any]) -> None:
    visits = arriving(GATHERING, file={"format": "csv"})
    with pytest.raises(LoadError, match=r"'seasons' gathers the columns that match 'S\[0-9\]\{4\}', and there is none"):
        visits.arrive("a.csv", "id,S12\n1,X\n")
    visits.change({**GATHERING, "seasons": {**GATHERING["seasons"], "optional": True}}, file={"format": "csv"})
    visits.load()
    assert visits.raw() == [(1, None)]
    refused = visits.arrive("b.csv", "id,seasons,S2012\n1,X,D\n")
    assert "it has a column 'seasons', under which others are to be gathered" in refused.problem


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), TEXT, st.floats(-1e9, 1e9)), min_size=1, max_size=30),
    broken=st.sets(st.integers(0, 29), max_size=5),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_whatever_is_written_is_read_again_and_no_row_is_lost(
    rows: list[tuple[int, str, float]], broken: set[int], delimiter: str
) -> None:
    manifest = manifest_of(
        {"id": {"type": "bigint"}, "name": {}, "paid": {"type": "double"}},
        file={"format": "csv", "delimiter": delimiter}, refuse_above=1,
    )  # fmt: skip
    (table,) = source_tables(manifest)
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "name", "paid"])
    writer.writerows(("?" if place in broken else row[0], *row[1:]) for place, row in enumerate(rows))
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder, "v.csv")
        file.write_bytes(written.getvalue().encode())
        fit = [row for place, row in enumerate(rows) if place not in broken]
        if not fit:
            return
        parsed = parse(connection, file, Path(folder, "scratch"), table, [], is_accepted=False)
        assert parsed.row_count + parsed.refused_row_count == len(rows)
        found = connection.execute(f"select id, name, paid from '{parsed.path}'").fetchall()
        assert found == [(number, name or None, paid) for number, name, paid in fit]
        lines = connection.execute("select line_number from refused_rows order by 1").fetchall()
        assert lines == [(place + 2,) for place in sorted(broken) if place < len(rows)]


@pytest.mark.parametrize(
    ("file_format", "content"),
    [("csv", "id,at\n1,2024-01-01\n2,2024-"), ("csv", "id,at\n1,2024-01-01\n2"), ("json_lines", '{"id": 1}\n{"id": 2')],
)
def test_a_text_that_was_cut_off_in_a_line_is_quarantined(
    arriving: Callable[..., Any], file_format: str, content: str
) -> None:
    visits = arriving(
        {"id": {"type": "bigint"}, "at": {"type": "date", "optional": True}},
        file={"format": file_format}, refuse_above=0.9,
    )  # fmt: skip
    with pytest.raises(LoadError, match=r"it was cut off: its last line, \d, is not whole"):
        visits.arrive("v", content)


def test_a_number_that_is_none_is_set_aside(arriving: Callable[..., Any]) -> None:
    visits = arriving({"paid": {"type": "double"}}, refuse_above=0.5)
    with duckdb.connect() as connection:
        file = visits.project.root / "paid.parquet"
        connection.execute(f"copy (select unnest([1.5, 'nan'::double, null]) as paid) to '{file}'")
    load = visits.arrive("v.parquet", file.read_bytes())
    assert [row["reason"] for row in visits.register.refused_rows(load.load_id, 10)] == ["paid is not a number"]
    assert visits.raw() == [(1.5,), (None,)]


@pytest.mark.parametrize(
    ("text", "written", "declared", "words"),
    [
        ("Zoë", "latin-1", "utf-8", "1 lines are not encoded in utf-8, the first of them line 2"),
        ("Zoë", "utf-8", "latin-1", "it is UTF-8 throughout"),
        ("5 €", "cp1252", "latin-1", "perhaps it is cp1252"),
    ],
)
def test_a_text_in_another_encoding_is_quarantined(
    arriving: Callable[..., Any], text: str, written: str, declared: str, words: str
) -> None:
    visits = arriving({"name": {}}, file={"format": "csv", "encoding": declared})
    with pytest.raises(LoadError, match=words):
        visits.arrive("v.csv", f"name\n{text}\nann\n".encode(written))
