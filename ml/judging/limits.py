"""The limits that a challenger must keep to, and what is found where they are held against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml.judging.evaluation import SLICE
from ml.tasks.metrics import CALIBRATION_ERROR
from ml.tasks.numbers import number
from turnout.records.trainings import LimitFinding

if TYPE_CHECKING:
    from ml.tasks.metrics import Metric
    from turnout.records.trainings import Evaluation

# A group of fewer entities is reported, not judged: a handful of people breaks any limit now and then.
MIN_JUDGED = 30


@dataclass(frozen=True)
class Limits:
    """What a challenger must keep to, however good it is; None is no limit.

    Parameters
    ----------
    calibration_error : float or None
        The largest calibration error on the holdout, in units of the label.
    worst_group : float or None
        The worst value of the deciding metric in any sensitive group.
    slice_drop : float or None
        By which share it may be worse than the champion in a sensitive group or slice; 0.1 is a tenth. More than that
        breaks the limit only if the challenger is worse there beyond chance.
    prediction_seconds : float or None
        The most seconds for a million rows.
    """

    calibration_error: float | None = None
    worst_group: float | None = None
    slice_drop: float | None = 0.1
    prediction_seconds: float | None = None


@dataclass(frozen=True)
class Drop:
    """How the challenger does in a group or slice beside the model that it must beat.

    `effect` is the relative improvement there, `low` to `high` its 95 % interval; each is None where it is undefined.
    """

    group_column: str
    group_value: str
    entity_count: int
    effect: float | None
    low: float | None
    high: float | None


def limit_findings(
    limits: Limits,
    own: Sequence[Evaluation],
    metric: Metric,
    drops: Sequence[Drop],
    other: str,
    prediction_seconds: float,
) -> tuple[LimitFinding, ...]:
    """Return what is found of every limit and group.

    Parameters
    ----------
    own : sequence of Evaluation
        The challenger's, over all examples and in every group.
    metric : Metric
        The metric that decides.
    drops : sequence of Drop
        In every group and slice.
    other : str
        The model that it must beat, in words.
    prediction_seconds : float
        What the challenger takes for a million rows.
    """
    return (
        *_calibration(own, limits.calibration_error),
        *_worst_group(own, metric, limits.worst_group),
        *_slice_drops(drops, other, limits.slice_drop),
        *_speed(prediction_seconds, limits.prediction_seconds),
    )


def champion_limit_findings(
    evaluations: Sequence[Evaluation], name: str, metric: Metric, limits: Limits
) -> tuple[LimitFinding, ...]:
    """Return which limits a model in service breaks by itself, without another to compare it with.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        On the latest holdout; those of other names are passed over.
    name : str
        Under which the model stands there.
    """
    own = [evaluation for evaluation in evaluations if evaluation.candidate == name]
    findings = (*_calibration(own, limits.calibration_error), *_worst_group(own, metric, limits.worst_group))
    return tuple(finding for finding in findings if not finding.passed)


def _calibration(own: Sequence[Evaluation], allowed: float | None) -> Iterator[LimitFinding]:
    for evaluation in own:
        if allowed is not None and (evaluation.metric, evaluation.group_column) == (CALIBRATION_ERROR.name, ""):
            passed = evaluation.value is not None and evaluation.value <= allowed
            message = f"calibration error {number(evaluation.value)}, {number(allowed)} is allowed"
            found = evaluation.value, evaluation.low, evaluation.high
            yield LimitFinding("calibration_error", "", "", allowed, *found, passed=passed, message=message)


def _worst_group(own: Sequence[Evaluation], metric: Metric, allowed: float | None) -> Iterator[LimitFinding]:
    for evaluation in own:
        if allowed is None or evaluation.metric != metric.name or evaluation.group_column in {"", SLICE}:
            continue
        place = _place(evaluation.group_column, evaluation.group_value)
        passed, message = True, f"{metric.name} {number(evaluation.value)} {place}, {number(allowed)} is allowed"
        if evaluation.entity_count < MIN_JUDGED:
            message += f"; not judged, as there are {evaluation.entity_count} entities only"
        elif evaluation.value is not None:
            passed = not metric.is_better(allowed, evaluation.value)
        yield LimitFinding(
            "worst_group",
            evaluation.group_column,
            evaluation.group_value,
            allowed,
            evaluation.value,
            evaluation.low,
            evaluation.high,
            passed,
            message,
        )


def _slice_drops(drops: Sequence[Drop], other: str, allowed: float | None) -> Iterator[LimitFinding]:
    for group in drops:
        if allowed is None:
            continue
        place = _place(group.group_column, group.group_value)
        found, low, high = (_negative(end) for end in (group.effect, group.high, group.low))
        passed, message = True, f"not comparable with {other} {place}"
        if found is not None:
            message = f"{signed(-found)} than {other} {place}, {allowed:.0%} worse is allowed"
            is_too_much = found > allowed
            is_beyond_chance = low is not None and low > 0
            if group.entity_count < MIN_JUDGED:
                message += f"; not judged, as there are {group.entity_count} entities only"
            elif is_too_much and not is_beyond_chance:
                message += "; it may be chance"
            else:
                passed = not is_too_much
        yield LimitFinding(
            "slice_drop", group.group_column, group.group_value, allowed, found, low, high, passed, message
        )


def _speed(seconds: float, allowed: float | None) -> Iterator[LimitFinding]:
    if allowed is not None:
        message = f"{number(seconds, digits=3)} seconds for a million rows, {number(allowed, digits=3)} are allowed"
        passed = seconds <= allowed
        yield LimitFinding("prediction_seconds", "", "", allowed, seconds, None, None, passed=passed, message=message)


def _place(group_column: str, group_value: str) -> str:
    return f"in the slice '{group_value}'" if group_column == SLICE else f"where {group_column} is '{group_value}'"


def signed(effect: float) -> str:
    """Return an effect in words, such as 2.50% better."""
    return f"{abs(effect):.2%} {'worse' if effect < 0 else 'better'}"


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
