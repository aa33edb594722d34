"""Which candidate is chosen: by evidence from other times or other entities, and not by chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import World

from ml.declaration import SearchBudget
from ml.examples.reading import SAMPLED
from ml.judging.comparison import standings
from ml.models.candidates import AVERAGE, Candidate
from ml.tasks.metrics import LOG_LOSS
from ml.training.dataset import read_training_data
from ml.training.replay import replay
from ml.training.training import Training, train
from turnout.errors import ExamplesError

ENTITIES = 300


def trained(world: World) -> Training:
    return train(world.warehouse, world.prediction, world.models, world.provenance)


def in_folds(gains: list[float], *, are_by_time: bool = True) -> bool:
    """Whether a model is better than another beyond chance, whose log-odds are by so much better in each fold."""
    random = np.random.default_rng(0)
    fold_of = np.repeat(np.arange(len(gains)), ENTITIES)
    odds = random.normal(size=fold_of.size)
    label = (random.logistic(size=fold_of.size) < odds).astype(float)
    moved = odds + np.array(gains)[fold_of] * (2 * label - 1)
    predicted = {"other": 1 / (1 + np.exp(-odds)), "one": 1 / (1 + np.exp(-moved))}
    entities = pd.Series(np.tile(np.arange(ENTITIES), len(gains)))
    found = standings(LOG_LOSS, label, predicted, entities, fold_of, are_by_time=are_by_time)
    return found.compare("one", "other").is_beyond_chance


def test_what_is_better_in_every_fold_is_so_beyond_chance() -> None:
    assert in_folds([0.3, 0.2, 0.3])
    assert not in_folds([0.0, 0.0, 0.0])


@given(gain=st.floats(0.1, 1.0))
def test_one_fold_that_disagrees_takes_the_decision_from_the_others(gain: float) -> None:
    """On average it is better, and with the entities alone it would be so beyond chance."""
    assert in_folds([gain, gain, -0.1 * gain], are_by_time=False)
    assert not in_folds([gain, gain, -0.1 * gain])


def test_of_equals_the_average_is_taken_and_a_single_one_that_is_clearly_better(world: World) -> None:
    """The outcome is a step in two columns, which no line follows."""
    assert trained(world).version.family == AVERAGE
    world.change(
        """create or replace table predictions.will_return as select * replace (
               case when outcome is not null
                   then ((strength > 0.5) <> is_even and hash(entity + epoch(day)) % 20 > 0)::integer end as outcome
           ) from predictions.will_return"""
    )
    training = trained(world)
    assert training.version.family == "lightgbm"
    assert training.choice.comparisons[AVERAGE].high < 0  # type: ignore[operator]


def test_an_average_is_saved_and_made_once_more_from_its_record(world: World) -> None:
    training = trained(world)
    assert training.version.family == AVERAGE
    assert set(training.version.parameters) == {"linear", "lightgbm"}
    again = replay(world.warehouse, world.prediction, world.models, 1, "commit 0")
    assert again.is_same


@pytest.mark.parametrize(
    ("candidate", "is_better"),
    [
        (Candidate("linear"), False),  # a line through one column: every penalty gives nearly the same
        (Candidate("lightgbm", {"n_estimators": 5}), True),  # so few trees take steps that are much larger
    ],
    ids=["by chance", "beyond chance"],
)
def test_what_a_search_finds_counts_only_beyond_chance(world: World, candidate: Candidate, is_better: bool) -> None:
    world.declare(candidates=(candidate,), budget=SearchBudget(trials=6, seconds=60))
    training = trained(world)
    first, *_ = trials = training.choice.trials
    best = min(trial.value for trial in trials if trial.state == "complete" and trial.value is not None)
    assert first.value is not None
    assert best < first.value
    is_taken = training.version.parameters != {**candidate.defaults, **candidate.fixed}
    assert is_taken == is_better
    used = np.mean([row.value for row in training.choice.validations if row.candidate == candidate.name])
    assert used == pytest.approx(best if is_taken else first.value)


def test_entities_of_one_date_are_judged_by_what_others_have_taught(world: World) -> None:
    world.change("delete from predictions.will_return where day <> '2024-04-07'")
    with pytest.raises(ExamplesError, match="too little history") as refused:
        trained(world)
    assert "declare 'split' with the column of the entity" in str(refused.value.remedy)
    world.declare(is_by_time=False, group="entity")
    training = trained(world)
    assert training.decision.is_promoted
    assert training.version.chosen_in == "4 folds by entity"
    assert "judged on the dates that were learned from, not on later ones" in training.decision.reason
    assert 0.1 * 200 < len(training.holdout_label) < 0.3 * 200
    again = trained(world)
    assert "champion version 1" in again.decision.reason
    assert not again.decision.is_promoted


def test_a_sample_is_of_what_is_learned_from_and_leaves_the_holdout_whole(world: World) -> None:
    world.declare(sample=14 * 200)  # as many as there are before the gap
    whole = read_training_data(world.warehouse, world.prediction)
    assert not whole.thinning.learned or len(whole.holdout) == 3 * 200
    world.declare(sample=1_000)
    data = read_training_data(world.warehouse, world.prediction)
    assert len(data.training) < 1_000
    assert len(data.holdout) == 3 * 200
    assert data.sampled["entity"].nunique() == data.training["entity"].nunique() < 200
    assert data.matured[SAMPLED].sum() == len(data.sampled)
    assert "learned from one in 4 entities" in data.caveat
    training = trained(world)
    assert data.caveat in training.decision.reason
    assert replay(world.warehouse, world.prediction, world.models, 1, "commit 0").is_same


def test_predictions_beside_what_labels_can_be_are_told(spending: World) -> None:
    assert "lie below 0, the least label" in trained(spending).decision.reason


@pytest.fixture
def spending(world: World) -> World:
    """A world in which amounts are predicted, many of them nothing."""
    from ml.tasks import REGRESSION

    world.change(
        """create or replace table predictions.will_return as select * replace (
               case when outcome is not null then outcome * strength * 100 end as outcome
           ) from predictions.will_return"""
    )
    world.declare(task=REGRESSION, metric=REGRESSION.metrics["rmse"], candidates=(Candidate("linear"),))
    return world
