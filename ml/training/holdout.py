"""The holdout's judgement: everybody on the same examples, the decision about the challenger, and unseen groups."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from ml.examples.inspection import missing_features
from ml.examples.reading import slice_column
from ml.examples.split import day_of
from ml.judging.evaluation import CHAMPION, UNSEEN, Segment, as_groups, evaluate, segments_of
from ml.judging.promotion import Champion, Decision, decide
from ml.judging.resampling import resample
from ml.models import persistence
from ml.models.candidates import BASELINE, fit
from ml.models.contributions import importance_of
from ml.monitoring.outcomes import outcomes_of
from turnout.errors import UnusableModelError
from turnout.records.trainings import Evaluation, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from sklearn.base import BaseEstimator

    from ml.declaration import Prediction, ReportedGroups
    from ml.models.feature import Feature
    from ml.tasks import Task
    from ml.training.choice import Choice
    from ml.training.dataset import TrainingData
    from ml.training.fitting import Fits
    from ml.training.history import ModelVersion

# Predicting is timed so often, and the fastest time counts: whatever else the machine does only makes it slower.
TIMED = 3
# Unseen groups that the chosen candidate is fitted without, one after the other.
MAX_UNSEEN_GROUPS = 20


@dataclass(frozen=True)
class Judgement:
    """What the holdout says.

    Parameters
    ----------
    decision : Decision
        What becomes of the challenger.
    evaluations : list of Evaluation
        Of everybody.
    outcomes : list of Outcome
        What came true beside what was predicted, in folds and on the holdout.
    importance : mapping of str to float, or None
        How far each feature moves the challenger's predictions.
    prediction_seconds : float
        What the challenger takes for a million rows.
    """

    decision: Decision
    evaluations: list[Evaluation]
    outcomes: list[Outcome]
    importance: Mapping[str, float] | None
    prediction_seconds: float


def judge(prediction: Prediction, data: TrainingData, choice: Choice, fits: Fits, model_folder: Path) -> Judgement:
    """Judge baseline, candidates, challenger and champion on the holdout, and decide about the challenger."""
    task, examples, holdout = prediction.task, prediction.examples, data.holdout
    prediction_seconds = _prediction_seconds(fits.model, task, holdout[data.names])
    champion = judge_champion(data.champion, prediction, model_folder, (*data.features, *data.left_out), holdout)
    truth = holdout[examples.label].to_numpy()
    segments = _segments(prediction.groups, holdout)
    resamples = resample(holdout[examples.entity])
    predicted = dict(fits.predicted)
    if champion is not None and champion.predicted is not None:
        predicted[CHAMPION] = champion.predicted
    evaluations: list[Evaluation] = []
    for name, values in predicted.items():
        shown = segments if name in {fits.challenger, BASELINE, CHAMPION} else segments[:1]
        evaluations += evaluate(name, task, truth, values, shown, resamples)
    decision = decide(
        prediction.gate,
        challenger=fits.challenger,
        label=truth,
        predicted=predicted[fits.challenger],
        baseline_predicted=predicted[BASELINE],
        champion=champion,
        segments=segments,
        resamples=resamples,
        evaluations=evaluations,
        prediction_seconds=prediction_seconds,
    )
    # Of a recalibrated challenger as it was before: the folds are what its calibration was learned from.
    outcomes = [
        *outcomes_of(task, "validation", choice.as_of_dates, choice.label, choice.predicted),
        *outcomes_of(task, "holdout", holdout[examples.as_of], truth, predicted[fits.challenger]),
    ]
    importance = importance_of(fits.model, task, data.features, holdout[data.names])
    return Judgement(decision, evaluations, outcomes, importance, prediction_seconds)


def in_unseen_groups(prediction: Prediction, data: TrainingData, choice: Choice, challenger: str) -> list[Evaluation]:
    """Return how well the chosen candidate does in each group that it has not learned from.

    It is fitted as the challenger was, without the value, and judged in that value on the holdout. A calibration has
    seen all groups, so it is not applied. Values come by how many examples they have, the most first,
    `MAX_UNSEEN_GROUPS` at most, as each costs a fit.
    """
    examples, column = prediction.examples, prediction.groups.unseen_groups
    if column is None:
        return []
    task, chosen, names = prediction.task, choice.best, data.names
    learned, judged = (as_groups(side[column]) for side in (data.training, data.holdout))
    evaluations = []
    for value in judged.value_counts().index[:MAX_UNSEEN_GROUPS]:
        others, own = data.training[learned != value], data.holdout[judged == value]
        if not task.can_learn(others[examples.label].to_numpy()):
            continue
        pipeline = chosen.pipeline(task, data.features, choice.parameters[chosen.name], prediction.search.max_features)
        fitted = fit(chosen, pipeline, others[names], others[examples.label])
        evaluations += evaluate(
            f"{challenger}{UNSEEN}",
            task,
            own[examples.label].to_numpy(),
            task.predict(fitted, own[names]),
            [Segment(column, value, np.ones(len(own), dtype=bool))],
            resample(own[examples.entity]),
        )
    return evaluations


def judge_champion(
    champion: ModelVersion | None,
    prediction: Prediction,
    model_folder: Path,
    held: Sequence[Feature],
    holdout: pd.DataFrame,
) -> Champion | None:
    """Judge the champion on this holdout, by a fit of it that has learned nothing from there.

    That is the fit in service, if it ended a gap before this holdout. Else it is the fit that was judged when it
    became champion, which ended a gap before its own holdout; that one is honest unless today's begins earlier. Where
    a group is declared, the fit in service has learned from the holdout's groups, so it is always the latter.

    A champion whose fit is lost, or that today's libraries cannot use, is obsolete.
    """
    if champion is None:
        return None
    examples, split = prediction.examples, prediction.split
    asked = (prediction.task.name, examples.label, examples.horizon_days)
    if (champion.task, champion.label, champion.horizon_days) != asked:
        return Champion(champion.version, None, "it was trained for another task, label or horizon", is_obsolete=True)
    if problem := missing_features(champion.features, held):
        return Champion(champion.version, None, problem, is_obsolete=True)
    if split.group not in {None, champion.split_group}:
        problem = f"it has learned from values of the group '{split.group}' that are now the holdout's"
        return Champion(champion.version, None, problem, is_obsolete=True)
    if split.is_by_time and not champion.is_split_by_time:
        problem = "it was judged on the dates that it has learned from, not on later ones"
        return Champion(champion.version, None, problem, is_obsolete=True)
    begin = day_of(holdout[examples.as_of].iloc[0])
    if split.group is None and champion.last_as_of_date + timedelta(days=split.gap_days) <= begin:
        file, file_hash = champion.file, champion.file_hash
    elif champion.holdout_first_as_of_date <= begin:
        file, file_hash = champion.evaluated_file, champion.evaluated_file_hash
    else:
        return Champion(champion.version, None, "today's holdout begins before its own, so it has learned from it")
    path, names = model_folder / file, [feature.name for feature in champion.features]
    try:
        fitted = persistence.load(path, file_hash, prediction.search.trusted_types, champion.libraries)
        with persistence.in_words(path, champion.libraries, "predict with"):
            predicted = prediction.task.predict(fitted, holdout[names])
    except UnusableModelError as error:
        # Nobody can compare with it or score by it, so it must not keep the place.
        return Champion(champion.version, None, error.problem, is_obsolete=True)
    return Champion(champion.version, predicted)


def _prediction_seconds(fitted: BaseEstimator, task: Task, features: pd.DataFrame) -> float:
    """Return how long predicting a million rows takes, in seconds, by the fastest of a few times."""
    taken = []
    for _ in range(TIMED):
        started = time.perf_counter()
        task.predict(fitted, features)
        taken.append(time.perf_counter() - started)
    return min(taken) * 1e6 / len(features)


def _segments(groups: ReportedGroups, holdout: pd.DataFrame) -> list[Segment]:
    slices = holdout[[slice_column(name) for name in groups.slices]].set_axis(list(groups.slices), axis=1)
    return segments_of(holdout[list(groups.columns)], slices)
