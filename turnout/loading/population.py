"""Is this the population we expect? A load is compared with those before it.

Each check measures one thing and holds it against limits. Limits are learned: a *deviation* is how far a load is from
the loads before it, the deviations of the accepted loads say how far is usual, and the limit is where the next one
would lie with a probability of 99.9 % if they were normally distributed. With too few loads to learn from, fixed limits
hold, and wider ones after one load; what is learned goes beyond them by half as much at most. Where rows are few,
chance is allowed for. A trend is allowed for by how much neighbouring loads differ; a season cannot be known before a
year has passed, and the check of the number of rows says so. The contract may override every limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, Any

from turnout.distance import drift_between
from turnout.engines import identifier, literal
from turnout.loading.values import INTEGERS

if TYPE_CHECKING:
    import duckdb

    from turnout.loading.contract import Column, SourceTable

# Loads before this one that are compared with; appended ones all together, of snapshots only the last.
REFERENCE_LOADS = 8
# Deviations from which limits are learned, at least and at most.
MIN_HISTORY, MAX_HISTORY = 6, 26
CONFIDENCE = 0.999
# A load has dozens of checks, and chance alone should hardly ever raise an alarm in any of them.
CHANCE = 0.9999
# A deviation that a load passed with, and somewhat more, is passed again.
TOLERANCE = 1.25
# What is learned of a restless column may go beyond the fixed limit by so much, and no further.
RESTLESS = 1.5
# A sender's clock may be ahead of ours by so much before an event counts as lying in the future.
CLOCK_DAYS = 1
# The days from which on a season is known, and what the number of rows may move by before it is: half as much again.
YEAR_DAYS, SEASON = 365, math.log(1.5)
# Bins of a number's distribution (quantiles of the loads before), and categories that are told apart.
BINS = 20
CATEGORIES = 30


@dataclass(frozen=True)
class Usual:
    """What holds for a deviation until it is learned: the limit, what is never too much, and the limit after one load.

    One load does not tell how loads differ: the first is often a day, or all that there was until now.
    """

    limit: float
    floor: float
    limit_after_one: float


# Deviations of the number of rows are the logarithm of the factor, those of event times days, the others shares and
# distances as they are. A distance of 0.2 corresponds to a population stability index of about 0.25.
USUAL: Mapping[str, Usual] = {
    "row_count": Usual(math.log(2), math.log(1.25), math.log(5)),
    "first_event": Usual(31, 1.5, 31),
    "last_event": Usual(31, 0.75, 31),
    "null_share": Usual(0.1, 0.01, 0.1),
    "new_values": Usual(0.5, 0.03, 0.8),
    "gone_values": Usual(0.5, 0.03, 0.5),
    "drift": Usual(0.2, 0.05, 0.4),
}


@dataclass(frozen=True)
class PopulationCheck:
    """One thing that was measured of a load, and what it may be.

    Parameters
    ----------
    name : str
        What was measured: a name in `USUAL`, `future_events`, `always` or `unfinished_lines`.
    column_name : str
        The column; empty if it is about the whole table.
    value : float
        Rows (`row_count`), days after what is expected (`first_event`, `last_event`), else a share or a distance.
    low, high : float
        The limits, inclusive.
    deviation : float
        How far the load is from those before it, of event times with its sign; what later loads learn from.
    detail : str
        The values behind it, in words; the end of the sentence that begins with the check's name.
    is_learning_only : bool
        Whether it was not measured between loads but within the first one, and judges nothing.
    """

    name: str
    column_name: str
    value: float
    low: float
    high: float
    deviation: float
    detail: str = ""
    is_learning_only: bool = False

    @property
    def passed(self) -> bool:
        """Whether the value lies within the limits."""
        return self.is_learning_only or self.low <= self.value <= self.high

    @property
    def excess(self) -> float:
        """How far beyond the limits the value lies, in widths of what is expected; more is worse."""
        beyond = max(self.low - self.value, self.value - self.high)
        if self.name == "row_count":  # a factor, up or down
            width, beyond = (
                math.log(self.high / self.low) / 2,
                abs(math.log(self.value / math.sqrt(self.low * self.high))),
            )
            return beyond / width - 1 if width else math.inf
        width = self.high - max(self.low, 0.0) if self.low <= 0 else (self.high - self.low) / 2
        return beyond / width if width else math.inf

    def __str__(self) -> str:
        column = f" of {self.column_name}" if self.column_name else ""
        limits = f"at most {self.high:,.4g}" if self.low == 0 else f"{self.low:,.4g} to {self.high:,.4g}"
        return f"{self.name}{column} is {self.value:,.4g}, expected {limits}{self.detail and f' ({self.detail})'}"


@dataclass(frozen=True)
class History:
    """What is remembered of the accepted loads of a table, oldest first.

    Parameters
    ----------
    row_counts : sequence of int
        Their rows.
    deviations : mapping of (check, column) to sequence of float
        Those of the checks that they passed.
    spread : float
        How far the number of rows moves from one load to the next, as the standard deviation of the logarithm of the
        factor; of loads that nobody had to accept.
    first_loaded_at : datetime, optional
        When the first of them was accepted.
    """

    row_counts: Sequence[int] = ()
    deviations: Mapping[tuple[str, str], Sequence[float]] = field(default_factory=dict)
    spread: float = 0.0
    first_loaded_at: datetime | None = None

    def holds_a_year(self, received_at: datetime, days: float) -> bool:
        """Return whether they tell of a year: by the time when they came, or by the days that each of them is about."""
        known = (received_at - self.first_loaded_at) / timedelta(days=1) if self.first_loaded_at else 0.0
        return max(known, len(self.row_counts) * days) >= YEAR_DAYS


def spread_of(row_counts: Sequence[int | None]) -> float:
    """Return how far the number of rows moves from one load to the next; None stands where a person accepted a load.

    The first load is left out, as it is of any length.
    """
    changes = [math.log(after / before) for before, after in pairwise(row_counts[1:]) if before and after]
    return stdev(changes) if len(changes) > 1 else 0.0


def compare(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, history: History, received_at: datetime
) -> list[PopulationCheck]:
    """Compare a load with those before it.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Holds the relation `now`, the rows of the load, and, if there are loads to compare with, `before`, theirs; both
        with the declared columns and types.
    table : SourceTable
        The contract.
    history : History
        The accepted loads; empty if there is no relation `before`.
    received_at : datetime
        When the file was received, UTC; nothing can have happened after that.

    Returns
    -------
    list of PopulationCheck
        Also for the first load of a table that is appended to: how its later half differs from its earlier half.
        Without it the second load would be the first to show that, say, a basket's number is new in every load.
    """
    checks = _expected(connection, table, received_at)
    if history.row_counts:
        return [*checks, *_whole(connection, table, history, received_at), *_columns(connection, table, history)]
    if table.keys.mode == "append":
        _halve(connection, table)
        checks += [replace(check, is_learning_only=True) for check in _columns(connection, table, history)]
    return checks


def _expected(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, received_at: datetime
) -> list[PopulationCheck]:
    """Check what the contract and the calendar say, whatever came before."""
    checks = []
    if table.event_time:
        is_shown = not table.hides(table.event_time)
        time = identifier(table.event_time)
        share, last = _row(
            connection,
            f"select coalesce(avg((cast({time} as timestamp) > ?)::int), 0), max({time}) from now",
            [received_at + timedelta(days=CLOCK_DAYS)],
        )
        detail = f"of the rows{f'; the last is {last}' if is_shown else ''}" if share else ""
        checks.append(PopulationCheck("future_events", table.event_time, share, 0, 0, share, detail))
    for column in table.columns:
        if column.expected_values:
            name, values = identifier(column.name), [_as_text(value) for value in column.expected_values]
            known = ", ".join(literal(_as_text(value)) for value in column.expected_values if value is not None)
            fits = f"cast({name} as varchar) in ({known})" if known else "false"
            if None in column.expected_values:
                fits += f" or {name} is null"
            unexpected = f"(({fits}) is not true)"
            share, examples = _row(
                connection,
                f"""select avg({unexpected}::int), (
                        select list(value order by value)
                        from (select distinct cast({name} as varchar) as value from now where {unexpected} limit 3)
                    ) from now""",
            )
            found = "" if column.is_personal else " but " + ", ".join(example or "null" for example in examples or [])
            detail = f"of the rows are not {' or '.join(values)}{found}" if share else ""
            checks.append(PopulationCheck("always", column.name, share, 0, 0, share, detail))
    return checks


def _whole(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, history: History, received_at: datetime
) -> list[PopulationCheck]:
    """Check the number of rows and the range of event times."""
    override = None if table.keys.limits.row_count is None else math.log(table.keys.limits.row_count)
    is_append = table.keys.mode == "append"
    (rows,) = _row(connection, "select count(*) from now")
    usual = median(history.row_counts[-REFERENCE_LOADS:]) if is_append else history.row_counts[-1]
    first, last, first_before, last_before, rows_before = _events(connection, table)
    days = days_before = 0.0
    if first is not None and first_before is not None:
        days, days_before = ((last - first) / timedelta(days=1), (last_before - first_before) / timedelta(days=1))
    if min(days, days_before) > 0 and len(history.row_counts) < MIN_HISTORY:
        # The first loads are of any length: a day, or all that there was until now. So they are told by their days.
        by_days = rows_before / days_before * days
        usual = min(usual, by_days, key=lambda expected: abs(math.log(rows / expected)))
    limit = _limit("row_count", history, "", override)
    told = [f"usual are {usual:,.0f}"]
    if override is None:
        is_season_known = history.holds_a_year(received_at, days if is_append else 0.0)
        learned, limit = limit, limit if is_season_known else max(limit, SEASON)
        limit += history.spread + _normal() * math.sqrt(1 / rows + 1 / usual)
        if not is_season_known and (learned < SEASON or abs(math.log(rows / usual)) > limit):
            told.append(f"learned from {_counted(len(history.row_counts), 'load')}, a season is not known")
    low, high, deviation = usual / math.exp(limit), usual * math.exp(limit), abs(math.log(rows / usual))
    checks = [PopulationCheck("row_count", "", rows, low, high, deviation, "; ".join(told))]
    if first is None or first_before is None or table.event_time is None:
        return checks
    # What is appended begins where the last load ended; a snapshot begins where the last one began.
    expected = {"first_event": last_before if is_append else first_before, "last_event": last_before}
    for name, found in (("first_event", first), ("last_event", last)):
        apart = (found - expected[name]) / timedelta(days=1)
        seen = history.deviations.get((name, table.event_time), ())[-MAX_HISTORY:]
        span = (last_before - first_before) / timedelta(days=1)
        # A week's last event lies a week after the last one before: what is usual is not zero.
        middle = fmean(seen) if len(seen) >= MIN_HISTORY else 0.0
        around = [abs(earlier - middle) for earlier in seen]
        limit = _limit(name, history, table.event_time, getattr(table.keys.limits, name), around, slack=span)
        detail = "days" if table.hides(table.event_time) else f"days from {expected[name]} to {found}"
        ends = (middle - limit, middle + limit)
        checks.append(PopulationCheck(name, table.event_time, apart, *ends, apart, detail))
    return checks


def _events(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> tuple[Any, ...]:
    """Return the first and the last event of `now`, those of `before`, and the rows of `before`."""
    if table.event_time is None:
        return None, None, None, None, 0
    time = f"cast({identifier(table.event_time)} as timestamp)"
    ends = [_row(connection, f"select min({time}), max({time}), count(*) from {name}") for name in ("now", "before")]
    return (*ends[0][:2], *ends[1])


def _columns(connection: duckdb.DuckDBPyConnection, table: SourceTable, history: History) -> list[PopulationCheck]:
    """Check the columns that are compared: nulls, values that are new or gone, and the distribution."""
    columns = [column for column in table.columns if column.keys.compare and not column.keys.gather]
    counted = ", ".join(["count(*)", *(f"count({identifier(column.name)})" for column in columns)])
    now, before = (_row(connection, f"select {counted} from {relation}") for relation in ("now", "before"))
    if 0 in {now[0], before[0]}:
        return []  # a first load of one row, or one moment, has no halves
    types = {row[0]: row[1] for row in connection.execute("describe now").fetchall()}
    checks = []
    for place, column in enumerate(columns, start=1):
        counts = ((now[0], now[place]), (before[0], before[place]))
        may_grow = table.keys.mode == "snapshot"
        compared = _Compared(connection, column, types[column.name], history, counts, may_grow=may_grow)
        if column.keys.optional and not compared.has_values:
            continue  # it may be missing, and is, now or before
        checks.append(compared.null_share())
        if column.name == table.event_time or not compared.has_values:
            continue
        checks += compared.values()
        # A number that is part of the key is a name, not a quantity: later ones are often larger.
        if column.name not in table.keys.key:
            checks += compared.drift()
    return checks


class _Compared:
    """A column of `now` beside the same column of `before`; `counts` are the rows and the values of each of them."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        column: Column,
        data_type: str,
        history: History,
        counts: tuple[tuple[int, int], tuple[int, int]],
        *,
        may_grow: bool,
    ) -> None:
        self._connection, self._column, self._history = connection, column, history
        self._name = identifier(column.name)
        self._is_number = data_type in INTEGERS or data_type.startswith(("DOUBLE", "FLOAT", "DECIMAL"))
        self._is_discrete = data_type in INTEGERS or data_type in {"VARCHAR", "BOOLEAN", "UUID"}
        (self._rows, self._now), (self._rows_before, self._before) = counts
        self._may_grow, self._gone_share = may_grow, 1.0  # until `values` has counted

    @property
    def has_values(self) -> bool:
        """Whether there is anything to compare but nulls."""
        return bool(self._now and self._before)

    def null_share(self) -> PopulationCheck:
        """Compare the shares of nulls."""
        share, before = 1 - self._now / self._rows, 1 - self._before / self._rows_before
        limit = self._limit("null_share")
        limit += _chance(max(before, limit), min(self._rows, self._rows_before))
        low, high, deviation = max(0.0, before - limit), min(1.0, before + limit), abs(share - before)
        return PopulationCheck("null_share", self._column.name, share, low, high, deviation, f"before {before:.4g}")

    def values(self) -> Iterator[PopulationCheck]:
        """Compare the sets of values, weighted by the rows that have them."""
        if not self._is_discrete:
            return
        self._connection.execute(
            f"""create or replace temp table occurring as
                select value, coalesce(here.count, 0) as now, coalesce(there.count, 0) as before
                from (
                    select {self._name} as value, count(*) as count from now where value is not null group by 1
                ) as here
                full join (
                    select {self._name} as value, count(*) as count from before where value is not null group by 1
                ) as there using (value)"""
        )
        sides = (("new_values", "now", "before", self._now), ("gone_values", "before", "now", self._before))
        aggregates = ", ".join(
            f"{aggregate} filter (where {there} = 0)"
            for _, here, there, _ in sides
            for aggregate in (f"sum({here})", "count(*)", f"max_by(value, {here}, 3)")
        )
        found = _row(self._connection, f"select {aggregates} from occurring")
        self._gone_share = float(found[3] or 0) / self._before
        for place, (name, _, _, rows) in enumerate(sides):
            count, distinct, examples = found[3 * place : 3 * place + 3]
            share = float(count or 0) / rows
            limit = self._limit(name)
            limit = min(1.0, limit + _chance(limit, min(self._now, self._before)))
            if name == "new_values" and self._only_adds and len(self._history.row_counts) < MIN_HISTORY:
                # The first snapshots grow by any factor, which the number of rows judges by the days that they tell of.
                limit = max(limit, 1 - self._before / self._now)
            shown = "" if self._column.is_personal else ": " + ", ".join(str(example) for example in examples or [])
            detail = f"of the rows have {distinct:,} such values{shown}" if count else ""
            yield PopulationCheck(name, self._column.name, share, 0, limit, share, detail)

    @property
    def _only_adds(self) -> bool:
        """Whether all that was there still is, and rows were added; `values` has counted."""
        return self._may_grow and self._gone_share <= USUAL["gone_values"].floor and self._now > self._before

    def drift(self) -> Iterator[PopulationCheck]:
        """Compare the distributions: over quantiles of numbers, over the commonest of other values.

        What the distance of samples of one distribution would be is allowed to chance; see `turnout.distance`.
        """
        if not (self._is_number or self._is_discrete):
            return
        bins = self._binned() if self._is_number else self._categories()
        now, before = [found[1] for found in bins], [found[2] for found in bins]
        distance, by_chance_squared = drift_between(now, before, (self._now, self._before), CHANCE)
        limit = min(1.0, math.sqrt(self._limit("drift") ** 2 + by_chance_squared))
        if self._only_adds:
            # What was added is judged by the number of rows and by the new values.
            limit = max(limit, _most_by_adding(self._before / self._now))
        name, rows, rows_before = max(bins, key=lambda found: abs(found[1] / self._now - found[2] / self._before))
        name = "one value or range" if self._column.is_personal else name
        shares = f"{name}: {rows / self._now:.1%} of the rows, before {rows_before / self._before:.1%}"
        yield PopulationCheck("drift", self._column.name, distance, 0, limit, distance, shares)

    def _binned(self) -> list[tuple[str, int, int]]:
        """Count the rows in bins (name, now, before) that hold equally many of the values before.

        Bounds lie midway between quantiles, so that values which are few, such as prices, may move a little. A value
        that most rows have is a bin by itself, and the others are told apart all the same.
        """
        (commonest,) = _row(self._connection, f"select approx_top_k({self._name}, 1)[1] from before")
        (share,) = _row(self._connection, f"select avg(({self._name} = ?)::int) from before", [commonest])
        apart = commonest if share > 0.5 else None
        quantiles = ", ".join(str(place / BINS) for place in range(1, BINS))
        (found,) = _row(
            self._connection,
            f"select approx_quantile({self._name}, [{quantiles}]) from before where {self._name} is distinct from ?",
            [apart],
        )
        values = sorted(set(found or []))
        bounds = [(lower + upper) / 2 for lower, upper in pairwise(values)]
        place = " + ".join(["0", *(f"(value > {bound})::int" for bound in bounds)])
        rows = self._connection.execute(
            f"""select case when value = $apart then -1 else {place} end as place, sum(here)::bigint, sum(there)::bigint
                from (
                    select {self._name} as value, 1 as here, 0 as there from now
                    union all
                    select {self._name}, 0, 1 from before
                )
                where value is not null
                group by 1""",
            {"apart": apart},
        ).fetchall()
        names = [f"up to {bound:,.4g}" for bound in bounds] + [f"over {bounds[-1]:,.4g}" if bounds else "other values"]
        return [(names[place] if place >= 0 else f"{apart:,.4g}", now, before) for place, now, before in rows]

    def _categories(self) -> list[tuple[str, int, int]]:
        """Count the rows of the commonest values before and of all others; `values` has listed them."""
        rows = self._connection.execute(
            f"""with ranked as (select *, row_number() over (order by before desc, value) as place from occurring)
                select
                    case when place <= {CATEGORIES} then cast(value as varchar) else 'other values' end as category,
                    sum(now)::bigint, sum(before)::bigint
                from ranked group by category"""
        ).fetchall()
        return [(category, now, before) for category, now, before in rows]

    def _limit(self, name: str) -> float:
        override = getattr(self._column.keys.limits, name)
        return _limit(name, self._history, self._column.name, override)


def _limit(
    name: str,
    history: History,
    column: str | None,
    override: float | None,
    seen: Sequence[float] | None = None,
    slack: float = 0.0,
) -> float:
    """Return the limit of a deviation: the contract's, or what was learned from those seen, by default in its history.

    Notes
    -----
    A one-sided prediction interval for the next of n normal observations, mean + t s sqrt(1 + 1/n) with n - 1 degrees
    of freedom (Hahn and Meeker 1991, Statistical Intervals, section 4.8).
    """
    from scipy.special import stdtrit

    if override is not None:
        return override
    recent = list((history.deviations.get((name, column or ""), ()) if seen is None else seen)[-MAX_HISTORY:])
    usual = USUAL[name]
    limit = slack + (usual.limit if len(history.row_counts) > 1 else usual.limit_after_one)
    if len(recent) >= MIN_HISTORY:
        quantile = float(stdtrit(len(recent) - 1, CONFIDENCE))
        limit = min(RESTLESS * limit, fmean(recent) + quantile * stdev(recent) * math.sqrt(1 + 1 / len(recent)))
    return max(limit, usual.floor, TOLERANCE * max(recent, default=0.0))


def _most_by_adding(kept: float) -> float:
    """Return the distance between a sample and itself with rows added that share no bin with it.

    Parameters
    ----------
    kept : float
        Which share of the rows is not added.

    Notes
    -----
    The Jensen-Shannon distance to base 2 of p and s p + (1 - s) q, where p and q have no value in common.
    """
    of_now = kept * math.log2(2 * kept / (1 + kept)) + 1 - kept
    return math.sqrt((math.log2(2 / (1 + kept)) + of_now) / 2)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _chance(share: float, rows: int) -> float:
    """Return by how much a share of so many rows differs by chance."""
    share = min(share, 0.5)
    return _normal() * math.sqrt(share * (1 - share) / rows)


def _normal() -> float:
    from scipy.special import ndtri

    return float(ndtri(CHANCE))


def _halve(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
    """Make `before` the earlier half of `now`, and `now` its later half: by event time, else by place."""
    connection.execute("alter view now rename to whole")
    if table.event_time:
        place, clause = f"epoch_us(cast({identifier(table.event_time)} as timestamp))", "where"
        (middle,) = _row(connection, f"select approx_quantile({place}, 0.5) from whole")
    else:
        place, clause = "row_number() over ()", "qualify"
        (middle,) = _row(connection, "select count(*) // 2 from whole")
    for name, comparison in (("before", "<="), ("now", ">")):
        connection.execute(f"create view {name} as select * from whole {clause} {place} {comparison} {middle or 0}")


def _as_text(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _row(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object] = ()) -> tuple[Any, ...]:
    found: tuple[Any, ...] = connection.execute(sql, list(parameters)).fetchall()[0]  # an aggregate always has a row
    return found
