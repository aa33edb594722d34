"""What a card says, section by section: all that `card.md.jinja` names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from ml.examples.split import day_of
from ml.judging.evaluation import CHAMPION
from ml.judging.limits import MIN_JUDGED
from ml.report.formatting import (
    UNKNOWN,
    better_is,
    better_or_worse,
    between,
    number,
    percent,
    seconds,
    total_bias_in_words,
)
from ml.report.markdown import code, code_line, text
from ml.report.plots import plots_in_words
from ml.report.tables import (
    Evaluations,
    comparison_table,
    fold_table,
    group_tables,
    leaderboard,
    limit_row,
    metric_table,
    parameter_rows,
    trial_table,
)
from ml.tasks.estimator_settings import SEED
from turnout.advice import Action, Wording

if TYPE_CHECKING:
    from ml.tasks.metrics import Metric
    from ml.training.result import Training

PLOTS = "plots"


def facts_of(training: Training, plots: Sequence[str], wording: Wording) -> dict[str, Any]:
    """Return all that the template names.

    Parameters
    ----------
    plots : sequence of str
        The names of the plots that are drawn.
    wording : callable
        How the card puts what a person can do.
    """
    evaluations = {(row.candidate, row.group_column, row.group_value, row.metric): row for row in training.evaluations}
    return {
        "prediction": training.prediction,
        "description": training.prediction.documentation.description,
        "examples": training.prediction.examples,
        "version": training.version,
        "decision": training.decision,
        "split": training.split,
        "steps": training.steps,
        **_words(training.prediction.documentation.titles, training.prediction.task.metrics),
        **_holdout(training),
        **_performance(training, evaluations, plots),
        **_groups(training, evaluations),
        **_choice(training),
        **_features(training),
        "overlap_days": _overlap_days(training),
        **_commands(training, wording),
    }


def plot_path(plot: str) -> str:
    """Return the path of a plot from the card's folder."""
    return f"{PLOTS}/{plot}.png"


def _words(titles: Mapping[str, str], metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """Return the functions by which the template puts columns, metrics and numbers into words."""

    def has_title(name: str) -> bool:
        return titles.get(name, name) != name

    def who(name: str) -> Markup:
        """Return a column after "each"."""
        if not has_title(name):
            return code(name)
        noun = re.sub("^(the|an?) ", "", titles[name], flags=re.IGNORECASE)
        return Markup("{} ({})").format(text(noun), code(name))

    def meaning(name: str) -> Markup:
        """Return what a column means, to stand behind its name."""
        return Markup(": {}").format(text(titles[name])) if has_title(name) else Markup("")

    def column(name: str) -> Markup:
        return Markup("{} ({})").format(text(titles[name]), code(name)) if has_title(name) else code(name)

    return {
        "column": column,
        "who": who,
        "meaning": meaning,
        "code": code,
        "words": lambda name: metrics[name].title,
        "better_is": lambda name: better_is(metrics[name]),
        "better_or_worse": better_or_worse,
        "between": between,
        "counted": lambda count, noun: f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s",
        "number": number,
        "percent": percent,
        "seconds": seconds,
    }


def _holdout(training: Training) -> dict[str, Any]:
    label, task = training.holdout_label, training.prediction.task.words
    mean = float(np.mean(label)) if len(label) else None
    return {
        "task": task,
        "holdout_count": len(label),
        "mean_label": task.mean_label.format(number=number(mean), percent=percent(mean)),
    }


def _performance(training: Training, evaluations: Evaluations, plots: Sequence[str]) -> dict[str, Any]:
    """Return what is said of all examples of the holdout, and of the limits."""
    decision, candidate, prediction = training.decision, training.version.candidate, training.prediction
    return {
        "has_champion": (CHAMPION, "", "", decision.metric) in evaluations,
        "limits": [
            limit_row(finding, prediction.documentation.titles, prediction.gate.metric) for finding in decision.findings
        ],
        "metrics": metric_table(training, evaluations),
        "leaderboard": leaderboard(training, evaluations),
        "total_bias": total_bias_in_words(evaluations.get((candidate, "", "", "total_bias"))),
        "plots": [
            {"title": title, "reading": reading, "source": Markup(plot_path(name))}  # noqa: S704 - our own name
            for name in plots
            for title, reading in [plots_in_words(prediction.task)[name]]
        ],
    }


def _groups(training: Training, evaluations: Evaluations) -> dict[str, Any]:
    groups = group_tables(training, evaluations)
    return {
        "groups": groups,
        "small_groups": [
            f"{table['words']} {row['name']}" for table in groups for row in table["rows"] if row["is_small"]
        ],
        "min_judged": MIN_JUDGED,
    }


def _choice(training: Training) -> dict[str, Any]:
    """Return how the candidate and its parameters were chosen."""
    choice, plan = training.choice, training.prediction.search
    return {
        "best": choice.best.name,
        "by_time": choice.folds.are_by_time,
        "has_average": plan.has_average,
        "has_search": len(choice.trials) > len(plan.candidates),
        "trial_count": len(training.choice.trials),
        "trials": trial_table(training),
        "folds": fold_table(training),
        "comparisons": comparison_table(training),
        "parameters": parameter_rows(training),
    }


def _features(training: Training) -> dict[str, Any]:
    """Return the features, those first that move the predictions most."""
    titles, importance = training.prediction.documentation.titles, training.importance or {}
    total = sum(abs(value) for value in importance.values())
    shares = {name: abs(value) / total if total else 0.0 for name, value in importance.items()}
    ordered = sorted(training.version.features, key=lambda feature: -shares.get(feature.name, 0.0))
    return {
        "left_out": training.left_out,
        "importance_known": bool(importance),
        "features": [
            {
                "title": titles.get(feature.name, feature.name),
                "name": feature.name,
                "kind": feature.kind,
                "share": f"{shares[feature.name]:.1%}" if feature.name in shares else UNKNOWN,
            }
            for feature in ordered
        ],
    }


def _overlap_days(training: Training) -> int:
    """Return the days between as-of dates if a label looks further ahead than that, else 0."""
    for dates in (training.split.training, training.split.holdout):
        days = [day_of(date) for date in dates]
        steps = [(later - earlier).days for earlier, later in pairwise(days)]
        if steps and min(steps) < training.prediction.examples.horizon_days:
            return max(min(steps), 1)
    return 0


def _commands(training: Training, wording: Wording) -> dict[str, Any]:
    """Return what a person can do with the version, and what it takes to make it once more."""
    name, version = training.prediction.name, training.version
    this = f"version {version.version} of {name}"
    variables = {"prediction": name, "version": version.version}
    code_version = version.code_version.split()
    return {
        "commit": code_version[1] if code_version[:1] == ["commit"] and len(code_version) == 2 else "",
        "seed": SEED,
        "checkout": lambda commit: code_line(f"git checkout {shlex.quote(commit)}"),
        "approve": code_line(wording(Action("approve", f"approve {this}", variables))),
        "replay": code_line(wording(Action("replay", f"replay {this}", variables))),
    }
