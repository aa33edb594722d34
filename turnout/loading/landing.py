"""Which files stand in landing, which of them are whole, and which have been read before.

Landing belongs to whoever sends files: it is only ever read.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# A file that has not changed for so long is taken to be whole.
SETTLE_SECONDS = 2.0
# How programs that copy files name what they are still writing; a dot at the beginning says the same.
UNFINISHED_SUFFIXES = {".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".swp"}

# Which files of a table are samples, beside its loads.
_SAMPLES = "samples.json"


@dataclass(frozen=True)
class ArrivedFile:
    """A file in landing as it stood when we looked.

    Parameters
    ----------
    path : Path
        Where it stands.
    byte_count : int
        Its size.
    modified_ns : int
        When its content was written, in nanoseconds since 1970, as far as its sender says.
    changed_ns : int
        When the system last saw a change of the file, or of its name or rights. Nobody can set it, so it tells when the
        file came to stand here.
    """

    path: Path
    byte_count: int
    modified_ns: int
    changed_ns: int

    @property
    def name(self) -> str:
        """The name, in which bytes that are no UTF-8 are shown by their numbers."""
        return os.fsencode(self.path.name).decode(errors="backslashreplace")

    @classmethod
    def at(cls, path: Path) -> Self:
        """Return the file that stands at a path now."""
        state = path.stat()
        return cls(path, state.st_size, state.st_mtime_ns, state.st_ctime_ns)

    def has_changed(self) -> bool:
        """Return whether the file is another one by now, or gone."""
        try:
            return self.at(self.path) != self
        except FileNotFoundError:
            return True


def files_in(folder: Path, *, follow_links: bool = False) -> list[ArrivedFile]:
    """Return the files that stand in a table's folder in landing, in the order in which they arrived.

    Parameters
    ----------
    folder : Path
        The table's folder in landing.
    follow_links : bool
        Whether what links lead to is taken in as well where it lies outside of landing.
    """
    paths = (path for path in _paths_in(folder) if follow_links or not leads_out(path))
    return sorted(_present(paths), key=lambda file: (file.changed_ns, file.path.name))


def links_out(folder: Path) -> list[Path]:
    """Return what stands in a table's folder in landing, by name, and lies elsewhere."""
    return sorted(path for path in _paths_in(folder) if leads_out(path))


def leads_out(path: Path) -> bool:
    """Return whether a file, or a folder that it stands in below landing, is a link that leads out of landing."""
    landing = path.parent.parent.parent
    return not path.resolve().is_relative_to(landing.resolve())


def settled(files: list[ArrivedFile]) -> tuple[list[ArrivedFile], list[ArrivedFile]]:
    """Return the files that are whole, and those that are still growing.

    Waits for files that changed within the last `SETTLE_SECONDS`, once for all of them.
    """
    now = time.time()
    ages = [now - file.changed_ns / 1e9 for file in files]
    # A time in the future comes from a clock that was put back, and says nothing.
    waits = [SETTLE_SECONDS - age for age in ages if 0 <= age < SETTLE_SECONDS]
    if waits:
        time.sleep(max(waits))
    growing = [file for file in files if file.has_changed()]
    return [file for file in files if file not in growing], growing


def unseen_files(folder: Path, loads: Path, *, follow_links: bool = False) -> list[ArrivedFile]:
    """Return the files of a table in landing that were not read yet and are whole, without waiting for any.

    Parameters
    ----------
    folder : Path
        The table's folder in landing.
    loads : Path
        The table's folder of loads.
    follow_links : bool
        As in `files_in`.
    """
    known, now = FilesSeen(loads), time.time()
    return [
        file
        for file in files_in(folder, follow_links=follow_links)
        if known.hash_of(file) is None and now - file.changed_ns / 1e9 >= SETTLE_SECONDS
    ]


class FilesSeen:
    """The hashes of the files that were read, so that none is read again without need.

    Kept in a file beside the loads, where it can be read without opening the warehouse. It may be deleted at any
    time: all files in landing are then read, and known by their content.

    Parameters
    ----------
    loads : Path
        The table's folder of loads.
    """

    def __init__(self, loads: Path) -> None:
        self._path = loads / "files_seen.json"
        self._hashes: dict[str, tuple[int, int, str]] = {}
        self._is_saved = True
        if self._path.exists():
            self._hashes = {name: tuple(seen) for name, seen in json.loads(self._path.read_bytes()).items()}

    def hash_of(self, file: ArrivedFile) -> str | None:
        """Return the SHA-256 of a file's content, or None if it has another size or time than when it was read."""
        byte_count, modified_ns, content_hash = self._hashes.get(file.path.name, (0, 0, ""))
        return content_hash if (byte_count, modified_ns) == (file.byte_count, file.modified_ns) else None

    def has(self, file: ArrivedFile, content_hash: str) -> bool:
        """Return whether what was last read under this name had this content, whatever the file's times say."""
        return self._hashes.get(file.path.name, ("",))[-1] == content_hash

    def remember(self, file: ArrivedFile, content_hash: str) -> None:
        """Remember a file that has been dealt with, whatever came of it; `save` writes it down."""
        seen = (file.byte_count, file.modified_ns, content_hash)
        self._is_saved = self._is_saved and self._hashes.get(file.path.name) == seen
        self._hashes[file.path.name] = seen

    def save(self) -> None:
        """Write down what is remembered, if it is not yet."""
        if self._is_saved:
            return
        partial = self._path.with_name(f".incoming.{os.getpid()}.json")
        partial.write_text(json.dumps(self._hashes, indent=1))
        partial.replace(self._path)
        self._is_saved = True


def remember_samples(files: Iterable[Path], landing: Path, loads: Path) -> None:
    """Remember which files in landing a worked example has made, by their content, beside the loads of their tables."""
    for path in files:
        folder = loads / path.parent.relative_to(landing)
        folder.mkdir(parents=True, exist_ok=True)
        known = samples_in(folder) | {hash_of(path)}
        partial = folder / f".incoming.{os.getpid()}.json"
        partial.write_text(json.dumps(sorted(known), indent=1))
        partial.replace(folder / _SAMPLES)


def samples_in(loads: Path) -> frozenset[str]:
    """Return the SHA-256 of the files of a table that a worked example has made; `loads` is its folder of loads."""
    path = loads / _SAMPLES
    return frozenset(json.loads(path.read_bytes())) if path.exists() else frozenset()


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, as hexadecimal digits."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _paths_in(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for path in folder.iterdir():
            if path.is_file() and not path.name.startswith(".") and path.suffix.lower() not in UNFINISHED_SUFFIXES:
                yield path


def _present(paths: Iterator[Path]) -> Iterator[ArrivedFile]:
    for path in paths:
        try:
            yield ArrivedFile.at(path)
        except FileNotFoundError:  # taken away since the folder was listed
            continue
