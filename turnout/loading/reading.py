"""A file as a relation: its columns under the names of the contract, as they were written, each row with its line.

DuckDB reads; what is settled here, before a single row is parsed, is whether the file has the declared columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.engines import file_literal, identifier, literal
from turnout.loading import aligned, json_lines
from turnout.loading.columns import delimiter_hint, named_as_declared
from turnout.loading.contract import BLANKS
from turnout.loading.opened import PLACE, UNREADABLE, OpenedFile
from turnout.loading.plain_text import GZIP_ERRORS, MAX_LINE_BYTES, PlainText, empty, plain_text
from turnout.loading.quoting import RETURN, Dialect, Records, first_record
from turnout.loading.refusal import RefusalError
from turnout.loading.setting_aside import REJECTS_LIMIT, SetAside
from turnout.loading.workbooks import text_of_sheet

if TYPE_CHECKING:
    import duckdb

    from turnout.loading.contract import SourceTable

_KINDS = {"parquet": "Parquet", "csv": "CSV", "json_lines": "JSON lines", "fixed_width": "text", "excel": "Excel"}
_STORING = f"store_rejects = true, rejects_limit = {REJECTS_LIMIT}"
# A text of which every line is one value: a character that no text holds stands for the delimiter.
_LINES = Dialect("\x01", "", has_header=False)
# Lines that are kept before they are written to a table.
_LINES_AT_ONCE = 10_000
# Characters of a text from which another delimiter is guessed.
_SAMPLED_CHARACTERS = 1 << 16


def open_file(
    connection: duckdb.DuckDBPyConnection, path: Path, scratch: Path, table: SourceTable, set_aside: SetAside
) -> OpenedFile:
    """Return a file as a relation.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where the relation will be run.
    path : Path
        The file.
    scratch : Path
        Where a plain copy may be written; with a suffix.
    table : SourceTable
        The contract.
    set_aside : SetAside
        Takes the lines that are in no record.

    Raises
    ------
    RefusalError
        If the file is empty or cannot be read, or if its columns are not those of the contract.
    """
    import duckdb

    layout, nulls = table.keys.file, table.keys.file.null_values
    if "\\" in str(path) and set("*?[") & set(str(path)):
        raise RefusalError(
            table,
            "its path holds a backslash beside '*', '?' or '[', which DuckDB takes for a pattern",
            str(path),
            "give the file, or the folder, another name.",
        )
    if path.stat().st_size == 0:
        raise empty(table, path)
    try:
        if table.keys.file.format == "parquet":
            return _parquet(connection, path, table)
        if table.keys.file.format == "excel":
            text = text_of_sheet(path, scratch, table, set_aside)
            return replace(_delimited(text, path, table, Dialect(",", '"', layout.header, nulls)), is_exact=True)
        text = plain_text(path, scratch, table)
        if _is_split_here(table):
            opened = OpenedFile(path, "", {"content": "VARCHAR"}, text=text, dialect=_LINES)
        else:
            opened = _delimited(text, path, table, Dialect(layout.delimiter, layout.quote, layout.header, nulls))
        if not text.line_end or text.has_blank_lines:
            return read_exactly(connection, opened, scratch, table, set_aside)
        return _split(connection, opened, table) if _is_split_here(table) else opened
    except (duckdb.Error, *GZIP_ERRORS) as error:
        raise unreadable(table, path, error) from None


def read_exactly(
    connection: duckdb.DuckDBPyConnection, opened: OpenedFile, scratch: Path, table: SourceTable, set_aside: SetAside
) -> OpenedFile:
    """Return a text as a relation of its records, one by one, as far as no quote has damaged them.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where the relation will be run.
    opened : OpenedFile
        The text as it was opened.
    scratch : Path
        Where a copy may be written.
    table : SourceTable
        The contract.
    set_aside : SetAside
        Takes the lines that are in no record.

    Raises
    ------
    RefusalError
        If the header is damaged, or too many lines are.
    """
    assert opened.text is not None
    assert opened.dialect is not None
    declared = {column.name: column.data_type for column in table.columns}
    names = [_shown(name, place, table) for place, name in enumerate(opened.types, 1)]
    records = Records(opened.dialect, names, [declared.get(name, "") for name in opened.types])
    copy = scratch.with_suffix(".records")
    left_out, damaged = [], 0
    for line in records.copy(opened.text.path, copy):
        left_out.append(line)
        damaged += line.reason is not None
        if records.header_problem or damaged >= REJECTS_LIMIT:
            found = f"more than {REJECTS_LIMIT:,} lines are damaged by a quote"
            raise RefusalError(
                table,
                f"its header is damaged: {records.header_problem}" if records.header_problem else found,
                str(opened.path),
                f"ask its sender, or correct the delimiter and the quote in {table.file}.",
            )
        if len(left_out) == _LINES_AT_ONCE:
            set_aside.leave_out(left_out)
            left_out = []
    set_aside.leave_out(left_out)
    text = replace(opened.text, path=copy, line_count=records.count, line_end="\n", has_blank_lines=False)
    exact = replace(opened, text=text, is_exact=True)
    if not _is_split_here(table):
        relation = _delimited_relation(text, list(opened.types), opened.dialect)
        if records.has_returns:
            values = (
                f"replace({name}, {literal(RETURN)}, chr(13)) as {name}" for name in map(identifier, opened.types)
            )
            relation = f"select {', '.join(values)} from ({relation})"
        return replace(exact, relation=relation)
    return _split(connection, exact, table)


def unreadable(table: SourceTable, path: Path, error: Exception) -> RefusalError:
    """Return the refusal of a file that broke while it was read."""
    import duckdb

    kind = _KINDS[table.keys.file.format]
    reason = (str(error).splitlines() or [type(error).__name__])[0].replace(str(path), path.name)
    if table.has_personal and isinstance(error, duckdb.Error) and not isinstance(error, duckdb.IOException):
        reason = f"{type(error).__name__}, whose words may quote personal values"
    return RefusalError(
        table, f"it cannot be read as {kind} ({reason})", str(path), "ask its sender for a whole file of that kind."
    )


def _parquet(connection: duckdb.DuckDBPyConnection, path: Path, table: SourceTable) -> OpenedFile:
    source = f"read_parquet({file_literal(path)}, hive_partitioning = false"
    types = {row[0]: row[1] for row in connection.execute(f"describe select * from {source})").fetchall()}
    names = named_as_declared(list(types), path, table)
    columns = [f"{identifier(found)} as {identifier(name)}" for found, name in zip(types, names, strict=True)]
    relation = f"""select {", ".join(columns)}, file_row_number as {PLACE}
        from {source}, file_row_number = true)"""
    if types:
        # Every page is read once, as a damaged one would break what comes later, and perhaps in silence.
        connection.execute(f"select bit_xor(hash({', '.join(map(identifier, types))})) from {source})").fetchall()
    return OpenedFile(path, relation, dict(zip(names, types.values(), strict=True)))


def _is_split_here(table: SourceTable) -> bool:
    """Return whether each line is read as one value, and split afterwards."""
    layout = table.keys.file
    return layout.format in {"json_lines", "fixed_width"} or (layout.format == "csv" and layout.delimiter == BLANKS)


def _delimited(text: PlainText, path: Path, table: SourceTable, dialect: Dialect) -> OpenedFile:
    with text.path.open(encoding="utf-8", errors="replace") as content:
        sample = content.read(_SAMPLED_CHARACTERS)
    first = first_record(text.path, dialect)
    if dialect.has_header:
        names = named_as_declared(first, path, table, sample)
    else:
        names = _names_by_place(len(first), path, table, delimiter_hint(sample, table))
    dialect = replace(dialect, has_blank_records=len(names) == 1)
    relation = _delimited_relation(text, names, dialect)
    types = dict.fromkeys(names, "VARCHAR")
    return OpenedFile(path, relation, types, int(dialect.has_header), text, dialect)


def _delimited_relation(text: PlainText, names: Sequence[str], dialect: Dialect) -> str:
    columns = ", ".join(f"{literal(name)}: 'varchar'" for name in names)
    nulls = ", ".join(literal(value) for value in ("", *dialect.null_values))
    return f"""select * from read_csv({file_literal(text.path)}, auto_detect = false, columns = {{{columns}}},
        delim = {literal(dialect.delimiter)}, quote = {literal(dialect.quote)}, escape = {literal(dialect.quote)},
        header = {dialect.has_header}, nullstr = [{nulls}], {_plain(text)}, {_STORING})"""


def _split(connection: duckdb.DuckDBPyConnection, opened: OpenedFile, table: SourceTable) -> OpenedFile:
    """Return lines as the values that stand on them."""
    text, layout = opened.text, table.keys.file
    assert text is not None
    if layout.format != "json_lines":
        return _aligned(opened, text, table)
    keys, is_repeated = json_lines.keys_of(connection, _lines(text, "ignore_errors = true"), opened.path, table)
    names = named_as_declared(keys, opened.path, table)
    relation = json_lines.relation(_lines(text, _STORING), keys, names, UNREADABLE, is_repeated=is_repeated)
    return replace(opened, relation=relation, types=dict.fromkeys(names, "VARCHAR"), is_exact=True, has_unreadable=True)


def _aligned(opened: OpenedFile, text: PlainText, table: SourceTable) -> OpenedFile:
    layout, widths = table.keys.file, [column.keys.width or 0 for column in table.columns]
    is_fixed = layout.format == "fixed_width"
    first = " ".join(first_record(text.path, _LINES))
    found = aligned.split_at(first, widths) if is_fixed else first.split()
    if layout.header:
        names = named_as_declared(found, opened.path, table)
    else:
        names = _names_by_place(len(widths) if is_fixed else len(found), opened.path, table, "")
    lines = _lines(text, _STORING, has_header=layout.header)
    if is_fixed:
        relation = aligned.fixed_width(lines, names, widths, layout.null_values, UNREADABLE)
    else:
        relation = aligned.by_blanks(lines, names, layout.null_values, UNREADABLE)
    return replace(
        opened,
        relation=relation,
        types=dict.fromkeys(names, "VARCHAR"),
        header_lines=int(layout.header),
        is_exact=True,
        has_unreadable=True,
    )


def _lines(text: PlainText, options: str, *, has_header: bool = False) -> str:
    """Return SQL for a text as a relation of its lines."""
    return f"""read_csv({file_literal(text.path)}, auto_detect = false, columns = {{'content': 'varchar'}},
        delim = {literal(_LINES.delimiter)}, quote = '', escape = '', header = {has_header}, nullstr = '\x02',
        {_plain(text)}, {options})"""


def _plain(text: PlainText) -> str:
    """Return the options of `read_csv` that hold for plain text."""
    return f"""new_line = '{text.line_end.encode("unicode_escape").decode()}', compression = 'none',
        hive_partitioning = false, max_line_size = {MAX_LINE_BYTES}"""


def _names_by_place(count: int, path: Path, table: SourceTable, hint: str) -> list[str]:
    """Return the declared columns, of which the last may be missing if they are optional."""
    declared = [column.name for column in table.columns]
    needed = len(declared)
    while needed and table.columns[needed - 1].keys.optional:
        needed -= 1
    if not needed <= count <= len(declared):
        raise RefusalError(
            table,
            f"it has {count} columns where {len(declared)} are declared{hint}",
            str(path),
            f"ask its sender what changed, or correct the contract in {table.file}; without a header, columns are "
            "known by their place alone.",
        )
    return declared[:count]


def _shown(name: str, place: int, table: SourceTable) -> str:
    """Return what to call a column in a message."""
    is_declared = any(column.name == name for column in table.columns)
    return name if is_declared or not table.has_personal else f"column {place}"
