"""The model card: what a person should know of a model version, in words, tables and plots.

The words stand in `card.md.jinja`, and `ml.report.facts` fills them in. It becomes Markdown, which is shown in other
tools as well, and that becomes one HTML file that needs nothing beside it. Whatever comes from a declaration or from
data is text: it is escaped in the Markdown, where nothing is passed through as HTML, so that no name of a column can
become a link or a tag.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ml.models.persistence import write_whole
from ml.report.facts import PLOTS, facts_of, plot_path
from ml.report.html import data_address, html_of
from ml.report.markdown import markdown_of, text
from ml.report.plots import plots_of
from turnout.advice import Wording

if TYPE_CHECKING:
    from ml.training.result import Training


@dataclass(frozen=True)
class Card:
    """A written card.

    Parameters
    ----------
    markdown : str
        The card, which names its pictures by their path from the folder.
    folder : Path
        Where `card.md`, `card.html` and `plots/` stand.
    """

    markdown: str
    folder: Path

    @property
    def html(self) -> Path:
        """The card as one file that needs nothing beside it."""
        return self.folder / "card.html"

    @property
    def plots(self) -> dict[str, Path]:
        """The pictures by their names."""
        return {path.stem: path for path in sorted((self.folder / PLOTS).glob("*.png"))}

    def with_pictures(self) -> str:
        """Return the Markdown with its pictures inside, for a page that cannot reach the files."""
        markdown = self.markdown
        for name, path in self.plots.items():
            markdown = markdown.replace(f"]({plot_path(name)})", f"]({data_address(path.read_bytes())})")
        return markdown


def mark(folder: Path, words: str) -> None:
    """Put a mark below the title of a written card; nothing where there is no card.

    Parameters
    ----------
    folder : Path
        Where the card stands.
    words : str
        What a person decided about the version after the card was written.
    """
    file = folder / "card.md"
    if not file.exists():
        return
    made = read(folder)
    title, _, rest = made.markdown.partition("\n")
    markdown = f"{title}\n\n> **{text(words)}**\n{rest}"
    pictures = {name: path.read_bytes() for name, path in made.plots.items()}
    write_whole(file, markdown.encode())
    shown = f"{folder.parent.name}, version {folder.name}"
    write_whole(made.html, html_of(markdown, pictures, shown, "kept").encode())


def write(training: Training, folder: Path, wording: Wording = str) -> Card:
    """Write a training's card: `plots/<name>.png`, `card.md` and `card.html`, the latter last.

    Each file is written wholly or not at all, and what names others after them. Written again, it is replaced.

    Parameters
    ----------
    wording : callable
        How the card puts what a person can do; by itself it names no command.
    """
    prediction = training.prediction
    plots = plots_of(
        prediction.task,
        training.holdout_label,
        training.holdout_predicted,
        training.importance,
        prediction.documentation.titles,
    )
    markdown = markdown_of(facts_of(training, list(plots), wording))
    (folder / PLOTS).mkdir(parents=True, exist_ok=True)
    for name, image in plots.items():
        write_whole(folder / plot_path(name), image)
    for path in (folder / PLOTS).glob("*.png"):
        if path.stem not in plots:
            path.unlink()
    write_whole(folder / "card.md", markdown.encode())
    title = f"{prediction.name}, version {training.version.version}"
    write_whole(folder / "card.html", html_of(markdown, plots, title, training.decision.outcome).encode())
    return Card(markdown, folder)


def read(folder: Path) -> Card:
    """Return the card that was written to a folder."""
    return Card((folder / "card.md").read_text(encoding="utf-8"), folder)
