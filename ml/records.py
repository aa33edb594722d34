"""What is remembered of every training, in the warehouse: versions, trials, evaluations, promotions and champions.

Every score names its model version; from there the records lead to the training data's fingerprint, the
loads it came from and the code that made it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from ml.candidates import Feature, Parameters
from ml.evaluation import Evaluation, Task, Validation
from ml.outcomes import DDL as OUTCOMES
from ml.outcomes import Outcome
from ml.promotion import Decision, is_better
from turnout.engines import Session

if TYPE_CHECKING:
    from ml.search import Trial

SCHEMA = "records"
# What the name of a recalibrated candidate ends with.
RECALIBRATED = " recalibrated"


def _added(table: str, columns: Mapping[str, str]) -> list[str]:
    """Return statements that give a table of an earlier release the columns that have come since."""
    return [f"alter table {SCHEMA}.{table} add column if not exists {name} {kind}" for name, kind in columns.items()]


DDL = (
    f"create schema if not exists {SCHEMA}",
    f"""create table if not exists {SCHEMA}.model_versions (
        prediction varchar, version integer, candidate varchar, trained_at timestamp, code_version varchar,
        data_fingerprint varchar, load_ids varchar[], first_as_of_date date, last_as_of_date date,
        example_count bigint, holdout_first_as_of_date date, holdout_last_as_of_date date,
        features varchar, libraries varchar, file varchar, file_hash varchar,
        task varchar, label varchar, horizon_days integer, evaluated_file varchar, evaluated_file_hash varchar,
        split_group varchar, parameters varchar, recalibration varchar, reduce integer, fit_seconds double,
        prediction_seconds double
    )""",
    *_added(
        "model_versions",
        {
            "split_group": "varchar",
            "parameters": "varchar",
            "recalibration": "varchar",
            "reduce": "integer",
            "fit_seconds": "double",
            "prediction_seconds": "double",
        },
    ),
    f"""create table if not exists {SCHEMA}.evaluations (
        prediction varchar, version integer, candidate varchar, group_column varchar, group_value varchar,
        metric varchar, value double, low double, high double, example_count bigint, entity_count bigint
    )""",
    *_added("evaluations", {"low": "double", "high": "double", "entity_count": "bigint"}),
    f"""create table if not exists {SCHEMA}.trials (
        prediction varchar, version integer, trial integer, candidate varchar, parameters varchar, state varchar,
        value double, folds integer, seconds double
    )""",
    f"""create table if not exists {SCHEMA}.validations (
        prediction varchar, version integer, candidate varchar, fold integer, first_as_of_date date,
        last_as_of_date date, metric varchar, value double, example_count bigint
    )""",
    f"""create table if not exists {SCHEMA}.promotions (
        prediction varchar, version integer, decided_at timestamp, is_promoted boolean, reason varchar,
        metric varchar, challenger_value double, baseline_value double, champion_version integer,
        champion_value double, outcome varchar, effect double, effect_low double, effect_high double,
        minimum_effect double, resamples integer
    )""",
    *_added(
        "promotions",
        {
            "outcome": "varchar",
            "effect": "double",
            "effect_low": "double",
            "effect_high": "double",
            "minimum_effect": "double",
            "resamples": "integer",
        },
    ),
    f"""create table if not exists {SCHEMA}.promotion_limits (
        prediction varchar, version integer, limit_name varchar, group_column varchar, group_value varchar,
        allowed double, found double, low double, high double, passed boolean, told varchar
    )""",
    f"""create table if not exists {SCHEMA}.training_steps (
        prediction varchar, version integer, step varchar, seconds double
    )""",
    OUTCOMES,
    f"""create table if not exists {SCHEMA}.champions (
        prediction varchar, version integer, since timestamp, how varchar, name varchar, reason varchar, file varchar,
        file_hash varchar, first_as_of_date date, last_as_of_date date, example_count bigint, data_fingerprint varchar
    )""",
    # Versions that an earlier release promoted, which had no outcomes and no such table.
    f"""insert into {SCHEMA}.champions by name
        select
            prediction, version, decided_at as since, 'promoted' as how, promotions.reason, file, file_hash,
            first_as_of_date, last_as_of_date, example_count, data_fingerprint
        from {SCHEMA}.promotions
        inner join {SCHEMA}.model_versions using (prediction, version)
        where
            is_promoted and outcome is null
            and (prediction, version) not in (select (prediction, version) from {SCHEMA}.champions)""",
)


@dataclass(frozen=True)
class ModelVersion:
    """One fitted candidate, numbered, immutable.

    `candidate` is its name on the leaderboard; where `recalibration` is not None, that of a family followed by
    `RECALIBRATED`. `evaluated_file` is the fit that was judged on the holdout, `file` the one that scores: the refit on
    all matured examples if there is one, else the same. `first_as_of_date` to `last_as_of_date` and `example_count` say
    what the latter has seen; `data_fingerprint` covers all matured examples of the training. `split_group` is the
    column whose values stood on one side of the split each; None if only time divided it. `parameters` are the
    candidate's hyperparameters, `reduce` how many columns it keeps. `fit_seconds` is what the judged fit took,
    `prediction_seconds` what it takes to predict a million rows. Files are named from the folder of model versions.
    """

    prediction: str
    version: int
    candidate: str
    trained_at: datetime
    code_version: str
    data_fingerprint: str
    load_ids: tuple[str, ...]
    first_as_of_date: date
    last_as_of_date: date
    example_count: int
    holdout_first_as_of_date: date
    holdout_last_as_of_date: date
    features: tuple[Feature, ...]
    libraries: Mapping[str, str]
    file: str
    file_hash: str
    task: Task
    label: str
    horizon_days: int
    evaluated_file: str
    evaluated_file_hash: str
    split_group: str | None = None
    parameters: Parameters = field(default_factory=dict, hash=False)
    recalibration: Mapping[str, float] | None = field(default=None, hash=False)
    reduce: int | None = None
    fit_seconds: float | None = None
    prediction_seconds: float | None = None

    @property
    def family(self) -> str:
        """The candidate's name as it is declared."""
        return self.candidate.removesuffix(RECALIBRATED)


@dataclass(frozen=True)
class Championship:
    """A version became champion: how, why, and with which fit.

    Parameters
    ----------
    since : datetime
        When, in UTC.
    how : {"promoted", "approved", "rolled_back"}
        By the gate alone, by a person after the gate, or by a person.
    name : str or None
        Who, where it was a person.
    reason : str
        Why.
    file, file_hash : str
        The fit in service, named from the folder of model versions.
    first_as_of_date, last_as_of_date : date
        What it has learned from.
    example_count : int
        How much that is.
    data_fingerprint : str
        Which data that is.
    """

    prediction: str
    version: int
    since: datetime
    how: Literal["promoted", "approved", "rolled_back"]
    name: str | None
    reason: str
    file: str
    file_hash: str
    first_as_of_date: date
    last_as_of_date: date
    example_count: int
    data_fingerprint: str


def prepare(session: Session) -> None:
    """Make the tables of records, and give those of an earlier release what they lack."""
    with session.transaction():
        for statement in DDL:
            session.run(statement)


def champion_of(session: Session, prediction: str) -> ModelVersion | None:
    """Return the version whose scores are published, with the fit in service; None if there is none yet."""
    if not session.has_table(SCHEMA, "promotions"):
        return None
    prepare(session)  # an earlier release may have written less
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
    if not session.has_table(SCHEMA, "champions"):
        return None
    return _last_championship(session, "prediction = ? and version = ?", (prediction, version))


def version_of(session: Session, prediction: str, version: int) -> ModelVersion | None:
    """Return a version as it was recorded; None if there is none of that number."""
    if not session.has_table(SCHEMA, "model_versions"):
        return None
    prepare(session)  # an earlier release may have written less
    sql = f"select * from {SCHEMA}.model_versions where prediction = ? and version = ?"
    rows = session.rows(sql, (prediction, version))
    return _version(rows[0]) if rows else None


def best_parameters(session: Session, prediction: str) -> dict[str, Parameters]:
    """Return the best parameters that the last training found for each candidate, by its folds."""
    if not session.has_table(SCHEMA, "trials"):
        return {}
    rows = session.rows(
        f"""select candidate, trial, metric, value, parameters
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
        if known is None or is_better(row["metric"], row["value"], known["value"]):
            best[row["candidate"]] = row
    return {candidate: json.loads(row["parameters"]) for candidate, row in best.items()}


def next_version(session: Session, prediction: str) -> int:
    """Return the number for a new model version of a prediction, from 1 on."""
    if not session.has_table(SCHEMA, "model_versions"):
        return 1
    sql = f"select coalesce(max(version), 0) + 1 as number from {SCHEMA}.model_versions where prediction = ?"
    (row,) = session.rows(sql, (prediction,))
    return int(row["number"])


def remember(
    session: Session,
    version: ModelVersion,
    *,
    evaluations: Sequence[Evaluation],
    validations: Sequence[Validation],
    trials: Sequence[Trial],
    steps: Mapping[str, float],
    outcomes: Sequence[Outcome],
    decision: Decision,
    championship: Championship | None,
) -> None:
    """Record a training in one transaction: all that was tried and measured, the decision, and what came of it."""
    key = {"prediction": version.prediction, "version": version.version}
    # Values come from metrics; a nan is the absence of one, which SQL calls null.
    rows: dict[str, list[dict[str, Any]]] = {
        "model_versions": [_row(version)],
        "evaluations": [{**key, **asdict(evaluation)} for evaluation in evaluations],
        "validations": [{**key, **asdict(validation), "value": _known(validation.value)} for validation in validations],
        "trials": [
            {
                **key,
                "trial": trial.number,
                "candidate": trial.candidate,
                "parameters": json.dumps(dict(trial.parameters)),
                "state": trial.state,
                "value": _known(trial.value),
                "folds": trial.folds,
                "seconds": trial.seconds,
            }
            for trial in trials
        ],
        "promotions": [{**key, "decided_at": version.trained_at, **_decided(decision)}],
        "promotion_limits": [{**key, **asdict(finding)} for finding in decision.findings],
        "training_steps": [{**key, "step": step, "seconds": taken} for step, taken in steps.items()],
        "outcomes": [{**key, **asdict(outcome)} for outcome in outcomes],
        "champions": [asdict(championship)] if championship else [],
    }
    with session.transaction():
        prepare(session)
        for table, records in rows.items():
            session.append(SCHEMA, table, records)


def crown(session: Session, championship: Championship) -> None:
    """Record that a version is champion from now on."""
    with session.transaction():
        prepare(session)
        session.append(SCHEMA, "champions", [asdict(championship)])


def _last_championship(session: Session, which: str, parameters: Sequence[object]) -> Championship | None:
    rows = session.rows(f"select * from {SCHEMA}.champions where {which} order by since desc limit 1", parameters)
    return Championship(**rows[0]) if rows else None


def _decided(decision: Decision) -> dict[str, Any]:
    return {
        "is_promoted": decision.is_promoted,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "metric": decision.metric,
        "challenger_value": decision.challenger_value,
        "baseline_value": decision.baseline_value,
        "champion_version": decision.champion_version,
        "champion_value": decision.champion_value,
        "effect": decision.decisive.effect,
        "effect_low": decision.decisive.low,
        "effect_high": decision.decisive.high,
        "minimum_effect": decision.minimum_effect,
        "resamples": decision.resamples,
    }


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
