"""The words of a card: what metrics, limits and plots are called and mean, and how numbers are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ml.judging.evaluation import METRICS, Task
from turnout.records.trainings import Evaluation

UNKNOWN = "–"  # noqa: RUF001 - a dash, as an empty cell looks like a mistake


@dataclass(frozen=True)
class TaskWords:
    """What a card says of a task.

    Parameters
    ----------
    before_label, after_label : str
        "For each entity and each date, the model predicts <before_label> `label` <after_label> 28 days."
    mean_label : str
        "In the holdout <mean_label>.", where {number} and {percent} stand for the mean label.
    caveat : str
        What a reader of one score should keep in mind, as a sentence.
    calibrated : str
        "The predictions are calibrated by <calibrated>."
    """

    before_label: str
    after_label: str
    mean_label: str
    caveat: str
    calibrated: str


TASKS_IN_WORDS: Mapping[Task, TaskWords] = {
    "binary": TaskWords(
        before_label="the probability that",
        after_label="comes true within the next",
        mean_label="the label came true in {percent} of the examples",
        caveat="A probability is about many similar examples, not about one: of a hundred with 10%, about ten come "
        "true.",
        calibrated="Platt scaling (a line in log-odds)",
    ),
    "regression": TaskWords(
        before_label="the expected value of",
        after_label="for the next",
        mean_label="the value is {number} on average",
        caveat="A prediction is the mean of many similar examples; one of them may be far from it.",
        calibrated="a line fitted by least squares",
    ),
}

# A metric in words, and what it means in a sentence.
METRICS_IN_WORDS: Mapping[str, tuple[str, str]] = {
    "log_loss": (
        "log loss",
        "how far the probabilities are from what came true; a confident mistake costs most. 0 is perfect.",
    ),
    "brier_score": (
        "Brier score",
        "the mean square of the distance between the probability and what came true, 0 or 1. 0 is perfect.",
    ),
    "roc_auc": (
        "ROC AUC",
        "of all pairs of a one and a zero, the share in which the one is ranked higher. 0.5 is chance, 1 is perfect.",
    ),
    "average_precision": (
        "average precision",
        "the share of ones among those ranked first, averaged over every place to stop. At random it is the share of "
        "ones, 1 is perfect.",
    ),
    "mae": ("mean absolute error", "how far prediction and outcome are apart on average, in units of the label."),
    "rmse": (
        "root mean square error",
        "how far prediction and outcome are apart, in units of the label, where large misses count more.",
    ),
    "correlation": (
        "correlation",
        "how far prediction and outcome go up and down together: 0 is not at all, 1 is perfectly.",
    ),
    "total_bias": (
        "total bias",
        "by which share the sum of all predictions misses the real total; +2% is two percent too much.",
    ),
    "calibration_error": (
        "calibration error",
        "how far mean prediction and mean outcome are apart, over ten groups by prediction. Chance alone puts it a "
        "little above 0.",
    ),
}
LIMITS_IN_WORDS: Mapping[str, str] = {
    "calibration_error": "calibration error",
    "worst_group": "worst group",
    "slice_drop": "drop in a group or slice",
    "prediction_seconds": "seconds for a million rows",
}
PLOTS_IN_WORDS: Mapping[str, tuple[str, str]] = {
    "calibration": (
        "Calibration",
        "Each dot is a group of examples that are predicted alike. On the dashed line, what was predicted came true; "
        "below it, too much was predicted, above it too little. The bars show how many are predicted what.",
    ),
    "gain": (
        "Gain",
        "The curve says which share of the whole outcome is found among the examples with the highest predictions. The "
        "higher above the dotted line, the better the ranking.",
    ),
    "roc": (
        "ROC",
        "Every point is one threshold: its height is the share of the ones that are above it, and its place from the "
        "left the share of the zeros. A curve near the upper left corner is best.",
    ),
    "precision_recall": (
        "Precision and recall",
        "The height is the share of ones among the selected examples; it falls as more of all ones are to be found. "
        "The dotted line is a selection at random.",
    ),
    "residuals": (
        "Residuals",
        "Above zero the outcome was higher than predicted, below it lower. The line of means should stay near zero; a "
        "wide cloud is uncertainty. A few outliers lie outside of the picture.",
    ),
    "importance": (
        "Importance",
        "How far each feature moves a prediction, up or down, on average. It says what the model uses, and not what "
        "causes the outcome.",
    ),
}


def metric_words(metric: str) -> str:
    """Return what a metric is called."""
    return METRICS_IN_WORDS.get(metric, (metric, ""))[0]


def better_is(metric: str) -> str:
    """Return which values of a metric are better."""
    is_greater = METRICS[metric].greater_is_better
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


def improvement(row: Evaluation, other: Evaluation | None) -> float | None:
    """Return by which share of the other's value this one is better; None where that is not known."""
    if other is None or row.value is None or not other.value:
        return None
    return METRICS[row.metric].gain(row.value, other.value) / abs(other.value)


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
    """Return a number with four significant digits; what is no number as it is."""
    if value is None or value != value:  # only nan differs from itself
        return "undefined"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.4g}".rstrip(".") if value else "0"


def percent(share: float | None) -> str:
    """Return a share in percent, with three significant digits."""
    return UNKNOWN if share is None else f"{100 * share:.3g}%"


def seconds(taken: float) -> str:
    """Return a time in seconds with as many digits as matter."""
    return f"{taken:,.1f}" if taken >= 10 else f"{taken:.2f}"
