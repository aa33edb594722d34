"""The model card: what a person should know of a model version, in words, tables and pictures.

The words stand in `card.md.jinja`. It becomes Markdown, which is shown in other tools as well, and that becomes one
HTML file that needs nothing beside it. Whatever comes from a declaration or from data is text: it is escaped in the
Markdown, where nothing is passed through as HTML, so that no name of a column can become a link or a tag.
"""

from __future__ import annotations

import re
import shlex
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape

from ml.examples.split import day_of
from ml.judging.evaluation import CHAMPION, SLICE, UNSEEN
from ml.judging.limits import MIN_JUDGED
from ml.models.candidates import BASELINE
from ml.models.persistence import write_whole
from ml.report.plots import plots_in_words, plots_of
from ml.tasks.families import SEED
from turnout.advice import Action, Wording
from turnout.records.trainings import Evaluation, LimitFinding

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Template
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token

    from ml.declaration import Prediction
    from ml.tasks.metrics import Metric
    from ml.training.result import Training

    # An evaluation by candidate, group column, group value and metric.
    Found = Mapping[tuple[str, str, str, str], Evaluation]

PLOTS = "plots"
UNKNOWN = "–"  # noqa: RUF001 - a dash, as an empty cell looks like a mistake

LIMITS_IN_WORDS: Mapping[str, str] = {
    "calibration_error": "calibration error",
    "worst_group": "worst group",
    "slice_drop": "drop in a group or slice",
    "prediction_seconds": "seconds for a million rows",
}

# What Markdown could take for anything but text; at the beginning of a line lists and headings as well.
_SPECIAL = re.compile(r"[\\`*_\[\]<>&|~#$]|^(?:[-+=]|\d+(?=[.)](?:\s|$)))")


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
            markdown = markdown.replace(f"]({_source(name)})", f"]({_data(path.read_bytes())})")
        return markdown


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
        prediction.titles,
    )
    markdown = _markdown(training, list(plots), wording)
    (folder / PLOTS).mkdir(parents=True, exist_ok=True)
    for name, image in plots.items():
        write_whole(folder / _source(name), image)
    for path in (folder / PLOTS).glob("*.png"):
        if path.stem not in plots:
            path.unlink()
    write_whole(folder / "card.md", markdown.encode())
    title = f"{prediction.name}, version {training.version.version}"
    write_whole(folder / "card.html", _html(markdown, plots, title, training.decision.outcome).encode())
    return Card(markdown, folder)


def read(folder: Path) -> Card:
    """Return the card that was written to a folder."""
    return Card((folder / "card.md").read_text(encoding="utf-8"), folder)


def _source(plot: str) -> str:
    return f"{PLOTS}/{plot}.png"


def _data(image: bytes) -> str:
    return f"data:image/png;base64,{b64encode(image).decode()}"


# The Markdown.


def _markdown(training: Training, plots: Sequence[str], wording: Wording) -> str:
    rendered = _template("card.md.jinja", _text).render(_facts(training, plots, wording))
    return re.sub(r"\n{3,}", "\n\n", rendered)


def _template(name: str, as_markup: Callable[[object], Markup]) -> Template:
    """Return a template beside this module, in which every value goes through a function, unless it is `Markup`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # So nothing is left unescaped because somebody forgot it: autoescape lets only `Markup` pass.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=as_markup,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["day"] = lambda day: day_of(day).isoformat()
    return environment.get_template(name)


def _text(value: object) -> Markup:
    """Return a value as Markdown that shows exactly its text, in one line."""
    if isinstance(value, Markup):
        return value
    line = " ".join(("" if value is None else str(value)).split())
    return Markup(_SPECIAL.sub(_escaped, line))  # noqa: S704 - it is escaped by the rules of Markdown


def _escaped(found: re.Match[str]) -> str:
    special = found[0]
    # A number that begins a line is a list by the sign behind it.
    return f"&#{ord(special[0])};{special[1:]}" if special[0].isdigit() else f"\\{special}"


def _code(value: object) -> Markup:
    """Return a value in the type of code, where that can show it as it is."""
    line = " ".join(str(value).split())
    return _text(line) if not line or "`" in line or "|" in line else Markup(f"`{line}`")  # noqa: S704 - no way out


def _line(words: str) -> Markup:
    """Return a line as it is; for a block of code only."""
    return Markup(" ".join(words.split()))  # noqa: S704 - in a block of code all is text


def _facts(training: Training, plots: Sequence[str], wording: Wording) -> dict[str, Any]:
    """Return all that the template names."""
    prediction, version, decision, split = training.prediction, training.version, training.decision, training.split
    found = {(row.candidate, row.group_column, row.group_value, row.metric): row for row in training.evaluations}
    has_champion = (CHAMPION, "", "", decision.metric) in found
    titles, metrics = prediction.titles, prediction.task.metrics

    def who(name: str) -> Markup:
        """Return a column after "each"."""
        described = titles.get(name, name)
        return (
            _code(name)
            if described == name
            else Markup("{} ({})").format(_text(re.sub("^(the|an?) ", "", described, flags=re.IGNORECASE)), _code(name))
        )

    def meaning(name: str) -> Markup:
        """Return what a column means, to stand behind its name."""
        described = titles.get(name, name)
        return Markup("") if described == name else Markup(": {}").format(_text(described))

    def better_is(name: str) -> str:
        is_greater = metrics[name].greater_is_better
        return "nearer to 0" if is_greater is None else "higher" if is_greater else "lower"

    def column(name: str) -> Markup:
        if titles.get(name, name) == name:
            return _code(name)
        return Markup("{} ({})").format(_text(titles[name]), _code(name))

    total = sum(abs(value) for value in (training.importance or {}).values())
    shares = {name: abs(value) / total if total else 0.0 for name, value in (training.importance or {}).items()}
    features = sorted(version.features, key=lambda feature: -shares.get(feature.name, 0.0))
    words_of_commit = version.code_version.split()
    named = f"version {version.version} of {prediction.name}"
    of_version = {"prediction": prediction.name, "version": version.version}
    groups = _groups(training, found)
    return {
        "prediction": prediction,
        "version": version,
        "decision": decision,
        "split": split,
        "steps": training.steps,
        "task": prediction.task.words,
        "mean_label": _mean_label(training),
        "holdout_count": len(training.holdout_label),
        "has_champion": has_champion,
        "limits": [_limit(finding, prediction) for finding in decision.findings],
        "metrics": [
            {
                "name": name,
                "words": metrics[name].title,
                "meaning": metrics[name].meaning,
                "better": better_is(name),
                "value": _cell(found.get((version.candidate, "", "", name))),
                "interval": _interval(found.get((version.candidate, "", "", name))),
                "baseline": _cell(found.get((BASELINE, "", "", name))),
                "champion": _cell(found.get((CHAMPION, "", "", name))),
            }
            for name in _metric_names(training)
        ],
        "leaderboard": _leaderboard(training, found),
        "pictures": [
            {"title": title, "reading": reading, "source": Markup(_source(name))}  # noqa: S704 - our own name
            for name in plots
            for title, reading in [plots_in_words(prediction.task)[name]]
        ],
        "groups": groups,
        "total_bias": _total_bias(found.get((version.candidate, "", "", "total_bias"))),
        "trial_count": len(training.trials),
        "trials": _trials(training),
        "folds": _folds(training),
        "importance_known": bool(training.importance),
        "parameters": {name: _number(value) for name, value in version.parameters.items()},
        "features": [
            {
                "title": titles.get(feature.name, feature.name),
                "name": feature.name,
                "kind": feature.kind,
                "share": f"{shares[feature.name]:.1%}" if feature.name in shares else UNKNOWN,
            }
            for feature in features
        ],
        "overlap_days": _overlap_days(training),
        "small_groups": [
            f"{table['words']} {row['name']}" for table in groups for row in table["rows"] if row["is_small"]
        ],
        "fewest_judged": MIN_JUDGED,
        "commit": words_of_commit[1] if words_of_commit[:1] == ["commit"] and len(words_of_commit) == 2 else "",
        "seed": SEED,
        "column": column,
        "who": who,
        "meaning": meaning,
        "code": _code,
        "checkout": lambda commit: _line(f"git checkout {shlex.quote(commit)}"),
        "approve": _line(wording(Action("approve", f"approve {named}", of_version))),
        "replay": _line(wording(Action("replay", f"replay {named}", of_version))),
        "words": lambda name: metrics[name].title,
        "better_is": better_is,
        "better_or_worse": _better_or_worse,
        "between": _between,
        "counted": lambda count, noun: f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s",
        "number": _number,
        "percent": _percent,
        "seconds": _seconds,
    }


def _metric_names(training: Training) -> list[str]:
    """Return the metrics that were reported, the one that decides first."""
    reported = {row.metric for row in training.evaluations}
    known = (name for name in training.prediction.task.metrics if name in reported)
    return sorted(known, key=lambda name: name != training.decision.metric)


def _leaderboard(training: Training, found: Found) -> list[dict[str, Any]]:
    """Return a row for each candidate, the champion's and the baseline's among them, the best first."""
    metric, gain = training.decision.metric, training.prediction.decisive_metric.gain
    rows = [row for row in training.evaluations if (row.group_column, row.metric) == ("", metric)]
    rows.sort(key=lambda row: float("inf") if row.value is None else -gain(row.value, 0.0))
    others = [name for name in _metric_names(training) if name != metric]
    return [
        {
            "candidate": row.candidate,
            "value": _cell(row),
            "interval": _interval(row),
            "others": [_cell(found.get((row.candidate, "", "", name))) for name in others],
        }
        for row in rows
    ]


def _groups(training: Training, found: Found) -> list[dict[str, Any]]:
    """Return a table for each sensitive column, that of unseen groups and one for the slices."""
    prediction, metric, challenger = training.prediction, training.decision.metric, training.version.candidate
    everybody = found.get((challenger, "", "", metric))
    others = [name for name in prediction.task.group_metrics if name != metric]
    tables: dict[str, dict[str, Any]] = {}
    for row in training.evaluations:
        if not row.group_column or (row.candidate, row.metric) != (challenger, metric):
            continue
        words = SLICE if row.group_column == SLICE else prediction.titles.get(row.group_column, row.group_column)
        table = tables.setdefault(
            row.group_column,
            {
                "title": "Slices" if row.group_column == SLICE else words,
                "words": words,
                "conditions": prediction.slices if row.group_column == SLICE else {},
                "others": others,
                "has_unseen_groups": row.group_column == prediction.unseen_groups,
                "rows": [],
            },
        )

        def of(candidate: str, name: str, row: Evaluation = row) -> Evaluation | None:
            return found.get((candidate, row.group_column, row.group_value, name))

        table["rows"].append(
            {
                "name": row.group_value.strip() or "(empty)",
                "examples": f"{row.example_count:,}",
                "entities": f"{row.entity_count:,}",
                "value": _cell(row),
                "interval": _interval(row),
                "unseen": _cell(of(f"{challenger}{UNSEEN}", metric)),
                "beside_all": _beside_all(prediction.decisive_metric, row, everybody),
                "than_champion": _better_or_worse(_improvement(prediction.decisive_metric, row, of(CHAMPION, metric))),
                "than_baseline": _better_or_worse(_improvement(prediction.decisive_metric, row, of(BASELINE, metric))),
                "others": [_cell(of(challenger, name)) for name in others],
                "is_small": row.entity_count < MIN_JUDGED,
            }
        )
    return list(tables.values())


def _limit(finding: LimitFinding, prediction: Prediction) -> dict[str, str]:
    """Return a row of the table of limits, with a sentence where the numbers alone do not say why."""
    column, value = finding.group_column, finding.group_value.strip() or "(empty)"
    where = f"{prediction.titles.get(column, column)}: {value}" if column else "all examples"
    interval = None if finding.low is None or finding.high is None else (finding.low, finding.high)
    if finding.limit_name == "slice_drop":
        allowed = f"{finding.allowed:.0%} worse"
        told = UNKNOWN if finding.found is None else _better_or_worse(-finding.found)
        in_words = UNKNOWN if interval is None else _between(-interval[1], -interval[0])
        is_beyond = finding.found is not None and finding.found > finding.allowed
    else:
        allowed, told = _number(finding.allowed), _number(finding.found)
        in_words = UNKNOWN if interval is None else f"{_number(interval[0])} to {_number(interval[1])}"
        is_beyond = (
            finding.limit_name == "worst_group"
            and finding.found is not None
            and prediction.decisive_metric.is_better(finding.allowed, finding.found)
        )
    is_clear = finding.passed and finding.found is not None and not is_beyond
    return {
        "name": LIMITS_IN_WORDS.get(finding.limit_name, finding.limit_name),
        "where": where,
        "allowed": allowed,
        "found": told,
        "interval": in_words,
        "verdict": "kept" if is_clear else "not judged" if finding.passed else "broken",
        "message": "" if is_clear else finding.message,
    }


def _trials(training: Training) -> list[dict[str, Any]]:
    """Return a row for each candidate: how much of it was tried, and the best that came of it."""
    gain = training.prediction.decisive_metric.gain
    rows = []
    for candidate in dict.fromkeys(trial.candidate for trial in training.trials):
        own = [trial for trial in training.trials if trial.candidate == candidate]
        values = [trial.value for trial in own if trial.state == "complete" and trial.value is not None]
        counts = {state: sum(trial.state == state for trial in own) for state in ("complete", "pruned")}
        seconds = _seconds(sum(trial.seconds for trial in own))
        best = max(values, key=lambda value: gain(value, 0.0), default=None)
        rows.append({"candidate": candidate, **counts, "best": _number(best), "seconds": seconds})
    return rows


def _folds(training: Training) -> dict[str, Any]:
    """Return a row for each fold before the holdout, a value for each candidate."""
    names = list(dict.fromkeys(row.candidate for row in training.validations))
    folds: dict[int, dict[str, Any]] = {}
    for row in training.validations:
        dates = f"{row.first_as_of_date} to {row.last_as_of_date}"
        fold = folds.setdefault(row.fold, {"dates": dates, "examples": f"{row.example_count:,}", "found": {}})
        fold["found"][row.candidate] = _number(row.value)
    rows = [{**fold, "cells": [fold["found"].get(name, UNKNOWN) for name in names]} for fold in folds.values()]
    return {"candidates": names, "rows": rows}


def _overlap_days(training: Training) -> int:
    """Return the days between as-of dates if a label looks further ahead than that, else 0."""
    for dates in (training.split.training, training.split.holdout):
        days = [day_of(date) for date in dates]
        steps = [(later - earlier).days for earlier, later in pairwise(days)]
        if steps and min(steps) < training.prediction.horizon_days:
            return max(min(steps), 1)
    return 0


def _total_bias(row: Evaluation | None) -> str:
    if row is None or row.value is None:
        return ""
    direction = "too high" if row.value > 0 else "too low"
    interval = "" if row.low is None or row.high is None else f" (95% interval {_interval(row)})"
    return f"The sum of all predictions in the holdout is {abs(row.value):.1%} {direction}{interval}."


def _beside_all(metric: Metric, row: Evaluation, everybody: Evaluation | None) -> str:
    """Say whether a group's whole interval is on one side of the value for all examples."""
    if row.low is None or row.high is None or row.value is None or everybody is None or everybody.value is None:
        return "not known"
    if row.low <= everybody.value <= row.high:
        return "no clear difference"
    return "better" if metric.is_better(row.value, everybody.value) else "worse"


def _improvement(metric: Metric, row: Evaluation, other: Evaluation | None) -> float | None:
    """Return by which share of the other's value this one is better; None where that cannot be told."""
    if other is None or row.value is None or not other.value:
        return None
    return metric.gain(row.value, other.value) / abs(other.value)


def _mean_label(training: Training) -> str:
    """Return in words what came true on the holdout."""
    label = training.holdout_label
    mean = float(np.mean(label)) if len(label) else None
    return training.prediction.task.words.mean_label.format(number=_number(mean), percent=_percent(mean))


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.3g}%"


def _better_or_worse(effect: float | None) -> str:
    if effect is None:
        return UNKNOWN
    share = f"{abs(effect):.1%}" if abs(effect) >= 0.1 else f"{abs(effect):.2%}"
    return f"{share} {'worse' if effect < 0 else 'better'}"


def _between(low: float, high: float) -> str:
    """Say an interval of an effect, such as "between 1.20% and 3.40% better"."""
    if (low < 0) == (high < 0):
        first, last = sorted((low, high), key=abs)
        return f"between {_better_or_worse(first).split()[0]} and {_better_or_worse(last)}"
    return f"between {_better_or_worse(low)} and {_better_or_worse(high)}"


def _cell(row: Evaluation | None) -> str:
    if row is None:
        return UNKNOWN
    return f"{row.value:+.1%}" if row.metric == "total_bias" and row.value is not None else _number(row.value)


def _interval(row: Evaluation | None) -> str:
    if row is None or row.low is None or row.high is None:
        return UNKNOWN
    if row.metric == "total_bias":
        return f"{row.low:+.1%} to {row.high:+.1%}"
    return f"{_number(row.low)} to {_number(row.high)}"


def _number(value: object) -> str:
    """Return a number with four digits that count; what is no number as it is."""
    if value is None or value != value:  # only nan differs from itself
        return "undefined"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.4g}".rstrip(".") if value else "0"


def _seconds(taken: float) -> str:
    return f"{taken:,.1f}" if taken >= 10 else f"{taken:.2f}"


# The HTML.


def _html(markdown: str, plots: Mapping[str, bytes], title: str, outcome: str) -> str:
    from markdown_it import MarkdownIt

    def picture(renderer: RendererHTML, tokens: Sequence[Token], number: int, *_: object) -> str:
        token = tokens[number]
        image = plots[Path(str(token.attrs["src"])).stem]
        return f'<img src="{_data(image)}" alt="{escape(token.content)}">'

    def paragraph(renderer: RendererHTML, tokens: Sequence[Token], number: int, options: Any, env: Any) -> str:  # noqa: ANN401 - theirs
        inside = tokens[number + 1].children or []
        if inside and inside[0].type == "image":
            tokens[number].attrSet("class", "picture")
        return renderer.renderToken(tokens, number, options, env)

    # Without HTML: a tag in the Markdown is text.
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("image", picture)
    parser.add_render_rule("paragraph_open", paragraph)
    parser.add_render_rule("table_open", lambda *_: '<div class="table"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    body = Markup(parser.render(markdown))  # noqa: S704 - what the parser makes is escaped
    return _template("card.html.jinja", escape).render(title=title, outcome=outcome, body=body)
