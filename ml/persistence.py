"""Fitted Pipelines as files that cannot run code when they are loaded.

skops writes the state of estimators and rebuilds only types that it or we trust. Our list stands here, in
code, never in a model's file.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED

from ml.errors import ModelError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# What our candidates need beyond the types that skops trusts by itself. `functools.partial` can only wrap
# a function that is itself on a list.
TRUSTED_TYPES = (
    "functools.partial",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)


def save(pipeline: Pipeline, path: Path) -> str:
    """Write a fitted Pipeline, wholly or not at all, and return the file's SHA-256.

    Raises
    ------
    ModelError
        If the Pipeline holds a type that could not be loaded again.
    """
    import skops.io

    content = skops.io.dumps(pipeline, compression=ZIP_DEFLATED)
    _check_types(content, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return hashlib.sha256(content).hexdigest()


def load(path: Path, expected_hash: str) -> Pipeline:
    """Read a fitted Pipeline.

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
    _check_types(content, path)
    return skops.io.loads(content, trusted=list(TRUSTED_TYPES))


def _check_types(content: bytes, path: Path) -> None:
    import skops.io

    untrusted = set(skops.io.get_untrusted_types(data=content)) - set(TRUSTED_TYPES)
    if untrusted:
        raise ModelError(
            f"A model holds types that are not trusted: {', '.join(sorted(untrusted))}.",
            where=str(path),
            rule="loading a model rebuilds only types on the list in our code, so that it cannot run anything else.",
            remedy="if the candidate that uses them is ours, add them to ml.persistence.TRUSTED_TYPES.",
        )
