"""The search for hyperparameters, within a budget: what Optuna proposes, judged in folds of the training dates.

It proposes a candidate and its parameters, starting from the best that the last training found, and drops a trial after
a fold in which it is worse than the median. What was tried is kept in a journal beside the models, so that a training
that was killed goes on where it was. Whether what is found counts is decided in `ml.training.choice`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ml.models.candidates import Candidate, Parameters, Range
from ml.tasks.estimator_settings import SEED
from ml.training.validation import Judged

if TYPE_CHECKING:
    import optuna

    from ml.declaration import SearchBudget
    from ml.tasks.metrics import Metric
    from ml.training.validation import Validation

# Seconds after which the journal's lock is taken for one that a killed process has left behind; it is held for
# milliseconds, and only one training of a prediction runs at a time.
LEFT_BEHIND = 4
# Trials at random before the sampler trusts what it has seen.
RANDOM_TRIALS = 8


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


class Search:
    """The search of one training.

    Parameters
    ----------
    validation : Validation
        Judges what is proposed.
    metric : Metric
        The one that decides.
    defaults : mapping of str to Judged
        Every candidate with its defaults, by name.

    Attributes
    ----------
    found : dict of str to Judged
        The best that was found of each candidate; without its predictions, if that was before a kill, or by the
        training before.
    trials : list of Trial
        All that was tried, defaults first.
    """

    def __init__(self, validation: Validation, metric: Metric, defaults: Mapping[str, Judged]) -> None:
        self._validation, self._metric, self._defaults = validation, metric, defaults
        self.found: dict[str, Judged] = {}
        self.trials: list[Trial] = []
        for name, judged in defaults.items():
            self._tell(name, judged, "complete")

    def run(
        self,
        candidates: Sequence[Candidate],
        budget: SearchBudget,
        journal: Path,
        *,
        version: int,
        earlier: Mapping[str, Parameters],
    ) -> None:
        """Let Optuna propose configurations until the budget is spent.

        Parameters
        ----------
        candidates : sequence of Candidate
            Those with something to search.
        budget : SearchBudget
            Trials and seconds at most.
        journal : Path
            The file that the search is kept in. What it holds must be about the same examples.
        version : int
            The number that the training's version will have; each has a budget of its own.
        earlier : mapping of str to mapping
            The best parameters that the last training found, of each candidate.
        """
        import optuna

        by_name = {candidate.name: candidate for candidate in candidates}
        first_fold = next(iter(self._validation.folds))
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
            judged = Judged(parameters, known.user_attrs["values"], seconds=known.user_attrs["seconds"])
            if known.user_attrs["version"] == version:
                spent, tried = spent + sum(judged.seconds), tried + 1
                self._remember(name, judged, state)
            elif state == "complete":
                self._consider(name, judged)
        deadline = time.perf_counter() + budget.seconds - spent
        while tried < budget.trials:
            if not any(self._validation.has_time(candidate, first_fold, deadline) for candidate in candidates):
                return
            trial = study.ask()
            candidate = by_name[trial.suggest_categorical("candidate", list(by_name))]
            space = candidate.space.items()
            judged = Judged({key: _suggested(trial, f"{candidate.name}.{key}", values) for key, values in space})
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
            self._remember(candidate.name, judged, state)
            tried += 1

    def _run(
        self, trial: optuna.Trial, candidate: Candidate, judged: Judged, deadline: float
    ) -> Literal["complete", "pruned"]:
        """Judge a trial fold by fold, until it is worse than the median of those before, or time is short."""
        folds = self._validation.folds
        for step, fold in enumerate(folds):
            if not self._validation.has_time(candidate, fold, deadline):
                return "pruned"
            self._validation.judge_in(fold, candidate, judged)
            trial.report(judged.value, step)
            if step + 1 < len(folds) and trial.should_prune():
                return "pruned"
        return "complete"

    def _remember(self, name: str, judged: Judged, state: Literal["complete", "pruned"]) -> None:
        """Keep what was tried, and the best of each candidate."""
        if state == "complete":
            self._consider(name, judged)
        self._tell(name, judged, state)

    def _tell(self, name: str, judged: Judged, state: Literal["complete", "pruned"]) -> None:
        value, count = (judged.value if judged.values else None), len(judged.values)
        self.trials.append(Trial(len(self.trials), name, judged.parameters, state, value, count, sum(judged.seconds)))

    def _consider(self, name: str, judged: Judged) -> None:
        best = self.found.get(name)
        if best is None or self._metric.is_better(judged.value, best.value):
            self.found[name] = judged

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
            for name, judged in self._defaults.items():
                if name in by_name and np.isfinite(judged.value):
                    study.add_trial(_as_trial(by_name[name], judged, list(by_name)))
            for name, parameters in earlier.items():
                if name in by_name and set(parameters) == set(by_name[name].space):
                    study.enqueue_trial({"candidate": name, **_named(name, parameters)})
        return study


def _suggested(trial: optuna.Trial, name: str, values: Range | tuple[Any, ...]) -> Any:  # noqa: ANN401 - a parameter
    if isinstance(values, tuple):
        return trial.suggest_categorical(name, values)
    if isinstance(values.low, int):
        return trial.suggest_int(name, values.low, int(values.high), log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)


def _as_trial(candidate: Candidate, judged: Judged, names: list[str]) -> optuna.trial.FrozenTrial:
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
