"""A kind of question that nobody else knows is nothing but its object, from the declaration to the scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from own_tasks import INTERVAL
from projects import small_manifest
from worlds import World, redeclared, world_in

from ml.declaration import predictions_in
from ml.features.review import review
from ml.models.candidates import Candidate
from ml.monitoring.outcomes import record_published
from ml.report import card
from ml.serving.scores_table import declared_table
from ml.serving.scoring import score
from ml.training.replay import replay
from ml.training.result import Training
from ml.training.training import train
from turnout.engines import QueryError
from turnout.errors import DeclarationError
from turnout.records import opened
from turnout.records.sources import sources_of

DECLARED = {
    "task": "own_tasks.INTERVAL",
    "entity": "entity",
    "as_of": "day",
    "label": "outcome",
    "horizon_days": 28,
}


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Training, Path]:
    """A number between zero and two, asked for with its interval: trained, its card written, scored."""
    folder = tmp_path_factory.mktemp("interval")
    world = world_in(folder)
    world.change(
        """create or replace table predictions.will_return as
           select * replace (
               case when outcome is not null then strength + (hash(entity * 41 + dayofyear(day)) % 1000) / 1000 end
               as outcome
           ) from predictions.will_return"""
    )
    world.declare(
        task=INTERVAL,
        metric=INTERVAL.metrics["pinball_loss"],
        candidates=(Candidate("linear"), Candidate("lightgbm")),
        slices={"strong": "strength > 0.5"},
        unseen_groups="kind",
        max_features=3,
        trusted_types=("own_tasks.Quantiles",),
    )
    training = train(
        world.warehouse,
        world.prediction,
        world.models,
        world.provenance,
        report=lambda made: card.write(made, folder / "card"),
    )
    score(world.warehouse, world.prediction, world.models)
    return world, training, folder / "card"


def test_it_is_trained_judged_and_promoted(answered: tuple[World, Training, Path]) -> None:
    world, training, _ = answered
    assert training.decision.is_promoted, training.decision.reason
    assert world.champion is not None
    assert world.champion.task == "own_tasks.INTERVAL"
    found = {(row.candidate, row.metric): row.value for row in training.evaluations if not row.group_column}
    assert found["linear", "pinball_loss"] < 0.7 * found["baseline", "pinball_loss"]
    assert found["linear", "coverage"] == pytest.approx(0.8, abs=0.06)
    groups = {row.group_column for row in training.evaluations}
    assert groups == {"", "age", "kind", "slice"}
    directions = world.rows("select distinct metric, greater_is_better from records.evaluations order by all")
    assert directions == [("coverage", None), ("pinball_loss", False)]


def test_it_is_scored_with_columns_of_its_own(answered: tuple[World, Training, Path]) -> None:
    world, _, _ = answered
    rows = world.rows(
        """select count(*), bool_and(score_low < score_high), bool_or(is_wide), count(reason_1)
           from scores.will_return where score between score_low and score_high"""
    )
    assert rows == [(200, True, False, 200)]
    with world.warehouse.session() as session:
        (row,) = session.table("select * from scores.will_return limit 1").to_pylist()
        session.delete("scores", "will_return", {"entity": row["entity"]})
        with pytest.raises(QueryError, match="CHECK constraint failed"):
            session.append("scores", "will_return", [{**row, "score_low": row["score"] + 1}])
        session.append("scores", "will_return", [row])


def test_dbt_knows_its_columns() -> None:
    manifest = small_manifest(DECLARED)
    (prediction,) = predictions_in(manifest)
    manifest["nodes"][prediction.examples.unique_id]["sources"] = []
    for column in manifest["nodes"][prediction.examples.unique_id]["columns"].values():
        column.update(data_type="bigint", description="It.")
    text = sources_of("scores", "", [declared_table(prediction, manifest)])
    assert "- name: score_low" in text
    assert "score between score_low and score_high" in text
    assert "How far it moved the median, up or down." in text


def test_its_card_has_its_words_and_its_picture(answered: tuple[World, Training, Path]) -> None:
    written = card.read(answered[2])
    assert "the model predicts between which values\n`outcome` will lie for the next 14 days" in written.markdown
    assert "pinball loss (decides)" in written.markdown
    assert "Two of ten lie outside of their interval." in written.markdown
    assert set(written.plots) == {"width", "importance"}


def test_it_is_replayed_reviewed_and_watched(answered: tuple[World, Training, Path]) -> None:
    world, _, _ = answered
    assert replay(world.warehouse, world.prediction, world.models, 1, "commit 0").is_same
    reviewed = review(world.warehouse, world.prediction)
    assert reviewed.strength_measure == "spearman"
    with opened(world.warehouse) as session:
        newest = session.rows("select max(day) as day from predictions.will_return")[0]["day"]
    world.change("update predictions.will_return set outcome = strength + 0.5 where outcome is null")
    with opened(world.warehouse) as session:
        assert record_published(session, world.prediction) == (newest,)
    bands = world.rows("select score_band, example_count from records.outcomes where basis = 'published' order by all")
    assert [band for band, _ in bands] == list(range(1, 11))
    assert sum(count for _, count in bands) == 200


def test_a_training_after_it_judges_the_champion(answered: tuple[World, Training, Path]) -> None:
    world, _, _ = answered
    fast = redeclared(world.prediction, candidates=(Candidate("lightgbm"),), unseen_groups=None)
    again = train(world.warehouse, fast, world.models, world.provenance)
    assert again.decision.champion_version == 1
    assert again.decision.against_champion is not None


def test_its_families_are_the_candidates_where_none_are_declared() -> None:
    (prediction,) = predictions_in(small_manifest(DECLARED))
    assert prediction.task is INTERVAL
    assert prediction.gate.metric.name == "pinball_loss"
    assert [candidate.name for candidate in prediction.search.candidates] == ["linear", "lightgbm"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "own_tasks.NO_TASK"}, r"no object of the class ml\.tasks\.Task, but a str"),
        ({"task": "own_tasks.MISNAMED"}, "calls itself 'interval'"),
        ({"task": "own_tasks.NOTHING"}, "cannot be imported"),
        ({"task": "regresion"}, "Did you mean 'regression'"),
        ({"metric": "rmse"}, r"cannot decide a own_tasks\.INTERVAL prediction"),
        ({"metric": "pinbal_loss"}, "Did you mean 'pinball_loss'"),
        ({"candidates": ["xgboost"]}, "has no candidate 'xgboost'"),
        ({"baseline": "entity_mean"}, "has no baseline 'entity_mean'"),
        ({"limits": {"calibration_error": 0.1}}, "has no calibration error"),
    ],
)
def test_what_is_no_task_or_not_known_to_it_is_refused_in_words(change: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        predictions_in(small_manifest({**DECLARED, **change}))
