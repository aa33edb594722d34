"""A file of a small source table, read and parsed alone: its rows, and what was set aside."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from tables import manifest_of

from turnout.engines import file_literal, identifier
from turnout.loading.contract import source_tables
from turnout.loading.rows import ParsedFile, parse

COLUMNS = {"id": {"type": "bigint"}, "name": {}, "paid": {"type": "double"}}
CSV = {"format": "csv"}


class Parsed:
    """What came of a file: its rows, and what was set aside."""

    def __init__(self, file: ParsedFile, connection: duckdb.DuckDBPyConnection) -> None:
        self.file = file
        names = ", ".join(map(identifier, file.columns))
        self.source = f"read_parquet({file_literal(file.path)}, hive_partitioning = false)"
        self.rows = connection.execute(f"select {names} from {self.source}").fetchall()
        refused = connection.execute("select line_number, reason from refused_rows order by 1").fetchall()
        self.refused = {line: reason.removeprefix("cannot be split into columns: ") for line, reason in refused}
        assert len(refused) == len(self.refused) == file.refused_row_count
        assert len(self.rows) == file.row_count


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def parsed(
    content: str | bytes,
    columns: dict[str, dict[str, Any]] = COLUMNS,
    *,
    name: str = "visits.csv",
    refuse_above: float = 1,
    **file: Any,
) -> Parsed:
    (table,) = source_tables(manifest_of(columns, refuse_above=refuse_above, file={**CSV, **file}))
    with folder() as root, duckdb.connect() as connection:
        path = root / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return Parsed(parse(connection, path, root / "scratch", table, [], is_accepted=False), connection)
