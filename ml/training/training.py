"""The steps of a training in order: inspect, split, choose, fit, evaluate, decide, refit, save, remember.

The challenger is chosen before the holdout is looked at, in folds of the training dates. The holdout judges every
candidate, and decides about the one that was chosen.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from importlib.metadata import version as version_of_package
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ml.declaration import Prediction
from ml.examples.reading import data_fingerprint, inspect, missing_features, one_class, read_matured, slice_column
from ml.examples.split import day_of, divide, side_of, split_by_time
from ml.judging.evaluation import (
    CHAMPION,
    METRICS,
    UNSEEN,
    Segment,
    Vector,
    as_groups,
    evaluate,
    segments_of,
)
from ml.judging.promotion import Champion, compare, decide
from ml.judging.resampling import resample
from ml.models import persistence
from ml.models.calibration import calibrated, fit_calibration
from ml.models.candidates import BASELINE, Candidate, baseline, fit, require_unfitted
from ml.models.contributions import importance_of
from ml.models.feature import Feature
from ml.models.fitted import predict, require_independent_rows
from ml.monitoring.outcomes import outcomes_of
from ml.training.records import (
    RECALIBRATED,
    ModelVersion,
    best_parameters,
    champion_of,
    next_version,
    remember,
)
from ml.training.refit import refit
from ml.training.result import Training
from ml.training.search import Choice, Search, folds_in
from turnout.clock import utc_now
from turnout.engines import Warehouse
from turnout.errors import ExamplesError
from turnout.project.provenance import Provenance
from turnout.records import opened
from turnout.records.trainings import Evaluation

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator


logger = logging.getLogger(__name__)

LIBRARIES = ("scikit-learn", "lightgbm", "xgboost-cpu", "optuna", "skops", "numpy", "pandas", "duckdb")
# Predicting is timed so often, and the fastest time counts: whatever else the machine does only makes it slower.
TIMED = 3
# Unseen groups that the chosen candidate is fitted without, one after the other.
MAX_UNSEEN_GROUPS = 20


class Steps:
    """How long each step of a training took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what is done inside; the same name adds up."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def train(
    warehouse: Warehouse,
    prediction: Prediction,
    model_folder: Path,
    provenance: Provenance,
    report: Callable[[Training], object] | None = None,
) -> Training:
    """Train all candidates, judge the best as challenger, and record what came of it.

    Killed at any moment and run again, it comes to the same: files are written before the records that name
    them, and the records in one transaction.

    One session reads all that is needed and is left before the search begins, another one records: a search and its
    fits take minutes, and nobody else could have the warehouse for so long.

    Parameters
    ----------
    model_folder : Path
        Model versions are saved as `<prediction>/<version>/{evaluated,refitted}.skops` below it.
    report : callable, optional
        Called with what the training leaves before that is recorded, to write files about it, such as its card.

    Raises
    ------
    ExamplesError
        If the examples cannot be learned from; see `ml.examples.reading.inspect` and `ml.examples.split.split_by_time`.
    DeclarationError
        If a candidate cannot be imported, made or fitted.
    """
    steps = Steps()
    with steps.step("read"):
        with opened(warehouse) as session:
            held = inspect(session, prediction)
            split = split_by_time(
                held.matured,
                gap_days=prediction.gap_days,
                holdout_dates=prediction.holdout_dates,
                where=_where(prediction),
            )
            matured = read_matured(session, prediction, held.features)
            number = next_version(session, prediction.name)
            earlier = best_parameters(session, prediction.name)
            in_service = champion_of(session, prediction.name)
        sides = None if prediction.group is None else side_of(matured[prediction.group])
        training, holdout = divide(matured, prediction.as_of, split, sides)
        _require_both_sides(prediction, matured, training, holdout)
        label = training[prediction.label]
        if prediction.task == "binary" and label.nunique() == 1:
            raise one_class(prediction, int(label.iloc[0]), "of the training examples")
        names = [feature.name for feature in held.features]
        data = data_fingerprint(prediction, held.features, matured)

    for candidate in prediction.candidates:
        pipeline = candidate.pipeline(prediction.task, held.features, candidate.defaults, prediction.max_features)
        require_unfitted(candidate.name, pipeline)
    with steps.step("search"):
        folds = folds_in(prediction, split, training, None if sides is None else side_of(training[prediction.group]))
        choice = Search(prediction, held.features, folds).choose(
            _journal(model_folder, prediction, data),
            version=number,
            earlier=earlier,
        )
    recalibration = _recalibration(prediction, choice)

    fitted: dict[str, BaseEstimator] = {}
    predicted: dict[str, Vector] = {}
    with steps.step(f"fit {BASELINE}"):
        entity = [prediction.entity]
        pipeline = baseline(prediction.task, prediction.baseline, prediction.entity).fit(training[entity], label)
        predicted[BASELINE] = predict(pipeline, prediction.task, holdout[entity])
    for candidate in prediction.candidates:
        with steps.step(f"fit {candidate.name}"):
            parameters = choice.parameters[candidate.name]
            pipeline = candidate.pipeline(prediction.task, held.features, parameters, prediction.max_features)
            fitted[candidate.name] = fit(candidate, pipeline, training[names], label)
        with steps.step(f"predict {candidate.name}"):
            predicted[candidate.name] = predict(pipeline, prediction.task, holdout[names])
        require_independent_rows(candidate.name, pipeline, prediction.task, holdout[names], predicted[candidate.name])
    (chosen,) = (candidate for candidate in prediction.candidates if candidate.name == choice.best)
    challenger = chosen.name
    if recalibration is not None:
        from ml.models.estimators import Recalibrated

        challenger += RECALIBRATED
        fitted[challenger] = Recalibrated(fitted[choice.best], **recalibration)
        predicted[challenger] = predict(fitted[challenger], prediction.task, holdout[names])

    with steps.step("judge"):
        prediction_seconds = _prediction_seconds(fitted[challenger], prediction, holdout[names])
        champion = _judge_champion(in_service, prediction, model_folder, held.features, holdout)
        truth = holdout[prediction.label].to_numpy()
        segments = _segments(prediction, holdout)
        resamples = resample(holdout[prediction.entity])
        if champion is not None and champion.predicted is not None:
            predicted[CHAMPION] = champion.predicted
        evaluations: list[Evaluation] = []
        for name, values in predicted.items():
            shown = segments if name in {challenger, BASELINE, CHAMPION} else segments[:1]
            evaluations += evaluate(name, prediction.task, truth, values, shown, resamples)
        decision = decide(
            prediction.metric,
            challenger=challenger,
            label=truth,
            predicted=predicted[challenger],
            baseline_predicted=predicted[BASELINE],
            champion=champion,
            segments=segments,
            resamples=resamples,
            evaluations=evaluations,
            prediction_seconds=prediction_seconds,
            minimum_effect=prediction.minimum_effect,
            limits=prediction.limits,
            requires_approval=prediction.requires_approval,
        )
        # Of a recalibrated challenger as it was before: the folds are what its line was learned from.
        outcomes = [
            *outcomes_of(prediction.task, "validation", choice.as_of_dates, choice.label, choice.predicted),
            *outcomes_of(prediction.task, "holdout", holdout[prediction.as_of], truth, predicted[challenger]),
        ]
        importance = importance_of(fitted[challenger], prediction.task, held.features, holdout[names])
    with steps.step("unseen groups"):
        evaluations += _in_unseen_groups(prediction, chosen, choice, held.features, challenger, training, holdout)

    evaluated_file = f"{prediction.name}/{number}/evaluated.skops"
    evaluated_hash = persistence.save(fitted[challenger], model_folder / evaluated_file, prediction.trusted_types)
    version = ModelVersion(
        prediction=prediction.name,
        version=number,
        candidate=challenger,
        trained_at=utc_now(),
        code_version=provenance.code_version,
        data_fingerprint=data,
        load_ids=provenance.load_ids,
        first_as_of_date=split.training[0],
        last_as_of_date=split.training[-1],
        example_count=len(training),
        holdout_first_as_of_date=split.holdout[0],
        holdout_last_as_of_date=split.holdout[-1],
        features=held.features,
        libraries={name: version_of_package(name) for name in LIBRARIES},
        file=evaluated_file,
        file_hash=evaluated_hash,
        task=prediction.task,
        label=prediction.label,
        horizon_days=prediction.horizon_days,
        evaluated_file=evaluated_file,
        evaluated_file_hash=evaluated_hash,
        split_group=prediction.group,
        parameters={**choice.parameters[choice.best], **chosen.fixed},
        recalibration=recalibration,
        max_features=prediction.max_features,
        fit_seconds=steps.seconds[f"fit {choice.best}"],
        prediction_seconds=prediction_seconds,
    )
    championship = None
    if decision.is_promoted:
        with steps.step("refit"):
            championship = refit(prediction, version, matured, model_folder, decision.reason)
    made = Training(
        prediction,
        version,
        decision,
        evaluations,
        choice.validations,
        choice.trials,
        steps.seconds,
        split,
        truth,
        predicted[challenger],
        importance,
    )
    if report is not None:
        report(made)
    with warehouse.session() as session:
        remember(
            session,
            version,
            evaluations=evaluations,
            validations=choice.validations,
            trials=choice.trials,
            steps=steps.seconds,
            outcomes=outcomes,
            decision=decision,
            championship=championship,
        )
    logger.info("%s: version %d, %s", prediction.name, number, decision.reason)
    return made


def _journal(model_folder: Path, prediction: Prediction, data: str) -> Path:
    """Return the file that the search is kept in: one for all that makes its trials comparable, older ones removed."""
    asked = {
        "data": data,
        "task": prediction.task,
        "label": prediction.label,
        "metric": prediction.metric,
        "split": [prediction.gap_days, prediction.holdout_dates, prediction.group],
        "candidates": [asdict(candidate) for candidate in prediction.candidates],
        "spaces": [str(candidate.space) for candidate in prediction.candidates],
        "max_features": prediction.max_features,
    }
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:16]
    folder = model_folder / prediction.name / "searches"
    journal = folder / f"{digest}.journal"
    for other in folder.glob("*.journal*"):
        if not other.name.startswith(journal.name):
            other.unlink()
    return journal


def _recalibration(prediction: Prediction, choice: Choice) -> Mapping[str, float] | None:
    """Return the line that straightens the chosen candidate, if lines learned from earlier folds do so in later ones.

    In every fold but the first, the line learned from those before must make the metric that decides better beyond
    chance, and the calibration error smaller: what is wrong now and then moves with the seasons, and a line would not.
    """
    folds = np.unique(choice.fold_of)
    error = METRICS["calibration_error"].value
    for fold in folds[1:]:
        now, earlier = choice.fold_of == fold, choice.fold_of < fold
        if prediction.task == "binary" and np.unique(choice.label[earlier]).size < 2:
            return None
        line = fit_calibration(prediction.task, choice.label[earlier], choice.predicted[earlier])
        label, before = choice.label[now], choice.predicted[now]
        after = calibrated(prediction.task, before, line)
        better = compare(prediction.metric, label, after, before, resample(choice.entities[now]))
        if not better.is_beyond_chance or error(label, after) >= error(label, before):
            return None
    if folds.size < 2:
        return None
    return asdict(fit_calibration(prediction.task, choice.label, choice.predicted))


def _prediction_seconds(fitted: BaseEstimator, prediction: Prediction, features: pd.DataFrame) -> float:
    """Return how long predicting a million rows takes, in seconds, by the fastest of a few times."""
    taken = []
    for _ in range(TIMED):
        started = time.perf_counter()
        predict(fitted, prediction.task, features)
        taken.append(time.perf_counter() - started)
    return min(taken) * 1e6 / len(features)


def _segments(prediction: Prediction, holdout: pd.DataFrame) -> list[Segment]:
    slices = holdout[[slice_column(name) for name in prediction.slices]].set_axis(list(prediction.slices), axis=1)
    return segments_of(holdout[list(prediction.grouping)], slices)


def _in_unseen_groups(
    prediction: Prediction,
    chosen: Candidate,
    choice: Choice,
    features: Sequence[Feature],
    challenger: str,
    training: pd.DataFrame,
    holdout: pd.DataFrame,
) -> list[Evaluation]:
    """Return how well the chosen candidate does in each group that it has not learned from.

    It is fitted as the challenger was, without the value, and judged in that value on the holdout. The line of a
    recalibration has seen all groups, so it is not applied. Values come by how many examples they have, the most
    first, `MAX_UNSEEN_GROUPS` at most, as each costs a fit.
    """
    if prediction.unseen_groups is None:
        return []
    names = [feature.name for feature in features]
    learned, judged = (as_groups(examples[prediction.unseen_groups]) for examples in (training, holdout))
    evaluations = []
    for value in judged.value_counts().index[:MAX_UNSEEN_GROUPS]:
        others, own = training[learned != value], holdout[judged == value]
        if others.empty or (prediction.task == "binary" and others[prediction.label].nunique() == 1):
            continue
        pipeline = chosen.pipeline(prediction.task, features, choice.parameters[chosen.name], prediction.max_features)
        fitted = fit(chosen, pipeline, others[names], others[prediction.label])
        evaluations += evaluate(
            f"{challenger}{UNSEEN}",
            prediction.task,
            own[prediction.label].to_numpy(),
            predict(fitted, prediction.task, own[names]),
            [Segment(prediction.unseen_groups, value, np.ones(len(own), dtype=bool))],
            resample(own[prediction.entity]),
        )
    return evaluations


def _require_both_sides(
    prediction: Prediction, matured: pd.DataFrame, training: pd.DataFrame, holdout: pd.DataFrame
) -> None:
    """Refuse a group with so few values that one side of the split gets none."""
    if prediction.group is None or not (training.empty or holdout.empty):
        return
    lacking = "training" if training.empty else "the holdout"
    raise ExamplesError(
        f"Split: no example is left for {lacking}: the group '{prediction.group}' has "
        f"{matured[prediction.group].nunique(dropna=False)} values.",
        where=_where(prediction),
        rule="a fifth of a group's values, dealt by a hash, stands on the holdout's side and in no training.",
        remedy="declare a 'group' with more values, such as the entity, or leave it out.",
    )


def _where(prediction: Prediction) -> str:
    return f"table {prediction.schema}.{prediction.table}, declared in {prediction.where}"


def _judge_champion(
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
    """
    if champion is None:
        return None
    asked = (prediction.task, prediction.label, prediction.horizon_days)
    if (champion.task, champion.label, champion.horizon_days) != asked:
        return Champion(champion.version, None, "it was trained for another task, label or horizon", is_obsolete=True)
    if problem := missing_features(champion.features, held):
        return Champion(champion.version, None, problem, is_obsolete=True)
    if prediction.group not in {None, champion.split_group}:
        problem = f"it has learned from values of the group '{prediction.group}' that are now the holdout's"
        return Champion(champion.version, None, problem, is_obsolete=True)
    begin = day_of(holdout[prediction.as_of].iloc[0])
    if prediction.group is None and champion.last_as_of_date + timedelta(days=prediction.gap_days) <= begin:
        file, file_hash = champion.file, champion.file_hash
    elif champion.holdout_first_as_of_date <= begin:
        file, file_hash = champion.evaluated_file, champion.evaluated_file_hash
    else:
        return Champion(champion.version, None, "today's holdout begins before its own, so it has learned from it")
    fitted = persistence.load(model_folder / file, file_hash, prediction.trusted_types)
    names = [feature.name for feature in champion.features]
    return Champion(champion.version, predict(fitted, prediction.task, holdout[names]))
