"""A session's verbs do all or nothing, and what fails in them is told as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from turnout.engines import QueryError
from turnout.engines.duckdb import DuckDB

STORED = pa.table({"key": [1, 2]})


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDB:
    made = DuckDB(tmp_path / "warehouse.duckdb")
    with made.session() as session:
        session.create("kept", "numbers", {"key": "bigint"}, ["unique (key)"])
        session.append("kept", "numbers", STORED)
    return made


def broken() -> pa.RecordBatchReader:
    """A stream that ends in an error, after a row."""

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"key": [3]})
        raise ValueError("this stream breaks")

    return pa.RecordBatchReader.from_batches(STORED.schema, batches())


def test_a_table_is_replaced_whole_with_other_columns_or_not_at_all(warehouse: DuckDB) -> None:
    with warehouse.session() as session:
        with pytest.raises(QueryError, match="this stream breaks"):
            session.replace("kept", "numbers", broken())
        assert session.table("select * from kept.numbers order by key") == STORED
        assert session.replace("kept", "numbers", pa.table({"word": ["one"]})) == 1
        assert session.rows("select * from kept.numbers") == [{"word": "one"}]


def test_what_fails_within_a_transaction_is_told_as_it_is_and_the_session_goes_on(warehouse: DuckDB) -> None:
    with warehouse.session() as session:
        with pytest.raises(QueryError, match="Duplicate key"), session.transaction():
            session.append("kept", "numbers", STORED)
        assert session.append("kept", "numbers", pa.table({"key": [3]})) == 1
        assert session.rows("select count(*) as n from kept.numbers") == [{"n": 3}]


def test_what_a_scratch_session_keeps_can_be_streamed_into_the_warehouse_and_nothing_else_stays(
    warehouse: DuckDB,
) -> None:
    with warehouse.scratch("numbers", memory="1GB") as scratch:
        with warehouse.session() as session, session.batches("select key from kept.numbers") as rows:
            scratch.keep("copied", rows)
        scratch.keep("doubled", "select key * ? as key from copied", [2])
        with scratch.batches("select key from doubled order by key") as rows, warehouse.session() as session:
            session.replace("kept", "doubled", rows)
    with warehouse.session() as session:
        assert session.rows("select key from kept.doubled order by key") == [{"key": 2}, {"key": 4}]
    assert [path.name for path in warehouse.path.parent.rglob("*") if path.is_file()] == ["warehouse.duckdb"]
