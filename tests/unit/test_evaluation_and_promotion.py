"""Metrics mean what the field means by them, and a challenger is promoted only when it is better."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.evaluation import METRICS, evaluate, overall
from ml.promotion import Champion, decide, is_better

numbers = st.floats(-1e9, 1e9)
deciding = st.sampled_from([name for name, metric in METRICS.items() if metric.greater_is_better is not None])


def test_binary_metrics_of_four_examples_by_hand() -> None:
    label, predicted = pd.Series([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.2, 0.4, 0.6])
    evaluations = evaluate("c", "binary", label, predicted, pd.DataFrame(index=label.index))
    found = {evaluation.metric: evaluation.value for evaluation in evaluations}
    assert found["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.8, 0.4, 0.4])))
    assert found["brier_score"] == pytest.approx((0.01 + 0.04 + 0.36 + 0.36) / 4)
    assert found["roc_auc"] == pytest.approx(3 / 4)
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)


def test_regression_metrics_of_two_examples_by_hand() -> None:
    label, predicted = pd.Series([10.0, 20.0]), np.array([13.0, 16.0])
    evaluations = evaluate("c", "regression", label, predicted, pd.DataFrame(index=label.index))
    found = {evaluation.metric: evaluation.value for evaluation in evaluations}
    assert found == pytest.approx({"mae": 3.5, "rmse": math.sqrt(12.5), "correlation": 1.0, "total_bias": -1 / 30})


def test_groups_are_reported_apart_a_missing_value_is_one_and_what_is_undefined_is_none() -> None:
    label, predicted = pd.Series([1.0, 0.0, 1.0]), np.array([0.9, 0.2, 0.4])
    groups = pd.DataFrame({"age": ["old", "old", None]})
    evaluations = evaluate("c", "binary", label, predicted, groups)
    auc = {(e.group_column, e.group_value): (e.value, e.example_count) for e in evaluations if e.metric == "roc_auc"}
    assert auc == {("", ""): (1.0, 3), ("age", "old"): (1.0, 2), ("age", "missing"): (None, 1)}
    assert overall(evaluations, "c", "roc_auc") == 1.0


@given(metric=deciding, value=numbers, other=numbers)
def test_at_most_one_of_two_is_better_and_nothing_beats_itself(metric: str, value: float, other: float) -> None:
    assert not (is_better(metric, value, other) and is_better(metric, other, value))
    assert not is_better(metric, value, value)
    assert not is_better(metric, math.nan, value)
    assert is_better(metric, value, math.nan)


def promoted(challenger: float, baseline: float, champion: Champion | None) -> tuple[bool, str]:
    decision = decide(
        "log_loss", challenger="linear", challenger_value=challenger, baseline_value=baseline, champion=champion
    )
    return decision.is_promoted, decision.reason


def test_the_first_challenger_has_only_the_baseline_to_beat() -> None:
    assert promoted(0.3, 0.4, None) == (
        True,
        "linear reaches log_loss 0.3, better than the baseline's 0.4; the first champion",
    )
    assert promoted(0.4, 0.4, None) == (False, "linear reaches log_loss 0.4, no better than the baseline's 0.4")


def test_the_champion_stays_unless_it_is_beaten_on_the_same_holdout() -> None:
    is_promoted, reason = promoted(0.3, 0.4, Champion(2, 0.3))
    assert not is_promoted
    assert reason.endswith("no better than champion version 2's 0.3 on the same holdout; the champion stays")
    assert promoted(0.29, 0.4, Champion(2, 0.3))[0]
    assert not promoted(0.29, 0.28, Champion(2, 0.3))[0]


def test_an_obsolete_champion_gives_way_and_one_that_cannot_be_judged_fairly_stays() -> None:
    is_promoted, reason = promoted(0.3, 0.4, Champion(2, None, "it needs 'x' (numeric)", is_obsolete=True))
    assert is_promoted
    assert reason.endswith("champion version 2 is obsolete: it needs 'x' (numeric)")
    is_promoted, reason = promoted(0.3, 0.4, Champion(2, None, "it has learned from this holdout"))
    assert not is_promoted
    assert "stays, as it cannot be judged fairly" in reason
