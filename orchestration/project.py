"""Where everything stands, and dbt's manifest, always fresh."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linking.declaration import Link, links_in
from ml.declaration import Prediction, predictions_in
from ml.errors import TurnoutError, did_you_mean
from ml.tracking import Tracking, prepare_environment, track
from ml.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.publication.shelf import Shelf

# Asset keys and pools are named once, here and in the YAML of dbt's sources.
WAREHOUSE_POOL = "warehouse"


class ProjectError(TurnoutError):
    """The dbt project cannot be read."""


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
    def own_tracking_uri(self) -> str:
        """The tracking URI of MLflow's database here."""
        return f"sqlite:///{self.mlflow.resolve() / 'mlflow.db'}"

    @property
    def tracking_uri(self) -> str:
        """Where MLflow is: what the user says in `MLFLOW_TRACKING_URI`, else here."""
        return os.environ.get("MLFLOW_TRACKING_URI") or self.own_tracking_uri

    @property
    def published(self) -> Path:
        """The file that BI opens."""
        return self.root / "published" / "turnout.duckdb"

    @cached_property
    def shelf(self) -> Shelf:
        """That file, those before it that are kept, and how one takes the place of another."""
        from orchestration.publication.shelf import Shelf

        return Shelf(self.published, self.root / "warehouse" / "publication.lock")

    @property
    def dagster_home(self) -> Path:
        """Where Dagster keeps its history."""
        return self.root / "warehouse" / "dagster"

    @property
    def warehouse(self) -> Warehouse:
        """The working file; the same path stands in dbt's profiles.yml."""
        return Warehouse(self.root / "warehouse" / "turnout.duckdb")

    @property
    def manifest_folder(self) -> Path:
        """A folder of our own: any dbt command, with any target, writes its manifest to the usual place."""
        return self.dbt / "target" / "manifest"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest of dbt, which parses the project first if a file in it was added, changed or removed.

        Raises
        ------
        ProjectError
            If dbt cannot parse the project.
        """
        target = self.manifest_folder
        path, parsed_from = target / "manifest.json", target / "parsed_from"
        state = _state_of(self.dbt)
        if not (path.exists() and parsed_from.exists() and parsed_from.read_text() == state):
            _parse(self.dbt, target)
            parsed_from.write_text(state)
        content: dict[str, Any] = json.loads(path.read_bytes())
        return content

    @cached_property
    def predictions(self) -> tuple[Prediction, ...]:
        """The declared predictions, by name.

        Raises
        ------
        DeclarationError
            If a declaration is wrong.
        """
        return predictions_in(self.manifest)

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The declared links, by table.

        Raises
        ------
        DeclarationError
            If a declaration is wrong.
        """
        return links_in(self.manifest)

    def predictions_named(self, names: Sequence[str] | None) -> tuple[Prediction, ...]:
        """Return the predictions with these names; all of them for None.

        Raises
        ------
        ProjectError
            If there is no prediction of a name.
        """
        known = {prediction.name: prediction for prediction in self.predictions}
        for name in names or ():
            if name not in known:
                raise ProjectError(
                    f"There is no prediction '{name}'.{did_you_mean(name, known)}",
                    where=str(self.dbt),
                    rule="a prediction is a dbt model that declares 'config.meta.prediction'.",
                    remedy=f"name one of: {', '.join(known)}." if known else "declare one; the README says how.",
                )
        return tuple(known[name] for name in (known if names is None else names))

    def prepare(self) -> None:
        """Make Dagster's home, with our settings in it, and name it in the environment, with those of MLflow."""
        self.dagster_home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(__file__).with_name("dagster.yaml"), self.dagster_home / "dagster.yaml")
        os.environ["DAGSTER_HOME"] = str(self.dagster_home)
        prepare_environment()
        os.environ["MLFLOW_TRACKING_URI"] = self.tracking_uri

    def track(self, *, ask: bool = False) -> Tracking:
        """Tell MLflow what is on record and new to it; see `ml.tracking.track`."""
        uri = self.tracking_uri
        artifacts = self.mlflow / "artifacts" if uri == self.own_tracking_uri else None
        return track(self.warehouse, self.predictions, self.model_versions, uri, artifacts=artifacts, ask=ask)

    def code_version(self) -> str:
        """Return the commit, or a hash of the source where there is no commit or it was changed since."""
        if shutil.which("git"):
            git = ["git", "-C", str(self.root)]
            status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False)
            commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
            if commit.returncode == 0 and status.returncode == 0 and not status.stdout:
                return f"commit {commit.stdout.strip()}"
        digest = hashlib.sha256()
        for folder in ("dbt_project", "linking", "ml", "orchestration"):
            for path in _source_files(self.root / folder):
                digest.update(path.relative_to(self.root).as_posix().encode() + b"\0" + path.read_bytes())
        return f"source {digest.hexdigest()}"


@cache
def this_project() -> Project:
    """Return the project that this package stands in; its manifest is read once in a process."""
    return Project(Path(__file__).resolve().parent.parent)


def _source_files(folder: Path) -> list[Path]:
    kinds = {".sql", ".yml", ".yaml", ".py", ".csv", ".md", ".jinja"}
    made_by_dbt = {"target", "logs"}
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in kinds and not made_by_dbt.intersection(path.relative_to(folder).parts)
    )


def _state_of(folder: Path) -> str:
    """Return a hash of the name, time and size of every source file."""
    stats = ((path.relative_to(folder).as_posix(), path.stat()) for path in _source_files(folder))
    listed = "\n".join(f"{name} {stat.st_mtime_ns} {stat.st_size}" for name, stat in stats)
    return hashlib.sha256(listed.encode()).hexdigest()


def _parse(dbt: Path, target: Path) -> None:
    # A process of its own: dbt's in-process runner keeps the lock of the warehouse.
    command = [
        sys.executable,
        "-m",
        "dbt.cli.main",
        "--no-use-colors",
        "--log-format",
        "text",
        "parse",
        "--target-path",
        str(target),
    ]
    finished = subprocess.run(command, cwd=dbt, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise ProjectError(
            f"dbt cannot parse the project:\n{finished.stdout.strip() or finished.stderr.strip()}",
            where=str(dbt),
            rule="the asset graph is made from dbt's manifest.",
            remedy="correct the file that dbt names; 'dbt parse' in dbt_project/ says the same, faster.",
        )
