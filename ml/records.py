"""What is remembered of every training, in the warehouse: versions, evaluations and promotions.

Every score names its model version; from there the records lead to the training data's fingerprint, the
loads it came from and the code that made it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from ml.candidates import Feature
from ml.evaluation import Evaluation, Task, Validation
from ml.promotion import Decision
from ml.warehouse import Warehouse

SCHEMA = "records"

DDL = (
    f"create schema if not exists {SCHEMA}",
    f"""create table if not exists {SCHEMA}.model_versions (
        prediction varchar, version integer, candidate varchar, trained_at timestamp, code_version varchar,
        data_fingerprint varchar, load_ids varchar[], first_as_of_date date, last_as_of_date date,
        example_count bigint, holdout_first_as_of_date date, holdout_last_as_of_date date,
        features varchar, libraries varchar, file varchar, file_hash varchar,
        task varchar, label varchar, horizon_days integer, evaluated_file varchar, evaluated_file_hash varchar,
        split_group varchar
    )""",
    f"alter table {SCHEMA}.model_versions add column if not exists split_group varchar",
    f"""create table if not exists {SCHEMA}.evaluations (
        prediction varchar, version integer, candidate varchar, group_column varchar, group_value varchar,
        metric varchar, value double, example_count bigint
    )""",
    f"""create table if not exists {SCHEMA}.validations (
        prediction varchar, version integer, candidate varchar, fold integer, first_as_of_date date,
        last_as_of_date date, metric varchar, value double, example_count bigint
    )""",
    f"""create table if not exists {SCHEMA}.promotions (
        prediction varchar, version integer, decided_at timestamp, is_promoted boolean, reason varchar,
        metric varchar, challenger_value double, baseline_value double, champion_version integer,
        champion_value double
    )""",
)


@dataclass(frozen=True)
class Provenance:
    """Where a training comes from, as far as only the caller knows.

    Parameters
    ----------
    code_version : str
        The commit, or a hash of the source where there is none or it was changed.
    load_ids : tuple of str
        The loads behind the examples.
    """

    code_version: str
    load_ids: tuple[str, ...]


@dataclass(frozen=True)
class ModelVersion:
    """One fitted candidate, numbered, immutable.

    `evaluated_file` is the fit that was judged on the holdout, `file` the one that scores: the refit on all
    matured examples if it was promoted, else the same. `first_as_of_date` to `last_as_of_date` and
    `example_count` say what the latter has seen; `data_fingerprint` covers all matured examples. `split_group` is the
    column whose values stood on one side of the split each; None if only time divided it.
    Both files are named from the folder of model versions.
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


def champion_of(warehouse: Warehouse, prediction: str) -> ModelVersion | None:
    """Return the version whose scores are published: the last one promoted; None if there is none yet."""
    if not warehouse.has_table(SCHEMA, "promotions"):
        return None
    rows = warehouse.query(
        f"""select model_versions.*
            from {SCHEMA}.model_versions
            inner join {SCHEMA}.promotions using (prediction, version)
            where prediction = ? and is_promoted
            order by version desc limit 1""",
        (prediction,),
    ).to_pylist()
    return _version(rows[0]) if rows else None


def next_version(warehouse: Warehouse, prediction: str) -> int:
    """Return the number for a new model version of a prediction, from 1 on."""
    if not warehouse.has_table(SCHEMA, "model_versions"):
        return 1
    sql = f"select coalesce(max(version), 0) + 1 as next from {SCHEMA}.model_versions where prediction = ?"
    return int(warehouse.query(sql, (prediction,))["next"][0].as_py())


def remember(
    warehouse: Warehouse,
    version: ModelVersion,
    evaluations: Sequence[Evaluation],
    validations: Sequence[Validation],
    decision: Decision,
) -> None:
    """Record a training in one transaction: its version, all evaluations and validations, and the decision."""
    key = {"prediction": version.prediction, "version": version.version}
    # Values come from metrics; a nan is the absence of one, which SQL calls null.
    warehouse.append(
        {
            (SCHEMA, "model_versions"): [_row(version)],
            (SCHEMA, "evaluations"): [{**key, **asdict(evaluation)} for evaluation in evaluations],
            (SCHEMA, "validations"): [
                {**key, **asdict(validation), "value": _known(validation.value)} for validation in validations
            ],
            (SCHEMA, "promotions"): [
                {
                    **key,
                    "decided_at": version.trained_at,
                    "is_promoted": decision.is_promoted,
                    "reason": decision.reason,
                    "metric": decision.metric,
                    "challenger_value": _known(decision.challenger_value),
                    "baseline_value": _known(decision.baseline_value),
                    "champion_version": decision.champion.version if decision.champion else None,
                    "champion_value": decision.champion.value if decision.champion else None,
                }
            ],
        },
        DDL,
    )


def _row(version: ModelVersion) -> dict[str, Any]:
    row = asdict(version)
    row["load_ids"] = list(version.load_ids)
    row["features"] = json.dumps({feature.name: feature.kind for feature in version.features})
    row["libraries"] = json.dumps(dict(version.libraries))
    return row


def _version(row: dict[str, Any]) -> ModelVersion:
    features = tuple(Feature(name, kind) for name, kind in json.loads(row["features"]).items())
    return ModelVersion(
        **{
            **row,
            "load_ids": tuple(row["load_ids"]),
            "features": features,
            "libraries": json.loads(row["libraries"]),
        }
    )


def _known(value: float) -> float | None:
    return None if value != value else value  # only nan differs from itself
