"""What a person looks at: pictures of predictions beside what came true, each one readable by itself.

Every picture is a PNG as wide as half a page. Where something cannot be drawn, such as a ROC curve of one class, the
picture says so, so that a training never fails for the sake of a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.judging.evaluation import CALIBRATION_GROUPS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ml.judging.evaluation import Task, Vector

# 4.8 x 3.6 inches at 150 dots are 720 x 540: sharp on a dense screen.
SIZE = (4.8, 3.6)
DOTS_PER_INCH = 150
COLOURS = 48
# More points than a picture has columns cannot be told apart.
CURVE_POINTS = 500
SCATTER_POINTS = 4000
SHOWN_FEATURES = 15
# Outside of these shares of the examples lie outliers, which would squeeze all others into a line.
CENTRE = (0.005, 0.995)

MODEL, IDEAL, CHANCE, FRAME = "#1f5fa8", "#c8641e", "#8a8f98", "#c9ccd1"
NO_EXAMPLES = "There are no examples."
ONE_OUTCOME = "All examples have the same outcome,\nso there is nothing to rank."


def plots_of(
    task: Task,
    label: Vector,
    predicted: Vector,
    importance: Mapping[str, float] | None,
    titles: Mapping[str, str],
) -> dict[str, bytes]:
    """Return every plot of a task as a PNG by its name, in the order in which they are read.

    Parameters
    ----------
    task : {"binary", "regression"}
        Decides which plots are drawn.
    label, predicted : ndarray of shape (n_examples,)
        Outcome and prediction on the holdout. Examples where either is not finite are left out.
    importance : mapping of str to float, or None
        Mean absolute contribution of each feature, in log-odds for a binary task, else in units of the label; None
        draws no such plot.
    titles : mapping of str to str
        What a feature is called in words; one without a title is called by its name.
    """
    truth, guess = np.asarray(label, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    is_finite = np.isfinite(truth) & np.isfinite(guess)
    truth, guess = truth[is_finite], guess[is_finite]
    plots = {"calibration": calibration(task, truth, guess), "gain": gain(truth, guess)}
    if task == "binary":
        plots |= {"roc": roc(truth, guess), "precision_recall": precision_recall(truth, guess)}
    else:
        plots |= {"residuals": residuals(truth, guess)}
    if importance:
        plots |= {"importance": importance_of_features(task, importance, titles)}
    return plots


def calibration(task: Task, label: Vector, predicted: Vector) -> bytes:
    """Compare mean prediction and mean outcome in ten groups of equal size; below, how many are predicted what.

    What is predicted equally stands in one group, as in the metric `calibration_error`.
    """
    figure = _figure()
    above, below = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
    above.set_title("Calibration: predicted and real")
    if not len(label):
        below.remove()
        return _said(figure, above, NO_EXAMPLES)
    order = np.argsort(predicted, kind="stable")
    ascending = predicted[order]
    group = np.searchsorted(ascending, ascending, side="left") * CALIBRATION_GROUPS // len(ascending)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    sizes = np.diff(starts, append=len(ascending))
    mean_predicted = np.add.reduceat(ascending, starts) / sizes
    mean_label = np.add.reduceat(label[order], starts) / sizes
    low, high = _padded(np.concatenate([mean_predicted, mean_label, np.quantile(predicted, CENTRE)]))
    above.plot([low, high], [low, high], linestyle="--", color=IDEAL, label="ideal: as predicted")
    size = f"{sizes[0]:,}" if len(set(sizes)) == 1 else f"{sizes.min():,} to {sizes.max():,}"
    name = f"{len(sizes)} groups of {size} examples" if len(sizes) > 1 else f"one group of {size} examples"
    above.plot(mean_predicted, mean_label, marker="o", markersize=4.5, color=MODEL, label=name)
    above.set(xlim=(low, high), ylim=(low, high), ylabel="share that came true" if task == "binary" else "mean outcome")
    above.legend(loc="upper left")
    below.hist(predicted, bins=40, range=(low, high), color=MODEL, alpha=0.6)
    below.set(xlabel="predicted probability" if task == "binary" else "predicted value", ylabel="examples")
    below.grid(visible=False)
    _in_thousands(below)
    if task == "binary":
        _in_percent(above)
    return _png(figure)


def gain(label: Vector, predicted: Vector) -> bytes:
    """Show which share of the total outcome is found among the first share of examples by prediction.

    Among those that are predicted equally, the outcome is spread evenly.
    """
    figure = _figure()
    axes = figure.subplots()
    axes.set_title("Gain: found among those ranked first")
    if not len(label):
        return _said(figure, axes, NO_EXAMPLES)
    if label.min() < 0 or label.sum() <= 0:
        return _said(figure, axes, "Shares of the outcome are not defined:\nit is zero in all, or negative.")
    order = np.argsort(-predicted, kind="stable")
    descending = predicted[order]
    lasts = np.flatnonzero(np.diff(descending, append=np.inf))
    total = label.sum()
    found = np.cumsum(label[order])[lasts] / total
    best = np.cumsum(np.sort(label)[::-1]) / total
    shares = np.arange(1, len(label) + 1) / len(label)
    axes.plot(*_thinned(np.append(0, shares), np.append(0, best)), color=IDEAL, linestyle="--", label="ideal")
    curve = _thinned(np.append(0, shares[lasts]), np.append(0, found))
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
    _in_percent(axes)
    return _png(figure)


def roc(label: Vector, predicted: Vector) -> bytes:
    """Show the true positive rate at every false positive rate."""
    from sklearn.metrics import auc, roc_curve

    figure = _figure()
    axes = figure.subplots()
    axes.set_title("ROC: found and false alarms")
    if len(np.unique(label)) < 2:
        return _said(figure, axes, ONE_OUTCOME if len(label) else NO_EXAMPLES)
    false_positive, true_positive, _ = roc_curve(label, predicted)
    area = auc(false_positive, true_positive)
    curve = _thinned(false_positive, true_positive)
    axes.plot(*curve, color=MODEL, linewidth=2, label=f"this version (area {area:.3f})")
    axes.plot([0, 1], [0, 1], linestyle=":", color=CHANCE, label="at random (area 0.5)")
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.02), xlabel="false alarms: share of the zeros that are taken for ones")
    axes.set_ylabel("found: share of the ones")
    axes.legend(loc="lower right")
    _in_percent(axes)
    return _png(figure)


def precision_recall(label: Vector, predicted: Vector) -> bytes:
    """Show the precision at every recall."""
    from sklearn.metrics import precision_recall_curve

    figure = _figure()
    axes = figure.subplots()
    axes.set_title("Precision and recall")
    if len(np.unique(label)) < 2:
        return _said(figure, axes, ONE_OUTCOME if len(label) else NO_EXAMPLES)
    precision, recall, _ = precision_recall_curve(label, predicted, drop_intermediate=True)
    # The last point, no one selected, is set by convention; it is no observation. The first selection stands for it.
    curve = _thinned(np.append(0, recall[-2::-1]), np.append(precision[-2], precision[-2::-1]))
    axes.plot(*curve, color=MODEL, linewidth=2, label="this version")
    share = label.mean()
    axes.plot([0, 1], [share, share], linestyle=":", color=CHANCE, label=f"at random ({share:.1%})")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel="recall: share of the ones that are selected")
    axes.set_ylabel("precision: ones among the selected")
    axes.legend(loc="best")
    _in_percent(axes)
    return _png(figure)


def residuals(label: Vector, predicted: Vector) -> bytes:
    """Show by how much the outcome missed each prediction, and the mean of that in ten groups by prediction."""
    figure = _figure()
    axes = figure.subplots()
    axes.set_title("Residuals: what was missed")
    if not len(label):
        return _said(figure, axes, NO_EXAMPLES)
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
    axes.set(xlim=_padded(np.quantile(predicted, CENTRE)), ylim=_padded(np.quantile(residual, CENTRE)))
    axes.set(xlabel="predicted value", ylabel="outcome minus prediction")
    for handle in axes.legend(loc="upper left").legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    return _png(figure)


def importance_of_features(task: Task, importance: Mapping[str, float], titles: Mapping[str, str]) -> bytes:
    """Show the features that move the predictions most, on average."""
    figure = _figure()
    axes = figure.subplots()
    first = sorted(importance.items(), key=lambda item: -abs(item[1]))[:SHOWN_FEATURES][::-1]
    names = [shorten(titles.get(name, name), 38, placeholder=" …") for name, _ in first]
    bars = axes.barh(range(len(first)), [abs(value) for _, value in first], color=MODEL, height=0.7)
    axes.bar_label(bars, fmt="%.3g", padding=3, fontsize=7.5, color="#444444")
    # Names are text, in which a dollar sign begins no formula.
    axes.set_yticks(range(len(first)), [name.replace("$", r"\$") for name in names], fontsize=8)
    axes.margins(x=0.14)
    # One feature alone is a bar, not a wall.
    axes.set_ylim(min(len(first), 6) - 6.6, len(first) - 0.4)
    axes.grid(visible=False)
    unit = "log-odds" if task == "binary" else "units of the label"
    figure.supxlabel(f"mean absolute contribution, {unit}", fontsize=9)
    figure.suptitle("What moves the predictions most", fontsize=11, fontweight="bold")
    return _png(figure)


def _figure() -> Figure:
    # A figure of its own, without pyplot: no global state, and no look for a display.
    from matplotlib.figure import Figure

    return Figure(figsize=SIZE, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")


def _png(figure: Figure) -> bytes:
    for axes in figure.axes:
        axes.set_title(axes.get_title(), fontsize=11, fontweight="bold")
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["bottom", "left"]].set_color(FRAME)
        axes.tick_params(labelsize=8, color=FRAME)
        axes.xaxis.label.set_fontsize(9)
        axes.yaxis.label.set_fontsize(9)
        axes.set_axisbelow(True)
        if legend := axes.get_legend():
            legend.set_frame_on(False)
            for text in legend.get_texts():
                text.set_fontsize(8)
        for text in axes.texts:
            text.set_fontsize(min(text.get_fontsize(), 8.5))
    return _light(figure)


def _light(figure: Figure) -> bytes:
    """Return the figure as a PNG of few colours: a quarter of the bytes, as a card holds several and is stored."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas: Any = FigureCanvasAgg(figure)  # matplotlib leaves its methods untyped
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(COLOURS)
    image = BytesIO()
    picture.save(image, format="png", optimize=True)
    return image.getvalue()


def _said(figure: Figure, axes: Axes, why: str) -> bytes:
    """Return a picture of a sentence, where there is nothing to draw."""
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color="#444444")
    axes.set(xticks=[], yticks=[])
    return _png(figure)


def _thinned(x: Vector, y: Vector) -> tuple[Vector, Vector]:
    """Keep the points of a curve that are nearest to even steps along both axes, and its ends; x ascends."""
    if len(x) <= CURVE_POINTS:
        return x, y
    length = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], CURVE_POINTS)).clip(0, len(x) - 1))
    return x[kept], y[kept]


def _padded(values: Vector) -> tuple[float, float]:
    """Return limits a little wider than the values, and never of no width."""
    low, high = float(values.min()), float(values.max())
    margin = (high - low) * 0.05 or max(abs(low) * 0.05, 0.05)
    return low - margin, high + margin


def _in_percent(axes: Axes) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))


def _in_thousands(axes: Axes) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
