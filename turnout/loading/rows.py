"""The rows of a file: parsed as declared, the unfit set aside with line and reason, the others kept as Parquet.

Rows stream through DuckDB, which spills to disk what does not fit into its memory limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.engines import file_literal, identifier, literal
from turnout.loading.contract import OURS
from turnout.loading.opened import PLACE, OpenedFile
from turnout.loading.reading import open_file, read_exactly, unreadable
from turnout.loading.refusal import RefusalError
from turnout.loading.setting_aside import KEPT_CHARACTERS, SetAside
from turnout.loading.values import canonical_types, check_formats, evaluated, local_time_of, map_of, reason_of, value_of
from turnout.personal import MASK

if TYPE_CHECKING:
    import duckdb

    from turnout.loading.contract import SourceTable

# Names of our own columns: why a row is unfit, and that row.
_REASON, _CONTENT = f"{OURS}reason", f"{OURS}content"
# Rows that tell when the events of a file begin.
LOOKED_INTO_ROWS = 1_000


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
    may_be_cut : bool
        Whether it is a text that would look the same if it had been cut within its last value.
    """

    path: Path
    columns: tuple[str, ...]
    undeclared: tuple[str, ...]
    row_count: int
    refused_row_count: int
    may_be_cut: bool


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

    set_aside = SetAside(connection, table, file, is_accepted=is_accepted)
    opened = open_file(connection, file, scratch, table, set_aside)
    types = canonical_types(table)
    check_formats(connection, table)
    local = local_time_of(table)
    gathered = {name: columns for name, columns in table.gathered(opened.types).items() if columns}
    values = {
        column.name: map_of(gathered[column.name])
        if column.name in gathered
        else value_of(column, opened, types[column.name], table, local)
        for column in table.columns
    }
    made, values = evaluated(values)
    in_maps = {name for columns in gathered.values() for name in columns}
    columns = (*(name for name in opened.types if name not in in_maps), *gathered)
    undeclared = tuple(name for name in columns if name not in values)
    reason = reason_of(table, opened, values, types, local)
    try:
        opened, staged = _stage_whole(connection, opened, made, values, undeclared, reason, scratch, table, set_aside)
        set_aside.add_rejected(opened)
        total = _count(connection, "staged") + set_aside.count
        if total == 0:
            raise RefusalError(
                table, "it has no rows", str(file), "ask its sender whether that is meant; remove it from landing."
            )
        set_aside.add(opened, f"select {PLACE}, {_REASON}, {_CONTENT} from staged where {_REASON} is not null")
        set_aside.check_share(total)
        if table.keys.key:
            set_aside.add(opened, _repeated_keys(table, earlier))
            set_aside.check_share(total)
        set_aside.check_end(opened)
        refused = set_aside.count
        if refused or staged is None:
            staged = scratch.with_suffix(".fit.parquet")
            fit = f"""select {_listed([*values, *undeclared])} from staged
                where {PLACE} not in (select row from refused_rows where row is not null)"""
            connection.execute(f"copy ({fit}) to {literal(str(staged))} (format parquet, compression zstd)")
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except duckdb.Error as error:
        raise unreadable(table, file, error) from None
    return ParsedFile(staged, columns, undeclared, total - refused, refused, _may_be_cut(opened, table))


def first_event(
    connection: duckdb.DuckDBPyConnection, file: Path, scratch: Path, table: SourceTable
) -> datetime | None:
    """Return the first event time among the first rows of a file; None if it has none there, or cannot be read."""
    import duckdb

    event = next((column for column in table.columns if column.name == table.event_time), None)
    if event is None:
        return None
    try:
        set_aside = SetAside(connection, table, file, is_accepted=True)
        opened = open_file(connection, file, scratch, table, set_aside)
        value = value_of(event, opened, canonical_types(table)[event.name], table, local_time_of(table))
        rows = f"select {value} as event from ({opened.relation}) limit {LOOKED_INTO_ROWS}"
        found = connection.execute(f"select min(cast(event as timestamp)) from ({rows})").fetchall()
    except (RefusalError, duckdb.Error):
        return None  # what is wrong with it is told when it is read
    first: datetime | None = found[0][0]
    return first


def as_shown(name: str, table: SourceTable) -> str:
    """Return SQL for a file's column as people may see it."""
    return f"case when {identifier(name)} is not null then '{MASK}' end" if table.hides(name) else identifier(name)


def _stage_whole(
    connection: duckdb.DuckDBPyConnection,
    opened: OpenedFile,
    made: str,
    values: Mapping[str, str],
    undeclared: Sequence[str],
    reason: str,
    scratch: Path,
    table: SourceTable,
    set_aside: SetAside,
) -> tuple[OpenedFile, Path | None]:
    """Make the view `staged`, see `_stage`, of all lines.

    Where a text has more lines than DuckDB found records, values span lines, or seem to: its records are counted. If
    they are more, too, it is read once more, without the lines that a quote has damaged.
    """
    import duckdb

    is_parsed = True
    try:
        staged = _stage(connection, opened, made, values, undeclared, reason, scratch, table)
        if opened.is_exact or set_aside.accounts_for(opened):
            return opened, staged
    except duckdb.InvalidInputException:
        if opened.text is None or opened.is_exact:
            raise
        is_parsed = False
    opened = read_exactly(connection, opened, scratch, table, set_aside)
    if is_parsed and not set_aside.count and set_aside.accounts_for(opened):
        return opened, staged
    set_aside.forget_rejected()
    return opened, _stage(connection, opened, made, values, undeclared, reason, scratch, table)


def _stage(
    connection: duckdb.DuckDBPyConnection,
    opened: OpenedFile,
    made: str,
    values: Mapping[str, str],
    undeclared: Iterable[str],
    reason: str,
    scratch: Path,
    table: SourceTable,
) -> Path | None:
    """Make the view `staged`: parsed values, the place of each row from 0 on, why it is unfit, and the unfit row.

    Text is parsed once and kept as Parquet, where a row's place is its place in the text. A Parquet file is read
    where it stands. Returns the file that is a load already if no row of it is unfit; None if there is none.
    """
    columns = ", ".join(
        [*(f"{value} as {identifier(name)}" for name, value in values.items()), *map(identifier, undeclared)]
    )
    content = ", ".join(f"{literal(name)}: {as_shown(name, table)}" for name in opened.types)
    relation = f"select {made} from ({opened.relation})"
    unfit = f"""{reason} as {_REASON},
        case when {_REASON} is not null then left(to_json({{{content}}}), {KEPT_CHARACTERS}) end as {_CONTENT}"""
    if table.keys.file.format == "parquet":
        connection.execute(f"create view staged as select {columns}, {unfit}, {PLACE} from ({relation})")
        is_unchanged = all(value == identifier(name) for name, value in values.items())
        return opened.path if is_unchanged else None
    path = scratch.with_suffix(".staged.parquet")
    connection.execute(
        f"""copy (select {columns}, {unfit} from ({relation}))
            to {literal(str(path))} (format parquet, compression zstd)"""
    )
    connection.execute(
        f"""create or replace view staged as
            select * exclude (file_row_number), file_row_number as {PLACE}
            from read_parquet({file_literal(path)}, file_row_number = true, hive_partitioning = false)"""
    )
    return path


def _may_be_cut(opened: OpenedFile, table: SourceTable) -> bool:
    """Return whether nothing follows the last value of a text: neither a line break, nor a quote or a brace."""
    if opened.text is None or opened.text.is_ended or table.keys.file.format == "json_lines":
        return False
    return not table.keys.file.quote or opened.text.last_byte != table.keys.file.quote.encode()


def _repeated_keys(table: SourceTable, earlier: Sequence[Path]) -> str:
    """Return a query of the rows whose key was there before: place, reason, content."""
    key = _listed(table.keys.key)
    content = ", ".join(f"{literal(name)}: {as_shown(name, table)}" for name in table.keys.key)
    repeated = f"""
        select staged.{PLACE}, 'repeats the key of an earlier row', left(to_json({{{content}}}), {KEPT_CHARACTERS})
        from staged
        inner join (
            select {key}, min({PLACE}) as {OURS}first
            from staged where {_REASON} is null group by {key} having count(*) > 1
        ) using ({key})
        where {_REASON} is null and staged.{PLACE} > {OURS}first"""
    if not earlier:
        return repeated
    types = {column.name: column.data_type for column in table.columns}
    casts = ", ".join(f"try_cast({identifier(name)} as {types[name]}) as {identifier(name)}" for name in table.keys.key)
    loads = ", ".join(map(file_literal, earlier))
    return f"""{repeated}
        union
        select {PLACE}, 'repeats the key of an earlier load', left(to_json({{{content}}}), {KEPT_CHARACTERS})
        from staged
        semi join (select {casts} from read_parquet([{loads}], union_by_name = true, hive_partitioning = false))
            using ({key})
        where {_REASON} is null"""


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"select count(*) from {relation}").fetchall()[0][0])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(identifier(name) for name in names)
