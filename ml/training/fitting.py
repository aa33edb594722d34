"""Baseline and candidates, fitted on the training examples and asked for the holdout; the chosen one is calibrated."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from ml.judging.comparison import compare
from ml.judging.resampling import resample
from ml.models.candidates import AVERAGE, BASELINE, fit, require_unfitted
from ml.models.row_independence import require_independent_rows
from ml.tasks.metrics import CALIBRATION_ERROR
from ml.training.history import RECALIBRATED

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from ml.declaration import Prediction, SearchPlan
    from ml.tasks import Task
    from ml.tasks.metrics import Metric, Predicted
    from ml.training.choice import Choice
    from ml.training.dataset import TrainingData

# A calibration is learned from one fold and confirmed in two later ones at least.
CALIBRATING_FOLDS = 3


class StepTimer:
    """How long each step of a training took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what is done inside; the same name adds up."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


@dataclass(frozen=True, eq=False)
class Fits:
    """What was fitted on the training examples.

    Parameters
    ----------
    challenger : str
        The chosen candidate's name on the leaderboard, which says whether it is recalibrated.
    model : Pipeline, Average or Recalibrated
        The challenger.
    recalibration : mapping of str to float, or None
        Slope and intercept of its calibration.
    predicted : mapping of str to ndarray of shape (n_holdout,) or (n_holdout, n_columns)
        What everybody predicts for the holdout, by name; the baseline first.
    """

    challenger: str
    model: BaseEstimator
    recalibration: Mapping[str, float] | None
    predicted: dict[str, Predicted]


def require_unfitted_candidates(search: SearchPlan, task: Task, data: TrainingData) -> None:
    """Refuse a candidate of which a part was fitted before.

    Raises
    ------
    ModelError
        With the candidate's name, and the part's.
    """
    for candidate in search.candidates:
        pipeline = candidate.pipeline(task, data.features, candidate.defaults, search.max_features)
        require_unfitted(candidate.name, pipeline)


def fit_all(
    prediction: Prediction,
    data: TrainingData,
    choice: Choice,
    recalibration: Mapping[str, float] | None,
    steps: StepTimer,
) -> Fits:
    """Fit the baseline and every candidate with its parameters, and predict the holdout with each and their average.

    Raises
    ------
    DeclarationError
        If an imported candidate cannot be fitted.
    ModelError
        If a candidate predicts a row by the rows beside it.
    """
    task, search, training, holdout = prediction.task, prediction.search, data.training, data.holdout
    examples = prediction.examples
    label, names, entity = training[examples.label], data.names, [examples.entity]
    fitted: dict[str, BaseEstimator] = {}
    predicted: dict[str, Predicted] = {}
    with steps.step(f"fit {BASELINE}"):
        pipeline = task.baseline(search.baseline, examples.entity).fit(training[entity], label)
        predicted[BASELINE] = task.predict(pipeline, holdout[entity])
    for candidate in search.candidates:
        with steps.step(f"fit {candidate.name}"):
            parameters = choice.parameters[candidate.name]
            pipeline = candidate.pipeline(task, data.features, parameters, search.max_features)
            fitted[candidate.name] = fit(candidate, pipeline, training[names], label)
        with steps.step(f"predict {candidate.name}"):
            predicted[candidate.name] = task.predict(pipeline, holdout[names])
        require_independent_rows(candidate.name, pipeline, task, holdout[names], predicted[candidate.name])
    if search.has_average:
        from ml.models.estimators import Average, mean_of

        fitted[AVERAGE] = Average(list(fitted.items()))
        predicted[AVERAGE] = mean_of([predicted[name] for name in choice.parameters[AVERAGE]])
    challenger, model = choice.best.name, fitted[choice.best.name]
    if recalibration is not None:
        from ml.models.estimators import Recalibrated

        challenger += RECALIBRATED
        model = Recalibrated(model, **recalibration)
        predicted[challenger] = task.predict(model, holdout[names])
    return Fits(challenger, model, recalibration, predicted)


def recalibration_of(task: Task, metric: Metric, choice: Choice) -> Mapping[str, float] | None:
    """Return the calibration of the chosen candidate, if those learned from earlier folds do better in later ones.

    In every fold but the first, the calibration learned from those before must make the metric that decides better
    beyond chance, and the calibration error smaller: what is wrong now and then moves with the seasons, and a
    calibration would not. So the folds are of different times, and at least `CALIBRATING_FOLDS`.

    Returns
    -------
    mapping of str to float, or None
        Slope and intercept.
    """
    folds, error = np.unique(choice.fold_of), CALIBRATION_ERROR.value
    if not choice.folds.are_by_time or folds.size < CALIBRATING_FOLDS:
        return None
    for fold in folds[1:]:
        now, earlier = choice.fold_of == fold, choice.fold_of < fold
        if not task.can_learn(choice.label[earlier]):
            return None
        calibration = task.fit_calibration(choice.label[earlier], choice.predicted[earlier])
        if calibration is None:
            return None
        label, before = choice.label[now], choice.predicted[now]
        after = task.calibrated(before, calibration)
        better = compare(metric, label, after, before, resample(choice.entities[now]))
        if not better.is_beyond_chance or error(label, after) >= error(label, before):
            return None
    calibration = task.fit_calibration(choice.label, choice.predicted)
    return None if calibration is None else asdict(calibration)
