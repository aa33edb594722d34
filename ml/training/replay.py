"""A version made once more from its record: the same examples, candidate and parameters must give the same model."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version as version_of_package
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ml.examples.inspection import inspect, missing_features
from ml.examples.reading import data_fingerprint, read_matured
from ml.examples.split import HOLDOUT_SIDE, Split, day_of, side_of
from ml.models import persistence
from ml.tasks import task_named
from ml.training.history import require_version
from ml.training.refit import fitted_as
from turnout.errors import ModelError
from turnout.records import opened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import pandas as pd

    from ml.declaration import Prediction
    from ml.training.history import ModelVersion
    from turnout.engines import Session, Warehouse

# Sums that are taken in parallel may differ in their last bits.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Replay:
    """What came of making a version once more.

    Parameters
    ----------
    version : ModelVersion
        As recorded.
    example_count : int
        Examples of its holdout that both models predicted.
    largest_difference : float
        Between the predictions of the recorded model and of the one made now.
    other_libraries : mapping of str to (recorded, installed)
        Libraries whose versions differ.
    other_code : bool
        Whether the code is of another version than then.
    """

    version: ModelVersion
    example_count: int
    largest_difference: float
    other_libraries: dict[str, tuple[str, str]]
    other_code: bool

    @property
    def is_same(self) -> bool:
        """Whether the model came out as it was."""
        return self.largest_difference <= TOLERANCE


def replay(warehouse: Warehouse, prediction: Prediction, model_folder: Path, version: int, code_version: str) -> Replay:
    """Fit a version again on the examples that it learned from, and compare its predictions on its holdout.

    Parameters
    ----------
    code_version : str
        That of the code that runs.

    Raises
    ------
    ModelError
        If there is no such version, its file is not whole, or the examples are not what they were.
    """
    where = f"prediction '{prediction.name}', version {version}"
    with opened(warehouse) as session:
        made = require_version(session, prediction.name, version)
        held = inspect(session, prediction)
        if problem := missing_features(made.features, held.all_features):
            raise ModelError(
                f"Version {version} cannot be replayed: {problem}.",
                where=where,
                rule="a version is made again from what it was made from.",
                remedy=f"check out its code ({made.code_version}) and build the examples with it.",
            )
        matured = _read_again(session, prediction, made, held.matured)
    names = [feature.name for feature in made.features]
    days = matured[prediction.examples.as_of].map(day_of)
    found = data_fingerprint(prediction.examples, made.features, matured)
    if found != made.data_fingerprint:
        raise ModelError(
            f"The examples until {made.holdout_last_as_of_date} are not those that version {version} was made from: "
            f"their fingerprint is {found[:12]}, recorded is {made.data_fingerprint[:12]}.",
            where=where,
            rule="the same model comes only from the same examples.",
            remedy=f"a correction was loaded since, or the SQL was changed: check out its code ({made.code_version}), "
            "take later loads away, build the examples again, and replay there.",
        )
    judged = days >= made.holdout_first_as_of_date
    learned = days <= made.last_as_of_date
    if made.split_group is not None:
        is_holdout = side_of(matured[made.split_group]) == HOLDOUT_SIDE
        judged, learned = judged & is_holdout, learned & ~is_holdout
    recorded_model = persistence.load(
        model_folder / made.evaluated_file, made.evaluated_file_hash, prediction.search.trusted_types
    )
    holdout = matured.loc[judged, names]
    task = task_named(made.task, where)
    before = task.predict(recorded_model, holdout)
    after = task.predict(fitted_as(made, matured[learned]), holdout)
    installed = {name: version_of_package(name) for name in made.libraries}
    return Replay(
        made,
        len(holdout),
        float(np.abs(before - after).max()),
        {name: (was, installed[name]) for name, was in made.libraries.items() if installed[name] != was},
        made.code_version != code_version,
    )


def _read_again(session: Session, prediction: Prediction, made: ModelVersion, dates: Sequence[date]) -> pd.DataFrame:
    """Return the matured examples that the version's training has read."""
    judged = tuple(day for day in dates if made.holdout_first_as_of_date <= day_of(day) <= made.holdout_last_as_of_date)
    split = Split((), (), judged) if made.is_split_by_time and judged else None
    return read_matured(session, prediction, made.features, split=split, until=made.holdout_last_as_of_date)
