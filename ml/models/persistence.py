"""Fitted Pipelines as files that cannot run code when they are loaded.

skops writes the state of estimators and rebuilds only types that it or we trust. Our list stands here, in
code, never in a model's file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of_package
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

from turnout.errors import TurnoutError, UnusableModelError

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

logger = logging.getLogger(__name__)

RULE = "a model version is immutable, and its file is the one that its record names."
REMEDY = "restore the file from a backup, or train again to make a new version."
# Libraries whose version does not change what a file of a model means.
NOT_IN_FILES = {"optuna", "pandas", "duckdb"}

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
    if untrusted := _untrusted(content, also_trusted):
        raise _untrusted_types(untrusted, path)
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


def load(
    path: Path,
    expected_hash: str,
    also_trusted: Sequence[str] = (),
    libraries: Mapping[str, str] = MappingProxyType({}),
) -> BaseEstimator:
    """Read what was saved; parameters as in `save`.

    Parameters
    ----------
    libraries : mapping of str to str
        Recorded versions of the libraries that saved it; where today's differ, that is logged.

    Raises
    ------
    UnusableModelError
        If the file is missing, is not the one that was saved, holds a type that is not trusted, or cannot be loaded by
        today's libraries.
    """
    import skops.io

    if not path.exists():
        raise _unusable("The file of a model version is missing.", path, "its file is missing")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != expected_hash:
        raise _unusable("The file of a model version has changed.", path, "its file has changed")
    with in_words(path, libraries, "load"):
        content = _as_of_today(content)
        untrusted = _untrusted(content, also_trusted)
        if untrusted and not other_libraries(libraries):
            raise _untrusted_types(untrusted, path)
        if untrusted:
            # What a library keeps in a model may be called otherwise in its next release.
            msg = f"it holds types that are not trusted: {', '.join(untrusted)}"
            raise TypeError(msg)
        loaded = skops.io.loads(content, trusted=[*TRUSTED_TYPES, *also_trusted])
    if changed := other_libraries(libraries):
        logger.warning("%s was saved with %s, and is used with %s.", path, *_versions_in_words(changed))
    return loaded


@contextmanager
def in_words(path: Path, libraries: Mapping[str, str], verb: str) -> Iterator[None]:
    """Tell in words whatever a library says of a model that it cannot load, or cannot predict with.

    Parameters
    ----------
    path : Path
        The file of the model.
    libraries : mapping of str to str
        Recorded versions of the libraries that saved it.
    verb : str
        What is done with it, such as "load" or "predict with".

    Raises
    ------
    UnusableModelError
        For any error that is not in words already.
    """
    try:
        yield
    except TurnoutError:
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        if changed := other_libraries(libraries):
            then, now = _versions_in_words(changed)
            problem = f"it was trained with {then}, and {now} cannot {verb} it"
        else:
            problem = f"today's libraries cannot {verb} it"
        what = f"A model version cannot be used: {problem} ({said})."
        remedy = "train again to make a new version, or install the libraries that the records name."
        raise UnusableModelError(
            what,
            where=str(path),
            rule="a model is used with libraries that understand it; the records name those that made it.",
            remedy=remedy,
            problem=f"{problem} ({said})",
        ) from error


def other_libraries(libraries: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the libraries whose version is another today, with the recorded one and today's."""
    changed = {}
    for name, recorded in libraries.items():
        try:
            installed = version_of_package(name)
        except PackageNotFoundError:
            installed = "missing"
        if installed != recorded and name not in NOT_IN_FILES:
            changed[name] = (recorded, installed)
    return changed


def _versions_in_words(changed: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    then, now = ([f"{name} {pair[place]}" for name, pair in changed.items()] for place in (0, 1))
    return ", ".join(then), ", ".join(now)


def _unusable(what: str, path: Path, problem: str) -> UnusableModelError:
    return UnusableModelError(what, where=str(path), rule=RULE, remedy=REMEDY, problem=problem)


def _untrusted_types(untrusted: Sequence[str], path: Path) -> UnusableModelError:
    types = ", ".join(untrusted)
    return UnusableModelError(
        f"A model holds types that are not trusted: {types}.",
        where=str(path),
        rule="loading a model rebuilds only types on the list in our code, so that it cannot run anything else.",
        remedy="if you know them, name them under 'trusted_types' in the prediction's declaration.",
        problem=f"it holds types that are not trusted: {types}",
    )


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


def _untrusted(content: bytes, also_trusted: Sequence[str]) -> list[str]:
    import skops.io

    return sorted(set(skops.io.get_untrusted_types(data=content)) - {*TRUSTED_TYPES, *also_trusted})
