"""Every connection is in UTC, whatever the machine's zone is: the day of an instant is the same everywhere."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ZONES = ("America/New_York", "Asia/Kolkata", "UTC")
DAY = "select cast(timestamp with time zone '2024-01-01 03:00:00+00' as date)::varchar as day"

# Asks every connection for the day of one instant; the first argument is a folder.
ASKING = f"""
import sys
from pathlib import Path
import pyarrow as pa, yaml
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.environments.local import LocalEnvironment
from bi.publication import open_publication
from turnout.engines import file
from turnout.engines.duckdb import DuckDB, connect

folder, sql = Path(sys.argv[1]), "{DAY}"
published = folder / "published.duckdb"
file.write(published, {{"t": pa.table({{"x": [1]}})}})
days = []
with DuckDB(folder / "warehouse.duckdb").session() as session:
    days.append(session.rows(sql)[0]["day"])
    with session.batches(sql) as batches:  # on a cursor
        days.append(batches.read_all()["day"][0].as_py())
    linked = session.splink()
    days.append(linked.query_sql(sql, output_type="pandas")["day"][0])
with DuckDB(folder / "warehouse.duckdb").scratch("s", memory="1GB") as session:
    days.append(session.rows(sql)[0]["day"])
with file.opened(published) as opened:
    days.append(opened.rows(sql)[0]["day"])
with connect() as connection:
    days.append(connection.execute(sql).fetchall()[0][0])
with open_publication(published) as connection:
    days.append(connection.cursor().execute(sql).fetchall()[0][0])
for output in yaml.safe_load(Path("dbt_project/profiles.yml").read_text())["turnout"]["outputs"].values():
    said = {{**output, "path": ":memory:", "schema": "main"}}
    environment = LocalEnvironment(DuckDBCredentials.from_dict(said))
    handle = environment.handle()
    days.append(handle.cursor().execute(sql).fetchall()[0][0])
print(days)
"""


@pytest.mark.parametrize("zone", ZONES)
def test_every_connection_is_in_utc(zone: str, tmp_path: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", ASKING, str(tmp_path)],
        env={**os.environ, "TZ": zone}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    assert ast.literal_eval(asked.stdout.splitlines()[-1]) == ["2024-01-01"] * 10


def test_no_connection_is_opened_in_another_way() -> None:
    opening = {
        str(module.relative_to(ROOT))
        for part in ("turnout", "ml", "orchestration", "bi")
        for module in (ROOT / part).rglob("*.py")
        if "duckdb.connect(" in module.read_text()
    }
    assert opening == {"turnout/engines/duckdb.py", "bi/publication.py"}
