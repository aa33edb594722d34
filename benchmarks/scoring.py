"""How much do streaming and atomic write-back cost, beside the model alone? And how much do reasons?

Scores a generated table three ways, each in a process of its own, in the same run:

- `limit`: the model alone on batches that are in memory already, nothing read or written;
- `rival`: the whole table into one pandas frame, predict, the whole frame back into a new table;
- `turnout`: `ml.serving.scoring.score`, as the pipeline does it, but without reasons.

Prints seconds and peak memory, and their ratios to the limit and the rival. Then it scores a quarter of the rows with
a model of each family, without and with reasons, and prints what a million rows cost, and the ratio.
Run it with `.venv/bin/python -m benchmarks.scoring [rows]`.
"""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

from rich.console import Console
from rich.table import Table

from ml.declaration import Prediction, SearchBudget, SearchPlan, Serving, SplitPlan
from ml.examples.inspection import inspect
from ml.examples.reading import feature_frame, read_matured
from ml.judging.gate import Gate
from ml.models.candidates import FAMILIES, Candidate
from ml.models.persistence import load, save
from ml.serving.scoring import score
from ml.tasks import BINARY
from ml.tasks.metrics import LOG_LOSS
from ml.training.history import champion_of
from ml.training.training import train
from turnout.engines.duckdb import BATCH_ROWS, DuckDB
from turnout.project.examples_table import ExamplesTable
from turnout.project.provenance import Provenance

FEATURES = 20
MATURED_ROWS = 40_000

PREDICTION = Prediction(
    examples=ExamplesTable(
        name="benchmark",
        unique_id="model.turnout.benchmark",
        schema="predictions",
        table="benchmark",
        file="benchmark.yml",
        entity="entity",
        as_of="day",
        label="outcome",
        horizon_days=7,
    ),
    task=BINARY,
    split=SplitPlan(gap_days=7, holdout_dates=1),
    search=SearchPlan(candidates=(Candidate("hist_gradient_boosting"),), budget=SearchBudget(trials=0)),
    gate=Gate(metric=LOG_LOSS),
    serving=Serving(reasons=False),
)


def prepare(folder: Path, rows: int) -> None:
    """Generate eight small matured as-of dates and one of `rows` rows to score, and train a champion."""
    columns = ", ".join(
        f"hash(entity * {seed} + week) % 1000 / 1000 as feature_{seed}" for seed in range(1, FEATURES + 1)
    )
    generate = f"""
        create schema predictions;
        create table predictions.benchmark as
        select entity, date '2024-01-07' + (7 * week)::integer as day, {columns},
            case
                when week < 8
                    then (hash(entity + week) % 1000 + hash(entity * 2 + week) % 1000 > 1000)::integer
            end as outcome
        from range({rows}) as entities(entity) cross join range(9) as weeks(week)
        where week = 8 or entity < {MATURED_ROWS // 8}"""
    import duckdb

    warehouse = DuckDB(folder / "warehouse.duckdb")
    with duckdb.connect(warehouse.path) as connection:
        connection.execute(generate)
    train(warehouse, PREDICTION, folder / "models", Provenance("benchmark", ()))
    with warehouse.session() as session:
        features = inspect(session, PREDICTION).features
        matured = read_matured(session, PREDICTION, features)
    for family in FAMILIES:
        candidate = Candidate(family)
        fitted = candidate.pipeline(PREDICTION.task, features, candidate.defaults).fit(
            matured[[feature.name for feature in features]], matured[PREDICTION.examples.label]
        )
        save(fitted, folder / f"{family}.skops")


def limit(folder: Path) -> float:
    """Return the seconds of the model alone."""
    warehouse = DuckDB(folder / "warehouse.duckdb")
    with warehouse.session() as session:
        champion = champion_of(session, PREDICTION.name)
        assert champion is not None
        pipeline = load(folder / "models" / champion.file, champion.file_hash)
        last = inspect(session, PREDICTION).as_of_dates[-1]
        table = session.table("select * from predictions.benchmark where day = ?", (last,))
    frames = [
        feature_frame(batch, champion.features, PREDICTION.examples.as_of) for batch in table.to_batches(BATCH_ROWS)
    ]
    started = time.perf_counter()
    for frame in frames:
        PREDICTION.task.predict(pipeline, frame)
    return time.perf_counter() - started


def rival(folder: Path) -> float:
    """Return the seconds of pandas, all at once."""
    import duckdb

    started = time.perf_counter()
    warehouse = DuckDB(folder / "warehouse.duckdb")
    with warehouse.session() as session:
        champion = champion_of(session, PREDICTION.name)
    assert champion is not None
    pipeline = load(folder / "models" / champion.file, champion.file_hash)
    with duckdb.connect(warehouse.path) as connection:
        frame = connection.sql("select * from predictions.benchmark where outcome is null").df()
        frame["score"] = pipeline.predict_proba(frame[[feature.name for feature in champion.features]])[:, 1]
        connection.register("scored", frame[["entity", "day", "score"]])
        connection.execute("create or replace table rival as select * from scored")
    return time.perf_counter() - started


def turnout(folder: Path) -> float:
    """Return the seconds of the pipeline's own way."""
    started = time.perf_counter()
    score(DuckDB(folder / "warehouse.duckdb"), PREDICTION, folder / "models")
    return time.perf_counter() - started


def reasons(folder: Path, family: str, *, wanted: bool) -> float:
    """Return the seconds of the pipeline's own way with a model of a family in the champion's place."""
    file = folder / f"{family}.skops"
    fitted = load(file, hashlib.sha256(file.read_bytes()).hexdigest())
    with mock.patch("ml.serving.scoring.persistence.load", return_value=fitted):
        started = time.perf_counter()
        score(
            DuckDB(folder / "warehouse.duckdb"), replace(PREDICTION, serving=Serving(reasons=wanted)), folder / "models"
        )
        return time.perf_counter() - started


def main() -> None:
    """Run all ways and print the tables; with a step's name, run that one and print its figures."""
    ways = {"limit": limit, "rival": rival, "turnout": turnout}
    if sys.argv[1:2] == ["prepare"]:
        prepare(Path(sys.argv[2]), int(sys.argv[3]))
        return
    if sys.argv[1:2] and not sys.argv[1].isdigit():
        way = sys.argv[1]
        if way in ways:
            seconds = ways[way](Path(sys.argv[2]))
        else:
            family, how = way.split(":")
            seconds = reasons(Path(sys.argv[2]), family, wanted=how == "with")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(json.dumps({"seconds": seconds, "mebibytes": peak}))
        return
    rows = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        # Here, it would count as memory of the processes started afterwards.
        subprocess.run([sys.executable, "-m", "benchmarks.scoring", "prepare", folder, str(rows)], check=True)
        figures = {way: figures_of(way, folder) for way in ways}
    table = Table(title=f"{rows:,} rows, {FEATURES} features")
    for heading in ("way", "seconds", "to limit", "to rival", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for way, figure in figures.items():
        seconds = figure["seconds"]
        ratios = (seconds / figures[other]["seconds"] for other in ("limit", "rival"))
        table.add_row(way, f"{seconds:.2f}", *(f"{ratio:.2f}" for ratio in ratios), f"{figure['mebibytes']:.0f}")
    Console().print(table)

    rows //= 4
    table = Table(title=f"Reasons: {rows:,} rows, {FEATURES} features")
    for heading in ("family", "s per million", "with reasons", "ratio", "peak MiB", "with reasons"):
        table.add_column(heading, justify="left" if heading == "family" else "right")
    with tempfile.TemporaryDirectory() as folder:
        # Here, it would count as memory of the processes started afterwards.
        subprocess.run([sys.executable, "-m", "benchmarks.scoring", "prepare", folder, str(rows)], check=True)
        for family in FAMILIES:
            without, reasoned = (figures_of(f"{family}:{how}", folder) for how in ("without", "with"))
            table.add_row(
                family,
                *(f"{figure['seconds'] * 1e6 / rows:.1f}" for figure in (without, reasoned)),
                f"{reasoned['seconds'] / without['seconds']:.1f}",
                *(f"{figure['mebibytes']:.0f}" for figure in (without, reasoned)),
            )
    Console().print(table)


def figures_of(way: str, folder: str) -> dict[str, float]:
    """Return the seconds and the peak memory, in MiB, of a way in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scoring", way, folder]
    figures: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return figures


if __name__ == "__main__":
    main()
