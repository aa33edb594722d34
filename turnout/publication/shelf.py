"""Where publications stand: the file that BI opens, those before it that are kept, and the switch between them.

What happens to a switch when its process is killed, the disk is full or the power goes is argued in `Shelf.switched`.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.publication.tables import PublicationError, read_publication

if TYPE_CHECKING:
    from turnout.project.paths import Project

# Publications before the one in place, to which one can go back.
KEPT = 5
# How long to wait for another process that publishes.
LOCK_SECONDS = 600.0


@dataclass(frozen=True)
class Shelf:
    """The folder of publications.

    Parameters
    ----------
    current : Path
        The file that BI opens. The publications before it stand beside, as `kept/<publication id>.duckdb`.
    lock : Path
        Held by whoever changes something here; outside of the folder, which is for readers.
    """

    current: Path
    lock: Path

    def kept(self) -> dict[int, Path]:
        """Return the kept publications by id, the newest first; the one in place is not always among them."""
        files = {int(file.stem): file for file in self._kept.glob("*.duckdb") if file.stem.isdecimal()}
        return dict(sorted(files.items(), reverse=True))

    @contextmanager
    def switched(self, *, keep: bool = True) -> Iterator[Path]:
        """Put a new file in the place of the one that BI opens, if the block ends without an error and has written it.

        Parameters
        ----------
        keep : bool
            Whether the publication in place is kept.

        Yields
        ------
        Path
            Where to write the new file: in the same folder, so that renaming never copies, under a name that nobody
            reads. The block closes it. Others wait meanwhile, so the shelf stays as the block has seen it.

        Raises
        ------
        PublicationError
            If the file is not whole, or another process publishes for longer than `LOCK_SECONDS`.
        """
        with self._alone():
            self._clear()  # what a killed process left; it holds the lock no longer
            partial = self.current.with_name(f".{self.current.name}.partial")
            try:
                yield partial
                if not partial.exists():
                    return
                if _wal_of(partial).exists():
                    # All that is renamed is one file; what the log beside it holds would be missing.
                    raise PublicationError(
                        "The new publication is not whole: a part of it is still in its log.",
                        where=str(_wal_of(partial)),
                        rule="a publication is one file.",
                        remedy="run it again; the last publication is untouched.",
                    )
                # Who opens it to write, which would lock out all readers, is refused. Who may read the folder may read
                # it.
                partial.chmod(partial.parent.stat().st_mode & 0o444 | stat.S_IRUSR)
                # A kill is harmless between any two lines, as each is atomic and the name that BI opens moves in one of
                # them alone. A full disk shows before that, in the writing, or here. A loss of power is another matter:
                # the system may bring what was done to the disk in another order. So, whatever comes later relies on
                # what was flushed before:
                # 1. The content. Else the name could survive and point at blocks that were never written.
                _fsync(partial)
                # 2. The second name of the publication in place, so that there is a way back from the moment on at
                #    which it is needed. Nothing relies on it being there early.
                if keep:
                    self._keep()
                # 3. The switch. POSIX promises readers the old file or the new one; who holds the old one open reads
                #    on in it until the last one closes.
                partial.replace(self.current)
                # 4. The switch, on the disk. Until here a loss of power may bring back the publication before, which
                #    is whole; from here on it cannot, so from here on it may be told to others.
                _fsync(self.current.parent)
                # 5. Only now is it safe to let go of the oldest: nothing that could come back needs it.
                self._prune()
            finally:
                self._clear()

    def next_id(self) -> int:
        """Return the id for a new publication: more than that of any other here, also after going back."""
        current = read_publication(self.current)
        return max([0, *self.kept(), *([current.publication_id] if current else [])]) + 1

    @property
    def _kept(self) -> Path:
        return self.current.parent / "kept"

    def _keep(self) -> None:
        """Give the file in place a second name, under which it stays."""
        replaced = read_publication(self.current)
        if replaced is None:
            return
        self._kept.mkdir(exist_ok=True)
        self._kept.chmod(self._kept.parent.stat().st_mode & 0o777)
        _fsync(self._kept.parent)
        name = self._kept / f"{replaced.publication_id}.duckdb"
        if not name.exists():
            try:
                os.link(self.current, name)
            except OSError:  # a file system without hard links
                copy = self._kept / f".{name.name}.partial"
                shutil.copyfile(self.current, copy)
                _fsync(copy)
                copy.replace(name)
        _fsync(self._kept)

    def _prune(self) -> None:
        """Let go of all but the last that are kept."""
        for file in [*self.kept().values()][KEPT:]:
            file.unlink()

    def _clear(self) -> None:
        for folder in (self.current.parent, self._kept):
            for file in folder.glob(".*.duckdb.*"):
                file.unlink()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        self.current.parent.mkdir(parents=True, exist_ok=True)
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.lock, timeout=LOCK_SECONDS):
                yield
        except Timeout:
            raise PublicationError(
                f"Another process has been publishing for {LOCK_SECONDS:.0f} s.",
                where=str(self.lock),
                rule="one publication is switched at a time.",
                remedy="wait for it or stop it, then run this again.",
            ) from None


def _wal_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.wal")


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def shelf_of(project: Project) -> Shelf:
    """Return the shelf of a project."""
    return Shelf(project.published, project.root / "warehouse" / "publication.lock")
