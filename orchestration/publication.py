"""Publication: one atomic switch to new marts. BI never opens the working file.

The marts are copied into a new database file, which is then renamed into place: readers see the publication
before or the one after, never a mixture, and never wait for the pipeline.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.errors import WarehouseError
from ml.warehouse import identifier

if TYPE_CHECKING:
    from orchestration.project import Project

# The storage version that DuckDB clients from 1.0 on can open.
STORAGE_VERSION = "v1.0.0"


def marts_in(manifest: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return name to (schema, table) of every model in the layer of marts."""
    return {
        node["name"]: (node["schema"], node["alias"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["fqn"][1] == "marts"
    }


def publish(project: Project, marts: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    """Copy the marts into a new file and rename it into place.

    Parameters
    ----------
    marts : mapping of name to (schema, table)
        Each becomes a table of that name in the published file's main schema.

    Returns
    -------
    dict of str to int
        The number of rows of each published table.

    Raises
    ------
    WarehouseError
        If a mart has not been built; the last publication is left as it is.
    """
    for name, (schema, table) in marts.items():
        if not project.warehouse.has_table(schema, table):
            raise WarehouseError(
                f"The mart '{name}' has not been built.",
                where=f"table {schema}.{table}",
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


def _copy(project: Project, marts: Mapping[str, tuple[str, str]], file: Path) -> dict[str, int]:
    rows = {}
    path = str(file).replace("'", "''")
    with project.warehouse.connect() as connection:
        connection.execute(f"attach '{path}' as publication (storage_version '{STORAGE_VERSION}')")
        connection.execute("begin")
        for name, (schema, table) in marts.items():
            created = connection.execute(
                f"create table publication.main.{identifier(name)} as select * from {identifier(schema, table)}"
            ).fetchone()
            rows[name] = int(created[0]) if created else 0
        connection.execute("commit")
        connection.execute("detach publication")  # writes the log into the file: what is renamed is one file
    return rows


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
