"""The command line: `run` does everything once and shows it, `ui` opens Dagster on loopback.

Mistakes that a person can mend are printed in words, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from rich.console import Console

from ml.errors import TurnoutError
from orchestration.project import Project, this_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dagster import DagsterInstance, JobDefinition

UI_HOST = "127.0.0.1"
UI_PORT = 3000
AUDITED_DATES = 5
# Below it the summary's columns would be cut; a narrower terminal wraps lines by itself.
SUMMARY_WIDTH = 110


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    parser = argparse.ArgumentParser(prog="python -m orchestration", description=__doc__.split("\n", maxsplit=1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="land, build, train, score, test and publish everything once")
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
    ui = commands.add_parser("ui", help=f"open Dagster on {UI_HOST}")
    ui.add_argument("--port", type=int, default=UI_PORT, help=f"default: {UI_PORT}")
    parsed = parser.parse_args(arguments)
    # Steps redirect the process's own output to keep it with the run; what a person reads goes past that.
    console = Console(file=os.fdopen(os.dup(sys.stderr.fileno()), "w"), highlight=False, soft_wrap=True)
    console.width = max(console.width, SUMMARY_WIDTH)
    project = this_project()
    try:
        project.prepare()
        match parsed.command:
            case "ui":
                open_ui(project, console, parsed.port)
            case "audit":
                sys.exit(0 if print_audits(project, console, parsed.prediction, parsed.dates, parsed.seed) else 1)
            case "quarantine":
                print_quarantine(project, console)
            case "release":
                release_file(project, console, parsed.load, parsed.because)
            case "run":
                sys.exit(0 if run(project, console) else 1)
    except TurnoutError as error:
        console.print(f"\n{error}", style="red", markup=False)
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
        kept = f"The last publication is untouched: {project.published}" if project.published.exists() else ""
        console.print(
            f"\nThe run failed; nothing was published. {kept}\n'make ui' shows every step of it.", style="red"
        )
    else:
        print_summary(project, console)
    return succeeded


def print_quarantine(project: Project, console: Console) -> None:
    """Print every file in quarantine: why it is there, and what can be done."""
    from orchestration.loading.contract import source_tables
    from orchestration.loading.quarantine import quarantined
    from orchestration.loading.refusal import why

    files = [(table, file) for table in source_tables(project.manifest) for file in quarantined(project, table)]
    for table, file in files:
        console.print(f"\n{file.quarantined_at:%Y-%m-%d %H:%M} UTC  {why(table, file)}", markup=False)
    console.print(f"\n{len(files)} files wait in {project.quarantine}" if files else "Quarantine is empty.")


def release_file(project: Project, console: Console, load_id: str, because: str) -> None:
    """Load a quarantined file on the word of the person who asks, and say what came of it.

    Raises
    ------
    TurnoutError
        If there is no such file, no reason, or it cannot be loaded at all.
    """
    from orchestration.loading.contract import source_tables
    from orchestration.loading.quarantine import release

    load = release(project, source_tables(project.manifest), load_id, because)
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
    from orchestration.leakage.audit import audit
    from orchestration.leakage.report import print_audit

    with console.status("Reading the project") as status:
        audits = audit(project, project.predictions_named(names), dates=dates, seed=seed, tell=status.update)
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
    console.print(f"Dagster opens on http://{UI_HOST}:{port} (stop it with Ctrl-C)")
    dg = str(Path(sys.executable).with_name("dg"))
    os.chdir(project.root)
    os.environ["VIRTUAL_ENV"] = sys.prefix  # the environment that `dg` runs in, whether or not it is activated
    # What it serves stands in pyproject.toml, under [tool.dg].
    os.execv(dg, [dg, "dev", "--host", UI_HOST, "--port", str(port)])  # noqa: S606 - our own program, no shell


def _load(project: Project) -> tuple[JobDefinition, DagsterInstance]:
    """Return the job of all assets and the instance that keeps its history, in which no dead run holds a place."""
    _ = project.predictions  # reads and validates the declarations first: it needs no Dagster, so it is quick
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
