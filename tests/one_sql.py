"""SQL that callers hand to a session, looked at: do DuckDB and Spark read it alike?

That is asked of sqlglot, which knows how either reads: the statement is parsed as the one's and as the other's, and
both readings must be the same, and use only functions that both know. It reads SQL and does not run it, so it knows
nothing of types, of rounding and of names that are used again in the same `select`. Where it lets Spark read what Spark
does not, that is in `OWN`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

from sqlglot import exp, parse_one
from sqlglot.dialects.duckdb import DuckDB as ReadByDuckDB
from sqlglot.errors import SqlglotError

from turnout.engines.duckdb import DuckDBExpressions, DuckDBSession

# Known to both, and with the same meaning.
FUNCTIONS = {
    *("abs", "avg", "bool_and", "bool_or", "cast", "ceil", "coalesce", "concat_ws", "count", "dense_rank", "exp"),
    *("floor", "greatest", "isnan", "lag", "lead", "least", "left", "length", "ln", "lower", "max", "max_by", "md5"),
    *(
        "median",
        "min",
        "min_by",
        "nullif",
        "power",
        "rank",
        "replace",
        "round",
        "row_number",
        "sqrt",
        "stddev_samp",
        "substr",
    ),
    *("sum", "trim", "try_cast", "upper"),
}
# What else may stand before a bracket.
KEYWORDS = {
    *("all", "and", "any", "as", "between", "by", "distinct", "else", "except", "exists", "filter", "from", "having"),
    *("in", "intersect", "is", "join", "like", "not", "on", "or", "over", "select", "then", "union", "using", "values"),
    *("when", "where", "with", "decimal", "varchar"),
}
# What DuckDB has of its own, though it parses: by a pattern of it.
OWN = {
    "'::' casts": "::",
    "a list stands in brackets": r"\[",
    "text is 'varchar', and not 'string'": r"\bvarchar\b(?!\s*\()",
    "it groups or orders by 'all'": r"\bby\s+all\b",
    "columns are left out of '*'": r"\*\s*(exclude|replace|rename)\b",
    "it joins in a way of its own": r"\b(anti|semi|asof|positional)\s+join\b",
}
EXPRESSED = "what_the_engine_says"


class Pinned(ReadByDuckDB):
    """DuckDB as our sessions tell it to be."""

    NULL_ORDERING = "nulls_are_small"


@cache
def fault_of(sql: str) -> str:
    """Return what another engine would read otherwise, in words; an empty string if it is nothing."""
    if not re.match(r"\s*(select|with)\b", sql, re.IGNORECASE):
        return "it begins neither with 'select' nor 'with'"
    bare = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", "''", sql)
    called = {name.lower() for name in re.findall(r"\b([a-z_]\w*)\s*\(", bare, re.IGNORECASE)}
    if unknown := called - FUNCTIONS - KEYWORDS:
        return f"no function that both are known to have: {', '.join(sorted(unknown))}"
    for what, pattern in OWN.items():
        if re.search(pattern, bare, re.IGNORECASE):
            return what
    try:
        here = parse_one(sql, read=Pinned)
        there = parse_one(_in_backticks(sql), read="spark")
    except SqlglotError as error:
        return str(error).splitlines()[0]
    if any(isinstance(window.this, exp.Filter) for window in here.find_all(exp.Window)):
        return "Spark does not filter what a window aggregates"
    one, other = here.sql("spark"), there.sql("spark")
    return "" if one == other else f"DuckDB reads: {one}\nSpark reads: {other}"


@contextmanager
def watched() -> Iterator[None]:
    """Refuse, while it is open, statements in any session that another engine would read otherwise.

    What `Expressions` have returned is the engine's own and not looked into.
    """
    expressed: set[str] = set()

    def looked_at(verb: Callable[..., Any]) -> Callable[..., Any]:
        def asked(session: DuckDBSession, *arguments: Any, **named: Any) -> Any:
            given = [*arguments, *named.values()]
            texts = [text for value in given for text in (value.values() if isinstance(value, dict) else [value])]
            for sql in texts:
                if isinstance(sql, str) and " " in sql.strip():
                    require_one_sql(sql, expressed)
            return verb(session, *arguments, **named)

        return asked

    class Listening(DuckDBExpressions):
        def __getattribute__(self, name: str) -> Any:
            found = super().__getattribute__(name)
            if not callable(found) or name.startswith("_"):
                return found

            def said(*arguments: Any, **named: Any) -> str:
                text: str = found(*arguments, **named)
                expressed.add(text)
                return text

            return said

    with mock.patch.multiple(
        DuckDBSession,
        expressions=Listening(),
        **{verb: looked_at(getattr(DuckDBSession, verb)) for verb in VERBS},
    ):
        yield


# Those that take SQL; what stands in it besides are names, which have no blanks, and rows.
VERBS = ("rows", "table", "batches", "insert", "keep", "show", "copy_into")


def require_one_sql(sql: str, expressed: set[str]) -> None:
    """Fail if an engine reads a statement otherwise than another, but for what an engine was asked for."""
    for text in sorted(expressed, key=len, reverse=True):
        sql = sql.replace(text, EXPRESSED)
    fault = fault_of(sql)
    assert not fault, f"Engines read this SQL in different ways: {fault}\n{sql}"


def _in_backticks(sql: str) -> str:
    """Return SQL with its names quoted as Spark quotes them."""

    def requoted(found: re.Match[str]) -> str:
        text = found[0]
        return text if text.startswith("'") else "`" + text[1:-1].replace('""', '"').replace("`", "``") + "`"

    return re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", requoted, sql)
