"""Which candidate, with which hyperparameters: decided in folds of the training dates, before the holdout is seen.

Every candidate is tried with its defaults in all folds. Then Optuna searches, within a budget: it proposes a candidate
and its parameters, starting from the best that the last training found, and drops a trial after a fold in which it is
worse than the median. What was tried is kept in a journal beside the models, so that a training that was killed goes
on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ml.examples.split import day_of, divide, fold_side, folds_of
from ml.models.candidates import BASELINE, Candidate, Parameters, Range, fit
from ml.models.feature import Feature
from ml.tasks.estimator_settings import SEED
from turnout.records.trainings import Validation

if TYPE_CHECKING:
    from datetime import date

    import optuna
    import pandas as pd

    from ml.declaration import Prediction
    from ml.examples.split import Sides, Split
    from ml.tasks.metrics import Predicted, Vector

# Seconds after which the journal's lock is taken for one that a killed process has left behind; it is held for
# milliseconds, and only one training of a prediction runs at a time.
LEFT_BEHIND = 4
# Trials at random before the sampler trusts what it has seen.
RANDOM_TRIALS = 8


@dataclass(frozen=True)
class Fold:
    """Examples to learn from and later ones to judge by; a DataFrame each, with key, label and features."""

    number: int
    learned: pd.DataFrame
    judged: pd.DataFrame
    first_as_of_date: date
    last_as_of_date: date


@dataclass(frozen=True)
class Trial:
    """One configuration that was tried.

    Parameters
    ----------
    number : int
        From 0 on, in the order of trying.
    candidate : str
        Its candidate.
    parameters : mapping
        What was searched, with the values of this trial.
    state : {"complete", "pruned"}
        Whether it was judged in all folds, or dropped before.
    value : float or None
        The metric's mean over the folds it was judged in; None if there was none.
    folds : int
        In how many.
    seconds : float
        What it took.
    """

    number: int
    candidate: str
    parameters: Parameters
    state: Literal["complete", "pruned"]
    value: float | None
    folds: int
    seconds: float


@dataclass(frozen=True)
class Choice:
    """What was chosen, and from what.

    Parameters
    ----------
    best : str
        The candidate that is best on average over the folds; without folds the first, which is the simplest.
    parameters : mapping of str to mapping
        The best parameters of each candidate.
    validations : list of Validation
        Of each candidate with these, and of the baseline, in each fold.
    trials : list of Trial
        All that was tried, defaults included.
    label : ndarray of shape (n_judged,)
        What came true, one fold after the other.
    predicted : ndarray of shape (n_judged,) or (n_judged, n_columns)
        What the best candidate predicts with its best parameters.
    entities, as_of_dates : Series of shape (n_judged,)
        Whom each of them is about, and its as-of date.
    fold_of : ndarray of shape (n_judged,)
        Which fold each of them stands in.
    """

    best: str
    parameters: Mapping[str, Parameters]
    validations: list[Validation]
    trials: list[Trial]
    label: Vector
    predicted: Predicted
    entities: pd.Series[Any]
    as_of_dates: pd.Series[Any]
    fold_of: Vector


@dataclass
class _Judged:
    """A configuration in all of its folds."""

    parameters: Parameters
    values: list[float] = field(default_factory=list)
    predicted: list[Predicted] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def value(self) -> float:
        return float(np.mean(self.values)) if self.values else float("nan")


def folds_in(prediction: Prediction, split: Split, training: pd.DataFrame, sides: Sides | None) -> tuple[Fold, ...]:
    """Return the folds of the training dates in which there is something to learn and to judge by.

    Parameters
    ----------
    training : DataFrame of shape (n_training, n_columns)
        The examples of the training dates.
    sides : ndarray of shape (n_training,), optional
        Where a group is declared, what `ml.examples.split.side_of` says of each of them.
    """
    found = []
    examples, plan = prediction.examples, prediction.split
    folds = folds_of(split.training, gap_days=plan.gap_days, validation_dates=plan.holdout_dates)
    for number, fold in enumerate(folds):
        learned, judged = divide(training, examples.as_of, fold, sides, fold_side(number))
        labels = learned[examples.label], judged[examples.label]
        if not all(prediction.task.can_learn(label.to_numpy()) for label in labels):
            continue
        found.append(Fold(number, learned, judged, day_of(fold.holdout[0]), day_of(fold.holdout[-1])))
    return tuple(found)


class Search:
    """The search for one training.

    Parameters
    ----------
    prediction : Prediction
        Task, metric, candidates, baseline and budget.
    features : sequence of Feature
        What the candidates see.
    folds : sequence of Fold
        What they are judged in.
    """

    def __init__(self, prediction: Prediction, features: Sequence[Feature], folds: Sequence[Fold]) -> None:
        self._task, self._examples, self._plan = prediction.task, prediction.examples, prediction.search
        self._features, self._folds = features, folds
        self._names = [feature.name for feature in features]
        self._metric = prediction.gate.metric
        self._best: dict[str, _Judged] = {}
        self._trials: list[Trial] = []
        self._seconds: dict[tuple[str, int], list[float]] = {}

    def choose(self, journal: Path, *, version: int, earlier: Mapping[str, Parameters]) -> Choice:
        """Try defaults, search within the budget, and return what is best.

        Parameters
        ----------
        journal : Path
            The file that the search is kept in. What it holds must be about the same examples.
        version : int
            The number that the training's version will have; each has a budget of its own.
        earlier : mapping of str to mapping
            The best parameters that the last training found, of each candidate.
        """
        for candidate in self._plan.candidates:
            self._remember(candidate, self._try(candidate, candidate.defaults), "complete")
        searched = [candidate for candidate in self._plan.candidates if candidate.space]
        budget = self._plan.budget
        if self._folds and searched and budget.trials and budget.seconds:
            self._search(searched, journal, version, earlier)
        return self._choice()

    def _try(self, candidate: Candidate, parameters: Parameters) -> _Judged:
        """Judge a configuration in every fold."""
        judged = _Judged(parameters)
        for fold in self._folds:
            self._judge(candidate, judged, fold)
        return judged

    def _judge(self, candidate: Candidate, judged: _Judged, fold: Fold) -> None:
        """Judge a configuration in one fold."""
        task, label, started = self._task, self._examples.label, time.perf_counter()
        pipeline = candidate.pipeline(task, self._features, judged.parameters, self._plan.max_features)
        fit(candidate, pipeline, fold.learned[self._names], fold.learned[label])
        predicted = task.predict(pipeline, fold.judged[self._names])
        judged.values.append(self._metric.value(fold.judged[label].to_numpy(), predicted))
        judged.predicted.append(predicted)
        judged.seconds.append(time.perf_counter() - started)
        self._seconds.setdefault((candidate.name, fold.number), []).append(judged.seconds[-1])

    def _has_time(self, candidate: Candidate, fold: Fold, deadline: float) -> bool:
        """Whether a fit as long as this candidate's usual ones would end in time: once begun, it cannot be stopped."""
        return time.perf_counter() + median(self._seconds[candidate.name, fold.number]) <= deadline

    def _remember(self, candidate: Candidate, judged: _Judged, state: Literal["complete", "pruned"]) -> None:
        """Keep what was tried, and the best of each candidate."""
        if state == "complete":
            self._consider(candidate.name, judged)
        self._trials.append(
            Trial(
                len(self._trials),
                candidate.name,
                judged.parameters,
                state,
                judged.value if judged.values else None,
                len(judged.values),
                sum(judged.seconds),
            )
        )

    def _consider(self, name: str, judged: _Judged) -> None:
        best = self._best.get(name)
        if best is None or self._metric.is_better(judged.value, best.value):
            self._best[name] = judged

    def _search(
        self, searched: Sequence[Candidate], journal: Path, version: int, earlier: Mapping[str, Parameters]
    ) -> None:
        """Let Optuna propose configurations until the budget is spent."""
        import optuna

        by_name = {candidate.name: candidate for candidate in searched}
        study = self._study(journal, by_name, earlier)
        spent, tried = 0.0, 0
        for known in study.get_trials(deepcopy=False):
            state: Literal["complete", "pruned"] = (
                "complete" if known.state == optuna.trial.TrialState.COMPLETE else "pruned"
            )
            if "seconds" not in known.user_attrs:
                continue  # defaults, which were tried anew, or a trial that a kill has cut off
            name = known.params["candidate"]
            parameters = {key: known.params[f"{name}.{key}"] for key in by_name[name].space}
            judged = _Judged(parameters, known.user_attrs["values"], seconds=known.user_attrs["seconds"])
            if known.user_attrs["version"] == version:
                spent, tried = spent + sum(judged.seconds), tried + 1
                self._remember(by_name[name], judged, state)
            elif state == "complete":
                self._consider(name, judged)
        deadline = time.perf_counter() + self._plan.budget.seconds - spent
        while tried < self._plan.budget.trials:
            if not any(self._has_time(candidate, self._folds[0], deadline) for candidate in searched):
                return
            trial = study.ask()
            candidate = by_name[trial.suggest_categorical("candidate", list(by_name))]
            space = candidate.space.items()
            judged = _Judged({key: _suggested(trial, f"{candidate.name}.{key}", values) for key, values in space})
            state = self._run(trial, candidate, judged, deadline)
            if not judged.values:  # no time was left for a single fold of this candidate
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                continue
            trial.set_user_attr("version", version)
            trial.set_user_attr("values", judged.values)
            trial.set_user_attr("seconds", judged.seconds)
            if state == "complete" and np.isfinite(judged.value):
                study.tell(trial, judged.value)
            else:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            self._remember(candidate, judged, state)
            tried += 1

    def _run(
        self, trial: optuna.Trial, candidate: Candidate, judged: _Judged, deadline: float
    ) -> Literal["complete", "pruned"]:
        """Judge a trial fold by fold, until it is worse than the median of those before, or time is short."""
        for step, fold in enumerate(self._folds):
            if not self._has_time(candidate, fold, deadline):
                return "pruned"
            self._judge(candidate, judged, fold)
            trial.report(judged.value, step)
            if step + 1 < len(self._folds) and trial.should_prune():
                return "pruned"
        return "complete"

    def _study(
        self, journal: Path, by_name: Mapping[str, Candidate], earlier: Mapping[str, Parameters]
    ) -> optuna.Study:
        """Open the study that the journal holds, or begin one with what is known already."""
        import warnings

        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # `group`, in Optuna for years
        journal.parent.mkdir(parents=True, exist_ok=True)
        study = optuna.create_study(
            study_name=journal.stem,
            storage=JournalStorage(JournalFileBackend(str(journal), JournalFileOpenLock(str(journal), LEFT_BEHIND))),
            load_if_exists=True,
            direction="maximize" if self._metric.greater_is_better else "minimize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=len(by_name), n_warmup_steps=0),
        )
        known = len(study.get_trials(deepcopy=False))
        # Another seed where it goes on, so that it does not propose the same again.
        study.sampler = optuna.samplers.TPESampler(
            seed=SEED + known, n_startup_trials=RANDOM_TRIALS, multivariate=True, group=True
        )
        if not known:
            for name, judged in self._best.items():
                if name in by_name and np.isfinite(judged.value):
                    study.add_trial(_as_trial(by_name[name], judged, list(by_name)))
            for name, parameters in earlier.items():
                if name in by_name and set(parameters) == set(by_name[name].space):
                    study.enqueue_trial({"candidate": name, **_named(name, parameters)})
        return study

    def _choice(self) -> Choice:
        """Return the best of each candidate and of all."""
        import pandas as pd

        candidates, examples = self._plan.candidates, self._examples
        validations = self._validations(BASELINE, self._baseline_values())
        best = candidates[0]
        for candidate in candidates:
            judged = self._best[candidate.name]
            validations += self._validations(candidate.name, judged.values)
            if self._metric.is_better(judged.value, self._best[best.name].value):
                best = candidate
        chosen = self._best[best.name]
        if len(chosen.predicted) < len(self._folds):  # it was tried before a kill, or by the training before
            chosen = self._try(best, chosen.parameters)
        labels = [fold.judged[examples.label].to_numpy() for fold in self._folds]
        entities, as_of_dates = (
            pd.concat([pd.Series(dtype=object), *(fold.judged[name] for fold in self._folds)])
            for name in (examples.entity, examples.as_of)
        )
        return Choice(
            best.name,
            {name: judged.parameters for name, judged in self._best.items()},
            validations,
            self._trials,
            np.concatenate([*labels, np.empty(0)]),
            np.concatenate(chosen.predicted or [np.empty(0)]),
            entities,
            as_of_dates,
            np.repeat([fold.number for fold in self._folds], [len(label) for label in labels]).astype(np.int64),
        )

    def _baseline_values(self) -> list[float]:
        task, entity, label = self._task, self._examples.entity, self._examples.label
        values = []
        for fold in self._folds:
            pipeline = task.baseline(self._plan.baseline, entity)
            pipeline.fit(fold.learned[[entity]], fold.learned[label])
            predicted = task.predict(pipeline, fold.judged[[entity]])
            values.append(self._metric.value(fold.judged[label].to_numpy(), predicted))
        return values

    def _validations(self, name: str, values: Sequence[float]) -> list[Validation]:
        return [
            Validation(
                name,
                fold=fold.number,
                first_as_of_date=fold.first_as_of_date,
                last_as_of_date=fold.last_as_of_date,
                metric=self._metric.name,
                value=value,
                example_count=len(fold.judged),
            )
            for fold, value in zip(self._folds, values, strict=True)
        ]


def _suggested(trial: optuna.Trial, name: str, values: Range | tuple[Any, ...]) -> Any:  # noqa: ANN401 - a parameter
    if isinstance(values, tuple):
        return trial.suggest_categorical(name, values)
    if isinstance(values.low, int):
        return trial.suggest_int(name, values.low, int(values.high), log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)


def _as_trial(candidate: Candidate, judged: _Judged, names: list[str]) -> optuna.trial.FrozenTrial:
    """Return a configuration that was judged before the search as a trial of it."""
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    distributions: dict[str, optuna.distributions.BaseDistribution] = {"candidate": CategoricalDistribution(names)}
    for key, values in candidate.space.items():
        if isinstance(values, tuple):
            made: optuna.distributions.BaseDistribution = CategoricalDistribution(values)
        elif isinstance(values.low, int):
            made = IntDistribution(values.low, int(values.high), log=values.log)
        else:
            made = FloatDistribution(values.low, values.high, log=values.log)
        distributions[f"{candidate.name}.{key}"] = made
    return optuna.trial.create_trial(
        params={"candidate": candidate.name, **_named(candidate.name, judged.parameters)},
        distributions=distributions,
        value=judged.value,
        intermediate_values={step: float(np.mean(judged.values[: step + 1])) for step in range(len(judged.values))},
    )


def _named(name: str, parameters: Parameters) -> dict[str, Any]:
    return {f"{name}.{key}": value for key, value in parameters.items()}
