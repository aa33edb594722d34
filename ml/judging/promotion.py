"""The gate: does the challenger take the champion's place? Only on evidence, and inside the declared limits.

All are judged on the same holdout, in pairs (see `ml.judging.comparison`), by the metric that decides.

The challenger is better beyond chance if the 95 % interval of the effect lies above zero: one of two equals is taken
for better in one week of forty. It must also be worth a change: the effect itself must reach the minimum effect. The
stricter reading, that the whole interval lies above the minimum effect, is not used. It guards against an error that
costs next to nothing, which is to promote what is truly better but by too little. It pays with one that is costly,
which is to keep the worse champion: an improvement would have to be the minimum plus two standard errors, and that is
several percent on a usual holdout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ml.judging.comparison import Comparison, compare, compare_each
from ml.judging.limits import Drop, limit_findings, signed
from ml.tasks.numbers import number

if TYPE_CHECKING:
    from ml.judging.evaluation import Segment
    from ml.judging.gate import Gate
    from ml.judging.resampling import Resamples
    from ml.tasks.metrics import Metric, Predicted, Vector
    from turnout.records.trainings import Evaluation, LimitFinding

Verdict = Literal["promoted", "kept", "waits"]


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

    def with_caveats(self, caveats: Sequence[str]) -> Decision:
        """Return the same decision, whose reason also tells what a reader should know of the evidence."""
        return replace(self, reason="; ".join([self.reason, *caveats]))

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
    inside = compare_each([segment.mask for segment in groups], metric, label, predicted, other_predicted, resamples)
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
