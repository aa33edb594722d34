"""Runs everything once: every asset is materialized, and a person sees how far it is."""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from orchestration.command_line.pipeline import load_pipeline
from orchestration.command_line.progress import Progress
from orchestration.command_line.summary import print_summary
from orchestration.defs.publication.held_back import hold_back_after
from turnout.records import opened

if TYPE_CHECKING:
    from rich.console import Console

    from turnout.project.paths import Project


def run_everything(project: Project, console: Console) -> bool:
    """Materialize every asset once, showing progress and a summary; return whether all went well.

    Raises
    ------
    TurnoutError
        If the project cannot be loaded; nothing was run then.
    """
    with console.status("Reading the project"):
        pipeline = load_pipeline(project)
        job, instance = pipeline.job, pipeline.instance
    if project.warehouse.path.exists():
        with opened(project.warehouse):
            pass  # records of an earlier release are brought up once, before anything reads them
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
        console.print("\nThe run failed. 'make ui' shows every step of it.", style="red")
        if hold_back_after(project, pipeline.check_results, instance, result.dagster_run):
            where = f"The last publication is in place, and its table 'freshness' says why: {project.published}"
            console.print(where, style="red", markup=False)
    else:
        print_summary(project, console)
    return succeeded
