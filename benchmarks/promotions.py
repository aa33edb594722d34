"""What does it cost to promote on evidence only, and how often is it wrong?

First, real weeks are lived through again (`trials.replayed_weeks`): each week of the grocery data a challenger is
trained on what was known by then, and the gate decides. Beside the gate stand two policies without one: always the
newest challenger, and the first champion for ever. What each had in service is judged by what came true later. So that
it takes minutes, two families compete, with a small budget for the search.

Then weeks are simulated in which the truth is known (`trials.simulated_weeks`). Each week the gate decides, and beside
it two that are not used: the one that compares two numbers, and the one that resamples rows as if each were an entity.

Run it with `.venv/bin/python -m benchmarks.promotions [every] [weeks]`, after `make run`: a training on every so many
of the real weeks, by default on each, and so many simulated weeks, by default 200. On two busy cores it takes a quarter
of an hour. A budget in seconds tries more on an idle machine, so the figures of real weeks move a little between runs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.grocery import grocery
from ml.judging.comparison import Comparison, compare
from ml.judging.resampling import resample
from ml.models.candidates import BASELINE
from ml.tasks.metrics import ROUNDING
from trials.replayed_weeks import FIRST, GATE, NEWEST, REFITTED, Replay, quick, replay
from trials.simulated_weeks import METRIC, MINIMUM_EFFECT, RESAMPLES, decision_of, simulated_weeks
from turnout.errors import TurnoutError

# What competes in the real weeks, and the budget of each search.
CANDIDATES = ("linear", "lightgbm")
TRIALS, SECONDS = 10, 5.0

IMPROVEMENTS = (-0.05, 0.0, 0.01, 0.02, 0.05, 0.1)


def main() -> None:
    """Print what each policy had in service cost, and which share of simulated weeks ends with a promotion."""
    every = int(sys.argv[1]) if sys.argv[1:] else 1
    weeks = int(sys.argv[2]) if sys.argv[2:] else 200
    console = Console() if sys.stdout.isatty() else Console(width=160)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            warehouse, predictions = grocery(Path(folder))
        except TurnoutError as error:
            sys.exit(str(error))
        for prediction in predictions:
            fast = quick(prediction, CANDIDATES, trials=TRIALS, seconds=SECONDS)
            tracked = partial(
                track,
                description=prediction.name,
                console=console,
                transient=True,
                disable=not sys.stdout.isatty(),
            )
            lived = replay(warehouse, fast, Path(folder) / prediction.name, every=every, tracked=tracked)
            for table in (_policies(lived), _decisions(lived), _weeks(lived)):
                console.print(table)
    tracked = partial(track, console=console, transient=True, disable=not sys.stdout.isatty())
    console.print(_simulated(weeks, [_shares(improvement, weeks) for improvement in tracked(IMPROVEMENTS)]))
    console.print(f"{(time.perf_counter() - started) / 60:.1f} minutes in all")


def _policies(lived: Replay) -> Table:
    prediction, weeks = lived.prediction, lived.weeks
    title = (
        f"{prediction.name}: mean {prediction.gate.metric.name} of {len(weeks)} weeks, "
        f"{weeks[0].day} to {weeks[-1].day}; "
        f"{' and '.join(CANDIDATES)}, a search of {TRIALS} trials and {SECONDS:g} s"
    )
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("in service")
    for heading in ("realised", "above the gate's", "95 % interval", "in percent", "changes"):
        table.add_column(heading, justify="right")
    realised = lived.realised(lived.served(GATE))
    for policy in (GATE, NEWEST, FIRST, REFITTED, BASELINE):
        shown = [f"{lived.realised(lived.served(policy)):.5g}"]
        if policy == GATE:
            shown += ["", "", ""]
        else:
            more, low, high = lived.difference(policy, GATE)
            shown += [f"{more:+.3g}", f"{low:+.3g} to {high:+.3g}", f"{more / realised:+.2%}"]
        changes = str(len(lived.changes(policy))) if policy in {GATE, NEWEST} else ""
        table.add_row(policy, *shown, "0" if policy == FIRST else changes, style="bold" if policy == GATE else "")
    more, low, high = lived.difference(REFITTED, NEWEST)
    table.caption = f"{REFITTED}, beside {NEWEST}: {more:+.3g} (95 % interval {low:+.3g} to {high:+.3g})"
    return table


def _decisions(lived: Replay) -> Table:
    """Return how often the model that came was worse than the one that went, by what came true until the next came."""
    table = Table(title=f"{lived.prediction.name}: who came beside who went, by what came true", box=SIMPLE_HEAD)
    table.add_column("challengers")
    for heading in (
        "number",
        "realised worse",
        "beyond chance",
        "realised better",
        "beyond chance",
        "mean improvement",
    ):
        table.add_column(heading, justify="right")
    for name, found in (
        ("promoted by the gate", lived.changes(GATE)),
        ("kept out by the gate", lived.kept_out()),
        ("taken as the newest", lived.changes(NEWEST)),
    ):
        table.add_row(name, *_counts(found))
    return table


def _counts(found: Sequence[Comparison]) -> list[str]:
    effects = [comparison.effect or 0.0 for comparison in found]
    worse = [comparison for comparison in found if (comparison.effect or 0.0) < -ROUNDING]
    better = [comparison for comparison in found if (comparison.effect or 0.0) > ROUNDING]
    counts = (
        len(found),
        len(worse),
        sum(comparison.high is not None and comparison.high < -ROUNDING for comparison in worse),
        len(better),
        sum(comparison.is_beyond_chance for comparison in better),
    )
    return [*map(str, counts), f"{np.mean(effects):+.2%}" if effects else ""]


def _weeks(lived: Replay) -> str:
    """Return the promotions, and what the trainings took."""
    promoted = [f"{week.day} {week.candidate}" for week in lived.weeks if week.is_promoted]
    seconds = [week.seconds for week in lived.weeks]
    return f"promoted: {', '.join(promoted)}; a training took {np.mean(seconds):.1f} s on average"


def _shares(improvement: float, weeks: int) -> list[str]:
    """Return the cells of the table of simulated weeks for a challenger of one kind."""
    gate, numbers, rows, effects = [], [], [], []
    for week in simulated_weeks(improvement, weeks=weeks):
        decision = decision_of(week)
        gate.append(decision.is_promoted)
        effects.append(decision.decisive.effect or 0.0)
        values = (METRIC.value(week.label, predicted) for predicted in (week.challenger, week.champion))
        numbers.append(METRIC.is_better(*values))
        every_row = resample(pd.Series(np.arange(week.label.size)), resamples=RESAMPLES)
        compared = compare(METRIC, week.label, week.challenger, week.champion, every_row)
        rows.append(not compared.shortfall(MINIMUM_EFFECT))
    name = f"{'better' if improvement > 0 else 'worse'} by {abs(improvement):.0%}" if improvement else "equal"
    return [name, *(f"{np.mean(promoted):.1%}" for promoted in (gate, numbers, rows)), f"{np.median(effects):.1%}"]


def _simulated(weeks: int, rows: list[list[str]]) -> Table:
    table = Table(title=f"share of {weeks} simulated weeks in which the challenger is promoted", box=SIMPLE_HEAD)
    for heading in ("the challenger is", "by the gate", "by two numbers", "by resampled rows", "median effect"):
        table.add_column(heading, justify="left" if heading == "the challenger is" else "right")
    for row in rows:
        table.add_row(*row)
    return table


if __name__ == "__main__":
    main()
