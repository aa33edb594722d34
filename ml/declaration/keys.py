"""The keys that may stand under `config.meta.prediction`: their types, their defaults, and words for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from ml.judging.limits import Limits
from ml.tasks import TASKS
from ml.tasks.task import BaselineKind

# What earlier releases called a key, and what is written today.
RENAMED_KEYS: Mapping[str, str] = {
    "release": "'treatment_share'",
    "severe": "'requires_approval', and 'audit: strict' for audits",
    "reduce": "'max_features'",
    "leave_out": "'unseen_groups'",
}

# Keys whose values have keys of their own, which a message names.
NESTED_KEYS = {"acknowledged", "search", "limits", "slices"}

# What may stand at a key, for a remedy; at all others it is a name.
TYPES_IN_WORDS = {
    "task": " or ".join(f"'{name}'" for name in TASKS),
    "candidates": "a list of names, such as [linear, lightgbm], or of import paths of scikit-learn estimators",
    "baseline": "'prior' or 'entity_mean'",
    "max_features": "a whole number of columns to keep, at least 1",
    "search": "how many trials and seconds at most, such as {trials: 50, seconds: 30}",
    "slices": 'a condition in SQL for each name, such as {new_customers: "days_since_first_order < 28"}',
    "minimum_effect": "a share, such as 0.005 for half a percent",
    "limits": f"a number for any of {', '.join(field.name for field in fields(Limits))}",
    "reasons": "true or false",
    "treatment_share": "a percentage above 0, at most 100, such as 10",
    "trusted_types": "a list of types, such as [my_package.models.Estimator]",
    "horizon_days": "a whole number of days, at least 1",
    "gap_days": "a whole number of days, at least horizon_days",
    "holdout_dates": "a whole number of as-of dates, at least 1",
    "sensitive": "a list of column names, such as [age_band]",
    "group": "the name of a column",
    "unseen_groups": "the name of a column",
    "sample": "a whole number of examples, at least 1",
    "requires_approval": "true or false",
    "audit": "'lenient' or 'strict'",
    "audit_entities": "a whole number of entities, at least 1",
    "arrival_days": "a whole number of days, at least 0",
    "acknowledged": 'a reason in words for each subject of a finding, such as {unstable: {column: "Why it is right."}}',
    "retrain": 'a cron expression in quotes, such as "0 17 * * 0"',
}


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class SearchBudget:
    """How long hyperparameters are searched for, after every candidate was tried with its defaults.

    Parameters
    ----------
    trials : int
        Configurations to try at most; 0 searches for nothing.
    seconds : float
        Seconds to spend at most.
    """

    trials: NonNegativeInt = 50
    seconds: NonNegativeFloat = 20.0


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Declaration:
    """The keys that may stand under `config.meta.prediction`, with their defaults.

    Parameters
    ----------
    task : str
        What kind of question is asked: a name in `ml.tasks.TASKS`, or the import path of a `Task` object. The label of
        a binary prediction is 0 or 1, or false or true.
    entity, as_of, label : str
        Columns of the model: what a row is about, the moment from which we look ahead, what came true.
    horizon_days : int
        Days from the as-of date until a label has matured.
    metric : str, optional
        What candidates compete on, one of the task's metrics. Default: that of the task, such as log_loss or rmse.
    sensitive : tuple of str
        Columns that are never a feature; metrics are reported for each of their values.
    retrain : str, optional
        When to train again, as a cron expression in UTC. Default: only when asked.
    gap_days : int, optional
        Days between the last training as-of date and the first of the holdout, at least `horizon_days`,
        which is the default.
    holdout_dates : int
        How many of the last matured as-of dates are the holdout.
    group : str, optional
        A column whose rows never stand on both sides of a split where they share its value (scikit-learn's
        "groups"); the entity, or another. One that is neither the entity nor sensitive stays a feature.
    unseen_groups : str, optional
        A column that is never a feature, as the model is to serve values of it that nobody has seen yet. Metrics are
        reported for each of its values, and once more by a model that has not learned from that value.
    sample : int
        Matured examples to learn from and judge on, at most. If there are more, a half, a quarter and so on of the
        entities is taken, always the same ones; all are scored.
    requires_approval : bool
        Whether a person must approve a challenger that has earned its place, and a champion that breaks its limits may
        not score.
    audit : {"lenient", "strict"}
        Whether what could not be audited is a warning, or blocks.
    audit_entities : int
        How many entities the leakage audit builds again. Of more, it looks at a share that is another each time; what
        differs there is built again for all before it is told.
    arrival_days : int
        Days after an as-of date by which what happened before it has been loaded, and scores can be made.
    acknowledged : mapping of finding to mapping of subject to reason
        What was found and is right, with the reason. The findings, and what their subjects are, are
        `ml.declaration.finding_names.FINDINGS`.
    candidates : tuple of str or of mapping of str to parameters
        Which families compete, beside the baseline: names in `ml.models.candidates.FAMILIES`, or the import path of a
        scikit-learn estimator, alone or with parameters. A list of values for a parameter is searched. Default: all
        families that the task knows.
    baseline : {"prior", "entity_mean"}
        What every candidate has to beat: the share or mean of all, or of each entity's own past.
    max_features : int, optional
        How many of the encoded columns every candidate keeps at most. Default: all.
    search : SearchBudget
        The budget of the search for hyperparameters.
    slices : mapping of str to str
        Parts of the examples for which metrics are reported, each as a condition in SQL over the model's columns.
    minimum_effect : float
        By which share of its value a challenger must improve the metric, at least.
    limits : Limits
        What a challenger must keep to, whatever else it improves.
    reasons : bool
        Whether scores come with what moved them most.
    treatment_share : float
        Percentage of the entities that are treated: their scores may be acted on. It is always the same ones; the
        others are the control group, so that the effect can be measured.
    trusted_types : tuple of str
        Types that a saved model of an imported candidate may hold, beside those in
        `ml.models.persistence.TRUSTED_TYPES`.
    """

    task: str
    entity: str
    as_of: str
    label: str
    horizon_days: PositiveInt
    metric: str | None = None
    sensitive: tuple[str, ...] = ()
    retrain: str | None = None
    gap_days: PositiveInt | None = None
    holdout_dates: PositiveInt = 4
    group: str | None = None
    unseen_groups: str | None = None
    sample: PositiveInt = 500_000
    requires_approval: bool = False
    audit: Literal["lenient", "strict"] = "lenient"
    audit_entities: PositiveInt = 20_000
    arrival_days: NonNegativeInt = 1
    acknowledged: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    candidates: tuple[str | Mapping[str, Mapping[str, Any]], ...] | None = None
    baseline: BaselineKind = "prior"
    max_features: PositiveInt | None = None
    search: SearchBudget = SearchBudget()
    slices: Mapping[str, str] = field(default_factory=dict)
    minimum_effect: NonNegativeFloat = 0.005
    limits: Limits = Limits()
    reasons: bool = True
    treatment_share: Annotated[float, Field(gt=0, le=100)] = 100.0
    trusted_types: tuple[str, ...] = ()
