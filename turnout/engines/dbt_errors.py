"""A plugin of dbt's adapter: it waits for others to leave the warehouse, and leaves out what may quote personal values.

dbt writes an error to the terminal, its logs and its results, from where Dagster takes it; so it is changed where it
comes up. `profiles.yml` names this module. In a project without personal columns nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin

from turnout.engines.duckdb import connect_when_free
from turnout.errors import WarehouseError
from turnout.personal import PERSONAL

# These speak of SQL, of files and of the system, never of values.
TELLS_NO_VALUES = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConnectionException,
    duckdb.DependencyException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.SyntaxException,
    duckdb.IOException,
    duckdb.NotSupportedError,
    duckdb.OutOfMemoryException,
    duckdb.TransactionException,
)


_ORIGINAL = DuckDBConnectionManager.exception_handler


def without_values(error: duckdb.Error) -> str:
    """Return what can be told of an error of DuckDB whose words may quote values: its kind, the type and the line."""
    said = str(error)
    kind = re.match(r"[A-Z][A-Za-z ]* Error(?=:)", said)
    target = re.search(r" (?:to|destination) (?:type )?([A-Z][A-Z0-9_]*)\b", said)
    lines = re.findall(r"\nLINE ([0-9]+):", said)
    told = [
        kind[0] if kind else type(error).__name__,
        *([f"to {target[1]}"] if target and target[1] in _TYPES else []),
        *([f"in line {lines[-1]} of the compiled SQL"] if lines else []),
    ]
    return (
        f"{' '.join(told)}: the value is not shown, as it may be personal. "
        "'try_cast' instead of a cast leaves null where it fails, and finds the rows."
    )


_TYPES = {
    *(f"{sign}INT{size}" for sign in ("", "U") for size in (8, 16, 32, 64, 128)),
    *("BOOL", "FLOAT", "DOUBLE", "DECIMAL", "DATE", "TIME", "TIMESTAMP", "INTERVAL", "UUID", "BLOB", "VARCHAR"),
}


class Plugin(BasePlugin):
    """Stands between dbt's adapter and DuckDB; the adapter makes one as it starts."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Stand between DuckDB and the adapter."""
        if DuckDBConnectionManager.exception_handler is _ORIGINAL:
            DuckDBConnectionManager.exception_handler = _exception_handler  # type: ignore[method-assign]
        self._refused = ""

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Wait for another process to leave the file, as long as all others here do; the adapter opens it next.

        Raises
        ------
        RuntimeError
            If it does not leave, in words. The adapter asks more than once, and is told again without a wait.
        """
        if self._refused:
            raise RuntimeError(self._refused)
        if not Path(creds.path).is_file():
            return
        try:
            with suppress(duckdb.Error):  # what else is wrong, the adapter finds as well
                connect_when_free(Path(creds.path)).close()
        except WarehouseError as error:
            self._refused = str(error)
            raise RuntimeError(self._refused) from None


@contextmanager
def _exception_handler(self: DuckDBConnectionManager, sql: str, connection_name: str = "master") -> Iterator[None]:
    with _ORIGINAL(self, sql, connection_name):
        try:
            yield
        except TELLS_NO_VALUES:
            raise
        except duckdb.Error as error:
            if not _has_personal(Path("models")):
                raise
            raise RuntimeError(without_values(error)) from None


def _has_personal(models: Path) -> bool:
    """Return whether a column may be tagged as personal in the project that dbt works in, or in one of its packages."""
    if not models.is_dir():
        return True
    tag = re.compile(rf"\b{PERSONAL}\b")
    files = (path for folder in (models, *Path().glob("*/models")) for path in folder.rglob("*.y*ml"))
    return any(tag.search(path.read_text(errors="replace")) for path in files)
