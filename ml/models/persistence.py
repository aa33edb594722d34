"""Fitted Pipelines as files that cannot run code when they are loaded.

skops writes the state of estimators and rebuilds only types that it or we trust. Our list stands here, in
code, never in a model's file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

from turnout.errors import ModelError

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

# What our candidates need beyond the types that skops trusts by itself. `functools.partial` can only wrap
# a function that is itself on a list.
TRUSTED_TYPES = (
    "collections.OrderedDict",
    "functools.partial",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "ml.models.estimators.Average",
    "ml.models.estimators.EmptyColumnImputer",
    "ml.models.estimators.Recalibrated",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
)

# How types of ours were called in earlier releases, whose models still name them so: module and class, then and now.
MOVED: Mapping[tuple[str, str], tuple[str, str]] = {
    ("ml.estimators", "NeverKnownAsZero"): ("ml.models.estimators", "EmptyColumnImputer"),
    ("ml.estimators", "Recalibrated"): ("ml.models.estimators", "Recalibrated"),
    ("ml.estimators", "AsPredicted"): ("ml.tasks.estimators", "AsPredicted"),
}


def save(fitted: BaseEstimator, path: Path, also_trusted: Sequence[str] = ()) -> str:
    """Write a fitted Pipeline, wholly or not at all, and return the file's SHA-256.

    Parameters
    ----------
    fitted : Pipeline, or Average or Recalibrated of `ml.models.estimators`
        What is saved.
    also_trusted : sequence of str
        Types that the declaration trusts beyond `TRUSTED_TYPES`.

    Raises
    ------
    ModelError
        If the Pipeline holds a type that could not be loaded again.
    """
    import skops.io

    content = skops.io.dumps(fitted, compression=ZIP_DEFLATED)
    _check_types(content, path, also_trusted)
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file wholly or not at all: who reads it sees what was there before, or all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load(path: Path, expected_hash: str, also_trusted: Sequence[str] = ()) -> BaseEstimator:
    """Read what was saved; parameters as in `save`.

    Raises
    ------
    ModelError
        If the file is missing, is not the one that was saved, or holds a type that is not trusted.
    """
    import skops.io

    rule = "a model version is immutable, and its file is the one that its record names."
    remedy = "restore the file from a backup, or train again to make a new version."
    if not path.exists():
        raise ModelError("The file of a model version is missing.", where=str(path), rule=rule, remedy=remedy)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != expected_hash:
        raise ModelError("The file of a model version has changed.", where=str(path), rule=rule, remedy=remedy)
    content = _as_of_today(content)
    _check_types(content, path, also_trusted)
    return skops.io.loads(content, trusted=[*TRUSTED_TYPES, *also_trusted])


def _as_of_today(content: bytes) -> bytes:
    """Return a model in which types of ours stand where they stand in this release."""
    with ZipFile(BytesIO(content)) as archive:
        members = {member.filename: archive.read(member) for member in archive.infolist()}
    schema = members["schema.json"]
    if not any(module.encode() in schema for module, _ in MOVED):
        return content
    schema = json.dumps(json.loads(schema, object_hook=_called_as_today)).encode()
    renamed = BytesIO()
    with ZipFile(renamed, "w") as archive:
        for name, member in {**members, "schema.json": schema}.items():
            archive.writestr(name, member)
    return renamed.getvalue()


def _called_as_today(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node of a model's schema with the name that its type has in this release."""
    called = str(node.get("__module__")), str(node.get("__class__"))
    if called in MOVED:
        node["__module__"], node["__class__"] = MOVED[called]
    return node


def _check_types(content: bytes, path: Path, also_trusted: Sequence[str]) -> None:
    import skops.io

    untrusted = set(skops.io.get_untrusted_types(data=content)) - {*TRUSTED_TYPES, *also_trusted}
    if untrusted:
        raise ModelError(
            f"A model holds types that are not trusted: {', '.join(sorted(untrusted))}.",
            where=str(path),
            rule="loading a model rebuilds only types on the list in our code, so that it cannot run anything else.",
            remedy="if you know them, name them under 'trusted_types' in the prediction's declaration.",
        )
