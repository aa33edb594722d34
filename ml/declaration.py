"""What an analyst declared: dbt's manifest becomes frozen dataclasses, once, here.

A dbt model is a prediction when it carries `config.meta.prediction`. This module reads and validates
that; whether the *table* keeps its promises is asked in `ml.examples.inspection`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from ml.judging.limits import Limits
from ml.models.candidates import FAMILIES, Candidate
from ml.tasks import TASKS, Task, task_named
from ml.tasks.metrics import CALIBRATION_ERROR, METRICS, Metric
from ml.tasks.task import BaselineKind
from turnout.declarations import Mistake, validated
from turnout.errors import DeclarationError, did_you_mean
from turnout.leakage.result import FINDINGS as AUDIT_FINDINGS
from turnout.personal import PERSONAL, is_personal
from turnout.project.examples_table import ExamplesTable

Manifest = Mapping[str, Any]

# A description's first sentence, if it is no longer, is what a reader calls the column.
MAX_TITLE = 80

# What may be found and acknowledged, and what the finding is about: a column of the model, or a source, `name.table`.
# The leakage audit has its own; the others are explained in `ml.features.findings`.
FINDINGS: Mapping[str, Literal["column", "source"]] = {
    "missing": "column",
    "unlabelled": "column",
    "constant": "column",
    "identifier": "column",
    "single_feature_leak": "column",
    "copies_label": "column",
    "unstable": "column",
    "monotone_over_time": "column",
    "sounds_sensitive": "column",
    "duplicate_entities": "column",
    **AUDIT_FINDINGS,
}

_TYPES_IN_WORDS = {
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
    "arrival_days": "a whole number of days, at least 0",
    "acknowledged": 'a reason in words for each subject of a finding, such as {unstable: {column: "Why it is right."}}',
    "retrain": 'a cron expression in quotes, such as "0 17 * * 0"',
}


# What earlier releases called a key, or a value, and what is written today.
RENAMED_KEYS: Mapping[str, str] = {
    "release": "'treatment_share'",
    "severe": "'requires_approval', and 'audit: strict' for audits",
    "reduce": "'max_features'",
    "leave_out": "'unseen_groups'",
}
RENAMED_FINDINGS: Mapping[str, str] = {
    "counts_up": "monotone_over_time",
    "strong_alone": "single_feature_leak",
    "twins": "duplicate_entities",
}

# Keys whose values have keys of their own, which a message names.
_NESTED = {"acknowledged", "search", "limits", "slices"}


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
    arrival_days : int
        Days after an as-of date by which what happened before it has been loaded, and scores can be made.
    acknowledged : mapping of finding to mapping of subject to reason
        What was found and is right, with the reason. The findings, and what their subjects are, are `FINDINGS`.
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


@dataclass(frozen=True, kw_only=True, config=ConfigDict(arbitrary_types_allowed=True))
class Prediction(ExamplesTable):
    """A dbt model of examples and what was declared about it, every default filled in.

    Parameters
    ----------
    description : str
        The model's description.
    reasons : bool
        Whether scores come with the features that moved them most.
    titles : mapping of str to str
        What a reader calls each documented column: the `title` in its `config.meta`, or the first sentence of its
        description if it is short, or its name with blanks.

    The other attributes are those of `Declaration` and of `ExamplesTable`, whose `name` the scores table has as well.
    """

    description: str
    task: Task
    metric: str
    sensitive: tuple[str, ...]
    retrain: str | None
    gap_days: int
    holdout_dates: int
    group: str | None = None
    unseen_groups: str | None = None
    sample: int = 500_000
    requires_approval: bool = False
    candidates: tuple[Candidate, ...] = tuple(Candidate(family) for family in FAMILIES)
    baseline: BaselineKind = "prior"
    max_features: int | None = None
    search: SearchBudget = SearchBudget()
    slices: Mapping[str, str] = field(default_factory=dict, hash=False)
    minimum_effect: float = 0.005
    limits: Limits = Limits()
    reasons: bool = True
    treatment_share: float = 100.0
    trusted_types: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def grouping(self) -> tuple[str, ...]:
        """The columns that are no features, and for each of whose values metrics are reported."""
        return (*self.sensitive, *([] if self.unseen_groups is None else [self.unseen_groups]))

    @property
    def decisive_metric(self) -> Metric:
        """What candidates compete on."""
        return self.task.metrics[self.metric]


def predictions_in(manifest: Manifest) -> tuple[Prediction, ...]:
    """Return the declared predictions, by name.

    Parameters
    ----------
    manifest : mapping
        The content of dbt's `manifest.json`.

    Raises
    ------
    DeclarationError
        On the first mistake, with file, model, key and remedy.
    """
    models = (node for node in manifest["nodes"].values() if node["resource_type"] == "model")
    declared = [node for node in models if "prediction" in node["config"]["meta"]]
    return tuple(sorted((_prediction(node) for node in declared), key=lambda prediction: prediction.name))


def _prediction(node: Mapping[str, Any]) -> Prediction:
    # The patch path is the YAML file, "project://models/x.yml"; a declaration inside the SQL has none.
    file = (node["patch_path"] or node["original_file_path"]).split("://")[-1]
    where = f"{file}, model '{node['name']}'"
    declaration = _validated(node["config"]["meta"]["prediction"], where)
    task = task_named(declaration.task, f"{where}, key 'config.meta.prediction.task'")
    metric = declaration.metric or task.default_metric
    _check_task(task, metric, declaration, where)
    gap_days = declaration.gap_days or declaration.horizon_days
    if gap_days < declaration.horizon_days:
        raise _error(
            f"gap_days is {gap_days}, but the horizon is {declaration.horizon_days} days.",
            where,
            "gap_days",
            f"leave gap_days out, or make it {declaration.horizon_days} or more: with a smaller gap the last "
            "training labels look into the holdout.",
        )
    _check_columns(declaration, list(node["columns"]), where)
    _check_personal(declaration, node["columns"], where)
    _check_acknowledged(declaration.acknowledged, list(node["columns"]), where)
    return Prediction(
        name=node["name"],
        unique_id=node["unique_id"],
        schema=node["schema"],
        table=node["alias"],
        file=file,
        description=node["description"],
        task=task,
        entity=declaration.entity,
        as_of=declaration.as_of,
        label=declaration.label,
        horizon_days=declaration.horizon_days,
        metric=metric,
        sensitive=declaration.sensitive,
        retrain=declaration.retrain,
        gap_days=gap_days,
        holdout_dates=declaration.holdout_dates,
        group=declaration.group,
        unseen_groups=declaration.unseen_groups,
        sample=declaration.sample,
        requires_approval=declaration.requires_approval,
        audit=declaration.audit,
        arrival_days=declaration.arrival_days,
        acknowledged=declaration.acknowledged,
        candidates=_candidates(declaration.candidates, task, where),
        baseline=declaration.baseline,
        max_features=declaration.max_features,
        search=declaration.search,
        slices=declaration.slices,
        minimum_effect=declaration.minimum_effect,
        limits=declaration.limits,
        reasons=declaration.reasons,
        treatment_share=declaration.treatment_share,
        trusted_types=declaration.trusted_types,
        titles={name: _title(name, column) for name, column in node["columns"].items()},
    )


def _title(name: str, column: Mapping[str, Any]) -> str:
    title = column.get("config", {}).get("meta", {}).get("title")
    if isinstance(title, str) and title.strip():
        return title.strip()
    words = " ".join(column.get("description", "").replace("`", "").split())
    sentence = re.split(r"(?<=[.!?])\s", words)[0].rstrip(".")
    if not 0 < len(sentence) <= MAX_TITLE:
        return name.replace("_", " ")
    first_word = sentence.split()[0]
    is_acronym = len(first_word) > 1 and first_word[1].isupper()
    return sentence if is_acronym else sentence[0].lower() + sentence[1:]


def _validated(declared: object, where: str) -> Declaration:
    def wrong(mistake: Mistake) -> DeclarationError:
        what, path = mistake.what, mistake.path
        remedy = mistake.remedy(_TYPES_IN_WORDS.get(path[0], "a name") if path else "")
        if len(path) > 1:
            key = path[0]
            remedy = f"write {_TYPES_IN_WORDS.get(key, 'a name')}."
            if key not in _NESTED:
                assert isinstance(declared, Mapping)  # there is a key
                what, path = f"'{key}' is {declared[key]!r}.", (key,)
            elif mistake.kind == "unknown":
                what = f"'{key}' has no key '{path[1]}'.{did_you_mean(path[1], mistake.keys)}"
        return _error(what, where, ".".join(path) or "prediction", remedy)

    return validated(Declaration, declared, wrong, RENAMED_KEYS)


def _check_task(task: Task, metric: str, declaration: Declaration, where: str) -> None:
    """Refuse a metric, a baseline or a limit that the task does not know."""
    if metric not in task.deciding:
        known = {**METRICS, **task.metrics}
        raise _error(
            f"metric '{metric}' cannot decide a {task.name} prediction."
            if metric in known
            else f"there is no metric '{metric}'.{did_you_mean(metric, known)}",
            where,
            "metric",
            f"choose one of: {', '.join(task.deciding)}.",
        )
    if declaration.baseline not in task.baselines:
        raise _error(
            f"a {task.name} prediction has no baseline '{declaration.baseline}'.",
            where,
            "baseline",
            f"choose one of: {', '.join(task.baselines)}.",
        )
    if declaration.limits.calibration_error is not None and CALIBRATION_ERROR.name not in task.metrics:
        raise _error(
            f"a {task.name} prediction has no calibration error, so a limit for it would never break.",
            where,
            "limits",
            "leave 'calibration_error' out.",
        )


def _candidates(
    declared: Sequence[str | Mapping[str, Mapping[str, Any]]] | None, task: Task, where: str
) -> tuple[Candidate, ...]:
    """Return the candidates; a list of values for a parameter is searched, all other values are fixed."""
    found: dict[str, Candidate] = {}
    families = [family for family in FAMILIES if family in task.families]
    for entry in families if declared is None else declared:
        if isinstance(entry, Mapping) and len(entry) != 1:
            raise _error(
                f"an entry of 'candidates' names {len(entry)} candidates: {', '.join(entry)}.",
                where,
                "candidates",
                "begin each with a dash of its own.",
            )
        (name, parameters), *_ = [(entry, {})] if isinstance(entry, str) else entry.items()
        if name not in families and "." not in name:
            raise _error(
                f"a {task.name} prediction has no candidate '{name}'."
                if name in FAMILIES
                else f"there is no candidate '{name}'.{did_you_mean(name, families)}",
                where,
                "candidates",
                f"name any of {', '.join(families)}, or the import path of an estimator, such as "
                "sklearn.ensemble.ExtraTreesClassifier.",
            )
        if name in found:
            raise _error(f"the candidate '{name}' is named twice.", where, "candidates", "name it once.")
        choices = {key: tuple(value) for key, value in parameters.items() if isinstance(value, list)}
        if empty := [key for key, values in choices.items() if not values]:
            raise _error(
                f"the parameter '{empty[0]}' of '{name}' has no value to choose.", where, "candidates", "list some."
            )
        found[name] = Candidate(name, {key: parameters[key] for key in parameters if key not in choices}, choices)
    if not found:
        raise _error("'candidates' is empty.", where, "candidates", "leave it out, or name at least one.")
    return tuple(found.values())


def _check_columns(declaration: Declaration, columns: Sequence[str], where: str) -> None:
    named = {
        "entity": [declaration.entity],
        "as_of": [declaration.as_of],
        "label": [declaration.label],
        "sensitive": list(declaration.sensitive),
        "unseen_groups": [] if declaration.unseen_groups is None else [declaration.unseen_groups],
    }
    group = [] if declaration.group is None else [declaration.group]
    for key, names in {**named, "group": group}.items():
        for name in names:
            if name not in columns:
                raise _error(
                    f"'{key}' names the column '{name}', which the model does not document."
                    f"{did_you_mean(name, columns)}",
                    where,
                    key,
                    f"correct the name, or add '{name}' under 'columns:' of the model.",
                )
    names = [name for group in named.values() for name in group]
    for name in names:
        if names.count(name) > 1:
            roles = " and ".join(key for key, group in named.items() if name in group)
            raise _error(
                f"the column '{name}' is named twice ({roles}).",
                where,
                roles,
                "give every role a column of its own.",
            )
    if declaration.group in {declaration.as_of, declaration.label}:
        raise _error(
            f"'group' names the column '{declaration.group}', which is the as-of date or the label.",
            where,
            "group",
            f"name what rows have in common, such as '{declaration.entity}', or leave 'group' out.",
        )


def _check_personal(declaration: Declaration, columns: Mapping[str, Any], where: str) -> None:
    for name, column in columns.items():
        if is_personal(column) and name != declaration.entity:
            raise _error(
                f"the column '{name}' is tagged '{PERSONAL}'.",
                where,
                "prediction",
                f"leave '{name}' out of the model: what tells who somebody is, is no feature. Join it in a mart.",
            )


def _check_acknowledged(acknowledged: Mapping[str, Mapping[str, str]], columns: Sequence[str], where: str) -> None:
    for finding, reasons in acknowledged.items():
        key = f"acknowledged.{finding}"
        if finding not in FINDINGS:
            raise _error(
                f"there is no finding '{finding}' any more: it is '{RENAMED_FINDINGS[finding]}' now."
                if finding in RENAMED_FINDINGS
                else f"there is no finding '{finding}'.{did_you_mean(finding, FINDINGS)}",
                where,
                key,
                f"the findings are {', '.join(FINDINGS)}.",
            )
        for subject, reason in reasons.items():
            if FINDINGS[finding] == "column" and subject not in columns:
                raise _error(
                    f"'{finding}' of '{subject}' is acknowledged, but the model documents no such column."
                    f"{did_you_mean(subject, columns)}",
                    where,
                    key,
                    f"correct the name, or take '{subject}' out.",
                )
            if FINDINGS[finding] == "source" and not all([*subject.partition("."), subject.count(".") == 1]):
                raise _error(
                    f"'{finding}' of '{subject}' is acknowledged, which is no source.",
                    where,
                    key,
                    "write the source and its table, such as shop.orders.",
                )
            if not reason.strip():
                raise _error(
                    f"'{finding}' of '{subject}' is acknowledged without a reason.",
                    where,
                    f"{key}.{subject}",
                    "say in a sentence why it is right, or take it out, so that it is a warning again.",
                )


def _error(what: str, where: str, key: str, remedy: str) -> DeclarationError:
    return DeclarationError(
        f"Declaration: {what}",
        where=f"{where}, key 'config.meta.prediction.{key}'" if key != "prediction" else where,
        rule="a prediction is declared completely and exactly, so that nothing is guessed.",
        remedy=remedy,
    )
