"""How much do streaming and atomic write-back cost, beside the model alone?

Scores a generated table three ways, each in a process of its own, in the same run:

- `limit`: the model alone on batches that are in memory already, nothing read or written;
- `rival`: the whole table into one pandas frame, predict, the whole frame back into a new table;
- `turnout`: `ml.scoring.score`, as the pipeline does it.

Prints seconds and peak memory, and their ratios to the limit and the rival.
Run it with `.venv/bin/python -m benchmarks.scoring [rows]`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ml.candidates import predict
from ml.declaration import Prediction
from ml.examples import feature_frame, inspect
from ml.persistence import load
from ml.records import Provenance, champion_of
from ml.scoring import score
from ml.training import train
from ml.warehouse import BATCH_ROWS, Warehouse

FEATURES = 20
MATURED_ROWS = 40_000

PREDICTION = Prediction(
    name="benchmark",
    unique_id="model.turnout.benchmark",
    schema="predictions",
    table="benchmark",
    file="benchmark.yml",
    description="",
    task="binary",
    entity="entity",
    as_of="day",
    label="outcome",
    horizon_days=7,
    metric="log_loss",
    sensitive=(),
    retrain=None,
    gap_days=7,
    holdout_dates=1,
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
    warehouse = Warehouse(folder / "warehouse.duckdb")
    with warehouse.connect() as connection:
        connection.execute(generate)
    train(warehouse, PREDICTION, folder / "models", Provenance("benchmark", ()))


def limit(folder: Path) -> float:
    """Return the seconds of the model alone."""
    warehouse = Warehouse(folder / "warehouse.duckdb")
    champion = champion_of(warehouse, PREDICTION.name)
    assert champion is not None
    pipeline = load(folder / "models" / champion.file, champion.file_hash)
    last = inspect(warehouse, PREDICTION).as_of_dates[-1]
    table = warehouse.query("select * from predictions.benchmark where day = ?", (last,))
    frames = [feature_frame(batch, champion.features) for batch in table.to_batches(BATCH_ROWS)]
    started = time.perf_counter()
    for frame in frames:
        predict(pipeline, PREDICTION.task, frame)
    return time.perf_counter() - started


def rival(folder: Path) -> float:
    """Return the seconds of pandas, all at once."""
    started = time.perf_counter()
    warehouse = Warehouse(folder / "warehouse.duckdb")
    champion = champion_of(warehouse, PREDICTION.name)
    assert champion is not None
    pipeline = load(folder / "models" / champion.file, champion.file_hash)
    with warehouse.connect() as connection:
        frame = connection.sql("select * from predictions.benchmark where outcome is null").df()
        frame["score"] = pipeline.predict_proba(frame[[feature.name for feature in champion.features]])[:, 1]
        connection.register("scored", frame[["entity", "day", "score"]])
        connection.execute("create or replace table rival as select * from scored")
    return time.perf_counter() - started


def turnout(folder: Path) -> float:
    """Return the seconds of the pipeline's own way."""
    started = time.perf_counter()
    score(Warehouse(folder / "warehouse.duckdb"), PREDICTION, folder / "models")
    return time.perf_counter() - started


def main() -> None:
    """Run the three ways and print the table; with a way's name, run that one and print its figures."""
    ways = {"limit": limit, "rival": rival, "turnout": turnout}
    if sys.argv[1:2] and sys.argv[1] in ways:
        seconds = ways[sys.argv[1]](Path(sys.argv[2]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(json.dumps({"seconds": seconds, "mebibytes": peak}))
        return
    rows = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), rows)
        command = [sys.executable, "-m", "benchmarks.scoring"]
        figures = {
            way: json.loads(subprocess.run([*command, way, folder], stdout=subprocess.PIPE, check=True).stdout)
            for way in ways
        }
    table = Table(title=f"{rows:,} rows, {FEATURES} features")
    for heading in ("way", "seconds", "to limit", "to rival", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for way, figure in figures.items():
        seconds = figure["seconds"]
        ratios = (seconds / figures[other]["seconds"] for other in ("limit", "rival"))
        table.add_row(way, f"{seconds:.2f}", *(f"{ratio:.2f}" for ratio in ratios), f"{figure['mebibytes']:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
