"""The tables of a card: one function for each, which returns its rows in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ml.judging.evaluation import CHAMPION, SLICE, UNSEEN
from ml.judging.limits import MIN_JUDGED
from ml.models.candidates import BASELINE
from ml.report.formatting import (
    LIMITS_IN_WORDS,
    UNKNOWN,
    better_is,
    better_or_worse,
    between,
    cell,
    improvement,
    interval,
    number,
    seconds,
)
from turnout.records.trainings import Evaluation, LimitFinding

if TYPE_CHECKING:
    from ml.tasks.metrics import Metric
    from ml.training.result import Training

# An evaluation by candidate, group column, group value and metric.
Evaluations = Mapping[tuple[str, str, str, str], Evaluation]


def metric_names(training: Training) -> list[str]:
    """Return the metrics that were reported, the one that decides first."""
    reported = {row.metric for row in training.evaluations}
    known = (name for name in training.prediction.task.metrics if name in reported)
    return sorted(known, key=lambda name: name != training.decision.metric)


def metric_table(training: Training, evaluations: Evaluations) -> list[dict[str, Any]]:
    """Return a row for each metric: this version, the baseline and the champion on all examples of the holdout."""

    def of(candidate: str, name: str) -> Evaluation | None:
        return evaluations.get((candidate, "", "", name))

    candidate, metrics = training.version.candidate, training.prediction.task.metrics
    return [
        {
            "name": name,
            "words": metrics[name].title,
            "meaning": metrics[name].meaning,
            "better": better_is(metrics[name]),
            "value": cell(of(candidate, name)),
            "interval": interval(of(candidate, name)),
            "baseline": cell(of(BASELINE, name)),
            "champion": cell(of(CHAMPION, name)),
        }
        for name in metric_names(training)
    ]


def leaderboard(training: Training, evaluations: Evaluations) -> list[dict[str, Any]]:
    """Return a row for each candidate, the champion's and the baseline's among them, the best first."""
    metric, gain = training.decision.metric, training.prediction.gate.metric.gain
    rows = [row for row in training.evaluations if (row.group_column, row.metric) == ("", metric)]
    rows.sort(key=lambda row: float("inf") if row.value is None else -gain(row.value, 0.0))
    others = [name for name in metric_names(training) if name != metric]
    return [
        {
            "candidate": row.candidate,
            "value": cell(row),
            "interval": interval(row),
            "others": [cell(evaluations.get((row.candidate, "", "", name))) for name in others],
        }
        for row in rows
    ]


def group_tables(training: Training, evaluations: Evaluations) -> list[dict[str, Any]]:
    """Return a table for each sensitive column, that of unseen groups and one for the slices."""
    prediction, metric = training.prediction, training.decision.metric
    groups, titles = prediction.groups, prediction.documentation.titles
    others = [name for name in prediction.task.group_metrics if name != metric]
    tables: dict[str, dict[str, Any]] = {}
    for row in training.evaluations:
        if not row.group_column or (row.candidate, row.metric) != (training.version.candidate, metric):
            continue
        is_slice = row.group_column == SLICE
        words = SLICE if is_slice else titles.get(row.group_column, row.group_column)
        table = tables.setdefault(
            row.group_column,
            {
                "title": "Slices" if is_slice else words,
                "words": words,
                "conditions": groups.slices if is_slice else {},
                "others": others,
                "has_unseen_groups": row.group_column == groups.unseen_groups,
                "rows": [],
            },
        )
        table["rows"].append(_group_row(prediction.gate.metric, row, evaluations, others))
    return list(tables.values())


def _group_row(decisive: Metric, row: Evaluation, evaluations: Evaluations, others: Sequence[str]) -> dict[str, Any]:
    """Return the row of a group, from the version's evaluation in it by the metric that decides."""

    def of(candidate: str, metric: str = row.metric) -> Evaluation | None:
        return evaluations.get((candidate, row.group_column, row.group_value, metric))

    return {
        "name": row.group_value.strip() or "(empty)",
        "examples": f"{row.example_count:,}",
        "entities": f"{row.entity_count:,}",
        "value": cell(row),
        "interval": interval(row),
        "unseen": cell(of(f"{row.candidate}{UNSEEN}")),
        "compared_with_all": _compared_with_all(decisive, row, evaluations.get((row.candidate, "", "", row.metric))),
        "than_champion": better_or_worse(improvement(decisive, row, of(CHAMPION))),
        "than_baseline": better_or_worse(improvement(decisive, row, of(BASELINE))),
        "others": [cell(of(row.candidate, name)) for name in others],
        "is_small": row.entity_count < MIN_JUDGED,
    }


def limit_row(finding: LimitFinding, titles: Mapping[str, str], metric: Metric) -> dict[str, str]:
    """Return a row of the table of limits, with a sentence where the numbers alone do not say why."""
    column, value = finding.group_column, finding.group_value.strip() or "(empty)"
    where = f"{titles.get(column, column)}: {value}" if column else "all examples"
    ends = None if finding.low is None or finding.high is None else (finding.low, finding.high)
    if finding.limit_name == "slice_drop":
        allowed = f"{finding.allowed:.0%} worse"
        found = UNKNOWN if finding.found is None else better_or_worse(-finding.found)
        bounds = UNKNOWN if ends is None else between(-ends[1], -ends[0])
        is_beyond = finding.found is not None and finding.found > finding.allowed
    else:
        allowed, found = number(finding.allowed), number(finding.found)
        bounds = UNKNOWN if ends is None else f"{number(ends[0])} to {number(ends[1])}"
        is_beyond = (
            finding.limit_name == "worst_group"
            and finding.found is not None
            and metric.is_better(finding.allowed, finding.found)
        )
    is_clear = finding.passed and finding.found is not None and not is_beyond
    return {
        "name": LIMITS_IN_WORDS.get(finding.limit_name, finding.limit_name),
        "where": where,
        "allowed": allowed,
        "found": found,
        "interval": bounds,
        "verdict": "kept" if is_clear else "not judged" if finding.passed else "broken",
        "message": "" if is_clear else finding.message,
    }


def trial_table(training: Training) -> list[dict[str, Any]]:
    """Return a row for each candidate: how much of it was tried, and the best that came of it."""
    gain = training.prediction.gate.metric.gain
    rows = []
    for candidate in dict.fromkeys(trial.candidate for trial in training.choice.trials):
        own = [trial for trial in training.choice.trials if trial.candidate == candidate]
        values = [trial.value for trial in own if trial.state == "complete" and trial.value is not None]
        counts = {state: sum(trial.state == state for trial in own) for state in ("complete", "pruned")}
        taken = seconds(sum(trial.seconds for trial in own))
        best = max(values, key=lambda value: gain(value, 0.0), default=None)
        rows.append({"candidate": candidate, **counts, "best": number(best), "seconds": taken})
    return rows


def fold_table(training: Training) -> dict[str, Any]:
    """Return a row for each fold before the holdout, a value for each candidate."""
    names = list(dict.fromkeys(row.candidate for row in training.choice.validations))
    folds: dict[int, dict[str, Any]] = {}
    for row in training.choice.validations:
        dates = f"{row.first_as_of_date} to {row.last_as_of_date}"
        fold = folds.setdefault(row.fold, {"dates": dates, "examples": f"{row.example_count:,}", "found": {}})
        fold["found"][row.candidate] = number(row.value)
    rows = [{**fold, "cells": [fold["found"].get(name, UNKNOWN) for name in names]} for fold in folds.values()]
    return {"candidates": names, "rows": rows}


def comparison_table(training: Training) -> list[dict[str, str]]:
    """Return a row for each candidate that was not chosen: how it did beside the chosen one, over the folds."""
    rows = []
    for candidate, comparison in training.choice.comparisons.items():
        low, high = comparison.low, comparison.high
        rows.append(
            {
                "candidate": candidate,
                "mean": number(comparison.value),
                "beside": better_or_worse(comparison.effect),
                "interval": UNKNOWN if low is None or high is None else between(low, high),
            }
        )
    return rows


def parameter_rows(training: Training) -> list[dict[str, str]]:
    """Return a row for each parameter of the chosen candidate; of an average, of each member."""
    best, parameters = training.choice.best, training.version.parameters
    members = parameters.items() if best.is_average else [(best.name, parameters)]
    return [
        {"candidate": name, "name": key, "value": number(value)} for name, own in members for key, value in own.items()
    ]


def _compared_with_all(decisive: Metric, row: Evaluation, all_examples: Evaluation | None) -> str:
    """Say whether a group's whole interval is on one side of the value for all examples."""
    if row.low is None or row.high is None or row.value is None or all_examples is None or all_examples.value is None:
        return "not known"
    if row.low <= all_examples.value <= row.high:
        return "no clear difference"
    return "better" if decisive.is_better(row.value, all_examples.value) else "worse"
