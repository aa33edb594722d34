"""The same files are the same loads on every machine, whatever its time zone."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ZONES = ("America/New_York", "Asia/Kolkata", "UTC")
TESTS = Path(__file__).parents[1]

# Loads the files of a folder as they are declared, and prints what raw shows of each, and what was set aside.
LOADING = """
import sys
from pathlib import Path
from tables import manifest_of
from turnout.engines.duckdb import DuckDB
from turnout.loading import landing
from turnout.loading.contract import source_tables
from turnout.loading.loader import load_landed
from turnout.project.paths import Project

landing.SETTLE_SECONDS = 0
columns = {"at": {"type": "timestamp"}, "told": {"type": "timestamp with time zone"}, "day": {"type": "date"}}
files = {
    "v.csv": {"format": "csv"},
    "v.jsonl": {"format": "json_lines", "time_zone": "Europe/Berlin"},
    "v.parquet": {"time_zone": "America/New_York"},
    "f.csv": {"format": "csv", "timestamp_format": ["%d.%m.%Y %H:%M %z", "%d.%m.%Y %H:%M"]},
}
for name, file in files.items():
    project = Project(Path(sys.argv[1]) / name)
    (table,) = source_tables(manifest_of(columns, event_time="at", file=file, refuse_above=0.9))
    load_landed(project, table)
    with DuckDB(project.warehouse.path).session() as session:
        sql = "select columns(* exclude (_load_id, _loaded_at))::varchar from raw.visits order by all"
        print(name, session.rows(sql))
        print(session.rows("select line_number, reason, content from records.refused_rows order by all"))
        print(session.rows("select check_name, column_name, value from records.load_checks order by all"))
        print(session.rows("select column_name, min, max, approx_unique from records.load_statistics order by all"))
"""


def written(folder: Path) -> None:
    """Put the files into landing folders of their own."""
    at = datetime(2024, 1, 1, 3)
    rows = [
        ("2024-01-01T03:00:00Z", "2024-01-01 03:00"),
        ("2024-01-01 05:00:00+02", "2023-12-31 22:00-05"),
        ("now", ""),
    ]
    contents = {
        "v.csv": "at,told,day\n" + "".join(f"{one},{other},2024-01-01\n" for one, other in rows),
        "v.jsonl": "".join(
            f'{{"at": "{one}", "told": "{other or one}", "day": "2024-01-01"}}\n' for one, other in rows
        ),
        "f.csv": "at,told,day\n01.01.2024 05:00 +02:00,01.01.2024 03:00,2024-01-01\n31.12.2023 22:00 EST,,\n",
    }
    for name in (*contents, "v.parquet"):
        file = folder / name / "landing" / "shop" / "visits" / name
        file.parent.mkdir(parents=True)
        if name in contents:
            file.write_text(contents[name])
        else:
            columns = {"at": pa.array([at]), "told": pa.array([at.replace(tzinfo=UTC)]), "day": pa.array([at.date()])}
            pq.write_table(pa.table(columns), file)


def test_the_same_files_are_the_same_loads_in_every_time_zone(tmp_path: Path) -> None:
    loading = {}
    for zone in ZONES:
        written(tmp_path / zone)
        loading[zone] = subprocess.Popen(
            [sys.executable, "-c", LOADING, str(tmp_path / zone)],
            env={**os.environ, "TZ": zone, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    found = {zone: process.communicate()[0] for zone, process in loading.items()}
    assert [process.returncode for process in loading.values()] == [0, 0, 0]
    assert found[ZONES[0]] == found[ZONES[1]] == found[ZONES[2]]
    first, *_ = found["UTC"].splitlines()
    same = "{'at': '2024-01-01 03:00:00', 'told': '2024-01-01 03:00:00+00', 'day': '2024-01-01'}"
    assert first == f"v.csv [{same}, {same}]"
    assert f"v.jsonl [{same}, {same}]" not in found["UTC"]  # in Berlin three o'clock is two in UTC
    assert "v.parquet [{'at': '2024-01-01 08:00:00', 'told': '2024-01-01 03:00:00+00'" in found["UTC"]
