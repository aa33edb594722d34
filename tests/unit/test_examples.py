"""Examples are checked against their declaration before anything is learned from them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds import World, redeclared

from ml.examples.inspection import missing_features
from ml.examples.reading import fingerprint
from ml.models.feature import Feature
from turnout.errors import ExamplesError, WarehouseError

MAKE_FLOAT = "alter table predictions.will_return alter strength type double"


def test_every_column_without_a_role_is_a_feature_and_a_sensitive_one_never(world: World) -> None:
    held = world.held
    assert held.features == (
        Feature("strength", "numeric"),
        Feature("amount", "numeric"),
        Feature("kind", "categorical"),
        Feature("is_even", "boolean"),
    )
    assert (len(held.as_of_dates), len(held.matured)) == (20, 18)


def test_matured_examples_are_read_in_a_fixed_order_so_that_their_fingerprint_is_the_same(world: World) -> None:
    frame = world.matured
    assert frame.shape == (18 * 200, 3 + 1 + 4 + 1)
    first = fingerprint(frame)
    world.change(
        "create or replace table predictions.will_return as select * from predictions.will_return order by random()"
    )
    assert fingerprint(world.matured) == first
    world.change(
        "update predictions.will_return set strength = strength + 0.001 where entity = 7 and day = '2024-02-04'"
    )
    assert fingerprint(world.matured) != first


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("alter table predictions.will_return rename outcome to outcom", "no column 'outcome'.*Did you mean 'outcom'"),
        ("delete from predictions.will_return", "the table is empty"),
        ("insert into predictions.will_return select * from predictions.will_return limit 1", "keys repeat"),
        ("update predictions.will_return set entity = null where entity = 3", "20 rows have no entity or as-of date"),
        ("update predictions.will_return set outcome = 2 where entity = 3", "has values such as"),
        ("update predictions.will_return set outcome = 0 where outcome = 1", "is 0 in each of all matured examples"),
        ("alter table predictions.will_return add column seen integer[]", "'seen' is of type list"),
        ("alter table predictions.will_return alter outcome type varchar", "the label 'outcome' is of type string"),
        ("alter table predictions.will_return alter day type varchar", "the as-of date 'day' is of type string"),
        (
            "alter table predictions.will_return alter day type timestamp using day + to_hours(entity % 2 * 12)",
            "'day' has a time of day in 2000 rows",
        ),
        ("update predictions.will_return set strength = 'inf' where entity = 3", "'strength' is infinite in 20 rows"),
        (
            f"{MAKE_FLOAT}; update predictions.will_return set strength = 1e39 where entity = 3",
            "beyond 3.4e.38, .* 20 rows",
        ),
        (f"{MAKE_FLOAT}; update predictions.will_return set strength = -1e308 where entity = 3", "beyond 3.4e.38"),
        (
            "alter table predictions.will_return add column since date default 'infinity'",
            "'since' lies outside the years",
        ),
        (
            "alter table predictions.will_return add column since date default '-infinity'",
            "'since' lies outside the years",
        ),
        (
            "alter table predictions.will_return add column since timestamp default 'infinity'",
            "'since' lies outside the years 1 to 9999, or is infinite, in 4000 rows",
        ),
        ("alter table predictions.will_return add column since date default '5000000-01-01'", "outside the years"),
        (
            "update predictions.will_return set day = 'infinity' where day = '2024-05-19'",
            "'day' lies outside the years",
        ),
    ],
)
def test_a_broken_promise_is_refused_with_table_and_remedy(world: World, change: str, words: str) -> None:
    world.change(change)
    with pytest.raises(ExamplesError, match=words) as caught:
        _ = world.held
    assert "table predictions.will_return, declared in models/predictions/will_return.yml" in caught.value.where
    assert caught.value.remedy


def test_a_table_that_was_not_built_is_named(world: World) -> None:
    with pytest.raises(WarehouseError, match=r"no table predictions\.other"):
        _ = replace(world, prediction=redeclared(world.prediction, table="other")).held


def test_the_largest_numbers_and_the_first_and_last_days_are_no_mistake(world: World) -> None:
    world.change(
        f"""{MAKE_FLOAT};
            update predictions.will_return set strength = case entity when 3 then -3.3e38 when 4 then 'nan' end
            where entity in (3, 4);
            alter table predictions.will_return add column since date default '0001-01-01';
            alter table predictions.will_return add column until timestamp default '9999-12-31 23:59:59'"""
    )
    assert [feature.kind for feature in world.held.features][-2:] == ["date", "date"]


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ("date", "integer", ("date", "numeric")),
        ("integer", "date", ("numeric", "date")),
        ("timestamp", "varchar", ("date", "categorical")),
        ("boolean", "integer", ("boolean", "numeric")),
    ],
)
def test_a_feature_that_turns_into_another_kind_is_another_feature(
    world: World, before: str, after: str, kinds: tuple[str, str]
) -> None:
    world.change(f"alter table predictions.will_return add column seen {before}")
    needed = world.held.features
    world.change(
        f"""alter table predictions.will_return drop column seen;
            alter table predictions.will_return add column seen {after}"""
    )
    assert missing_features(needed, world.held.features) == f"it needs 'seen' ({kinds[0]}, and it is {kinds[1]} now)"


@pytest.mark.parametrize(("before", "after"), [("integer", "double"), ("date", "timestamp")])
def test_a_feature_of_another_type_of_its_kind_is_the_same(world: World, before: str, after: str) -> None:
    world.change(f"alter table predictions.will_return add column seen {before}")
    needed = world.held.features
    world.change(f"alter table predictions.will_return alter seen type {after}")
    assert missing_features(needed, world.held.features) == ""


KEYS = {
    "customer_id": "entity",
    "orderId": "row_number() over ()",
    "account_key": "'number ' || entity",
    "household_id": "entity // 2",
    "row_uuid": "gen_random_uuid()",
}
NO_KEYS = {
    "store_id": "entity % 12",
    "region_key": "'region ' || entity % 40",
    "amount_paid": "entity * 7",
    "household_size": "entity % 6",
    "count_distinct_product_id": "entity",
    "score_id": "entity / 7",  # parts of numbers are measured
}


def test_a_key_is_no_feature_by_its_name_and_its_values(world: World) -> None:
    before = world.held.features
    columns = ", ".join(f"{value} as {name}" for name, value in {**KEYS, **NO_KEYS}.items())
    world.change(f"create or replace table predictions.will_return as select *, {columns} from predictions.will_return")
    held = world.held
    assert {feature.name for feature in held.features} == {feature.name for feature in before} | set(NO_KEYS)
    assert [feature.name for feature in held.left_out] == list(KEYS)
    world.declare(acknowledged={"identifier": {"customer_id": "Numbers rise with the years of membership."}})
    assert "customer_id" in {feature.name for feature in world.held.features}
    world.declare(group="household_id")
    assert "household_id" in world.matured  # the split needs it


def test_examples_of_keys_alone_have_no_feature(world: World) -> None:
    world.change(
        """create or replace table predictions.will_return as
           select entity, day, outcome, age, entity as customer_id from predictions.will_return"""
    )
    with pytest.raises(ExamplesError, match="no feature, as 'customer_id' is a key"):
        _ = world.held


def test_a_column_that_is_there_for_sql_alone_is_no_feature_whatever_its_type(world: World) -> None:
    before = world.held.features
    world.change(
        """alter table predictions.will_return add column household_id bigint;
           alter table predictions.will_return add column seen integer[];
           update predictions.will_return set household_id = entity // 2"""
    )
    world.declare(ignored=("household_id", "seen"), group="household_id")
    assert world.held.features == before
    assert "household_id" in world.matured  # the split needs it
    world.declare(ignored=("househld",))
    with pytest.raises(ExamplesError, match="there is no column 'househld', which is declared as 'ignore'"):
        _ = world.held
