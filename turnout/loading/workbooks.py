"""A sheet of an Excel workbook as delimited text, a line for each of its rows; then it is read as such.

Excel knows numbers, dates and texts, but no types of columns: an id is the number 12345.0, and a date may be the number
of its day. What a cell is written as follows from the column's declared type. The whole sheet is in memory meanwhile.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from turnout.loading.plain_text import PlainText, empty
from turnout.loading.quoting import LineLeftOut
from turnout.loading.refusal import RefusalError

if TYPE_CHECKING:
    from turnout.loading.contract import FileFormat, SourceTable
    from turnout.loading.setting_aside import SetAside

Cell = str | float | bool | date | time | timedelta

# Day 0 in a workbook of today, and in one of Excel for old Macs. Excel takes 1900 for a leap year (Microsoft's article
# 214326), so what is before March 1900 is not what it seems.
_DAY_0 = {False: datetime(1899, 12, 30), True: datetime(1904, 1, 1)}
_FIRST_DAY, _LAST_DAY = 61, 2_958_465
# Whole numbers up to this one are doubles, each another one.
_LARGEST_EXACT = 2**53

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_ERROR_CELL = re.compile(rb'<c\b(?=[^>]*\bt="e")[^>]*\br="([A-Z]+)([0-9]+)"[^>]*>.*?<v>([^<]*)</v>', re.DOTALL)


def text_of_sheet(path: Path, scratch: Path, table: SourceTable, set_aside: SetAside) -> PlainText:
    """Write the declared sheet of a workbook as comma-separated text, every value in quotes.

    Parameters
    ----------
    path : Path
        The workbook.
    scratch : Path
        Where the text may be written; with a suffix.
    table : SourceTable
        The contract.
    set_aside : SetAside
        Takes the rows that are blank.

    Raises
    ------
    RefusalError
        If the workbook cannot be read, or the sheet is not there or has nothing on it.
    """
    name, rows, is_of_1904 = _read(path, table)
    for at, column, error in _errors(path, name):
        if at < len(rows) and column < len(rows[at]):
            rows[at][column] = error
    filled = [place for row in rows for place, cell in enumerate(row) if cell != ""]
    if not filled:
        raise empty(table, path)
    first, end = min(filled) if table.keys.file.header else 0, max(filled) + 1
    types: list[str] | None = None
    copy, blank = scratch.with_suffix(".text"), []
    with copy.open("w", encoding="utf-8", newline="") as written:
        writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for number, row in enumerate(rows, 1):
            cells = row[first:end]
            if all(cell == "" for cell in cells):
                blank.append(LineLeftOut(number))
                continue
            if types is None:
                types = _types(cells, table)
                if table.keys.file.header:
                    types, header = types, [_written(cell, "", table.keys.file, is_of_1904=None) for cell in cells]
                    writer.writerow(header)
                    continue
            writer.writerow(
                _written(cell, declared, table.keys.file, is_of_1904=is_of_1904)
                for cell, declared in zip(cells, types, strict=True)
            )
    set_aside.leave_out(blank)
    return PlainText(copy, len(rows), "\n", has_blank_lines=False, last_byte=b"\n")


def _read(path: Path, table: SourceTable) -> tuple[str, list[list[Cell]], bool | None]:
    """Return the sheet's name, all its rows, and whether its day 0 is in 1904, if that is known."""
    from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

    try:
        with path.open("rb") as content:
            workbook = CalamineWorkbook.from_filelike(content)
            names = [sheet.name for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
            name = table.keys.file.sheet or (names[0] if len(names) == 1 else "")
            if name not in names:
                lacking = f"it has no sheet '{name}'" if name else "it has several sheets and none is declared"
                raise RefusalError(
                    table,
                    f"{lacking}; there are {', '.join(names)}",
                    str(path),
                    f"ask its sender, or correct 'sheet' under 'file' in {table.file}.",
                )
            rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
        return name, [list(row) for row in rows], _is_of_1904(path)
    except (CalamineError, zipfile.BadZipFile, ElementTree.ParseError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what Rust calls a mistake of its own, on a damaged file
            raise
        reason = "it is damaged"
    raise RefusalError(
        table, f"it cannot be read as Excel ({reason})", str(path), "ask its sender for a whole file of that kind."
    )


def _is_of_1904(path: Path) -> bool | None:
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as parts:
        if "xl/workbook.xml" not in parts.namelist():
            return None
        properties = ElementTree.fromstring(parts.read("xl/workbook.xml")).find(f"{_MAIN}workbookPr")  # noqa: S314
        return properties is not None and properties.get("date1904", "0") in {"1", "true"}


def _errors(path: Path, name: str) -> list[tuple[int, int, str]]:
    """Return the cells that hold an error, such as `#N/A`, by row and column; calamine says that they are empty."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as parts:
        if "xl/workbook.xml" not in parts.namelist():
            return []
        sheets = ElementTree.fromstring(parts.read("xl/workbook.xml")).iter(f"{_MAIN}sheet")  # noqa: S314
        link = next(sheet.get(_LINK) for sheet in sheets if sheet.get("name") == name)
        links = ElementTree.fromstring(parts.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
        target = next(found.get("Target", "") for found in links if found.get("Id") == link)
        content = parts.read(target.removeprefix("/") if target.startswith("/") else f"xl/{target}")
    return [
        (int(row) - 1, _place(column.decode()), error.decode()) for column, row, error in _ERROR_CELL.findall(content)
    ]


def _place(column: str) -> int:
    """Return the place of a column from 0 on, of which Excel counts the first as A and the 27th as AA."""
    place = 0
    for letter in column:
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def _types(first: Sequence[Cell], table: SourceTable) -> list[str]:
    """Return the declared type of each column of a sheet, in small letters, empty where it is not declared."""
    if not table.keys.file.header:
        types = [column.data_type.lower() for column in table.columns]
        return [*types, *[""] * len(first)][: len(first)]
    declared = {column.name.lower(): column.data_type.lower() for column in table.columns}
    return [declared.get(str(cell).strip().lower(), "") for cell in first]


def _written(cell: Cell, declared: str, layout: FileFormat, *, is_of_1904: bool | None) -> str:
    """Return a cell as it would be written in a text of this layout."""
    is_date, is_time = declared == "date", declared.startswith(("timestamp", "datetime"))
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int | float):
        if (is_date or is_time) and is_of_1904 is not None and _FIRST_DAY <= cell <= _LAST_DAY:
            milliseconds = round(cell * 86_400_000)
            return _written(
                _DAY_0[is_of_1904] + timedelta(milliseconds=milliseconds), declared, layout, is_of_1904=None
            )
        return str(int(cell)) if float(cell).is_integer() and abs(cell) <= _LARGEST_EXACT else repr(cell)
    if isinstance(cell, date):
        at = cell if isinstance(cell, datetime) else datetime.combine(cell, time())
        is_whole_day = at.time() == time()
        written = layout.timestamp_format if is_time else layout.date_format if is_date and is_whole_day else None
        if written:
            return at.strftime(written if isinstance(written, str) else written[0])
        return at.date().isoformat() if is_whole_day else at.isoformat(sep=" ")
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(cell.total_seconds(), 60)
        return f"{int(minutes) // 60:02}:{int(minutes) % 60:02}:{seconds:02g}"
    return cell.isoformat() if isinstance(cell, time) else cell
