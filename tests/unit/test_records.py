"""Records are said once: the warehouse refuses what is not said, and an earlier release is brought up."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from worlds import World

from ml.models.reasons import reason_fields
from ml.serving.scores_table import scores_table
from ml.tasks import BINARY, REGRESSION, Task
from ml.tasks.metrics import METRICS
from turnout.engines import QueryError, Session
from turnout.engines.duckdb import DuckDB
from turnout.errors import WarehouseError
from turnout.records import SCHEMA, TABLES, Column, Table, bring_up, opened, trainings, write
from turnout.records.migrations import GREATER_IS_BETTER, STEPS

# The records as the release before had made them, where a number, a way to say it, or a table has come since.
EARLIER = (Path(__file__).parent / "records_of_an_earlier_release.sql").read_text()
VALUES: dict[str, Any] = {
    "varchar": "text",
    "boolean": True,
    "integer": 1,
    "bigint": 1,
    "double": 1.0,
    "decimal(9, 2)": 1.0,
    "date": date(2024, 3, 3),
    "timestamp": datetime(2024, 3, 3, 12),
    "varchar[]": ["text"],
}
COLUMNS = [(table, column) for table in TABLES for column in table.columns]


def row_of(table: Table) -> dict[str, Any]:
    """A row that may stand in a table."""
    row = {column.name: column.values[0] if column.values else VALUES[column.data_type] for column in table.columns}
    row |= {"version": 2} if {"version", "champion_version"} <= row.keys() else {}
    row |= {"realised_stddev": None} if "realised_stddev" in row else {}
    return row


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("records") / "turnout.duckdb"


@pytest.fixture(scope="module")
def session(file: Path) -> Iterator[Session]:
    with opened(DuckDB(file)) as session:
        for table in TABLES[:-1]:  # the last one is filled by itself
            write(session, {table: [row_of(table)]})
        yield session


def replace(session: Session, table: Table, row: dict[str, Any]) -> None:
    """Write a row in the place of all that are there: it has the key of another."""
    with session.transaction():
        session.delete(SCHEMA, table.name, {})
        session.append(SCHEMA, table.name, [row])


def refuses(session: Session, table: Table, row: dict[str, Any], match: str = "CHECK constraint failed") -> None:
    with pytest.raises(QueryError, match=match):
        replace(session, table, row)


def test_every_column_holds_what_is_said_of_it(session: Session) -> None:
    for table in TABLES:
        held = session.rows(
            "select column_name, data_type from information_schema.columns "
            "where table_schema = ? and table_name = ? order by ordinal_position",
            (SCHEMA, table.name),
        )
        assert {row["column_name"]: row["data_type"].lower().replace("(9,2", "(9, 2") for row in held} == table.types


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_second_row_with_the_same_key_is_refused(session: Session, table: Table) -> None:
    row = {**row_of(table), **({"number": 1} if table.name == "migrations" else {})}
    if table.is_key_enforced:
        with pytest.raises(QueryError, match="Duplicate key"):
            session.append(SCHEMA, table.name, [row])
    else:
        assert table.name in {"built_from", "refused_rows"}


@pytest.mark.parametrize(
    ("table", "column"), [(t, c) for t, c in COLUMNS if not c.is_nullable], ids=lambda said: said.name
)
def test_a_row_without_a_value_is_refused(session: Session, table: Table, column: Column) -> None:
    refuses(session, table, {**row_of(table), column.name: None}, match="NULL")


@pytest.mark.parametrize(("table", "column"), [(t, c) for t, c in COLUMNS if c.values], ids=lambda said: said.name)
def test_a_word_that_is_not_among_the_allowed_is_refused(session: Session, table: Table, column: Column) -> None:
    refuses(session, table, {**row_of(table), column.name: "something else"})


@pytest.mark.parametrize(
    ("table", "column"), [(t, c) for t, c in COLUMNS if c.between.least is not None], ids=lambda said: said.name
)
def test_a_number_out_of_its_range_is_refused(session: Session, table: Table, column: Column) -> None:
    assert column.between.least is not None
    refuses(session, table, {**row_of(table), column.name: column.between.least - 1})
    if column.between.most is not None:
        refuses(session, table, {**row_of(table), column.name: column.between.most + 1})


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("model_versions", {"last_as_of_date": date(2024, 3, 2)}),
        ("model_versions", {"holdout_last_as_of_date": date(2024, 3, 2)}),
        ("validations", {"last_as_of_date": date(2024, 3, 2)}),
        ("outcomes", {"realised_stddev": 1.0}),
        ("outcomes", {"example_count": 2}),
        ("promotions", {"champion_version": 2}),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(session: Session, name: str, wrong: dict[str, Any]) -> None:
    (table,) = (table for table in TABLES if table.name == name)
    refuses(session, table, {**row_of(table), **wrong})


@pytest.mark.parametrize("name", ["quarantine", "load_checks", "current_loads", "outcomes"])
def test_a_row_can_take_the_place_of_one_with_its_key(session: Session, name: str) -> None:
    (table,) = (table for table in TABLES if table.name == name)
    for _ in range(2):
        with session.transaction():
            session.delete(SCHEMA, name, {key: row_of(table)[key] for key in table.key})
            session.append(SCHEMA, name, [row_of(table)])
    assert session.rows(f"select count(*) as n from {SCHEMA}.{name}") == [{"n": 1}]


def test_rows_are_written_all_or_none(session: Session) -> None:
    steps, trials = (next(table for table in TABLES if table.name == name) for name in ("training_steps", "trials"))
    with pytest.raises(QueryError):
        write(session, {steps: [{**row_of(steps), "step": "another"}], trials: [row_of(trials)]})
    assert session.rows("select step from records.training_steps") == [{"step": "text"}]


def test_every_table_says_what_a_row_is() -> None:
    assert [table.name for table in TABLES if "One row per " not in table.words] == []


# --- scores


def scores(world: World, task: Task = BINARY) -> Table:
    prediction = dataclasses.replace(world.prediction, task=task)
    return scores_table(prediction, Column("entity", "bigint", "It."), Column("day", "date", "When."))


@pytest.fixture
def scored(world: World) -> Iterator[tuple[Session, dict[str, Any]]]:
    table = scores(world)
    with world.warehouse.session() as session:
        session.create("scores", table.name, table.types, table.constraints)
        effects = {f"reason_{place}_effect": 0.4 / place for place in (1, 2, 3)}
        row = {column.name: VALUES[column.data_type] for column in table.columns} | {"score": 0.5} | effects
        session.append("scores", table.name, [row])
        yield session, row


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: None} for name in ("entity", "day", "score", "model_version", "scored_at")),
        {"score": -0.1},
        {"score": 1.1},
        {"reason_1": None},
        {"reason_2_feature": None},
        {"reason_3_effect": None},
        {"reason_2_effect": -0.5},
        {"reason_3_effect": 0.3},
    ],
    ids=str,
)
def test_a_score_that_is_not_whole_is_refused(scored: tuple[Session, dict[str, Any]], wrong: dict[str, Any]) -> None:
    session, row = scored
    with pytest.raises(QueryError, match="constraint failed"):
        session.append("scores", "will_return", [{**row, **wrong}])


def test_a_value_may_be_beside_what_labels_can_be(world: World) -> None:
    assert "check (score between 0 and 1)" in scores(world).constraints
    assert "check (score between 0 and 1)" not in scores(world, REGRESSION).constraints


def test_scores_have_the_columns_of_their_reasons(world: World) -> None:
    assert [column.name for column in scores(world).columns][-12:] == [field.name for field in reason_fields()]


# --- an earlier release


# What dbt, run on its own, does to a table that lacks a column of its YAML.
BY_DBT = "alter table records.evaluations add column greater_is_better boolean"


@pytest.fixture(params=["", BY_DBT], ids=["as it was", "after dbt"])
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> DuckDB:
    warehouse = DuckDB(tmp_path / "turnout.duckdb")
    with duckdb.connect(warehouse.path) as connection:
        connection.execute(f"{EARLIER}; {request.param}")
    return warehouse


def contents(warehouse: DuckDB) -> dict[str, list[dict[str, Any]]]:
    with duckdb.connect(warehouse.path) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'records' order by table_name"
        ).fetchall()
        return {
            table: connection.sql(f"from records.{table} order by all").to_arrow_table().to_pylist()
            for (table,) in tables
        }


def kept(after: dict[str, list[dict[str, Any]]], before: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether the rows of before are there, in their columns, and no others; one table is filled."""
    return all(
        sorted(str([row[name] for name in names]) for row in after[table])
        == sorted(str([row[name] for name in names]) for row in rows)
        for table, rows in before.items()
        for names in [rows[0].keys() - {"greater_is_better"}]
    )


def test_records_of_an_earlier_release_keep_their_rows(earlier: DuckDB) -> None:
    before = contents(earlier)
    with opened(earlier) as session:
        assert set(before) < {table.name for table in TABLES}
        known = session.rows("select outcome, effect, greater_is_better from records.promotions order by version")
        directions = session.rows("select distinct metric, greater_is_better from records.evaluations order by metric")
        served = session.rows("select version, how, file from records.champions order by since")
    after = contents(earlier)
    assert kept(after, before)
    assert known == [
        {"outcome": None, "effect": None, "greater_is_better": True},
        {"outcome": None, "effect": None, "greater_is_better": True},
    ]
    assert {row["metric"]: row["greater_is_better"] for row in directions} == {
        "calibration_error": None,
        "log_loss": False,
        "roc_auc": True,
    }
    # Who was promoted when there was no table of champions is in it now.
    assert served == [{"version": 1, "how": "promoted", "file": "will_return/1/service.skops"}]
    with opened(earlier):
        pass
    assert contents(earlier) == after


def test_brought_up_records_refuse_what_new_ones_refuse(earlier: DuckDB, tmp_path: Path) -> None:
    new = DuckDB(tmp_path / "new.duckdb")
    refused = []
    for warehouse in (earlier, new):
        with opened(warehouse):
            pass
        with duckdb.connect(warehouse.path) as connection:
            refused.append(
                connection.execute(
                    """select table_name, constraint_text from duckdb_constraints()
                       where schema_name = 'records' order by all"""
                ).fetchall()
            )
    assert refused[0] == refused[1] != []


def test_records_that_contradict_what_is_said_are_left_as_they_are(earlier: DuckDB) -> None:
    with duckdb.connect(earlier.path) as connection:
        connection.execute("insert into records.loads by name select * from records.loads")
    before = contents(earlier)
    with pytest.raises(WarehouseError, match=r"cannot be brought up: .*[Dd]uplicate key") as refused, opened(earlier):
        pass
    assert "table records.loads" in str(refused.value)
    assert contents(earlier) == before


def test_killed_while_records_are_brought_up_nothing_has_changed(earlier: DuckDB) -> None:
    before = contents(earlier)
    program = f"""
import os, signal
from pathlib import Path
from turnout.engines.duckdb import DuckDB, DuckDBSession
from turnout.records import opened
create = DuckDBSession.create
def killed(self, schema, table, *said):
    create(self, schema, table, *said)
    if table == "quarantine":
        os.kill(os.getpid(), signal.SIGKILL)
DuckDBSession.create = killed
with opened(DuckDB(Path({str(earlier.path)!r}))):
    pass
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    finished = subprocess.run([sys.executable, "-c", program], env=environment)
    assert finished.returncode == -signal.SIGKILL
    assert contents(earlier) == before
    with opened(earlier) as session:
        bring_up(session)
    assert kept(contents(earlier), before)


def test_rows_of_before_know_which_way_each_metric_is_better(session: Session) -> None:
    for metric, known in METRICS.items():
        sql = f"select {GREATER_IS_BETTER} as greater_is_better from (select ? as metric)"
        assert session.rows(sql, (metric,)) == [{"greater_is_better": known.greater_is_better}], metric


# Records in the words of the release before: its columns, what stood in them, and its table of scores.
BEFORE = """
    create or replace table records.model_versions as
    select * exclude (max_features), 7 as reduce from records.model_versions;
    create or replace table records.outcomes as
    select * exclude (is_treated), is_treated as is_released from records.outcomes;
    create or replace table records.quarantine as
    select * exclude (may_be_accepted) replace ('identity' as failed_check), may_be_accepted as may_be_released
    from records.quarantine;
    create or replace table records.feature_findings as
    select * exclude (message) replace ('twins' as finding), 'Two are one.' as told from records.feature_findings;
    create or replace table records.feature_reviews as
    select * replace (['missing', 'counts_up'] as findings) from records.feature_reviews;
    create or replace table records.promotion_limits as
    select * exclude (message), 'It is slow.' as told from records.promotion_limits;
    create or replace table records.evaluations as
    select * replace ('linear, left out' as candidate) from records.evaluations;
    create schema scores;
    create table scores.will_return (entity bigint, score double check (score <= 1), is_released boolean);
    insert into scores.will_return values (1, 0.5, true);
    create or replace table records.current_loads as select * exclude (shown_as) from records.current_loads;
    delete from records.migrations where number >= 2;
"""


NOW = {
    ("model_versions", "max_features"): 7,
    ("outcomes", "is_treated"): True,
    ("quarantine", "failed_check"): "population",
    ("quarantine", "may_be_accepted"): True,
    ("feature_findings", "finding"): "duplicate_entities",
    ("feature_findings", "message"): "Two are one.",
    ("promotion_limits", "message"): "It is slow.",
    ("evaluations", "candidate"): "linear, unseen group",
}


@pytest.mark.parametrize("by_dbt", ["", "alter table scores.will_return add column is_treated boolean"])
def test_what_was_called_otherwise_is_called_as_it_is_now(tmp_path: Path, by_dbt: str) -> None:
    warehouse = DuckDB(tmp_path / "turnout.duckdb")
    with opened(warehouse) as session:
        write(session, {table: [row_of(table)] for table in TABLES[:-1]})
    with duckdb.connect(warehouse.path) as connection:
        connection.execute(f"{BEFORE}; {by_dbt}")
    with opened(warehouse) as session:
        held = {
            (table, column): session.rows(f"select {column} from {SCHEMA}.{table}")[0][column] for table, column in NOW
        }
        assert held == NOW
        assert session.rows("select findings from records.feature_reviews") == [
            {"findings": ["missing", "monotone_over_time"]}
        ]
        assert session.rows("select * from scores.will_return") == [{"entity": 1, "score": 0.5, "is_treated": True}]
        with pytest.raises(QueryError, match="CHECK constraint failed"):
            session.append("scores", "will_return", [{"entity": 2, "score": 1.5, "is_treated": True}])
        for table in TABLES:
            held = session.columns_of(SCHEMA, table.name).names
            assert set(held) == {column.name for column in table.columns}


def test_a_version_may_be_of_any_task_beside_those_of_before(session: Session) -> None:
    table, key = trainings.MODEL_VERSIONS, {"prediction": "will_return"}
    row = {**row_of(table), **key, "task": "binary", "version": 1}
    session.drop(SCHEMA, table.name)
    session.create(SCHEMA, table.name, table.types, (*table.constraints, "check (task in ('binary', 'regression'))"))
    session.append(SCHEMA, table.name, [row])
    with pytest.raises(QueryError, match="CHECK constraint failed"):
        session.append(SCHEMA, table.name, [{**row, "task": "my_tasks.INTERVAL", "version": 2}])
    for step in range(2, len(STEPS) + 1):
        session.delete(SCHEMA, "migrations", {"number": step})
    bring_up(session)
    session.append(SCHEMA, table.name, [{**row, "task": "my_tasks.INTERVAL", "version": 2}])
    found = session.rows("select version, task from records.model_versions order by version")
    assert found == [{"version": 1, "task": "binary"}, {"version": 2, "task": "my_tasks.INTERVAL"}]
