"""What does a publication cost, beside the disk's own limit?

Fills a working file with a mart of scores (entity, as-of date, score, version, three reasons, as `ml.serving.scoring`
writes them), and publishes it, in a process of its own for each number of rows. In the same run, as many bytes as the
published file has are written to the same folder by `write` and flushed by `fsync`, a mebibyte at a time: the disk's
limit. Each is done three times, alternately; the fastest counts.

Prints seconds, bytes, the share of the limit, and the peak memory of the process that published.
Run it with `.venv/bin/python -m benchmarks.publication [rows …]`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from turnout.project.paths import Project
from turnout.publication.marts import Mart
from turnout.publication.publish import publish

ROWS = (1_000_000, 10_000_000, 50_000_000)
TIMES = 3
MEBIBYTE = 2**20
# Like those of the worked examples: some features, each with many values.
COLUMNS = {
    "entity": "bigint",
    "as_of_date": "date",
    "score": "double",
    "model_version": "integer",
    "reason_1": "varchar",
    "reason_2": "varchar",
    "reason_3": "varchar",
}
SCORES = """
    select
        row_number::bigint as entity,
        date '2026-11-01' as as_of_date,
        (hash(row_number) % 1000003) / 1000003.0::double as score,
        3 as model_version,
        'days since the last purchase: ' || hash(row_number + 1) % 365 || ', which raises the score' as reason_1,
        'baskets in the 28 days before: ' || hash(row_number + 2) % 40 || ', which lowers the score' as reason_2,
        'share of fresh food: 0.' || hash(row_number + 3) % 100 || ', which raises the score' as reason_3
    from range({rows}) as rows(row_number)"""


def main() -> None:
    """Measure each number of rows, and print the table."""
    table = Table(title="A publication beside the disk's limit; the fastest of three")
    for heading in ("rows", "published file", "publication", "write and fsync", "of the limit", "peak memory"):
        table.add_column(heading, justify="right")
    console = Console()
    console.width = max(console.width, 110)  # else the columns would be cut
    for rows in [int(argument) for argument in sys.argv[1:]] or ROWS:
        with tempfile.TemporaryDirectory(prefix="turnout-publication-") as folder:
            project = Project(Path(folder))
            with project.warehouse.session() as session:
                session.create("marts", "scores", COLUMNS)
                session.insert("marts", "scores", SCORES.format(rows=rows))
            measured = [(published(project), written(project)) for _ in range(TIMES)]
            took, limit = min(one["seconds"] for one, _ in measured), min(seconds for _, seconds in measured)
            size, memory = project.published.stat().st_size, max(one["memory"] for one, _ in measured)
        table.add_row(
            f"{rows:,}",
            f"{size / MEBIBYTE:,.0f} MiB",
            f"{took:.2f} s",
            f"{limit:.2f} s",
            f"{limit / took:.0%}",
            f"{memory / MEBIBYTE:,.0f} MiB",
        )
    console.print(table)


def published(project: Project) -> dict[str, float]:
    """Publish in a process of its own, and return seconds and peak memory in bytes."""
    command = [sys.executable, "-m", __spec__.name, "publish", str(project.root)]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(finished.stdout)
    return measured


def publish_once(project: Project) -> None:
    """Publish, and print what it took as JSON."""
    began = time.perf_counter()
    publish(project, {"scores": Mart("model.scores", "marts", "scores")})
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "memory": memory}))  # noqa: T201 - to its parent


def written(project: Project) -> float:
    """Return the seconds that writing and flushing as many bytes takes, in the same folder."""
    size, block = project.published.stat().st_size, os.urandom(MEBIBYTE)
    file = project.published.with_name("limit")
    began = time.perf_counter()
    with file.open("wb", buffering=0) as target:
        for _ in range(0, size, MEBIBYTE):
            target.write(block)
        os.fsync(target.fileno())
    seconds = time.perf_counter() - began
    file.unlink()
    return seconds


if __name__ == "__main__":
    if sys.argv[1:2] == ["publish"]:
        publish_once(Project(Path(sys.argv[2])))
    else:
        main()
