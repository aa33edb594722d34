"""The engine stays behind its seam: who imports DuckDB, and whether other engines read the SQL that is handed over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from one_sql import fault_of
from worlds import World

ROOT = Path(__file__).parents[2]
# `loading` may, as files are always read by DuckDB.
MAY_KNOW = ("turnout/engines/", "turnout/loading/")
# The package, and what splink calls it.
NAMES = {"duckdb", "DuckDBAPI"}


def imported(file: Path) -> Iterator[str]:
    """The packages that a module imports from, and the names that it takes from them."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
            yield from (name.name for name in node.names)


def test_nobody_else_imports_duckdb() -> None:
    files = [file for part in ("turnout", "ml", "orchestration") for file in (ROOT / part).rglob("*.py")]
    assert len(files) > 80
    knowing = {str(file.relative_to(ROOT)) for file in files if NAMES & set(imported(file))}
    assert {file for file in knowing if not file.startswith(MAY_KNOW)} == set()


@pytest.mark.parametrize(
    "sql",
    [
        'select cast(x as bigint) from "a"."t" where y = ? and z <= date \'2024-01-07\'',
        "with t as (select 'it is' as a) select a, count(*) filter (where a is null) as n from t group by a order by a",
        "select a, sum(b) over (partition by c order by d rows unbounded preceding) as e from t limit 1",
        "select one.a from one left join other using (a, b) where other.a is null",
    ],
)
def test_sql_that_both_engines_read_alike_passes(sql: str) -> None:
    assert fault_of(sql) == ""


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("from t", "begins neither"),
        ("select x::bigint from t", "'::' casts"),
        ("select 7 // 2 as a", "Required keyword"),
        ("select * exclude a from t", "left out"),
        ("select * replace (1 as a) from t", "left out"),
        ("select a, count(*) from t group by all", "by 'all'"),
        ("select hash(a) from t", "no function .*: hash"),
        ("select isinf(a), epoch_us(b) from t", "no function .*: epoch_us, isinf"),
        ("select cast(a as varchar) from t", "'string'"),
        ("select cast(a as timestamp) from t", "Spark reads"),
        ("select a from t anti join u using (a)", "of its own"),
        ("select a ** 2 as a from t", "Required keyword|Invalid expression|Spark reads"),
        ("select sum(a) filter (where b) over (order by c) from t", "does not filter"),
        ("select list(a) from t", "no function .*: list"),
        ("select [a, b] from t", "brackets"),
    ],
)
def test_sql_that_only_duckdb_reads_so_is_told(sql: str, words: str) -> None:
    assert re.search(words, fault_of(sql))


def test_every_statement_of_a_session_is_looked_at_but_not_what_the_engine_said(world: World) -> None:
    with world.warehouse.session() as session:
        days = session.expressions.days_before("date '2024-01-03'", "date '2024-01-01'")
        assert session.rows(f"select {days} as days") == [{"days": 2.0}]
        with pytest.raises(AssertionError, match="epoch_us"):
            session.rows("select epoch_us(day) as moment from predictions.will_return limit 1")
        with pytest.raises(AssertionError, match="begins neither"):
            session.keep("examples", "from predictions.will_return")
