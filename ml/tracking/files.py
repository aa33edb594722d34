"""The files of a model version as MLflow keeps them: its card, plots and tables, and its fits as MLflow's models."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.models.feature import Feature
from ml.models.persistence import TRUSTED_TYPES
from ml.tasks import task_named
from ml.tracking.reading import Fit

if TYPE_CHECKING:
    from ml.tracking.reading import VersionRecord


def gather(folder: Path, record: VersionRecord, fit: Fit, model_folder: Path) -> None:
    """Put into a folder what is shown of a version: its card, plots, tables, and the fit that was judged.

    Parameters
    ----------
    folder : Path
        Where all is copied to.
    fit : Fit
        The fit that is registered; another one that was judged is put beside it.
    model_folder : Path
        Where `<prediction>/<version>/` holds the fits, and the card and plots if there are any.
    """
    version = record.version
    files = model_folder / version["prediction"] / str(version["version"])
    for shown in (*files.glob("card.*"), *files.glob("plots/*")):
        target = folder / shown.relative_to(files)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(shown, target)
    tables = {
        "evaluations": record.evaluations,
        "folds": record.validations,
        "trials": record.trials,
        "limits": record.limits,
        "seconds": record.steps,
    }
    for name, rows in tables.items():
        if rows:
            target = folder / "records" / f"{name}.csv"
            target.parent.mkdir(exist_ok=True)
            target.write_text(_csv(rows))
    (folder / "record.json").write_text(
        json.dumps({"model_version": version, "promotion": record.decision}, default=str, indent=2)
    )
    if version["evaluated_file_hash"] != fit.file_hash:
        judged = Fit(version, version["evaluated_file"], version["evaluated_file_hash"])
        content = model_bytes(model_folder, judged)
        if content is not None:
            write_model(folder / folder_of(judged), judged, content)


def model_bytes(model_folder: Path, fit: Fit) -> bytes | None:
    """Return the file of a fit if it is there, and the one that the record names."""
    path = model_folder / fit.file
    content = path.read_bytes() if path.exists() else b""
    return content if hashlib.sha256(content).hexdigest() == fit.file_hash else None


def write_model(folder: Path, fit: Fit, content: bytes) -> None:
    """Write a fit as MLflow's scikit-learn flavour, which `mlflow.sklearn.load_model` reads.

    Its own `save_model` would have to load the fit, and write it again without compression.
    """
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    libraries = json.loads(fit.version["libraries"])
    features = [Feature(name, kind) for name, kind in json.loads(fit.version["features"]).items()]
    inputs: list[Any] = [
        ColSpec(DataType.string if feature.is_category else DataType.double, feature.name) for feature in features
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.skops").write_bytes(content)
    (folder / "requirements.txt").write_text("".join(f"{name}=={found}\n" for name, found in libraries.items()))
    (folder / "python_env.yaml").write_text(
        f"python: {platform.python_version()}\nbuild_dependencies: [pip]\ndependencies: [-r requirements.txt]\n"
    )
    model = Model(signature=ModelSignature(inputs=Schema(inputs)))
    pyfunc.add_to_model(
        model,
        loader_module="mlflow.sklearn",
        model_path="model.skops",
        python_env="python_env.yaml",
        predict_fn=task_named(fit.version["task"], "records.model_versions").predict_function,
    )
    model.add_flavor(
        "sklearn",
        pickled_model="model.skops",
        sklearn_version=libraries["scikit-learn"],
        serialization_format="skops",
        code=None,
        skops_trusted_types=list(TRUSTED_TYPES),
    )
    model.save(folder / "MLmodel")


def folder_of(fit: Fit) -> str:
    """Return the folder of a fit among the files of its run."""
    return f"models/{Path(fit.file).stem}_{fit.file_hash[:8]}"


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text, [name for name in rows[0] if name not in {"prediction", "version"}], extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
