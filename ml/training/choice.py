"""Which candidate, with which hyperparameters: decided in folds of the training examples, before the holdout is seen.

Every candidate is tried with its defaults in all folds, and the average of all comes from what they predict there.
Nobody knows beforehand which candidate is best, and who is best in a few folds is so by chance now and then. So the
average is taken, unless a single candidate is better than it beyond chance. For the same reason, parameters that a
search has found replace the defaults only where they are better beyond chance, in several folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.judging.comparison import Comparison, Standings, standings
from ml.models.candidates import AVERAGE, BASELINE, Candidate, Parameters
from ml.training.search import Search, Trial
from ml.training.validation import Judged, Validation
from turnout.records.trainings import Validation as ValidationRow

if TYPE_CHECKING:
    import pandas as pd

    from ml.declaration import Prediction
    from ml.models.feature import Feature
    from ml.tasks.metrics import Predicted, Vector
    from ml.training.folds import Folds

# Ends the name under which what a search has found stands beside the defaults.
FOUND = ", found"


@dataclass(frozen=True)
class Choice:
    """What was chosen, and from what.

    Parameters
    ----------
    best : Candidate
        What was chosen; without folds the average, or if there is none the first.
    parameters : mapping of str to mapping
        Those of each candidate: its defaults, or what was found. Of the average, those of each member by its name, with
        what is declared fixed.
    folds : Folds
        What it was chosen in.
    validations : list of ValidationRow
        Of each candidate with these, and of the baseline, in each fold.
    comparisons : mapping of str to Comparison
        Every other candidate beside the one that was chosen, over the folds.
    trials : list of Trial
        All that was tried, defaults included.
    label : ndarray of shape (n_judged,)
        What came true, one fold after the other.
    predicted : ndarray of shape (n_judged,) or (n_judged, n_columns)
        What the chosen candidate predicts.
    entities, as_of_dates : Series of shape (n_judged,)
        Whom each of them is about, and its as-of date.
    fold_of : ndarray of shape (n_judged,)
        Which fold each of them stands in.
    """

    best: Candidate
    parameters: Mapping[str, Parameters]
    folds: Folds
    validations: list[ValidationRow]
    comparisons: Mapping[str, Comparison]
    trials: list[Trial]
    label: Vector
    predicted: Predicted
    entities: pd.Series[Any]
    as_of_dates: pd.Series[Any]
    fold_of: Vector

    @property
    def caveat(self) -> str:
        """What a reader should know of how it was chosen; empty where several folds by time have decided."""
        if not len(self.folds):
            return "nothing could be tried before the holdout, so no candidate was compared with another"
        if not self.folds.are_by_time:
            return f"chosen in {self.folds}, not on later dates than those that were learned from"
        return "chosen in a single fold, so it is not known how far another time would differ" * (len(self.folds) == 1)


def choose(
    prediction: Prediction,
    features: Sequence[Feature],
    folds: Folds,
    journal: Path,
    *,
    version: int,
    earlier: Mapping[str, Parameters],
) -> Choice:
    """Try every candidate with its defaults, search within the budget if one is declared, and choose.

    Parameters
    ----------
    features : sequence of Feature
        What the candidates see.
    folds : Folds
        What they are judged in.
    journal : Path
        The file that a search is kept in. What it holds must be about the same examples.
    version : int
        The number that the training's version will have; each has a budget of its own.
    earlier : mapping of str to mapping
        The best parameters that the last training found, of each candidate.
    """
    plan, metric = prediction.search, prediction.gate.metric
    validation = Validation(prediction, features, folds)
    defaults = {candidate.name: validation.judge(candidate, candidate.defaults) for candidate in plan.candidates}
    search = Search(validation, metric, defaults)
    searched = [candidate for candidate in plan.candidates if candidate.space]
    if plan.budget is not None and plan.budget.trials and plan.budget.seconds and searched and len(folds):
        search.run(searched, plan.budget, journal, version=version, earlier=earlier)
    judged = dict(defaults)
    for candidate in searched:
        found = search.found.get(candidate.name)
        if found is not None and metric.is_better(found.value, defaults[candidate.name].value):
            # Tried before a kill, or by the training before: what it predicted is not kept.
            is_kept = len(found.predicted) == len(folds)
            judged[candidate.name + FOUND] = found if is_kept else validation.judge(candidate, found.parameters)
    return _Choosing(prediction, folds, judged).choice(search.trials)


class _Choosing:
    """The choice among what was judged in the folds."""

    def __init__(self, prediction: Prediction, folds: Folds, judged: dict[str, Judged]) -> None:
        self._prediction, self._folds = prediction, folds
        self._judged = judged
        self._metric = prediction.gate.metric
        self._label = [fold.judged[prediction.examples.label].to_numpy() for fold in folds]
        sizes = [len(label) for label in self._label]
        self._fold_of = np.repeat(np.arange(len(folds)), sizes)

    def choice(self, trials: list[Trial]) -> Choice:
        """Take what was found where it is better beyond chance, add the average, and choose."""
        candidates = list(self._prediction.search.candidates)
        self._take_what_was_found()
        parameters: dict[str, Parameters] = {
            candidate.name: self._judged[candidate.name].parameters for candidate in candidates
        }
        if self._prediction.search.has_average:
            members = {one.name: {**parameters[one.name], **one.fixed} for one in candidates}
            self._judged[AVERAGE] = self._average(members)
            parameters[AVERAGE] = members
            candidates.append(Candidate(AVERAGE))
        standing = self._standings() if len(self._folds) else None
        best = self._best(candidates, standing)
        others = [candidate.name for candidate in candidates if candidate.name != best.name]
        return Choice(
            best,
            parameters,
            self._folds,
            self._validations(candidates),
            {} if standing is None else {name: standing.compare(name, best.name) for name in others},
            trials,
            np.concatenate([*self._label, np.empty(0)]),
            np.concatenate(self._judged[best.name].predicted or [np.empty(0)]),
            self._column(self._prediction.examples.entity),
            self._column(self._prediction.examples.as_of),
            self._fold_of,
        )

    def _take_what_was_found(self) -> None:
        """Let what a search has found replace the defaults; a single fold is no evidence for that."""
        found = {name: judged for name, judged in self._judged.items() if name.endswith(FOUND)}
        standing = self._standings() if found and len(self._folds) > 1 else None
        for name, judged in found.items():
            candidate = name.removesuffix(FOUND)
            if standing is not None and standing.compare(name, candidate).is_beyond_chance:
                self._judged[candidate] = judged
            del self._judged[name]

    def _average(self, parameters: Parameters) -> Judged:
        """Return what the members predict on average in each fold."""
        from ml.models.estimators import mean_of

        members = [self._judged[name].predicted for name in parameters]
        predicted = [mean_of(in_fold) for in_fold in zip(*members, strict=True)]
        values = [self._metric.value(label, own) for label, own in zip(self._label, predicted, strict=True)]
        return Judged(parameters, values, predicted)

    def _standings(self) -> Standings:
        return standings(
            self._metric,
            np.concatenate(self._label),
            {name: np.concatenate(judged.predicted) for name, judged in self._judged.items()},
            self._column(self._prediction.examples.entity),
            self._fold_of,
            are_by_time=self._folds.are_by_time,
        )

    def _best(self, candidates: Sequence[Candidate], standing: Standings | None) -> Candidate:
        """Return the average, unless the best of the others is better than it beyond chance; without one the best."""
        *_, last = candidates
        singles = [candidate for candidate in candidates if not candidate.is_average]
        best = singles[0]
        for candidate in singles:
            if self._metric.is_better(self._judged[candidate.name].value, self._judged[best.name].value):
                best = candidate
        if not last.is_average:
            return best
        is_better = standing is not None and standing.compare(best.name, AVERAGE).is_beyond_chance
        return best if is_better else last

    def _validations(self, candidates: Sequence[Candidate]) -> list[ValidationRow]:
        rows = self._rows_of(BASELINE, self._baseline_values())
        for candidate in candidates:
            rows += self._rows_of(candidate.name, self._judged[candidate.name].values)
        return rows

    def _baseline_values(self) -> list[float]:
        task, examples = self._prediction.task, self._prediction.examples
        values = []
        for fold, label in zip(self._folds, self._label, strict=True):
            pipeline = task.baseline(self._prediction.search.baseline, examples.entity)
            pipeline.fit(fold.learned[[examples.entity]], fold.learned[examples.label])
            values.append(self._metric.value(label, task.predict(pipeline, fold.judged[[examples.entity]])))
        return values

    def _rows_of(self, name: str, values: Sequence[float]) -> list[ValidationRow]:
        return [
            ValidationRow(
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

    def _column(self, name: str) -> pd.Series[Any]:
        import pandas as pd

        column: pd.Series[Any] = pd.concat([pd.Series(dtype=object), *(fold.judged[name] for fold in self._folds)])
        return column
