"""Every line of a text is accounted for, whatever stands on it: quotes, line ends, encodings, damage, names."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsed_files import COLUMNS, CSV, Parsed, folder, parsed
from tables import manifest_of

from turnout.loading.contract import source_tables
from turnout.loading.refusal import RefusalError
from turnout.loading.rows import parse


def table_of(*lines: str, end: str = "\n") -> str:
    return end.join(["id,name,paid", *lines, ""])


ROWS = [f"{number},Ann,{number}.5" for number in range(1, 1_000)]
OPENS = "the quote that opens its value of name is not closed on this line"
CLOSES = "a quote ends its value of name, which none begins on this line"


def test_a_quote_that_is_not_closed_costs_its_own_line() -> None:
    lines = [*ROWS[:148], '149,"Ann,149.5', *ROWS[149:]]
    found = parsed(table_of(*lines))
    assert found.refused == {150: OPENS}
    assert [row[0] for row in found.rows] == [number for number in range(1, 1_000) if number != 149]


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ('149,"Ann,149.5', '449,"Ann,449.5', {150: OPENS, 450: OPENS}),
        ('149,"Ann,149.5', '449,Ann",449.5', {150: OPENS, 450: CLOSES}),
        ('149,"Ann,149.5', '449,"Ann",449.5', {150: OPENS}),
        ('149,"Ann,149.5', '449,"",449.5', {150: OPENS}),
        ('149,"Ann""o,149.5', '449,5" pipe,449.5', {150: OPENS}),
        ('149,"Ann"o,149.5', "449,Ann,449.5", {150: "value with unterminated quote found."}),
        ('149,"Ann"o,"149.5', "449,Ann,449.5", {150: "its value of name goes on after the quote that closes it"}),
    ],
)
def test_two_quotes_cost_their_own_lines(first: str, second: str, refused: dict[int, str]) -> None:
    found = parsed(table_of(*ROWS[:148], first, *ROWS[149:448], second, *ROWS[449:]))
    assert found.refused == refused
    assert {row[0] for row in found.rows} == set(range(1, 1_000)) - {line - 1 for line in refused}


def test_two_lines_that_would_be_one_row_are_two() -> None:
    found = parsed(table_of("1,Ann,1.5", '2,"Bob,2.5', '3,Cy",3.5', "4,Di,4.5"))
    assert (found.rows, found.refused) == ([(1, "Ann", 1.5), (4, "Di", 4.5)], {3: OPENS, 4: CLOSES})


def test_the_share_that_is_refused_counts_the_lines_that_a_quote_damages() -> None:
    lines = [f'{line[:-4]},"Ann' if number % 50 == 7 else line for number, line in enumerate(ROWS)]
    with pytest.raises(RefusalError, match=r"20 of 999 rows do not keep the contract.*not closed on this line"):
        parsed(table_of(*lines), refuse_above=0.01)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r", "\n\n", "\n\n7\n"])
def test_line_breaks_within_quotes_are_part_of_a_value(end: str, break_: str) -> None:
    value = f'a ""b"", {break_}c, d'
    found = parsed(table_of("1,Ann,1.5", f'2,"{value}",2.5', "x,Cy,3.5", "4,Di,4.5,5", "5,Ed,5.5", end=end))
    assert found.rows == [(1, "Ann", 1.5), (2, value.replace('""', '"'), 2.5), (5, "Ed", 5.5)]
    # A record that spans lines counts as one.
    assert found.refused == {4: "id is not bigint: x", 5: "expected number of columns: 3 found: 4"}


@pytest.mark.parametrize(
    "content",
    [
        b"id,name,paid\r\n1,a,1\n2,b,2\r\n3,c,3\n",
        b"id,name,paid\r1,a,1\r2,b,2\r3,c,3\r",
        b"id,name,paid\n1,a,1\r2,b,2\r\n3,c,3",
        b"\nid,name,paid\n1,a,1\n2,b,2\n3,c,3\n",
        b"\r\n\r\nid,name,paid\r\n1,a,1\r\n\r\n2,b,2\r\n3,c,3\r\n\r\n",
        b"id,name,paid\n1,a,1\n\n\n2,b,2\n3,c,3\n\n",
        b"\xef\xbb\xbfid,name,paid\n1,a,1\n2,b,2\n3,c,3\n",
        b'\xef\xbb\xbf"id","name","paid"\r"1","a","1"\n2,b,2\n3,c,3\n',
    ],
)
def test_lines_may_end_in_any_way_and_be_blank(content: bytes) -> None:
    for encoding in ("utf-8", "utf-8-sig"):
        found = parsed(content, encoding=encoding)
        assert (found.rows, found.refused) == ([(1, "a", 1.0), (2, "b", 2.0), (3, "c", 3.0)], {})


def test_lines_keep_their_numbers_where_some_are_blank_or_damaged() -> None:
    content = '\nid,name,paid\r\n\n1,a,1\n2,"b,2\r\n\n3,c\n4,d,d\n5,"e,5\n6,f,6\n'
    found = parsed(content)
    assert [row[0] for row in found.rows] == [1, 6]
    assert found.refused == {
        5: OPENS, 7: "expected number of columns: 3 found: 2", 8: "paid is not double: d", 9: OPENS
    }  # fmt: skip


def test_a_line_that_is_wrongly_encoded_is_told_by_its_number() -> None:
    content = "\nid,name,paid\n\n1,a,1\n2,Zoë,2\n3,é,3\n".encode("latin-1")
    with pytest.raises(RefusalError, match="2 lines are not encoded in utf-8, the first of them line 5"):
        parsed(content)


def test_one_blank_line_of_one_column_is_a_missing_value() -> None:
    for quote in ('"', ""):
        assert parsed("\nname\na\n\nb\n\n", {"name": {}}, quote=quote).rows == [("a",), (None,), ("b",), (None,)]


def test_a_header_that_a_quote_damages_is_refused() -> None:
    columns = {"id": {"type": "bigint"}, "name": {"optional": True}}
    with pytest.raises(RefusalError, match="its header is damaged: the quote that opens its value of "):
        parsed('id,"name\n1,a\n2,b\n', columns)


def test_names_may_span_lines() -> None:
    assert parsed('id,"full\r\nname"\r\n1,a\r\n', {"id": {"type": "bigint"}}).rows == [(1, "a")]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-4],
        lambda content: content + b"and more",
        lambda content: content[:-8] + bytes([content[-8] ^ 1]) + content[-7:],
        lambda content: content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 8])
        + content[len(content) // 2 + 1 :],
    ],
)  # fmt: skip
@pytest.mark.parametrize("file", [CSV, {"format": "json_lines"}])
def test_damage_to_gzip_is_found_wherever_it_is(damage: Any, file: dict[str, str]) -> None:
    text = table_of(*ROWS) if file == CSV else "".join(f'{{"id": {number}}}\n' for number in range(1_000))
    content = gzip.compress(text.encode(), mtime=0)
    columns = COLUMNS if file == CSV else {"id": {"type": "bigint"}}
    assert len(parsed(content + gzip.compress(b""), columns, name="v.gz", **file).rows) >= 999
    with pytest.raises(RefusalError, match=r"it cannot be read as (CSV|JSON lines) \("):
        parsed(damage(content), columns, name="v.gz", **file)


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(RefusalError, match="it has a line of more than 16 MiB"):
        parsed(b"id,name,paid\n1," + b"x" * (1 << 25) + b",1\n")


JSON_LINES = {"format": "json_lines"}


def as_lines(*objects: str) -> str:
    return "".join(f"{line}\n" for line in objects)


@pytest.mark.parametrize(
    "written",
    ["12345678901234567890.123", "1e400", "1.0", "1.10", "-0", "1E5", "0.1e1", "12345678901234567890123456789", "7"],
)
@pytest.mark.parametrize("around", ['{{"id":{}}}', '{{ "id" : {} , "b": "x, 1.10"}}', '{{"b": "\\u00e9", "id": {}}}'])
def test_a_number_in_json_is_the_text_that_was_written(written: str, around: str) -> None:
    found = parsed(as_lines(around.format(written)), {"id": {}}, **JSON_LINES)
    assert found.rows[0][found.file.columns.index("id")] == written


def test_what_is_nested_is_kept_as_json() -> None:
    found = parsed(
        as_lines('{"id": {"a": 1.10, "b": [1, "x, 2"]}}', '{"id": [12345678901234567890.5]}', '{"id": true}'),
        {"id": {}}, **JSON_LINES,
    )  # fmt: skip
    assert found.rows == [('{"a":1.10,"b":[1,"x, 2"]}',), ("[12345678901234567890.5]",), ("true",)]


def test_a_key_of_json_may_occur_on_any_line_and_is_kept() -> None:
    lines = ['{"id": 1}'] * 1_500 + ['{"id": 2, "name": "Zoë", "phone": "0123"}']
    found = parsed(as_lines(*lines), {"id": {"type": "bigint"}, "name": {"optional": True}}, **JSON_LINES)
    assert found.file.undeclared == ("phone",)
    assert (len(found.rows), found.rows[-1]) == (1_501, (2, "Zoë", "0123"))


KEYS = ['a"b', "a.b", "$", "a b", "", "a\\b", "a/b", "a~b", "0", "*", "a[0]", "a'b", "#-1", "content", "_row", "_valid"]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_json_may_hold_anything(key: str) -> None:
    found = parsed(json.dumps({"id": 1, key: "x"}) + "\n", {"id": {"type": "bigint"}}, **JSON_LINES)
    assert sorted(map(str, found.rows[0])) == ["1", "x"]


@pytest.mark.parametrize("name", [*KEYS, "_reason", "_content", "filename", "row", "line"])
def test_a_column_may_be_called_anything(name: str) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([["id", name], ["1", "x"], ["1", "y"], ["z", "z"]])
    found = parsed(written.getvalue(), {"id": {"type": "bigint"}})
    assert (found.rows, list(found.refused)) == ([(1, "x"), (1, "y")], [4])


def test_lines_that_are_no_object_are_told() -> None:
    found = parsed(
        as_lines('{"id": 1}', "", "[1]", "7", '{"id": 1, "id": 2}', "{", '{"id": 3}'),
        {"id": {"type": "bigint"}}, **JSON_LINES,
    )  # fmt: skip
    assert [row[0] for row in found.rows] == [1, 3]
    assert found.refused == {
        3: "is not a JSON object", 4: "is not a JSON object", 5: "names a key twice", 6: "is not JSON"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "columns"),
    [(",id,name,paid\n0,1,a,1\n", ("column_1", "id", "name", "paid")),
     ("id,name,paid,\n1,a,1,\n", ("id", "name", "paid", "column_4")),
     ("id,name,paid, ,,column_4\n1,a,1,,,\n", ("id", "name", "paid", "column_4_", "column_5", "column_4"))],
)  # fmt: skip
def test_a_column_without_a_name_is_called_after_its_place(content: str, columns: tuple[str, ...]) -> None:
    found = parsed(content)
    assert found.file.columns == columns
    assert found.rows[0][columns.index("name")] == "a"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("id,name,paid,_turnout_place", "it has a column '_turnout_place', a name that is needed"),
        ("id,name,paid,File_Row_Number", "it has a column 'File_Row_Number', a name that is needed"),
        ("id,name,paid," + ",".join(f"c{number}" for number in range(10_000)), "it has 10,003 columns, more than the"),
        ("id,name,paid,x,X", "the column 'X' is there twice"),
    ],
)
def test_names_that_cannot_be_kept_are_refused_in_words(header: str, words: str) -> None:
    with pytest.raises(RefusalError, match=words):
        parsed(header + "\n" + ",".join("1" for _ in header.split(",")) + "\n")


@pytest.mark.parametrize("name", ["*.csv", "a*.csv", "a[b].csv", "a?b.csv", "{a,b}.csv", "a\\b.csv", "a'b.csv", "x=5"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_a_path_is_the_path_of_one_file(name: str, is_folder: bool) -> None:
    (table,) = source_tables(manifest_of({"id": {"type": "bigint"}, "x": {"optional": True}}, file=CSV))
    with folder() as root, duckdb.connect() as connection:
        for neighbour in ("ab.csv", "b.csv", "abc.csv"):
            (root / neighbour).write_text("id\n7\n")
        path = root / name / "ab.csv" if is_folder else root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("id\n1\n")
        found = Parsed(parse(connection, path, path.parent / "scratch", table, [], is_accepted=False), connection)
        assert found.rows == [(1,)]
        assert connection.execute(f"select x from {found.source}").fetchall() == [(None,)]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_missing_header_shows_no_person(is_first: bool) -> None:
    columns = {"id": {"type": "bigint"}, "name": {"tags": ["personal"]}, "town": {}}
    content = "4711,Zoë Secret,Salem\n" if is_first else "id,Zoë Secret,town\n"
    with pytest.raises(RefusalError) as told:
        parsed(content + "4712,Ann,Salem\n", columns)
    assert "Secret" not in str(told.value)
    assert "which are not shown as they may be personal values" in str(told.value)


def test_a_damaged_page_of_a_parquet_file_is_refused() -> None:
    (table,) = source_tables(manifest_of({"id": {"type": "bigint"}, "name": {"tags": ["personal"]}}))
    with folder() as root, duckdb.connect() as connection:
        path = root / "visits.parquet"
        connection.execute(
            f"""copy (select range as id, md5(range::varchar) || 'Secret' as name from range(100000))
                to '{path}' (format parquet, compression zstd)"""
        )
        content = bytearray(path.read_bytes())
        for place in range(len(content) // 2, len(content) // 2 + 400):
            content[place] ^= 0x5A
        path.write_bytes(content)
        with pytest.raises(RefusalError, match="it cannot be read as Parquet") as told:
            parse(connection, path, root / "scratch", table, [], is_accepted=False)
        assert "Secret" not in str(told.value)


def has_a_row_within(name: str) -> bool:
    """Whether a line of a value reads as a row of three columns, or its first and last lines do with what is around."""
    parts = [part.count(",") for part in re.split("[\r\n]", name)]
    return 2 in parts or (len(parts) > 1 and parts[0] == parts[-1] == 1)


NAMES = st.text(st.sampled_from("ab ,;\n\r\"'é\t7"), max_size=8).filter(lambda name: not has_a_row_within(name))


@settings(deadline=None, max_examples=60)
@given(
    names=st.lists(NAMES, min_size=1, max_size=12),
    planted=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 60)), max_size=4),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_stray_quotes_lose_no_line_and_change_no_other(
    names: list[str], planted: list[tuple[int, int]], quoting: Any, end: str
) -> None:
    """Records are written one by one, quotes planted in some, and those behind the last of these come out as sent."""
    records = []
    for number, name in enumerate(names):
        written = io.StringIO(newline="")
        csv.writer(written, quoting=quoting, lineterminator=end).writerow([1_000 + number, name, number + 0.5])
        records.append(written.getvalue())
    damaged = set()
    for record, place in planted:
        if record < len(records):
            content = records[record]
            place %= len(content) - len(end) + 1
            records[record] = content[:place] + '"' + content[place:]
            damaged.add(record)
    content = f"id,name,paid{end}" + "".join(records)
    try:
        found = parsed(content)
    except RefusalError:
        if not damaged:
            raise
        return  # no row is left to load
    sent = [(1_000 + number, name or None, number + 0.5) for number, name in enumerate(names)]
    if not damaged:
        assert (found.rows, found.refused) == (sent, {})
    if not any({"\n", "\r"} & set(name) for name in names):
        assert len(found.rows) + len(found.refused) == len(names)
    # What stands on a line of its own, with no quote planted in it, and is not within a value that one opens.
    plain = {number for number, name in enumerate(names) if number not in damaged and not {"\n", "\r", '"'} & set(name)}
    before = min(damaged, default=len(names))
    for number in plain:
        if number < before:
            assert sent[number] in found.rows
        else:
            assert sent[number] in found.rows or any("is not closed" in reason for reason in found.refused.values())
