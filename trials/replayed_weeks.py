"""Real weeks, lived through again: what each policy of promotion would have had in service, and what that cost.

At every as-of date the examples are those of that day: no later as-of date, and no label whose horizon had not passed.
`ml.training.training.train` trains on them, with records and model versions of its own, and decides whether its
challenger is promoted. Every challenger is refitted on all that had matured, as a champion is, so that policies differ
in nothing but in which refit they have in service on which day. What a refit predicts for a later day is judged by what
came true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.declaration import Prediction, SearchBudget
from ml.examples.inspection import inspect
from ml.examples.reading import read_matured
from ml.examples.split import day_of
from ml.judging.comparison import Comparison, compare
from ml.judging.resampling import interval_of, resample
from ml.models import persistence
from ml.models.candidates import BASELINE, Candidate
from ml.training.history import ModelVersion
from ml.training.refit import refit
from ml.training.training import train
from turnout.engines import Warehouse, identifier
from turnout.engines.duckdb import DuckDB
from turnout.project.examples_table import ExamplesTable
from turnout.project.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from ml.tasks.metrics import Vector

# The policies. The last is none that is offered: it tells how much of the newest challenger is its newer examples.
GATE = "the gate"
NEWEST = "always the newest challenger"
FIRST = "never retrain"
REFITTED = "the gate's champion, refitted each week"
POLICIES = (GATE, NEWEST, FIRST, REFITTED)


@dataclass(frozen=True, eq=False)
class Week:
    """What happened on one as-of date.

    Parameters
    ----------
    day : date
        The as-of date.
    version : int
        Of the challenger that was trained on that day.
    candidate : str
        Its candidate.
    is_promoted : bool
        What the gate decided.
    champion : int
        The version that the gate has in service after the decision.
    rows : ndarray of int, shape (n_examples,)
        The positions of the day's examples among all matured ones.
    seconds : float
        What the training took.
    """

    day: date
    version: int
    candidate: str
    is_promoted: bool
    champion: int
    rows: Vector
    seconds: float


@dataclass(frozen=True, eq=False)
class Replay:
    """All weeks of a prediction.

    Parameters
    ----------
    prediction : Prediction
        As it was trained.
    weeks : list of Week
        By time; from the first with a champion to the last whose labels have matured by now.
    examples : DataFrame of shape (n_matured, n_columns)
        All examples whose labels have matured by now, with the labels.
    predicted : mapping of (int or str) to ndarray of shape (n_matured,)
        What the refit of each version predicts, for the days from its own on, nan before; and under `BASELINE` and
        `REFITTED` what these predicted on each day.
    """

    prediction: Prediction
    weeks: list[Week]
    examples: pd.DataFrame
    predicted: Mapping[int | str, Vector]

    def served(self, policy: str) -> Vector:
        """Return what a policy's model in service predicted on each day, of shape (n_matured,); nan on other days."""
        if policy in self.predicted:
            return self.predicted[policy]
        predicted = np.full(len(self.examples), np.nan)
        for week in self.weeks:
            version = {GATE: week.champion, NEWEST: week.version, FIRST: self.weeks[0].champion}[policy]
            predicted[week.rows] = self.predicted[version][week.rows]
        return predicted

    def realised(self, predicted: Vector) -> float:
        """Return the mean over the weeks of the metric that decides."""
        metric, truth = self.prediction.gate.metric, self._truth
        return float(np.mean([metric.value(truth[week.rows], predicted[week.rows]) for week in self.weeks]))

    def difference(self, policy: str, other: str) -> tuple[float, float, float]:
        """Return by how much a policy's realised loss is above another's, and the 95 % interval of that.

        Entities are drawn with replacement, once for both policies and all weeks.
        """
        measure, truth = self.prediction.gate.metric.weighted, self._truth
        both = [self.served(name) for name in (policy, other)]
        used = np.concatenate([week.rows for week in self.weeks])
        place = np.full(len(self.examples), -1)
        place[used] = np.arange(len(used))
        resamples = resample(self.examples[self.prediction.examples.entity].iloc[used])
        weekly = [
            (place[week.rows], [measure(truth[week.rows], served[week.rows]) for served in both]) for week in self.weeks
        ]
        drawn = np.mean([values[0] - values[1] for values in resamples.values_of(weekly)], axis=0)
        low, high = interval_of(drawn, resamples.entity_count) or (float("nan"), float("nan"))
        return self.realised(both[0]) - self.realised(both[1]), low, high

    def changes(self, policy: str) -> list[Comparison]:
        """Return, for each change of the model in service, the new one beside the one that it replaced.

        They are compared over the days from the change until before the next one, on which one was in service and
        the other would have been. The first model replaces none.
        """
        if policy not in {GATE, NEWEST}:
            return []
        versions = [week.champion if policy == GATE else week.version for week in self.weeks]
        starts = [number for number in range(1, len(versions)) if versions[number] != versions[number - 1]]
        ends = [*starts, len(versions)][1:]
        return [
            self._beside(versions[start], versions[start - 1], self.weeks[start:end])
            for start, end in zip(starts, ends, strict=True)
        ]

    def kept_out(self) -> list[Comparison]:
        """Return, for each challenger that the gate kept out, the challenger beside the champion that stayed.

        They are compared over the days from that decision until before the next promotion.
        """
        found = []
        for number, week in enumerate(self.weeks):
            if week.is_promoted:
                continue
            after = [later for later in self.weeks[number:] if later.champion == week.champion]
            found.append(self._beside(week.version, week.champion, after))
        return found

    @property
    def _truth(self) -> Vector:
        truth: Vector = self.examples[self.prediction.examples.label].to_numpy()
        return truth

    def _beside(self, version: int, other: int, weeks: Sequence[Week]) -> Comparison:
        rows = np.concatenate([week.rows for week in weeks])
        entities = self.examples[self.prediction.examples.entity].iloc[rows]
        ours, theirs = (self.predicted[number][rows] for number in (version, other))
        return compare(self.prediction.gate.metric, self._truth[rows], ours, theirs, resample(entities))


def replay(
    warehouse: Warehouse,
    prediction: Prediction,
    folder: Path,
    *,
    every: int = 1,
    tracked: Callable[[Sequence[date]], Iterable[date]] = iter,
) -> Replay:
    """Train on every as-of date on which it is possible, as if it were today.

    Parameters
    ----------
    warehouse : Warehouse
        Holds the examples; it is only read.
    prediction : Prediction
        What is trained. That a person has to approve is passed over.
    folder : Path
        An empty one, for warehouse and model versions of the replay.
    every : int
        Train on every so many as-of dates; the others are passed over.
    tracked : callable
        Takes the days and yields them again; shows how far it is.
    """
    import time

    prediction = replace(prediction, gate=replace(prediction.gate, requires_approval=False))
    declared, task, search = prediction.examples, prediction.task, prediction.search
    with warehouse.session() as session:
        held = inspect(session, prediction)
        examples = read_matured(session, prediction, held.features)
        table = session.table(f"select * from {identifier(declared.schema, declared.table)}")
    days = examples[declared.as_of].map(day_of).to_numpy()
    replayed = DuckDB(folder / "warehouse.duckdb")
    names = [feature.name for feature in held.features]
    weeks: list[Week] = []
    predicted: dict[int | str, Any] = {}
    serving: dict[int | str, Any] = {name: np.full(len(examples), np.nan) for name in (BASELINE, REFITTED)}
    versions: dict[int, ModelVersion] = {}
    champion = None
    for today in tracked(_trainable(prediction, held.as_of_dates, held.matured)[::every]):
        _live_through(replayed, prediction.examples, table, today)
        started = time.perf_counter()
        training = train(replayed, prediction, folder / "models", Provenance("benchmark", ()))
        seconds = time.perf_counter() - started
        version = training.version
        versions[version.version] = version
        if training.decision.is_promoted:
            champion = version.version
        if champion is None:
            continue  # there is nothing in service yet
        with replayed.session() as session:
            matured = read_matured(session, prediction, held.features)
        later, rows = np.flatnonzero(days >= today), np.flatnonzero(days == today)

        def fitted_on_all(made: ModelVersion, rows: Vector, matured: pd.DataFrame = matured) -> Vector:
            again = refit(prediction, made, matured, folder / "refits", "")
            model = persistence.load(folder / "refits" / again.file, again.file_hash, search.trusted_types)
            values = np.full(len(examples), np.nan)
            values[rows] = task.predict(model, examples[names].iloc[rows])
            return values

        predicted[version.version] = fitted_on_all(version, later)
        if champion == version.version:
            serving[REFITTED][rows] = predicted[champion][rows]
        else:
            serving[REFITTED][rows] = fitted_on_all(versions[champion], rows)[rows]
        entity = [declared.entity]
        naive = task.baseline(search.baseline, declared.entity)
        naive.fit(matured[entity], matured[declared.label])
        serving[BASELINE][rows] = task.predict(naive, examples[entity].iloc[rows])
        weeks.append(
            Week(
                today,
                version.version,
                version.candidate,
                training.decision.is_promoted,
                champion,
                rows,
                seconds,
            )
        )
    return Replay(prediction, weeks, examples, {**predicted, **serving})


def quick(prediction: Prediction, candidates: Sequence[str], *, trials: int, seconds: float) -> Prediction:
    """Return a prediction with other candidates and another budget."""
    search = replace(
        prediction.search,
        candidates=tuple(Candidate(name) for name in candidates),
        budget=SearchBudget(trials, seconds),
    )
    return replace(prediction, search=search)


def _trainable(prediction: Prediction, as_of_dates: Sequence[date], matured: Sequence[date]) -> list[date]:
    """Return the days on which examples sufficed for a training, and whose own labels have matured by now."""
    split = prediction.split
    horizon, gap = timedelta(days=prediction.examples.horizon_days), timedelta(days=split.gap_days)
    found = []
    for today in map(day_of, as_of_dates):
        known = [day for day in map(day_of, as_of_dates) if day + horizon <= today]
        holdout = known[-split.holdout_dates :]
        is_enough = len(holdout) == split.holdout_dates and known[0] + gap <= holdout[0]
        if is_enough and today in set(map(day_of, matured)):
            found.append(today)
    return found


def _live_through(warehouse: Warehouse, examples: ExamplesTable, table: pa.Table, today: date) -> None:
    """Put the examples in place as they were known at the end of a day."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = table.filter(pc.less_equal(table[examples.as_of], today))
    label = table[examples.label]
    has_matured = pc.less_equal(table[examples.as_of], today - timedelta(days=examples.horizon_days))
    known = pc.if_else(has_matured, label, pa.scalar(None, label.type))
    table = table.set_column(table.schema.get_field_index(examples.label), examples.label, known)
    with warehouse.session() as session, session.transaction():
        session.create(examples.schema, examples.table, table.schema)
        session.delete(examples.schema, examples.table, {})
        session.append(examples.schema, examples.table, table)
