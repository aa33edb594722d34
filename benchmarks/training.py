"""What does a training cost, does its search keep to its budget, and what does all of it reach?

Each declared prediction of the grocery data is trained as `make run` trains it, but with a search, and
in the same run beside a rival: scikit-learn's `RandomizedSearchCV`, which draws from the same ranges of the same
candidates, in the same folds, as many fits as the search made. Both winners are fitted on the same training examples,
and judged on the same holdout.

Prints what the training cost in all and per candidate; what each candidate reaches on the holdout beside the baseline,
with 95 % intervals by resampling entities; how the rival did; and for several budgets how much of it a search used.
Run it with `.venv/bin/python -m benchmarks.training`, after `make run`. It takes about five minutes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.base import BaseEstimator
from sklearn.model_selection import RandomizedSearchCV

from benchmarks.grocery import grocery
from ml.declaration import Prediction, SearchBudget
from ml.examples.inspection import inspect
from ml.examples.reading import read_matured
from ml.examples.split import divide
from ml.judging.comparison import Comparison, compare
from ml.judging.resampling import resample
from ml.models.candidates import BASELINE, Candidate, Parameters, Range, fit
from ml.models.feature import Feature
from ml.tasks import Task
from ml.tasks.estimator_settings import SEED
from ml.tasks.metrics import Predicted
from ml.training.choice import choose
from ml.training.folds import Folds, folds_in
from ml.training.result import Training
from ml.training.training import train
from turnout.engines import Warehouse
from turnout.errors import TurnoutError
from turnout.project.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd

# Seconds of search, beside the declared ones, for which it is asked how many were used.
BUDGETS = (5.0, 10.0, 40.0)
# More than any of the budgets has time for.
MANY_TRIALS = 10_000


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a search and its rival work with: features, folds of the training dates, and both sides of the split."""

    features: tuple[Feature, ...]
    folds: Folds
    training: pd.DataFrame
    holdout: pd.DataFrame


class Configured(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Any configuration of any candidate, as one estimator that scikit-learn's searches can set.

    Parameters
    ----------
    task : Task
        What is learned.
    features : tuple of Feature
        What it learns from.
    configuration : (Candidate, mapping)
        The candidate and the parameters that are searched.
    """

    def __init__(
        self,
        task: Task,
        features: tuple[Feature, ...],
        configuration: tuple[Candidate, Parameters] | None = None,
    ) -> None:
        self.task, self.features, self.configuration = task, features, configuration

    def fit(self, examples: pd.DataFrame, label: pd.Series[float]) -> Self:
        """Fit the candidate's Pipeline."""
        assert self.configuration is not None
        candidate, parameters = self.configuration
        self.pipeline_ = fit(candidate, candidate.pipeline(self.task, self.features, parameters), examples, label)
        return self

    def predicted(self, examples: pd.DataFrame) -> Predicted:
        """Return what is predicted, of the task's shape."""
        return self.task.predict(self.pipeline_, examples)


class Configurations:
    """All that a search may choose from, to draw at random from: what RandomizedSearchCV calls a distribution."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = candidates

    def rvs(self, random_state: np.random.RandomState) -> tuple[Candidate, Parameters]:
        """Draw a candidate, and its parameters."""
        candidate = self._candidates[random_state.randint(len(self._candidates))]
        return candidate, {name: _drawn(values, random_state) for name, values in candidate.space.items()}


@dataclass(frozen=True)
class Rival:
    """What RandomizedSearchCV found.

    Parameters
    ----------
    candidate : str
        The best one's candidate.
    configurations : int
        How many it tried.
    seconds : float
        What that took.
    in_folds : float
        The metric's mean over the folds, of the best.
    comparison : Comparison
        The engine's challenger beside it, on the holdout.
    """

    candidate: str
    configurations: int
    seconds: float
    in_folds: float
    comparison: Comparison


def material(warehouse: Warehouse, prediction: Prediction, training: Training) -> TrainingData:
    """Return what a training worked with."""
    with warehouse.session() as session:
        features = inspect(session, prediction).features
        matured = read_matured(session, prediction, features)
    learned, holdout = divide(matured, prediction.examples.as_of, training.split)
    return TrainingData(features, folds_in(prediction, training.split, learned, None), learned, holdout)


def rival(prediction: Prediction, at_hand: TrainingData, training: Training) -> Rival:
    """Search as long as the engine has, in fits, by drawing at random; and judge both on the holdout."""
    names = [feature.name for feature in at_hand.features]
    metric = prediction.gate.metric
    sign = 1.0 if metric.greater_is_better else -1.0
    places = [
        tuple(at_hand.training.index.get_indexer(part.index) for part in (fold.learned, fold.judged))
        for fold in at_hand.folds
    ]
    count = max(1, round(sum(trial.folds for trial in training.choice.trials) / len(places)))
    search = RandomizedSearchCV(
        Configured(prediction.task, at_hand.features),
        {"configuration": Configurations(prediction.search.candidates)},
        n_iter=count,
        cv=places,
        scoring=lambda fitted, examples, label: sign * metric.value(label.to_numpy(), fitted.predicted(examples)),
        random_state=SEED,
    )
    started = time.perf_counter()
    search.fit(at_hand.training[names], at_hand.training[prediction.examples.label])
    seconds = time.perf_counter() - started - search.refit_time_
    comparison = compare(
        metric,
        training.holdout_label,
        training.holdout_predicted,
        search.best_estimator_.predicted(at_hand.holdout[names]),
        resample(at_hand.holdout[prediction.examples.entity]),
    )
    return Rival(search.best_params_["configuration"][0].name, count, seconds, sign * search.best_score_, comparison)


def used(prediction: Prediction, at_hand: TrainingData, seconds: float) -> tuple[int, float]:
    """Return how many trials a search with a budget made beyond the defaults, and how many seconds that took."""
    search = replace(prediction.search, budget=SearchBudget(MANY_TRIALS, seconds))
    budgeted = replace(prediction, search=search)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        journal = Path(folder) / "search.journal"
        choice = choose(budgeted, at_hand.features, at_hand.folds, journal, version=1, earlier={})
        taken = time.perf_counter() - started
    defaults = choice.trials[: len(prediction.search.candidates)]
    return len(choice.trials) - len(defaults), taken - sum(trial.seconds for trial in defaults)


def main() -> None:
    """Train, search, and print the tables."""
    console = Console() if sys.stdout.isatty() else Console(width=160)
    tracked = partial(track, console=console, transient=True, disable=not sys.stdout.isatty())
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            warehouse, predictions = grocery(Path(folder))
        except TurnoutError as error:
            sys.exit(str(error))
        for declared in tracked(predictions, "trainings"):
            prediction = _searched(declared)
            began = time.perf_counter()
            training = train(warehouse, prediction, Path(folder) / "models", Provenance("benchmark", ()))
            total = time.perf_counter() - began
            at_hand = material(warehouse, prediction, training)
            console.print(_costs(training, total))
            console.print(_reached(training))
            console.print(_beside_rival(training, rival(prediction, at_hand, training)))
            if declared is predictions[-1]:
                console.print(
                    _budgets(prediction.name, [(seconds, used(prediction, at_hand, seconds)) for seconds in BUDGETS])
                )
    console.print(f"{(time.perf_counter() - started) / 60:.1f} minutes in all")


def _searched(prediction: Prediction) -> Prediction:
    """Return the prediction with a search, of the default budget where none is declared."""
    search = replace(prediction.search, budget=prediction.search.budget or SearchBudget())
    return replace(prediction, search=search)


def _table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD)
    for heading in words:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def _costs(training: Training, total: float) -> Table:
    prediction, steps, trials = training.prediction, training.steps, training.choice.trials
    title = f"{prediction.name}: a training of {training.version.example_count:,} examples took {total:.1f} s"
    table = _table(title, ["step"], ["defaults in folds", "searched in folds", "trials", "fit", "predict", "in all"])
    named = [candidate.name for candidate in prediction.search.candidates]
    defaults, searched = trials[: len(named)], trials[len(named) :]
    for name in named:
        by_default, by_search = (
            sum(trial.seconds for trial in part if trial.candidate == name) for part in (defaults, searched)
        )
        tried = [trial for trial in searched if trial.candidate == name]
        pruned = sum(trial.state == "pruned" for trial in tried)
        last = steps[f"fit {name}"], steps[f"predict {name}"]
        seconds = [f"{taken:.2f}" for taken in (by_default, by_search, *last, by_default + by_search + sum(last))]
        table.add_row(name, *seconds[:2], f"{len(tried)} ({pruned} cut short)", *seconds[2:])
    in_trials = sum(trial.seconds for trial in trials)
    rest = {"between trials": steps["folds"] - in_trials}
    rest |= {name: steps[name] for name in ("read", f"fit {BASELINE}", "judge", "refit") if name in steps}
    rest["explain, save and record"] = total - sum(steps.values())
    for name, taken in rest.items():
        table.add_row(name, *[""] * 5, f"{taken:.2f}")
    budget = prediction.search.budget
    assert budget is not None
    spent = steps["folds"] - sum(trial.seconds for trial in defaults)
    table.caption = (
        f"the search used {spent:.1f} s of {budget.seconds:g} s, {spent / budget.seconds:.1%}, "
        f"and {len(searched)} of {budget.trials} trials"
    )
    return table


def _reached(training: Training) -> Table:
    prediction, found = training.prediction, [row for row in training.evaluations if not row.group_column]
    metrics = list(prediction.task.metrics)
    split = training.split
    title = (
        f"{prediction.name}: reached on the holdout, {split.holdout[0]:%Y-%m-%d} to {split.holdout[-1]:%Y-%m-%d}, "
        f"{found[0].example_count:,} examples of {found[0].entity_count:,} entities, with 95 % intervals"
    )
    table = _table(title, ["candidate"], metrics)
    values = {(row.candidate, row.metric): row for row in found}
    for candidate in dict.fromkeys(row.candidate for row in found):
        cells = []
        for metric in metrics:
            row = values[candidate, metric]
            interval = "" if row.low is None else f"\n{row.low:.4g} to {row.high:.4g}"
            cells.append("" if row.value is None else f"{row.value:.4g}{interval}")
        table.add_row(candidate, *cells, style="bold" if candidate == training.version.candidate else "")
    table.caption = training.decision.reason
    return table


def _beside_rival(training: Training, other: Rival) -> Table:
    metric = training.prediction.gate.metric.name
    table = _table(
        f"{training.prediction.name}: the search beside random search, as many fits in the same folds",
        ["", "best"],
        ["configurations", "seconds", f"{metric} in folds", f"{metric} on the holdout"],
    )
    chosen = training.version.family
    in_folds = np.mean([row.value for row in training.choice.validations if row.candidate == chosen])
    taken = sum(trial.seconds for trial in training.choice.trials)
    comparison = other.comparison
    table.add_row(
        "the engine",
        training.version.candidate,
        str(len(training.choice.trials)),
        f"{taken:.1f}",
        f"{in_folds:.5g}",
        f"{comparison.value or float('nan'):.5g}",
    )
    table.add_row(
        "RandomizedSearchCV",
        other.candidate,
        str(other.configurations),
        f"{other.seconds:.1f}",
        f"{other.in_folds:.5g}",
        f"{comparison.other_value or float('nan'):.5g}",
    )
    if comparison.effect is not None and comparison.low is not None and comparison.high is not None:
        table.caption = (
            f"the engine's is better by {comparison.effect:+.2%} "
            f"(95 % interval {comparison.low:+.2%} to {comparison.high:+.2%})"
        )
    return table


def _budgets(prediction: str, found: Sequence[tuple[float, tuple[int, float]]]) -> Table:
    title = f"{prediction}: how much of its budget a search used"
    table = _table(title, [], ["declared seconds", "trials", "seconds used", "of the budget"])
    for declared, (trials, seconds) in found:
        table.add_row(f"{declared:g}", str(trials), f"{seconds:.1f}", f"{seconds / declared:.1%}")
    return table


def _drawn(values: Range | tuple[Any, ...], random_state: np.random.RandomState) -> Any:  # noqa: ANN401 - a parameter
    if isinstance(values, tuple):
        return values[random_state.randint(len(values))]
    if values.log:
        drawn = float(np.exp(random_state.uniform(np.log(values.low), np.log(values.high))))
    else:
        drawn = float(random_state.uniform(values.low, values.high))
    return round(drawn) if isinstance(values.low, int) else drawn


if __name__ == "__main__":
    main()
