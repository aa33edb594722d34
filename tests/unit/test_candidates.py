"""Every candidate takes the examples as they are: categories, missing values, dates; and learns from nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from worlds import World

from ml.models.candidates import FAMILIES, Candidate, fit, require_unfitted
from ml.models.feature import Feature
from ml.models.persistence import load, save
from ml.tasks import BINARY, REGRESSION, Task
from ml.tasks.metrics import METRICS
from turnout.errors import DeclarationError, ExamplesError

FEATURES = (
    Feature("useful", "numeric"),
    Feature("noise", "numeric"),
    Feature("never_known", "numeric"),
    Feature("kind", "categorical"),
)


def frame(rows: int = 2_000) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """A number and a category that tell something, both now and then missing, and what follows from them."""
    random = np.random.default_rng(0)
    useful, kind = random.normal(size=rows), random.choice(["a", "b", "rare"], p=[0.5, 0.495, 0.005], size=rows)
    examples = pd.DataFrame(
        {
            "useful": np.where(random.random(rows) < 0.1, np.nan, useful),
            "noise": random.normal(size=rows),
            "never_known": np.nan,
            "kind": pd.Series(np.where(random.random(rows) < 0.1, None, kind), dtype="object"),
        }
    )
    return examples, pd.Series(useful + (kind == "a") + random.normal(size=rows))


@pytest.mark.parametrize("task", [BINARY, REGRESSION])
@pytest.mark.parametrize("name", [*FAMILIES, "sklearn.linear_model.SGD"])
def test_categories_missing_and_unseen_values_are_dealt_with_inside_the_pipeline(
    name: str, task: Task, tmp_path: Any
) -> None:
    examples, value = frame()
    label = (value > 0.5).astype(float) if task is BINARY else value
    path = name if name in FAMILIES else f"{name}{'Classifier' if task is BINARY else 'Regressor'}"
    candidate = Candidate(path, {"loss": "log_loss"} if task is BINARY and path not in FAMILIES else {})
    pipeline = candidate.pipeline(task, FEATURES, candidate.defaults)
    require_unfitted(path, pipeline)
    fit(candidate, pipeline, examples[:1_500], label[:1_500])
    unseen = examples[1_500:].assign(kind="never seen before")
    assert np.isfinite(task.predict(pipeline, unseen)).all()
    metric = METRICS["roc_auc" if task is BINARY else "correlation"]
    assert metric.value(label[1_500:].to_numpy(), task.predict(pipeline, examples[1_500:])) > 0.6
    again = load(tmp_path / "model.skops", save(pipeline, tmp_path / "model.skops"))
    assert np.array_equal(task.predict(again, examples), task.predict(pipeline, examples))


@pytest.mark.parametrize("name", FAMILIES)
def test_reduce_keeps_the_columns_that_tell_most(name: str) -> None:
    examples, value = frame()
    candidate = Candidate(name)
    pipeline = candidate.pipeline(REGRESSION, FEATURES, candidate.defaults, max_features=2)
    fit(candidate, pipeline, examples, value)
    kept = pipeline[:-1].get_feature_names_out()
    assert len(kept) == 2
    assert {column.split("__")[1].split("_")[0] for column in kept} == {"useful", "kind"}


def test_a_parameter_that_is_declared_is_not_searched() -> None:
    candidate = Candidate("lightgbm", {"n_estimators": 7}, {"num_leaves": (4, 8)})
    assert candidate.defaults["num_leaves"] == 4
    assert candidate.space["num_leaves"] == (4, 8)
    assert "n_estimators" not in candidate.defaults
    estimator = candidate.pipeline(BINARY, FEATURES, candidate.defaults)[-1]
    assert (estimator.n_estimators, estimator.num_leaves) == (7, 4)


def test_a_parameter_that_does_not_exist_is_told_in_words() -> None:
    candidate = Candidate("sklearn.ensemble.ExtraTreesClassifier", {"n_trees": 7})
    with pytest.raises(DeclarationError, match=r"ExtraTreesClassifier' cannot be made: .*n_trees"):
        candidate.pipeline(BINARY, FEATURES, {})


def test_the_baseline_may_be_each_entitys_entity_mean() -> None:
    entities = pd.DataFrame({"entity": [1, 1, 1, 2, 2, 3]})
    label = pd.Series([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    past = BINARY.baseline("entity_mean", "entity").fit(entities, label)
    prior = 2 / 6
    expected = [(2 + 5 * prior) / (3 + 5), (0 + 5 * prior) / (2 + 5), prior]
    asked = pd.DataFrame({"entity": [1, 2, 99]})
    assert BINARY.predict(past, asked) == pytest.approx(expected)
    assert BINARY.predict(BINARY.baseline("prior", "entity").fit(entities, label), asked) == pytest.approx(prior)


def test_a_date_is_days_before_the_as_of_date(world: World) -> None:
    world.change(
        """alter table predictions.will_return add column seen date;
           alter table predictions.will_return add column called timestamp;
           update predictions.will_return set seen = day - 3, called = day::timestamp - interval 36 hours
           where entity > 0"""
    )
    world.declare(slices={"new": "seen is null"})
    assert Feature("seen", "date") in world.held.features
    examples = world.matured
    known = examples[examples["entity"] > 0]
    assert (set(known["seen"]), set(known["called"])) == ({3.0}, {1.5})
    assert examples.loc[examples["entity"] == 0, ["seen", "called"]].isna().all(axis=None)
    assert examples["(slice) new"].sum() == 18
    world.declare(slices={"new": "1=1); drop table predictions.will_return; --"})
    with pytest.raises(ExamplesError, match="the slice 'new' is no condition"):
        _ = world.matured
    assert world.rows("select count(*) > 0 from predictions.will_return") == [(True,)]
