"""The feature review finds what a person should look at, leaves honest features alone, and measures what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from worlds import World, world_in

from ml.features.findings import REVIEWED, sounds_sensitive
from ml.features.review import SHOWN, Review, ReviewedColumn, remember, review
from turnout.errors import ExamplesError

MIDDLE = "date '2024-03-03'"  # the last early as-of date
KNOWN = "coalesce(outcome, (strength > 0.5)::integer)"  # the label, and something like it where it has not matured


def found(world: World) -> set[tuple[str, str]]:
    """Review, and return the findings nobody has acknowledged, with their subjects."""
    return {(finding.name, finding.subject) for finding in review(world.warehouse, world.prediction).unacknowledged}


def add(world: World, **columns: str) -> None:
    """Add features; `chance` is a number from 0 to 1 that has to do with nothing, `day_number` counts days."""
    world.change(
        f"""create or replace table predictions.will_return as
            select * exclude (day_number, chance), {", ".join(f"{value} as {name}" for name, value in columns.items())}
            from (
                select *, (hash(entity * 41 + day_number * 1009) % 1000) / 1000 as chance
                from (select *, datediff('day', date '2024-01-01', day) as day_number from predictions.will_return)
            )"""
    )


def column_of(world: World, name: str) -> ReviewedColumn:
    return next(row for row in review(world.warehouse, world.prediction).columns if row.column_name == name)


def test_honest_features_raise_no_finding(world: World) -> None:
    made = review(world.warehouse, world.prediction)
    assert made.findings == ()
    assert str(made) == "will_return: nothing to look at in 5 columns."
    assert [(row.column_name, row.sensitive) for row in made.columns] == [
        ("strength", "no"),
        ("amount", "no"),
        ("kind", "no"),
        ("is_even", "no"),
        ("age", "declared"),
    ]


def test_honest_features_raise_no_finding_where_the_label_is_a_number(spend: World) -> None:
    assert found(spend) == set()


PLANTED = [
    ("missing", "case when entity = 3 then 1.5 end", "missing in 99.5% of the examples"),
    ("missing", "null::integer", "missing in 100.0% of the examples"),
    ("missing", f"case when day > {MIDDLE} then chance end", "100.0% of the early examples and in 0.0% of late"),
    ("missing", "case when day < '2024-05-19' then chance end", "in 100.0% of those of the newest as-of date"),
    ("constant", "7", "the same value in every example"),
    ("identifier", "'number ' || entity", "its 200 values have 1.0 entity each"),
    ("identifier", "entity * 7919 % 10007", "each entity has its own value"),
    ("identifier", "(entity * 7919 + day_number * 104729) % 1000003", "values are equal"),
    ("single_feature_leak", f"{KNOWN} * 0.8 + chance", "ROC AUC 0.98"),
    ("copies_label", f"1 - {KNOWN}", "ROC AUC 1.000"),
    ("copies_label", f"if({KNOWN} = 1, 'gone', 'here')", "ROC AUC 1.000"),
    ("copies_label", f"case when {KNOWN} = 0 then 1 + entity % 9 end", "ROC AUC 1.000"),  # days until it is back
    ("copies_label", f"2 * (chance * 40)::integer + {KNOWN}", "0.0% of the errors"),  # odd or even: in no order
    ("unstable", f"strength * if(day > {MIDDLE}, 3, 1)", "its distribution moves by"),
    ("unstable", f"if(day > {MIDDLE}, 'female', 'f')", "its distribution moves by 1.00"),
    ("unstable", "if(day = '2024-05-19', 5, 1) * chance", "the newest as-of date, which is scored"),
    ("unstable", f"if(day > {MIDDLE}, chance, strength)", "its strength vanishes (alone 0.82 early, 0.5"),
    ("unstable", f"if(day <= {MIDDLE}, chance, strength)", "its strength appears"),
    ("unstable", f"if(day > {MIDDLE}, 1 - strength, strength)", "its strength turns round"),
    ("monotone_over_time", "day_number", "tells late as-of dates from early ones (ROC AUC 1.00)"),
    ("monotone_over_time", "1000 - day_number", "for each entity it hardly ever rises"),
    ("monotone_over_time", "row_number() over (order by day, entity)", "what is scored lies beyond"),
    (
        "monotone_over_time",
        "sum(strength) over (partition by entity order by day)",
        "for each entity it hardly ever falls",
    ),
]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Review:
    """The review of a world in which each of them is planted, as `planted_0` and so on."""
    world = world_in(tmp_path_factory.mktemp("planted"))
    add(world, **{f"planted_{place}": value for place, (_, value, _) in enumerate(PLANTED)})
    return review(world.warehouse, world.prediction)


@pytest.mark.parametrize(("place", "finding", "words"), [(place, row[0], row[2]) for place, row in enumerate(PLANTED)])
def test_a_finding_is_told_where_it_is_planted(planted: Review, place: int, finding: str, words: str) -> None:
    """And no other: one thing that is wrong is one warning."""
    told = [told for told in planted.findings if told.subject == f"planted_{place}"]
    assert [each.name for each in told] == [finding]
    assert words in told[0].message


def test_what_matters_most_is_told_first_and_the_others_are_counted(planted: Review) -> None:
    ranks = [finding.rank for finding in planted.findings]
    assert ranks == sorted(ranks)
    assert planted.findings[0].name == "copies_label"
    told = str(planted)
    assert f"and {len(planted.findings) - SHOWN} more, in records.feature_findings." in told
    assert told.count("\n  - ") == SHOWN


def test_nothing_is_told_of_the_honest_features_beside_them(planted: Review) -> None:
    assert {finding.subject for finding in planted.findings} == {f"planted_{place}" for place in range(len(PLANTED))}


def test_examples_that_should_have_a_label_and_have_none_are_told(world: World) -> None:
    world.change("update predictions.will_return set outcome = null where entity % 20 = 3")
    (finding,) = review(world.warehouse, world.prediction).findings
    assert (finding.name, finding.subject) == ("unlabelled", "outcome")
    assert "180 examples (5.0%) have none, at 18 as-of dates" in finding.message


@pytest.mark.parametrize("dates", ["true", f"day > {MIDDLE}"])
def test_one_entity_under_two_ids_is_found_also_if_only_for_a_part_of_the_time(world: World, dates: str) -> None:
    world.change(
        f"""insert into predictions.will_return
            select * replace (entity + 1000 as entity, 'other' as age) from predictions.will_return
            where entity in (3, 8) and {dates}"""
    )
    (finding,) = review(world.warehouse, world.prediction).findings
    assert (finding.name, finding.subject) == ("duplicate_entities", "entity")
    assert "2 pairs have the same features" in finding.message
    assert "3 and 1003 at" in finding.message


def test_entities_with_few_possible_values_are_no_twins(world: World) -> None:
    """Who comes every week is like everybody else who does."""
    world.change("alter table predictions.will_return drop strength; alter table predictions.will_return drop amount")
    add(world, count_visits="(chance > 0.1)::integer + (entity % 7 < 5)::integer")
    assert found(world) == set()


def test_who_bought_the_same_thing_once_is_no_twin(world: World) -> None:
    """Days since then go on, and fall out of a window, in the same way for all who bought nothing else."""
    world.change(
        """insert into predictions.will_return
           select will_return.* replace (
               1000 + 3 * place + copy as entity, null as strength, 'one' as kind, 'other' as age,
               20 * place + datediff('day', date '2020-01-01', day) as amount,
               case when outcome is not null then 0 end as outcome
           )
           from predictions.will_return as will_return, range(4) as places (place), range(2) as copies (copy)
           where entity = 3"""
    )
    assert "duplicate_entities" not in {name for name, _ in found(world)}


def test_a_name_that_sounds_sensitive_is_told(world: World) -> None:
    world.change("alter table predictions.will_return rename kind to marital_status")
    assert found(world) == {("sounds_sensitive", "marital_status")}
    assert column_of(world, "marital_status").sensitive == "sounds like it"
    world.declare(sensitive=("age", "marital_status"))
    assert found(world) == set()


@pytest.mark.parametrize(
    ("name", "sounds"),
    [
        ("age", True),
        ("age_band", True),
        ("mean_age", True),
        ("Gender", True),
        ("is_pregnant", True),
        ("national_origin_code", True),
        ("average_basket", False),
        ("page_views", False),
        ("account_age_days", False),
        ("age_in_months_of_card", False),
        ("national_brand_share", False),
        ("coverage", False),
        ("days_since_last_race", False),
        ("number_of_race", False),
        ("count_races", False),
        ("race_distance", False),
        ("party_size", False),
        ("race", True),
        ("race_of_customer", True),
        ("is_race_known", True),
        ("days_since_birth", True),
    ],
)
def test_whole_words_sound_sensitive(name: str, sounds: bool) -> None:
    assert sounds_sensitive(name) is sounds


def test_an_acknowledged_finding_is_no_warning_and_keeps_its_reason(world: World) -> None:
    add(world, planted="day_number")
    reason = "Prices rise with the years."
    world.declare(acknowledged={"monotone_over_time": {"planted": reason}})
    made = review(world.warehouse, world.prediction)
    assert made.unacknowledged == ()
    assert [(finding.name, finding.acknowledged) for finding in made.findings] == [("monotone_over_time", reason)]
    assert str(made) == "will_return: nothing to look at in 6 columns. 1 finding is acknowledged."


def test_a_key_that_is_left_out_is_told_and_is_a_feature_if_that_is_acknowledged(world: World) -> None:
    add(world, order_id="(entity * 7919 + day_number * 104729)")
    made = review(world.warehouse, world.prediction)
    assert made.left_out == ("order_id",)
    assert "order_id" not in {row.column_name for row in made.columns}
    (finding,) = made.unacknowledged
    assert (finding.name, finding.subject) == ("identifier", "order_id")
    assert "4,000 values for 200 entities, so it is left out" in finding.message
    assert "What is right is acknowledged" not in str(made)  # it would be a feature
    world.declare(acknowledged={"identifier": {"order_id": "It rises with time."}})
    made = review(world.warehouse, world.prediction)
    assert made.left_out == ()
    assert made.stale == ()
    assert "order_id" in {row.column_name for row in made.columns}
    world.declare(acknowledged={}, ignored=("order_id",))
    assert found(world) == set()


def test_an_acknowledgement_of_what_is_not_found_any_more_is_told_gently(world: World) -> None:
    acknowledged = {"unstable": {"amount": "Prices rise."}, "unaudited": {"shop.visits": "They have no time."}}
    world.declare(acknowledged=acknowledged)
    made = review(world.warehouse, world.prediction)
    assert (made.unacknowledged, made.stale) == ((), (("unstable", "amount"),))
    assert "may be taken out: unstable of amount" in str(made)


def test_every_finding_can_be_acknowledged_and_is_tested_here() -> None:
    tested = {finding for finding, *_ in PLANTED} | {"unlabelled", "duplicate_entities", "sounds_sensitive"}
    assert tested | {"implausible_labels"} == REVIEWED  # see test_plausibility


@pytest.mark.parametrize("values", [2, 1000])
def test_strength_alone_is_the_roc_auc_of_scikit_learn_with_ties_and_missing_values(world: World, values: int) -> None:
    add(world, planted=f"nullif((greatest(chance, strength) * {values})::integer, 1)")
    row = column_of(world, "planted")
    parts = {"strength": "true", "strength_early": f"day <= {MIDDLE}", "strength_late": f"day > {MIDDLE}"}
    for part, condition in parts.items():
        rows = world.rows(
            f"select outcome, planted from predictions.will_return where outcome is not null and {condition}"
        )
        label = [outcome for outcome, _ in rows]
        areas = {
            missing: roc_auc_score(label, [missing if value is None else value for _, value in rows])
            for missing in (-1, 1001)
        }
        if part == "strength":
            missing = max(areas, key=lambda place: abs(areas[place] - 0.5))
        assert getattr(row, part) == pytest.approx(max(areas[missing], 1 - areas[missing]))


def test_the_strength_of_categories_is_not_fitted_on_what_it_is_judged_by(world: World) -> None:
    add(world, planted="'c' || (chance * 900)::integer")  # hundreds of categories that say nothing
    row = column_of(world, "planted")
    assert row.strength_late == pytest.approx(0.5, abs=0.05)
    rows = world.rows(f"select day > {MIDDLE}, planted, outcome from predictions.will_return where outcome is not null")
    early = [(category, label) for is_late, category, label in rows if not is_late]
    mean = np.mean([label for _, label in early])
    means = {category: np.mean([label for other, label in early if other == category]) for category, _ in early}
    late = [(means.get(category, mean), label) for is_late, category, label in rows if is_late]
    area = roc_auc_score([label for _, label in late], [score for score, _ in late])
    assert row.strength_late == pytest.approx(max(area, 1 - area))


@pytest.mark.parametrize("values", [3, 1000])
def test_strength_alone_is_spearmans_correlation_where_the_label_is_a_number(spend: World, values: int) -> None:
    spend.change("update predictions.will_return set outcome = round(outcome + strength, 1)")
    add(spend, planted=f"nullif((greatest(chance, strength) * {values})::integer, 1)")
    rows = spend.rows("select outcome, planted from predictions.will_return where outcome is not null")
    label = [outcome for outcome, _ in rows]
    correlations = [
        spearmanr(label, [missing if value is None else value for _, value in rows]).statistic for missing in (-1, 1001)
    ]
    assert column_of(spend, "planted").strength == pytest.approx(max(map(abs, correlations)))


def test_what_says_a_number_is_found_as_well(spend: World) -> None:
    spend.change(
        """update predictions.will_return set outcome = strength + hash(entity, day) % 1000 / 1000
           where outcome is not null"""
    )
    known = "coalesce(outcome, chance + strength)"
    add(spend, copied=f"{known} * 2 + 1", strong=f"{known} + 0.3 * chance")
    assert found(spend) == {("copies_label", "copied"), ("single_feature_leak", "strong")}


def test_a_nan_is_missing_as_it_is_for_a_model(world: World) -> None:
    add(world, planted="case when entity = 3 then 1.5 else 'nan'::double end")
    assert found(world) == {("missing", "planted")}
    assert column_of(world, "planted").distinct_values == 1


def test_columns_may_be_called_as_they_like(world: World) -> None:
    add(world, **dict.fromkeys(["label", "value", "is_early", "sum_all", '"has ""quotes"""'], "chance"))
    assert found(world) == set()


@pytest.mark.parametrize("kept", ["day = '2024-01-07'", "day > '2024-05-06'", "entity < 4"])
def test_few_examples_are_reviewed_without_guessing(world: World, kept: str) -> None:
    """One as-of date, none that has matured, four entities: what cannot be said is left open."""
    world.change(f"delete from predictions.will_return where not ({kept})")
    made = review(world.warehouse, world.prediction)
    assert made.unacknowledged == ()
    assert all(row.strength_late is None or math.isfinite(row.strength_late) for row in made.columns)


def test_examples_that_break_a_promise_are_refused_in_words(world: World) -> None:
    world.change("insert into predictions.will_return select * from predictions.will_return limit 1")
    with pytest.raises(ExamplesError, match="keys repeat"):
        review(world.warehouse, world.prediction)


def test_what_the_audit_found_stands_beside_each_column(world: World) -> None:
    audited = {
        row.column_name: row.differing_examples
        for row in review(world.warehouse, world.prediction, {"amount": 9}).columns
    }
    assert audited == {"strength": 0, "amount": 9, "kind": 0, "is_even": 0, "age": 0}
    assert {row.differing_examples for row in review(world.warehouse, world.prediction).columns} == {None}


def test_reviews_are_added_to_those_before(world: World) -> None:
    add(world, planted="7")
    for _ in range(2):
        remember(world.warehouse, [review(world.warehouse, world.prediction, {})])
    rows = world.rows("select count(*), count(distinct review_id) from records.feature_reviews")
    assert rows == [(12, 2)]
    rows = world.rows(
        """select finding, subject, acknowledged, findings from records.feature_findings
           inner join records.feature_reviews using (review_id) where column_name = subject"""
    )
    assert rows == [("constant", "planted", None, "constant")] * 2
