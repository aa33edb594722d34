"""The keys that may stand under `config.meta.prediction`: their types, their defaults, and words for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from ml.judging.limits import Limits
from ml.tasks import TASKS
from ml.tasks.task import BaselineKind

# What `split` says where no column divides.
BY_TIME = "time"

# What earlier releases called a key, and what is written today.
RENAMED_KEYS: Mapping[str, str] = {
    "release": "'treatment_share'",
    "severe": "'requires_approval', and 'audit: strict' for audits",
    "reduce": "'max_features'",
    "leave_out": "'unseen_groups'",
}

# Keys whose values have keys of their own, which a message names.
NESTED_KEYS = {"acknowledged", "label", "label_range", "search", "limits", "slices"}

# What may stand at a key, for a remedy; at all others it is a name.
TYPES_IN_WORDS = {
    "task": " or ".join(f"'{name}'" for name in TASKS),
    "label": "the name of a column, or with what is to be expected of it, such as {column: has_voted, "
    "expect: {min: 0.05, max: 0.95, by: [state]}}",
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
    "label_range": "the least and the greatest value that a label can have, or one of them, such as {min: 0}",
    "horizon_days": "a whole number of days, at least 1",
    "gap_days": "a whole number of days, at least horizon_days",
    "holdout_dates": "a whole number of as-of dates, at least 1",
    "holdout_from": "a date, such as 2024-01-01",
    "fold_dates": "a whole number of as-of dates, at least 1",
    "split": "'time', or the name of a column, such as the entity",
    "sensitive": "a list of column names, such as [age_band]",
    "ignore": "a list of column names, such as [customer_id]",
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
class LabelRange:
    """What a label can be: None is no end. Scores keep to it.

    Parameters
    ----------
    min, max : float, optional
        The ends, in units of the label.
    """

    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class LabelExpectation:
    """What is to be expected of labels; beyond that, and beyond chance, nothing is learned from them.

    Parameters
    ----------
    min, max : float, optional
        Between what the mean label of an as-of date lies. Default: learned from the other as-of dates, and about gross
        errors alone; see `ml.examples.plausibility`.
    by : tuple of str
        Columns for each of whose values, or pairs of values, that holds. Default: for all examples together.
    """

    min: float | None = None
    max: float | None = None
    by: tuple[str, ...] = ()


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Label:
    """The column of the label, and what is to be expected of it.

    Parameters
    ----------
    column : str
        What came true.
    expect : LabelExpectation
        Between what its mean lies.
    """

    column: str
    expect: LabelExpectation = LabelExpectation()


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Declaration:
    """The keys that may stand under `config.meta.prediction`, with their defaults.

    Parameters
    ----------
    task : str
        What kind of question is asked: a name in `ml.tasks.TASKS`, or the import path of a `Task` object. The label of
        a binary prediction is 0 or 1, or false or true.
    entity, as_of : str
        Columns of the model: what a row is about, the moment from which we look ahead.
    label : str or Label
        The column that says what came true; or a mapping of `column` to it and `expect` to `min` and `max` of its mean
        at each as-of date, `by` a list of columns if it holds for each of their values. What lies beyond stops a
        training, and so do as-of dates or unseen groups whose labels are far from all others.
    horizon_days : int
        Days from the as-of date until a label has matured.
    metric : str, optional
        What candidates compete on, one of the task's metrics. Default: that of the task, such as log_loss or rmse.
        Where it is `mae`, the families also learn for the absolute error.
    label_range : LabelRange, optional
        Of a regression: what its label can be, such as {min: 0} for an amount. No score lies outside.
    sensitive : tuple of str
        Columns that are never a feature; metrics are reported for each of their values.
    ignore : tuple of str
        Columns that are there for SQL alone, such as an id or the column of `group`: never a feature, and nothing is
        reported of them.
    retrain : str, optional
        When to train again, as a cron expression in UTC. Default: only when asked.
    gap_days : int, optional
        Days between the last training as-of date and the first of the holdout, at least `horizon_days`,
        which is the default.
    split : str
        What divides training and holdout: `time`, or a column whose values are dealt to them by a hash, such as the
        entity. That is for examples of one as-of date, those of an experiment or a survey; it cannot show how a model
        does on later dates.
    holdout_dates : int, optional
        How many of the last matured as-of dates are the holdout. Default: 4.
    holdout_from : date, optional
        The first day of the holdout, in place of `holdout_dates`.
    fold_dates : int, optional
        How many as-of dates each fold of the training dates is judged on, in which candidates are chosen. Default: as
        many as the holdout has, 4 at most.
    group : str, optional
        A column whose rows never stand on both sides of a split where they share its value (scikit-learn's
        "groups"); the entity, or another. One that is neither the entity nor sensitive stays a feature, unless it
        stands under `ignore`.
    unseen_groups : str, optional
        A column that is never a feature, as the model is to serve values of it that nobody has seen yet. Metrics are
        reported for each of its values, and once more by a model that has not learned from that value.
    sample : int
        Examples to learn from, at most. If there are more before the holdout, a half, a quarter and so on of the
        entities is taken, always the same ones. The holdout has 200,000 examples at most, which are enough for its
        intervals, and all examples are scored.
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
        scikit-learn estimator, alone or with parameters. A list of values for a parameter is searched. `average` is
        the mean of what all others predict. Default: all families that the task knows, and their average.
    baseline : {"prior", "entity_mean"}
        What every candidate has to beat: the share or mean of all, or of each entity's own past.
    max_features : int, optional
        How many of the encoded columns every candidate keeps at most. Default: all.
    search : SearchBudget, optional
        The budget of a search for hyperparameters. What it finds counts only if it is better than the defaults beyond
        chance. Default: every candidate is taken with its defaults.
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
    label: Label
    horizon_days: PositiveInt
    metric: str | None = None
    label_range: LabelRange | None = None
    sensitive: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    retrain: str | None = None
    gap_days: PositiveInt | None = None
    split: str = BY_TIME
    holdout_dates: PositiveInt | None = None
    holdout_from: date | None = None
    fold_dates: PositiveInt | None = None
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
    search: SearchBudget | None = None
    slices: Mapping[str, str] = field(default_factory=dict)
    minimum_effect: NonNegativeFloat = 0.005
    limits: Limits = Limits()
    reasons: bool = True
    treatment_share: Annotated[float, Field(gt=0, le=100)] = 100.0
    trusted_types: tuple[str, ...] = ()
