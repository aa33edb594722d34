"""Text whose values stand in columns of the page, and sheets of workbooks, become the rows that CSV would."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from parsed_files import COLUMNS, parsed

from trials.workbooks import workbook
from turnout.errors import LoadError
from turnout.loading.refusal import RefusalError

FIXED = {"format": "fixed_width", "header": False}
WIDE = {"id": {"type": "bigint", "width": 4}, "name": {"width": 6}, "paid": {"type": "double", "width": 5}}


def test_columns_of_fixed_width_are_cut_out_of_each_line() -> None:
    content = "   1Zoë é   1.5\n   2       2.5\n  xxAnn     3 \n   4Bob\n   5Cy   6    77\n\n   \n   6Di J.    7"
    found = parsed(content, WIDE, null_values=["-"], **FIXED)
    assert found.rows == [(1, "Zoë é", 1.5), (2, None, 2.5), (4, "Bob", None), (6, "Di J.", 7.0)]
    assert found.refused == {
        3: "id is not bigint: xx",
        5: "expected number of characters: 15 found: 16",
        7: "it is blank",
    }


def test_a_header_of_fixed_width_names_the_columns() -> None:
    file = {"format": "fixed_width", "encoding": "latin-1"}
    assert parsed("  ID name paid \r\n   1Zoë   1.5\r\n".encode("latin-1"), WIDE, **file).rows == [(1, "Zoë", 1.5)]
    with pytest.raises(RefusalError, match="'id' is missing"):
        parsed("   1Zoë   1.5\n", WIDE, format="fixed_width")


def test_values_may_be_set_apart_by_blanks() -> None:
    content = " 1  Ann   1.5\n10\tBob  -  \n 2  Cy D  3\n 30 Ed    x\n\n 4  Fay 4"
    found = parsed(content, delimiter="blanks", header=False, null_values=["-"])
    assert found.rows == [(1, "Ann", 1.5), (10, "Bob", None), (4, "Fay", 4.0)]
    assert found.refused == {3: "expected number of columns: 3 found: 4", 4: "paid is not double: x"}
    assert parsed("paid   id name\n 1.5  1  Ann\n", delimiter="blanks").rows == [(1.5, 1, "Ann")]
    with pytest.raises(RefusalError, match="it has 2 columns where 3 are declared"):
        parsed("1 2\n", delimiter="blanks", header=False)


EXCEL = {"format": "excel"}
STYLED = {"date": 's="1"', "time": 's="2"', "hours": 's="4"'}


def cell(written: str, style: str = "") -> tuple[str, str]:
    return STYLED.get(style, ""), f"<v>{written}</v>"


def test_what_a_cell_means_follows_from_the_contract() -> None:
    columns = {
        "id": {}, "visits": {"type": "bigint"}, "paid": {"type": "double"}, "day": {"type": "date"},
        "at": {"type": "timestamp"}, "is_new": {"type": "boolean"}, "remark": {},
    }  # fmt: skip
    content = workbook({
        "Orders": [
            [*columns],
            [12345, 2, 0.1, cell("45292", "date"), cell("45292.75", "time"), ('t="b"', "<v>1</v>"), 'a "b",\nc'],
            ["00012", 2.0, 7, 45293, 45293.1, ('t="b"', "<v>0</v>"), cell("45294", "date")],
            [],
            [12.5, None, None, cell("45292", "time"), cell("45292", "date"), None, cell("1.5", "hours")],
        ],
        "Other": [[1]],
    })  # fmt: skip
    found = parsed(content, columns, name="v.xlsx", sheet="Orders", **EXCEL)
    date, datetime_ = datetime.date, datetime.datetime
    assert found.rows == [
        ("12345", 2, 0.1, date(2024, 1, 1), datetime_(2024, 1, 1, 18), True, 'a "b",\nc'),
        ("00012", 2, 7.0, date(2024, 1, 2), datetime_(2024, 1, 2, 2, 24), False, "2024-01-03"),
        ("12.5", None, None, date(2024, 1, 1), datetime_(2024, 1, 1), None, "36:00:00"),
    ]
    assert found.refused == {}


def test_rows_of_a_sheet_keep_their_numbers_and_errors_are_told() -> None:
    error = ('t="e"', "<v>#DIV/0!</v>")
    content = workbook({"A": [[], ["", "id", "name", "paid"], [None, 1, "a", 1], [], [None, 2, "b", error]]})
    found = parsed(content, name="v.xlsx", **EXCEL)
    assert (found.rows, found.refused) == ([(1, "a", 1.0)], {5: "paid is not double: #DIV/0!"})


def test_a_workbook_of_1904_counts_its_days_from_then() -> None:
    content = workbook({"A": [["day"], [45292], [cell("45292", "date")]]}, is_of_1904=True)
    rows = parsed(content, {"day": {"type": "date"}}, name="v.xlsx", **EXCEL).rows
    assert rows == [(datetime.date(2028, 1, 2),)] * 2


def test_dates_of_a_sheet_and_texts_are_read_by_one_format() -> None:
    content = workbook({"A": [["day"], ["02/01/2024"], [cell("45293", "date")]]})
    rows = parsed(content, {"day": {"type": "date"}}, name="v.xlsx", date_format="%d/%m/%Y", **EXCEL).rows
    assert rows == [(datetime.date(2024, 1, 2),)] * 2


@pytest.mark.parametrize(
    ("content", "file", "words"),
    [
        (workbook({"A": [["id"]], "B": []}), {}, "it has several sheets and none is declared; there are A, B"),
        (workbook({"A": [["id"]]}), {"sheet": "a"}, "it has no sheet 'a'; there are A"),
        (workbook({"A": [[]]}), {}, "the file is empty"),
        (workbook({"A": [["id", "name", "paid"]]}), {}, "it has no rows"),
        (workbook({"A": [["id"], [1]]})[:-50], {}, "it cannot be read as Excel"),
        (b"id,name,paid\n1,a,1\n", {}, "it cannot be read as Excel"),
    ],
)
def test_a_workbook_that_is_none_is_refused(content: bytes, file: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadError, match=words):
        parsed(content, COLUMNS, name="v.xlsx", **EXCEL, **file)
