"""What a training leaves to look at: for the model card, for Dagster, for whoever asks what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ml.declaration import Prediction
from ml.examples.split import Split
from ml.judging.evaluation import CHAMPION
from ml.judging.limits import champion_limit_findings
from ml.judging.promotion import Decision
from ml.tasks.metrics import Predicted, Vector
from ml.training.choice import Choice
from ml.training.history import ModelVersion
from turnout.records.trainings import Evaluation, LimitFinding


@dataclass(frozen=True)
class Training:
    """What a training leaves to look at.

    Parameters
    ----------
    prediction : Prediction
        What was declared.
    version : ModelVersion
        The challenger, as recorded.
    decision : Decision
        Whether it was promoted, and why.
    evaluations : list of Evaluation
        Of every candidate on the holdout; of the challenger, the baseline and the champion also in each segment. Where
        there are unseen groups, also of the challenger's candidate fitted without each of its values, in that value.
    choice : Choice
        What the challenger was chosen by, and from what.
    steps : mapping of str to float
        Seconds that each step took.
    split : Split
        The as-of dates that each side used.
    holdout_label : ndarray of shape (n_holdout,)
        What came true on the holdout.
    holdout_predicted : ndarray of shape (n_holdout,) or (n_holdout, n_columns)
        What the challenger predicted there.
    importance : mapping of str to float, or None
        How far each feature moves the challenger's predictions; see `ml.models.contributions.importance_of`.
    left_out : tuple of str
        Columns that are no feature, as they are keys.
    """

    prediction: Prediction
    version: ModelVersion
    decision: Decision
    evaluations: list[Evaluation]
    choice: Choice
    steps: Mapping[str, float]
    split: Split
    holdout_label: Vector
    holdout_predicted: Predicted
    importance: Mapping[str, float] | None
    left_out: tuple[str, ...] = ()

    @property
    def in_service(self) -> int | None:
        """The version that is champion after this training; None if there is none yet."""
        return self.version.version if self.decision.is_promoted else self.decision.champion_version

    @property
    def champion_limit_findings(self) -> tuple[LimitFinding, ...]:
        """The declared limits that the champion breaks on the latest holdout, if it stays."""
        if self.decision.is_promoted:
            return ()
        gate = self.prediction.gate
        return champion_limit_findings(self.evaluations, CHAMPION, gate.metric, gate.limits)
