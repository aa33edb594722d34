"""Labels that nobody can believe stop a training; honest ones, however they move, do not."""

from __future__ import annotations

import pytest
from worlds import World

from ml.declaration import LabelExpectation
from ml.examples.plausibility import implausible_labels
from ml.features.review import review
from ml.tasks import REGRESSION
from turnout.errors import ExamplesError

# A number from 0 to 1 for each example, that of the entity's place, and how often the label is true.
WORLD = """
    create or replace table predictions.will_return as
    with examples as (
        select
            entity, date '2020-01-05' + (28 * date_number)::integer as day, date_number,
            entity % 5 as place, entity % 50 as county,
            (hash(entity * 37 + date_number * 7 + 5) % 100000) / 100000 as luck
        from range({entities}) as entities(entity) cross join range({dates}) as dates(date_number)
    )
    select
        entity, day, luck as strength, 'p' || place as place, 'c' || county as county, 'a' as age,
        case when not ({missing}) then {label} end as outcome
    from examples
"""
SHARE = "(luck < {})::integer"
HONEST = {
    "always alike": SHARE.format(0.3),
    "rare": SHARE.format(0.0005),
    "nearly always": SHARE.format(0.9995),
    "presidential, midterm, municipal": SHARE.format("[0.75, 0.25, 0.5, 0.2][date_number % 4 + 1]"),
    "growing from nothing": SHARE.format("least(0.4, 0.4 * pow(0.75, 19 - date_number))"),
    "dying out": SHARE.format("0.4 * pow(0.7, date_number)"),
    "closed every fifth": SHARE.format("if(date_number % 5 = 4, 0, 0.5)"),
    "closed once a year": SHARE.format("if(date_part('month', day) = 8, 0, 0.5)"),
    "places differ": SHARE.format("0.05 + 0.2 * place"),
    "amounts with long tails": "case when luck < 0.3 then exp(8 * sqrt(-2 * ln(luck + 0.001)) / 4) else 0 end",
    "amounts that grow": "luck * pow(1.3, date_number)",
    "negative amounts": "luck - 0.5",
}
LAST = "date_number = 17"
BROKEN = {
    "nobody at the last date": (SHARE.format(f"if({LAST}, 0, 0.3)"), "labels of 2021-04-25 are not zero in 0.00% of"),
    "nearly nobody": (SHARE.format(f"if({LAST}, 0.001, 0.3)"), "labels of 2021-04-25 are not zero in 0."),
    "everybody": (SHARE.format(f"if({LAST}, 1, 0.3)"), "labels of 2021-04-25 are not zero in 100.00% of the cases"),
    "before the history begins": (SHARE.format("if(date_number < 6, 0, 0.5)"), "labels of 2020-01-05 are"),
    "rare, and 6 instead of 300 expected": (SHARE.format(f"if({LAST}, 0.0001, 0.05)"), "of 2021-04-25 are"),
    "cents instead of dollars": (f"luck * if({LAST}, 100, 1)", "that are not zero have a mean size of 5"),
    "amounts that have not come": (f"if({LAST} or luck < 0.5, 0, luck)", "labels of 2021-04-25 are not zero in 0.00%"),
}


def make(world: World, label: str, *, entities: int = 2000, dates: int = 20) -> None:
    world.change(WORLD.format(label=label, entities=entities, dates=dates, missing=f"date_number >= {dates - 2}"))


def found(world: World) -> list[str]:
    with world.warehouse.session() as session:
        return [str(one) for one in implausible_labels(session, world.prediction)]


@pytest.mark.parametrize("label", HONEST.values(), ids=list(HONEST))
@pytest.mark.parametrize("entities", [40, 2000])
def test_nothing_is_said_of_honest_labels(world: World, label: str, entities: int) -> None:
    make(world, label, entities=entities, dates=45)
    world.declare(unseen_groups="place", by=("county",))
    assert found(world) == []


@pytest.mark.parametrize(("label", "words"), BROKEN.values(), ids=list(BROKEN))
def test_a_date_whose_labels_nobody_can_believe_stops_whatever_learns_from_them(
    world: World, label: str, words: str
) -> None:
    make(world, label)
    if label not in {one for one, _ in BROKEN.values() if one.startswith("(luck <")}:
        world.declare(task=REGRESSION, metric=REGRESSION.metrics["rmse"])
    assert words in found(world)[0]
    with pytest.raises(ExamplesError, match="nobody can believe all labels 'outcome'") as caught:
        _ = world.matured
    assert words in str(caught.value)
    assert "acknowledged: {implausible_labels: {outcome: 'the reason'}}" in str(caught.value)
    assert "implausible_labels" in {one.name for one in review(world.warehouse, world.prediction).unacknowledged}
    world.declare(acknowledged={"implausible_labels": {"outcome": "The shop was closed."}})
    assert len(world.matured) == 18 * 2000


def test_a_place_of_which_next_to_nothing_was_loaded_is_told_beside_the_others(world: World) -> None:
    """A history of six votes makes a county that has reported, of people who all stayed at home."""
    make(world, SHARE.format("case when place <> 0 then 0.5 + 0.05 * place when entity < 6 then 1 else 0 end"))
    world.declare(unseen_groups="place")
    (one,) = found(world)
    assert one.startswith("the 7,200 labels of place p0 are not zero in ")
    assert "in other groups" in one


def test_a_place_where_it_never_happens_is_told_only_where_places_are_to_be_alike(world: World) -> None:
    make(world, SHARE.format("if(place = 0, 0, 0.02 * place)"))
    world.declare(by=("place",))
    assert found(world) == []


def test_one_place_at_one_date_is_told(world: World) -> None:
    make(world, SHARE.format(f"if(place = 2 and {LAST}, 0, 0.6)"))
    assert found(world) == []
    world.declare(by=("place",))
    (one,) = found(world)
    assert one.startswith("the 400 labels of 2021-04-25, place p2 are")


@pytest.mark.parametrize(
    ("expected", "count"),
    [
        (LabelExpectation(min=0.05, max=0.95, by=("place", "county")), 0),
        (LabelExpectation(min=0.5), 18),
        (LabelExpectation(max=0.2), 18),
        (LabelExpectation(min=0.29), 0),  # by chance a date lies below
        (LabelExpectation(min=0.5, by=("place",)), 18 * 5),
    ],
)
def test_what_is_declared_holds_beyond_chance(world: World, expected: LabelExpectation, count: int) -> None:
    make(world, SHARE.format(0.3))
    world.declare(expected=expected)
    assert len(found(world)) == count


def test_what_is_declared_takes_the_place_of_what_is_learned(world: World) -> None:
    make(world, SHARE.format(f"if({LAST}, 0, 0.3)"))
    world.declare(min=0.0)
    assert found(world) == []
    world.declare(min=0.1)
    assert found(world) == ["the 2,000 labels of 2021-04-25 have mean 0, where at least 0.1 is declared"]


def test_amounts_are_held_to_what_is_declared(world: World) -> None:
    make(world, f"100 * luck * if({LAST}, 3, 1)")
    assert found(world) == []
    world.declare(max=80.0)
    (one,) = found(world)
    assert "where at most 80 is declared" in one
