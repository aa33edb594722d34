"""How what stands in a file becomes a value of its column's declared type, as SQL; and the reason why it does not.

One rule holds for every kind of file: a value is kept as it was written, or refused; nothing is rounded or cut. The
casts of the engine are more generous: of `10:00 PM` they make ten in the morning, of `1e3` a whole number, of `epoch` a
date. So patterns say here what of a text is a value, and what is of a type already is cast back and compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from turnout.engines import identifier, literal
from turnout.engines.duckdb import connect
from turnout.errors import LoadError, did_you_mean
from turnout.loading.contract import OURS
from turnout.loading.local_time import LocalTime, zones
from turnout.loading.opened import UNREADABLE

if TYPE_CHECKING:
    import duckdb

    from turnout.loading.contract import Column, FileFormat, SourceTable
    from turnout.loading.opened import OpenedFile

# The name of our own column of made values.
_VALUES = f"{OURS}values"
# Characters of a value that are shown in a reason.
SHOWN_CHARACTERS = 60

INTEGERS = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")} | {
    "INTEGER",
    "UINTEGER",
}
# Types of floating-point numbers, each with the whole number up to which it stands for no other one.
FLOATS = {"DOUBLE": 2**53, "FLOAT": 2**24}
# Types of instants, each with the digits of a second that it keeps; values of those with a zone tell theirs.
WITHOUT_ZONE = {"TIMESTAMP_S": 0, "TIMESTAMP_MS": 3, "TIMESTAMP": 6, "TIMESTAMP_NS": 9}
WITH_ZONE = {"TIMESTAMP WITH TIME ZONE": 6, "TIMESTAMPTZ_NS": 9}
INSTANTS = WITHOUT_ZONE | WITH_ZONE

# Of a format as in strptime, what reads an offset or a zone's name.
_OFFSET_IN_FORMAT = re.compile(r"(?<!%)(?:%%)*%[zZ]")

# What ISO 8601 writes, in patterns: the year is never 0, and never of two digits.
_DAY = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])[-/][0-9]{1,2}[-/][0-9]{1,2}"
_MIDNIGHT = "0?0:00(?::00(?:[.]0+)?)?"
_END_OF_DAY = "24:00(?::00)?"
_THEN = "(?:[Tt]| +)"
_UTC = " ?(?:[Zz]|UTC)"
_OFFSET = " ?[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?"
_BLANKS = literal(" \t\r\n")


@cache
def _canonical_type(data_type: str) -> str:
    """Return a type as DuckDB spells it; the same for every file."""
    with connect() as connection:
        return str(connection.execute(f"describe select cast(null as {data_type})").fetchall()[0][1])


def canonical_types(table: SourceTable) -> dict[str, str]:
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
    for written in _formats(layout.date_format):
        if _OFFSET_IN_FORMAT.search(written):
            raise _mistaken(
                table,
                f"dates are written as '{written}', but a date has no offset",
                "declare the column as timestamp, with its 'timestamp_format', and make a date of it in SQL.",
            )


def local_time_of(table: SourceTable) -> LocalTime | None:
    """Return the local time in which a file's times without an offset are; None if they are UTC.

    Raises
    ------
    LoadError
        If there is no such zone.
    """
    zone = table.keys.file.time_zone
    if zone is None or zone == "UTC":
        return None
    known = zones()
    if zone not in known:
        raise _mistaken(
            table,
            f"there is no time zone '{zone}'",
            f"write the name of a region, such as 'America/New_York'.{did_you_mean(zone, known)}",
        )
    return LocalTime.of(zone)


def value_of(column: Column, opened: OpenedFile, declared: str, table: SourceTable, local: LocalTime | None) -> str:
    """Return SQL for a column's value, null where what is in the file is not of its type.

    Parameters
    ----------
    column : Column
        The column.
    opened : OpenedFile
        The file.
    declared : str
        The column's type, as DuckDB spells it.
    table : SourceTable
        The contract.
    local : LocalTime, optional
        From `local_time_of`.
    """
    found = opened.types.get(column.name)
    if found is None:
        return f"cast(null as {declared})"
    return converted(identifier(column.name), found, declared, table.keys.file, local)


def converted(name: str, found: str, declared: str, layout: FileFormat, local: LocalTime | None = None) -> str:
    """Return SQL for a value of one type as one of another: the same value, or null.

    Parameters
    ----------
    name : str
        The value, in SQL.
    found, declared : str
        The two types, as DuckDB spells them.
    layout : FileFormat
        How dates are written in text.
    local : LocalTime, optional
        Of times that do not tell theirs. Default: UTC.
    """
    if found == "VARCHAR":
        return _from_text(name, declared, layout, local)
    if local is not None and declared in INSTANTS and (found == "DATE" or found in WITHOUT_ZONE):
        return _within_years(f"cast({_in_utc(name, found, local)} as {declared})")
    return name if found == declared else _from_type(name, found, declared)


def evaluated(values: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return what to select so that each value is made once, and SQL for the values over that: a reason asks again.

    Parameters
    ----------
    values : mapping of str to str
        SQL by column, over a file's relation.
    """
    made = {name: value for name, value in values.items() if value != identifier(name)}
    if not made:
        return "*", dict(values)
    fields = ", ".join(f"{identifier(name)} := {value}" for name, value in made.items())
    return f"*, struct_pack({fields}) as {_VALUES}", {
        name: f"{_VALUES}.{identifier(name)}" if name in made else value for name, value in values.items()
    }


def map_of(names: Sequence[str]) -> str:
    """Return SQL for a map of columns, name to value as text, without what is missing or blank."""
    entries = ", ".join(f"{{'key': {literal(name)}, 'value': cast({identifier(name)} as varchar)}}" for name in names)
    return f"map_from_entries(list_filter([{entries}], lambda entry: trim(entry.value) <> ''))"


def reason_of(
    table: SourceTable,
    opened: OpenedFile,
    values: Mapping[str, str],
    types: Mapping[str, str],
    local: LocalTime | None,
) -> str:
    """Return SQL that says in words why a row is unfit, and is null where it is fit."""
    cases = [f"when {UNREADABLE} is not null then {UNREADABLE}"] if opened.has_unreadable else []
    for column in table.columns:
        name, found, declared = identifier(column.name), opened.types.get(column.name), types[column.name]
        if found is None:
            continue
        shown = "" if column.is_personal else f" || ': ' || left(cast({name} as varchar), {SHOWN_CHARACTERS})"
        if values[column.name] != name:
            unfit = literal(f"{column.name} is not {declared.lower()}")
            if local is not None and declared in INSTANTS:
                time = converted(name, found, "TIMESTAMP", table.keys.file)
                unfit = f"case when {time} is null then {unfit} else {_no_instant(column.name, time, local)} end"
            cases.append(f"when {name} is not null and {values[column.name]} is null then {unfit}{shown}")
        elif declared in FLOATS:
            cases.append(f"when not isfinite({name}) then {literal(f'{column.name} is not a number')}")
        elif declared == "DATE" or declared in INSTANTS:
            unfit = literal(f"{column.name} is not within the years 1 to 9999")
            cases.append(f"when {name} is not null and {_within_years(name)} is null then {unfit}{shown}")
        if column.is_required:
            cases.append(f"when {name} is null then {literal(f'{column.name} is missing')}")
    return f"case {' '.join(cases)} end" if cases else "cast(null as varchar)"


def _no_instant(name: str, time: str, local: LocalTime) -> str:
    """Return SQL that says why a local time is not one instant."""
    skipped, twice = (literal(f"{name} is in an hour that {local.zone} {what}") for what in ("skips", "has twice"))
    return f"case when {local.is_skipped(time)} then {skipped} else {twice} end"


def _from_text(name: str, declared: str, layout: FileFormat, local: LocalTime | None) -> str:
    """Return SQL for the value that a text says; blanks around it mean nothing, but in text."""
    cast = f"try_cast({name} as {declared})"
    if declared == "VARCHAR":
        return name
    if declared == "BOOLEAN":
        return f"try_cast(trim({name}, {_BLANKS}) as boolean)"
    if declared in FLOATS:
        # The engine takes 1_000 for a number, and 1e-400 for zero.
        is_zero = f"case when not regexp_matches({name}, '^[^eE]*[1-9]') then {cast} end"
        return (
            f"case when {cast} = 0 then {is_zero} when isfinite({cast}) and not contains({name}, '_') then {cast} end"
        )
    if declared == "DATE":
        return _date(name, layout)
    if declared in INSTANTS:
        return _instant(name, declared, layout, local)
    if declared in INTEGERS or declared.startswith("DECIMAL"):
        # Programs that know no missing integers write 1 as 1.0. Most are as the engine itself would write them.
        scale = _scale(declared)
        fraction = f"[.][0-9]{{0,{scale}}}0*" if scale else "[.]0*"
        pattern = f"[+-]?(?:[0-9]+(?:{fraction})?" + (f"|[.][0-9]{{1,{scale}}}0*)" if scale else ")")
        return f"case when cast({cast} as varchar) = {name} then {cast} when {_matches(name, pattern)} then {cast} end"
    if declared == "TIME":
        return f"case when {_matches(name, _time_of_day(6))} then {cast} end"
    return cast


def _date(name: str, layout: FileFormat) -> str:
    """Return SQL for the date that a text says: without an offset, and no time but midnight."""
    written = _formats(layout.date_format)
    if written:
        time = _said_in(name, f"try_strptime({name}, [{', '.join(map(literal, written))}])")
        return f"case when {time} = date_trunc('day', {time}) then cast({time} as date) end"
    cast = f"try_cast(upper({name}) as date)"
    is_usual = f"strlen({name}) = 10 and cast({cast} as varchar) = {name}"
    is_date = _matches(name, f"{_DAY}(?:{_THEN}{_MIDNIGHT})?")
    return f"case when {is_usual} then {cast} when {is_date} then {cast} end"


def _instant(name: str, declared: str, layout: FileFormat, local: LocalTime | None) -> str:
    """Return SQL for the instant that a text says: by its offset, or by the clock of the provider."""
    digits = INSTANTS[declared]
    kind = {6: "TIMESTAMP", 9: "TIMESTAMP_NS"}.get(digits, declared)
    written = _formats(layout.timestamp_format)
    if written:
        return _lossless(_said_in(name, _formatted(name, written, local)), kind, declared)
    # What is left of these patterns the engine's casts drop, and it means nothing: a Z, as we are in UTC.
    usual, upper = f"try_cast({name} as {kind})", f"upper(trim({name}, {_BLANKS}))"
    time = f"try_cast({upper} as {kind})"
    zoned = f"replace(replace({upper}, ' +', '+'), ' -', '-')"
    zoned = f"cast(try_cast({zoned} as {'TIMESTAMPTZ_NS' if digits == 9 else 'timestamptz'}) as {kind})"
    is_usual, then = f"strlen({name}) = 19 and cast({usual} as varchar) = {name}", f"{_THEN}{_time_of_day(digits)}"
    cases = [(is_usual, _in_utc(usual, kind, local))]
    if local is None:
        cases += [(_matches(name, f"{_DAY}(?:{then}(?:{_UTC})?)?"), time)]
    else:
        cases += [(_matches(name, f"{_DAY}(?:{then})?"), _in_utc(time, kind, local))]
        cases += [(_matches(name, f"{_DAY}{then}{_UTC}"), time)]
    cases += [
        (_matches(name, f"{_DAY}{then}{_OFFSET}"), _within_years(zoned)),
        (_matches(name, f"{_DAY}{_THEN}{_END_OF_DAY}"), _within_years(_in_utc(time, kind, local))),
    ]
    instant = f"case {' '.join(f'when {is_so} then {instant}' for is_so, instant in cases)} end"
    return instant if kind == declared else f"cast({instant} as {declared})"


def _formatted(name: str, written: Sequence[str], local: LocalTime | None) -> str:
    """Return SQL for the instant that a text says in one of some formats, the first that fits."""
    if not any(map(_OFFSET_IN_FORMAT.search, written)):
        time = f"try_strptime({name}, [{', '.join(map(literal, written))}])"
        return _in_utc(time, "TIMESTAMP_NS" if any("%n" in one for one in written) else "TIMESTAMP", local)
    instants = []
    for one in written:
        time = f"try_strptime({name}, {literal(one)})"
        if not _OFFSET_IN_FORMAT.search(one):
            instants.append(_in_utc(time, "TIMESTAMP_NS" if "%n" in one else "TIMESTAMP", local))
            continue
        instants.append(f"cast({time} as timestamp)")
        if "%z" in one:  # of offsets that strptime reads, Z is none
            instants.append(f"try_strptime({name}, {literal(one.replace('%z', 'Z'))})")
    return f"coalesce({', '.join(instants)})"


def _said_in(name: str, time: str) -> str:
    """Return SQL for what a text says in a declared format, but for what no format means.

    To strptime `infinity` and `epoch` are the year 1900 in every format, and a year of two digits is one of the first
    hundred, where a format wants four.
    """
    no_word = f"case when regexp_matches({name}, '[0-9]') then {time} end"
    return f"case when {time} = timestamp '1900-01-01' then {no_word} when year({time}) >= 1000 then {time} end"


def _from_type(name: str, found: str, declared: str) -> str:
    """Return SQL for a value of another type that is the same value: cast back, it is what it was."""
    if found in WITH_ZONE and declared == "DATE":
        return "cast(null as date)"  # which day an instant is, is a question of the zone
    if declared == "VARCHAR" and found == "BLOB":
        return f"try(decode({name}))"
    if declared == "VARCHAR" and (found.endswith("]") or found.startswith(("STRUCT", "MAP", "UNION"))):
        return "cast(null as varchar)"  # as text it would have the form that this engine gives it
    if found == "TIMESTAMPTZ_NS" and declared in INSTANTS:
        return _within_years(_lossless(f"cast({name} as timestamp_ns)", "TIMESTAMP", declared))
    cast = f"try_cast({name} as {declared})"
    is_same = f"try_cast({cast} as {found}) = {name}"
    if found in FLOATS and (declared in INTEGERS or declared == "VARCHAR" or declared.startswith("DECIMAL")):
        is_same += f" and abs({name}) <= {FLOATS[found] // 10 ** _scale(declared)}"
    if declared in FLOATS:
        is_same += f" and isfinite({cast})"
    if declared == "DATE" or declared in INSTANTS:
        cast = _within_years(cast)
    return f"case when {is_same} then {cast} end"


def _in_utc(time: str, kind: str, local: LocalTime | None) -> str:
    """Return SQL for the instant of a time without an offset; finer than microseconds it has none in a zone."""
    if local is None:
        return time
    if kind == "TIMESTAMP":
        return local.in_utc(time)
    return f"case when cast({time} as timestamp) = {time} then {local.in_utc(f'cast({time} as timestamp)')} end"


def _lossless(time: str, kind: str, declared: str) -> str:
    """Return SQL for an instant of some kind with the digits that a type keeps; null if it has more."""
    cast = f"try_cast({time} as {kind})"
    return f"case when {cast} = {time} then cast({cast} as {declared}) end"


def _within_years(time: str) -> str:
    """Return SQL for a date or a time that Python and Parquet can hold as well: from the year 1 to 9999."""
    return f"case when year({time}) between 1 and 9999 then {time} end"


def _time_of_day(digits: int) -> str:
    """Return the pattern of a time of the day with at most so many digits of a second that are not zero."""
    fraction = f"[.][0-9]{{1,{digits}}}0*" if digits else "[.]0+"
    return f"(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:{fraction})?)?"


def _scale(declared: str) -> int:
    """Return the digits behind the point that a type keeps."""
    return int(declared.rstrip(")").rpartition(",")[2]) if declared.startswith("DECIMAL") else 0


def _matches(name: str, pattern: str) -> str:
    pattern = rf"\s*(?:{pattern})\s*"
    return f"regexp_full_match({name}, {literal(pattern)})"


def _formats(written: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (written,) if isinstance(written, str) else written or ()


def _mistaken(table: SourceTable, found: str, remedy: str) -> LoadError:
    return LoadError(
        f"Contract: {found}.",
        where=f"{table.file}, table '{table.name}'",
        rule="the dbt source is the contract that every file is checked against.",
        remedy=remedy,
    )
