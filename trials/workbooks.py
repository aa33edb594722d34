"""Workbooks as Excel writes them, as small as they can be: nothing that we depend on writes them."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = f"""<Types xmlns="{_PACKAGE}/content-types">
    <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
    <Default Extension="xml" ContentType="application/xml"/></Types>"""
# How a cell looks, by the number of its style: as it is, a date, a date with time, a time, hours.
_STYLES = f"""<styleSheet xmlns="{_MAIN}"><cellXfs>
    <xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/><xf numFmtId="21"/><xf numFmtId="46"/>
    </cellXfs></styleSheet>"""
_DAY_0 = datetime(1899, 12, 30)

# A text, a number, what stands within the cell's tag and what in it, or nothing.
Cell = str | float | tuple[str, str] | None


def workbook(sheets: Mapping[str, Sequence[Sequence[Cell]]], *, is_of_1904: bool = False) -> bytes:
    """Return an .xlsx file of these sheets, a list of rows each."""
    numbers = range(1, len(sheets) + 1)
    links = [
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in numbers
    ]
    names = [f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>' for number, name in enumerate(sheets, 1)]
    properties = '<workbookPr date1904="1"/>' if is_of_1904 else ""
    parts = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": f"""<Relationships xmlns="{_PACKAGE}/relationships">
            <Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>""",
        "xl/workbook.xml": f"""<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">{properties}
            <sheets>{"".join(names)}</sheets></workbook>""",
        "xl/_rels/workbook.xml.rels": f"""<Relationships xmlns="{_PACKAGE}/relationships">{"".join(links)}
            <Relationship Id="rId99" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>""",
        "xl/styles.xml": _STYLES,
        **{f"xl/worksheets/sheet{number}.xml": _sheet(rows) for number, rows in enumerate(sheets.values(), 1)},
    }
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return written.getvalue()


def as_workbook(content: bytes) -> bytes:
    """Return a CSV file as a workbook of one sheet: what is a number there is one, what is a time is a dated cell."""
    return workbook({"Sheet1": [[_typed(value) for value in row] for row in csv.reader(content.decode().splitlines())]})


def _typed(value: str) -> Cell:
    if value == "":
        return None
    for read in (float, datetime.fromisoformat):
        try:
            found = read(value)
        except ValueError:
            continue
        if isinstance(found, float):
            return found
        return 's="2"', f"<v>{(found - _DAY_0).total_seconds() / 86_400!r}</v>"
    return value


def _sheet(rows: Sequence[Sequence[Cell]]) -> str:
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(_cell(f"{chr(65 + place)}{number}", value) for place, value in enumerate(row))
        lines.append(f'<row r="{number}">{cells}</row>')
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def _cell(place: str, value: Cell) -> str:
    match value:
        case None:
            return ""
        case str():
            return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
        case (attributes, content):
            return f'<c r="{place}" {attributes}>{content}</c>'
        case _:
            return f'<c r="{place}"><v>{value!r}</v></c>'
