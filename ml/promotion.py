"""Does the challenger take the champion's place? Only when it is better on the same holdout."""

from __future__ import annotations

from dataclasses import dataclass

from ml.evaluation import METRICS

# Two fits on the same rows may differ in the last bits, as sums are taken in parallel. A relative
# difference below this is rounding, not improvement.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Champion:
    """The champion in place, and how it does on the challenger's holdout.

    `value` is None when it cannot be judged there; then `problem` says why, and `is_obsolete` whether it is
    because it no longer answers today's question.
    """

    version: int
    value: float | None
    problem: str = ""
    is_obsolete: bool = False


@dataclass(frozen=True)
class Decision:
    """Whether the challenger is promoted, in numbers and in words."""

    is_promoted: bool
    reason: str
    metric: str
    challenger_value: float
    baseline_value: float
    champion: Champion | None


def decide(
    metric: str, *, challenger: str, challenger_value: float, baseline_value: float, champion: Champion | None
) -> Decision:
    """Judge the challenger by one metric, measured for all three on the same holdout.

    Parameters
    ----------
    metric : str
        A name in `ml.evaluation.METRICS` with a direction.
    challenger : str
        The candidate that the challenger comes from, for the reason.
    challenger_value, baseline_value : float
        Values of the metric. A challenger whose value is nan is never promoted.
    champion : Champion or None
        None when there is none yet.

    Returns
    -------
    Decision
        Promoted if it beats the baseline and the champion, or the baseline alone where there is no champion
        or an obsolete one. A champion that cannot be judged fairly stays.
    """

    def verdict(*, is_promoted: bool, reason: str) -> Decision:
        return Decision(is_promoted, reason, metric, challenger_value, baseline_value, champion)

    ours = f"{challenger} reaches {metric} {challenger_value:.4g}"
    if not is_better(metric, challenger_value, baseline_value):
        return verdict(is_promoted=False, reason=f"{ours}, no better than the baseline's {baseline_value:.4g}")
    if champion is None:
        return verdict(
            is_promoted=True,
            reason=f"{ours}, better than the baseline's {baseline_value:.4g}; the first champion",
        )
    if champion.value is None:
        outcome = "is obsolete" if champion.is_obsolete else "stays, as it cannot be judged fairly"
        return verdict(
            is_promoted=champion.is_obsolete,
            reason=f"{ours}, better than the baseline's {baseline_value:.4g}; champion version {champion.version} "
            f"{outcome}: {champion.problem}",
        )
    theirs = f"champion version {champion.version}'s {champion.value:.4g} on the same holdout"
    if not is_better(metric, challenger_value, champion.value):
        return verdict(is_promoted=False, reason=f"{ours}, no better than {theirs}; the champion stays")
    return verdict(is_promoted=True, reason=f"{ours}, better than {theirs}")


def is_better(metric: str, value: float, other: float) -> bool:
    """Return whether `value` beats `other` by more than rounding; nan beats nothing, and is beaten by any."""
    if value != value:  # only nan differs from itself
        return False
    if other != other:  # only nan differs from itself
        return True
    difference = value - other if METRICS[metric].greater_is_better else other - value
    return difference > ROUNDING * max(abs(value), abs(other))
