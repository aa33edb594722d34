"""MLflow mirrors the records: completely, once, and in nobody's way."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from worlds import PROVENANCE, World, world_in

from ml.examples.reading import feature_frame
from ml.models.candidates import FAMILIES, Candidate
from ml.models.feature import Feature
from ml.report import card
from ml.tasks import BINARY
from ml.tracking.environment import prepare_environment
from ml.tracking.tracking import Tracking, track
from ml.training.training import train
from orchestration.commands import error_in_words
from turnout.engines.duckdb import DuckDB

if TYPE_CHECKING:
    from mlflow import MlflowClient

ROOT = Path(__file__).resolve().parent.parent.parent

# What a search leaves.
SEARCHED = """
    update records.model_versions set parameters = '{"estimator__learning_rate": 0.05}';
    delete from records.trials;
    insert into records.trials by name
    select
        'will_return' as prediction, 1 as version, i as trial, 'linear' as candidate, 'complete' as state,
        '{"estimator__C": ' || i || '}' as parameters, abs(i - 3) as value, 3 as folds, 0.1 as seconds
    from range(6) as trials(i);
    insert into records.training_steps select 'will_return', 1, 'linear', 2.5;
"""


@pytest.fixture(scope="module")
def trained_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two versions, of which the first is champion; only that one has a card and plots."""
    world = world_in(tmp_path_factory.mktemp("trained"))
    train(
        world.warehouse,
        world.prediction,
        world.models,
        PROVENANCE,
        report=lambda made: card.write(made, world.models / "will_return" / "1"),
    )
    train(world.warehouse, world.prediction, world.models, PROVENANCE)
    world.change(SEARCHED)
    return world


def copy_of(world: World, folder: Path) -> World:
    shutil.copyfile(world.warehouse.path, folder / "warehouse.duckdb")
    shutil.copytree(world.models, folder / "models")
    return replace(world, warehouse=DuckDB(folder / "warehouse.duckdb"), models=folder / "models")


@pytest.fixture
def world(trained_world: World, tmp_path: Path) -> World:
    """The same, of a test's own."""
    return copy_of(trained_world, tmp_path)


@pytest.fixture(scope="module")
def shown(trained_world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The same, and MLflow knows it; for tests that leave it as it is."""
    world = copy_of(trained_world, tmp_path_factory.mktemp("shown"))
    assert not tracked(world).problems
    return world


def uri(world: World) -> str:
    return f"sqlite:///{world.models.parent / 'mlflow' / 'mlflow.db'}"


def tracked(world: World, at: str | None = None, *, ask: bool = False) -> Tracking:
    artifacts = world.models.parent / "mlflow" / "artifacts" if at is None else None
    return track(world.warehouse, [world.prediction], world.models, at or uri(world), artifacts=artifacts, ask=ask)


def client(at: str) -> MlflowClient:
    prepare_environment()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=at)


def runs(at: str, name: str) -> list[Any]:
    """The runs of a name, the oldest first."""
    mlflow = client(at)
    experiment = mlflow.get_experiment_by_name("will_return")
    assert experiment is not None
    found = mlflow.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
    return [run for run in found if run.info.run_name == name or name == "all"]


def aliases(at: str) -> dict[str, tuple[str, str]]:
    """Each alias with the tags of its version: our version, and the hash of the file."""
    mlflow = client(at)
    found = mlflow.get_registered_model("will_return").aliases
    tags = {alias: mlflow.get_model_version("will_return", str(number)).tags for alias, number in found.items()}
    return {alias: (tag["turnout.version"], tag["turnout.file_hash"]) for alias, tag in tags.items()}


def registered(at: str) -> list[tuple[str, str]]:
    found = client(at).search_model_versions("name = 'will_return'")
    return sorted((version.tags["turnout.version"], version.tags["turnout.fit"]) for version in found)


def rows(world: World, sql: str) -> list[dict[str, Any]]:
    with world.warehouse.session() as session:
        return session.rows(sql)


def in_service(world: World, version: int, file: str) -> str:
    """Let a fit of a version be champion from now on, as an approval or a roll-back does, and return its hash."""
    file_hash = hashlib.sha256((world.models / file).read_bytes()).hexdigest()
    world.change(
        f"""insert into records.champions by name
            select prediction, version, now()::timestamp as since, 'approved' as how, 'the one on duty' as name,
                'It may.' as reason, '{file}' as file, '{file_hash}' as file_hash, first_as_of_date, last_as_of_date,
                example_count, data_fingerprint, (select max(number) + 1 from records.champions) as number
            from records.model_versions where version = {version}"""
    )
    return file_hash


def test_a_version_is_one_run_with_one_below_it_for_each_candidate(shown: World) -> None:
    (run,) = runs(uri(shown), "version 1")
    version = rows(shown, "select * from records.model_versions where version = 1")[0]
    decision = rows(shown, "select * from records.promotions where version = 1")[0]
    assert run.data.tags.items() >= {
        ("turnout.data_fingerprint", version["data_fingerprint"]),
        ("turnout.loads", "load a, load b"),
        ("turnout.code_version", "commit 0"),
        ("turnout.outcome", "promoted"),
        ("turnout.reason", decision["reason"]),
    }
    below = [found for found in runs(uri(shown), "all") if found.data.tags.get("mlflow.parentRunId") == run.info.run_id]
    measured = {
        (row["candidate"], row["metric"]): pytest.approx(row["value"])
        for row in rows(shown, "select * from records.evaluations where version = 1 and group_column = ''")
    }
    assert {
        (child.data.params["candidate"], name): value
        for child in below
        for name, value in child.data.metrics.items()
        if "/" not in name and name != "seconds"
    } == measured
    (linear,) = [child for child in below if child.info.run_name == "linear, version 1"]
    folds = client(uri(shown)).get_metric_history(linear.info.run_id, "folds/log_loss")
    assert [(fold.step, fold.value) for fold in folds] == [
        (row["fold"], pytest.approx(row["value"]))
        for row in rows(
            shown, "select * from records.validations where version = 1 and candidate = 'linear' order by fold"
        )
    ]


def test_a_run_carries_what_there_is_of_its_version(shown: World) -> None:
    files = []
    for name in ("version 1", "version 2"):
        (run,) = runs(uri(shown), name)
        folder = Path(run.info.artifact_uri.removeprefix("file://"))
        files.append({str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()})
    first = {"card.md", "card.html", "plots/calibration.png"}
    assert files[0] >= {*first, "record.json", "records/evaluations.csv", "records/folds.csv", "records/trials.csv"}
    assert files[1] >= {"record.json", "records/evaluations.csv", "records/folds.csv"}
    assert not files[1] & first


def test_the_aliases_name_the_fits_in_place_and_follow_them(world: World) -> None:
    tracked(world)
    of = {row["version"]: row["file_hash"] for row in rows(world, "select * from records.model_versions")}
    of |= {row["version"]: row["file_hash"] for row in rows(world, "select * from records.champions")}
    assert aliases(uri(world)) == {"champion": ("1", of[1]), "challenger": ("2", of[2])}
    assert registered(uri(world)) == [("1", "refitted"), ("2", "evaluated")]
    # A person approves version 2, which is refitted then; later the first comes back, as it was.
    shutil.copyfile(world.models / "will_return/1/refitted.skops", world.models / "will_return/2/refitted.skops")
    approved = in_service(world, 2, "will_return/2/refitted.skops")
    assert tracked(world).aliased == ["will_return"]
    assert aliases(uri(world)) == {"champion": ("2", approved)}, "nothing newer challenges it"
    in_service(world, 1, "will_return/1/refitted.skops")
    tracked(world)
    assert aliases(uri(world)) == {"champion": ("1", of[1]), "challenger": ("2", approved)}
    assert registered(uri(world)) == [("1", "refitted"), ("2", "evaluated"), ("2", "refitted")]


def test_a_data_scientist_loads_the_champion_from_mlflow(world: World) -> None:
    """Whichever candidate it is, it is the very file that scores."""
    import mlflow.sklearn

    from ml.models.persistence import save

    kinds = json.loads(rows(world, "select features from records.model_versions")[0]["features"])
    features = [Feature(name, kind) for name, kind in kinds.items()]
    with world.warehouse.session() as session:
        examples = session.table("select * from predictions.will_return where outcome is not null")
    frame, label = (
        feature_frame(examples.combine_chunks().to_batches()[0], features, "day"),
        examples["outcome"].to_pandas(),
    )
    mlflow.set_tracking_uri(uri(world))
    try:
        for name in FAMILIES:
            candidate = Candidate(name)
            pipeline = candidate.pipeline(BINARY, features, candidate.defaults)
            file = f"will_return/2/{name}.skops"
            save(pipeline.fit(frame, label), world.models / file)
            in_service(world, 2, file)
            assert not tracked(world).problems
            expected = BINARY.predict(pipeline, frame).tolist()
            loaded = mlflow.sklearn.load_model("models:/will_return@champion")
            assert BINARY.predict(loaded, frame).tolist() == expected
            assert mlflow.pyfunc.load_model("models:/will_return@champion").predict(frame)[:, 1].tolist() == expected
    finally:
        mlflow.set_tracking_uri(None)


def test_where_nothing_is_new_mlflow_is_not_even_imported(shown: World) -> None:
    script = f"""
import sys
from pathlib import Path
from types import SimpleNamespace
from ml.tracking.tracking import track
from turnout.engines.duckdb import DuckDB

prediction = SimpleNamespace(name="will_return")
done = track(DuckDB(Path({str(shown.warehouse.path)!r})), [prediction], Path({str(shown.models)!r}), {uri(shown)!r})
assert not (done.sent or done.problems or done.waiting), done
assert "mlflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_killed_before_it_is_recorded_it_comes_to_the_same(shown: World) -> None:
    """The record of what was sent is gone; in MLflow everything is there already."""
    before = {run.info.run_id for run in runs(uri(shown), "all")}, registered(uri(shown))
    shown.change("delete from records.tracked_versions; delete from records.tracked_aliases")
    done = tracked(shown)
    assert ([run.version for run in done.sent], done.aliased, done.waiting) == ([1, 2], ["will_return"], 0)
    assert ({run.info.run_id for run in runs(uri(shown), "all")}, registered(uri(shown))) == before
    # The store itself may be removed: it is made from the records.
    shutil.rmtree(shown.models.parent / "mlflow")
    assert [run.version for run in tracked(shown).sent] == [1, 2]
    assert registered(uri(shown)) == before[1]


def test_the_warehouse_is_opened_three_times_however_many_versions_are_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, session = [], DuckDB.session

    def counted(warehouse: DuckDB, *arguments: Any, **named: Any) -> Any:
        opened.append(warehouse)
        return session(warehouse, *arguments, **named)

    monkeypatch.setattr(DuckDB, "session", counted)
    assert len(tracked(world).sent) == 2
    assert len(opened) == 3


def test_a_fit_whose_file_has_changed_is_not_registered(world: World) -> None:
    (world.models / "will_return/2/evaluated.skops").write_bytes(b"!")
    done = tracked(world)
    assert "Version 2 of 'will_return' is not registered in MLflow: its file" in str(done.problems[0])
    assert len(done.sent) == 2
    assert set(aliases(uri(world))) == {"champion"}


def test_a_server_that_is_down_is_told_in_words_and_gets_the_runs_later(world: World, tmp_path: Path) -> None:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    at = f"http://ann:secret@127.0.0.1:{port}"
    client(at)  # imports MLflow, which is not what is timed
    started = time.perf_counter()
    done = tracked(world, at)
    assert time.perf_counter() - started < 10
    (problem,) = done.problems
    assert str(problem).startswith("MLflow cannot be reached ([Errno")
    assert "sent with the next run or 'make leaderboard'" in error_in_words(problem)
    assert "secret" not in str(problem)
    assert (done.sent, done.waiting) == ([], 2)

    with server(tmp_path, port):
        done = tracked(world, at)
        assert (len(done.sent), done.problems, done.waiting) == (2, [], 0)
        assert set(aliases(at)) == {"champion", "challenger"}
        # Also when the server loses all it had.
        client(at).rename_experiment(runs(at, "version 1")[0].info.experiment_id, "another")
        assert not tracked(world, at).sent
        assert len(tracked(world, at, ask=True).sent) == 2
    assert {row["tracking_uri"] for row in rows(world, "select * from records.tracked_versions")} == {
        f"http://127.0.0.1:{port}"
    }


class server:  # noqa: N801 - used like a function
    """A server of MLflow's own, on loopback, that ends with the block."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers",
                   "1", "--backend-store-uri", f"sqlite:///{folder / 'server.db'}",
                   "--artifacts-destination", str(folder / "server")]  # fmt: skip
        prepare_environment()
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        # A group of its own: the server starts another process, which has to end with it.
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def __enter__(self) -> None:
        for _ in range(240):
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/health"):
                    return
            except OSError:
                time.sleep(0.25)
        self.__exit__()
        pytest.fail("the server did not start")

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=30)


def test_importing_the_package_imports_no_heavy_library() -> None:
    script = """
import importlib, pkgutil, sys
import ml, orchestration.definitions
for module in pkgutil.iter_modules(ml.__path__):
    if module.name not in {"encoding", "estimators"}:  # made of scikit-learn, and themselves imported late
        importlib.import_module(f"ml.{module.name}")
heavy = "duckdb lightgbm matplotlib mlflow optuna pandas pyarrow scipy shap skops sklearn xgboost"
assert not set(heavy.split()) & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
