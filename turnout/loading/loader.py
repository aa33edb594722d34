"""A table's files in landing: which are new, in which order they are taken in, and what raw shows then."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.errors import LoadError
from turnout.loading.intake import INCOMING, Arrival, Intake, load_id_of
from turnout.loading.landing import ArrivedFile, FilesSeen, files_in, hash_of, links_out, settled
from turnout.loading.refusal import RefusalError, why
from turnout.loading.register import Register
from turnout.records.loads import Load, QuarantinedFile

if TYPE_CHECKING:
    from turnout.loading.contract import SourceTable
    from turnout.project.paths import Project

# How long to wait for another loader of the same table.
LOCK_SECONDS = 600
# Files, and their bytes, after which what was taken in is written down: a loader that is killed does so much again.
WRITTEN_FILES, WRITTEN_BYTES = 1_000, 1 << 28


@dataclass(frozen=True)
class LandedFile:
    """What came of one file in landing: a load or a place in quarantine, new or known from an earlier look.

    The same content under another name is the same load, so `entered` may name another file.
    """

    file_name: str
    entered: Load | QuarantinedFile
    is_new: bool


@dataclass(frozen=True)
class Loaded:
    """A table after landing was looked through.

    Parameters
    ----------
    files : tuple of LandedFile
        One for each file, in the order in which they arrived.
    growing : tuple of str
        Names of the files that are still being written; they were left alone.
    in_force : tuple of Load
        The loads that raw shows, oldest first.
    blocking : tuple of QuarantinedFile
        The quarantined files that stand in landing and whose place no later file, of their part, has taken: what is
        downstream would be made without them.
    """

    files: tuple[LandedFile, ...]
    growing: tuple[str, ...]
    in_force: tuple[Load, ...]
    blocking: tuple[QuarantinedFile, ...]


def load_landed(project: Project, table: SourceTable) -> Loaded:
    """Take in every file of a table that stands in landing, and let raw show the loads in force.

    A file that was taken in before is not read again. Loaders of one table wait for each other; killed at any moment,
    a load is wholly there or not there.

    Raises
    ------
    LoadError
        If there is nothing to show: no load yet, and none came of the files in landing. If the loads do not keep the
        contract, as it has changed.
    """
    landing = project.landing / table.folder
    with locked_register(project, table) as register:
        _check_links(table, landing)
        whole, growing = settled(files_in(landing, follow_links=table.keys.follow_links))
        seen = FilesSeen(project.loads / table.folder)
        with closing(Intake(project, register, table)) as intake:
            landed = _take_in(register, table, intake, whole, seen)
        growing += [file for file in whole if landed.get(file, file) is None]
        files = [landed_file for file in whole if (landed_file := landed.get(file))]
        blocking = _blocking(table, files)
        if not register.loads():
            raise _nothing_to_show(table, landing, blocking, growing)
        register.show_if_changed()
    names = tuple(file.name for file in growing)
    return Loaded(tuple(files), names, tuple(register.in_force()), blocking)


def _take_in(
    register: Register, table: SourceTable, intake: Intake, whole: Sequence[ArrivedFile], seen: FilesSeen
) -> dict[ArrivedFile, LandedFile | None]:
    """Take in the files that are not known, and return what came of all of them; None of one that is still growing.

    What is appended is taken in in the order of its events. A file that was refused for what it was compared with is
    judged again when that has changed, at once if a file that came after it has changed it.
    """
    landed: dict[ArrivedFile, LandedFile | None] = {}
    newest = {table.part_of(file.path.name): file for file in whole}
    arrivals = {}
    for file in whole:
        try:
            content_hash = seen.hash_of(file) or hash_of(file.path)
        except FileNotFoundError:  # taken away meanwhile
            continue
        part = table.part_of(file.path.name)
        arrivals[file] = Arrival(file, content_hash, load_id_of(content_hash, table, part))

    def is_newest(file: ArrivedFile) -> bool:
        return table.keys.mode == "append" or file == newest[table.part_of(file.path.name)]

    waiting = [file for file in arrivals if _known(register, table, arrivals[file], is_newest=is_newest(file)) is None]
    order = [file for file in arrivals if file not in set(waiting)] if table.keys.mode == "append" else list(arrivals)
    if table.keys.mode == "append":
        order += by_event(intake, waiting)
    file_count = byte_count = 0
    try:
        while order:
            for file in order:
                arrival, before = arrivals[file], register.refusal(arrivals[file].load_id)
                known = _known(register, table, arrival, is_newest=is_newest(file))
                if isinstance(known, Load) and is_newest(file) and not seen.has(file, arrival.content_hash):
                    known, arrival = _returned(register, table, arrival, known)
                entered = known or intake.take(arrival, others_wait=len(waiting) > 1)
                if entered is None:
                    landed[file] = None
                    continue
                is_new = known is None and (before is None or isinstance(entered, Load))
                landed[file] = LandedFile(file.name, entered, is_new)
                seen.remember(file, arrival.content_hash)
                file_count, byte_count = file_count + 1, byte_count + file.byte_count
                if file_count >= WRITTEN_FILES or byte_count >= WRITTEN_BYTES:
                    register.commit()
                    file_count = byte_count = 0
            order = [
                file
                for file in order
                if (known_file := landed[file])
                and isinstance(known_file.entered, QuarantinedFile)
                and _is_outdated(register, table, known_file.entered, is_newest=is_newest(file))
            ]
    except Exception:
        register.commit()  # whatever is wrong with this file, those before it have entered
        raise
    register.commit()
    seen.save()
    return landed


def by_event(intake: Intake, files: Sequence[ArrivedFile]) -> list[ArrivedFile]:
    """Return files in the order of their first events; those that tell of none by their names, after the others."""
    if len(files) < 2:
        return list(files)
    known = [(event, file) for file in files if (event := intake.first_event(file)) is not None]
    dated = [file for _, file in sorted(known, key=lambda pair: (pair[0], _name_order(pair[1])))]
    return [*dated, *sorted(set(files).difference(dated), key=_name_order)]


def _name_order(file: ArrivedFile) -> list[tuple[bool, int, str]]:
    """Return what puts names in the order in which people read them: the tenth after the second."""
    found = re.findall(r"([0-9]+)|([^0-9]+)", file.path.name)
    return [(not digits, int(digits or 0), letters) for digits, letters in found]


@contextmanager
def locked_register(project: Project, table: SourceTable) -> Iterator[Register]:
    """Wait until no other loader is at work on a table, keep others out, and give out the table's register.

    A killed loader keeps nobody out.

    Raises
    ------
    LoadError
        If another loader is at work for longer than `LOCK_SECONDS`.
    """
    from filelock import FileLock, Timeout

    folder = project.loads / table.folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
            _clear(folder)
            try:
                yield Register(project.warehouse, project.root, table)
            finally:
                _clear(folder)
    except Timeout:
        raise LoadError(
            f"{table.label} cannot be loaded: another loader has been at work on it for {LOCK_SECONDS} seconds.",
            where=str(folder / ".lock"),
            rule="one loader at a time takes in the files of a table.",
            remedy="wait for the other run to end, or stop it, and run this again.",
        ) from None


def _clear(folder: Path) -> None:
    """Remove what is being written, or was when a loader was killed."""
    for left in folder.glob(f"{INCOMING}*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def _known(
    register: Register, table: SourceTable, arrival: Arrival, *, is_newest: bool
) -> Load | QuarantinedFile | None:
    """Return what came of a file before, unless what it was refused by, or compared with, has changed."""
    accepted = register.load(arrival.load_id)
    if accepted:
        return accepted
    refused = register.refusal(arrival.load_id)
    if refused is None or refused.contract != table.terms:
        return None
    return None if _is_outdated(register, table, refused, is_newest=is_newest) else refused


def _is_outdated(register: Register, table: SourceTable, refused: QuarantinedFile, *, is_newest: bool) -> bool:
    """Return whether what a file was compared with has changed since; a snapshot before the newest stays refused."""
    loads = register.loads_of(table.part_of(refused.file_name))
    return (
        refused.failed_check == "population"
        and is_newest
        and any(load.loaded_at > refused.quarantined_at for load in loads[-1:])
    )


def _returned(register: Register, table: SourceTable, arrival: Arrival, known: Load) -> tuple[Load | None, Arrival]:
    """Return an arrival of its own for a snapshot that is sent again after another one: the sender went back to it."""
    part = table.part_of(arrival.file.path.name)
    newest = next(reversed(register.loads_of(part)), known)
    if table.keys.mode == "append" or newest.file_hash == known.file_hash:
        return known, arrival
    return None, replace(arrival, load_id=load_id_of(arrival.content_hash, table, part, after=newest.load_id))


def _blocking(table: SourceTable, files: Sequence[LandedFile]) -> tuple[QuarantinedFile, ...]:
    """Return the quarantined files without which raw would not be what was sent."""

    def place(landed_file: LandedFile) -> str:
        is_apart = table.keys.mode == "append" or table.keys.part
        return table.part_of(landed_file.file_name) or (landed_file.file_name if is_apart else "")

    latest = {place(landed_file): landed_file.entered for landed_file in files}
    return tuple(entered for entered in latest.values() if isinstance(entered, QuarantinedFile))


def _check_links(table: SourceTable, landing: Path) -> None:
    """Refuse a table in whose folder a link leads out of landing, unless that is declared."""
    if not table.keys.follow_links and (links := links_out(landing)):
        raise LoadError(
            f"{table.label} cannot be loaded: {links[0].name} is a link, or in one, that leads out of landing, and is "
            "not followed.",
            where=str(links[0]),
            rule="what is loaded stands in landing; a link may lead to any file of the machine, and to another one "
            "tomorrow.",
            remedy="put the file itself there, or declare 'follow_links: true' under config.meta.load in "
            f"{table.file}.",
        )


def _nothing_to_show(
    table: SourceTable, landing: Path, refused: Sequence[QuarantinedFile], growing: Sequence[ArrivedFile]
) -> LoadError:
    if refused:
        return why(table, refused[-1])
    found = "the only file is still being written" if growing else "there is no file"
    remedy = "run this again when it is whole." if growing else f"put a file there ({table.keys.file.format})."
    return RefusalError(table, found, str(landing), remedy)
