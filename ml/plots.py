"""What a person looks at: is the model calibrated, and does its ranking find those who matter?"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ml.evaluation import Task, Vector


def calibration_and_gain(task: Task, label: Vector, predicted: Vector, *, title: str) -> bytes:
    """Return a PNG with two plots: calibration, and cumulative gain.

    Calibration compares the mean prediction with the mean outcome in ten groups of equal size. Gain shows
    which share of the total outcome is found among the first share of examples by prediction.

    Parameters
    ----------
    label, predicted : ndarray of shape (n_examples,)
        Outcome and prediction on the holdout.
    """
    # A figure of its own, without pyplot: no global state, and no look for a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.suptitle(title)
    _calibration(left, task, label, predicted)
    _gain(right, label, predicted)
    image = BytesIO()
    figure.savefig(image, format="png", dpi=90)
    return image.getvalue()


def _calibration(axes: Axes, task: Task, label: Vector, predicted: Vector) -> None:
    order = np.argsort(predicted, kind="stable")
    groups = [group for group in np.array_split(order, 10) if group.size]
    mean_predicted = [predicted[group].mean() for group in groups]
    mean_label = [label[group].mean() for group in groups]
    limit = max([*mean_predicted, *mean_label]) * 1.05
    axes.plot([0, limit], [0, limit], linestyle="--", color="grey", label="perfect")
    axes.plot(mean_predicted, mean_label, marker="o", label="tenths of the holdout")
    what = "probability" if task == "binary" else "value"
    axes.set(title="Calibration", xlabel=f"mean predicted {what}", ylabel="mean outcome")
    axes.legend()


def _gain(axes: Axes, label: Vector, predicted: Vector) -> None:
    found = np.cumsum(label[np.argsort(-predicted, kind="stable")])
    best = np.cumsum(np.sort(label)[::-1])
    share = np.arange(1, len(label) + 1) / len(label)
    total = found[-1] if found[-1] else 1.0
    axes.plot(share, best / total, color="grey", label="best possible")
    axes.plot(share, found / total, label="this model")
    axes.plot([0, 1], [0, 1], linestyle="--", color="grey", label="at random")
    axes.set(
        title="Cumulative gain",
        xlabel="share of examples, by prediction",
        ylabel="share of the outcome found",
    )
    axes.legend(loc="lower right")
