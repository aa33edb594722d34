"""The Parquet files of loads, looked into as they stand on disk; DuckDB reads them, and the warehouse is not asked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.engines import file_literal, identifier
from turnout.engines.duckdb import connect
from turnout.loading.contract import FileFormat
from turnout.loading.rows import as_shown
from turnout.loading.values import converted

if TYPE_CHECKING:
    from turnout.loading.contract import Column, SourceTable
    from turnout.records.loads import Load


@dataclass(frozen=True)
class Misfit:
    """A column of which `count` values are not of its declared type; `example` is one of them."""

    column: Column
    count: int
    example: object


def first_misfit(files: Sequence[Path], columns: Sequence[Column]) -> Misfit | None:
    """Return the first of these columns that holds values in these files which are not of its `data_type`.

    These are also those of which a plain cast, as views make it, would make another value.
    """
    source = f"read_parquet([{', '.join(map(file_literal, files))}], union_by_name = true, hive_partitioning = false)"
    with connect() as connection:
        stored = {row[0]: row[1] for row in connection.execute(f"describe select * from {source}").fetchall()}
        for column in columns:
            name = identifier(column.name)
            declared = connection.execute(f"describe select cast(null as {column.data_type})").fetchall()[0][1]
            if stored.get(column.name, declared) == declared:
                continue
            value, cast = (
                converted(name, stored[column.name], declared, FileFormat()),
                f"try_cast({name} as {declared})",
            )
            unfit = connection.execute(
                f"""select {name}, count(*) over () from {source}
                    where {name} is not null and ({cast} is null or {cast} is distinct from {value}) limit 1"""
            ).fetchall()
            if unfit:
                return Misfit(column, unfit[0][1], unfit[0][0])
    return None


def sampled_rows(root: Path, table: SourceTable, load: Load, count: int) -> list[dict[str, Any]]:
    """Return rows of a load at random places, as people may see them; the same load shows the same ones each time.

    Parameters
    ----------
    root : Path
        The folder that paths in the register start from.
    table : SourceTable
        The contract; columns that it does not name are left out.
    load : Load
        The load.
    count : int
        How many rows, at most.

    Returns
    -------
    list of dict
        `row`, the place from 1 on, and the declared columns that the file had.
    """
    places = random.Random(load.load_id).sample(range(load.row_count), min(count, load.row_count))  # noqa: S311
    columns = ", ".join(
        f"{as_shown(column.name, table)} as {identifier(column.name)}"
        for column in table.columns
        if column.name in load.columns
    )
    with connect() as connection:
        rows: list[dict[str, Any]] = (
            connection.sql(
                f"""select file_row_number + 1 as row, {columns}
                from read_parquet({file_literal(root / load.path)}, file_row_number = true, hive_partitioning = false)
                where file_row_number in ({", ".join(map(str, places))})"""
            )
            .to_arrow_table()
            .to_pylist()
        )
    return rows
