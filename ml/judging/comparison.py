"""Two models on the same examples: by how much is one better, and is that more than chance explains?

Comparisons are paired: a resample of entities (see `ml.judging.resampling`) is drawn once, and both models are judged
on it, so that what is hard for both does not look like a difference. The effect is the
relative improvement of a metric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.judging.resampling import interval_of, resample
from ml.tasks.metrics import ROUNDING, plain

if TYPE_CHECKING:
    import pandas as pd

    from ml.judging.resampling import Resamples
    from ml.tasks.metrics import Metric, Predicted, Vector


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
    return compare_each(masks, metric, label, challenger_predicted, other_predicted, resamples)[0]


def compare_each(
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


@dataclass(frozen=True, eq=False)
class Standings:
    """What several models reach in the same folds, and in the same resamples of these.

    Parameters
    ----------
    metric : Metric
        One with a direction.
    values : mapping of str to float
        Its mean over the folds, by model.
    drawn : mapping of str to ndarray of shape (n_resamples,)
        That mean in each resample.
    entity_count : int
        How many entities the examples are about.
    """

    metric: Metric
    values: Mapping[str, float]
    drawn: Mapping[str, Vector]
    entity_count: int

    def compare(self, challenger: str, other: str) -> Comparison:
        """Compare two of them; see `compare` for the effect."""
        value, other_value = self.values[challenger], self.values[other]
        effect = float(_effects(self.metric, np.array([value]), np.array([other_value]))[0])
        interval = None
        if not np.isnan(effect):
            interval = interval_of(_effects(self.metric, self.drawn[challenger], self.drawn[other]), self.entity_count)
        low, high = interval or (None, None)
        return Comparison(_known(value), _known(other_value), _known(effect), low, high)


def standings(
    metric: Metric,
    label: Vector,
    predicted: Mapping[str, Predicted],
    entities: pd.Series[Any],
    fold_of: Vector,
    *,
    are_by_time: bool,
) -> Standings:
    """Return what models reach in folds, to compare any two of them in pairs.

    Chance is in whom the examples are about, so a resample draws entities, the same ones in all folds. Where folds are
    of different times, chance is in these too, and a resample draws folds as well: the more the folds disagree, the
    wider the interval. What is better on average but worse in one fold of three is hardly ever beyond chance.

    Parameters
    ----------
    metric : Metric
        One with a direction.
    label : ndarray of shape (n_judged,)
        What came true, one fold after the other; of one fold at least.
    predicted : mapping of str to ndarray of shape (n_judged,) or (n_judged, n_columns)
        What each model predicted, each example by a fit that has not learned from it.
    entities : Series of shape (n_judged,)
        Whom each example is about.
    fold_of : ndarray of shape (n_judged,)
        In which fold it stands.
    are_by_time : bool
        Whether each fold is of another time.

    References
    ----------
    A. B. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007: both factors of a crossed design are
    resampled, which errs on the side of too wide an interval.
    """
    resamples, folds = resample(entities), np.unique(fold_of)
    parts = []
    for fold in folds:
        rows = np.flatnonzero(fold_of == fold)
        parts.append((rows, [metric.weighted(label[rows], own[rows]) for own in predicted.values()]))
    values = np.mean([[plain(score, len(rows)) for score in scores] for rows, scores in parts], axis=0)
    found = np.stack(resamples.values_of(parts))  # of shape (n_folds, n_models, n_resamples)
    if are_by_time:
        # Another stream than that of the entities.
        generator = np.random.default_rng([resamples.seed, len(folds)])
        drawn = generator.integers(len(folds), size=(len(folds), 1, resamples.count))
        found = np.take_along_axis(found, drawn, axis=0)
    return Standings(
        metric,
        dict(zip(predicted, values.tolist(), strict=True)),
        dict(zip(predicted, found.mean(axis=0), strict=True)),
        resamples.entity_count,
    )


def _effects(metric: Metric, value: Vector, other: Vector) -> Vector:
    """Return relative improvements, of shape (n_resamples,); what they are at the edges, `compare` tells."""
    is_beaten = np.isnan(other) & ~np.isnan(value)
    rival = np.where(is_beaten, 0.0, other)
    gain = metric.gain(value, rival)
    effects = np.divide(gain, np.abs(rival), out=np.sign(gain), where=rival != 0)
    return effects if metric.greater_is_better else np.where(is_beaten, 1.0, effects)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
