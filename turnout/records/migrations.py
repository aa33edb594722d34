"""From the records of an earlier release to those that are said here: numbered steps, each taken once.

A warehouse remembers in `records.migrations` which steps it has taken. All that are missing are taken in one
transaction, so a process killed at any moment leaves the records of before. A table's columns and constraints are what
`turnout.records` says today; whoever changes them adds a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from turnout.clock import utc_now
from turnout.engines import QueryError, identifier, literal
from turnout.errors import WarehouseError
from turnout.records import audits, loads, reviews, tracking, trainings
from turnout.records.table import Between, Table, columns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnout.engines import Session, Warehouse

SCHEMA = "records"


@dataclass(frozen=True)
class Migration:
    """A step that was taken."""

    number: Annotated[int, "Number of the step, from 1 on.", Between(1)]
    migrated_at: Annotated[datetime, "When it was taken, UTC."]


MIGRATIONS = Table(
    "migrations",
    "Which steps brought these records to what they are. One row per step.",
    columns_of(Migration),
    key=("number",),
    is_shown=False,
)
TABLES = (*trainings.TABLES, *loads.TABLES, *audits.TABLES, *reviews.TABLES, *tracking.TABLES, MIGRATIONS)


@contextmanager
def opened(warehouse: Warehouse) -> Iterator[Session]:
    """Open a session in which the records are those of this release; where they are, that is a look at one number."""
    with warehouse.session() as session:
        bring_up(session)
        yield session


def write(session: Session, rows: Mapping[Table, Sequence[Mapping[str, Any]]]) -> None:
    """Append rows to tables of records, all of them or none; the tables are made if they are missing."""
    bring_up(session)
    with session.transaction():
        for table, added in rows.items():
            session.append(SCHEMA, table.name, added)


def bring_up(session: Session) -> None:
    """Take the steps that these records have not taken yet, all of them or none.

    Raises
    ------
    WarehouseError
        If rows of an earlier release are not what this one can read; nothing is changed then.
    """
    taken = 0
    if session.has_table(SCHEMA, MIGRATIONS.name):
        taken = session.rows(f"select coalesce(max(number), 0) as taken from {SCHEMA}.{MIGRATIONS.name}")[0]["taken"]
    if taken == len(STEPS):
        return
    with session.transaction():
        if not taken and not _held(session):
            _make_missing(session)  # as they are said today, so no step changes them
        else:
            for step in STEPS[taken:]:
                step(session)
        steps = range(taken + 1, len(STEPS) + 1)
        session.append(SCHEMA, MIGRATIONS.name, [{"number": step, "migrated_at": utc_now()} for step in steps])


def _held(session: Session) -> set[str]:
    """Return the names of the tables that there are."""
    sql = "select table_name as name from information_schema.tables where table_schema = ?"
    return {row["name"] for row in session.rows(sql, (SCHEMA,))}


def _make_missing(session: Session) -> set[str]:
    """Make the tables that are missing, and return the names of those that there were."""
    held = _held(session)
    for table in TABLES:
        if table.name not in held:
            session.create(SCHEMA, table.name, table.types, table.constraints)
    return held


def _constraints(session: Session) -> None:
    """Every table is made as it is said, and tells for each value of a metric which way is better."""
    held = _make_missing(session)
    for table in (table for table in TABLES if table.name in held):
        _rewrite(session, table)
    # Versions that a release promoted which had no outcomes and no table of champions.
    session.insert(
        SCHEMA,
        trainings.CHAMPIONS.name,
        f"""select
                prediction, version, decided_at as since, 'promoted' as how, promotions.reason, file, file_hash,
                first_as_of_date, last_as_of_date, example_count, data_fingerprint
            from {SCHEMA}.promotions
            inner join {SCHEMA}.model_versions using (prediction, version)
            where
                is_promoted and outcome is null
                and (prediction, version) not in (select (prediction, version) from {SCHEMA}.champions)""",
    )


def _words(session: Session) -> None:
    """Columns and what stands in them have the words of this release, and a version may be of any task."""
    for table in TABLES:
        if table.name in {*RENAMED_COLUMNS, *RENAMED_VALUES}:
            _rewrite(session, table)
    findings = RENAMED_VALUES[reviews.FEATURE_FINDINGS.name]["finding"]
    sql = "select table_name as name from information_schema.columns where table_schema = ? and column_name = ?"
    for row in session.rows(sql, (SCORES, WAS_TREATED[0])):
        session.rename_column(SCORES, row["name"], *WAS_TREATED)
    reviewed = session.table(f"select * from {SCHEMA}.{reviews.FEATURE_REVIEWS.name}").to_pylist()
    session.delete(SCHEMA, reviews.FEATURE_REVIEWS.name, {})
    for review in reviewed:
        review["findings"] = [findings.get(name, name) for name in review["findings"]]
    session.append(SCHEMA, reviews.FEATURE_REVIEWS.name, reviewed)


def _views(session: Session) -> None:
    """Remember what the views of loads are made of, so that they are made anew only where that has changed."""
    _rewrite(session, loads.CURRENT_LOADS)


def _choices(session: Session) -> None:
    """Remember of every version how it was split and chosen; before, all were split by time."""
    _make_missing(session)
    _rewrite(session, trainings.MODEL_VERSIONS)


def _order(session: Session) -> None:
    """Who became champion after whom is told by a number: a clock may go back. A person may decide against the gate."""
    _rewrite(session, trainings.CHAMPIONS)


def _rewrite(session: Session, table: Table) -> None:
    """Make a table anew as it is said here, with the rows that it has; what a column lacks is filled."""
    filled = FILLED.get(table.name, {})
    held = f"{SCHEMA}.{table.name}"
    names = session.columns_of(SCHEMA, table.name).names
    renamed = {now: before for before, now in RENAMED_COLUMNS.get(table.name, {}).items() if before in names}
    selected = []
    for name in dict.fromkeys([*(name for name in names if name not in renamed.values()), *renamed, *filled]):
        # dbt adds to a table from before the columns that it lacks, empty.
        given = [identifier(one) for one in (name, *([renamed[name]] if name in renamed else [])) if one in names]
        given += [filled[name]] if name in filled else []
        value = given[0] if len(given) == 1 else f"coalesce({', '.join(given)})"
        for before, now in RENAMED_VALUES.get(table.name, {}).get(name, {}).items():
            value = f"replace({value}, {literal(before)}, {literal(now)})"
        selected.append(f"{value} as {identifier(name)}")
    session.keep("rows_of_before", f"select {', '.join(selected)} from {held}")
    session.drop(SCHEMA, table.name)
    session.create(SCHEMA, table.name, table.types, table.constraints)
    try:
        session.insert(SCHEMA, table.name, "select * from rows_of_before")
    except QueryError as error:
        raise WarehouseError(
            f"The records of an earlier release cannot be brought up: {error}.",
            where=f"table {held}",
            rule=f"what holds in every row: {'; '.join(table.constraints)}.",
            remedy="correct the rows it names, or go on with the release that wrote them; nothing was changed.",
        ) from error


# Of the metrics that there were before it stood in the row.
GREATER_IS_BETTER = """case
    when metric in ('roc_auc', 'average_precision', 'correlation') then true
    when metric not in ('total_bias', 'calibration_error') then false
end"""
# What stands in a column that a row of an earlier release lacks, by table: SQL.
FILLED: Mapping[str, Mapping[str, str]] = {
    trainings.CHAMPIONS.name: {"number": "row_number() over (partition by prediction order by since)"},
    trainings.MODEL_VERSIONS.name: {"is_split_by_time": "true"},
    trainings.EVALUATIONS.name: {"greater_is_better": GREATER_IS_BETTER},
    trainings.PROMOTIONS.name: {"greater_is_better": GREATER_IS_BETTER},
}
# What was called otherwise in earlier releases: columns by table, and what stands in a column.
RENAMED_COLUMNS: Mapping[str, Mapping[str, str]] = {
    trainings.MODEL_VERSIONS.name: {"reduce": "max_features"},
    trainings.OUTCOMES.name: {"is_released": "is_treated"},
    trainings.PROMOTION_LIMITS.name: {"told": "message"},
    loads.QUARANTINE.name: {"may_be_released": "may_be_accepted"},
    reviews.FEATURE_FINDINGS.name: {"told": "message"},
}
RENAMED_VALUES: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    trainings.EVALUATIONS.name: {"candidate": {", left out": ", unseen group"}},
    loads.QUARANTINE.name: {"failed_check": {"identity": "population"}},
    reviews.FEATURE_FINDINGS.name: {
        "finding": {
            "counts_up": "monotone_over_time",
            "strong_alone": "single_feature_leak",
            "twins": "duplicate_entities",
        }
    },
}
SCORES = "scores"
WAS_TREATED = ("is_released", "is_treated")
STEPS: tuple[Callable[[Session], None], ...] = (_constraints, _words, _views, _choices, _order)
