"""The steps of a training in order: inspect, split, choose, fit, evaluate, decide, refit, save, remember.

The challenger is chosen before the holdout is looked at, in folds of the training dates. The holdout judges every
candidate, and decides about the one that was chosen.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as version_of_package
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ml import persistence
from ml.candidates import BASELINE, Feature, candidates, predict, require_independent_rows, require_unfitted
from ml.declaration import Prediction
from ml.errors import ExamplesError
from ml.evaluation import METRICS, Evaluation, Validation, Vector, evaluate, overall
from ml.examples import fingerprint, inspect, one_class, read_matured
from ml.promotion import Champion, Decision, decide, is_better
from ml.records import ModelVersion, Provenance, champion_of, next_version, remember
from ml.split import Split, day_of, divide, fold_side, folds_of, side_of, split_by_time
from ml.warehouse import Warehouse

if TYPE_CHECKING:
    import pandas as pd

    from ml.examples import Examples
    from ml.split import Sides

logger = logging.getLogger(__name__)

LIBRARIES = ("scikit-learn", "skops", "numpy", "pandas", "duckdb")


@dataclass(frozen=True)
class Training:
    """What a training leaves to look at.

    Parameters
    ----------
    version : ModelVersion
        The challenger, as recorded.
    decision : Decision
        Whether it was promoted, and why.
    evaluations : list of Evaluation
        Of every candidate on the holdout, over all examples and for each sensitive group.
    validations : list of Validation
        Of every candidate in every fold of the training dates: what the challenger was chosen by.
    seconds : mapping of str to float
        How long each candidate took to fit and predict, folds included.
    split : Split
        The as-of dates that each side used.
    holdout_label : ndarray of shape (n_holdout,)
        What came true on the holdout.
    holdout_predicted : ndarray of shape (n_holdout,)
        What the challenger predicted there.
    """

    version: ModelVersion
    decision: Decision
    evaluations: list[Evaluation]
    validations: list[Validation]
    seconds: Mapping[str, float]
    split: Split
    holdout_label: Vector
    holdout_predicted: Vector


def train(warehouse: Warehouse, prediction: Prediction, model_folder: Path, provenance: Provenance) -> Training:
    """Train all candidates, judge the best as challenger, and record what came of it.

    Killed at any moment and run again, it comes to the same: files are written before the records that name
    them, and the records in one transaction.

    Parameters
    ----------
    model_folder : Path
        Model versions are saved as `<prediction>/<version>/{evaluated,refitted}.skops` below it.

    Raises
    ------
    ExamplesError
        If the examples cannot be learned from; see `ml.examples.inspect` and `ml.split.split_by_time`.
    """
    held = inspect(warehouse, prediction)
    split = split_by_time(
        held.matured, gap_days=prediction.gap_days, holdout_dates=prediction.holdout_dates, where=_where(prediction)
    )
    matured = read_matured(warehouse, prediction, held.features)
    sides = None if prediction.group is None else side_of(matured[prediction.group])
    training, holdout = divide(matured, prediction.as_of, split, sides)
    _require_both_sides(prediction, matured, training, holdout)
    label = training[prediction.label]
    if prediction.task == "binary" and label.nunique() == 1:
        raise one_class(prediction, int(label.iloc[0]), "of the training examples")

    names = [feature.name for feature in held.features]
    fitted, predicted, evaluations, seconds = {}, {}, [], {}
    validations: list[Validation] = []
    for candidate, pipeline in candidates(prediction.task, held.features).items():
        require_unfitted(candidate, pipeline)
        started = time.perf_counter()
        validations += _validate(candidate, prediction, held, split, training, sides)
        fitted[candidate] = pipeline.fit(training[names], label)
        predicted[candidate] = predict(pipeline, prediction.task, holdout[names])
        seconds[candidate] = time.perf_counter() - started
        require_independent_rows(candidate, pipeline, prediction.task, holdout[names], predicted[candidate])
        evaluations += evaluate(
            candidate,
            prediction.task,
            holdout[prediction.label],
            predicted[candidate],
            holdout[list(prediction.sensitive)],
        )
        value = overall(evaluations, candidate, prediction.metric)
        logger.info(
            "%s: %s reaches %s %.4g in %.1f s",
            prediction.name,
            candidate,
            prediction.metric,
            value,
            seconds[candidate],
        )

    challenger = _best(validations, list(fitted), prediction.metric)
    decision = decide(
        prediction.metric,
        challenger=challenger,
        challenger_value=overall(evaluations, challenger, prediction.metric),
        baseline_value=overall(evaluations, BASELINE, prediction.metric),
        champion=_judge_champion(warehouse, prediction, model_folder, held.features, holdout),
    )
    number = next_version(warehouse, prediction.name)
    evaluated_file = f"{prediction.name}/{number}/evaluated.skops"
    evaluated_hash = persistence.save(fitted[challenger], model_folder / evaluated_file)
    file, file_hash, seen = evaluated_file, evaluated_hash, split.training
    if decision.is_promoted:
        # The holdout has done its work; the model that scores may learn from the latest outcomes too.
        refitted = candidates(prediction.task, held.features)[challenger].fit(matured[names], matured[prediction.label])
        file, seen = f"{prediction.name}/{number}/refitted.skops", held.matured
        file_hash = persistence.save(refitted, model_folder / file)
    version = ModelVersion(
        prediction=prediction.name,
        version=number,
        candidate=challenger,
        trained_at=datetime.now(UTC).replace(tzinfo=None),
        code_version=provenance.code_version,
        data_fingerprint=fingerprint(matured),
        load_ids=provenance.load_ids,
        first_as_of_date=seen[0],
        last_as_of_date=seen[-1],
        example_count=len(matured) if decision.is_promoted else len(training),
        holdout_first_as_of_date=split.holdout[0],
        holdout_last_as_of_date=split.holdout[-1],
        features=held.features,
        libraries={name: version_of_package(name) for name in LIBRARIES},
        file=file,
        file_hash=file_hash,
        task=prediction.task,
        label=prediction.label,
        horizon_days=prediction.horizon_days,
        evaluated_file=evaluated_file,
        evaluated_file_hash=evaluated_hash,
        split_group=prediction.group,
    )
    remember(warehouse, version, evaluations, validations, decision)
    logger.info("%s: version %d, %s", prediction.name, number, decision.reason)
    return Training(
        version,
        decision,
        evaluations,
        validations,
        seconds,
        split,
        holdout[prediction.label].to_numpy(),
        predicted[challenger],
    )


def missing_features(needed: Sequence[Feature], held: Sequence[Feature]) -> str:
    """Return in words which features a model needs that the examples do not hold, or an empty string."""
    absent = [f"'{feature.name}' ({feature.kind})" for feature in needed if feature not in held]
    return f"it needs {', '.join(absent)}" if absent else ""


def _validate(
    candidate: str,
    prediction: Prediction,
    held: Examples,
    split: Split,
    training: pd.DataFrame,
    sides: Sides | None,
) -> list[Validation]:
    """Judge a candidate in each fold of the training dates by the metric that decides."""
    names = [feature.name for feature in held.features]
    folds = folds_of(split.training, gap_days=prediction.gap_days, validation_dates=prediction.holdout_dates)
    inside = None if sides is None else side_of(training[prediction.group])
    found = []
    for number, fold in enumerate(folds):
        learned, judged = divide(training, prediction.as_of, fold, inside, fold_side(number))
        labels = learned[prediction.label], judged[prediction.label]
        if any(label.empty or (prediction.task == "binary" and label.nunique() == 1) for label in labels):
            continue  # nothing to learn or to judge by
        pipeline = candidates(prediction.task, held.features)[candidate].fit(learned[names], labels[0])
        predicted = predict(pipeline, prediction.task, judged[names])
        found.append(
            Validation(
                candidate,
                fold=number,
                first_as_of_date=day_of(fold.holdout[0]),
                last_as_of_date=day_of(fold.holdout[-1]),
                metric=prediction.metric,
                value=METRICS[prediction.metric].score(labels[1].to_numpy(), predicted),
                example_count=len(judged),
            )
        )
    return found


def _best(validations: list[Validation], names: list[str], metric: str) -> str:
    """Return the candidate that is best on average over the folds; without folds the first, which is the simplest."""

    def average(name: str) -> float:
        return float(np.mean([found.value for found in validations if found.candidate == name] or [np.nan]))

    challengers = [name for name in names if name != BASELINE]
    best = challengers[0]
    for name in challengers[1:]:
        if is_better(metric, average(name), average(best)):
            best = name
    return best


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
    warehouse: Warehouse,
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
    champion = champion_of(warehouse, prediction.name)
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
    pipeline = persistence.load(model_folder / file, file_hash)
    names = [feature.name for feature in champion.features]
    predicted = predict(pipeline, prediction.task, holdout[names])
    evaluations = evaluate("champion", prediction.task, holdout[prediction.label], predicted, holdout[[]])
    return Champion(champion.version, overall(evaluations, "champion", prediction.metric))
