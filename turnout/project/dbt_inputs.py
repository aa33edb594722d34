"""What dbt reads as it parses a project: files, also those behind links and in packages, and environment variables."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path

import yaml

from turnout.project.provenance import source_files

# In `dbt_project.yml`: folders to read from, which may stand outside the project.
_FOLDERS_TO_READ = re.compile(r".*-paths|packages-install-path")
# In a project's files, a word in quotes may be the name of a variable, and one that ends so the beginning of a name.
_QUOTED = re.compile(r"""["']([A-Za-z_][A-Za-z0-9_]*)["']""")
# Options of dbt that move what is built, or hide what is told of it. People set them for a dbt of their own.
_OPTIONS = (
    *("TARGET", "TARGET_PATH", "PROFILE", "PROFILES_DIR", "PROJECT_DIR"),
    *("STATE", "ARTIFACT_STATE_PATH", "DEFER", "DEFER_STATE", "DEFER_TO_STATE", "FAVOR_STATE", "FAVOR_STATE_MODE"),
    *("EMPTY", "SAMPLE", "EVENT_TIME_START", "EVENT_TIME_END", "FULL_REFRESH", "INTROSPECT"),
    *("RESOURCE_TYPES", "EXCLUDE_RESOURCE_TYPES", "INDIRECT_SELECTION", "WRITE_JSON", "PARTIAL_PARSE_FILE_PATH"),
    *("QUIET", "LOG_FORMAT", "LOG_FORMAT_FILE", "LOG_LEVEL", "LOG_LEVEL_FILE", "LOG_PATH", "PRINT"),
)


def forget_dbt_options() -> None:
    """Take out of the environment what a person told their own dbt, such as `DBT_TARGET`: it is not for our runs."""
    for option in _OPTIONS:
        for prefix in ("DBT_", "DBT_ENGINE_"):
            os.environ.pop(f"{prefix}{option}", None)


def state_of(dbt: Path) -> str:
    """Return a hash that is another one when dbt would read something else in a project.

    It tells the name, time and size of every file, the variables that the files name, and the versions of dbt.
    """
    files = tuple(_files_of(dbt))
    named = _variables_named_in(files)
    variables = {name: value for name, value in os.environ.items() if named.fullmatch(name)}
    listed = [(os.path.relpath(path, dbt), *stat) for path, *stat in files]
    told = repr((_versions(), listed, sorted(variables.items())))
    return hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()


def _files_of(dbt: Path) -> Iterator[tuple[Path, int, int]]:
    """Return the files that dbt may read, each with its time and size."""
    for folder in (dbt, *_folders_outside(dbt)):
        for path in source_files(folder):
            stat = path.stat()
            yield path, stat.st_mtime_ns, stat.st_size


def _folders_outside(dbt: Path) -> list[Path]:
    file = dbt / "dbt_project.yml"
    if not file.is_file():
        return []
    stat = file.stat()
    return [
        folder
        for name in _folders_declared(file, stat.st_mtime_ns, stat.st_size)
        if not (folder := Path(os.path.normpath(dbt / name))).is_relative_to(dbt)
    ]


@lru_cache(maxsize=8)
def _folders_declared(file: Path, _time: int, _size: int) -> tuple[str, ...]:
    try:
        declared = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return ()  # dbt says what is wrong with it
    values = declared.items() if isinstance(declared, Mapping) else ()
    named = [value for key, value in values if _FOLDERS_TO_READ.fullmatch(str(key))]
    folders = [folder for value in named for folder in (value if isinstance(value, list) else [value])]
    return tuple(sorted({folder for folder in folders if isinstance(folder, str)}))


@lru_cache(maxsize=8)
def _variables_named_in(files: tuple[tuple[Path, int, int], ...]) -> re.Pattern[str]:
    """Return the pattern of environment variables that may be asked for: dbt itself tells only of some of them."""
    texts = (path.read_text(encoding="utf-8", errors="replace") for path, *_ in files if path.suffix not in _NO_CODE)
    words = {word for text in texts for word in _QUOTED.findall(text)}
    return re.compile("|".join(f"{word}.*" if word.endswith("_") else word for word in sorted(words)), re.DOTALL)


_NO_CODE = {".csv", ".md"}


@cache
def _versions() -> tuple[str, ...]:
    return tuple(version(package) for package in ("dbt-core", "dbt-adapters", "dbt-duckdb"))
