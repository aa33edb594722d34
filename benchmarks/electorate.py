"""How near does `voter_turnout` come to the best that could be known, also in a state that it has not learned from?

An electorate is generated of which the truth is known (see `samples.elections`): each voter's probability of voting,
with and without the shocks that nobody can know before an election. The whole pipeline runs on its files, without the
grocery data, and its scores for the coming election are compared with what then happens there:

- `ROC AUC` and `log loss` of the scores, beside those of the probability that could be known before; of the AUC also
  the share of what can be reached above chance;
- *left out*: the champion's candidate, fitted without a state, judged in that state. A state that the project does not
  learn from at all has only such scores;
- expected and actual turnout by county, with how many counties lie in the interval that the mart gives;
- poll results, as answered and weighted by likely turnout, beside the true choice of those who then vote; and how many
  respondents without an id were found, and rightly.

Run it with `.venv/bin/python -m benchmarks.electorate [voters] [folder]`. A folder keeps everything, and is judged
again without a new run.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ml.examples.reading import feature_frame, read_matured
from ml.training.history import champion_of
from ml.training.refit import fitted_as
from orchestration.project import predictions_named
from samples import elections
from trials.checkouts import copy_checkout
from turnout.engines import identifier
from turnout.project.paths import Project

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

VOTERS = 100_000
PREDICTION = "voter_turnout"
GROCERY = "grocery"


def without_grocery(folder: Path) -> Project:
    """Copy this project into a folder, with elections as its only example."""
    project = copy_checkout(folder)
    for path in [*project.dbt.glob(f"models/*/{GROCERY}"), project.dbt / "models/staging/complete_journey"]:
        shutil.rmtree(path)
    (folder / "samples/complete_journey.py").unlink()
    (project.dbt / "tests/unlisted_products_hardly_sell.sql").unlink()
    scores = project.dbt / "models/scores/_scores__sources.yml"
    declared = yaml.safe_load(scores.read_text())
    for source in declared["sources"]:
        source["tables"] = [table for table in source["tables"] if not table["name"].startswith("household_")]
    scores.write_text(yaml.safe_dump(declared, sort_keys=False))
    return project


def run(project: Project) -> tuple[float, float]:
    """Run the pipeline and return seconds and peak memory of its largest process, in MiB."""
    started = time.perf_counter()
    finished = subprocess.run(
        [sys.executable, "-m", "orchestration", "run"],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": "."},
        check=False,
    )
    if finished.returncode:
        sys.exit(finished.returncode)
    return time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def queried(project: Project, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
    """Return the result of a query on the warehouse."""
    with project.warehouse.session() as session:
        return session.table(sql, parameters)


def judged(project: Project, truth: Path) -> pd.DataFrame:
    """Return every voter that was scored for the coming election, with the truth about it.

    Returns
    -------
    DataFrame of shape (n_voters, 9)
        `voter_id`, `state`, `county`, `choice`, `probability`, `probability_before`, `has_voted`, `score`, and
        `left_out`: what the champion's candidate says that has not learned from the voter's state.
    """
    table = queried(
        project,
        f"""select truth.voter_id, truth.state, voters.county, choice, probability, probability_before, has_voted, score
            from scores.{PREDICTION} as scores
            inner join read_parquet('{truth}/turnout/*.parquet') as truth
                on truth.voter_id = scores.voter_id and truth.election_date > scores.as_of_date
                    and truth.election_date <= scores.as_of_date + interval 35 day
            inner join marts.voters as voters on voters.voter_id = scores.voter_id
            where scores.as_of_date = (select max(as_of_date) from scores.{PREDICTION})""",
    )
    frame = table.to_pandas().set_index("voter_id")
    frame["left_out"] = left_out(project).reindex(frame.index)
    frame["left_out"] = frame["left_out"].fillna(frame["score"])
    by_voter: pd.DataFrame = frame.reset_index()
    return by_voter


def left_out(project: Project) -> pd.Series[float]:
    """Return the scores of the coming election, in each state by a fit of the champion that has not learned from it."""
    import pandas as pd

    (prediction,) = predictions_named(project, [PREDICTION])
    assert prediction.groups.unseen_groups is not None
    with project.warehouse.session() as session:
        champion = champion_of(session, PREDICTION)
        assert champion is not None
        matured = read_matured(session, prediction, champion.features)
    column, names = prediction.groups.unseen_groups, [feature.name for feature in champion.features]
    wanted = ", ".join(map(identifier, [prediction.examples.entity, prediction.examples.as_of, *names]))
    examples, scores = identifier(prediction.examples.schema, prediction.examples.table), []
    for value in sorted(matured[column].unique()):
        # The line of a recalibration was learned from all states.
        fitted = fitted_as(replace(champion, recalibration=None), matured[matured[column] != value])
        coming = queried(
            project,
            f"""select {wanted} from {examples}
                where {identifier(column)} = ? and {identifier(prediction.examples.as_of)} = (
                    select max({identifier(prediction.examples.as_of)}) from {examples}
                )""",
            (value,),
        )
        frame = feature_frame(coming, champion.features, prediction.examples.as_of)
        scores.append(pd.Series(prediction.task.predict(fitted, frame), coming[prediction.examples.entity].to_pylist()))
    found: pd.Series[float] = pd.concat(scores)
    return found


def print_turnout(console: Console, frame: pd.DataFrame, learned: set[str]) -> None:
    """Print ROC AUC and log loss of each state, beside the best."""
    from sklearn.metrics import log_loss, roc_auc_score

    shown = Table(title="The coming election: scores beside the best that could be known before", box=SIMPLE_HEAD)
    for name in ("state", "learned from", "voters", "turnout"):
        shown.add_column(name)
    for name in ("AUC best", "AUC", "of reachable", "left out", "of reachable"):
        shown.add_column(name, justify="right")
    for name in ("log loss best", "log loss", "left out", "with shocks known"):
        shown.add_column(name, justify="right")
    for state, rows in [*frame.groupby("state"), ("all", frame)]:
        truth = rows["has_voted"].astype(int)
        best, ours, elsewhere = (
            roc_auc_score(truth, rows[name]) for name in ("probability_before", "score", "left_out")
        )
        losses = [log_loss(truth, rows[name]) for name in ("probability_before", "score", "left_out", "probability")]
        shown.add_row(
            str(state),
            "" if state == "all" else "yes" if state in learned else "never",
            f"{len(rows):,}",
            f"{truth.mean():.1%}",
            f"{best:.4f}",
            f"{ours:.4f}",
            f"{(ours - 0.5) / (best - 0.5):.1%}",
            f"{elsewhere:.4f}",
            f"{(elsewhere - 0.5) / (best - 0.5):.1%}",
            *(f"{loss:.4f}" for loss in losses),
        )
    console.print(shown)


def print_counties(console: Console, project: Project, frame: pd.DataFrame) -> None:
    """Print how near expected turnout comes to what happened, county by county."""
    counties = frame.groupby(["state", "county"])[["score", "left_out", "probability_before", "has_voted"]].mean()
    mart = queried(
        project, "select state, county, expected_turnout_low, expected_turnout_high from marts.county_turnout"
    ).to_pandas()
    counties = counties.reset_index().merge(mart, on=["state", "county"], how="left")
    counties["inside"] = counties["has_voted"].between(
        counties["expected_turnout_low"], counties["expected_turnout_high"]
    )
    shown = Table(title="Turnout by county: mean absolute difference, in points", box=SIMPLE_HEAD)
    for name in ("state", "counties"):
        shown.add_column(name)
    for name in ("expected", "left out", "best", "shift of the state", "expected, without it", "in the 90 % interval"):
        shown.add_column(name, justify="right")
    for state, rows in [*counties.groupby("state"), ("all", counties)]:
        actual = rows["has_voted"]
        shift = actual - rows["score"]
        off = {name: 100 * (actual - rows[name]).abs().mean() for name in ("score", "left_out", "probability_before")}
        shown.add_row(
            str(state),
            str(len(rows)),
            *(f"{value:.2f}" for value in off.values()),
            f"{100 * shift.mean():+.2f}",
            f"{100 * (shift - shift.mean()).abs().mean():.2f}",
            f"{rows['inside'].mean():.0%}",
        )
    console.print(shown)


def print_polls(console: Console, project: Project, truth: Path, frame: pd.DataFrame) -> None:
    """Print what polls say of the choice for president, beside the truth; and how right the matches are."""
    shares = queried(
        project,
        """select
               answer,
               sum(unweighted_share * count_answered) / sum(count_answered) as given,
               sum(weighted_share * effective_sample_size) / sum(effective_sample_size) as weighted
           from (
               select *, sum(count_respondents) over (partition by wave_id, question_number) as count_answered
               from marts.poll_results where question = 'president'
           )
           group by answer""",
    ).to_pylist()
    voted = frame[frame["has_voted"]]
    shown = Table(title="Choice for president among those who have one", box=SIMPLE_HEAD)
    for name in ("candidate", "as answered", "weighted by likely turnout", "all registered", "those who vote"):
        shown.add_column(name, justify="right")
    decided = [row for row in shares if row["answer"] in {"candidate A", "candidate B", "other"}]
    for row in decided:
        choice = {"candidate A": "A", "candidate B": "B"}.get(row["answer"], "other")
        parts = [row[name] / sum(other[name] for other in decided) for name in ("given", "weighted")]
        parts += [(people["choice"] == choice).mean() for people in (frame, voted)]
        shown.add_row(row["answer"], *(f"{part:.1%}" for part in parts))
    console.print(shown)
    (found,) = queried(
        project,
        f"""select
                count(*) filter (where known.known_voter_id is null) as sought,
                count(truth.voter_id) filter (where known.known_voter_id is null) as there,
                count(links.voter_id) filter (where known.known_voter_id is null) as found,
                count(*) filter (where known.known_voter_id is null and links.voter_id = truth.voter_id) as rightly
            from read_parquet('{truth}/respondents/*.parquet') as truth
            inner join intermediate.int_poll_respondents_described as known using (respondent_id)
            left join links.poll_respondents as links using (respondent_id)""",
    ).to_pylist()
    console.print(
        f"{found['sought']:,} respondents without an id, of whom {found['there']:,} are registered: {found['found']:,} "
        f"found, {found['rightly']:,} rightly (precision {found['rightly'] / found['found']:.3f}, recall "
        f"{found['rightly'] / found['there']:.3f})"
    )


def main(voters: int, kept: Path | None) -> None:
    """Generate, run if that has not been done, and print the tables."""
    console = Console(width=150)
    with tempfile.TemporaryDirectory() as scratch:
        folder = kept or Path(scratch)
        project, truth = Project(folder / "turnout"), folder / "truth"
        if not project.published.exists():
            project = without_grocery(folder / "turnout")
            started = time.perf_counter()
            elections.land(project.landing, voters=voters, truth=truth)
            console.print(f"generated {voters:,} voters in {time.perf_counter() - started:.0f} s")
            seconds, mebibytes = run(project)
            console.print(f"ran the pipeline in {seconds:.0f} s, peak memory {mebibytes:,.0f} MiB")
        frame = judged(project, truth)
        learned = {
            row["state"]
            for row in queried(
                project, f"select distinct state from predictions.{PREDICTION} where has_voted is not null"
            ).to_pylist()
        }
        print_turnout(console, frame, learned)
        print_counties(console, project, frame)
        print_polls(console, project, truth, frame)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(int(arguments[0]) if arguments else VOTERS, Path(arguments[1]) if len(arguments) > 1 else None)
