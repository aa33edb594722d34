"""A small warehouse with one table of examples, where it is known what can be learned."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from ml.declaration import Prediction, ReportedGroups, SearchPlan, SplitPlan
from ml.examples.inspection import Examples, inspect
from ml.examples.reading import read_matured
from ml.judging.gate import Gate
from ml.models.candidates import Candidate
from ml.tasks import BINARY
from ml.tasks.metrics import LOG_LOSS
from ml.training.history import ModelVersion, champion_of
from turnout.engines import Warehouse
from turnout.engines.duckdb import DuckDB
from turnout.project.examples_table import ExamplesTable
from turnout.project.provenance import Provenance
from turnout.records import opened

PROVENANCE = Provenance("commit 0", ("load a", "load b"))

# Twenty weeks of 200 entities. The outcome follows from `strength` and noise; the last two weeks are not matured.
EXAMPLES = """
    create schema if not exists predictions;
    create or replace table predictions.will_return as
    select
        entity::bigint as entity,
        (date '2024-01-07' + (7 * week)::integer) as day,
        strength,
        case when entity % 5 <> 0 then (strength * 100)::decimal(10, 2) end as amount,
        case entity % 3 when 0 then 'a' when 1 then 'b' end as kind,
        entity % 2 = 0 as is_even,
        case when entity % 4 = 0 then 'old' end as age,
        case when week < 18 then (strength + noise > 1)::integer end as outcome
    from (
        select
            entity, week,
            (hash(entity * 31 + week) % 1000) / 1000 as strength,
            (hash(entity * 37 + week + 5) % 1000) / 1000 as noise
        from range(200) as entities(entity) cross join range(20) as weeks(week)
    )
"""


@dataclass
class World:
    """A warehouse, what is declared on it, and where models go."""

    warehouse: Warehouse
    prediction: Prediction
    models: Path
    provenance: Provenance = PROVENANCE

    def declare(self, **attributes: Any) -> None:
        """Declare otherwise; see `redeclared`."""
        self.prediction = redeclared(self.prediction, **attributes)

    def change(self, sql: str) -> None:
        """Change the warehouse, past the seam: in DuckDB's own words."""
        with duckdb.connect(self.warehouse.path) as connection:
            connection.execute(sql)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Query the warehouse, past the seam."""
        with duckdb.connect(self.warehouse.path) as connection:
            return connection.execute(sql).fetchall()

    @property
    def champion(self) -> ModelVersion | None:
        """The champion with the fit in service."""
        with opened(self.warehouse) as session:
            return champion_of(session, self.prediction.name)

    @property
    def held(self) -> Examples:
        """What the examples hold."""
        with self.warehouse.session() as session:
            return inspect(session, self.prediction)

    @property
    def matured(self) -> pd.DataFrame:
        """The examples to learn from."""
        features = self.held.features
        with self.warehouse.session() as session:
            return read_matured(session, self.prediction, features)


def redeclared(prediction: Prediction, **attributes: Any) -> Prediction:
    """A prediction with another task, or other attributes of its parts, each of which only one part has."""
    for one in fields(prediction):
        part = getattr(prediction, one.name)
        own = {key: value for key, value in attributes.items() if is_dataclass(part) and hasattr(part, key)}
        if own:
            prediction = replace(prediction, **{one.name: replace(part, **own)})
            attributes = {key: value for key, value in attributes.items() if key not in own}
    return replace(prediction, **attributes)


def world_in(folder: Path) -> World:
    """Make a world with `EXAMPLES`."""
    prediction = Prediction(
        examples=ExamplesTable(
            name="will_return",
            unique_id="model.turnout.will_return",
            schema="predictions",
            table="will_return",
            file="models/predictions/will_return.yml",
            entity="entity",
            as_of="day",
            label="outcome",
            horizon_days=14,
        ),
        task=BINARY,
        groups=ReportedGroups(sensitive=("age",)),
        split=SplitPlan(gap_days=14, holdout_dates=3),
        search=SearchPlan(
            candidates=(Candidate("linear"), Candidate("lightgbm")),
        ),
        gate=Gate(metric=LOG_LOSS),
    )
    folder.mkdir(parents=True, exist_ok=True)
    made = World(DuckDB(folder / "warehouse.duckdb"), prediction, folder / "models")
    made.change(EXAMPLES)
    return made
