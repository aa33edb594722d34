"""A version fitted anew: on all matured examples for service, on the same ones for a replay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ml.examples.reading import data_fingerprint
from ml.examples.split import day_of
from ml.models import persistence
from ml.models.candidates import Candidate, fit
from ml.tasks import task_named
from ml.training.history import ModelVersion
from turnout.clock import utc_now
from turnout.records.trainings import Championship

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

    from ml.declaration import Prediction


def refit(
    prediction: Prediction, version: ModelVersion, matured: pd.DataFrame, model_folder: Path, reason: str
) -> Championship:
    """Fit a version anew on all matured examples, save it, and return it as champion from now on.

    The holdout has done its work; the model that scores may learn from the latest outcomes too.

    Parameters
    ----------
    matured : DataFrame of shape (n_examples, n_columns)
        As `ml.examples.reading.read_matured` reads them.
    reason : str
        Why it becomes champion.
    """
    examples, fitted = prediction.examples, fitted_as(version, matured)
    file = f"{version.prediction}/{version.version}/refitted.skops"
    return Championship(
        prediction=version.prediction,
        version=version.version,
        since=utc_now(),
        how="promoted",
        name=None,
        reason=reason,
        file=file,
        file_hash=persistence.save(fitted, model_folder / file, prediction.search.trusted_types),
        first_as_of_date=day_of(matured[examples.as_of].iloc[0]),
        last_as_of_date=day_of(matured[examples.as_of].iloc[-1]),
        example_count=len(matured),
        data_fingerprint=data_fingerprint(examples, version.features, matured),
    )


def fitted_as(version: ModelVersion, examples: pd.DataFrame) -> BaseEstimator:
    """Return a version's candidate, with its parameters, fitted on examples.

    Parameters
    ----------
    examples : DataFrame of shape (n_examples, n_columns)
        At least the version's label and features.
    """
    candidate = Candidate(version.family)
    task = task_named(version.task, f"records.model_versions, version {version.version} of '{version.prediction}'")
    pipeline = candidate.pipeline(task, version.features, version.parameters, version.max_features)
    names = [feature.name for feature in version.features]
    fitted = fit(candidate, pipeline, examples[names], examples[version.label])
    if version.recalibration is None:
        return fitted
    from ml.models.estimators import Recalibrated

    return Recalibrated(fitted, **version.recalibration)
