"""Pictures of predictions beside what came true, each readable by itself; a task names those that show its kind.

Where something cannot be drawn, such as a ROC curve of one class, the picture says so, so that a training never fails
for the sake of a picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.tasks.drawing import (
    CHANCE,
    IDEAL,
    MODEL,
    NO_EXAMPLES,
    in_percent,
    in_thousands,
    new_figure,
    padded,
    png,
    text_plot,
    thinned,
)
from ml.tasks.metrics import CALIBRATION_GROUPS

if TYPE_CHECKING:
    from ml.tasks.metrics import Vector

SCATTER_POINTS = 4000
# Outside of these shares of the examples lie outliers, which would squeeze all others into a line.
CENTRE = (0.005, 0.995)
ONE_OUTCOME = "All examples have the same outcome,\nso there is nothing to rank."


@dataclass(frozen=True)
class Plot:
    """A picture of predictions beside what came true.

    Parameters
    ----------
    name : str
        Of its file.
    title : str
        Above the sentence that explains it.
    reading : str
        How to read it.
    draw : callable
        `draw(label, predicted)` returns a PNG. `label` is float64 of shape (n_examples,), `predicted` float64 of the
        shape that the task predicts; all are finite, and there may be none.
    """

    name: str
    title: str
    reading: str
    draw: Callable[[Vector, Any], bytes]


def calibration(predicted_as: str, realised_as: str, *, is_share: bool) -> Plot:
    """Return the picture that compares mean prediction and mean outcome in ten groups of equal size.

    What is predicted equally stands in one group, as in the metric `calibration_error`. Below, how many are predicted
    what.

    Parameters
    ----------
    predicted_as, realised_as : str
        What is predicted, and the mean of what came true, in words beside the axes.
    is_share : bool
        Whether the axes are in percent.
    """
    return Plot(
        "calibration",
        "Calibration",
        "Each dot is a group of examples that are predicted alike. On the dashed line, what was predicted came true; "
        "below it, too much was predicted, above it too little. The bars show how many are predicted what.",
        partial(_calibration, predicted_as=predicted_as, realised_as=realised_as, is_share=is_share),
    )


def _calibration(label: Vector, predicted: Vector, *, predicted_as: str, realised_as: str, is_share: bool) -> bytes:
    figure = new_figure()
    above, below = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
    above.set_title("Calibration: predicted and real")
    if not len(label):
        below.remove()
        return text_plot(figure, above, NO_EXAMPLES)
    order = np.argsort(predicted, kind="stable")
    ascending = predicted[order]
    group = np.searchsorted(ascending, ascending, side="left") * CALIBRATION_GROUPS // len(ascending)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    sizes = np.diff(starts, append=len(ascending))
    mean_predicted = np.add.reduceat(ascending, starts) / sizes
    mean_label = np.add.reduceat(label[order], starts) / sizes
    low, high = padded(np.concatenate([mean_predicted, mean_label, np.quantile(predicted, CENTRE)]))
    above.plot([low, high], [low, high], linestyle="--", color=IDEAL, label="ideal: as predicted")
    size = f"{sizes[0]:,}" if len(set(sizes)) == 1 else f"{sizes.min():,} to {sizes.max():,}"
    name = f"{len(sizes)} groups of {size} examples" if len(sizes) > 1 else f"one group of {size} examples"
    above.plot(mean_predicted, mean_label, marker="o", markersize=4.5, color=MODEL, label=name)
    above.set(xlim=(low, high), ylim=(low, high), ylabel=realised_as)
    above.legend(loc="upper left")
    below.hist(predicted, bins=40, range=(low, high), color=MODEL, alpha=0.6)
    below.set(xlabel=predicted_as, ylabel="examples")
    below.grid(visible=False)
    in_thousands(below)
    if is_share:
        in_percent(above)
    return png(figure)


def _gain(label: Vector, predicted: Vector) -> bytes:
    """Show which share of the total outcome is found among the first share of examples by prediction.

    Among those that are predicted equally, the outcome is spread evenly.
    """
    figure = new_figure()
    axes = figure.subplots()
    axes.set_title("Gain: found among those ranked first")
    if not len(label):
        return text_plot(figure, axes, NO_EXAMPLES)
    if label.min() < 0 or label.sum() <= 0:
        return text_plot(figure, axes, "Shares of the outcome are not defined:\nit is zero in all, or negative.")
    order = np.argsort(-predicted, kind="stable")
    descending = predicted[order]
    lasts = np.flatnonzero(np.diff(descending, append=np.inf))
    total = label.sum()
    found = np.cumsum(label[order])[lasts] / total
    best = np.cumsum(np.sort(label)[::-1]) / total
    shares = np.arange(1, len(label) + 1) / len(label)
    axes.plot(*thinned(np.append(0, shares), np.append(0, best)), color=IDEAL, linestyle="--", label="ideal")
    curve = thinned(np.append(0, shares[lasts]), np.append(0, found))
    axes.plot(*curve, color=MODEL, linewidth=2, label="this version")
    axes.plot([0, 1], [0, 1], linestyle=":", color=CHANCE, label="at random")
    fifth = float(np.interp(0.2, *curve))
    axes.plot([0.2, 0.2, 0], [0, fifth, fifth], color=MODEL, linewidth=0.8)
    axes.annotate(
        f"the first 20% hold {fifth:.0%}",
        (0.2, fifth),
        xytext=(6, -11),
        textcoords="offset points",
        bbox={"facecolor": "white", "lw": 0, "pad": 1},
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="share of examples, highest predicted first")
    axes.set_ylabel("share of the outcome found")
    axes.legend(loc="lower right")
    in_percent(axes)
    return png(figure)


def _roc(label: Vector, predicted: Vector) -> bytes:
    """Show the true positive rate at every false positive rate."""
    from sklearn.metrics import auc, roc_curve

    figure = new_figure()
    axes = figure.subplots()
    axes.set_title("ROC: found and false alarms")
    if len(np.unique(label)) < 2:
        return text_plot(figure, axes, ONE_OUTCOME if len(label) else NO_EXAMPLES)
    false_positive, true_positive, _ = roc_curve(label, predicted)
    area = auc(false_positive, true_positive)
    curve = thinned(false_positive, true_positive)
    axes.plot(*curve, color=MODEL, linewidth=2, label=f"this version (area {area:.3f})")
    axes.plot([0, 1], [0, 1], linestyle=":", color=CHANCE, label="at random (area 0.5)")
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.02), xlabel="false alarms: share of the zeros that are taken for ones")
    axes.set_ylabel("found: share of the ones")
    axes.legend(loc="lower right")
    in_percent(axes)
    return png(figure)


def _precision_recall(label: Vector, predicted: Vector) -> bytes:
    """Show the precision at every recall."""
    from sklearn.metrics import precision_recall_curve

    figure = new_figure()
    axes = figure.subplots()
    axes.set_title("Precision and recall")
    if len(np.unique(label)) < 2:
        return text_plot(figure, axes, ONE_OUTCOME if len(label) else NO_EXAMPLES)
    precision, recall, _ = precision_recall_curve(label, predicted, drop_intermediate=True)
    # The last point, no one selected, is set by convention; it is no observation. The first selection stands for it.
    curve = thinned(np.append(0, recall[-2::-1]), np.append(precision[-2], precision[-2::-1]))
    axes.plot(*curve, color=MODEL, linewidth=2, label="this version")
    share = label.mean()
    axes.plot([0, 1], [share, share], linestyle=":", color=CHANCE, label=f"at random ({share:.1%})")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel="recall: share of the ones that are selected")
    axes.set_ylabel("precision: ones among the selected")
    axes.legend(loc="best")
    in_percent(axes)
    return png(figure)


def _residuals(label: Vector, predicted: Vector) -> bytes:
    """Show by how much the outcome missed each prediction, and the mean of that in ten groups by prediction."""
    figure = new_figure()
    axes = figure.subplots()
    axes.set_title("Residuals: what was missed")
    if not len(label):
        return text_plot(figure, axes, NO_EXAMPLES)
    residual = label - predicted
    shown = np.arange(len(label))
    if len(label) > SCATTER_POINTS:
        shown = np.random.default_rng(0).choice(len(label), SCATTER_POINTS, replace=False)
    name = "example" if len(shown) == len(label) else f"example ({len(shown):,} of {len(label):,})"
    # Pixels, not a shape for each point, and no darker where few lie.
    alpha = float(np.clip(300 / len(shown), 0.15, 0.8))
    axes.plot(predicted[shown], residual[shown], ".", markersize=3, color=MODEL, alpha=alpha, label=name)
    groups = np.array_split(np.argsort(predicted, kind="stable"), min(CALIBRATION_GROUPS, len(label)))
    means = [(predicted[group].mean(), residual[group].mean()) for group in groups]
    axes.axhline(0, color=CHANCE, linestyle=":")
    axes.plot(*zip(*means, strict=True), color=IDEAL, marker="o", markersize=4, label="mean of a tenth")
    axes.set(xlim=padded(np.quantile(predicted, CENTRE)), ylim=padded(np.quantile(residual, CENTRE)))
    axes.set(xlabel="predicted value", ylabel="outcome minus prediction")
    for handle in axes.legend(loc="upper left").legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    return png(figure)


GAIN = Plot(
    "gain",
    "Gain",
    "The curve says which share of the whole outcome is found among the examples with the highest predictions. The "
    "higher above the dotted line, the better the ranking.",
    _gain,
)
ROC = Plot(
    "roc",
    "ROC",
    "Every point is one threshold: its height is the share of the ones that are above it, and its place from the left "
    "the share of the zeros. A curve near the upper left corner is best.",
    _roc,
)
PRECISION_RECALL = Plot(
    "precision_recall",
    "Precision and recall",
    "The height is the share of ones among the selected examples; it falls as more of all ones are to be found. The "
    "dotted line is a selection at random.",
    _precision_recall,
)
RESIDUALS = Plot(
    "residuals",
    "Residuals",
    "Above zero the outcome was higher than predicted, below it lower. The line of means should stay near zero; a "
    "wide cloud is uncertainty. A few outliers lie outside of the picture.",
    _residuals,
)
