"""What a training works with, read in one go: the examples, divided by time, and what earlier trainings have left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml.declaration import Prediction
from ml.examples.inspection import inspect, unlearnable
from ml.examples.reading import SAMPLED, Thinning, data_fingerprint, read_matured, thinning_of
from ml.examples.split import divide, side_of, split_by
from ml.models.candidates import Parameters
from ml.models.feature import Feature
from ml.training.history import ModelVersion, best_parameters, champion_of, next_version
from turnout.errors import ExamplesError
from turnout.project.examples_table import ExamplesTable
from turnout.records import opened

if TYPE_CHECKING:
    import pandas as pd

    from ml.examples.split import Sides, Split
    from turnout.engines import Warehouse


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a training works with.

    Parameters
    ----------
    features : tuple of Feature
        What the candidates see.
    left_out : tuple of Feature
        Columns that none of them sees, as they are keys; the champion may have learned from one.
    split : Split
        The as-of dates of each side.
    matured : DataFrame of shape (n_examples, n_columns)
        As `ml.examples.reading.read_matured` reads them.
    training, holdout : DataFrame of shape (n_training, n_columns) and (n_holdout, n_columns)
        The examples of each side; those in the gap are on neither.
    sides : ndarray of shape (n_training,), or None
        Where a group is declared, what `ml.examples.split.side_of` says of each training example.
    fingerprint : str
        Of all matured examples.
    thinning : Thinning
        How many entities were left out, as there are more examples than are wanted.
    number : int
        The number that the version will have.
    earlier : mapping of str to mapping
        The best parameters that the last training found, of each candidate.
    champion : ModelVersion or None
        The version in service.
    """

    features: tuple[Feature, ...]
    left_out: tuple[Feature, ...]
    split: Split
    matured: pd.DataFrame
    training: pd.DataFrame
    holdout: pd.DataFrame
    sides: Sides | None
    fingerprint: str
    thinning: Thinning
    number: int
    earlier: Mapping[str, Parameters]
    champion: ModelVersion | None

    @property
    def sampled(self) -> pd.DataFrame:
        """The matured examples of those entities that are learned from, on all as-of dates: what a refit sees."""
        return self.matured[self.matured[SAMPLED]]

    @property
    def caveat(self) -> str:
        """What a reader should know of the examples; empty if all were learned from."""
        if not self.thinning.learned:
            return ""
        return f"learned from one in {2**self.thinning.learned} entities, as all are more examples than 'sample' says"

    @property
    def names(self) -> list[str]:
        """The columns of the features."""
        return [feature.name for feature in self.features]


def read_training_data(warehouse: Warehouse, prediction: Prediction) -> TrainingData:
    """Read what a training works with, in one session, and divide it.

    Raises
    ------
    ExamplesError
        If the examples cannot be learned from.
    """
    examples, group = prediction.examples, prediction.split.group
    with opened(warehouse) as session:
        held = inspect(session, prediction)
        split = split_by(prediction.split, held.matured, _where(examples))
        thinning = thinning_of(session, prediction, split=split)
        number = next_version(session, prediction.name)
        earlier = best_parameters(session, prediction.name)
        champion = champion_of(session, prediction.name)
        of_champion = [] if champion is None else [key for key in held.left_out if key in champion.features]
        matured = read_matured(session, prediction, [*held.features, *of_champion], split=split)
    sides = None if group is None else side_of(matured[group])
    training, holdout = divide(matured, examples.as_of, split, sides)
    _require_both_sides(examples, group, matured, training, holdout)
    label = training[examples.label].to_numpy()
    if problem := prediction.task.learning_problem(examples.label, label, "of the training examples"):
        raise unlearnable(examples, problem)
    return TrainingData(
        held.features,
        held.left_out,
        split,
        matured,
        training,
        holdout,
        None if sides is None else side_of(training[group]),
        data_fingerprint(examples, held.features, matured),
        thinning,
        number,
        earlier,
        champion,
    )


def _require_both_sides(
    examples: ExamplesTable,
    group: str | None,
    matured: pd.DataFrame,
    training: pd.DataFrame,
    holdout: pd.DataFrame,
) -> None:
    """Refuse a group with so few values that one side of the split gets none."""
    if group is None or not (training.empty or holdout.empty):
        return
    lacking = "training" if training.empty else "the holdout"
    raise ExamplesError(
        f"Split: no example is left for {lacking}: the group '{group}' has "
        f"{matured[group].nunique(dropna=False)} values.",
        where=_where(examples),
        rule="a fifth of a group's values, dealt by a hash, stands on the holdout's side and in no training.",
        remedy="declare a 'group' with more values, such as the entity, or leave it out.",
    )


def _where(examples: ExamplesTable) -> str:
    return f"table {examples.schema}.{examples.table}, declared in {examples.where}"
