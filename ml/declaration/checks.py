"""What cannot stand in a declaration although each key by itself is right: an error in words for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml.declaration.finding_names import FINDINGS, RENAMED_FINDINGS
from ml.declaration.keys import BY_TIME, Declaration
from ml.models.score_columns import score_column_names
from ml.tasks import Task
from ml.tasks.metrics import CALIBRATION_ERROR, METRICS
from turnout.declarations import Place
from turnout.errors import did_you_mean
from turnout.personal import PERSONAL, is_personal


def check(declaration: Declaration, task: Task, columns: Mapping[str, Any], place: Place) -> None:
    """Refuse a declaration that contradicts itself, its task, or the model that it stands in.

    Parameters
    ----------
    task : Task
        The one that is declared.
    columns : mapping of str to mapping
        What the model documents, by name: nodes of dbt's manifest.

    Raises
    ------
    DeclarationError
        On the first mistake.
    """
    _check_task(declaration, task, place)
    _check_gap(declaration, place)
    _check_split(declaration, place)
    _check_columns(declaration, list(columns), place)
    _check_key(declaration, task, place)
    _check_label(declaration, place)
    _check_personal(declaration, columns, place)
    _check_acknowledged(declaration.acknowledged, list(columns), place)


def _check_task(declaration: Declaration, task: Task, place: Place) -> None:
    """Refuse a metric, a baseline or a limit that the task does not know."""
    metric = declaration.metric or task.default_metric
    if metric not in task.deciding:
        known = {**METRICS, **task.metrics}
        raise place.error(
            f"metric '{metric}' cannot decide a {task.name} prediction."
            if metric in known
            else f"there is no metric '{metric}'.{did_you_mean(metric, known)}",
            f"choose one of: {', '.join(task.deciding)}.",
            "metric",
        )
    if declaration.baseline not in task.baselines:
        raise place.error(
            f"a {task.name} prediction has no baseline '{declaration.baseline}'.",
            f"choose one of: {', '.join(task.baselines)}.",
            "baseline",
        )
    if declaration.limits.calibration_error is not None and CALIBRATION_ERROR.name not in task.metrics:
        raise place.error(
            f"a {task.name} prediction has no calibration error, so a limit for it would never break.",
            "leave 'calibration_error' out.",
            "limits",
        )


def _check_gap(declaration: Declaration, place: Place) -> None:
    if declaration.gap_days and declaration.gap_days < declaration.horizon_days:
        raise place.error(
            f"gap_days is {declaration.gap_days}, but the horizon is {declaration.horizon_days} days.",
            f"leave gap_days out, or make it {declaration.horizon_days} or more: with a smaller gap the last "
            "training labels look into the holdout.",
            "gap_days",
        )


def _check_split(declaration: Declaration, place: Place) -> None:
    """Refuse two answers to one question about the holdout."""
    if declaration.holdout_dates is not None and declaration.holdout_from is not None:
        raise place.error(
            "both 'holdout_dates' and 'holdout_from' say what the holdout is.", "declare one of them.", "holdout_from"
        )
    if declaration.split == BY_TIME:
        return
    for key in ("group", "holdout_dates", "holdout_from", "fold_dates", "gap_days"):
        if getattr(declaration, key) is not None:
            raise place.error(
                f"'split' is '{declaration.split}', so entities are judged on the dates that were learned from, and "
                f"'{key}' has no meaning.",
                f"leave '{key}' out, or leave 'split' out to judge on later dates.",
                "split",
            )


def _check_columns(declaration: Declaration, columns: Sequence[str], place: Place) -> None:
    named = {
        "entity": [declaration.entity],
        "as_of": [declaration.as_of],
        "label": [declaration.label.column],
        "sensitive": list(declaration.sensitive),
        "unseen_groups": [] if declaration.unseen_groups is None else [declaration.unseen_groups],
    }
    shared = {"group": declaration.group, "split": None if declaration.split == BY_TIME else declaration.split}
    dealt = {key: [name] for key, name in shared.items() if name is not None}
    others = {"label.expect.by": list(declaration.label.expect.by), "ignore": list(declaration.ignore)}
    for key, names in {**named, **dealt, **others}.items():
        for name in names:
            if name not in columns:
                raise place.column_error(
                    key,
                    name,
                    columns,
                    "the model does not document",
                    f"correct the name, or add '{name}' under 'columns:' of the model.",
                )
    names = [name for group in named.values() for name in group]
    for name in names:
        if names.count(name) > 1:
            roles = " and ".join(key for key, group in named.items() if name in group)
            raise place.error(
                f"the column '{name}' is named twice ({roles}).", "give every role a column of its own.", roles
            )
    for key, (name,) in dealt.items():
        if name in {declaration.as_of, declaration.label.column}:
            raise place.error(
                f"'{key}' names the column '{name}', which is the as-of date or the label.",
                f"name what rows have in common, such as '{declaration.entity}', or leave '{key}' out.",
                key,
            )
    for name in declaration.ignore:
        if name in names:
            raise place.error(
                f"'ignore' names the column '{name}', which has a role of its own.",
                "take it out of 'ignore': a column with a role is no feature.",
                "ignore",
            )


def _check_key(declaration: Declaration, task: Task, place: Place) -> None:
    """Refuse a key that is called as a column of the scores, where it stands beside it."""
    ours = score_column_names(task)
    for key, name in (("entity", declaration.entity), ("as_of", declaration.as_of)):
        if name.lower() in ours:
            raise place.error(
                f"'{key}' names the column '{name}', and so is a column of every table of scores called.",
                f"call it otherwise in the model; taken are {', '.join(ours)}.",
                key,
            )


def _check_label(declaration: Declaration, place: Place) -> None:
    """Refuse what cannot be expected of labels."""
    expected = declaration.label.expect
    if expected.min is not None and expected.max is not None and expected.min >= expected.max:
        raise place.error(
            f"of the labels a mean of at least {expected.min:g} and at most {expected.max:g} is expected.",
            "write a 'min' below the 'max', or one of them alone.",
            "label.expect",
        )
    for name in expected.by:
        if name in {declaration.entity, declaration.as_of, declaration.label.column} or expected.by.count(name) > 1:
            raise place.error(
                f"labels are expected by '{name}', which is part of the key, the label itself, or named twice.",
                "name columns that many entities share, such as a state; each as-of date counts by itself anyway.",
                "label.expect.by",
            )


def _check_personal(declaration: Declaration, columns: Mapping[str, Any], place: Place) -> None:
    for name, column in columns.items():
        if is_personal(column) and name != declaration.entity:
            raise place.error(
                f"the column '{name}' is tagged '{PERSONAL}'.",
                f"leave '{name}' out of the model: what tells who somebody is, is no feature. Join it in a mart.",
            )


def _check_acknowledged(acknowledged: Mapping[str, Mapping[str, str]], columns: Sequence[str], place: Place) -> None:
    for finding, reasons in acknowledged.items():
        key = f"acknowledged.{finding}"
        if finding not in FINDINGS:
            raise place.error(
                f"there is no finding '{finding}' any more: it is '{RENAMED_FINDINGS[finding]}' now."
                if finding in RENAMED_FINDINGS
                else f"there is no finding '{finding}'.{did_you_mean(finding, FINDINGS)}",
                f"the findings are {', '.join(FINDINGS)}.",
                key,
            )
        for subject, reason in reasons.items():
            if FINDINGS[finding] == "column" and subject not in columns:
                raise place.error(
                    f"'{finding}' of '{subject}' is acknowledged, but the model documents no such column."
                    f"{did_you_mean(subject, columns)}",
                    f"correct the name, or take '{subject}' out.",
                    key,
                )
            if FINDINGS[finding] == "source" and not all([*subject.partition("."), subject.count(".") == 1]):
                raise place.error(
                    f"'{finding}' of '{subject}' is acknowledged, which is no source.",
                    "write the source and its table, such as shop.orders.",
                    key,
                )
            if not reason.strip():
                raise place.error(
                    f"'{finding}' of '{subject}' is acknowledged without a reason.",
                    "say in a sentence why it is right, or take it out, so that it is a warning again.",
                    f"{key}.{subject}",
                )
