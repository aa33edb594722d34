"""What is remembered of every training, in the warehouse: versions, trials, evaluations, promotions and champions.

Every score names its model version; from there the records lead to the training data's fingerprint, the
loads it came from and the code that made it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ml.judging.promotion import Decision
from ml.models.candidates import Parameters
from ml.models.feature import Feature
from ml.tasks.metrics import beats
from turnout.errors import ModelError
from turnout.records import SCHEMA, Table, trainings, write
from turnout.records.trainings import Championship, Evaluation, Outcome, Promotion, TrainingStep, Trial

if TYPE_CHECKING:
    from ml.judging.comparison import Comparison
    from ml.tasks import Task
    from ml.training.choice import Choice
    from ml.training.search import Trial as TriedTrial
    from turnout.engines import Session

# What the name of a recalibrated candidate ends with.
RECALIBRATED = " recalibrated"


@dataclass(frozen=True)
class ModelVersion(trainings.ModelVersion):
    """One fitted candidate, numbered, immutable; columns that hold JSON are objects here.

    `candidate` is its name on the leaderboard; where `recalibration` is not None, that of a family followed by
    `RECALIBRATED`. `evaluated_file` is the fit that was judged on the holdout, `file` the one that scores: the refit on
    all matured examples if there is one, else the same. `first_as_of_date` to `last_as_of_date` and `example_count` say
    what the latter has seen; `data_fingerprint` covers all matured examples of the training. `split_group` is the
    column whose values stood on one side of the split each; None if only time divided it. `parameters` are the
    candidate's hyperparameters, of an average those of each member by its name; `max_features` is how many columns it
    keeps. `fit_seconds` is what the judged fit took, `prediction_seconds` what it takes to predict a million rows.
    Files are named from the folder of model versions.
    """

    features: tuple[Feature, ...]
    libraries: Mapping[str, str]
    parameters: Parameters = field(default_factory=dict, hash=False)
    recalibration: Mapping[str, float] | None = field(default=None, hash=False)

    @property
    def family(self) -> str:
        """The candidate's name as it is declared."""
        return self.candidate.removesuffix(RECALIBRATED)


def champion_of(session: Session, prediction: str) -> ModelVersion | None:
    """Return the version whose scores are published, with the fit in service; None if there is none yet."""
    served = _last_championship(session, "prediction = ?", (prediction,))
    version = None if served is None else version_of(session, prediction, served.version)
    if served is None or version is None:
        return None
    return replace(
        version,
        file=served.file,
        file_hash=served.file_hash,
        first_as_of_date=served.first_as_of_date,
        last_as_of_date=served.last_as_of_date,
        example_count=served.example_count,
    )


def championship_of(session: Session, prediction: str, version: int) -> Championship | None:
    """Return the last time that a version became champion; None if it never was."""
    return _last_championship(session, "prediction = ? and version = ?", (prediction, version))


def version_of(session: Session, prediction: str, version: int) -> ModelVersion | None:
    """Return a version as it was recorded; None if there is none of that number."""
    sql = f"select * from {SCHEMA}.model_versions where prediction = ? and version = ?"
    rows = session.rows(sql, (prediction, version))
    return _version(rows[0]) if rows else None


def require_version(session: Session, prediction: str, version: int) -> ModelVersion:
    """Return a version as it was recorded.

    Raises
    ------
    ModelError
        If there is none of that number.
    """
    found = version_of(session, prediction, version)
    if found is None:
        raise ModelError(
            f"There is no version {version}.",
            where=f"prediction '{prediction}'",
            rule="versions are numbered from 1 on for each prediction.",
            remedy="look into records.model_versions, or the leaderboard.",
        )
    return found


def best_parameters(session: Session, prediction: str) -> dict[str, Parameters]:
    """Return the best parameters that the last training found for each candidate, by its folds."""
    rows = session.rows(
        f"""select candidate, trial, greater_is_better, value, parameters
            from {SCHEMA}.trials
            inner join {SCHEMA}.promotions using (prediction, version)
            where
                prediction = ? and state = 'complete' and value is not null
                and version = (select max(version) from {SCHEMA}.trials where prediction = ?)
            order by trial""",
        (prediction, prediction),
    )
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = best.get(row["candidate"])
        if known is None or beats(row["value"], known["value"], greater_is_better=row["greater_is_better"]):
            best[row["candidate"]] = row
    return {candidate: json.loads(row["parameters"]) for candidate, row in best.items()}


def next_version(session: Session, prediction: str) -> int:
    """Return the number for a new model version of a prediction, from 1 on."""
    sql = f"select coalesce(max(version), 0) + 1 as number from {SCHEMA}.model_versions where prediction = ?"
    (row,) = session.rows(sql, (prediction,))
    return int(row["number"])


def record_training(
    session: Session,
    task: Task,
    version: ModelVersion,
    *,
    evaluations: Sequence[Evaluation],
    choice: Choice,
    steps: Mapping[str, float],
    outcomes: Sequence[Outcome],
    decision: Decision,
    championship: Championship | None,
) -> None:
    """Record a training in one transaction: all that was tried and measured, the decision, and what came of it."""
    key = {"prediction": version.prediction, "version": version.version}
    # Values come from metrics; a nan is the absence of one, which SQL calls null.
    rows: dict[Table, list[dict[str, Any]]] = {
        trainings.MODEL_VERSIONS: [_row(version)],
        trainings.EVALUATIONS: [
            {**key, **asdict(evaluation), "greater_is_better": task.metrics[evaluation.metric].greater_is_better}
            for evaluation in evaluations
        ],
        trainings.VALIDATIONS: [
            {**key, **asdict(validation), "value": _known(validation.value)} for validation in choice.validations
        ],
        trainings.CHOICES: [
            asdict(_chosen(version, decision.metric, choice.best.name, name, comparison))
            for name, comparison in choice.comparisons.items()
        ],
        trainings.TRIALS: [asdict(_tried(version, trial)) for trial in choice.trials],
        trainings.PROMOTIONS: [asdict(_decided(task, version, decision))],
        trainings.PROMOTION_LIMITS: [{**key, **asdict(finding)} for finding in decision.findings],
        trainings.TRAINING_STEPS: [
            asdict(TrainingStep(version.prediction, version.version, step, taken)) for step, taken in steps.items()
        ],
        trainings.OUTCOMES: [{**key, **asdict(outcome)} for outcome in outcomes],
        trainings.CHAMPIONS: [_numbered(session, championship)] if championship else [],
    }
    write(session, rows)


def record_champion(session: Session, championship: Championship) -> None:
    """Record that a version is champion from now on."""
    write(session, {trainings.CHAMPIONS: [_numbered(session, championship)]})


def _last_championship(session: Session, which: str, parameters: Sequence[object]) -> Championship | None:
    rows = session.rows(f"select * from {SCHEMA}.champions where {which} order by number desc limit 1", parameters)
    return Championship(**rows[0]) if rows else None


def _chosen(
    version: ModelVersion, metric: str, chosen: str, candidate: str, comparison: Comparison
) -> trainings.Choice:
    return trainings.Choice(
        version.prediction,
        version.version,
        candidate=candidate,
        chosen=chosen,
        metric=metric,
        value=comparison.value,
        chosen_value=comparison.other_value,
        effect=comparison.effect,
        effect_low=comparison.low,
        effect_high=comparison.high,
    )


def _numbered(session: Session, championship: Championship) -> dict[str, Any]:
    """Return the row of a championship, with the number after that of the one before: a clock may go back."""
    sql = f"select coalesce(max(number), 0) + 1 as number from {SCHEMA}.champions where prediction = ?"
    (row,) = session.rows(sql, (championship.prediction,))
    return {**asdict(championship), **row}


def _tried(version: ModelVersion, trial: TriedTrial) -> Trial:
    return Trial(
        version.prediction,
        version.version,
        trial=trial.number,
        candidate=trial.candidate,
        parameters=json.dumps(dict(trial.parameters)),
        state=trial.state,
        value=_known(trial.value),
        folds=trial.folds,
        seconds=trial.seconds,
    )


def _decided(task: Task, version: ModelVersion, decision: Decision) -> Promotion:
    return Promotion(
        version.prediction,
        version.version,
        decided_at=version.trained_at,
        is_promoted=decision.is_promoted,
        reason=decision.reason,
        metric=decision.metric,
        greater_is_better=task.metrics[decision.metric].greater_is_better,
        challenger_value=decision.challenger_value,
        baseline_value=decision.baseline_value,
        champion_version=decision.champion_version,
        champion_value=decision.champion_value,
        outcome=decision.outcome,
        effect=decision.decisive.effect,
        effect_low=decision.decisive.low,
        effect_high=decision.decisive.high,
        minimum_effect=decision.minimum_effect,
        resamples=decision.resamples,
    )


def _row(version: ModelVersion) -> dict[str, Any]:
    row = asdict(version)
    row["load_ids"] = list(version.load_ids)
    row["features"] = json.dumps({feature.name: feature.kind for feature in version.features})
    row["libraries"] = json.dumps(dict(version.libraries))
    row["parameters"] = json.dumps(dict(version.parameters))
    row["recalibration"] = json.dumps(dict(version.recalibration)) if version.recalibration else None
    return row


def _version(row: dict[str, Any]) -> ModelVersion:
    features = tuple(Feature(name, kind) for name, kind in json.loads(row["features"]).items())
    return ModelVersion(
        **{
            **row,
            "load_ids": tuple(row["load_ids"]),
            "features": features,
            "libraries": json.loads(row["libraries"]),
            "parameters": json.loads(row["parameters"] or "{}"),
            "recalibration": json.loads(row["recalibration"]) if row["recalibration"] else None,
        }
    )


def _known(value: float | None) -> float | None:
    return None if value is None or value != value else value  # only nan differs from itself
