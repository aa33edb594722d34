"""The pictures of a model card: those of its task, and what moves the predictions most."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np

from ml.tasks.drawing import MODEL, new_figure, png

if TYPE_CHECKING:
    from ml.tasks import Task
    from ml.tasks.metrics import Predicted, Vector

IMPORTANCE = "importance"
IMPORTANCE_IN_WORDS = (
    "Importance",
    "How far each feature moves a prediction, up or down, on average. It says what the model uses, and not what "
    "causes the outcome.",
)
SHOWN_FEATURES = 15


def plots_of(
    task: Task,
    label: Vector,
    predicted: Predicted,
    importance: Mapping[str, float] | None,
    titles: Mapping[str, str],
) -> dict[str, bytes]:
    """Return every plot of a task as a PNG by its name, in the order in which they are read.

    Parameters
    ----------
    task : Task
        Says which plots are drawn, and in which unit importance is.
    label : ndarray of shape (n_examples,)
        The outcome on the holdout.
    predicted : ndarray of shape (n_examples,) or (n_examples, n_columns)
        The prediction there. Examples where either is not finite are left out.
    importance : mapping of str to float, or None
        Mean absolute contribution of each feature; None draws no such plot.
    titles : mapping of str to str
        What a feature is called in words; one without a title is called by its name.
    """
    truth, guess = np.asarray(label, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    is_finite = np.isfinite(np.column_stack([truth, guess])).all(axis=1)
    truth, guess = truth[is_finite], guess[is_finite]
    plots = {plot.name: plot.draw(truth, guess) for plot in task.plots}
    if importance:
        plots[IMPORTANCE] = importance_of_features(importance, titles, task.words.effect_unit)
    return plots


def plots_in_words(task: Task) -> dict[str, tuple[str, str]]:
    """Return the title of every plot of a task and how to read it, by its name."""
    return {plot.name: (plot.title, plot.reading) for plot in task.plots} | {IMPORTANCE: IMPORTANCE_IN_WORDS}


def importance_of_features(importance: Mapping[str, float], titles: Mapping[str, str], unit: str) -> bytes:
    """Show the features that move the predictions most, on average."""
    figure = new_figure()
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
    figure.supxlabel(f"mean absolute contribution, {unit}", fontsize=9)
    figure.suptitle("What moves the predictions most", fontsize=11, fontweight="bold")
    return png(figure)
