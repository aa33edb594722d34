"""How much do checking, setting aside and registering cost, beside reading a file alone? And does memory grow with it?

Loads a generated CSV file three ways, each in a process of its own, in the same run:

- `limit`: DuckDB alone, from the file to Parquet, nothing checked but the types;
- `rival`: pandas, the whole file into a frame and from there to Parquet; left out where it would not fit;
- `turnout`: `load_landed`, with types, key, statistics and register, as the pipeline does it.

Prints seconds and peak memory, and their ratios. Run it with `.venv/bin/python -m benchmarks.loading [gigabytes]`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from turnout.loading import landing
from turnout.loading.contract import Column, FileFormat, SourceTable, TableKeys
from turnout.loading.intake import MEMORY_LIMIT
from turnout.loading.loader import load_landed
from turnout.project.paths import Project

COLUMNS = {
    "visit_id": "bigint",
    "customer_id": "bigint",
    "shop": "varchar",
    "remark": "varchar",
    "paid": "double",
    "visited_at": "timestamp",
}
BYTES_PER_ROW = 83
# pandas holds a file of text in several times its size.
RIVAL_GIGABYTES = 2.0


def contract() -> SourceTable:
    """Return the contract of the generated table."""
    return SourceTable(
        unique_id="source.turnout.shop.visits",
        source="shop",
        name="visits",
        schema="raw",
        identifier="visits",
        columns=tuple(Column(name, data_type, is_required=False) for name, data_type in COLUMNS.items()),
        event_time="visited_at",
        keys=TableKeys(key=("visit_id",), file=FileFormat(format="csv")),
        file="models/staging/shop/_shop__sources.yml",
    )


def generate(file: Path, gigabytes: float) -> int:
    """Write the file and return its size in bytes."""
    import duckdb

    file.parent.mkdir(parents=True)
    rows = int(gigabytes * 1e9 / BYTES_PER_ROW)
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false; set preserve_insertion_order = false")
        connection.execute(
            f"""copy (
                select
                    1000000000 + visit as visit_id,
                    hash(visit) % 5000000 as customer_id,
                    'shop number ' || visit % 300 as shop,
                    md5((visit % 100000)::varchar)[:20] as remark,
                    (hash(visit + 1) % 100000) / 100 as paid,
                    timestamp '2024-01-01' + to_seconds(visit % 31536000) as visited_at
                from range({rows}) as visits(visit)
            ) to '{file}' (header)"""
        )
    return file.stat().st_size


def limit(folder: Path, file: Path) -> float:
    """Return the seconds of DuckDB alone."""
    import duckdb

    columns = ", ".join(f"'{name}': '{data_type}'" for name, data_type in COLUMNS.items())
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(folder / "spilled")}) as connection:
        connection.execute("set enable_progress_bar = false")
        started = time.perf_counter()
        connection.execute(
            f"""copy (from read_csv('{file}', auto_detect = false, header = true, columns = {{{columns}}}))
                to '{folder / "limit.parquet"}' (format parquet, compression zstd)"""
        )
        return time.perf_counter() - started


def rival(folder: Path, file: Path) -> float:
    """Return the seconds of pandas, all at once."""
    import pandas as pd

    started = time.perf_counter()
    pd.read_csv(file, parse_dates=["visited_at"]).to_parquet(folder / "rival.parquet", compression="zstd")
    return time.perf_counter() - started


def turnout(folder: Path, _: Path) -> float:
    """Return the seconds of the pipeline's own way."""
    landing.SETTLE_SECONDS = 0
    started = time.perf_counter()
    loaded = load_landed(Project(folder), contract())
    seconds = time.perf_counter() - started
    assert loaded.in_force[0].refused_row_count == 0
    return seconds


def main() -> None:
    """Run the ways and print the table; with a way's name, run that one and print its figures."""
    ways = {"limit": limit, "rival": rival, "turnout": turnout}
    if sys.argv[1:2] and sys.argv[1] in ways:
        seconds = ways[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(json.dumps({"seconds": seconds, "mebibytes": peak}))
        return
    gigabytes = float(sys.argv[1]) if sys.argv[1:] else 1.0
    with tempfile.TemporaryDirectory() as folder:
        file = Project(Path(folder)).landing / contract().folder / "visits.csv"
        size = generate(file, gigabytes)
        figures = {}
        for way in ways if gigabytes <= RIVAL_GIGABYTES else ["limit", "turnout"]:
            command = [sys.executable, "-m", "benchmarks.loading", way, folder, str(file)]
            figures[way] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    table = Table(title=f"a CSV file of {size / 1e9:.2f} GB")
    for heading in ("way", "seconds", "MB/s", "to limit", "to rival", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for way, figure in figures.items():
        seconds = figure["seconds"]
        ratios = (
            f"{seconds / figures[other]['seconds']:.2f}" if other in figures else ""
            for other in ways
            if other != "turnout"
        )
        table.add_row(way, f"{seconds:.1f}", f"{size / 1e6 / seconds:.0f}", *ratios, f"{figure['mebibytes']:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
