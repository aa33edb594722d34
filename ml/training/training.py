"""The steps of a training in order: read and split, search, fit, judge, save, refit, record_training.

The challenger is chosen before the holdout is looked at, in folds of the training dates. The holdout judges every
candidate, and decides about the one that was chosen.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version as version_of_package
from pathlib import Path

from ml.declaration import Prediction
from ml.models import persistence
from ml.training.choice import Choice, choose
from ml.training.dataset import TrainingData, read_training_data
from ml.training.fitting import Fits, StepTimer, fit_all, recalibration_of, require_unfitted_candidates
from ml.training.folds import folds_in
from ml.training.history import ModelVersion, record_training
from ml.training.holdout import Judgement, in_unseen_groups, judge
from ml.training.refit import refit
from ml.training.result import Training
from turnout.clock import utc_now
from turnout.engines import Warehouse
from turnout.project.provenance import Provenance

logger = logging.getLogger(__name__)

LIBRARIES = ("scikit-learn", "lightgbm", "xgboost-cpu", "optuna", "skops", "numpy", "pandas", "duckdb")


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
        If the examples cannot be learned from; see `ml.examples.inspection.inspect` and
        `ml.examples.split.split_by_time`.
    DeclarationError
        If a candidate cannot be imported, made or fitted.
    """
    steps = StepTimer()
    with steps.step("read"):
        data = read_training_data(warehouse, prediction)
    require_unfitted_candidates(prediction.search, prediction.task, data)
    with steps.step("folds"):
        choice = _choose(prediction, data, model_folder)
    recalibration = recalibration_of(prediction.task, prediction.gate.metric, choice)
    fits = fit_all(prediction, data, choice, recalibration, steps)
    with steps.step("judge"):
        judgement = judge(prediction, data, choice, fits, model_folder)
    with steps.step("unseen groups"):
        evaluations = [*judgement.evaluations, *in_unseen_groups(prediction, data, choice, fits.challenger)]
    decision = judgement.decision.with_caveats(_caveats(prediction, data, choice, fits))
    version = _saved(prediction, data, choice, fits, judgement, steps, model_folder, provenance)
    championship = None
    if decision.is_promoted:
        with steps.step("refit"):
            championship = refit(prediction, version, data.sampled, model_folder, decision.reason)
    made = Training(
        prediction,
        version,
        decision,
        evaluations,
        choice,
        steps.seconds,
        data.split,
        data.holdout[prediction.examples.label].to_numpy(),
        fits.predicted[fits.challenger],
        judgement.importance,
        tuple(feature.name for feature in data.left_out),
    )
    if report is not None:
        report(made)
    with warehouse.session() as session:
        record_training(
            session,
            prediction.task,
            version,
            evaluations=evaluations,
            choice=choice,
            steps=steps.seconds,
            outcomes=judgement.outcomes,
            decision=decision,
            championship=championship,
        )
    logger.info("%s: version %d, %s", prediction.name, version.version, decision.reason)
    return made


def _choose(prediction: Prediction, data: TrainingData, model_folder: Path) -> Choice:
    """Choose a candidate and the parameters of each, in folds of the training examples."""
    folds = folds_in(prediction, data.split, data.training, data.sides)
    journal = _journal(model_folder, prediction, data.fingerprint)
    return choose(prediction, data.features, folds, journal, version=data.number, earlier=data.earlier)


def _caveats(prediction: Prediction, data: TrainingData, choice: Choice, fits: Fits) -> list[str]:
    """Return in words what the evidence cannot show, and what the challenger's predictions should not be."""
    labels = data.training[prediction.examples.label].to_numpy()
    found = (
        choice.caveat,
        "" if prediction.split.is_by_time else "judged on the dates that were learned from, not on later ones",
        data.caveat,
        prediction.task.range_problem(labels, fits.predicted[fits.challenger]),
    )
    return [caveat for caveat in found if caveat]


def _saved(
    prediction: Prediction,
    data: TrainingData,
    choice: Choice,
    fits: Fits,
    judgement: Judgement,
    steps: StepTimer,
    model_folder: Path,
    provenance: Provenance,
) -> ModelVersion:
    """Save the challenger as it was judged, and return the version that it is."""
    file = f"{prediction.name}/{data.number}/evaluated.skops"
    file_hash = persistence.save(fits.model, model_folder / file, prediction.search.trusted_types)
    return ModelVersion(
        prediction=prediction.name,
        version=data.number,
        candidate=fits.challenger,
        trained_at=utc_now(),
        code_version=provenance.code_version,
        data_fingerprint=data.fingerprint,
        load_ids=provenance.load_ids,
        first_as_of_date=data.split.training[0],
        last_as_of_date=data.split.training[-1],
        example_count=len(data.training),
        holdout_first_as_of_date=data.split.holdout[0],
        holdout_last_as_of_date=data.split.holdout[-1],
        features=data.features,
        libraries={name: version_of_package(name) for name in LIBRARIES},
        file=file,
        file_hash=file_hash,
        task=prediction.task.name,
        label=prediction.examples.label,
        horizon_days=prediction.examples.horizon_days,
        evaluated_file=file,
        evaluated_file_hash=file_hash,
        split_group=prediction.split.group,
        is_split_by_time=prediction.split.is_by_time,
        chosen_in=str(choice.folds),
        parameters={**choice.parameters[choice.best.name], **choice.best.fixed},
        recalibration=fits.recalibration,
        max_features=prediction.search.max_features,
        fit_seconds=_fit_seconds(choice, steps),
        prediction_seconds=judgement.prediction_seconds,
    )


def _fit_seconds(choice: Choice, steps: StepTimer) -> float:
    """Return what fitting the chosen candidate took; of an average, what its members did."""
    best = choice.best
    fitted = choice.parameters[best.name] if best.is_average else [best.name]
    return sum(steps.seconds[f"fit {name}"] for name in fitted)


def _journal(model_folder: Path, prediction: Prediction, data: str) -> Path:
    """Return the file that the search is kept in: one for all that makes its trials comparable, older ones removed."""
    split, search = prediction.split, prediction.search
    asked = {
        "data": data,
        "task": prediction.task.name,
        "label": prediction.examples.label,
        "metric": prediction.gate.metric.name,
        "split": [split.gap_days, split.holdout_dates, split.holdout_from, split.fold_dates, split.group],
        "candidates": [asdict(candidate) for candidate in search.candidates],
        "spaces": [str(candidate.space) for candidate in search.candidates],
        "max_features": search.max_features,
    }
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:16]
    folder = model_folder / prediction.name / "searches"
    journal = folder / f"{digest}.journal"
    for other in folder.glob("*.journal*"):
        if not other.name.startswith(journal.name):
            other.unlink()
    return journal
