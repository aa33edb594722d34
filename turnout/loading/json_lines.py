"""Lines of JSON as a relation: every key of every line, its value as the text that was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.engines import identifier, literal
from turnout.loading.columns import MAX_COLUMNS
from turnout.loading.contract import OURS
from turnout.loading.refusal import RefusalError

if TYPE_CHECKING:
    import duckdb

    from turnout.loading.contract import SourceTable

# A code point that no text may hold (Unicode, chapter 23.7). Where a line is rewritten, a number becomes a text that
# begins with it.
_MARK = "\ufdd0"
# One text, or one number, of a line of JSON.
_WRITTEN = r'("(?:[^"\\]|\\.)*")|(-?[0-9][-+0-9.eE]*)'
_CONTENT, _LINE, _VALUES = f"{OURS}content", f"{OURS}line", f"{OURS}values"


def keys_of(
    connection: duckdb.DuckDBPyConnection, lines: str, path: Path, table: SourceTable
) -> tuple[list[str], bool]:
    """Return the keys that occur on any line, sorted, and whether a line has one of them twice.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where to look.
    lines : str
        SQL for a relation whose only column, `content`, is a line.
    path : Path
        The file, for messages.
    table : SourceTable
        The contract.

    Raises
    ------
    RefusalError
        If no line is an object, or there are too many keys.
    """
    found = connection.execute(
        f"""select name, bool_or(is_repeated) from (
                select unnest(keys) as name, len(keys) <> len(list_distinct(keys)) as is_repeated
                from (select distinct json_keys(content) as keys from {lines} where {_is_object("content")})
            )
            group by name order by name limit {MAX_COLUMNS + 1}"""
    ).fetchall()
    if not found:
        raise RefusalError(
            table,
            "none of its lines is a JSON object",
            str(path),
            f"ask its sender for JSON lines, or correct the format in {table.file}.",
        )
    return [row[0] for row in found], any(row[1] for row in found)


def relation(lines: str, keys: Sequence[str], names: Sequence[str], unreadable: str, *, is_repeated: bool) -> str:
    """Return SQL that selects the values of keys under names, as text, and why a line is no row.

    A number is the text that was written: a way through a double would change `12345678901234567890.123`, and `1.10`
    where it is a name. So a line that is not written as DuckDB would write it is given texts in place of its numbers.

    Parameters
    ----------
    lines : str
        SQL for a relation whose only column, `content`, is a line.
    keys, names : sequence of str
        The keys, and what they are called.
    unreadable : str
        Name of the column that says why a line is no row, null where it is one.
    is_repeated : bool
        Whether there may be lines with a key twice.
    """
    columns = ", ".join(
        f"{_as_written(f'{_VALUES}[{place}]')} as {identifier(name)}" for place, name in enumerate(names, 1)
    )
    pointers = ", ".join(literal(_pointer(key)) for key in keys)
    problem = f"""when {_LINE} is null then
            case when json_valid({_CONTENT}) then 'is not a JSON object' else 'is not JSON' end"""
    if is_repeated:
        found = f"json_keys({_LINE})"
        problem += f" when len({found}) <> len(list_distinct({found})) then 'names a key twice'"
    return f"""select {columns}, case {problem} end as {identifier(unreadable)}
        from (
            select *, json_extract_string({_LINE}, [{pointers}]) as {_VALUES}
            from (
                select {_CONTENT}, case when {_is_object(_CONTENT)} then {_with_marked_numbers(_CONTENT)} end as {_LINE}
                from (select content as {_CONTENT} from {lines})
            )
        )"""


def _is_object(content: str) -> str:
    """Return SQL for whether a line is an object; one with the mark cannot be told from what we make of it."""
    return f"(json_valid({content}) and ltrim({content}, ' \t')[1] = '{{' and not contains({content}, '{_MARK}'))"


def _with_marked_numbers(content: str) -> str:
    """Return SQL for a line that reads the same, but that its numbers are texts that begin with the mark.

    That is a line as it stands if DuckDB would write it so, too, but for the blanks that most programs write.
    """
    compact = f"""replace(replace({content}, '": ', '":'), ', "', ',"')"""
    # Two characters that no JSON may hold stand around each number, and one beside the other after each text.
    bare = rf"regexp_replace({content}, {literal(_WRITTEN)}, '\1' || chr(1) || '\2' || chr(2), 'g')"
    marked = f"""replace(replace(replace({bare}, chr(1) || chr(2), ''), chr(1), '"{_MARK}'), chr(2), '"')"""
    return f"case when cast(json({content}) as varchar) = {compact} then {content} else {marked} end"


def _as_written(value: str) -> str:
    """Return SQL for a value without marks: its own, and, as what is nested is kept as JSON, those within."""
    nested = rf"""regexp_replace({value}, '"{_MARK}([^"]*)"', '\1', 'g')"""
    return f"case when contains({value}, '{_MARK}') then ltrim({nested}, '{_MARK}') else {value} end"


def _pointer(key: str) -> str:
    """Return the JSON pointer of a key of an object (RFC 6901), in which no character but two means anything."""
    return "/" + key.replace("~", "~0").replace("/", "~1")
