"""The command line: `run` does everything once and shows it, `ui` opens Dagster on loopback.

Mistakes that a person can mend are printed in words, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from rich.console import Console

from orchestration.commands import command, error_in_words
from orchestration.loopback import HOST, require_free
from orchestration.project import (
    links_of,
    own_tracking_uri,
    predictions_named,
    predictions_of,
    prepare,
    this_project,
    track_all,
    tracking_uri,
)
from turnout.errors import TurnoutError
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project
from turnout.publication.shelf import shelf_of
from turnout.records import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dagster import DagsterInstance, JobDefinition

UI_PORT = 3000
LEADERBOARD_PORT = 5000
AUDITED_DATES = 5
# Below it the summary's columns would be cut; a narrower terminal wraps lines by itself.
SUMMARY_WIDTH = 124


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    parser = argparse.ArgumentParser(prog="python -m orchestration", description=__doc__.split("\n", maxsplit=1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="land, build, train, score, test and publish everything once")
    commands.add_parser("publications", help="list what is published, and the publications that one can go back to")
    restored = commands.add_parser("restore", help="go back to a publication that is kept")
    restored.add_argument("publication", type=int, help="its id")
    restored.add_argument("name", help="who you are; readers see it")
    restored.add_argument("because", help="the reason; readers see it")
    exported = commands.add_parser("export", help="write every table of the publication as a Parquet file")
    exported.add_argument("--folder", type=Path, help="default: published/parquet")
    commands.add_parser("quarantine", help="list the files that were refused and wait for a person")
    released = commands.add_parser("release", help="load a quarantined file as it is; who did it and why is recorded")
    released.add_argument("load", help="the id that the file is listed with")
    released.add_argument("because", help="the reason")
    audited = commands.add_parser("audit", help="build the past again and compare: does any example know the future?")
    audited.add_argument(
        "--dates", type=int, default=AUDITED_DATES, help=f"for each prediction; default: {AUDITED_DATES}"
    )
    audited.add_argument("--seed", type=int, help="decides which; default: others than the last audit")
    audited.add_argument("--prediction", action="append", help="only this one; may be given several times")
    approved = commands.add_parser("approve", help="make a challenger champion that waits for a person")
    rolled_back = commands.add_parser("rollback", help="make an earlier version champion again")
    replayed = commands.add_parser("replay", help="make a version once more from its record, and compare")
    for decided in (approved, rolled_back, replayed):
        decided.add_argument("prediction", help="its name")
        decided.add_argument("version", type=int, help="the number of the version")
    for decided in (approved, rolled_back):
        decided.add_argument("name", help="who you are; it is recorded")
        decided.add_argument("because", help="the reason; it is recorded")
    leaderboard = commands.add_parser("leaderboard", help=f"open MLflow on {HOST}: every run, model and metric")
    leaderboard.add_argument("--port", type=int, default=LEADERBOARD_PORT, help=f"default: {LEADERBOARD_PORT}")
    commands.add_parser("sources", help="write dbt's YAML of the tables that Python writes")
    ui = commands.add_parser("ui", help=f"open Dagster on {HOST}")
    ui.add_argument("--port", type=int, default=UI_PORT, help=f"default: {UI_PORT}")
    parsed = parser.parse_args(arguments)
    # Steps redirect the process's own output to keep it with the run; what a person reads goes past that.
    console = Console(file=os.fdopen(os.dup(sys.stderr.fileno()), "w"), highlight=False, soft_wrap=True)
    console.width = max(console.width, SUMMARY_WIDTH)
    project = this_project()
    try:
        prepare(project)
        match parsed.command:
            case "ui":
                open_ui(project, console, parsed.port)
            case "leaderboard":
                open_leaderboard(project, console, parsed.port)
            case "audit":
                sys.exit(0 if print_audits(project, console, parsed.prediction, parsed.dates, parsed.seed) else 1)
            case "approve" | "rollback":
                from orchestration.champions import approve_version, roll_back_to

                decide = approve_version if parsed.command == "approve" else roll_back_to
                decide(project, console, parsed.prediction, parsed.version, who=parsed.name, because=parsed.because)
            case "replay":
                from orchestration.champions import replay_version

                sys.exit(0 if replay_version(project, console, parsed.prediction, parsed.version) else 1)
            case "publications":
                print_publications(project, console)
            case "restore":
                restore_publication(project, console, parsed.publication, who=parsed.name, because=parsed.because)
            case "export":
                from turnout.publication.publish import export

                folder = export(project, parsed.folder or project.published.parent / "parquet")
                console.print(f"Every table of the publication is a Parquet file in {folder}", markup=False)
            case "quarantine":
                print_quarantine(project, console)
            case "release":
                release_file(project, console, parsed.load, parsed.because)
            case "sources":
                from orchestration.sources import write_sources

                for file in write_sources(project):
                    console.print(f"Wrote {file.relative_to(project.root)}", markup=False)
            case "run":
                sys.exit(0 if run(project, console) else 1)
    except TurnoutError as error:
        console.print(f"\n{error_in_words(error)}", style="red", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("\nStopped. What was finished is kept; run it again to go on.")
        sys.exit(130)


def run(project: Project, console: Console) -> bool:
    """Materialize every asset once, showing progress and a summary; return whether all went well.

    Raises
    ------
    TurnoutError
        If the project cannot be loaded; nothing was run then.
    """
    from orchestration.progress import Progress
    from orchestration.summary import print_summary

    with console.status("Reading the project"):
        job, instance = _load(project)
    if project.warehouse.path.exists():
        with opened(project.warehouse):
            pass  # what an earlier release has recorded is brought up once, before anything reads it
    run_id = str(uuid4())
    with Progress(console, steps=len(job.nodes)) as progress, Path(os.devnull).open("w") as silence:
        instance.add_event_listener(run_id, progress.show)
        # dbt's log is in the step's log and in dbt_project/logs; Dagster's own is in its UI.
        with redirect_stdout(silence):
            result = job.execute_in_process(
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                instance=instance,
                raise_on_error=False,
                run_id=run_id,
            )
    succeeded = result.success and not progress.failures and not progress.skipped
    if not succeeded:
        progress.print_failures()
        from orchestration.definitions import checks
        from orchestration.publication_asset import hold_back_after

        console.print("\nThe run failed. 'make ui' shows every step of it.", style="red")
        if hold_back_after(project, checks(), instance, result.dagster_run):
            told = f"The last publication is in place, and its table 'freshness' says why: {project.published}"
            console.print(told, style="red", markup=False)
    else:
        print_summary(project, console)
    return succeeded


def print_publications(project: Project, console: Console) -> None:
    """Print what is published, and which publications are kept."""
    from turnout.publication.tables import read_publication

    in_place = read_publication(project.published)
    kept = {number: read_publication(file) for number, file in shelf_of(project).kept().items()}
    if in_place is not None:
        kept[in_place.publication_id] = in_place
    for number, publication in sorted(kept.items(), reverse=True):
        assert publication is not None  # only what tells its id is kept
        champions = ", ".join(f"{name} {version}" for name, version in json.loads(publication.champions).items())
        place = "in place" if publication == in_place else ""
        told = (
            f"{number:>5}  {publication.published_at:%Y-%m-%d %H:%M} UTC  {place:<8}  champions: {champions or 'none'}"
        )
        if publication.because:
            told += f"\n       {publication.how} by {publication.who}: {publication.because}"
        console.print(told, markup=False)
    if not kept:
        console.print("Nothing is published yet; 'make run' does it.")


def restore_publication(project: Project, console: Console, publication_id: int, *, who: str, because: str) -> None:
    """Go back to a publication, tell Dagster, and say what comes next.

    Raises
    ------
    TurnoutError
        If it is not kept, it is in place already, or name or reason are missing.
    """
    from dagster import DagsterInstance

    from orchestration.publication_asset import report_current
    from turnout.publication.publish import restore

    restored = restore(project, publication_id, who=who, because=because)
    told = f"{restored.who} went back to publication {restored.publication_id}: {restored.because}"
    is_newest = restored.publication_id >= max(shelf_of(project).kept(), default=0)
    with DagsterInstance.get() as instance:
        report_current(instance, passed=is_newest, description=told)
    console.print(
        f"{told}\nReaders see it from now on, as it was made on {restored.published_at:%Y-%m-%d %H:%M} UTC. The next "
        "run publishes the newest state again: mend what was wrong before.",
        markup=False,
    )


def print_quarantine(project: Project, console: Console) -> None:
    """Print every file in quarantine: why it is there, and what can be done."""
    from turnout.loading.contract import source_tables
    from turnout.loading.quarantine import quarantined
    from turnout.loading.refusal import why

    files = [(table, file) for table in source_tables(manifest_of(project)) for file in quarantined(project, table)]
    for table, file in files:
        console.print(f"\n{file.quarantined_at:%Y-%m-%d %H:%M} UTC  {error_in_words(why(table, file))}", markup=False)
    console.print(f"\n{len(files)} files wait in {project.quarantine}" if files else "Quarantine is empty.")


def release_file(project: Project, console: Console, load_id: str, because: str) -> None:
    """Load a quarantined file on the word of the person who asks, and say what came of it.

    Raises
    ------
    TurnoutError
        If there is no such file, no reason, or it cannot be loaded at all.
    """
    from turnout.loading.contract import source_tables
    from turnout.loading.quarantine import release

    load = release(project, source_tables(manifest_of(project)), load_id, because)
    console.print(
        f"{load.file_name} is loaded into {load.source}.{load.table_name} as {load.load_id}: {load.row_count:,} rows, "
        f"{load.refused_row_count:,} set aside; released by {load.accepted_by}: {load.accepted_because}\n"
        "Next: 'make run' makes everything anew that comes from it.",
        markup=False,
    )


def print_audits(project: Project, console: Console, names: Sequence[str] | None, dates: int, seed: int | None) -> bool:
    """Audit predictions, print what was found, and return whether nothing is wrong.

    Raises
    ------
    TurnoutError
        If there is no such prediction or no example, or the past cannot be built again.
    """
    from orchestration.audit_report import print_audit
    from turnout.leakage.audit import audit

    with console.status("Reading the project") as status:
        audits = audit(project, predictions_named(project, names), dates=dates, seed=seed, tell=status.update)
    for found in audits:
        print_audit(found, console)
    return all(found.problem is None for found in audits)


def open_ui(project: Project, console: Console, port: int) -> None:
    """Replace this process by Dagster's UI and daemon, on loopback only.

    Raises
    ------
    TurnoutError
        If the project cannot be loaded.
    """
    # Mistakes in the project are told here, in words; Dagster would show them as a traceback in the page.
    with console.status("Reading the project"):
        _load(project)
    console.print(f"Dagster opens on http://{HOST}:{port} (stop it with Ctrl-C)")
    dg = str(Path(sys.executable).with_name("dg"))
    os.chdir(project.root)
    # A sensor may wait for the warehouse, and for whoever publishes; Dagster's own limit is a minute.
    os.environ.setdefault("DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS", "900")
    os.environ["VIRTUAL_ENV"] = sys.prefix  # the environment that `dg` runs in, whether or not it is activated
    # What it serves stands in pyproject.toml, under [tool.dg].
    os.execv(dg, [dg, "dev", "--host", HOST, "--port", str(port)])  # noqa: S606 - our own program, no shell


def open_leaderboard(project: Project, console: Console, port: int) -> None:
    """Bring MLflow up to date, and replace this process by its UI on loopback; where there is a server, name that.

    Raises
    ------
    TurnoutError
        If the project cannot be read, or the port is taken.
    """
    with console.status("Sending what is new to MLflow"):
        tracking = track_all(project, ask=True)
    console.print(tracking.text(command), style="yellow" if tracking.problems else None, markup=False)
    is_server = tracking.uri.startswith(("http", "databricks"))
    if not is_server:
        require_free(port, "leaderboard")
    server = tracking.uri.rstrip("/") if is_server else f"http://{HOST}:{port}"
    for prediction, page in tracking.pages.items():
        console.print(f"{prediction}: {server}/{page}", markup=False)
    if is_server:
        console.print(f"MLflow is where MLFLOW_TRACKING_URI says: {server}", markup=False)
        return
    console.print(f"MLflow opens on {server} (stop it with Ctrl-C)")
    if tracking_uri(project) == own_tracking_uri(project):
        project.mlflow.mkdir(parents=True, exist_ok=True)
        os.chdir(project.mlflow)  # what others send to this server is kept here as well
    # Not as arguments, which others on this machine can read: there may be a password in it.
    os.environ["MLFLOW_BACKEND_STORE_URI"] = os.environ["MLFLOW_REGISTRY_STORE_URI"] = tracking_uri(project)
    # One reader needs one worker, none of the services for language models, which start processes of their own, and no
    # word about every request.
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    program = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    quietly = ["--workers", "1", "--uvicorn-opts", "--log-level warning"]
    os.execv(sys.executable, [*program, *quietly])  # noqa: S606 - our own program, no shell


def _load(project: Project) -> tuple[JobDefinition, DagsterInstance]:
    """Return the job of all assets and the instance that keeps its history, in which no dead run holds a place."""
    _ = (
        predictions_of(project),
        links_of(project),
    )  # reads and validates the declarations first: it needs no Dagster, so it is quick
    from dagster import DagsterInstance

    from orchestration.dead_runs import end_dead_runs
    from orchestration.definitions import defs

    try:
        job = defs().resolve_implicit_global_asset_job_def()
    except Exception as error:
        # Dagster wraps what a file in defs/ raises; what is meant for a person is the innermost cause.
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, TurnoutError):
                raise cause from None
            cause = cause.__cause__
        raise
    instance = DagsterInstance.get()
    end_dead_runs(instance)
    return job, instance
