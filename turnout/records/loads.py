"""What is remembered of loads: which there are, what was refused, what was measured, what is in force and used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from turnout.records.table import BIGINT, Between, Stored, Table, columns_of


@dataclass(frozen=True)
class OfLoad:
    """Which load of which table a row is about."""

    load_id: Annotated[str, "Id of the load; equals `_load_id` in raw tables."]
    source: Annotated[str, "The dbt source."]
    table_name: Annotated[str, "The table of that source."]


@dataclass(frozen=True)
class Load(OfLoad):
    """One accepted file of one source table, immutable; its id is from the content and how the contract reads it."""

    file_name: Annotated[str, "Name of the file in landing."]
    file_hash: Annotated[str, "SHA-256 of the file's content."]
    byte_count: Annotated[int, "Its size in bytes.", BIGINT, Between(1)]
    row_count: Annotated[int, "Rows in the load.", BIGINT, Between(1)]
    refused_row_count: Annotated[int, "Rows of the file that were set aside; see `refused_rows`.", BIGINT, Between(0)]
    columns: Annotated[
        tuple[str, ...],
        "The columns that the file had, also those that the contract does not name; in place of those that were "
        "gathered the map that holds them.",
    ]
    contract: Annotated[str, "The terms it was accepted by, as JSON."]
    loaded_at: Annotated[datetime, "When it was accepted, UTC."]
    path: Annotated[str, "The load's Parquet file, from the project's folder."]
    accepted_by: Annotated[str | None, "Who accepted it in quarantine; null if it was accepted at once."] = None
    accepted_because: Annotated[str | None, "The reason that person gave; null if it was accepted at once."] = None


@dataclass(frozen=True)
class QuarantinedFile:
    """A file that was not accepted; `path` holds what arrived, `problem` says why in words."""

    load_id: Annotated[str, "Id of the load that it would be."]
    source: Annotated[str, "The dbt source."]
    table_name: Annotated[str, "The table of that source."]
    file_name: Annotated[str, "Name of the file in landing."]
    file_hash: Annotated[str, "SHA-256 of the file's content."]
    byte_count: Annotated[int, "Its size in bytes; an empty file has none.", BIGINT, Between(0)]
    contract: Annotated[str, "The terms it was refused by, as JSON."]
    quarantined_at: Annotated[datetime, "When it was refused, UTC."]
    failed_check: Annotated[
        Literal["contract", "population"],
        "What it failed: contract, as it cannot be read as declared; population, as it is not the expected population.",
    ]
    problem: Annotated[str, "What is wrong, in words."]
    remedy: Annotated[str, "What to do next, in words."]
    may_be_accepted: Annotated[bool, "Whether a person may load it as it is."]
    path: Annotated[str, "The file as it arrived, from the project's folder."]


@dataclass(frozen=True)
class RefusedRow(OfLoad):
    """A row of an accepted file that does not keep the contract."""

    line_number: Annotated[
        int,
        "Number of the row in the file, header included; a value that spans lines counts as one.",
        BIGINT,
        Between(1),
    ]
    reason: Annotated[str, "Why it was set aside."]
    content: Annotated[
        str | None,
        "The row; as JSON where it could be split into columns. Personal values are hidden; a line that could not be "
        "split is left out if there are personal columns.",
    ]


@dataclass(frozen=True)
class LoadCheck(OfLoad):
    """One thing that was measured of a load, and what it may be; see `turnout.loading.population`."""

    check_name: Annotated[str, "What was measured, such as row_count, null_share or drift."]
    column_name: Annotated[str, "Of which column; empty for the whole table."]
    value: Annotated[float, "What was found."]
    low: Annotated[float, "The least that is expected."]
    high: Annotated[float, "The most that is expected."]
    deviation: Annotated[float, "How far the load is from those before it; later limits are learned from it."]
    detail: Annotated[str, "The values behind it, in words; personal ones are left out."]
    is_learning_only: Annotated[bool, "Whether it was measured within the first load, only to learn from."]
    passed: Annotated[bool, "Whether the value is within what is expected."]


@dataclass(frozen=True)
class ColumnStatistics(OfLoad):
    """What DuckDB's `summarize` says of a column of a load, in its order."""

    column_name: Annotated[str, "The column."]
    column_type: Annotated[str, "Its type."]
    min: Annotated[str | None, "Its least value."]
    max: Annotated[str | None, "Its greatest value."]
    approx_unique: Annotated[int | None, "About how many different values there are.", BIGINT]
    avg: Annotated[str | None, "Their mean."]
    std: Annotated[str | None, "Their standard deviation."]
    q25: Annotated[str | None, "Their lower quartile."]
    q50: Annotated[str | None, "Their median."]
    q75: Annotated[str | None, "Their upper quartile."]
    count: Annotated[int | None, "How many rows there are.", BIGINT]
    null_percentage: Annotated[float | None, "Percentage of rows without a value.", Stored("decimal(9, 2)")]


@dataclass(frozen=True)
class CurrentLoad:
    """A load that raw shows now."""

    source: Annotated[str, "The dbt source."]
    table_name: Annotated[str, "The table of that source."]
    load_id: Annotated[str, "Id of the load."]
    shown_as: Annotated[str | None, "A hash of all that the table's views are made of; null in an earlier release."] = (
        None
    )


@dataclass(frozen=True)
class BuiltFrom:
    """A load that a table of dbt was made from; dbt writes it, in the transaction that makes the table."""

    model: Annotated[str, "Unique id of the dbt model."]
    load_id: Annotated[str, "Id of the load."]
    built_at: Annotated[datetime, "When it was first made from it, UTC."]


_LOAD = ("load_id", "source", "table_name")

LOADS = Table(
    "loads",
    "Files that were accepted from landing and are kept for ever. The same file dropped twice is one load. "
    "One row per load and table.",
    columns_of(Load),
    key=_LOAD,
)
QUARANTINE = Table(
    "quarantine",
    "Files that were refused, and why. A file that a person accepted is in `loads` as well. One row per file and "
    "table.",
    columns_of(QuarantinedFile),
    key=_LOAD,
)
REFUSED_ROWS = Table(
    "refused_rows",
    "Rows of accepted files that do not keep the contract. One row per load and row that was set aside.",
    columns_of(RefusedRow),
    key=(*_LOAD, "line_number"),
    # They may be many, and which line a row stands in is reckoned where values span lines: no reason to lose a load.
    is_key_enforced=False,
)
LOAD_CHECKS = Table(
    "load_checks",
    "What was measured when a file was compared with the loads before it. One row per load, check and column.",
    columns_of(LoadCheck),
    key=(*_LOAD, "check_name", "column_name"),
)
LOAD_STATISTICS = Table(
    "load_statistics",
    "Summary statistics of loads. One row per load and column.",
    columns_of(ColumnStatistics),
    key=(*_LOAD, "column_name"),
    is_shown=False,
)
CURRENT_LOADS = Table(
    "current_loads",
    "Which loads raw shows now. One row per load and table.",
    columns_of(CurrentLoad),
    key=_LOAD,
    is_shown=False,
)
BUILT_FROM = Table(
    "built_from",
    "Which loads each table of dbt was made from. One row per model and load.",
    columns_of(BuiltFrom),
    key=("model", "load_id"),
    # dbt builds several models at once, each in a transaction of its own; a key would make them wait for each other.
    is_key_enforced=False,
    is_shown=False,
)
TABLES = (LOADS, QUARANTINE, REFUSED_ROWS, LOAD_CHECKS, LOAD_STATISTICS, CURRENT_LOADS, BUILT_FROM)
