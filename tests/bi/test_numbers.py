"""What Superset answers over REST is what was published, the present publication and the next one."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import duckdb
from looking import BI_PYTHON, Asking, Superset


def published(superset: Superset, sql: str) -> list[tuple[Any, ...]]:
    """Query the published file."""
    with duckdb.connect(superset.state.published, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def asked(reader: Asking, table: int, column: str, **query: Any) -> list[Any]:
    """Return one column of what a chart on a table would show."""
    answer = reader.chart(table, **query)
    assert answer.ok, answer.text
    return [row[column] for row in answer.json()["result"][0]["data"]]


def counted() -> dict[str, Any]:
    """A metric that counts rows."""
    return {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "rows"}


def test_there_are_the_dashboards_that_were_promised(reader: Asking) -> None:
    assert sorted(dashboard["dashboard_title"] for dashboard in reader.dashboards()) == [
        "How good are the models",
        "Is the data healthy",
        "Who needs attention",
    ]


def test_counts_of_every_table_are_those_of_the_published_file(
    superset: Superset, reader: Asking, tables: dict[str, int]
) -> None:
    assert {"households", "voters"} <= tables.keys()
    for name, table in tables.items():
        expected = published(superset, f'select count(*) from "{name}"')
        assert asked(reader, table, "rows", metrics=[counted()]) == [expected[0][0]], name


def test_a_ranking_is_the_one_that_was_published(superset: Superset, reader: Asking, tables: dict[str, int]) -> None:
    top = "select household_id, sales_value_at_risk from households order by sales_value_at_risk_rank limit 25"
    expected = published(superset, top)
    query = {
        "columns": ["household_id", "sales_value_at_risk", "sales_value_at_risk_rank"],
        "orderby": [["sales_value_at_risk_rank", True]],
        "row_limit": 25,
    }
    assert asked(reader, tables["households"], "household_id", **query) == [row[0] for row in expected]
    assert asked(reader, tables["households"], "sales_value_at_risk", **query) == [row[1] for row in expected]


def test_the_next_publication_is_seen_at_once(superset: Superset, reader: Asking, tables: dict[str, int]) -> None:
    file = superset.state.published
    before = asked(reader, tables["households"], "rows", metrics=[counted()])
    kept, new = file.with_name("kept.duckdb"), file.with_name("new.duckdb")
    shutil.copyfile(file, kept)
    shutil.copyfile(file, new)
    with duckdb.connect(new) as connection:
        connection.execute("delete from households where sales_value_at_risk_rank <= 10")
        expected = connection.execute("select count(*) from households").fetchall()[0][0]
    try:
        new.replace(file)
        assert asked(reader, tables["households"], "rows", metrics=[counted()]) == [expected]
        assert expected < before[0]
    finally:
        kept.replace(file)
    assert asked(reader, tables["households"], "rows", metrics=[counted()]) == before


def test_the_next_publication_is_seen_while_somebody_reads_the_one_before(superset: Superset) -> None:
    """In one process, DuckDB shares an open file between connections; ours do not share."""
    subprocess.run([BI_PYTHON, "-c", READS_BOTH, superset.state.published], cwd=superset.state.root, check=True)


READS_BOTH = """
import os, shutil, sys
from pathlib import Path
import duckdb
from bi.publication import open_publication
file, new = (Path(sys.argv[1]).with_name(name) for name in ("moving.duckdb", "moving.new"))
count = "select count(*) from households"
shutil.copyfile(sys.argv[1], file)
reads = open_publication(file)
before = reads.execute(count).fetchone()
shutil.copyfile(file, new)
with duckdb.connect(new) as connection:
    connection.execute("delete from households")
os.replace(new, file)
assert open_publication(file).execute(count).fetchone() == (0,)
assert reads.execute(count).fetchone() == before != (0,)
file.unlink()
"""
