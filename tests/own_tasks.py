"""A task of somebody's own, which a declaration names by import path: how much will it be, from where to where?"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from lightgbm import LGBMRegressor
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import QuantileRegressor

from ml.tasks.bands import TenthsOfExamples
from ml.tasks.drawing import MODEL, new_figure, png
from ml.tasks.estimator_settings import LIGHTGBM, SELECTION
from ml.tasks.metrics import Metric, Predicted, Vector, Weighted, by_name, mean_of
from ml.tasks.plots import Plot
from ml.tasks.strength import Spearman
from ml.tasks.task import Task, Words
from turnout.records.table import Column

# The number to be expected first, then the ends: outcomes lie between them in eight of ten cases.
QUANTILES = (0.5, 0.1, 0.9)


class Quantiles(BaseEstimator):
    """Three estimators, one for each of `QUANTILES`."""

    def __init__(self, middle: Any, low: Any, high: Any) -> None:
        self.middle, self.low, self.high = middle, low, high

    def fit(self, features: Any, label: Any) -> Self:
        self.fitted_ = [clone(one).fit(features, label) for one in (self.middle, self.low, self.high)]
        return self

    def predict(self, features: Any) -> Predicted:
        return np.column_stack([one.predict(features) for one in self.fitted_])


def linear(parameters: Mapping[str, Any]) -> Quantiles:
    alpha = parameters["penalty"] / 1e4
    return Quantiles(*(QuantileRegressor(quantile=quantile, alpha=alpha) for quantile in QUANTILES))


def lightgbm(parameters: Mapping[str, Any]) -> Quantiles:
    return Quantiles(
        *(LGBMRegressor(objective="quantile", alpha=quantile, **LIGHTGBM, **parameters) for quantile in QUANTILES)
    )


def pinball_loss(label: Vector, predicted: Predicted) -> Weighted:
    """R. Koenker and G. Bassett, "Regression quantiles", 1978; the mean of the three."""
    missed, quantiles = label[:, None] - predicted, np.array(QUANTILES)
    return mean_of(np.maximum(quantiles * missed, (quantiles - 1) * missed).mean(axis=1))


def coverage(label: Vector, predicted: Predicted) -> Weighted:
    return mean_of(((predicted[:, 1] <= label) & (label <= predicted[:, 2])).astype(float))


def draw_width(label: Vector, predicted: Predicted) -> bytes:
    figure = new_figure()
    axes = figure.subplots()
    axes.set_title("Width of the intervals")
    axes.hist(predicted[:, 2] - predicted[:, 1], color=MODEL)
    return png(figure)


class Interval(Task):
    name = "own_tasks.INTERVAL"
    metrics = by_name(
        Metric("pinball_loss", "pinball loss", "how far outcomes are from the quantiles.", pinball_loss, False),
        Metric("coverage", "coverage", "the share of outcomes inside of their interval.", coverage, None),
    )
    default_metric = "pinball_loss"
    group_metrics = ("coverage",)
    families = MappingProxyType({"linear": linear, "lightgbm": lightgbm})
    baselines = ("prior",)
    score_columns = (
        Column("score", "double", "The median of what is to be expected."),
        Column("score_low", "double", "One of ten is below."),
        Column("score_high", "double", "One of ten is above."),
        Column("is_wide", "boolean", "Whether the interval is longer than one."),
    )
    score_checks = ("score between score_low and score_high",)
    bands = TenthsOfExamples()
    strength = Spearman()
    plots = (Plot("width", "Width", "A narrow interval says more.", draw_width),)
    words = Words(
        before_label="between which values",
        after_label="will lie for the next",
        mean_label="the value is {number} on average",
        caveat="Two of ten lie outside of their interval.",
        calibrated="",
        effect="How far it moved the median, up or down.",
        effect_unit="units of the label",
    )

    def prior(self) -> Quantiles:
        return Quantiles(*(DummyRegressor(strategy="quantile", quantile=quantile) for quantile in QUANTILES))

    def selector(self) -> LGBMRegressor:
        return LGBMRegressor(**SELECTION)

    def predict(self, fitted: BaseEstimator, features: pd.DataFrame) -> Predicted:
        middle, low, high = fitted.predict(features).T
        return np.column_stack([middle, np.minimum(low, middle), np.maximum(high, middle)])

    def score_values(self, predicted: Predicted) -> list[pa.Array]:
        return [*map(pa.array, predicted.T), pa.array(predicted[:, 2] - predicted[:, 1] > 1)]

    def explained(self, estimator: BaseEstimator) -> BaseEstimator:
        return estimator.fitted_[0]


INTERVAL = Interval()
MISNAMED = Interval()
MISNAMED.name = "interval"
NO_TASK = "interval"
