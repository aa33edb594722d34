"""What a session answers is the same on every engine: order, types, and all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from turnout.engines import QueryError, Session
from turnout.engines.duckdb import DuckDB

FIRST = pa.schema({"a": pa.int32(), "b": pa.string()})


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with DuckDB(tmp_path / "warehouse.duckdb").session() as session:
        session.create("made", "things", FIRST)
        yield session


def things(session: Session) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in session.rows("select * from made.things order by a, b")]


def test_nulls_come_first_and_last_if_the_order_descends(session: Session) -> None:
    session.append("made", "things", [{"a": 1, "b": "x"}, {"a": None, "b": "y"}])
    assert things(session) == [(None, "y"), (1, "x")]
    assert session.rows("select a from made.things order by a desc") == [{"a": 1}, {"a": None}]


def test_a_table_has_arrows_types_and_is_given_the_columns_that_it_lacks(session: Session) -> None:
    assert session.columns_of("made", "things") == FIRST
    session.append("made", "things", [{"a": 1, "b": "x"}])
    wider = FIRST.append(pa.field("c", pa.list_(pa.string()))).append(pa.field("d", pa.timestamp("us")))
    session.create("made", "things", wider)
    assert session.columns_of("made", "things").names == ["a", "b", "c", "d"]
    session.create("made", "things", {"e": "double"})
    assert things(session) == [(1, "x", None, None, None)]


def test_what_streams_is_matched_by_name_and_read_while_it_is_written(session: Session) -> None:
    session.append("made", "things", pa.table({"b": ["x"] * 1000, "a": list(range(1000))}))
    with session.transaction():
        session.delete("made", "things", {"b": "x"})
        with session.batches("select b, a from made.things", rows=128) as batches:
            assert session.append("made", "things", batches) == 1000
    assert len(things(session)) == 1000


def test_a_stream_that_breaks_leaves_all_as_it_was_and_the_session_to_be_used(session: Session) -> None:
    session.append("made", "things", [{"a": 1, "b": "x"}])

    def broken() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([{"a": 2, "b": "y"}], schema=FIRST)
        msg = "the source has run dry"
        raise ValueError(msg)

    def replaced() -> None:
        with session.transaction():
            session.delete("made", "things", {"a": 1})
            session.append("made", "things", pa.RecordBatchReader.from_batches(FIRST, broken()))

    with pytest.raises(Exception, match="the source has run dry"):
        replaced()
    assert things(session) == [(1, "x")]
    session.keep("kept", "select a from made.things")
    assert session.rows("select a from kept") == [{"a": 1}]


@pytest.mark.parametrize("sql", ["a > 1", "(a > 1) or b in ('x;y', ')')", "case when a then b end /* y */", 'a\n= "b"'])
def test_an_expression_is_one(session: Session, sql: str) -> None:
    session.require_expression(sql)


@pytest.mark.parametrize(
    "sql",
    [
        *(
            "1=1); drop table made.things; --",
            "1=1; drop table made.things",
            "select 1; select 2",
            "",
            "1, 2",
            "1), (2",
        ),
        *("1) from made.things where (1", "1) union select (2", "1) order by (1", "1) limit (1", "1) group by (1"),
        *("a -- why", "a /* why", "(a > 1", "a > 1)", "a > 1) or (b > 2", "a as b", "*", "a > 'x"),
    ],
)
def test_what_goes_beyond_an_expression_is_refused_and_not_run(session: Session, sql: str) -> None:
    session.create("made", "things", {"a": "bigint"})
    with pytest.raises(QueryError) as refused:
        session.require_expression(sql)
    assert refused.value.is_about_sql
    assert session.has_table("made", "things")
