"""Does a reader ever see anything but a whole publication, whatever happens to the writer?

Four readers that open the published file anew for each query, and one that holds it open, read while publications are
made, and the writer is killed with SIGKILL: at random moments, and at each step of the switch (before the content is
flushed, between writing and renaming, right after renaming, while old ones are let go). At times the disk is full, and
at times a newer state is held back. Two of the readers use the DuckDB 1.x that the tests bring, where it is installed.

Every table of a publication carries its id in every row, so that a torn read shows. Prints what was done, and what
readers saw: failed reads, torn ones, ids going backwards, files left behind; all of these must be zero.
Run it with `.venv/bin/python -m trials.under_fire [publications] [seed]`. With `careless` at the end, the writer
copies the new file over the old one instead of renaming it, and readers do see it.
"""

from __future__ import annotations

import json
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from turnout.project.paths import Project
from turnout.publication.marts import Mart
from turnout.publication.publish import hold_back, publish
from turnout.publication.shelf import KEPT, shelf_of
from turnout.publication.tables import PublicationError, read_publication

if TYPE_CHECKING:
    import duckdb

PUBLICATIONS = 100
REOPENING = 4
MARTS = {name: Mart(f"model.{name}", "marts", name) for name in ("large", "middle", "small")}
ROWS = {"large": 60_000, "middle": 6_000, "small": 60}
# Where a writer dies: at the next step of this kind that Python announces (see `sys.addaudithook`), or at any moment.
# The one after renaming is the opening of the folder, to flush it.
DEATHS = ("os.chmod", "os.link", "os.rename", "after os.rename", "os.remove", "random", "random", "random")
# Of a file system of this size the published folder is all; a file beside it fills it up.
DISK_MIB = 64
# Seconds between two queries of a reader.
PAUSE = 0.05
OLDER_CLIENT = Path(sys.prefix) / "older_client"
CARELESS = "careless"
REFUSED = 3  # exit code of a writer that was told in words that it cannot write


def main(arguments: Sequence[str]) -> int:
    """Run it, and return 0 if readers saw nothing amiss."""
    match arguments:
        case ["write", folder, death, limit, *_]:
            return write(Project(Path(folder)), death, int(limit))
        case ["read", file, how]:
            return read(Path(file), holds=how == "hold")
        case _:
            numbers = [int(argument) for argument in arguments if argument != CARELESS]
            wanted = numbers[0] if numbers else PUBLICATIONS
            seed = numbers[1] if len(numbers) > 1 else time.time_ns() % 10_000
            return under_fire(wanted, seed)


def under_fire(wanted: int, seed: int) -> int:
    """Publish so often under fire, print the table, and return 0 if nothing is amiss."""
    chance, done, began = random.Random(seed), Counter[str](), time.perf_counter()  # noqa: S311 - nothing secret
    with tempfile.TemporaryDirectory(prefix="under fire ") as folder:
        project = Project(Path(folder))
        project.published.parent.mkdir()
        with small_disk(project.published.parent) as is_disk:
            assert start(project, "never").wait() == 0
            readers = [
                subprocess.Popen(
                    [sys.executable, "-m", __spec__.name, "read", str(project.published), how],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=environment(older=number % 2 == 1),
                    text=True,
                )
                for number, how in enumerate(["hold", *["reopen"] * REOPENING])
            ]
            while in_place(project) < wanted:
                fire(project, chance, done, is_disk=is_disk)
                done["writers"] += 1
            assert start(project, "never").wait() == 0  # the next writer clears what the last one left
            seen = [Seen(**json.loads(reader.communicate("stop")[0])) for reader in readers]
            left = left_behind(project)
            done["publications"] = in_place(project)
    return print_table(done, seen, left, seed, time.perf_counter() - began, is_disk=is_disk)


def fire(project: Project, chance: random.Random, done: Counter[str], *, is_disk: bool) -> None:
    """Let one writer publish until it is killed, or until it is told that the disk is full."""
    if chance.random() < 0.15:
        ballast = project.published.with_name("ballast")
        with ballast.open("wb", buffering=0) as full:
            try:
                while is_disk:
                    full.write(b"0" * 65536)
            except OSError:
                pass
        # Where there is no small disk, files of the writer may not grow beyond a limit.
        writer = start(project, "never", limit=0 if is_disk else 100_000)
        if chance.random() < 0.5:
            code = writer.wait()
            assert code == REFUSED, f"a full disk came out as {code}"
            done["refused in words, as the disk was full"] += 1
        else:
            kill_soon(writer, chance)
            done[
                "killed on a full disk" if writer.wait() == -signal.SIGKILL else "full disk, done before the kill"
            ] += 1
        ballast.unlink()
        return
    death = chance.choice(DEATHS)
    writer = start(project, death)
    if death == "random":
        kill_soon(writer, chance)
    code = writer.wait()
    assert code == -signal.SIGKILL, f"the writer that was to be killed at {death} ended with {code}"
    names = {"random": "killed at a random moment", "after os.rename": "killed right after renaming"}
    done[names.get(death, f"killed at {death}")] += 1


def in_place(project: Project) -> int:
    """Return the id of the publication in place; 0 if it cannot be read, which readers will tell."""
    try:
        current = read_publication(project.published)
    except PublicationError:
        return 0
    return current.publication_id if current else 0


def kill_soon(writer: subprocess.Popen[str], chance: random.Random) -> None:
    """Kill a writer within a second from when it begins to publish."""
    assert writer.stdout is not None
    writer.stdout.readline()
    time.sleep(chance.uniform(0, 1))
    writer.kill()


def start(project: Project, death: str, limit: int = 0) -> subprocess.Popen[str]:
    """Start a writer: one publication if it is never to die, else one after the other."""
    command = [sys.executable, "-m", __spec__.name, "write", str(project.root), death, str(limit)]
    if CARELESS in sys.argv:
        command.append(CARELESS)
    return subprocess.Popen(command, text=True, env=environment(), stdout=subprocess.PIPE)


def environment(*, older: bool = False) -> dict[str, str]:
    """Return an environment in which this package is found, and DuckDB 1.x if it is wanted and there."""
    root = str(Path(__file__).resolve().parent.parent)
    paths = [str(OLDER_CLIENT), root] if older and OLDER_CLIENT.exists() else [root]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def write(project: Project, death: str, limit: int) -> int:
    """Build marts and publish them; die where it is said. Says when it begins."""
    previous = ""
    if CARELESS in sys.argv:
        Path.replace = _copy_over  # type: ignore[assignment, method-assign]
    print("begins", flush=True)  # noqa: T201 - to its parent

    def announced(event: str, _: object) -> None:
        nonlocal previous
        if event in {death, "os.rename"} or (previous == "os.rename" and event == "open"):
            if event == death or (death == "after os.rename" and previous == "os.rename"):
                os.kill(os.getpid(), signal.SIGKILL)
            previous = event

    published = 0
    while death != "never" or not published:
        if published == (2 if death != "random" else -1):  # some go well before
            sys.addaudithook(announced)
        number = shelf_of(project).next_id()
        build(project, number)
        if limit:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            if number % 5 == 0 and (judged := read_publication(project.published)):
                hold_back(project, "It is the fifth.", {"large": 1}, [], judged=judged)
            published_now = publish(project, MARTS).publication.publication_id
        except PublicationError:
            return REFUSED
        assert published_now == number
        published += 1
    return 0


def _copy_over(self: Path, target: Path) -> Path:
    """Do what a careless writer does, slowly, as it would be with more to write."""
    if target.exists():
        target.chmod(0o644)
    content = self.read_bytes()
    with target.open("wb", buffering=0) as file:
        file.write(content[: len(content) // 2])
        time.sleep(0.5)
        file.write(content[len(content) // 2 :])
    self.unlink()
    return target


def build(project: Project, number: int) -> None:
    """Build marts in the working file, each row with the number of the publication that they are for."""
    columns = {"publication_id": "bigint", "row_number": "bigint", "noise": "ubigint"}
    with project.warehouse.session() as session, session.transaction():
        for name, rows in ROWS.items():
            session.create("marts", name, columns)
            session.delete("marts", name, {})
            session.insert(
                "marts",
                name,
                f"""select {number} as publication_id, row_number, hash(row_number + {number}) as noise
                from range({rows + number}) as rows(row_number)""",
            )


@dataclass
class Seen:
    """What a reader saw.

    Parameters
    ----------
    client : str
        Its version of DuckDB.
    holds : bool
        Whether it held its connection open.
    reads, publications : int
        How many reads went well, and how many different publications they found.
    slowest_ms : float
        The longest that a read took, in milliseconds.
    failures : list of str
        Reads that failed, in DuckDB's words.
    torn : list of int
        After which publication something was read that was not whole.
    backwards : list of str
        Ids that followed a higher one; for who holds its connection, any other one.
    """

    client: str
    holds: bool
    reads: int = 0
    publications: int = 0
    slowest_ms: float = 0.0
    failures: list[str] = field(default_factory=list)
    torn: list[int] = field(default_factory=list)
    backwards: list[str] = field(default_factory=list)

    @property
    def amiss(self) -> list[int]:
        """How many reads failed, were torn, went backwards."""
        return [len(self.failures), len(self.torn), len(self.backwards)]


def read(file: Path, *, holds: bool) -> int:
    """Read until somebody says stop, and print what was seen as JSON."""
    import duckdb

    seen, last = Seen(duckdb.__version__, holds), 0
    held = duckdb.connect(str(file), read_only=True) if holds else None
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        began = time.perf_counter()
        try:
            connection = held or duckdb.connect(str(file), read_only=True)
            number = whole(connection)
            if held is None:
                connection.close()
        except duckdb.Error as error:
            seen.failures.append(str(error))
            continue
        seen.reads += 1
        seen.slowest_ms = max(seen.slowest_ms, (time.perf_counter() - began) * 1000)
        if number is None:
            seen.torn.append(last)
            continue
        if number < last or (holds and last and number != last):
            seen.backwards.append(f"{last}, then {number}")
        seen.publications += number != last
        last = number
    print(json.dumps(asdict(seen)))  # noqa: T201 - to its parent
    return 0


def whole(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Return the id of a publication if all its tables are of it, with all their rows."""
    marts = " union all ".join(
        f"select '{name}', min(publication_id), max(publication_id), count(*), sum(row_number)::bigint from {name}"
        for name in ROWS
    )
    found = connection.execute(
        f"""select 'publication' as name, publication_id, publication_id, 1, 0 from publication
            union all select 'freshness of ' || table_name, publication_id, publication_id, row_count, 0 from freshness
            union all {marts}"""
    ).fetchall()
    number: int = found[0][1]
    expected = [("publication", number, number, 1, 0)]
    for name, least in ROWS.items():
        rows = least + number
        expected.append((f"freshness of {name}", number, number, rows, 0))
        expected.append((name, number, number, rows, rows * (rows - 1) // 2))
    return number if sorted(found) == sorted(expected) else None


def left_behind(project: Project) -> list[str]:
    """Return what is in the published folder, and beside the working file, that has no business there.

    A kept publication that is not the one that its name says, or one too many, has none either.
    """
    expected = {project.published, project.warehouse.path, shelf_of(project).lock}
    for number, file in [*shelf_of(project).kept().items()][:KEPT]:
        publication = read_publication(file)
        if publication and publication.publication_id == number:
            expected.add(file)
    files = {file for file in project.root.rglob("*") if file.is_file()}
    return sorted(str(file.relative_to(project.root)) for file in files - expected)


def succeeds(program: str, *arguments: str) -> bool:
    """Return whether a program is here, and does what it is asked."""
    found = shutil.which(program)
    return found is not None and subprocess.run([found, *arguments], check=False, capture_output=True).returncode == 0


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Put a small file system under a folder; yield whether that was possible."""
    is_mounted = succeeds("mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder))
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", str(folder)], check=True)


def print_table(
    done: Counter[str], seen: Sequence[Seen], left: Sequence[str], seed: int, seconds: float, *, is_disk: bool
) -> int:
    """Print what was done and seen, and return 0 if nothing is amiss."""
    console = Console()
    console.width = max(console.width, 110)  # else the columns would be cut
    table = Table(title=f"{done.pop('publications')} publications under fire, seed {seed}, {seconds:.0f} s")
    table.add_column("reader")
    for heading in ("DuckDB", "reads", "publications seen", "slowest read", "failed", "torn", "backwards"):
        table.add_column(heading, justify="right")
    for reader in seen:
        table.add_row(
            "holds its connection" if reader.holds else "reopens",
            reader.client,
            f"{reader.reads:,}",
            str(reader.publications),
            f"{reader.slowest_ms:.0f} ms",
            *map(str, reader.amiss),
        )
    console.print(table)
    console.print("; ".join(f"{what}: {count}" for what, count in sorted(done.items())))
    console.print("The disk was a small one that was filled up." if is_disk else "The full disk was a limit on files.")
    console.print(f"Left behind: {', '.join(left) or 'nothing'}")
    for reader in seen:
        for failure in reader.failures[:3]:
            console.print(f"failed read: {failure}", style="red", markup=False)
    return 1 if left or any(any(reader.amiss) for reader in seen) else 0


if __name__ == "__main__":
    if sys.argv[1:2] not in (["write"], ["read"]) and "UNDER_FIRE" not in os.environ:
        # A mount of our own, which goes with this process whatever happens to it; where that is not allowed, without.
        own = ["unshare", "--map-root-user", "--mount"]
        command = [*(own if succeeds(*own, "true") else ()), sys.executable, "-m", __spec__.name, *sys.argv[1:]]
        sys.exit(subprocess.run(command, check=False, env={**os.environ, "UNDER_FIRE": "yes"}).returncode)
    sys.exit(main(sys.argv[1:]))
