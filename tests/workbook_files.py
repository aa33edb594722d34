"""Workbooks as Excel writes them, as small as they can be: nothing that we depend on writes them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES = f"""<Types xmlns="{PACKAGE}/content-types">
    <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
    <Default Extension="xml" ContentType="application/xml"/></Types>"""
# How a cell looks, by the number of its style: as it is, a date, a date with time, a time, hours.
STYLES = f"""<styleSheet xmlns="{MAIN}"><cellXfs>
    <xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/><xf numFmtId="21"/><xf numFmtId="46"/>
    </cellXfs></styleSheet>"""


def workbook(sheets: Mapping[str, Sequence[Sequence[object]]], *, is_of_1904: bool = False) -> bytes:
    """An .xlsx file: each cell is None, a text, a number, or what stands within the cell's tag and what in it."""
    written = io.BytesIO()
    links = [
        f'<Relationship Id="rId{number}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in range(1, len(sheets) + 1)
    ]
    names = [f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>' for number, name in enumerate(sheets, 1)]
    properties = '<workbookPr date1904="1"/>' if is_of_1904 else ""
    parts = {
        "[Content_Types].xml": TYPES,
        "_rels/.rels": f"""<Relationships xmlns="{PACKAGE}/relationships">
            <Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>""",
        "xl/workbook.xml": f"""<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{properties}
            <sheets>{"".join(names)}</sheets></workbook>""",
        "xl/_rels/workbook.xml.rels": f"""<Relationships xmlns="{PACKAGE}/relationships">{"".join(links)}
            <Relationship Id="rId99" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>""",
        "xl/styles.xml": STYLES,
        **{f"xl/worksheets/sheet{number}.xml": sheet(rows) for number, rows in enumerate(sheets.values(), 1)},
    }
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return written.getvalue()


def sheet(rows: Sequence[Sequence[object]]) -> str:
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(cell(f"{chr(65 + place)}{number}", value) for place, value in enumerate(row))
        lines.append(f'<row r="{number}">{cells}</row>')
    return f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def cell(place: str, value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
        case (attributes, content):
            return f'<c r="{place}" {attributes}>{content}</c>'
        case _:
            return f'<c r="{place}"><v>{value}</v></c>'
