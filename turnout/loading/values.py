"""How what stands in a file becomes a value of its column's declared type, as SQL; and the reason why it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from turnout.engines import identifier, literal
from turnout.errors import LoadError

if TYPE_CHECKING:
    import duckdb

    from turnout.loading.contract import Column, SourceTable
    from turnout.loading.reading import OpenedFile

# Characters of a value that are shown in a reason.
SHOWN_CHARACTERS = 60

INTEGERS = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")} | {
    "INTEGER",
    "UINTEGER",
}


def canonical_types(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> dict[str, str]:
    """Return each column's declared type as DuckDB spells it."""
    import duckdb

    types = {}
    for column in table.columns:
        try:
            described = connection.execute(f"describe select cast(null as {column.data_type})").fetchall()
        except duckdb.Error:
            raise _mistaken(
                table,
                f"the data_type '{column.data_type}' of the column '{column.name}' does not exist",
                "write a type that DuckDB and Spark know, such as bigint, double, varchar, date or timestamp.",
            ) from None
        types[column.name] = described[0][1]
    return types


def check_formats(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
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


def value_of(column: Column, opened: OpenedFile, declared: str, table: SourceTable) -> str:
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


def map_of(names: Sequence[str]) -> str:
    """Return SQL for a map of columns, name to value as text, without what is missing or blank."""
    entries = ", ".join(f"{{'key': {literal(name)}, 'value': cast({identifier(name)} as varchar)}}" for name in names)
    return f"map_from_entries(list_filter([{entries}], lambda entry: trim(entry.value) <> ''))"


def reason_of(table: SourceTable, opened: OpenedFile, values: Mapping[str, str], types: Mapping[str, str]) -> str:
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


def _formats(written: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (written,) if isinstance(written, str) else written or ()


def _mistaken(table: SourceTable, found: str, remedy: str) -> LoadError:
    return LoadError(
        f"Contract: {found}.",
        where=f"{table.file}, table '{table.name}'",
        rule="the dbt source is the contract that every file is checked against.",
        remedy=remedy,
    )
