"""The macros that look back and ahead from an as-of date, in one real dbt run on rows that lie on every edge.

What they answer is compared with plain Python that goes through the rows one by one. The generic test that says what is
wrong with a row is tried in the same run.
"""

from __future__ import annotations

import random
import shutil
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from projects import dbt

from trials.checkouts import copy_checkout

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
HORIZON = 14 * DAY

# The second date matures exactly with the last visit, at midnight; the third is a day late.
AS_OF_DATES = (date(2024, 2, 19), date(2024, 3, 4), date(2024, 3, 5))
DATA_END = datetime(2024, 3, 18)

# A past in which the calendar ends whatever had happened on the day before; a Sunday, and three weeks before the end.
AUDITED = date(2024, 2, 25)

# Members with one visit, so long after the first as-of date: is it known, in the last 7 days, in the label?
ON_THE_EDGE = {
    "at midnight of the as-of date": (0 * DAY, (0, 0, 1)),
    "a second before": (-SECOND, (1, 1, 0)),
    "exactly 7 days before": (-7 * DAY, (1, 1, 0)),
    "7 days and a second before": (-7 * DAY - SECOND, (1, 0, 0)),
    "a second before the horizon's end": (HORIZON - SECOND, (0, 0, 1)),
    "at the horizon's end": (HORIZON, (0, 0, 0)),
    "never": (None, (0, 0, 0)),
}

# So long after an as-of date: what the other members draw their visits and plans from.
EDGES = [
    edge + off
    for edge in (-28 * DAY, -7 * DAY, -6.5 * DAY, -DAY, 0 * DAY, 0.5 * DAY, HORIZON)
    for off in (-SECOND, 0 * SECOND, SECOND)
]


@dataclass(frozen=True)
class Member:
    """A row of the examples."""

    member_id: int
    as_of_date: date
    decided_at: datetime
    site_id: int

    @property
    def as_of(self) -> datetime:
        """Midnight of the as-of date."""
        return datetime.combine(self.as_of_date, time())


@dataclass(frozen=True)
class Visit:
    """A row of the events."""

    member_id: int
    visited_at: datetime | None
    site_id: int
    amount: Decimal | None
    minutes: int | None
    room: str | None
    is_guest: bool | None


@dataclass(frozen=True)
class Plan:
    """A row of the history."""

    member_id: int
    valid_from: datetime | None
    plan_id: int


def visits_on_the_edge() -> Iterator[Visit]:
    """Yield the one visit of each member of `ON_THE_EDGE`, by a guest, so that it is in every label."""
    for member_id, (after, _) in enumerate(ON_THE_EDGE.values()):
        if after is not None:
            visited_at = datetime.combine(AS_OF_DATES[0], time()) + after
            yield Visit(member_id, visited_at, 0, Decimal("0.10"), 60, "pool", True)


def drawn_visits(draw: random.Random, member_id: int) -> Iterator[Visit]:
    """Yield visits on and beside the edges, some of them twice, with values missing here and there."""
    for _ in range(draw.randrange(12)):
        moment = datetime.combine(draw.choice(AS_OF_DATES), time()) + draw.choice(EDGES)
        visit = Visit(
            member_id,
            draw.choice([moment] * 9 + [None]),
            draw.randrange(2),
            draw.choice([None, Decimal(draw.randrange(100_000)) / 100, Decimal("0.00")]),
            draw.choice([None, 0, 30, draw.randrange(120)]),
            draw.choice([None, "pool", "hall", "court"]),
            draw.choice([None, True, False]),
        )
        if visit.visited_at is None or visit.visited_at < DATA_END - SECOND:
            yield from [visit] * draw.choice([1, 1, 2])


def drawn_plans(draw: random.Random, member_id: int) -> Iterator[Plan]:
    """Yield plans on and beside the edges, several of one time among them."""
    plan_ids = draw.sample(range(100), draw.randrange(6))
    times = [datetime.combine(draw.choice(AS_OF_DATES), time()) + draw.choice(EDGES) for _ in range(2)]
    for plan_id in plan_ids:
        yield Plan(member_id, draw.choice([*times, *times, None]), plan_id)


@dataclass(frozen=True)
class Gym:
    """What the run read, what it wrote, and what it said."""

    members: list[Member]
    visits: list[Visit]
    plans: list[Plan]
    warehouse: Path
    output: str

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return a table's rows by key."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            result = connection.execute(f"select * from {table} order by member_id, as_of_date")
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@pytest.fixture(scope="module")
def gym(tmp_path_factory: pytest.TempPathFactory) -> Gym:
    draw = random.Random(4)
    member_ids = range(len(ON_THE_EDGE) + 60)
    members = [
        Member(member_id, as_of_date, datetime.combine(as_of_date, time(12)), member_id % 2)
        for member_id in member_ids
        for as_of_date in AS_OF_DATES
    ]
    drawn = member_ids[len(ON_THE_EDGE) :]
    # What is known of guests alone ends a second before what is known of all.
    last = Visit(drawn[0], DATA_END, 0, None, None, None, False)
    last_of_guests = Visit(drawn[0], DATA_END - SECOND, 0, None, None, None, True)
    visits = [*visits_on_the_edge(), last, last_of_guests]
    visits += [visit for member_id in drawn for visit in drawn_visits(draw, member_id)]
    plans = [plan for member_id in drawn for plan in drawn_plans(draw, member_id)]

    project = copy_checkout(tmp_path_factory.mktemp("gym") / "turnout")
    shutil.rmtree(project.dbt / "models")
    for singular in (project.dbt / "tests").glob("*.*"):
        singular.unlink()
    shutil.copytree(Path(__file__).parent / "gym" / "models", project.dbt / "models")
    project.warehouse.path.parent.mkdir(exist_ok=True)
    with duckdb.connect(str(project.warehouse.path)) as connection:
        connection.execute("create schema raw")
        fill(connection, "members", "member_id int, as_of_date date, decided_at timestamp, site_id int", members)
        fill(
            connection,
            "visits",
            "member_id int, visited_at timestamp, site_id int, amount decimal(12, 2), minutes int, room text, "
            "is_guest boolean",
            visits,
        )
        fill(connection, "plans", "member_id int, valid_from timestamp, plan_id int", plans)
    past = ["--target", "audit", "--vars", f"{{audited_as_of: {AUDITED}}}"]
    (built, rebuilt) = dbt(project, ["build"], ["run", "--select", "calendars", "member_stays", *past])
    assert rebuilt.exit_code == 0, rebuilt.output
    return Gym(members, visits, plans, project.warehouse.path, built.output)


def fill(connection: duckdb.DuckDBPyConnection, table: str, columns: str, rows: Iterable[Any]) -> None:
    """Create a raw table with these rows."""
    connection.execute(f"create table raw.{table} ({columns})")
    values = [tuple(vars(row).values()) for row in rows]
    connection.executemany(f"insert into raw.{table} values ({', '.join('?' * len(values[0]))})", values)


def total(values: Iterable[Any]) -> float:
    """Add up what is not null, exactly, and only then make it a double."""
    return float(sum((value for value in values if value is not None), Decimal(0)))


def ratio(numerator: float, denominator: float) -> float | None:
    return float(numerator) / float(denominator) if denominator else None


def mean(values: Iterable[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return ratio(total(known), len(known))


def extreme(choose: Any, values: Iterable[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return float(choose(known)) if known else None


def features_of(member: Member, visits: list[Visit], plans: list[Plan]) -> dict[str, Any]:
    """Return what the model of all macros must find for a member."""
    dated = [visit for visit in visits if visit.member_id == member.member_id and visit.visited_at is not None]
    known = [visit for visit in dated if visit.visited_at < member.as_of]
    known_7d = [visit for visit in known if visit.visited_at >= member.as_of - 7 * DAY]
    known_28d = [visit for visit in known if visit.visited_at >= member.as_of - 28 * DAY]
    pool_28d = [visit for visit in known_28d if visit.room == "pool"]
    long_28d = [visit for visit in known_28d if visit.minutes is not None and visit.minutes > 30]
    days = [(member.as_of_date - visit.visited_at.date()).days for visit in known]
    guest_days = [(member.as_of_date - visit.visited_at.date()).days for visit in known if visit.is_guest]
    minutes = [visit.minutes for visit in known if visit.minutes is not None]
    own = [plan for plan in plans if plan.member_id == member.member_id and plan.valid_from is not None]
    past = [(plan.valid_from, plan.plan_id) for plan in own if plan.valid_from < member.as_of]
    planned_at, plan_id = max(past, default=(None, None))
    return {
        "member_id": member.member_id,
        "as_of_date": member.as_of_date,
        "count_visits": len(known),
        "count_visits_7d": len(known_7d),
        "count_guest_visits_28d": sum(visit.is_guest is True for visit in known_28d),
        "count_unpaid_visits": sum(visit.amount is None for visit in known),
        "count_rooms": len({visit.room for visit in known} - {None}),
        "count_rooms_7d": len({visit.room for visit in known_7d} - {None}),
        "amount": total(visit.amount for visit in known),
        "amount_28d": total(visit.amount for visit in known_28d),
        "amount_in_pool": total(visit.amount for visit in known if visit.room == "pool"),
        "amount_per_minute_28d": ratio(
            total(visit.amount for visit in known_28d), total(visit.minutes for visit in known_28d)
        ),
        "mean_amount": mean(visit.amount for visit in known),
        "mean_amount_7d": mean(visit.amount for visit in known_7d),
        "min_amount_28d": extreme(min, (visit.amount for visit in known_28d)),
        "max_amount_28d": extreme(max, (visit.amount for visit in known_28d if visit.is_guest is False)),
        "guest_share": ratio(sum(visit.is_guest is True for visit in known), len(known)),
        "pool_share_28d": ratio(total(visit.amount for visit in pool_28d), total(visit.amount for visit in known_28d)),
        "long_pool_share_28d": ratio(
            total(visit.amount for visit in long_28d if visit.room == "pool"),
            total(visit.amount for visit in long_28d),
        ),
        "days_since_last": min(days, default=None),
        "days_since_last_guest": min(guest_days, default=None),
        "days_since_first": max(days, default=None),
        "median_minutes": float(statistics.median(minutes)) if minutes else None,
        "count_visits_here_7d": sum(
            visit.site_id == member.site_id and member.decided_at - 7 * DAY <= visit.visited_at < member.decided_at
            for visit in dated
        ),
        "plan_id": plan_id,
        "planned_at": planned_at,
    }


def labels_of(member: Member, visits: list[Visit]) -> dict[str, Any]:
    """Return what the model of all labels must find for a member."""
    dated = [visit for visit in visits if visit.visited_at is not None]
    ends_at = max(visit.visited_at for visit in dated)
    guests_end_at = max(visit.visited_at for visit in dated if visit.is_guest)
    following = [
        visit
        for visit in dated
        if visit.member_id == member.member_id and member.as_of <= visit.visited_at < member.as_of + HORIZON
    ]
    guests = sum(visit.is_guest is True for visit in following)
    has_matured = member.as_of + HORIZON <= ends_at
    return {
        "member_id": member.member_id,
        "as_of_date": member.as_of_date,
        "count_next_visits": len(following) if has_matured else None,
        "count_next_guest_visits": guests if has_matured else None,
        "count_next_guest_visits_alone": guests if member.as_of + HORIZON <= guests_end_at else None,
        "count_next_guest_visits_known": guests if has_matured else None,
    }


def test_features_are_those_found_row_by_row_to_the_last_bit(gym: Gym) -> None:
    expected = [features_of(member, gym.visits, gym.plans) for member in gym.members]
    assert gym.rows("features.member_features") == expected
    for name in expected[0]:
        assert len({row[name] for row in expected}) > 2, f"{name} is nearly always the same, which tests little"


def test_labels_are_those_found_row_by_row(gym: Gym) -> None:
    assert gym.rows("predictions.member_stays") == [labels_of(member, gym.visits) for member in gym.members]


def test_on_the_edge(gym: Gym) -> None:
    features, labels = (
        {row["member_id"]: row for row in gym.rows(table) if row["as_of_date"] == AS_OF_DATES[0]}
        for table in ("features.member_features", "predictions.member_stays")
    )
    found = {
        name: (
            features[member_id]["count_visits"],
            features[member_id]["count_visits_7d"],
            labels[member_id]["count_next_visits"],
        )
        for member_id, name in enumerate(ON_THE_EDGE)
    }
    assert found == {name: expected for name, (_, expected) in ON_THE_EDGE.items()}


def test_a_label_matures_at_the_moment_the_data_reach_the_end_of_the_horizon(gym: Gym) -> None:
    matured = {
        row["as_of_date"]: (row["count_next_visits"] is not None, row["count_next_guest_visits_alone"] is not None)
        for row in gym.rows("predictions.member_stays")
    }
    assert matured == dict(zip(AS_OF_DATES, [(True, True), (True, False), (False, False)], strict=True))


def calendars_of(first: datetime, last: date) -> dict[str, list[date]]:
    """Return the as-of dates of each calendar, by going through all days."""
    begins = first.date() + DAY
    days = [begins + number * DAY for number in range((last - begins).days + 1)]
    return {
        "sundays": [day for day in days if day.weekday() == 6 and day >= first.date() + 28 * DAY],
        "mondays": [day for day in days if day.weekday() == 0],
        "fortnights": [day for day in days if (day - date(2031, 5, 7)).days % 14 == 0],
        "days": days if last == AUDITED else [day for day in days if day <= date(2024, 3, 2)],
        "firsts": [day for day in days if day.day == 1],
        "lasts": [day for day in days if (day + DAY).day == 1],
        "years": [day for day in days if (day.month, day.day) == (2, 29 if day.year % 4 == 0 else 28)],
    }


@pytest.mark.parametrize(("schema", "last"), [("features", DATA_END.date() + DAY), ("audit_features", AUDITED)])
def test_as_of_dates_are_those_found_day_by_day(gym: Gym, schema: str, last: date) -> None:
    """They end the day after the last visit; in an audit with the as-of date that is audited."""
    first = min(visit.visited_at for visit in gym.visits if visit.visited_at is not None)
    with duckdb.connect(str(gym.warehouse), read_only=True) as connection:
        rows = connection.execute(f"select * from {schema}.calendars order by all").fetchall()
    expected = calendars_of(first, last)
    assert rows == sorted((name, day) for name, days in expected.items() for day in days)
    assert len(expected["sundays"]) >= 2


def test_what_is_known_until_a_moment_is_cut_in_an_audit(gym: Gym) -> None:
    """No label of these as-of dates has matured at the one that is audited."""
    rows = gym.rows("audit_predictions.member_stays")
    assert {row["count_next_guest_visits_known"] for row in rows} == {None}
    assert {row["count_next_guest_visits"] for row in rows} != {None}


def test_rows_of_one_time_are_in_the_order_of_the_tie_breaker(gym: Gym) -> None:
    times = [(plan.member_id, plan.valid_from) for plan in gym.plans if plan.valid_from]
    tied = {time for time in times if times.count(time) > 1}
    found = [row for row in gym.rows("features.member_features") if (row["member_id"], row["planned_at"]) in tied]
    assert found
    for row in found:
        assert row["plan_id"] == max(
            plan.plan_id
            for plan in gym.plans
            if (plan.member_id, plan.valid_from) == (row["member_id"], row["planned_at"])
        )


def test_columns_that_are_named_like_those_of_the_macros_do_not_take_their_place(gym: Gym) -> None:
    expected = [row["count_visits_7d"] for row in gym.rows("features.member_features")]
    assert [row["count_visits_7d"] for row in gym.rows("features.member_misnamed")] == expected


def test_features_have_the_types_that_python_knows(gym: Gym) -> None:
    with duckdb.connect(str(gym.warehouse), read_only=True) as connection:
        types = dict(
            connection.execute(
                "select column_name, data_type from duckdb_columns() where table_name = 'member_features'"
            ).fetchall()
        )
    by_hand = {"as_of_date", "planned_at", "count_visits_here_7d"}
    assert {types[name] for name in types.keys() - by_hand} == {"INTEGER", "DOUBLE"}


@pytest.mark.parametrize(
    "words",
    [
        'The model "undeclared" asks for horizon_days() and declares none.',
        "add config.meta.prediction with horizon_days to the YAML of the model that has the label.",
        'The unit test "horizon_is_not_given" does not say how far ahead its model looks.',
        "days is 3.5. A window is whole days",
        "anchor is sunday, and the step is a month. It is an as-of date, as 2024-01-31, or of weeks a weekday",
        "step is month and every is 0.5. As-of dates lie whole steps apart",
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(gym: Gym, words: str) -> None:
    assert words in gym.output


def test_a_row_that_is_incomplete_or_out_of_range_says_what_is_wrong_with_it(gym: Gym) -> None:
    with duckdb.connect(str(gym.warehouse), read_only=True) as connection:
        faults = connection.execute(
            "select number, wrong from faults.shares_are_complete_and_in_range order by number nulls last"
        ).fetchall()
    assert faults == [(4, "share > 1"), (None, "number is null, share < 0")]
