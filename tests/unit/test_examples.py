"""Examples are checked against their declaration before anything is learned from them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds import World, redeclared

from ml.examples.reading import fingerprint
from ml.models.feature import Feature
from turnout.errors import ExamplesError, WarehouseError


def test_every_column_without_a_role_is_a_feature_and_a_sensitive_one_never(world: World) -> None:
    held = world.held
    assert held.features == (
        Feature("strength", "numeric"),
        Feature("amount", "numeric"),
        Feature("kind", "categorical"),
        Feature("is_even", "numeric"),
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
