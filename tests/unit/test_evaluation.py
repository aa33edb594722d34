"""Metrics mean what the field means by them, with weights too, and come with honest intervals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics

from ml.judging.evaluation import evaluate, overall, segments_of
from ml.judging.resampling import resample
from ml.tasks import BINARY, REGRESSION, TASKS, Task
from ml.tasks.metrics import METRICS

NO_SLICES = pd.DataFrame()
SCIKIT_LEARN = {
    "log_loss": lambda *args, **weights: metrics.log_loss(*args, **weights, labels=[0, 1]),
    "brier_score": metrics.brier_score_loss,
    "roc_auc": metrics.roc_auc_score,
    "average_precision": metrics.average_precision_score,
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "correlation": lambda label, predicted, sample_weight: correlation_of_numpy(label, predicted, sample_weight),
    "total_bias": lambda label, predicted, sample_weight: (
        np.average(predicted, weights=sample_weight) / np.average(label, weights=sample_weight) - 1
    ),
}


def correlation_of_numpy(label, predicted, sample_weight) -> float:
    (xx, xy), (_, yy) = np.cov(label, predicted, aweights=sample_weight, ddof=0)
    return xy / math.sqrt(xx * yy)


@st.composite
def judged(draw: st.DrawFn, task: Task):
    """Label, predictions with ties, and three rows of weights with zeros."""
    count = draw(st.integers(2, 30))
    of_count = {"shape": count}
    few = st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])
    if task is BINARY:
        label = draw(arrays.arrays(np.float64, **of_count, elements=st.sampled_from([0.0, 1.0])))
        predicted = draw(arrays.arrays(np.float64, **of_count, elements=few | st.floats(0, 1)))
    else:
        label = draw(arrays.arrays(np.float64, **of_count, elements=few | st.floats(0.01, 1000)))
        predicted = draw(arrays.arrays(np.float64, **of_count, elements=few | st.floats(-1000, 1000)))
    weights = draw(arrays.arrays(np.float64, (3, count), elements=st.integers(0, 4).map(float)))
    return label, predicted, weights


@pytest.mark.parametrize("metric", ["log_loss", "brier_score", "roc_auc", "average_precision"])
@given(data=st.data())
def test_binary_metrics_equal_those_of_scikit_learn(metric: str, data: st.DataObject) -> None:
    label, predicted, weights = data.draw(judged(BINARY))
    for row, found in zip(weights, METRICS[metric].score(label, predicted, weights), strict=True):
        has_both_classes = row[label == 1].any() and row[label == 0].any()
        if row.any() and (has_both_classes or metric in {"log_loss", "brier_score"}):
            assert found == pytest.approx(
                SCIKIT_LEARN[metric](label, predicted, sample_weight=row), rel=1e-9, abs=1e-12
            )
        else:
            assert math.isnan(found)


@pytest.mark.parametrize("metric", ["mae", "rmse", "correlation", "total_bias"])
@given(data=st.data())
def test_regression_metrics_equal_those_of_scikit_learn_and_numpy(metric: str, data: st.DataObject) -> None:
    label, predicted, weights = data.draw(judged(REGRESSION))
    for row, found in zip(weights, METRICS[metric].score(label, predicted, weights), strict=True):
        drawn = row > 0
        is_constant = drawn.any() and min(np.ptp(label[drawn]), np.ptp(predicted[drawn])) < 1e-4
        if not row.any() or (metric == "correlation" and is_constant):
            assert math.isnan(found) or is_constant
        elif metric != "total_bias" or np.sum(row * label) > 0:
            expected = SCIKIT_LEARN[metric](label, predicted, sample_weight=row)
            assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_constant_has_no_correlation_in_any_resample() -> None:
    label = np.array([0.3, 0.1, 0.7, 1e9])
    weights = np.array([[1.0, 1, 1, 1], [1, 2, 1, 0], [0, 3, 0, 0], [1, 1, 0, 0]])
    found = METRICS["correlation"].score(label, label, weights)
    assert found[[0, 1, 3]] == pytest.approx(1)
    assert math.isnan(found[2])
    assert np.isnan(METRICS["correlation"].score(label, np.full(4, 0.1), weights)).all()
    assert np.isnan(METRICS["correlation"].score(label, np.array([0.1, 0.1, 0.1, 5.0]), weights[1:])).all()


def test_calibration_error_of_twenty_examples_by_hand() -> None:
    # Tenths of two examples each, with mean predictions 0.05, 0.15, ... 0.95; what was below the middle did not happen.
    predicted = 0.025 + np.arange(20) / 20
    label = (predicted > 0.5).astype(float)
    off = [0.05, 0.15, 0.25, 0.35, 0.45, 0.45, 0.35, 0.25, 0.15, 0.05]
    assert METRICS["calibration_error"].value(label, predicted) == pytest.approx(0.25)
    backwards = np.arange(20)[::-1]
    assert METRICS["calibration_error"].value(label[backwards], predicted[backwards]) == pytest.approx(0.25)
    # With the first pair counting three times the other pairs, and the last not at all.
    weights = np.ones(20)
    weights[:2], weights[-2:] = 3, 0
    found = METRICS["calibration_error"].score(label, predicted, weights[np.newaxis])
    assert found == pytest.approx([(3 * off[0] + sum(off[1:-1])) / 11])


def test_equal_predictions_are_calibrated_together() -> None:
    label, predicted = np.array([1.0, 0, 0, 0] * 10), np.full(40, 0.25)
    assert METRICS["calibration_error"].value(label, predicted) == pytest.approx(0)
    assert METRICS["calibration_error"].value(100 * label, predicted + 26) == pytest.approx(1.25)


def test_calibration_error_is_told_for_both_tasks_and_decides_for_none() -> None:
    assert BINARY.deciding == ("log_loss", "brier_score", "roc_auc", "average_precision")
    assert REGRESSION.deciding == ("mae", "rmse", "correlation")
    assert [task for task in TASKS.values() if "calibration_error" in task.metrics] == [BINARY, REGRESSION]


@pytest.mark.parametrize("metric", METRICS)
def test_predictions_that_are_no_numbers_have_no_value(metric: str) -> None:
    assert math.isnan(METRICS[metric].value(np.array([0.0, 1, 0]), np.array([0.1, 0.5, math.nan])))


def test_segments_are_all_then_groups_with_a_missing_value_as_one_then_slices() -> None:
    sensitive = pd.DataFrame({"age": ["old", "old", None], "is_even": [True, False, True]})
    slices = pd.DataFrame({"new": [True, False, None], "nobody": [False, False, False]})
    found = [(s.group_column, s.group_value, s.mask.tolist()) for s in segments_of(sensitive, slices)]
    assert found == [
        ("", "", [True, True, True]),
        ("age", "missing", [False, False, True]),
        ("age", "old", [True, True, False]),
        ("is_even", "False", [False, True, False]),
        ("is_even", "True", [True, False, True]),
        ("slice", "new", [True, False, False]),
        ("slice", "nobody", [False, False, False]),
    ]


def test_each_segment_is_judged_by_itself_and_what_is_undefined_is_none() -> None:
    label, predicted = np.array([1.0, 0.0, 1.0]), np.array([0.9, 0.2, 0.4])
    segments = segments_of(pd.DataFrame({"age": ["old", "old", None]}), pd.DataFrame({"nobody": [False] * 3}))
    evaluations = evaluate("c", BINARY, label, predicted, segments, resample(pd.Series(["a", "a", "b"])))
    found = {
        (e.group_column, e.group_value): (e.value, e.low, e.high, e.example_count, e.entity_count)
        for e in evaluations
        if e.metric == "roc_auc"
    }
    assert found == {
        ("", ""): (1.0, None, None, 3, 2),
        ("age", "missing"): (None, None, None, 1, 1),
        ("age", "old"): (1.0, None, None, 2, 1),
        ("slice", "nobody"): (None, None, None, 0, 0),
    }
    assert overall(evaluations, "c", "roc_auc") == 1.0


@pytest.mark.parametrize("task", [BINARY, REGRESSION])
def test_an_interval_holds_the_value_and_is_wider_in_a_segment_and_where_entities_are_alike(task: Task) -> None:
    random = np.random.default_rng(0)
    entity = np.repeat(np.arange(250), 4)
    of_entity = random.random(250)[entity]
    label = (random.random(250)[entity] < of_entity).astype(float)
    predicted = np.clip(of_entity + random.normal(0, 0.05, 1000), 0.01, 0.99)
    segments = segments_of(pd.DataFrame({"group": np.where(entity < 50, "few", "many")}), NO_SLICES)
    by_entity = evaluate("c", task, label, predicted, segments, resample(pd.Series(entity)))
    by_row = evaluate("c", task, label, predicted, segments, resample(pd.Series(np.arange(1000))))
    overall_width = {e.metric: e.high - e.low for e in by_entity if not e.group_column}
    for of_entities, of_rows in zip(by_entity, by_row, strict=True):
        assert of_entities.low < of_entities.value < of_entities.high
        if of_entities.metric == "calibration_error":
            continue  # chance adds to it, the more the fewer there are
        assert of_entities.high - of_entities.low > 1.4 * (of_rows.high - of_rows.low)
        if of_entities.group_value == "few":
            assert of_entities.high - of_entities.low > 1.4 * overall_width[of_entities.metric]


def test_the_interval_of_a_calibration_error_is_about_the_real_one_though_chance_only_adds_to_it() -> None:
    random, held = np.random.default_rng(0), []
    segments = segments_of(pd.DataFrame(index=range(2000)), NO_SLICES)
    for seed in range(40):
        probability = 0.1 + 0.6 * random.random(2000)
        label = (random.random(2000) < probability).astype(float)
        resamples = resample(pd.Series(np.arange(2000)), resamples=200, seed=seed)
        found = evaluate("c", BINARY, label, probability + 0.05, segments, resamples)[-1]
        assert found.low <= found.value <= found.high
        held.append(found.low <= 0.05 <= found.high)
    assert np.mean(held) >= 0.8
