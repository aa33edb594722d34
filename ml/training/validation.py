"""One configuration of a candidate in the folds: what it predicts there, how good that is, and what it took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from ml.models.candidates import Candidate, Parameters, fit

if TYPE_CHECKING:
    from ml.declaration import Prediction
    from ml.models.feature import Feature
    from ml.tasks.metrics import Predicted
    from ml.training.folds import Fold, Folds


@dataclass
class Judged:
    """A configuration in the folds that it was judged in.

    Parameters
    ----------
    parameters : mapping
        Of the candidate.
    values : list of float
        The metric that decides, in each fold.
    predicted : list of ndarray of shape (n_judged,) or (n_judged, n_columns)
        What was predicted in each fold; empty if that was before a kill, or by the training before.
    seconds : list of float
        What each fold took.
    """

    parameters: Parameters
    values: list[float] = field(default_factory=list)
    predicted: list[Predicted] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def value(self) -> float:
        """The metric's mean over the folds; nan without any."""
        return float(np.mean(self.values)) if self.values else float("nan")


class Validation:
    """Judges configurations in folds.

    Parameters
    ----------
    prediction : Prediction
        Task, metric and label.
    features : sequence of Feature
        What the candidates see.
    folds : Folds
        What they are judged in.
    """

    def __init__(self, prediction: Prediction, features: Sequence[Feature], folds: Folds) -> None:
        self.folds = folds
        self._task, self._label = prediction.task, prediction.examples.label
        self._metric, self._max_features = prediction.gate.metric, prediction.search.max_features
        self._features, self._names = features, [feature.name for feature in features]
        self._seconds: dict[tuple[str, int], list[float]] = {}

    def judge(self, candidate: Candidate, parameters: Parameters) -> Judged:
        """Judge a configuration in every fold."""
        judged = Judged(parameters)
        for fold in self.folds:
            self.judge_in(fold, candidate, judged)
        return judged

    def judge_in(self, fold: Fold, candidate: Candidate, judged: Judged) -> None:
        """Judge a configuration in one fold more."""
        started = time.perf_counter()
        pipeline = candidate.pipeline(self._task, self._features, judged.parameters, self._max_features)
        fit(candidate, pipeline, fold.learned[self._names], fold.learned[self._label])
        predicted = self._task.predict(pipeline, fold.judged[self._names])
        judged.values.append(self._metric.value(fold.judged[self._label].to_numpy(), predicted))
        judged.predicted.append(predicted)
        judged.seconds.append(time.perf_counter() - started)
        self._seconds.setdefault((candidate.name, fold.number), []).append(judged.seconds[-1])

    def has_time(self, candidate: Candidate, fold: Fold, deadline: float) -> bool:
        """Whether a fit as long as this candidate's usual ones would end in time: once begun, it cannot be stopped."""
        return time.perf_counter() + median(self._seconds[candidate.name, fold.number]) <= deadline
