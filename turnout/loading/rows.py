"""The rows of a file: parsed as declared, the unfit set aside with line and reason, the others kept as Parquet.

Rows stream through DuckDB, which spills to disk what does not fit into its memory limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.engines import identifier, literal
from turnout.errors import LoadError
from turnout.loading.reading import OpenedFile, ends_in_a_line_break, open_file, unreadable
from turnout.loading.refusal import RefusalError
from turnout.personal import MASK

if TYPE_CHECKING:
    import duckdb

    from turnout.loading.contract import Column, SourceTable

# Lines that cannot be split into columns after which a file is refused without counting more of them.
REJECTS_LIMIT = 100_000
# Characters of a value that are shown in a reason, and of a row that are kept with it.
SHOWN_CHARACTERS = 60
KEPT_CHARACTERS = 4_000

# Rows that tell when the events of a file begin.
LOOKED_INTO_ROWS = 1_000

INTEGERS = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")} | {
    "INTEGER",
    "UINTEGER",
}


@dataclass(frozen=True)
class ParsedFile:
    """What came of the rows of a file; those that were set aside are in `refused_rows`.

    Parameters
    ----------
    path : Path
        The fit rows, as Parquet: in the scratch folder, or the file itself if it is just that already.
    columns : tuple of str
        The columns that the file had, declared or not; in place of those that were gathered the map that holds them.
    undeclared : tuple of str
        Those of them that the contract does not name; they are kept, and not shown in raw.
    row_count, refused_row_count : int
        Rows that are in `path`, and rows that were set aside.
    """

    path: Path
    columns: tuple[str, ...]
    undeclared: tuple[str, ...]
    row_count: int
    refused_row_count: int


def parse(
    connection: duckdb.DuckDBPyConnection,
    file: Path,
    scratch: Path,
    table: SourceTable,
    earlier: Sequence[Path],
    *,
    is_accepted: bool,
) -> ParsedFile:
    """Parse a file's rows, set aside those that do not keep the contract, and write the others.

    A row is set aside if it cannot be split into columns, a value is not of its type, a required value is missing,
    or its key was there before, in the file or, for a table that is appended to, in an earlier load. Its line is the
    number of the row in the file, header included; a value that spans lines counts as one.

    Parameters
    ----------
    connection : DuckDBPyConnection
        A connection of its own, in memory. It is given the tables `refused_rows` (`line_number`, `reason`, `content`).
    file : Path
        The file.
    scratch : Path
        Where to write; names that begin with this one may be used.
    table : SourceTable
        The contract.
    earlier : sequence of Path
        The loads whose keys a row may not repeat.
    is_accepted : bool
        Whether a person accepts the file however many rows are set aside.

    Raises
    ------
    RefusalError
        If the file as a whole does not keep the contract, has no rows, or too many rows would be set aside.
    """
    import duckdb

    connection.execute("create table refused_rows (line_number bigint, reason varchar, content varchar, row bigint)")
    opened = open_file(connection, file, scratch, table, REJECTS_LIMIT)
    types = _canonical_types(table)
    _check_formats(connection, table)
    gathered = {name: columns for name, columns in table.gathered(opened.types).items() if columns}
    values = {
        column.name: _map(gathered[column.name])
        if column.name in gathered
        else _value(column, opened, types[column.name], table)
        for column in table.columns
    }
    in_maps = {name for columns in gathered.values() for name in columns}
    columns = (*(name for name in opened.types if name not in in_maps), *gathered)
    undeclared = tuple(name for name in columns if name not in values)
    try:
        staged = _stage(connection, opened, values, undeclared, _reason(table, opened, values, types), scratch, table)
        _set_aside_rejected_lines(connection, opened, table, file, is_accepted=is_accepted)
        rejected = _count(connection, "refused_rows")
        total = _count(connection, "staged") + rejected
        if total == 0:
            raise RefusalError(
                table, "it has no rows", str(file), "ask its sender whether that is meant; remove it from landing."
            )
        _set_aside(connection, opened, "select _row, _reason, _content from staged where _reason is not null")
        _check_share(connection, table, file, total, is_accepted=is_accepted)
        if table.keys.key:
            _set_aside(connection, opened, _repeated_keys(table, earlier))
            _check_share(connection, table, file, total, is_accepted=is_accepted)
        _check_end(connection, opened, table, file, total, is_accepted=is_accepted)
        refused = _count(connection, "refused_rows")
        if refused or staged is None:
            staged = scratch.with_suffix(".fit.parquet")
            fit = f"""select {_listed([*values, *undeclared])} from staged
                where _row not in (select row from refused_rows where row is not null)"""
            connection.execute(f"copy ({fit}) to {literal(str(staged))} (format parquet, compression zstd)")
    except (duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise unreadable(table, file, error) from None
    return ParsedFile(staged, columns, undeclared, total - refused, refused)


def first_event(
    connection: duckdb.DuckDBPyConnection, file: Path, scratch: Path, table: SourceTable
) -> datetime | None:
    """Return the first event time among the first rows of a file; None if it has none there, or cannot be read."""
    import duckdb

    event = next((column for column in table.columns if column.name == table.event_time), None)
    if event is None:
        return None
    try:
        opened = open_file(connection, file, scratch, table, REJECTS_LIMIT)
        value = _value(event, opened, _canonical_types(table)[event.name], table)
        rows = f"select {value} as event from ({opened.relation}) limit {LOOKED_INTO_ROWS}"
        found = connection.execute(f"select min(cast(event as timestamp)) from ({rows})").fetchall()
    except (RefusalError, duckdb.Error):
        return None  # what is wrong with it is told when it is read
    first: datetime | None = found[0][0]
    return first


def as_shown(name: str, table: SourceTable) -> str:
    """Return SQL for a file's column as people may see it."""
    return f"case when {identifier(name)} is not null then '{MASK}' end" if table.hides(name) else identifier(name)


@cache
def _canonical_type(data_type: str) -> str:
    """Return a type as DuckDB spells it; the same for every file."""
    import duckdb

    with duckdb.connect() as connection:
        return str(connection.execute(f"describe select cast(null as {data_type})").fetchall()[0][1])


def _canonical_types(table: SourceTable) -> dict[str, str]:
    """Return each column's declared type as DuckDB spells it."""
    import duckdb

    types = {}
    for column in table.columns:
        try:
            types[column.name] = _canonical_type(column.data_type)
        except duckdb.Error:
            raise _mistaken(
                table,
                f"the data_type '{column.data_type}' of the column '{column.name}' does not exist",
                "write a type that DuckDB and Spark know, such as bigint, double, varchar, date or timestamp.",
            ) from None
    return types


def _check_formats(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
    """Refuse a format of dates that does not exist before a value is read with it."""
    import duckdb

    layout = table.keys.file
    for written in (*_formats(layout.date_format), *_formats(layout.timestamp_format)):
        try:
            connection.execute(f"select try_strptime('', {literal(written)})")
        except duckdb.Error:
            raise _mistaken(
                table,
                f"dates cannot be written as '{written}'",
                "write the format as in strptime, such as '%d/%m/%Y'.",
            ) from None


def _formats(written: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (written,) if isinstance(written, str) else written or ()


def _mistaken(table: SourceTable, found: str, remedy: str) -> LoadError:
    return LoadError(
        f"Contract: {found}.",
        where=f"{table.file}, table '{table.name}'",
        rule="the dbt source is the contract that every file is checked against.",
        remedy=remedy,
    )


def _value(column: Column, opened: OpenedFile, declared: str, table: SourceTable) -> str:
    """Return SQL for a column's value, null where what is in the file is not of its type."""
    name, found = identifier(column.name), opened.types.get(column.name)
    if found is None:
        return f"cast(null as {declared})"
    if found == declared:
        return name
    layout = table.keys.file
    if found != "VARCHAR":
        # Nothing may be lost on the way: 1.5 is no integer, and noon is no date.
        cast = f"try_cast({name} as {declared})"
        return f"case when try_cast({cast} as {found}) = {name} then {cast} end"
    if declared in INTEGERS:
        # A cast alone would round 1.5. Programs that know no missing integers write 1 as 1.0.
        return (
            f"case when regexp_full_match(trim({name}), '[+-]?[0-9]+(\\.0*)?') then try_cast({name} as {declared}) end"
        )
    if declared in {"DOUBLE", "FLOAT"}:
        return f"case when isfinite(try_cast({name} as {declared})) then try_cast({name} as {declared}) end"
    written = _formats(layout.date_format if declared == "DATE" else layout.timestamp_format)
    if written and (declared == "DATE" or declared.startswith("TIMESTAMP")):
        return f"cast(try_strptime({name}, [{', '.join(map(literal, written))}]) as {declared})"
    return f"try_cast({name} as {declared})"


def _map(names: Sequence[str]) -> str:
    """Return SQL for a map of columns, name to value as text, without what is missing or blank."""
    entries = ", ".join(f"{{'key': {literal(name)}, 'value': cast({identifier(name)} as varchar)}}" for name in names)
    return f"map_from_entries(list_filter([{entries}], lambda entry: trim(entry.value) <> ''))"


def _reason(table: SourceTable, opened: OpenedFile, values: Mapping[str, str], types: Mapping[str, str]) -> str:
    """Return SQL that says in words why a row is unfit, and is null where it is fit."""
    cases = ["when _unreadable is not null then 'is not JSON'"] if table.keys.file.format == "json_lines" else []
    for column in table.columns:
        name = identifier(column.name)
        if column.name not in opened.types:
            continue
        if values[column.name] != name:
            unfit, value = f"{column.name} is not {types[column.name].lower()}", ""
            if not column.is_personal:
                unfit, value = f"{unfit}: ", f" || left(cast({name} as varchar), {SHOWN_CHARACTERS})"
            cases.append(f"when {name} is not null and {values[column.name]} is null then {literal(unfit)}{value}")
        elif types[column.name] in {"DOUBLE", "FLOAT"}:
            cases.append(f"when not isfinite({name}) then {literal(f'{column.name} is not a number')}")
        if column.is_required:
            cases.append(f"when {name} is null then {literal(f'{column.name} is missing')}")
    return f"case {' '.join(cases)} end" if cases else "cast(null as varchar)"


def _stage(
    connection: duckdb.DuckDBPyConnection,
    opened: OpenedFile,
    values: Mapping[str, str],
    undeclared: Iterable[str],
    reason: str,
    scratch: Path,
    table: SourceTable,
) -> Path | None:
    """Make the view `staged`: parsed values, `_row` (the place, from 0 on), `_reason`, `_content` (the unfit row).

    Text is parsed once and kept as Parquet, where a row's place is its place in the text. A Parquet file is read
    where it stands. Returns the file that is a load already if no row of it is unfit; None if there is none.
    """
    columns = ", ".join(
        [*(f"{value} as {identifier(name)}" for name, value in values.items()), *map(identifier, undeclared)]
    )
    content = ", ".join(f"{literal(name)}: {as_shown(name, table)}" for name in opened.types)
    unfit = (
        f"{reason} as _reason, case when _reason is not null then left(to_json({{{content}}}), {KEPT_CHARACTERS}) end"
    )
    if table.keys.file.format == "parquet":
        connection.execute(
            f"create view staged as select {columns}, {unfit} as _content, _row from ({opened.relation})"
        )
        is_unchanged = all(value == identifier(name) for name, value in values.items())
        return opened.path if is_unchanged else None
    path = scratch.with_suffix(".staged.parquet")
    connection.execute(
        f"""copy (select {columns}, {unfit} as _content from ({opened.relation}))
            to {literal(str(path))} (format parquet, compression zstd)"""
    )
    connection.execute(
        f"""create view staged as
            select * exclude (file_row_number), file_row_number as _row
            from read_parquet({literal(str(path))}, file_row_number = true)"""
    )
    return path


def _set_aside_rejected_lines(
    connection: duckdb.DuckDBPyConnection, opened: OpenedFile, table: SourceTable, file: Path, *, is_accepted: bool
) -> None:
    """Set aside the lines that could not be split into columns; DuckDB has listed them."""
    if not opened.can_reject:
        return
    reason, content = "error_message", "csv_line"
    if table.has_personal:
        reason, content = "cast(error_type as varchar)", "cast(null as varchar)"
    connection.execute(
        f"""insert into refused_rows
            select line, 'cannot be split into columns: ' || lower(any_value({reason})), any_value({content}), null
            from reject_errors group by line"""
    )
    if _count(connection, "reject_errors") >= REJECTS_LIMIT:
        raise RefusalError(
            table,
            f"more than {REJECTS_LIMIT:,} errors in splitting lines into columns",
            str(file),
            f"ask its sender, or correct the delimiter and the quote in {table.file}.",
        )
    first, undecodable = connection.execute(
        "select min(line), count(distinct line) from reject_errors where error_type = 'INVALID ENCODING'"
    ).fetchall()[0]
    if undecodable and not is_accepted:
        raise RefusalError(
            table,
            f"{undecodable:,} lines are not encoded in {table.keys.file.encoding}, the first of them line {first:,}",
            str(file),
            f"ask its sender how it is encoded, and correct the encoding in {table.file}; or accept it without "
            "those lines.",
            may_be_accepted=True,
        )


def _set_aside(connection: duckdb.DuckDBPyConnection, opened: OpenedFile, unfit: str) -> None:
    """Set aside the rows that a query finds (place, reason, content), each with its line in the file.

    Lines that could not be split are in no place, so the places after them have moved up.
    """
    connection.execute(
        f"""insert into refused_rows
            with
            rejected as (
                select line_number - row_number() over (order by line_number) + 1 as line_without, line_number
                from refused_rows where row is null
            ),
            moved as (select line_without, max(line_number - line_without) + 1 as lines from rejected group by all),
            unfit(row, reason, content) as ({unfit})
            select row + 1 + {opened.header_lines} + coalesce(lines, 0), reason, content, row
            from unfit asof left join moved on row + 1 + {opened.header_lines} >= line_without"""
    )


def _repeated_keys(table: SourceTable, earlier: Sequence[Path]) -> str:
    """Return a query of the rows whose key was there before: place, reason, content."""
    key = _listed(table.keys.key)
    content = ", ".join(f"{literal(name)}: {as_shown(name, table)}" for name in table.keys.key)
    repeated = f"""
        select staged._row, 'repeats the key of an earlier row', left(to_json({{{content}}}), {KEPT_CHARACTERS})
        from staged
        inner join (
            select {key}, min(_row) as first_row from staged where _reason is null group by {key} having count(*) > 1
        ) using ({key})
        where _reason is null and staged._row > first_row"""
    if not earlier:
        return repeated
    types = {column.name: column.data_type for column in table.columns}
    casts = ", ".join(f"try_cast({identifier(name)} as {types[name]}) as {identifier(name)}" for name in table.keys.key)
    loads = ", ".join(literal(str(path)) for path in earlier)
    return f"""{repeated}
        union
        select _row, 'repeats the key of an earlier load', left(to_json({{{content}}}), {KEPT_CHARACTERS})
        from staged
        semi join (select {casts} from read_parquet([{loads}], union_by_name = true)) using ({key})
        where _reason is null"""


def _check_share(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, file: Path, total: int, *, is_accepted: bool
) -> None:
    """Refuse a file of which too much was set aside."""
    refused = _count(connection, "refused_rows")
    if refused < total and (is_accepted or refused <= table.keys.refuse_above * total):
        return
    kinds = connection.execute(
        """select split_part(reason, ': ', 1), count(*), arg_min(reason, line_number), min(line_number)
           from refused_rows group by 1 order by 2 desc limit 3"""
    ).fetchall()
    examples = "; ".join(
        f"{count:,} because {kind} (line {line:,}{reason.removeprefix(kind)})" for kind, count, reason, line in kinds
    )
    raise RefusalError(
        table,
        f"{refused:,} of {total:,} rows do not keep the contract, more than {table.keys.refuse_above:.3g} of all: "
        f"{examples}",
        str(file),
        f"ask its sender, correct the contract in {table.file}, or accept it without those rows.",
        may_be_accepted=refused < total,
    )


def _check_end(
    connection: duckdb.DuckDBPyConnection,
    opened: OpenedFile,
    table: SourceTable,
    file: Path,
    total: int,
    *,
    is_accepted: bool,
) -> None:
    """Refuse a text that ends in the middle of a line: nobody knows how many rows it has lost."""
    if is_accepted or not opened.can_reject or ends_in_a_line_break(file, table):
        return
    last = _count(connection, f"refused_rows where line_number >= {total + opened.header_lines}")
    if last:
        raise RefusalError(
            table,
            f"it was cut off: its last line, {total + opened.header_lines:,}, is not whole",
            str(file),
            "ask its sender for the whole file; or accept it without that line.",
            may_be_accepted=True,
        )


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"select count(*) from {relation}").fetchall()[0][0])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(identifier(name) for name in names)
