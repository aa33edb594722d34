"""A figure becomes a PNG as wide as half a page: how all pictures of a model card look, whatever they show."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ml.tasks.metrics import Vector

# 4.8 x 3.6 inches at 150 dots are 720 x 540: sharp on a dense screen.
SIZE = (4.8, 3.6)
DOTS_PER_INCH = 150
COLOURS = 48
# More points than a picture has columns cannot be told apart.
CURVE_POINTS = 500

MODEL, IDEAL, CHANCE, FRAME = "#1f5fa8", "#c8641e", "#8a8f98", "#c9ccd1"
NO_EXAMPLES = "There are no examples."


def new_figure() -> Figure:
    """Return an empty figure."""
    # A figure of its own, without pyplot: no global state, and no look for a display.
    from matplotlib.figure import Figure

    return Figure(figsize=SIZE, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG, its titles, axes and legends all of one look."""
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


def text_plot(figure: Figure, axes: Axes, why: str) -> bytes:
    """Return a picture of a sentence, where there is nothing to draw."""
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color="#444444")
    axes.set(xticks=[], yticks=[])
    return png(figure)


def thinned(x: Vector, y: Vector) -> tuple[Vector, Vector]:
    """Keep the points of a curve that are nearest to even steps along both axes, and its ends; x ascends."""
    if len(x) <= CURVE_POINTS:
        return x, y
    length = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], CURVE_POINTS)).clip(0, len(x) - 1))
    return x[kept], y[kept]


def padded(values: Vector) -> tuple[float, float]:
    """Return limits a little wider than the values, and never of no width."""
    low, high = float(values.min()), float(values.max())
    margin = (high - low) * 0.05 or max(abs(low) * 0.05, 0.05)
    return low - margin, high + margin


def in_percent(axes: Axes) -> None:
    """Label both axes in percent."""
    from matplotlib.ticker import PercentFormatter

    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))


def in_thousands(axes: Axes) -> None:
    """Label the upright axis by few whole numbers, such as 10k."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
