"""The connection to the published file: it reads that file, and no SQL can make it do anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
from duckdb_engine import ConnectionWrapper
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine.url import URL

# The catalog's name is part of the name of what a person may read, so it stays the same.
CATALOG = "turnout"


def open_publication(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the present publication, read-only, with no way out of it.

    The file is attached to a database of the connection's own. With `duckdb.connect(path)`, a connection would share
    the file that any other of this process still holds open, which after a new publication is the one before.

    Raises
    ------
    duckdb.Error
        If there is no such file, or it is none that DuckDB can read.
    """
    no_extensions = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    connection = duckdb.connect(config={**no_extensions, "temp_directory": ""})
    try:
        name = str(path).replace("'", "''")
        connection.execute(f"attach '{name}' as {CATALOG} (read_only); use {CATALOG}; detach memory")
        connection.execute("set global TimeZone = 'UTC'")  # the machine's zone would change what an instant's day is
        # From here on: no other file, no network, and no way to allow them again.
        connection.execute("set enable_external_access = false; set lock_configuration = true")
    except duckdb.Error:
        connection.close()
        raise
    return connection


def only(path: Path) -> Callable[..., tuple[URL, dict[str, Any]]]:
    """Return a mutator of Superset's connections, after which each of them is one to the publication.

    So the path stands in no dashboard's YAML and not in Superset's database, and an address that somebody types into
    Superset, of another file or server, opens nothing.
    """

    def publication_only(uri: URL, parameters: dict[str, Any], *_: object) -> tuple[URL, dict[str, Any]]:
        opened = {"creator": lambda: ConnectionWrapper(open_publication(path)), "poolclass": NullPool}
        return uri.set(drivername="duckdb", database="turnout", query={}), {**parameters, **opened}

    return publication_only
