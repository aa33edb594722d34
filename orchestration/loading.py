"""Landing becomes raw: an accepted file is kept for ever as a load, and `raw.<table>` is a view on the newest.

The contract is the dbt source's YAML: the columns of a table with their `data_type`. A table's rows are
never copied into the warehouse file; DuckDB reads the columns it needs from the load's Parquet file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.errors import LoadError, did_you_mean
from ml.warehouse import Warehouse, identifier

if TYPE_CHECKING:
    import duckdb

    from orchestration.project import Project

# dbt's `loader` property of the sources that this module fills.
LOADER = "landing"

LOADS = (
    "create schema if not exists records",
    """create table if not exists records.loads (
        load_id varchar, source varchar, table_name varchar, file_name varchar, row_count bigint,
        byte_count bigint, loaded_at timestamp, path varchar
    )""",
)


@dataclass(frozen=True)
class SourceTable:
    """A table of a dbt source that is filled from landing, and its contract.

    Parameters
    ----------
    unique_id : str
        The source's id in dbt's manifest.
    source, name : str
        The names in dbt; also the folders below landing.
    schema, identifier : str
        Where the view stands in the warehouse.
    columns : mapping of str to str
        Column to `data_type`, in the order of the YAML.
    file : str
        The YAML file, for messages.
    """

    unique_id: str
    source: str
    name: str
    schema: str
    identifier: str
    columns: Mapping[str, str]
    file: str


@dataclass(frozen=True)
class Load:
    """One accepted file of one source table, immutable; its id is the start of its content's SHA-256."""

    load_id: str
    source: str
    table_name: str
    file_name: str
    row_count: int
    byte_count: int
    loaded_at: datetime
    path: str


def source_tables(manifest: Mapping[str, Any]) -> tuple[SourceTable, ...]:
    """Return the source tables that are filled from landing.

    Raises
    ------
    LoadError
        If a column has no `data_type`.
    """
    nodes = (node for node in manifest["sources"].values() if node["loader"] == LOADER)
    return tuple(sorted((_source_table(node) for node in nodes), key=lambda table: (table.source, table.name)))


def load(project: Project, table: SourceTable) -> Load:
    """Accept the newest file of a table in landing as a load, and let the raw view show it.

    The same file, dropped twice, is one load. Killed at any moment, the view shows the load before or the
    new one, whole.

    Raises
    ------
    LoadError
        If there is no file, it cannot be read, holds no rows, or breaks the contract. The view is left as it is.
    """
    file = _newest_file(project.landing / table.source / table.name, table)
    folder = project.loads / table.source / table.name
    folder.mkdir(parents=True, exist_ok=True)
    # What is checked, hashed and kept is one and the same copy, whatever happens to the file meanwhile.
    copy = folder / f".incoming.{os.getpid()}"
    try:
        shutil.copyfile(file, copy)
        row_count = _check(copy, file, table)
        content_hash, byte_count = _hash(copy), copy.stat().st_size
        path = folder / f"{content_hash[:16]}.parquet"
        with copy.open("rb+") as content:
            os.fsync(content.fileno())
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)
    candidate = Load(
        load_id=content_hash[:16],
        source=table.source,
        table_name=table.name,
        file_name=file.name,
        row_count=row_count,
        byte_count=byte_count,
        loaded_at=datetime.now(UTC).replace(tzinfo=None),
        path=str(path.relative_to(project.root)),
    )
    return _register(project.warehouse, table, candidate, path)


def current_load_ids(warehouse: Warehouse, tables: Iterable[SourceTable]) -> tuple[str, ...]:
    """Return the ids of the loads that the raw views of these tables show, sorted."""
    ids = set()
    for table in tables:
        if warehouse.has_table(table.schema, table.identifier):
            rows = warehouse.query(f"select _load_id from {identifier(table.schema, table.identifier)} limit 1")
            ids.update(rows["_load_id"].to_pylist())
    return tuple(sorted(ids))


def _source_table(node: Mapping[str, Any]) -> SourceTable:
    columns = {
        name: column["data_type"]
        for name, column in node["columns"].items()
        if not column["config"]["meta"].get("added_by_loader")
    }
    untyped = [name for name, data_type in columns.items() if not data_type]
    file = node["original_file_path"]
    if untyped or not columns:
        found = f"the column '{untyped[0]}' has no data_type" if untyped else "no columns are declared"
        raise LoadError(
            f"Contract of {node['source_name']}.{node['name']}: {found}.",
            where=f"{file}, table '{node['name']}'",
            rule="the dbt source is the contract that every file is checked against.",
            remedy="list every column of the file under 'columns:', each with its 'data_type:'.",
        )
    return SourceTable(
        unique_id=node["unique_id"],
        source=node["source_name"],
        name=node["name"],
        schema=node["schema"],
        identifier=node["identifier"],
        columns=columns,
        file=file,
    )


def _newest_file(folder: Path, table: SourceTable) -> Path:
    # A dot begins the name of a file that is still being written.
    files = [path for path in folder.glob("*") if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise _refusal(table, "there is no file", folder, "put a Parquet file there.")
    # Not the time of the last change, which the sender may have kept: the time when it came to stand there.
    return max(files, key=lambda path: (path.stat().st_ctime_ns, path.name))


def _check(copy: Path, file: Path, table: SourceTable) -> int:
    """Return the number of rows of a copy of a file that keeps the contract."""
    import duckdb

    with duckdb.connect() as connection:
        try:
            found = {
                row[0]: row[1]
                for row in connection.execute("describe select * from read_parquet(?)", [str(copy)]).fetchall()
            }
            _check_columns(file, table, list(found))
            _check_types(connection, copy, file, table, found)
            counted = connection.execute("select count(*) from read_parquet(?)", [str(copy)]).fetchone()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0].replace(str(copy), file.name)
            raise _refusal(
                table, f"it cannot be read as Parquet ({reason})", file, "ask its sender for a whole file."
            ) from None
    row_count = int(counted[0]) if counted else 0
    if row_count == 0:
        raise _refusal(table, "it has no rows", file, "ask its sender whether that is meant; remove it from landing.")
    return row_count


def _check_columns(file: Path, table: SourceTable, found: Sequence[str]) -> None:
    missing = [name for name in table.columns if name not in found]
    if missing:
        unexpected = [name for name in found if name not in table.columns]
        hints = "; ".join(f"'{name}' is missing.{did_you_mean(name, unexpected)}" for name in missing)
        raise _refusal(
            table,
            f"columns are not as declared: {hints} Unexpected columns: {', '.join(unexpected) or 'none'}",
            file,
            f"ask its sender for the column, or correct the contract in {table.file}.",
        )


def _check_types(
    connection: duckdb.DuckDBPyConnection, copy: Path, file: Path, table: SourceTable, found: Mapping[str, str]
) -> None:
    for name, declared in table.columns.items():
        described = connection.execute(f"describe select cast(null as {declared})").fetchone()
        if described and described[1] == found[name]:
            continue
        column = identifier(name)
        unfit = connection.execute(
            f"""select {column}, count(*) over () from read_parquet(?)
                where {column} is not null and try_cast({column} as {declared}) is null limit 1""",
            [str(copy)],
        ).fetchone()
        if unfit:
            raise _refusal(
                table,
                f"'{name}' is {found[name]}, and {unfit[1]:,} values are not {declared}, such as {unfit[0]!r}",
                file,
                f"ask its sender, or correct the data_type in {table.file}.",
            )


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _register(warehouse: Warehouse, table: SourceTable, candidate: Load, path: Path) -> Load:
    """Record a load, unless it is on record, and point the raw view at it, in one transaction."""
    key = [candidate.load_id, candidate.source, candidate.table_name]
    with warehouse.transaction() as connection:
        for statement in LOADS:
            connection.execute(statement)
        known = connection.execute(
            "select loaded_at from records.loads where load_id = ? and source = ? and table_name = ?", key
        ).fetchone()
        accepted = Load(**{**vars(candidate), "loaded_at": known[0]}) if known else candidate
        if not known:
            names, marks = ", ".join(vars(accepted)), ", ".join("?" for _ in vars(accepted))
            connection.execute(f"insert into records.loads ({names}) values ({marks})", list(vars(accepted).values()))
        columns = ",\n".join(
            f"cast({identifier(name)} as {data_type}) as {identifier(name)}"
            for name, data_type in table.columns.items()
        )
        connection.execute(f"create schema if not exists {identifier(table.schema)}")
        # A view cannot have parameters. The id is ours; the path and the time are quoted as SQL strings.
        connection.execute(
            f"""create or replace view {identifier(table.schema, table.identifier)} as
                select
                    {columns},
                    '{accepted.load_id}' as _load_id,
                    timestamp '{accepted.loaded_at.isoformat(sep=" ")}' as _loaded_at
                from read_parquet({_string(str(path))})"""
        )
    return accepted


def _string(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _refusal(table: SourceTable, found: str, path: Path, remedy: str) -> LoadError:
    return LoadError(
        f"{table.source}.{table.name} cannot be loaded: {found.rstrip('.')}.",
        where=str(path),
        rule=f"a file that enters keeps the contract of its table in {table.file}; refused, it changes nothing.",
        remedy=remedy,
    )
