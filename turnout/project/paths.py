"""Where everything stands in a checkout, and nothing else."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from turnout.engines.duckdb import DuckDB


@dataclass(frozen=True)
class Project:
    """A checkout and its state: `landing/`, `warehouse/` and `published/` are made by running it.

    Parameters
    ----------
    root : Path
        The folder that holds `dbt_project/`.
    """

    root: Path

    @property
    def dbt(self) -> Path:
        """The dbt project."""
        return self.root / "dbt_project"

    @property
    def landing(self) -> Path:
        """Where files arrive, as `<source>/<table>/<file>`."""
        return self.root / "landing"

    @property
    def loads(self) -> Path:
        """Accepted files, immutable, as `<source>/<table>/<date>/<load id>.parquet`."""
        return self.root / "warehouse" / "loads"

    @property
    def quarantine(self) -> Path:
        """Refused files as they arrived, as `<source>/<table>/<load id>/<file>`."""
        return self.root / "warehouse" / "quarantine"

    @property
    def model_versions(self) -> Path:
        """Saved models, as `<prediction>/<version>/<file>`."""
        return self.root / "warehouse" / "model_versions"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and files, unless a server keeps them; made from the records, so it may be removed."""
        return self.root / "warehouse" / "mlflow"

    @property
    def published(self) -> Path:
        """The file that BI opens."""
        return self.root / "published" / "turnout.duckdb"

    @property
    def dagster_home(self) -> Path:
        """Where Dagster keeps its history."""
        return self.root / "warehouse" / "dagster"

    @property
    def warehouse(self) -> DuckDB:
        """The working file; the same path stands in dbt's profiles.yml."""
        return DuckDB(self.root / "warehouse" / "turnout.duckdb")

    @property
    def manifest_folder(self) -> Path:
        """A folder of our own: any dbt command, with any target, writes its manifest to the usual place."""
        return self.dbt / "target" / "manifest"

    def keep_private(self) -> None:
        """Let what this process makes, and those that it starts, be for nobody else to read, and all of `warehouse/`.

        What people send is theirs to guard. `published/` is made for the owner alone; whoever opens the folder to
        others declares with it that they may read what is published in it from then on.
        """
        os.umask(0o077)
        for folder in (self.root / "warehouse", self.published.parent):
            is_new = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            if is_new or folder != self.published.parent:
                with suppress(PermissionError):  # another person's folder, who guards it
                    folder.chmod(0o700)
