"""A source table of the test's own, with its landing folder and its warehouse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from manifests import declared
from tables import manifest_of

from turnout.loading import landing
from turnout.loading.contract import SourceTable, source_tables
from turnout.loading.loader import Loaded, load_landed
from turnout.loading.register import Register
from turnout.project.paths import Project
from turnout.records.loads import Load, QuarantinedFile


@dataclass
class Arriving:
    """A source table, and what happens to it."""

    project: Project
    table: SourceTable

    def landed(self, name: str) -> Path:
        """Where a file stands in landing."""
        return self.project.landing / self.table.folder / name

    def drop(self, name: str, content: str | bytes) -> Path:
        """Put a file into landing."""
        file = self.landed(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def load(self) -> Loaded:
        """Take in what stands in landing."""
        return load_landed(self.project, self.table)

    def arrive(self, name: str, content: str | bytes) -> Load | QuarantinedFile:
        """Put a file into landing, take it in, and return what came of it."""
        self.drop(name, content)
        return next(landed.entered for landed in self.load().files if landed.file_name == name)

    def change(self, columns: dict[str, dict[str, Any]], **keys: Any) -> None:
        """Change the contract."""
        (self.table,) = source_tables(manifest_of(columns, **keys))

    def raw(self, sql: str = "select * exclude (_load_id, _loaded_at) from raw.visits order by all") -> Any:
        """Query the warehouse."""
        with duckdb.connect(self.project.warehouse.path) as connection:
            return connection.execute(sql).fetchall()

    @property
    def register(self) -> Register:
        """What the warehouse remembers of the table."""
        return Register(self.project.warehouse, self.project.root, self.table)


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    """The contracts of this project, without a dbt process: from the manifest that is checked in."""
    return declared()


@pytest.fixture
def arriving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Arriving]:
    """Make a source table `shop.visits` from its columns and its keys under `config.meta.load`."""
    monkeypatch.setattr(landing, "SETTLE_SECONDS", 0)

    def make(columns: dict[str, dict[str, Any]], **keys: Any) -> Arriving:
        (table,) = source_tables(manifest_of(columns, **keys))
        return Arriving(Project(tmp_path), table)

    return make
