"""A file as a relation: its columns under the names of the contract, as they were written, each row with its line.

DuckDB reads; what is settled here, before a single row is parsed, is whether the file has the declared columns.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from turnout.engines import identifier, literal
from turnout.errors import did_you_mean
from turnout.loading.refusal import RefusalError

if TYPE_CHECKING:
    import duckdb

    from turnout.loading.contract import SourceTable

# Lines of a JSON file in which a declared key must occur at least once.
SAMPLED_LINES = 1_000
# Longest line of a text file, in bytes.
MAX_LINE_BYTES = 1 << 24

_CHUNK_CHARACTERS = 1 << 22
# Characters that nobody writes; in Latin-1 they stand where Windows has its quotes and dashes.
_CONTROL_CHARACTERS = re.compile("[\x80-\x84\x86-\x9f]")


@dataclass(frozen=True)
class OpenedFile:
    """A file that has the declared columns.

    Parameters
    ----------
    path : Path
        The file.
    relation : str
        SQL that selects the file's rows in their order; of a Parquet file with `_row`, the place of each, from 0 on.
    types : mapping of str to str
        Column to its type in the relation, in the file's order; what is text there is still to be parsed.
    header_lines : int
        Lines before the first row.
    can_reject : bool
        Whether running the relation fills `reject_errors` with lines that cannot be split into columns.
    """

    path: Path
    relation: str
    types: Mapping[str, str]
    header_lines: int = 0
    can_reject: bool = False


def open_file(
    connection: duckdb.DuckDBPyConnection, path: Path, scratch: Path, table: SourceTable, rejects_limit: int
) -> OpenedFile:
    """Return a file as a relation.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where the relation will be run.
    path : Path
        The file.
    scratch : Path
        Where a copy may be written, in an encoding that DuckDB reads.
    table : SourceTable
        The contract.
    rejects_limit : int
        Lines after which it is of no interest how many more cannot be split into columns.

    Raises
    ------
    RefusalError
        If the file is empty or cannot be read, or if its columns are not those of the contract.
    """
    import duckdb

    if path.stat().st_size == 0:
        raise _empty(table, path)
    try:
        if table.keys.file.format == "parquet":
            return _parquet(connection, path, table)
        readable = _readable(path, scratch, table)
        if table.keys.file.format == "csv":
            return _csv(readable, path, table, rejects_limit)
        return _json_lines(connection, readable, path, table, rejects_limit)
    except (duckdb.Error, EOFError, gzip.BadGzipFile, csv.Error) as error:
        raise unreadable(table, path, error) from None


def unreadable(table: SourceTable, path: Path, error: Exception) -> RefusalError:
    """Return the refusal of a file that broke while it was read."""
    import duckdb

    kind = {"parquet": "Parquet", "csv": "CSV", "json_lines": "JSON lines"}[table.keys.file.format]
    reason = str(error).splitlines()[0].replace(str(path), path.name)
    if table.has_personal and isinstance(error, duckdb.Error) and not isinstance(error, duckdb.IOException):
        reason = f"{type(error).__name__}, whose words may quote personal values"
    return RefusalError(
        table, f"it cannot be read as {kind} ({reason})", str(path), "ask its sender for a whole file of that kind."
    )


def ends_in_a_line_break(path: Path, table: SourceTable) -> bool:
    """Return whether a text file ends as lines do; a compressed file that is cut off cannot be read at all."""
    if _compression(path, table) == "gzip":
        return True
    with path.open("rb") as content:
        content.seek(-1, io.SEEK_END)
        return content.read() in {b"\n", b"\r", b"\0"}


def _empty(table: SourceTable, path: Path) -> RefusalError:
    return RefusalError(table, "the file is empty", str(path), "ask its sender for a whole file.")


def _parquet(connection: duckdb.DuckDBPyConnection, path: Path, table: SourceTable) -> OpenedFile:
    source = f"read_parquet({literal(str(path))})"
    described = connection.execute(f"describe select * from {source}").fetchall()
    types = {row[0]: row[1] for row in described}
    names = _named_as_declared(list(types), path, table)
    columns = [f"{identifier(found)} as {identifier(name)}" for found, name in zip(types, names, strict=True)]
    relation = f"""select {", ".join(columns)}, file_row_number as _row
        from read_parquet({literal(str(path))}, file_row_number = true)"""
    return OpenedFile(path, relation, dict(zip(names, types.values(), strict=True)))


def _csv(readable: Path, path: Path, table: SourceTable, rejects_limit: int) -> OpenedFile:
    layout = table.keys.file
    with _text(readable, table) as opened:
        sample = opened.read(_CHUNK_CHARACTERS // 64)
    if not sample:
        raise _empty(table, path)
    text = io.StringIO(sample)
    if layout.quote:
        records = csv.reader(text, delimiter=layout.delimiter, quotechar=layout.quote)
    else:
        records = csv.reader(text, delimiter=layout.delimiter, quoting=csv.QUOTE_NONE)
    first = next(records, [])
    if layout.header:
        names = _named_as_declared(first, path, table, sample)
    else:
        declared = [column.name for column in table.columns]
        needed = len(declared)
        while needed and table.columns[needed - 1].keys.optional:
            needed -= 1
        if not needed <= len(first) <= len(declared):
            raise RefusalError(
                table,
                f"it has {len(first)} columns where {len(declared)} are declared{_delimiter_hint(sample, table)}",
                str(path),
                f"ask its sender what changed, or correct the contract in {table.file}; without a header, columns are "
                "known by their place alone.",
            )
        names = declared[: len(first)]
    columns = ", ".join(f"{literal(name)}: 'varchar'" for name in names)
    nulls = ", ".join(literal(value) for value in ("", *layout.null_values))
    source = f"""read_csv({literal(str(readable))}, auto_detect = false, columns = {{{columns}}},
        delim = {literal(layout.delimiter)}, quote = {literal(layout.quote)}, escape = {literal(layout.quote)},
        header = {layout.header}, compression = {literal(_compression(readable, table))}, nullstr = [{nulls}],
        max_line_size = {MAX_LINE_BYTES}, store_rejects = true, rejects_limit = {rejects_limit})"""
    types = dict.fromkeys(names, "VARCHAR")
    return OpenedFile(path, f"select * from {source}", types, int(layout.header), can_reject=True)


def _json_lines(
    connection: duckdb.DuckDBPyConnection, readable: Path, path: Path, table: SourceTable, rejects_limit: int
) -> OpenedFile:
    # One text a line: a character that JSON never holds unescaped stands for the delimiter.
    lines = f"""read_csv({literal(str(readable))}, auto_detect = false, columns = {{'content': 'varchar'}},
        delim = '\x01', quote = '', escape = '', header = false, max_line_size = {MAX_LINE_BYTES},
        compression = {literal(_compression(readable, table))}, nullstr = '\x02', """
    # What is gathered may occur on any line.
    sampled = "" if table.gathered([]) else f"limit {SAMPLED_LINES}"
    found = connection.execute(
        f"""select distinct unnest(json_keys(content)) as name
            from (select content from {lines} ignore_errors = true) where json_valid(content) {sampled})
            where json_type(content) = 'OBJECT' order by name"""
    ).fetchall()
    if not found:
        raise RefusalError(
            table,
            f"none of its first {SAMPLED_LINES:,} lines is a JSON object",
            str(path),
            f"ask its sender for JSON lines, or correct the format in {table.file}.",
        )
    keys = [row[0] for row in found]
    names = _named_as_declared(keys, path, table)
    columns = ", ".join(
        f"json_extract_string(_valid, {literal('$.' + identifier(key))}) as {identifier(name)}"
        for key, name in zip(keys, names, strict=True)
    )
    relation = f"""select {columns}, case when _valid is null then content end as _unreadable
        from (select content, case when json_valid(content) then content end as _valid
            from {lines} store_rejects = true, rejects_limit = {rejects_limit}))"""
    return OpenedFile(path, relation, dict.fromkeys(names, "VARCHAR"), can_reject=True)


def _named_as_declared(found: Sequence[str], path: Path, table: SourceTable, sample: str | None = None) -> list[str]:
    """Return the file's columns in its order, spelled as the contract does; SQL knows no upper and lower case."""
    declared = {column.name.lower(): column for column in table.columns}
    names = [declared[name.strip().lower()].name if name.strip().lower() in declared else name for name in found]
    repeated = sorted({name for name in names if [other.lower() for other in names].count(name.lower()) > 1})
    gathered = table.gathered(names)
    for name in gathered:
        if name in names:
            raise RefusalError(
                table,
                f"it has a column '{name}', under which others are to be gathered",
                str(path),
                f"give the map another name in {table.file}.",
            )
    there = {*names, *(name for name, columns in gathered.items() if columns)}
    missing = [column.name for column in table.columns if column.name not in there and not column.keys.optional]
    if not missing and not repeated:
        return names
    in_maps = {name for columns in gathered.values() for name in columns}
    unexpected = [name for name in names if name.lower() not in declared and name not in in_maps]
    listed = ", ".join(unexpected) or "none"
    if table.has_personal and len(unexpected) == len(names):
        # Perhaps there is no header, and these are values.
        unexpected, listed = [], f"all {len(names)}, which are not shown as they may be personal values"
    if missing:
        hints = "; ".join(
            f"'{name}' gathers the columns that match '{declared[name.lower()].keys.gather}', and there is none."
            if name in gathered
            else f"'{name}' is missing.{_looks_like(name, missing, unexpected)}"
            for name in missing
        )
        problem = f"columns are not as declared: {hints} Unexpected columns: {listed}"
        if sample is not None:
            problem += _delimiter_hint(sample, table)
    else:
        problem = f"the column '{repeated[0]}' is there twice"
    raise RefusalError(
        table, problem, str(path), f"ask its sender for the column, or correct the contract in {table.file}."
    )


def _looks_like(name: str, missing: Sequence[str], unexpected: Sequence[str]) -> str:
    hint = did_you_mean(name, unexpected)
    if not hint and len(missing) == len(unexpected) == 1:
        return f" Was it renamed to '{unexpected[0]}'?"
    return hint


def _delimiter_hint(sample: str, table: SourceTable) -> str:
    if table.keys.file.delimiter in sample.splitlines()[0]:
        return ""
    try:
        guessed = csv.Sniffer().sniff(sample, delimiters=",;\t|").delimiter
    except csv.Error:
        return ""
    return f". It looks as if its delimiter were {guessed!r}, where {table.keys.file.delimiter!r} is declared"


def _compression(path: Path, table: SourceTable) -> str:
    return table.keys.file.compression or ("gzip" if path.suffix == ".gz" else "none")


def _text(path: Path, table: SourceTable) -> IO[str]:
    """Open a file of text that is encoded in UTF-8; what is not is replaced, as the rows will tell of it."""
    opened = gzip.open if _compression(path, table) == "gzip" else open
    return opened(path, "rt", encoding="utf-8-sig", errors="replace", newline="")


def _readable(path: Path, scratch: Path, table: SourceTable) -> Path:
    """Return the file itself if it is encoded in UTF-8, else a copy that is."""
    encoding = codecs.lookup(table.keys.file.encoding).name
    if encoding == "utf-8":
        return path
    is_compressed = _compression(path, table) == "gzip"
    copy = scratch.with_suffix(".gz" if is_compressed else ".text")
    opened = gzip.open if is_compressed else open
    as_utf_8, is_utf_8, is_ascii = codecs.getincrementaldecoder("utf-8")(), True, True
    decoder, control = codecs.getincrementaldecoder(encoding)(), None
    with opened(path, "rb") as content, opened(copy, "wb") as recoded:
        while chunk := content.read(_CHUNK_CHARACTERS):
            is_ascii = is_ascii and chunk.isascii()
            try:
                text = decoder.decode(chunk)
                recoded.write(text.encode())
            except UnicodeDecodeError as error:
                raise _wrongly_encoded(table, path, f"byte {error.start} of a block is no {encoding}") from None
            control = control or _CONTROL_CHARACTERS.search(text)
            if is_utf_8:
                try:
                    as_utf_8.decode(chunk)
                except UnicodeDecodeError:
                    is_utf_8 = False
        recoded.write(decoder.decode(b"", final=True).encode())
    if is_utf_8 and not is_ascii:
        raise _wrongly_encoded(table, path, "it is UTF-8 throughout")
    if control:
        raise _wrongly_encoded(table, path, f"it would hold the character {control[0]!r}; perhaps it is cp1252")
    return copy


def _wrongly_encoded(table: SourceTable, path: Path, found: str) -> RefusalError:
    return RefusalError(
        table,
        f"its encoding is not {table.keys.file.encoding}, as declared: {found}",
        str(path),
        f"ask its sender, or correct the encoding in {table.file}.",
    )
