"""What a person reads when a run is over: who the champions are, how good, and where the scores stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.table import Table

from ml.features.findings import RANKS
from ml.features.review import in_short
from ml.models.candidates import BASELINE
from ml.serving.champions import waiting
from ml.serving.scores_table import SCHEMA as SCORES
from ml.tasks.numbers import number
from ml.training.history import champion_of
from orchestration.command_line.tables import print_table
from orchestration.commands import command
from orchestration.project import predictions_of
from turnout.advice import Action
from turnout.engines import identifier
from turnout.project.provenance import turnout_version
from turnout.publication.tables import read_publication
from turnout.records import opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from ml.declaration import Prediction
    from turnout.engines import Session
    from turnout.project.paths import Project


def print_summary(project: Project, console: Console) -> None:
    """Print a table of the predictions, where the publication is, and what to type next."""
    table = Table(title="Predictions", title_justify="left", title_style="bold", box=SIMPLE, pad_edge=False)
    for heading in ("prediction", "champion", "metric"):
        table.add_column(heading, no_wrap=True)
    for heading in ("on holdout", "baseline", "rows scored", "as of"):
        table.add_column(heading, justify="right", no_wrap=True)
    predictions = predictions_of(project)
    decisions: list[str] = []
    asked: list[str] = []
    with opened(project.warehouse) as session:
        for prediction in predictions:
            table.add_row(prediction.name, *_cells(session, prediction))
            decisions.append(f"{prediction.name}: {_last_decision(session, prediction.name)}")
        for prediction in predictions:
            for version in waiting(session, prediction.name):
                arguments = {"version": version, "who": "who you are", "because": "the reason"}
                approve = Action("approve", "approve it", {"prediction": prediction.name, **arguments})
                asked.append(f"{prediction.name}: version {version} waits for a person; {command(approve)}")
        asked += [
            f"{prediction.name}: a person should look at {findings}"
            for prediction in predictions
            if (findings := _findings(session, prediction.name))
        ]
    console.print(f"\nTurnout {turnout_version(project)}", markup=False)
    print_table(console, table)
    console.print("\n".join(decisions), markup=False)
    for line in asked:
        console.print(line, style="yellow", markup=False)
    published = read_publication(project.published)
    which = f"publication {published.publication_id} " if published else ""
    console.print(f"\nPublished: {which}in {project.published}", markup=False)
    console.print("Next: 'make ui' opens the asset graph with every table, test, plot and decision.")


def _cells(session: Session, prediction: Prediction) -> tuple[str, ...]:
    metric = prediction.gate.metric.name
    champion = champion_of(session, prediction.name)
    if champion is None:
        return ("none yet", metric, "", "", "nothing", "")
    scores, as_of = identifier(SCORES, prediction.name), identifier(prediction.examples.as_of)
    evaluations = session.rows(
        """select candidate, value, low, high from records.evaluations
           where prediction = ? and version = ? and metric = ? and group_column = ''""",
        (prediction.name, champion.version, metric),
    )
    (scored,) = session.rows(
        f"select count(*) as n, {as_of} as as_of from {scores} group by {as_of} order by {as_of} desc limit 1"
    )
    values = {row["candidate"]: row for row in evaluations}
    return (
        f"{champion.candidate}, version {champion.version}",
        metric,
        _shown(values.get(champion.candidate), with_interval=True),
        _shown(values.get(BASELINE)),
        f"{scored['n']:,}",
        str(scored["as_of"]),
    )


def _last_decision(session: Session, prediction: str) -> str:
    (row,) = session.rows(
        """select version, outcome, reason from records.promotions
           where prediction = ? order by version desc limit 1""",
        (prediction,),
    )
    outcome = {"promoted": "promoted", "waits": "waits"}.get(row["outcome"], "not promoted")
    return f"version {row['version']} {outcome}: {row['reason']}"


def _findings(session: Session, prediction: str) -> str:
    """Return what the last feature review found and nobody has acknowledged."""
    rows = session.rows(
        """select finding, subject from records.feature_findings
           where
               acknowledged is null and review_id = (
                   select review_id from records.feature_reviews
                   where prediction = ? order by reviewed_at desc limit 1
               )""",
        (prediction,),
    )
    # Sorting keeps the order in which they were written, by strength, among those that matter alike.
    found = sorted(((row["finding"], row["subject"]) for row in rows), key=lambda finding: RANKS[finding[0]])
    return in_short(found)


def _shown(row: Mapping[str, Any] | None, *, with_interval: bool = False) -> str:
    if row is None or row["value"] is None:
        return "—"  # a metric that the champion's training did not measure, or that was undefined there
    interval = ""
    if with_interval and row["low"] is not None:
        interval = f" ({number(row['low'], digits=3)} to {number(row['high'], digits=3)})"
    return f"{number(row['value'])}{interval}"
