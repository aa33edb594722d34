"""The project at hand: what is declared in it, its samples, and what its tools find in their environment."""

from __future__ import annotations

import importlib
import os
import pkgutil
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.declaration import Prediction, predictions_in
from ml.tracking.environment import prepare_environment
from ml.tracking.tracking import Tracking, track
from turnout.errors import did_you_mean
from turnout.linking.declaration import Link, links_in
from turnout.project.dbt_inputs import forget_dbt_options
from turnout.project.manifest import ProjectError, manifest_of
from turnout.project.paths import Project

if TYPE_CHECKING:
    from collections.abc import Sequence


@cache
def this_project() -> Project:
    """Return the project that this package stands in."""
    return Project(Path(__file__).resolve().parent.parent)


def predictions_of(project: Project) -> tuple[Prediction, ...]:
    """Return the declared predictions, by name.

    Raises
    ------
    DeclarationError
        If a declaration is wrong.
    """
    return predictions_in(manifest_of(project))


def links_of(project: Project) -> tuple[Link, ...]:
    """Return the declared links, by table.

    Raises
    ------
    DeclarationError
        If a declaration is wrong.
    """
    return links_in(manifest_of(project))


def predictions_named(project: Project, names: Sequence[str] | None) -> tuple[Prediction, ...]:
    """Return the predictions with these names; all of them for None.

    Raises
    ------
    ProjectError
        If there is no prediction of a name.
    """
    known = {prediction.name: prediction for prediction in predictions_of(project)}
    for name in names or ():
        if name not in known:
            raise ProjectError(
                f"There is no prediction '{name}'.{did_you_mean(name, known)}",
                where=str(project.dbt),
                rule="a prediction is a dbt model that declares 'config.meta.prediction'.",
                remedy=f"name one of: {', '.join(known)}." if known else "declare one; the README says how.",
            )
    return tuple(known[name] for name in (known if names is None else names))


def sample_modules(project: Project) -> list[Any]:
    """Return the modules in `samples/` that fill landing; each names the `SOURCES` that it has files for."""
    names = sorted(found.name for found in pkgutil.iter_modules([str(project.root / "samples")]))
    modules = [importlib.import_module(f"samples.{name}") for name in names]
    return [module for module in modules if hasattr(module, "SOURCES")]


def prepare(project: Project) -> None:
    """Make Dagster's home, with our settings in it, and name it in the environment, with those of MLflow.

    What is made from then on is the owner's alone.
    """
    forget_dbt_options()
    project.keep_private()
    project.dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("dagster.yaml"), project.dagster_home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(project.dagster_home)
    prepare_environment()
    os.environ["MLFLOW_TRACKING_URI"] = tracking_uri(project)


def own_tracking_uri(project: Project) -> str:
    """Return the tracking URI of MLflow's database in the project."""
    return f"sqlite:///{project.mlflow.resolve() / 'mlflow.db'}"


def tracking_uri(project: Project) -> str:
    """Return where MLflow is: what the user says in `MLFLOW_TRACKING_URI`, else in the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or own_tracking_uri(project)


def track_all(project: Project, *, ask: bool = False) -> Tracking:
    """Send to MLflow what is on record and new to it; see `ml.tracking.tracking.track`."""
    uri = tracking_uri(project)
    artifacts = project.mlflow / "artifacts" if uri == own_tracking_uri(project) else None
    return track(project.warehouse, predictions_of(project), project.model_versions, uri, artifacts=artifacts, ask=ask)
