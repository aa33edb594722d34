"""The words of a card: what limits are called, what is better, and how numbers are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ml.tasks.numbers import number as written
from turnout.records.trainings import Evaluation

if TYPE_CHECKING:
    from ml.tasks.metrics import Metric

UNKNOWN = "–"  # noqa: RUF001 - a dash, as an empty cell looks like a mistake


LIMITS_IN_WORDS: Mapping[str, str] = {
    "calibration_error": "calibration error",
    "worst_group": "worst group",
    "slice_drop": "drop in a group or slice",
    "prediction_seconds": "seconds for a million rows",
}


def better_is(metric: Metric) -> str:
    """Return which values of a metric are better."""
    is_greater = metric.greater_is_better
    return "nearer to 0" if is_greater is None else "higher" if is_greater else "lower"


def better_or_worse(effect: float | None) -> str:
    """Return a share by which something is better, such as "1.20% worse" for -0.012."""
    if effect is None:
        return UNKNOWN
    share = f"{abs(effect):.1%}" if abs(effect) >= 0.1 else f"{abs(effect):.2%}"
    return f"{share} {'worse' if effect < 0 else 'better'}"


def between(low: float, high: float) -> str:
    """Return an interval of such shares in words, as in "between 1.20% and 3.40% better"."""
    if (low < 0) == (high < 0):
        first, last = sorted((low, high), key=abs)
        return f"between {better_or_worse(first).split()[0]} and {better_or_worse(last)}"
    return f"between {better_or_worse(low)} and {better_or_worse(high)}"


def improvement(metric: Metric, row: Evaluation, other: Evaluation | None) -> float | None:
    """Return by which share of the other's value this one is better; None where that is not known."""
    if other is None or row.value is None or not other.value:
        return None
    return metric.gain(row.value, other.value) / abs(other.value)


def cell(row: Evaluation | None) -> str:
    """Return the value of an evaluation, as a cell of a table."""
    if row is None:
        return UNKNOWN
    return f"{row.value:+.1%}" if row.metric == "total_bias" and row.value is not None else number(row.value)


def interval(row: Evaluation | None) -> str:
    """Return the interval of an evaluation, as a cell of a table."""
    if row is None or row.low is None or row.high is None:
        return UNKNOWN
    if row.metric == "total_bias":
        return f"{row.low:+.1%} to {row.high:+.1%}"
    return f"{number(row.low)} to {number(row.high)}"


def total_bias_in_words(row: Evaluation | None) -> str:
    """Return a sentence about the sum of all predictions; empty where it is not known."""
    if row is None or row.value is None:
        return ""
    direction = "too high" if row.value > 0 else "too low"
    certainty = "" if row.low is None or row.high is None else f" (95% interval {interval(row)})"
    return f"The sum of all predictions in the holdout is {abs(row.value):.1%} {direction}{certainty}."


def number(value: object) -> str:
    """Return a number as a cell of a column, with four significant digits; see `ml.tasks.numbers.number`."""
    return written(value, aligned=True)


def percent(share: float | None) -> str:
    """Return a share in percent, with three significant digits."""
    return UNKNOWN if share is None else f"{100 * share:.3g}%"


def seconds(taken: float) -> str:
    """Return a time in seconds with as many digits as matter."""
    return f"{taken:,.1f}" if taken >= 10 else f"{taken:.2f}"
