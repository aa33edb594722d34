"""The gate: does the challenger take the champion's place? Only on evidence, and inside the declared limits.

All are judged on the same holdout, in pairs: a resample of entities (see `ml.judging.resampling`) is drawn once, and
both models are judged on it, so that what is hard for both does not look like a difference. The effect is the relative
improvement of the metric that decides.

The challenger is better beyond chance if the 95 % interval of the effect lies above zero: one of two equals is taken
for better in one week of forty. It must also be worth a change: the effect itself must reach the minimum effect. The
stricter reading, that the whole interval lies above the minimum effect, is not used. It guards against an error that
costs next to nothing, which is to promote what is truly better but by too little. It pays with one that is costly,
which is to keep the worse champion: an improvement would have to be the minimum plus two standard errors, and that is
several percent on a usual holdout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ml.judging.limits import Drop, limit_findings, number, signed
from ml.judging.resampling import interval_of
from ml.tasks.metrics import ROUNDING, plain

if TYPE_CHECKING:
    from ml.judging.evaluation import Segment
    from ml.judging.gate import Gate
    from ml.judging.resampling import Resamples
    from ml.tasks.metrics import Metric, Predicted, Vector
    from turnout.records.trainings import Evaluation, LimitFinding

Verdict = Literal["promoted", "kept", "waits"]


@dataclass(frozen=True)
class Comparison:
    """The challenger beside another, on the same examples.

    `value` and `other_value` are values of the metric. `effect` is the relative improvement on the other, above zero if
    the challenger is better; `low` to `high` is its 95 % interval. Each is None where it is undefined.
    """

    value: float | None
    other_value: float | None
    effect: float | None
    low: float | None
    high: float | None

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the challenger is better, by more than chance and rounding explain."""
        return self.low is not None and self.low > ROUNDING

    def shortfall(self, minimum_effect: float) -> str:
        """Return in words what is lacking to be better beyond chance and by the minimum effect; empty if nothing is."""
        if self.effect is None:
            return "cannot be compared"
        if self.effect <= ROUNDING:
            return "no improvement"
        if not self.is_beyond_chance:
            return "may be chance"
        if self.effect < minimum_effect:
            return f"less than the minimum effect of {minimum_effect:.2%}"
        return ""


@dataclass(frozen=True, eq=False)
class Champion:
    """The champion in place, and what it predicts on the challenger's holdout.

    `predicted`, of the task's shape, is None when it cannot be judged there; then `problem` says why, and
    `is_obsolete` whether it is because it no longer answers today's question.
    """

    version: int
    predicted: Predicted | None
    problem: str = ""
    is_obsolete: bool = False


@dataclass(frozen=True)
class Decision:
    """What becomes of the challenger, in numbers and in words.

    Parameters
    ----------
    outcome : {"promoted", "kept", "waits"}
        Promoted; the champion is kept; or it would be promoted, and waits for a person.
    reason : str
        For a person, with the numbers that decided.
    metric : str
        The metric that decides.
    against_baseline, against_champion : Comparison
        The latter is None where there is no champion, or none that can be judged.
    champion_version : int or None
        None where there is no champion yet.
    minimum_effect : float
        The least effect that is worth a change.
    resamples : int
        How many resamples stand behind the intervals.
    findings : tuple of LimitFinding
        Of every limit and group.
    """

    outcome: Verdict
    reason: str
    metric: str
    against_baseline: Comparison
    against_champion: Comparison | None
    champion_version: int | None
    minimum_effect: float
    resamples: int
    findings: tuple[LimitFinding, ...]

    @property
    def is_promoted(self) -> bool:
        """Whether the challenger is the champion now."""
        return self.outcome == "promoted"

    @property
    def challenger_value(self) -> float | None:
        """The challenger's value of the metric."""
        return self.against_baseline.value

    @property
    def baseline_value(self) -> float | None:
        """The baseline's value of the metric."""
        return self.against_baseline.other_value

    @property
    def champion_value(self) -> float | None:
        """The champion's value of the metric; None where there is none that can be judged."""
        return self.against_champion.other_value if self.against_champion else None

    @property
    def decisive(self) -> Comparison:
        """The comparison with whom the challenger had to beat: the champion, or without one the baseline."""
        return self.against_champion or self.against_baseline


def compare(
    metric: Metric,
    label: Vector,
    challenger_predicted: Predicted,
    other_predicted: Predicted,
    resamples: Resamples,
    mask: Vector | None = None,
) -> Comparison:
    """Compare two vectors of predictions by a metric, paired in every resample.

    The effect is (other - challenger) / |other| for a loss and (challenger - other) / |other| where greater is better.
    Where the other's value is zero a relative difference has no scale: the effect is then 1, 0 or -1, by the sign of
    the difference. Where only the other's value is undefined, it counts as beaten if it is a loss, and as zero if
    greater is better: a constant has no correlation, and tells nothing.

    Parameters
    ----------
    metric : Metric
        One with a direction.
    label : ndarray of shape (n_examples,)
        What came true.
    challenger_predicted, other_predicted : ndarray of shape (n_examples,) or (n_examples, n_columns)
        What the two predicted.
    resamples : Resamples
        Of the entities of the same examples.
    mask : ndarray of bool, shape (n_examples,), optional
        The examples to compare on; default all.
    """
    everywhere = np.ones(len(label), dtype=bool)
    masks = [everywhere if mask is None else mask]
    return _compare_in(masks, metric, label, challenger_predicted, other_predicted, resamples)[0]


def decide(
    gate: Gate,
    *,
    challenger: str,
    label: Vector,
    predicted: Predicted,
    baseline_predicted: Predicted,
    champion: Champion | None,
    segments: Sequence[Segment],
    resamples: Resamples,
    evaluations: Sequence[Evaluation],
    prediction_seconds: float,
) -> Decision:
    """Judge the challenger on a holdout that nobody has learned from.

    Parameters
    ----------
    gate : Gate
        What the challenger must reach.
    challenger : str
        The candidate that the challenger comes from.
    label : ndarray of shape (n_examples,)
        What came true on the holdout.
    predicted, baseline_predicted : ndarray of shape (n_examples,) or (n_examples, n_columns)
        What challenger and baseline predicted.
    champion : Champion or None
        None when there is none yet.
    segments : sequence of Segment
        See `ml.judging.evaluation.segments_of`; the limits are about those that are not all examples.
    resamples : Resamples
        Of the entities of the holdout.
    evaluations : sequence of Evaluation
        The challenger's in these segments; those of other candidates are passed over.
    prediction_seconds : float
        What the challenger takes for a million rows.

    Returns
    -------
    Decision
        Promoted if it beats the baseline beyond chance, and the champion beyond chance and by the minimum effect; the
        baseline by the minimum effect where there is no champion or an obsolete one; and breaks no limit. A champion
        that cannot be judged fairly stays.

    Raises
    ------
    KeyError
        If there is no evaluation of the challenger, and so no limit could be held against it.
    """
    metric = gate.metric
    against_baseline = compare(metric, label, predicted, baseline_predicted, resamples)
    against_champion, other, other_predicted = None, "the baseline", baseline_predicted
    if champion is not None and champion.predicted is not None:
        other, other_predicted = f"champion version {champion.version}", champion.predicted
        against_champion = compare(metric, label, predicted, other_predicted, resamples)
    own = _own(evaluations, challenger)
    drops = _drops(segments, metric, label, predicted, other_predicted, resamples)
    findings = limit_findings(gate.limits, own, metric, drops, other, prediction_seconds)
    ours = f"{challenger} reaches {metric.name} {number(against_baseline.value)}"
    has_earned_it, reason = _evidence(ours, against_baseline, against_champion, champion, gate.minimum_effect)
    outcome: Verdict = "kept"
    if has_earned_it:
        outcome, reason = _verdict(reason, findings, requires_approval=gate.requires_approval)
    return Decision(
        outcome,
        reason,
        metric.name,
        against_baseline,
        against_champion,
        champion_version=champion.version if champion else None,
        minimum_effect=gate.minimum_effect,
        resamples=resamples.count,
        findings=findings,
    )


def _own(evaluations: Sequence[Evaluation], challenger: str) -> list[Evaluation]:
    """Return the challenger's evaluations; without one, no limit could be held against it."""
    own = [evaluation for evaluation in evaluations if evaluation.candidate == challenger]
    if not own:
        msg = f"no evaluation of {challenger}"
        raise KeyError(msg)
    return own


def _compare_in(
    masks: Sequence[Vector],
    metric: Metric,
    label: Vector,
    challenger_predicted: Predicted,
    other_predicted: Predicted,
    resamples: Resamples,
) -> list[Comparison]:
    """Compare as `compare` does, in each of several parts of the examples."""
    measure = metric.weighted
    parts = []
    for mask in masks:
        rows = np.flatnonzero(mask)
        pair = (challenger_predicted, other_predicted) if len(rows) else ()
        parts.append((rows, [measure(label[rows], predicted[rows]) for predicted in pair]))
    comparisons = []
    for mask, (rows, scores), values in zip(masks, parts, resamples.values_of(parts), strict=True):
        if not scores:
            comparisons.append(Comparison(None, None, None, None, None))
            continue
        value, other_value = (plain(score, len(rows)) for score in scores)
        effect = float(_effects(metric, np.array([value]), np.array([other_value]))[0])
        interval = None
        if not np.isnan(effect):
            interval = interval_of(_effects(metric, values[0], values[1]), resamples.entity_count_in(mask))
        low, high = interval or (None, None)
        comparisons.append(Comparison(_known(value), _known(other_value), _known(effect), low, high))
    return comparisons


def _effects(metric: Metric, value: Vector, other: Vector) -> Vector:
    """Return relative improvements, of shape (n_resamples,); what they are at the edges, `compare` tells."""
    is_beaten = np.isnan(other) & ~np.isnan(value)
    rival = np.where(is_beaten, 0.0, other)
    gain = metric.gain(value, rival)
    effects = np.divide(gain, np.abs(rival), out=np.sign(gain), where=rival != 0)
    return effects if metric.greater_is_better else np.where(is_beaten, 1.0, effects)


def _drops(
    segments: Sequence[Segment],
    metric: Metric,
    label: Vector,
    predicted: Predicted,
    other_predicted: Predicted,
    resamples: Resamples,
) -> list[Drop]:
    """Return how the challenger does beside another in each group and slice."""
    groups = [segment for segment in segments if segment.group_column]
    inside = _compare_in([segment.mask for segment in groups], metric, label, predicted, other_predicted, resamples)
    return [
        Drop(
            segment.group_column,
            segment.group_value,
            resamples.entity_count_in(segment.mask),
            comparison.effect,
            comparison.low,
            comparison.high,
        )
        for segment, comparison in zip(groups, inside, strict=True)
    ]


def _evidence(
    ours: str,
    against_baseline: Comparison,
    against_champion: Comparison | None,
    champion: Champion | None,
    minimum_effect: float,
) -> tuple[bool, str]:
    """Return whether the challenger has earned the place, limits aside, and the numbers in words."""
    beside_baseline = _standing(ours, against_baseline, "the baseline")
    if lacking := against_baseline.shortfall(minimum_effect if against_champion is None else 0.0):
        return False, f"{beside_baseline}: {lacking}" + ("; the champion stays" if champion else "")
    if champion is None:
        return True, f"{beside_baseline}; the first champion"
    if against_champion is None:
        state = "is obsolete" if champion.is_obsolete else "stays, as it cannot be judged fairly"
        return (
            champion.is_obsolete,
            f"{beside_baseline}; champion version {champion.version} {state}: {champion.problem}",
        )
    beside_champion = _standing(ours, against_champion, f"champion version {champion.version}")
    if lacking := against_champion.shortfall(minimum_effect):
        return False, f"{beside_champion}: {lacking}; the champion stays"
    return True, beside_champion


def _verdict(reason: str, findings: Sequence[LimitFinding], *, requires_approval: bool) -> tuple[Verdict, str]:
    """Return what becomes of a challenger that has earned the place, and why: limits and a person may keep it out."""
    broken = [finding for finding in findings if not finding.passed]
    if broken:
        more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
        limit = f"{broken[0].limit_name}: {broken[0].message}{more}"
        return "kept", f"{reason}. Not promoted, as it breaks the limit {limit}"
    if requires_approval:
        return "waits", f"{reason}. It waits until a person approves it"
    return "promoted", reason


def _standing(ours: str, comparison: Comparison, other: str) -> str:
    """Return in words how the challenger stands beside another."""
    if comparison.effect is None:
        return f"{ours}, {other} {number(comparison.other_value)} on the same holdout"
    interval = "no interval, too few entities"
    if comparison.low is not None and comparison.high is not None:
        interval = f"95% interval {signed(comparison.low)} to {signed(comparison.high)}"
    theirs = f"{other}'s {number(comparison.other_value)} on the same holdout"
    return f"{ours}, {signed(comparison.effect)} than {theirs} ({interval})"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
