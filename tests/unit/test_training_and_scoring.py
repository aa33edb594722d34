"""Training judges candidates and promotes; scoring writes back, whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pytest
from worlds import PROVENANCE, World

from ml.declaration import SearchBudget
from ml.judging.evaluation import overall
from ml.models.candidates import Candidate
from ml.serving import scoring
from ml.serving.scores_table import create_table, score_schema
from ml.serving.scoring import Scoring, score
from ml.tasks import BINARY, REGRESSION
from ml.training.replay import replay
from ml.training.result import Training
from ml.training.training import train
from turnout.errors import DeclarationError, ExamplesError, ModelError, UnusableModelError, WarehouseError


def trained(world: World) -> Training:
    return train(world.warehouse, world.prediction, world.models, PROVENANCE)


def scored(world: World) -> Scoring | None:
    return score(world.warehouse, world.prediction, world.models)


def test_the_best_candidate_becomes_champion_and_is_refitted_on_all_matured_examples(world: World) -> None:
    training = trained(world)
    candidates = {"baseline", "linear", "lightgbm", "average"}
    assert {evaluation.candidate for evaluation in training.evaluations} == candidates
    assert training.decision.is_promoted
    value = overall(training.evaluations, training.version.candidate, "log_loss")
    # With outcome = strength + noise > 1 the best reachable log loss is 1/2 (the mean entropy of p uniform on [0, 1]).
    assert 0.45 < value < 0.56
    assert overall(training.evaluations, "baseline", "log_loss") > 0.68
    champion = world.champion
    assert champion is not None
    assert (training.version.example_count, training.version.last_as_of_date) == (14 * 200, date(2024, 4, 7))
    assert (champion.example_count, champion.last_as_of_date) == (18 * 200, date(2024, 5, 5))
    assert training.split.holdout[0] == date(2024, 4, 21)


def test_the_records_lead_from_a_version_to_its_data_loads_and_code(world: World) -> None:
    training = trained(world)
    (row,) = world.rows(
        "select code_version, load_ids, data_fingerprint, file, file_hash, version from records.model_versions"
    )
    assert row[:3] == ("commit 0", ["load a", "load b"], training.version.data_fingerprint)
    assert hashlib.sha256((world.models / str(row[3])).read_bytes()).hexdigest() == row[4]
    champion = world.champion
    assert champion is not None
    assert (champion.version, champion.parameters) == (training.version.version, training.version.parameters)
    (served,) = world.rows("select file, file_hash, how, reason from records.champions")
    assert served == (champion.file, champion.file_hash, "promoted", training.decision.reason)
    assert hashlib.sha256((world.models / champion.file).read_bytes()).hexdigest() == champion.file_hash


def test_the_same_training_again_is_not_promoted(world: World) -> None:
    trained(world)
    again = trained(world)
    assert (again.version.version, again.decision.is_promoted) == (2, False)
    assert again.decision.champion_value == pytest.approx(again.decision.challenger_value)
    champion = world.champion
    assert champion is not None
    assert champion.version == 1


def test_a_champion_whose_feature_is_gone_gives_way(world: World) -> None:
    trained(world)
    world.change("alter table predictions.will_return drop column amount")
    with pytest.raises(ModelError, match=r"cannot score these examples: it needs 'amount' \(numeric\)"):
        scored(world)
    assert trained(world).decision.is_promoted
    result = scored(world)
    assert result is not None
    assert result.model_version == 2


def test_a_champion_that_has_learned_from_a_key_goes_on_until_a_challenger_is_better(world: World) -> None:
    """Whether a column is a key can change with its values, so the champion's own features decide."""
    world.change("alter table predictions.will_return add member_id bigint")
    world.change("update predictions.will_return set member_id = entity")
    world.declare(acknowledged={"identifier": {"member_id": "It rises with the years of membership."}})
    first = trained(world)
    assert "member_id" in {feature.name for feature in first.version.features}
    world.declare(acknowledged={})
    assert scored(world) is not None
    again = trained(world)
    assert again.left_out == ("member_id",)
    assert "member_id" not in {feature.name for feature in again.version.features}
    assert again.decision.champion_value == pytest.approx(first.decision.challenger_value)
    made = replay(world.warehouse, world.prediction, world.models, 1, PROVENANCE.code_version)
    assert made.is_same


def test_a_champion_trained_for_another_question_gives_way(world: World) -> None:
    trained(world)
    world.declare(task=REGRESSION, metric=REGRESSION.metrics["rmse"])
    training = trained(world)
    assert training.decision.is_promoted
    assert "trained for another task, label or horizon" in training.decision.reason
    world.declare(task=BINARY, metric=BINARY.metrics["log_loss"], horizon_days=7)
    assert "trained for another task, label or horizon" in trained(world).decision.reason


def test_a_champion_is_not_judged_on_a_holdout_that_it_may_have_learned_from(world: World) -> None:
    trained(world)
    world.declare(holdout_dates=5)
    training = trained(world)
    assert not training.decision.is_promoted
    assert "today's holdout begins before its own" in training.decision.reason


def test_an_unseen_group_is_judged_by_a_model_that_never_saw_it(world: World) -> None:
    """What happens where the column has one value is turned around there: only who has seen it can know."""
    world.change(
        """alter table predictions.will_return add column place varchar;
           update predictions.will_return set place = case when entity % 4 = 0 then 'upside down' else 'usual' end;
           update predictions.will_return set outcome = 1 - outcome where place = 'upside down'"""
    )
    world.declare(unseen_groups="place", candidates=(Candidate("lightgbm"),))
    training = trained(world)
    assert "place" not in {feature.name for feature in training.version.features}
    found = {
        (evaluation.candidate, evaluation.group_value): evaluation
        for evaluation in training.evaluations
        if (evaluation.group_column, evaluation.metric) == ("place", "roc_auc")
    }
    elsewhere = found["lightgbm, unseen group", "upside down"]
    assert elsewhere.value is not None
    assert elsewhere.value < 0.3
    assert elsewhere.low is not None
    usual = found["lightgbm, unseen group", "usual"]
    assert (usual.example_count, elsewhere.example_count) == (3 * 150, 3 * 50)


def test_a_sample_takes_whole_entities_and_the_same_ones_again(world: World) -> None:
    everybody = trained(world).version
    world.declare(sample=18 * 200 // 3)
    some = trained(world).version
    assert 0.15 < some.example_count / everybody.example_count < 0.35
    assert some.example_count % 14 == 0
    assert replay(world.warehouse, world.prediction, world.models, some.version, "commit 0").is_same
    result = scored(world)
    assert result is not None
    assert result.row_count == 200


def test_once_time_has_moved_on_the_fit_in_service_is_judged(world: World) -> None:
    """Its file is the refit on all matured examples; the fit from before its own holdout is older, and not needed."""
    first = trained(world).version
    (world.models / first.evaluated_file).unlink()
    world.change(
        """insert into predictions.will_return by name
           select * replace
               (day + 84 as day, (strength + hash(entity + epoch(day)) % 1000 / 1000 > 1)::integer as outcome)
           from predictions.will_return where day >= '2024-03-24'"""
    )
    assert trained(world).decision.champion_value is not None


def test_the_challenger_is_chosen_in_folds_before_the_holdout(world: World) -> None:
    training = trained(world)
    rows = world.rows(
        """select candidate, count(*), max(last_as_of_date), avg(value) from records.validations
           group by candidate order by avg(value)"""
    )
    assert {row[:2] for row in rows} == {("baseline", 2), ("linear", 2), ("lightgbm", 2), ("average", 2)}
    assert all(str(row[2]) == str(training.split.training[-1]) for row in rows)
    assert training.version.chosen_in == "2 folds by time"
    beside = world.rows("select candidate, chosen, effect_low <= 1e-6 from records.choices order by candidate")
    others = {"linear", "lightgbm", "average"} - {training.version.candidate}
    assert beside == [(name, training.version.candidate, True) for name in sorted(others)]


def test_where_time_gives_no_fold_entities_do_and_that_is_told(world: World) -> None:
    """What would be learned from is one as-of date: the first candidate in the list is no choice."""
    world.change("delete from predictions.will_return where day < '2024-04-07'")
    training = trained(world)
    assert training.version.chosen_in == "5 folds by entity"
    assert {row.candidate for row in training.choice.validations} == {"baseline", "linear", "lightgbm", "average"}
    assert "chosen in 5 folds by entity, not on later dates" in training.decision.reason


def test_a_declared_group_stands_on_one_side_of_the_split_and_of_every_fold(world: World) -> None:
    world.declare(group="entity")
    training = trained(world)
    holdout = len(training.holdout_label) / len(training.split.holdout)
    assert 0.1 * 200 < holdout < 0.3 * 200
    validations = training.choice.validations
    assert all(found.example_count < 0.4 * 200 * 4 for found in validations)
    again = trained(world)
    assert (again.version.split_group, again.decision.is_promoted) == ("entity", False)
    assert "champion version 1" in again.decision.reason


def test_a_champion_that_has_learned_from_the_groups_of_the_holdout_gives_way(world: World) -> None:
    trained(world)
    world.declare(group="entity")
    training = trained(world)
    assert training.decision.is_promoted
    assert "learned from values of the group 'entity' that are now the holdout's" in training.decision.reason


def test_a_group_with_too_few_values_is_refused(world: World) -> None:
    world.change("update predictions.will_return set kind = 'a'")
    world.declare(group="kind")
    with pytest.raises(ExamplesError, match="the group 'kind' has 1 values"):
        trained(world)


def test_a_candidate_by_import_path_competes_with_its_parameters(world: World) -> None:
    extra_trees = Candidate(
        "sklearn.ensemble.ExtraTreesClassifier", {"n_estimators": 20}, {"min_samples_leaf": (50, 5)}
    )
    candidates, budget = (Candidate("linear"), extra_trees), SearchBudget(trials=3, seconds=30)
    world.declare(candidates=candidates, with_average=False, budget=budget)
    training = trained(world)
    assert extra_trees.name in {evaluation.candidate for evaluation in training.evaluations}
    tried = [trial.parameters for trial in training.choice.trials if trial.candidate == extra_trees.name]
    assert tried[0] == {"min_samples_leaf": 50}
    assert all(set(parameters) == {"min_samples_leaf"} for parameters in tried)


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        # Scaled by the mean of rows that nobody knows.
        ("fitted_before", r"'own_candidates.fitted_before' arrives with a part .* before: scale \(StandardScaler\)"),
        ("learns_while_it_scores", r"predicts \d+ of \d+ rows differently without the other rows"),
        ("Stubborn", r"not trusted: own_candidates\.Stubborn"),
        ("nothing", r"is no estimator, but a str"),
        ("absent", r"cannot be made: module 'own_candidates' has no attribute 'absent'"),
    ],
)
def test_a_candidate_that_cannot_be_judged_or_kept_is_refused(world: World, candidate: str, words: str) -> None:
    world.declare(candidates=(Candidate(f"own_candidates.{candidate}"),))
    with pytest.raises((ModelError, DeclarationError), match=words):
        trained(world)


def test_a_type_that_the_declaration_trusts_is_saved_and_scores(world: World) -> None:
    world.declare(
        candidates=(Candidate("own_candidates.Stubborn"),),
        trusted_types=("own_candidates.Stubborn",),
    )
    assert trained(world).decision.is_promoted
    assert scored(world) is not None


def test_without_signal_there_is_no_champion_and_nothing_is_scored(world: World) -> None:
    world.change(
        "update predictions.will_return set outcome = hash(entity * 7 + epoch(day)) % 2 where outcome is not null"
    )
    assert not trained(world).decision.is_promoted
    assert scored(world) is None


def test_regression_promotes_and_scores_values(spend: World) -> None:
    spend.change("update predictions.will_return set outcome = 100 * strength where outcome is not null")
    training = trained(spend)
    assert training.decision.is_promoted
    scored(spend)
    ((worst,),) = spend.rows(
        """select max(abs(score - 100 * strength)) from scores.will_return
           inner join predictions.will_return using (entity, day)"""
    )
    assert float(str(worst)) < 5


def test_a_stray_as_of_date_is_refused_and_entities_that_are_not_scored_are_told(world: World) -> None:
    trained(world)
    world.change("insert into predictions.will_return select * replace (date '9999-12-31' as day) "
                 "from predictions.will_return where entity = 7 limit 1")  # fmt: skip
    with pytest.raises(ExamplesError, match=r"newest as-of date, 9999-12-31, has examples of 1 of 200 entities"):
        scored(world)
    world.change("delete from predictions.will_return where day > '2025-01-01'")
    whole = scored(world)
    assert whole is not None
    assert whole.covers_entities
    # A seventh of the entities each day of the week.
    world.change("update predictions.will_return set day = (day - (entity % 7)::integer)::date")
    parted = scored(world)
    assert parted is not None
    assert (parted.row_count, parted.expected_entities, parted.covers_entities) == (29, 200, False)
    assert str(parted).startswith("Only 29 of 200 entities that have lately had an example have one at 2024-05-19")


def test_scores_of_the_latest_as_of_date_are_replaced_and_others_kept(world: World) -> None:
    trained(world)
    world.change("delete from predictions.will_return where day > '2024-05-12'")
    assert scored(world) == Scoring(1, date(2024, 5, 12), 200, 200)
    world.change("insert into predictions.will_return by name select * replace (date '2024-05-19' as day) "
                 "from predictions.will_return where day = '2024-05-12'")  # fmt: skip
    scored(world)
    assert scored(world) == Scoring(1, date(2024, 5, 19), 200, 200)
    assert world.rows(
        """select day, count(*), count(distinct entity), min(score) >= 0 and max(score) <= 1
           from scores.will_return group by day order by day"""
    ) == [(date(2024, 5, 12), 200, 200, True), (date(2024, 5, 19), 200, 200, True)]


def replace_scores(world: World, broken: str) -> None:
    """Replace the scores of the last day with ones that are broken in one way."""
    schema = pa.schema({"entity": pa.int64(), "day": pa.date32(), "score": pa.float64()})

    def score_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
        if broken == "error":
            msg = "out of memory, say"
            raise MemoryError(msg)
        value = float("nan") if broken == "nan" else 0.5
        rows = batch.slice(1) if broken == "missing" else batch
        values = pa.repeat(pa.scalar(value), len(rows))
        return pa.record_batch([rows["entity"], rows["day"], values], schema=schema)

    with world.warehouse.session() as session:
        examples, day = world.prediction.examples, date(2024, 5, 19)
        scoring.replace_scores(session, examples, day, schema, ["entity", "day"], score_batch)


def score_alike(world: World) -> list[tuple[object, ...]]:
    """Write the same score for each example of the last day, and return the entities that have it, and its type."""
    with world.warehouse.session() as session:
        schema = score_schema(
            world.prediction.examples, world.prediction.task, session.columns_of("predictions", "will_return")
        )
        alike = {"score": 0.5, "is_treated": True, "model_version": 1, "scored_at": datetime(2024, 5, 19)}

        def score_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
            given = (field for field in schema if field.name not in {"entity", "day"})
            values = (pa.repeat(pa.scalar(alike.get(field.name), field.type), len(batch)) for field in given)
            return pa.record_batch([batch["entity"], batch["day"], *values], schema=schema)

        create_table(session, world.prediction)
        scoring.replace_scores(
            session, world.prediction.examples, date(2024, 5, 19), schema, ["entity", "day"], score_batch
        )
    return world.rows(
        "select entity, typeof(entity) from scores.will_return where day = '2024-05-19' order by entity limit 3"
    )


# As dbt makes the table, from YAML that says so.
MADE_BY_DBT = """create schema scores;
    create table scores.will_return (entity bigint, day date, score double, model_version integer default 1,
    scored_at timestamp default '2024-01-01', extra varchar)"""


@pytest.mark.parametrize(
    ("entity", "kind"),
    [
        ("lpad(entity::varchar, 6, '0')", "VARCHAR"),
        ("'A' || entity", "VARCHAR"),
        ("entity + 3000000000", "BIGINT"),
        ("entity::hugeint + 9223372036854775808", "HUGEINT"),
        ("entity::integer", "INTEGER"),
        ("(entity + 0.25)::decimal(18,2)", "DECIMAL(18,2)"),
        ("date '2024-01-01' + entity::integer", "DATE"),
        ("md5(entity::varchar)::uuid", "UUID"),
    ],
)
def test_scores_are_of_the_entities_that_the_examples_have(world: World, entity: str, kind: str) -> None:
    world.change(f"create or replace table predictions.will_return as select * replace ({entity} as entity) "
                 "from predictions.will_return")  # fmt: skip
    world.change(MADE_BY_DBT)
    expected = world.rows(
        "select entity, typeof(entity) from predictions.will_return where day = '2024-05-19' order by entity limit 3"
    )
    assert {row[1] for row in expected} == {kind}
    assert score_alike(world) == expected
    assert score_alike(world) == expected


def test_scores_of_before_are_kept_where_their_entities_are_the_same_numbers(world: World) -> None:
    world.change(MADE_BY_DBT.replace("entity bigint", "entity integer"))
    world.change("insert into scores.will_return values (7, '2024-05-12', 0.25, 1, '2024-05-12', 'kept')")
    score_alike(world)
    assert world.rows(
        "select typeof(entity), entity, score, extra from scores.will_return where day < '2024-05-19'"
    ) == [("BIGINT", 7, 0.25, "kept")]


@pytest.mark.parametrize("entity", ["lpad(entity::varchar, 6, '0')", "entity::varchar", "entity::tinyint"])
def test_scores_of_before_whose_entities_would_be_others_are_refused_in_words(world: World, entity: str) -> None:
    world.change(f"create or replace table predictions.will_return as select * replace ({entity} as entity) "
                 "from predictions.will_return where entity < 100")  # fmt: skip
    world.change(MADE_BY_DBT)
    world.change("insert into scores.will_return values (2000, '2024-05-12', 0.25, 1, '2024-05-12', 'kept')")
    with pytest.raises(WarehouseError, match=r"'entity' is bigint in 1 scores of before, and (varchar|tinyint) now"):
        score_alike(world)
    assert world.rows("select entity, extra from scores.will_return") == [(2000, "kept")]


@pytest.mark.parametrize(
    ("broken", "words"),
    [("nan", "200 without a finite value"), ("missing", "199 written for 200 examples"), ("error", "out of memory")],
)
def test_a_write_back_that_is_not_whole_leaves_the_scores_from_before(world: World, broken: str, words: str) -> None:
    replace_scores(world, "")
    before = world.rows("select * from scores.will_return order by entity")
    assert len(before) == 200
    with pytest.raises(Exception, match=words) as caught:
        replace_scores(world, broken)
    assert isinstance(caught.value, WarehouseError) == (broken != "error")
    assert world.rows("select * from scores.will_return order by entity") == before


def test_a_process_killed_while_writing_back_leaves_the_scores_from_before(world: World) -> None:
    replace_scores(world, "")
    before = world.rows("select * from scores.will_return order by entity")
    script = f"""
import sys, time
sys.path[:0] = {sys.path!r}
from datetime import date, datetime
from pathlib import Path
import pyarrow as pa
from ml.serving.scoring import replace_scores
from turnout.engines.duckdb import DuckDB
from worlds import world_in

schema = pa.schema({{"entity": pa.int64(), "day": pa.date32(), "score": pa.float64()}})
def score_batch(batch):
    print("deleted", flush=True)
    time.sleep(60)
examples = world_in(Path({str(world.models.parent)!r}) / "other").prediction.examples
with DuckDB(Path({str(world.warehouse.path)!r})).session() as session:
    replace_scores(session, examples, date(2024, 5, 19), schema, ["entity", "day"], score_batch)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "deleted\n"
        writer.send_signal(signal.SIGKILL)
    assert world.rows("select * from scores.will_return order by entity") == before


def test_a_locked_warehouse_is_waited_for_and_then_told_in_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> list[dict[str, Any]]:
        with world.warehouse.session() as session:
            return session.rows("select 1 as answer")

    script = f"""
import duckdb, sys
connection = duckdb.connect({str(world.warehouse.path)!r})
print("locked", flush=True)
sys.stdin.readline()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        monkeypatch.setattr("turnout.engines.duckdb.LOCK_SECONDS", 1.0)
        with pytest.raises(WarehouseError, match="in use by another process"):
            asked()
        monkeypatch.setattr("turnout.engines.duckdb.LOCK_SECONDS", 30.0)
        started = time.perf_counter()
        subprocess.Popen(["sh", "-c", f"sleep 1; kill -9 {holder.pid}"])
        assert asked() == [{"answer": 1}]
        assert time.perf_counter() - started > 0.5


def test_a_model_file_that_was_changed_is_not_loaded(world: World) -> None:
    trained(world)
    champion = world.champion
    assert champion is not None
    file = world.models / champion.file
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelError, match="has changed"):
        scored(world)
    file.unlink()
    with pytest.raises(ModelError, match="is missing"):
        scored(world)


OLD = f"it was trained with scikit-learn 1.0.0, and scikit-learn {version('scikit-learn')}"


def lost(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    shutil.rmtree(world.models)
    return "its file is missing"


def changed(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    for file in world.models.rglob("*.skops"):
        file.write_bytes(file.read_bytes() + b"!")
    return "its file has changed"


def upgraded(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """As scikit-learn does when a private class has moved."""
    _trained_with(world, "1.0.0")
    monkeypatch.setattr("skops.io.loads", _broken)
    return f"{OLD} cannot load it (AttributeError"


def moved(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """As skops does when a library keeps in its models what it did not keep before."""
    _trained_with(world, "1.0.0")
    before = {file.read_bytes() for file in world.models.rglob("*.skops")}
    monkeypatch.setattr("skops.io.get_untrusted_types", lambda data: ["sklearn.new.Loss"] if data in before else [])
    return f"{OLD} cannot load it (TypeError: it holds types that are not trusted"


def silent(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """As scikit-learn does most often: it is loaded, and an attribute is missing as soon as it predicts."""
    _trained_with(world, "1.0.0")
    monkeypatch.setattr("skops.io.loads", lambda *_, **__: _OldModel())
    return f"{OLD} cannot predict with it (AttributeError"


class _OldModel:
    """What was loaded, and lacks what today's library asks for."""

    def __getattr__(self, name: str) -> object:
        return _broken()


def _broken(*_: object, **__: object) -> object:
    msg = "'SimpleImputer' object has no attribute '_fill_dtype'"
    raise AttributeError(msg)


def _trained_with(world: World, library: str) -> None:
    world.change(
        f"""update records.model_versions
            set libraries = regexp_replace(libraries, '"scikit-learn": "[^"]*"', '"scikit-learn": "{library}"')"""
    )


@pytest.mark.parametrize("broken", [lost, changed, upgraded, moved, silent])
def test_a_champion_that_cannot_be_used_is_told_with_the_remedy_and_gives_way(
    world: World, broken: Callable[[World, pytest.MonkeyPatch], str]
) -> None:
    world.declare(candidates=(Candidate("linear"),))
    trained(world)
    with pytest.MonkeyPatch.context() as monkeypatch:
        problem = broken(world, monkeypatch)
        with pytest.raises(UnusableModelError) as caught:
            scored(world)
        assert f"Champion version 1 of 'will_return' cannot score: {problem}" in str(caught.value)
        assert "remedy: train again" in str(caught.value)
        training = trained(world)
    assert f"champion version 1 is obsolete: {problem}" in training.decision.reason
    result = scored(world)
    assert result is not None
    assert (result.model_version, result.other_libraries) == (2, {})


def test_a_champion_of_other_libraries_that_still_works_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    trained(world)
    _trained_with(world, "1.0.0")
    result = scored(world)
    assert result is not None
    assert result.other_libraries == {"scikit-learn": ("1.0.0", version("scikit-learn"))}
    assert f"was saved with scikit-learn 1.0.0, and is used with scikit-learn {version('scikit-learn')}" in caplog.text


def test_a_model_file_that_would_run_code_is_not_loaded(world: World, tmp_path: Path) -> None:
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    from ml.models.persistence import load, save

    dangerous = FunctionTransformer(subprocess.getoutput)
    with pytest.raises(ModelError, match=r"not trusted.*subprocess\.getoutput"):
        save(dangerous, tmp_path / "model.skops")
    content = skops.io.dumps(dangerous)
    (tmp_path / "model.skops").write_bytes(content)
    with pytest.raises(ModelError, match=r"not trusted.*subprocess\.getoutput"):
        load(tmp_path / "model.skops", hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(
    ("name", "trusted"),
    [("EmptyColumnImputer", ()), ("Recalibrated", ()), ("AsPredicted", ("ml.tasks.estimators.AsPredicted",))],
)
def test_a_model_file_of_the_release_before_is_loaded(name: str, trusted: tuple[str, ...], tmp_path: Path) -> None:
    import skops.io
    from sklearn.linear_model import LogisticRegression

    from ml.models.estimators import EmptyColumnImputer, Recalibrated
    from ml.models.persistence import MOVED, load
    from ml.tasks.estimators import AsPredicted

    values, label = np.array([[np.nan, 1.0], [np.nan, 0.0]] * 20), np.array([1, 0] * 20)
    made = {
        "EmptyColumnImputer": EmptyColumnImputer().fit(values),
        "Recalibrated": Recalibrated(LogisticRegression().fit(values[:, 1:], label), 0.5, 0.1),
        "AsPredicted": AsPredicted().fit(values, label),
    }[name]
    (before,) = (before for before, now in MOVED.items() if now == (type(made).__module__, name))
    renamed = BytesIO()
    with ZipFile(BytesIO(skops.io.dumps(made))) as today, ZipFile(renamed, "w") as archive:
        for member in today.namelist():
            content = today.read(member)
            for now, then in zip((type(made).__module__, name), before, strict=True):
                content = content.replace(f'"{now}"'.encode(), f'"{then}"'.encode())
            archive.writestr(member, content)
    content = renamed.getvalue()
    (tmp_path / "model.skops").write_bytes(content)
    loaded = load(tmp_path / "model.skops", hashlib.sha256(content).hexdigest(), trusted)
    assert type(loaded) is type(made)
    assert loaded.get_params().keys() == made.get_params().keys()
