"""Publication: one atomic switch to new marts. BI never opens the working file.

The marts are copied into a new database file, which is then renamed into place: readers see the publication
before or the one after, never a mixture, and never wait for the pipeline. What tells who somebody is stays behind: in
columns of marts that are tagged as personal, BI sees that there is a value, unless the mart says otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.errors import WarehouseError, did_you_mean
from ml.personal import MASK, is_personal
from ml.warehouse import identifier
from orchestration.project import ProjectError

if TYPE_CHECKING:
    import duckdb

    from orchestration.project import Project

# The storage version that DuckDB clients from 1.0 on can open.
STORAGE_VERSION = "v1.0.0"
# What a mart may say under `config.meta.personal_data`; the first is what holds if it says nothing.
PERSONAL_DATA = ("masked", "shown")


@dataclass(frozen=True)
class Mart:
    """A table of the layer of marts.

    Parameters
    ----------
    schema, table : str
        Where it stands in the warehouse.
    masked : frozenset of str
        Columns whose values are not published.
    """

    schema: str
    table: str
    masked: frozenset[str] = frozenset()


def marts_in(manifest: Mapping[str, Any]) -> dict[str, Mart]:
    """Return every model in the layer of marts, by name.

    Raises
    ------
    ProjectError
        If a mart says something else than `PERSONAL_DATA` about its personal columns.
    """
    return {
        node["name"]: _mart(node)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["fqn"][1] == "marts"
    }


def _mart(node: Mapping[str, Any]) -> Mart:
    said = node["config"]["meta"].get("personal_data", PERSONAL_DATA[0])
    if said not in PERSONAL_DATA:
        raise ProjectError(
            f"'personal_data' is {said!r}.{did_you_mean(str(said), PERSONAL_DATA)}",
            where=f"{node['original_file_path']}, model '{node['name']}', key 'config.meta.personal_data'",
            rule="columns tagged as personal are masked where BI reads, unless the mart says that they are shown.",
            remedy=f"write one of: {', '.join(PERSONAL_DATA)}; or leave it out.",
        )
    personal = [name for name, column in node["columns"].items() if is_personal(column)]
    return Mart(node["schema"], node["alias"], frozenset(personal if said == "masked" else ()))


def publish(project: Project, marts: Mapping[str, Mart]) -> dict[str, int]:
    """Copy the marts into a new file and rename it into place.

    Parameters
    ----------
    marts : mapping of str to Mart
        By name. Each becomes a table of that name in the published file's main schema.

    Returns
    -------
    dict of str to int
        The number of rows of each published table.

    Raises
    ------
    WarehouseError
        If a mart has not been built; the last publication is left as it is.
    """
    for name, mart in marts.items():
        if not project.warehouse.has_table(mart.schema, mart.table):
            raise WarehouseError(
                f"The mart '{name}' has not been built.",
                where=f"table {mart.schema}.{mart.table}",
                rule="all marts are published together, so that they fit each other.",
                remedy="materialize it first, or run 'make run'.",
            )
    project.published.parent.mkdir(parents=True, exist_ok=True)
    partial = project.published.with_name(f".{project.published.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    try:
        rows = _copy(project, marts, partial)
        # The content is on the disk before its name is, so that after a loss of power the name never
        # points at an incomplete file; then the folder, so that the new name survives as well.
        _fsync(partial)
        partial.replace(project.published)
        _fsync(project.published.parent)
    finally:
        partial.unlink(missing_ok=True)
    return rows


def _copy(project: Project, marts: Mapping[str, Mart], file: Path) -> dict[str, int]:
    rows = {}
    path = str(file).replace("'", "''")
    with project.warehouse.connect() as connection:
        connection.execute(f"attach '{path}' as publication (storage_version '{STORAGE_VERSION}')")
        connection.execute("begin")
        for name, mart in marts.items():
            created = connection.execute(
                f"create table publication.main.{identifier(name)} as select {_published(connection, mart)} "
                f"from {identifier(mart.schema, mart.table)}"
            ).fetchone()
            rows[name] = int(created[0]) if created else 0
        connection.execute("commit")
        connection.execute("detach publication")  # writes the log into the file: what is renamed is one file
    return rows


def _published(connection: duckdb.DuckDBPyConnection, mart: Mart) -> str:
    """Return the columns of a mart as they are published: text is masked, other personal values are left out."""
    columns = []
    described = connection.execute(f"describe {identifier(mart.schema, mart.table)}").fetchall()
    for name, data_type, *_ in described:
        column = identifier(name)
        if name in mart.masked:
            is_text = data_type == "VARCHAR"
            columns.append(
                f"case when {column} is not null then '{MASK}' end as {column}"
                if is_text
                else f"cast(null as {data_type}) as {column}"
            )
        else:
            columns.append(column)
    return ", ".join(columns)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
