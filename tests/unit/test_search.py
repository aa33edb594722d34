"""What is chosen before the holdout is seen: by folds, within a budget, going on where it was."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from worlds import World

from ml.declaration import SearchBudget
from ml.examples.split import divide, split_by
from ml.models.candidates import Candidate
from ml.training.choice import Choice
from ml.training.choice import choose as choose_in
from ml.training.folds import Folds, folds_in
from ml.training.training import train

LIGHTGBM = Candidate("lightgbm", {"n_estimators": 20})


def folds_of_world(world: World) -> Folds:
    prediction = world.prediction
    split = split_by(prediction.split, world.held.matured, "")
    training, _ = divide(world.matured, prediction.examples.as_of, split)
    return folds_in(prediction, split, training, None)


def choose(world: World, journal: Path, *, version: int = 1, earlier: Any = None, **budget: float) -> Choice:
    world.declare(candidates=(Candidate("linear"), LIGHTGBM), budget=SearchBudget(**budget))
    folds, features = folds_of_world(world), world.held.features
    return choose_in(world.prediction, features, folds, journal, version=version, earlier=earlier or {})


def test_defaults_come_first_and_in_every_fold_then_what_the_search_proposes(world: World, tmp_path: Path) -> None:
    choice = choose(world, tmp_path / "search.journal", trials=6, seconds=60)
    assert [trial.candidate for trial in choice.trials[:2]] == ["linear", "lightgbm"]
    assert [trial.parameters for trial in choice.trials[:2]] == [Candidate("linear").defaults, LIGHTGBM.defaults]
    assert len(choice.trials) == 2 + 6
    count = len(choice.folds)
    assert count > 1
    assert all(trial.state == "pruned" or trial.folds == count for trial in choice.trials)
    judged = count * world.prediction.split.fold_dates * 200
    assert len(choice.label) == len(choice.predicted) == len(choice.entities) == judged


def test_the_same_seed_finds_the_same(world: World, tmp_path: Path) -> None:
    first, again = (choose(world, tmp_path / f"{name}.journal", trials=4, seconds=60) for name in ("first", "again"))
    assert [(trial.parameters, trial.value) for trial in first.trials] == [
        (trial.parameters, trial.value) for trial in again.trials
    ]


def test_a_search_that_was_killed_goes_on_where_it_was(world: World, tmp_path: Path) -> None:
    journal = tmp_path / "search.journal"
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from test_search import choose
from worlds import world_in
choose(world_in(Path({str(tmp_path / "other")!r})), Path({str(journal)!r}), trials=1000, seconds=60)
"""
    environment = {"PYTHONPATH": str(Path(__file__).parent)}
    (tmp_path / "other").mkdir()
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as searching:
        deadline = time.monotonic() + 60
        while not journal.exists() or journal.read_text().count('"values"') < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        searching.kill()
    tried = journal.read_text().count('"seconds"')
    choice = choose(world, journal, trials=tried + 1, seconds=600)
    assert len(choice.trials) == 2 + tried + 1


def test_the_next_training_begins_with_what_the_last_one_found(world: World, tmp_path: Path) -> None:
    found = {key: values.low for key, values in LIGHTGBM.space.items() if not isinstance(values, tuple)}
    choice = choose(world, tmp_path / "new.journal", trials=1, seconds=60, earlier={"lightgbm": found})
    assert choice.trials[2].parameters == pytest.approx(found)


def test_a_training_hands_the_best_of_each_candidate_to_the_next(world: World) -> None:
    world.declare(candidates=(LIGHTGBM,), budget=SearchBudget(trials=3, seconds=60))
    first = train(world.warehouse, world.prediction, world.models, world.provenance)
    world.change("update predictions.will_return set strength = strength * 1.001")  # other data, so another search
    second = train(world.warehouse, world.prediction, world.models, world.provenance)
    complete = [trial for trial in first.choice.trials if trial.state == "complete"]
    best = min(complete, key=lambda trial: trial.value or 0)
    assert second.choice.trials[1].parameters == pytest.approx(best.parameters)


def test_without_time_for_a_trial_nothing_is_searched(world: World, tmp_path: Path) -> None:
    assert len(choose(world, tmp_path / "search.journal", trials=50, seconds=0.001).trials) == 2
