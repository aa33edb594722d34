"""The contract of a source table: what stands in dbt's source YAML, validated, and nothing beside it.

Columns have dbt's `data_type`; a column with dbt's `not_null` test may not be null; values of a column with dbt's tag
`personal` are for nobody to see; the rest stands under `config.meta.load` of the table and of its columns.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass as strict

from turnout.declarations import Mistake, Place, validated
from turnout.errors import LoadError, TurnoutError
from turnout.personal import is_personal

T = TypeVar("T")

# dbt's `loader` property of the sources that are filled from landing.
LOADER = "landing"

STRICT = ConfigDict(extra="forbid", strict=True)

# What our own columns begin with, while a file is read; and what else they are called, there and in raw.
OURS = "_turnout_"
_OUR_NAMES = {"file_row_number", "_load_id", "_loaded_at", "_replaced_at"}

# What a column is that gathers others.
GATHERED_TYPE = "map(varchar, varchar)"

# A delimiter: as many blanks as there are.
BLANKS = "blanks"

# Codecs of Python that are for names of hosts and for source code.
_NO_ENCODINGS = {"idna", "punycode", "raw-unicode-escape", "unicode-escape"}

# Keys that came later; where they are not used, they are not among the terms, which stay what they were.
_LATER_KEYS = {"follow_links", "gather", "part", "is_personal", "sheet", "time_zone", "width"}


def _known_encoding(name: str) -> str:
    try:
        found = codecs.lookup(name).name
    except LookupError:
        raise ValueError("there is no such encoding") from None
    try:
        "".encode(name)
    except (LookupError, UnicodeError):  # Python counts compression and the like among its codecs
        found = "idna"
    if found in _NO_ENCODINGS:
        raise ValueError("no text is encoded so")
    return name


def _without_control_characters(text: str) -> str:
    for character in text:
        if unicodedata.category(character) in {"Cc", "Zl", "Zp"}:
            raise ValueError(
                f"it holds the control character U+{ord(character):04X}; in YAML's double quotes a backslash says that "
                "the next character means something else, so write such a value in single quotes, as in '\\N'"
            )
    return text


def _delimiter(text: str) -> str:
    if text == BLANKS:
        return text
    if not 1 <= len(text.encode()) <= 4:
        raise ValueError(f"it is not one to four bytes long, nor '{BLANKS}'")
    _without_control_characters(text.translate(dict.fromkeys({*range(1, 32)} - {10, 13})))
    return text


def _quote(text: str) -> str:
    if text and not text.isascii():
        raise ValueError("it is no character of ASCII")
    return _without_control_characters(text)


def _regular_expression(expression: str) -> str:
    try:
        re.compile(expression)
    except re.error as error:
        raise ValueError(f"it is not a regular expression, {error}") from None
    return expression


def _with_a_group(expression: str) -> str:
    if not re.compile(_regular_expression(expression)).groups:
        raise ValueError("it has no group that says which part a file is, such as '([A-Z]+)'")
    return expression


Share = Annotated[float, Field(ge=0, le=1, strict=False)]
Deviation = Annotated[float, Field(ge=0, strict=False)]


@strict(frozen=True, config=STRICT)
class FileFormat:
    """How the files of a table are written; `config.meta.load.file`.

    Parameters
    ----------
    format : {"parquet", "csv", "json_lines", "fixed_width", "excel"}
        The kind of file. In `fixed_width` each column is so many characters wide as its `width` says; blanks around a
        value are not part of it. Of `excel` one sheet is read; what a cell means follows from the column's `data_type`.
    delimiter, quote : str
        Of CSV; a quote inside a quoted value is doubled. An empty `quote` means that there are none. The delimiter
        `blanks` is as many blanks or tabs as there are, for columns that are aligned on the page; there are no quotes.
    header : bool
        Whether the first line, or row, names the columns. Without, they stand in the order of the contract. Not for
        Parquet and JSON lines.
    sheet : str, optional
        Of Excel: the name of the sheet. Default: the only one.
    encoding : str
        A name that Python knows, such as `utf-8`, `latin-1`, `cp1252`.
    compression : {"none", "gzip"}, optional
        Default: gzip where the file's name ends in `.gz`.
    null_values : tuple of str
        What stands for a missing value, but in Parquet and JSON lines; an empty value always does. One with a backslash
        is written in YAML's single quotes.
    date_format, timestamp_format : str or tuple of str, optional
        As in `strptime`, such as `%d/%m/%Y`; of several, the first that fits a value is taken. Default: ISO 8601.
    time_zone : str, optional
        Of times without an offset, in every kind of file, such as `America/New_York`. They become UTC; a time that the
        zone skips in spring, or has twice in autumn, is refused. Default: UTC.
    """

    format: Literal["parquet", "csv", "json_lines", "fixed_width", "excel"] = "parquet"
    delimiter: Annotated[str, AfterValidator(_delimiter)] = ","
    quote: Annotated[str, Field(max_length=1), AfterValidator(_quote)] = '"'
    header: bool = True
    sheet: str | None = None
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    compression: Literal["none", "gzip"] | None = None
    null_values: tuple[Annotated[str, AfterValidator(_without_control_characters)], ...] = ()
    date_format: str | tuple[str, ...] | None = None
    timestamp_format: str | tuple[str, ...] | None = None
    time_zone: str | None = None


@strict(frozen=True, config=STRICT)
class TableLimits:
    """What a whole load may differ by from those before it, where the contract sets it; else it is learned.

    Parameters
    ----------
    row_count : float, optional
        Factor by which the number of rows may be off, up or down; at least 1.
    first_event, last_event : float, optional
        Days by which the first or last event time may lie from where it is expected.
    """

    row_count: Annotated[float, Field(ge=1, strict=False)] | None = None
    first_event: Deviation | None = None
    last_event: Deviation | None = None


@strict(frozen=True, config=STRICT)
class ColumnLimits:
    """What a column may differ by from the loads before, where the contract sets it; else it is learned.

    Parameters
    ----------
    null_share : float, optional
        Difference of the share of nulls.
    new_values : float, optional
        Share of rows whose value did not occur before.
    gone_values : float, optional
        Share of the rows before whose value does not occur any more.
    drift : float, optional
        Distance between the distributions, 0 to 1; see `population`.
    """

    null_share: Share | None = None
    new_values: Share | None = None
    gone_values: Share | None = None
    drift: Share | None = None


@strict(frozen=True, config=STRICT)
class TableKeys:
    """The keys that may stand under `config.meta.load` of a table, with their defaults.

    Parameters
    ----------
    mode : {"snapshot", "append"}
        Whether a file replaces the one before, or adds to it.
    key : tuple of str
        The columns that tell rows apart: never null, never repeated. Default: no key.
    part : str, optional
        Of a snapshot that comes in several files: a regular expression that matches their whole names; its first
        group says which part a file is. Each part is a snapshot of its own: a file takes the place of the one before
        of its part, and is compared with that alone; raw shows the newest of every part. Parts arrive at different
        times, and what moves from one to another is in both for a while, or in none: a key that is in two parts is
        refused in neither, and is for dbt's tests to find.
    file : FileFormat
        How the files are written. Default: Parquet.
    refuse_above : float
        Share of rows that may be set aside; above it, the file is quarantined.
    limits : TableLimits
        What the load may differ by from those before it, where that is not to be learned.
    follow_links : bool
        Whether links in landing may lead out of it. Default: a link that does is refused, as it may lead anywhere.
    """

    mode: Literal["snapshot", "append"] = "snapshot"
    key: tuple[str, ...] = ()
    part: Annotated[str, AfterValidator(_with_a_group)] | None = None
    file: FileFormat = FileFormat()
    refuse_above: Share = 0.01
    limits: TableLimits = TableLimits()
    follow_links: bool = False


@strict(frozen=True, config=STRICT)
class ColumnKeys:
    """The keys that may stand under `config.meta.load` of a column, with their defaults.

    Parameters
    ----------
    optional : bool
        Whether the column may be missing from a file; its values are null then.
    always : str, int, float, bool or tuple of these and None, optional
        The only value, or values, that the column may have in the population we expect; None among them stands for a
        missing value.
    compare : bool
        Whether the column is compared with the loads before. False for what changes with each load by nature.
    gather : str, optional
        A regular expression. The column is a map, from name to value, of all columns of the file whose whole name it
        matches and that are not declared themselves, as text, without what is missing or blank; it is never compared.
        For files that grow a column with every period.
    width : int, optional
        How many characters wide the column is, in a file of fixed width.
    limits : ColumnLimits
        What the column may differ by, where that is not to be learned.
    """

    optional: bool = False
    always: str | int | float | bool | tuple[str | int | float | bool | None, ...] | None = None
    compare: bool = True
    gather: Annotated[str, AfterValidator(_regular_expression)] | None = None
    width: Annotated[int, Field(ge=1)] | None = None
    limits: ColumnLimits = ColumnLimits()


@dataclass(frozen=True)
class Column:
    """A column of the contract: its `data_type`, whether it may be null, its keys, and whether it is personal.

    The values of a personal column are in the load and in raw, but never in messages or records about them.
    """

    name: str
    data_type: str
    is_required: bool
    keys: ColumnKeys = field(default_factory=ColumnKeys)
    is_personal: bool = False

    @property
    def expected_values(self) -> tuple[str | int | float | bool | None, ...]:
        """The only values that the column may have; empty if it may have any."""
        always = self.keys.always
        return () if always is None else always if isinstance(always, tuple) else (always,)


@dataclass(frozen=True)
class SourceTable:
    """A table of a dbt source that is filled from landing: its contract.

    Parameters
    ----------
    unique_id : str
        The source's id in dbt's manifest.
    source, name : str
        The names in dbt; also the folders below landing.
    schema, identifier : str
        Where the view stands in the warehouse.
    columns : tuple of Column
        In the order of the YAML.
    event_time : str, optional
        The column that says when what a row tells of happened; dbt's own property.
    keys : TableKeys
        Mode, key, format and limits.
    file : str
        The YAML file, for messages.
    """

    unique_id: str
    source: str
    name: str
    schema: str
    identifier: str
    columns: tuple[Column, ...]
    event_time: str | None
    keys: TableKeys
    file: str

    @property
    def label(self) -> str:
        """The name to use in messages."""
        return f"{self.source}.{self.name}"

    @property
    def folder(self) -> Path:
        """Where the table's files stand below landing, loads and quarantine."""
        return Path(self.source, self.name)

    @cached_property
    def terms(self) -> str:
        """All that files are checked against, as JSON; two contracts with the same terms are the same."""
        return _json({"columns": self.columns, "event_time": self.event_time, "keys": self.keys})

    @cached_property
    def has_personal(self) -> bool:
        """Whether there is a personal column."""
        return any(column.is_personal for column in self.columns)

    def hides(self, name: str) -> bool:
        """Return whether the values of a file's column are for nobody to see.

        Beside personal columns undeclared ones are so too, as nobody said that they are not. What is gathered into a
        map is so if the map is.
        """
        held_as = next((column for column, gathered in self.gathered([name]).items() if gathered), name)
        return next((column.is_personal for column in self.columns if column.name == held_as), self.has_personal)

    def part_of(self, file_name: str) -> str:
        """Return which part a file is, by its name; empty if it is none, as where files are not parts at all."""
        match = re.fullmatch(self.keys.part, file_name) if self.keys.part else None
        return (match and match[1]) or ""

    def gathered(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return, for each column that gathers others, which of a file's columns it gathers, in their order."""
        declared = {column.name for column in self.columns}
        undeclared = [name for name in names if name not in declared]
        return {
            column.name: [name for name in undeclared if re.fullmatch(column.keys.gather, name)]
            for column in self.columns
            if column.keys.gather
        }

    @cached_property
    def layout(self) -> str:
        """What of the contract decides how a file becomes rows, as a hash: read otherwise, it is another load."""
        columns = [
            (
                column.name,
                column.data_type,
                column.is_required,
                *([column.keys.gather] if column.keys.gather else []),
                *([column.keys.width] if column.keys.width else []),
            )
            for column in self.columns
        ]
        shape = {"columns": columns, "key": self.keys.key, "file": self.keys.file}
        return hashlib.sha256(_json(shape).encode()).hexdigest()


def source_tables(manifest: Mapping[str, Any]) -> tuple[SourceTable, ...]:
    """Return the source tables that are filled from landing, by name.

    Parameters
    ----------
    manifest : mapping
        The content of dbt's `manifest.json`.

    Raises
    ------
    LoadError
        If a contract is wrong: with file, table, key and remedy.
    """
    required = _columns_with_not_null_test(manifest)
    nodes = (node for node in manifest["sources"].values() if node["loader"] == LOADER)
    tables = [_source_table(node, required.get(node["unique_id"], set())) for node in nodes]
    _check_identifiers(tables)
    return tuple(sorted(tables, key=lambda table: (table.source, table.name)))


def _check_identifiers(tables: Iterable[SourceTable]) -> None:
    """Refuse two tables whose views would take each other's place, in their schema or in that of all loads."""
    known: dict[str, SourceTable] = {}
    for table in tables:
        other = known.setdefault(table.identifier.lower(), table)
        if other is not table:
            raise _place(f"{table.file}, table '{table.name}'").error(
                f"{other.label} and {table.label} are both '{table.identifier}' in the warehouse.",
                "give one of them an 'identifier' of its own.",
            )


def _columns_with_not_null_test(manifest: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return, by source id, the columns with dbt's `not_null` test on all rows, with error severity."""
    found: dict[str, set[str]] = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] != "test" or (node.get("test_metadata") or {}).get("name") != "not_null":
            continue
        if node["config"]["severity"].lower() == "error" and not node["config"].get("where"):
            for parent in node["depends_on"]["nodes"]:
                found.setdefault(parent, set()).add(node["column_name"])
    return found


def _source_table(node: Mapping[str, Any], not_null: set[str]) -> SourceTable:
    place = _place(f"{node['original_file_path']}, table '{node['name']}'")
    declared = {
        name: column for name, column in node["columns"].items() if not column["config"]["meta"].get("added_by_loader")
    }
    untyped = [name for name, column in declared.items() if not column["data_type"]]
    if untyped or not declared:
        raise place.error(
            f"the column '{untyped[0]}' has no data_type." if untyped else "no columns are declared.",
            "list every column of the file under 'columns:', each with its 'data_type:'.",
        )
    keys = _validated(TableKeys, node["config"]["meta"].get("load", {}), place)
    for name in keys.key:
        if name not in declared:
            raise place.column_error(
                "key", name, declared, "is not declared", "correct the name, or declare the column."
            )
    columns = tuple(
        Column(
            name=name,
            data_type=column["data_type"],
            is_required=name in not_null or name in keys.key,
            keys=_validated(
                ColumnKeys,
                column["config"]["meta"].get("load", {}),
                replace(place, where=f"{place.where}, column '{name}'"),
            ),
            is_personal=is_personal(column),
        )
        for name, column in declared.items()
    )
    for what, remedy in _contradictions(keys, columns):
        raise place.error(what, remedy)
    return SourceTable(
        unique_id=node["unique_id"],
        source=node["source_name"],
        name=node["name"],
        schema=node["schema"],
        identifier=node["identifier"],
        columns=columns,
        event_time=node["config"].get("event_time"),
        keys=keys,
        file=node["original_file_path"],
    )


def _contradictions(keys: TableKeys, columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    """Yield what in a contract cannot hold together, and the remedy."""
    if keys.part and keys.mode == "append":
        yield (
            "'part' stands beside 'mode: append', but what is appended takes no file's place.",
            "remove one of them.",
        )
    yield from _contradictions_of_layout(keys.file, columns)
    if all(column.keys.gather for column in columns):
        yield "every column gathers others.", "declare those that are always there by their names."
    for column in columns:
        if column.keys.optional and column.is_required:
            yield (
                f"the column '{column.name}' is optional, but may not be null.",
                "remove 'optional', or the not_null test (or the key) that names it.",
            )
        if not column.keys.gather:
            continue
        if "".join(column.data_type.lower().split()) != GATHERED_TYPE.replace(" ", ""):
            yield (
                f"the column '{column.name}' gathers others, but its data_type is {column.data_type}.",
                f"write 'data_type: {GATHERED_TYPE}'.",
            )
        if column.name in keys.key:
            yield f"the column '{column.name}' gathers others, but is part of the key.", "take it out of 'key'."
        if keys.file.format == "fixed_width":
            yield (
                f"the column '{column.name}' gathers others, but columns of fixed width are all declared.",
                "declare the columns one by one.",
            )
        if keys.file.format in {"csv", "excel"} and not keys.file.header:
            yield (
                f"the column '{column.name}' gathers others by their names, but the file has no header.",
                "declare the columns one by one, or remove 'header: false'.",
            )


def _contradictions_of_layout(layout: FileFormat, columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    """Yield what of a file's layout cannot hold together, and the remedy."""
    if layout.quote and layout.quote in layout.delimiter and layout.delimiter != BLANKS:
        yield f"the quote {layout.quote!r} is part of the delimiter.", "correct one of them."
    if layout.sheet is not None and layout.format != "excel":
        yield f"'sheet' is declared, but the format is {layout.format}.", "write 'format: excel', or remove 'sheet'."
    for column in columns:
        if layout.format == "fixed_width" and column.keys.width is None:
            yield f"the column '{column.name}' has no 'width'.", "say how many characters wide it is."
        if layout.format != "fixed_width" and column.keys.width is not None:
            yield (
                f"the column '{column.name}' has a width, but the format is {layout.format}.",
                "write 'format: fixed_width', or remove 'width'.",
            )
        if column.name.lower().startswith(OURS) or column.name.lower() in _OUR_NAMES:
            yield f"the column '{column.name}' has a name that the loader needs.", "give it another name."


def _validated(kind: type[T], declared: object, place: Place) -> T:
    def wrong(mistake: Mistake) -> TurnoutError:
        key = ".".join(mistake.path)
        if mistake.kind == "unknown":
            return place.error(mistake.what, mistake.remedy(""), key)
        return place.error(f"{mistake.value!r} cannot stand here: {mistake.said}.", "correct the value.", key)

    return validated(kind, declared, wrong)


def _json(content: object) -> str:
    return json.dumps(content, default=partial(asdict, dict_factory=_without_unused_later_keys), sort_keys=True)


def _without_unused_later_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if value or name not in _LATER_KEYS}


def _place(where: str) -> Place:
    rule = "the dbt source is the contract that every file is checked against."
    return Place(where, "config.meta.load", rule, subject="Contract", kind=LoadError)
