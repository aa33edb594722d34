"""A challenger is promoted on evidence only, and inside its limits."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.judging.comparison import compare
from ml.judging.evaluation import evaluate, segments_of
from ml.judging.gate import Gate
from ml.judging.limits import Limits
from ml.judging.promotion import Champion, Decision, decide
from ml.judging.resampling import resample
from ml.tasks import BINARY
from ml.tasks.metrics import LOG_LOSS, METRICS, Metric
from trials.simulated_weeks import decision_of, simulated_weeks
from turnout.records.trainings import LimitFinding

numbers = st.floats(-1e9, 1e9)
deciding = st.sampled_from([metric for metric in METRICS.values() if metric.greater_is_better is not None])

# 200 entities with two examples each. Twenty of them are old, and one is very old.
ENTITY = np.repeat(np.arange(200), 2)
LABEL = (np.arange(400) % 3 == 0).astype(float)
SENSITIVE = pd.DataFrame({"age": np.select([ENTITY == 0, ENTITY <= 20], ["very old", "old"], "young")})
SLICES = pd.DataFrame({"new": ENTITY >= 150})
SEGMENTS = segments_of(SENSITIVE, SLICES)
RESAMPLES = resample(pd.Series(ENTITY))


def sure(probability: float) -> np.ndarray:
    """Predictions that give what came true this probability, everywhere: a model without any chance."""
    return np.where(LABEL == 1, probability, 1 - probability)


def noisy(probability: float, seed: int) -> np.ndarray:
    """The same on the whole, and more or less by chance."""
    logit = math.log(probability / (1 - probability)) + np.random.default_rng(seed).normal(size=400)
    right = 1 / (1 + np.exp(-logit))
    return np.where(LABEL == 1, right, 1 - right)


def judged(
    predicted: np.ndarray,
    champion: Champion | None = None,
    *,
    baseline: float = 0.5,
    limits: Limits | None = None,
    seconds: float = 1.0,
    requires_approval: bool = False,
) -> Decision:
    return decide(
        Gate(metric=LOG_LOSS, limits=limits or Limits(), requires_approval=requires_approval),
        challenger="linear",
        label=LABEL,
        predicted=predicted,
        baseline_predicted=sure(baseline),
        champion=champion,
        segments=SEGMENTS,
        resamples=RESAMPLES,
        evaluations=evaluate("linear", BINARY, LABEL, predicted, SEGMENTS, RESAMPLES),
        prediction_seconds=seconds,
    )


def broken(decision: Decision) -> list[tuple[str, str, str]]:
    return [(f.limit_name, f.group_column, f.group_value) for f in decision.findings if not f.passed]


def finding(decision: Decision, limit_name: str, group_value: str) -> LimitFinding:
    return next(f for f in decision.findings if (f.limit_name, f.group_value) == (limit_name, group_value))


@given(metric=deciding, value=numbers, other=numbers)
def test_at_most_one_of_two_is_better_and_nothing_beats_itself(metric: Metric, value: float, other: float) -> None:
    assert not (metric.is_better(value, other) and metric.is_better(other, value))
    assert not metric.is_better(value, value)
    assert not metric.is_better(math.nan, value)
    assert metric.is_better(value, math.nan)


def test_an_effect_is_the_relative_improvement_in_the_direction_that_is_better() -> None:
    loss = compare(METRICS["mae"], np.zeros(400), np.full(400, 3.0), np.full(400, 4.0), RESAMPLES)
    assert (loss.value, loss.other_value, loss.effect, loss.low, loss.high) == (3, 4, 0.25, 0.25, 0.25)
    back = compare(METRICS["mae"], np.zeros(400), np.full(400, 4.0), np.full(400, 3.0), RESAMPLES)
    assert back.effect == pytest.approx(-1 / 3)
    merit = compare(METRICS["roc_auc"], LABEL, LABEL, np.zeros(400), RESAMPLES)
    assert (merit.value, merit.other_value, merit.effect, merit.low, merit.high) == (1, 0.5, 1, 1, 1)
    old = (SENSITIVE["age"] == "old").to_numpy()
    inside = compare(METRICS["mae"], np.zeros(400), np.where(old, 1.0, 9.0), np.full(400, 2.0), RESAMPLES, old)
    assert inside.effect == 0.5


def test_what_is_compared_with_zero_or_with_what_is_undefined_has_an_effect_of_one_at_most() -> None:
    perfect = compare(METRICS["mae"], np.zeros(400), np.full(400, 3.0), np.zeros(400), RESAMPLES)
    assert (perfect.effect, perfect.low, perfect.high) == (-1, -1, -1)
    same = compare(METRICS["mae"], np.zeros(400), np.zeros(400), np.zeros(400), RESAMPLES)
    assert (same.effect, same.low) == (0, 0)
    # The prior is a constant, and has no correlation.
    amount = np.random.default_rng(0).normal(size=400)
    first = compare(METRICS["correlation"], amount, amount, np.ones(400), RESAMPLES)
    assert (first.other_value, first.effect, first.low) == (None, 1, 1)
    assert compare(METRICS["correlation"], amount, -amount, np.ones(400), RESAMPLES).effect == -1
    assert compare(METRICS["correlation"], amount, np.ones(400), amount, RESAMPLES).effect is None
    assert compare(METRICS["roc_auc"], np.ones(400), amount, -amount, RESAMPLES).effect is None


def test_models_are_compared_in_pairs() -> None:
    # What is hard is hard for both: each moves by far more than the difference.
    amount = np.repeat(np.random.default_rng(0).lognormal(0, 2, 200), 2)
    found = compare(METRICS["mae"], np.zeros(400), 0.98 * amount, amount, RESAMPLES)
    assert (found.effect, found.low, found.high) == pytest.approx((0.02, 0.02, 0.02))
    other_entities = compare(METRICS["mae"], np.zeros(400), np.roll(0.98 * amount, 200), amount, RESAMPLES)
    assert other_entities.low < -0.2 < 0.2 < other_entities.high


def test_the_first_challenger_has_only_the_baseline_to_beat() -> None:
    decision = judged(sure(0.8))
    assert decision.outcome == "promoted"
    assert decision.is_promoted
    assert decision.reason == (
        "linear reaches log_loss 0.2231, 67.81% better than the baseline's 0.6931 on the same holdout "
        "(95% interval 67.81% better to 67.81% better); the first champion"
    )
    assert (decision.champion_version, decision.champion_value, decision.resamples) == (None, None, 1000)
    assert decision.decisive.effect == pytest.approx(0.6781, abs=1e-4)
    same = judged(sure(0.5))
    assert same.outcome == "kept"
    assert same.reason.endswith(": no improvement")


def test_the_champion_stays_unless_it_is_beaten_on_the_same_holdout() -> None:
    champion = Champion(2, sure(0.8))
    same = judged(sure(0.8), champion)
    assert same.outcome == "kept"
    assert same.reason.startswith("linear reaches log_loss 0.2231, 0.00% better than champion version 2's 0.2231")
    assert same.reason.endswith(": no improvement; the champion stays")
    worse = judged(sure(0.78), champion)
    assert "11.35% worse than champion version 2's 0.2231" in worse.reason
    assert worse.reason.endswith(": no improvement; the champion stays")
    better = judged(sure(0.82), champion)
    assert better.is_promoted
    assert (better.champion_version, better.champion_value) == (2, pytest.approx(-math.log(0.8)))


def test_an_improvement_that_may_be_chance_or_is_not_worth_a_change_keeps_the_champion() -> None:
    by_chance = judged(noisy(0.8, 1), Champion(2, noisy(0.8, 2)))
    assert by_chance.decisive.effect > 0.005
    assert by_chance.reason.endswith(": may be chance; the champion stays")
    small = judged(sure(0.8005), Champion(2, sure(0.8)))
    assert small.decisive.is_beyond_chance
    assert small.reason.endswith(": less than the minimum effect of 0.50%; the champion stays")
    assert not judged(sure(0.5005)).is_promoted


def test_whoever_does_not_beat_the_baseline_is_never_promoted() -> None:
    for champion in (None, Champion(2, sure(0.4)), Champion(2, None, "it needs 'x'", is_obsolete=True)):
        decision = judged(sure(0.7), champion, baseline=0.75)
        assert decision.outcome == "kept"
        assert "worse than the baseline's 0.2877" in decision.reason
    undefined = judged(np.full(400, math.nan), Champion(2, sure(0.4)))
    assert undefined.outcome == "kept"
    assert undefined.challenger_value is None
    assert undefined.reason.startswith("linear reaches log_loss undefined")


def test_an_obsolete_champion_gives_way_and_one_that_cannot_be_judged_fairly_stays() -> None:
    decision = judged(sure(0.8), Champion(2, None, "it needs 'x' (numeric)", is_obsolete=True))
    assert decision.is_promoted
    assert decision.reason.endswith("champion version 2 is obsolete: it needs 'x' (numeric)")
    decision = judged(sure(0.8), Champion(2, None, "it has learned from this holdout"))
    assert decision.outcome == "kept"
    assert "stays, as it cannot be judged fairly" in decision.reason
    assert decision.champion_version == 2


def test_a_handful_of_entities_is_no_evidence() -> None:
    few = resample(pd.Series(np.arange(400) % 5))
    decision = decide(
        Gate(metric=LOG_LOSS),
        challenger="linear",
        label=LABEL,
        predicted=sure(0.9),
        baseline_predicted=sure(0.5),
        champion=None,
        segments=SEGMENTS,
        resamples=few,
        evaluations=evaluate("linear", BINARY, LABEL, sure(0.9), SEGMENTS, few),
        prediction_seconds=1.0,
    )
    assert decision.outcome == "kept"
    assert decision.reason.endswith("(no interval, too few entities): may be chance")


def test_every_broken_limit_keeps_the_champion_even_where_there_is_none() -> None:
    for champion in (None, Champion(2, sure(0.7))):
        calibrated = judged(sure(0.8), champion, limits=Limits(calibration_error=0.1))
        assert broken(calibrated) == [("calibration_error", "", "")]
        assert calibrated.outcome == "kept"
        assert calibrated.reason.endswith(
            ". Not promoted, as it breaks the limit calibration_error: calibration error 0.2, 0.1 is allowed"
        )
        assert judged(sure(0.8), champion, limits=Limits(calibration_error=0.21)).is_promoted
        slow = judged(sure(0.8), champion, limits=Limits(prediction_seconds=20), seconds=21)
        assert broken(slow) == [("prediction_seconds", "", "")]
        assert slow.reason.endswith("prediction_seconds: 21 seconds for a million rows, 20 are allowed")
        assert judged(sure(0.8), champion, limits=Limits(prediction_seconds=20), seconds=20).is_promoted


def test_no_sensitive_group_may_be_worse_than_allowed_unless_it_is_too_small_to_tell() -> None:
    young, old = (SENSITIVE["age"] == age for age in ("young", "old"))
    bad_for_young = np.where(young, sure(0.7), sure(0.95))
    decision = judged(bad_for_young, limits=Limits(worst_group=0.3))
    assert broken(decision) == [("worst_group", "age", "young")]
    assert "log_loss 0.3567 where age is 'young', 0.3 is allowed" in decision.reason
    told = finding(decision, "worst_group", "young")
    assert told.low < told.found < told.high or told.low == pytest.approx(told.found)
    # Twenty entities are told, and not judged.
    decision = judged(np.where(old, sure(0.7), sure(0.95)), limits=Limits(worst_group=0.3))
    assert decision.is_promoted
    told = finding(decision, "worst_group", "old")
    assert told.found == pytest.approx(-math.log(0.7))
    assert told.message.endswith("; not judged, as there are 20 entities only")
    assert {f.group_value for f in decision.findings if f.limit_name == "worst_group"} == {"old", "very old", "young"}


def test_no_group_or_slice_may_lose_much_against_the_champion_beyond_chance() -> None:
    new = SLICES["new"].to_numpy()
    champion = Champion(2, sure(0.7))
    decision = judged(np.where(new, sure(0.6), sure(0.9)), champion)
    assert broken(decision) == [("slice_drop", "slice", "new")]
    assert decision.reason.endswith(
        "breaks the limit slice_drop: 43.22% worse than champion version 2 in the slice 'new', 10% worse is allowed"
    )
    told = finding(decision, "slice_drop", "new")
    assert (told.found, told.low, told.high) == pytest.approx((0.4322,) * 3, abs=1e-4)
    assert judged(np.where(new, sure(0.6), sure(0.9)), champion, limits=Limits(slice_drop=0.5)).is_promoted
    assert judged(np.where(new, sure(0.6), sure(0.9)), champion, limits=Limits(slice_drop=None)).findings == ()
    # Without a champion the baseline takes its place.
    first = judged(np.where(new, sure(0.4), sure(0.9)))
    assert finding(first, "slice_drop", "new").message.startswith("32.19% worse than the baseline in the slice 'new'")
    assert first.outcome == "kept"
    # A few entities of the slice are much worse, most are not.
    by_chance = np.where(new & (ENTITY == 199), sure(0.0001), sure(0.8))
    lucky = judged(by_chance, Champion(2, np.where(new, sure(0.8), sure(0.6))))
    assert finding(lucky, "slice_drop", "new").found > 0.1
    assert finding(lucky, "slice_drop", "new").message.endswith("; it may be chance")
    assert lucky.is_promoted


def test_where_approval_is_required_a_person_is_waited_for() -> None:
    decision = judged(sure(0.8), requires_approval=True)
    assert (decision.outcome, decision.is_promoted) == ("waits", False)
    assert decision.reason.endswith("the first champion. It waits until a person approves it")
    assert judged(sure(0.5), requires_approval=True).outcome == "kept"
    assert judged(sure(0.8), requires_approval=True, limits=Limits(calibration_error=0.1)).outcome == "kept"


def test_limits_cannot_be_forgotten() -> None:
    with pytest.raises(KeyError, match="no evaluation of linear"):
        decide(
            Gate(metric=LOG_LOSS),
            challenger="linear",
            label=LABEL,
            predicted=sure(0.8),
            baseline_predicted=sure(0.5),
            champion=None,
            segments=SEGMENTS,
            resamples=RESAMPLES,
            evaluations=evaluate("other", BINARY, LABEL, sure(0.8), SEGMENTS, RESAMPLES),
            prediction_seconds=1.0,
        )


def test_of_two_hundred_weeks_an_equal_challenger_is_promoted_in_five_percent_at_most_and_a_better_one_in_most() -> (
    None
):
    equal = [decision_of(week).is_promoted for week in simulated_weeks(0.0, weeks=200)]
    assert np.mean(equal) <= 0.05
    better = [decision_of(week).is_promoted for week in simulated_weeks(0.05, weeks=100)]
    assert np.mean(better) >= 0.7
