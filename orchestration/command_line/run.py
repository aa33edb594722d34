"""Runs everything once: every asset is materialized, and a person sees how far it is."""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from orchestration.command_line.pipeline import Pipeline, load_pipeline
from orchestration.command_line.progress import Progress
from orchestration.command_line.summary import print_summary
from orchestration.defs.publication.held_back import hold_back_after
from orchestration.project import predictions_of
from orchestration.stops import GOES_ON, remainder_of
from turnout.records import opened

if TYPE_CHECKING:
    from collections.abc import Collection

    from dagster import AssetKey, ExecuteInProcessResult
    from rich.console import Console

    from turnout.project.paths import Project


def run_everything(project: Project, console: Console) -> bool:
    """Materialize every asset once, showing progress and a summary; return whether all went well.

    Where one prediction fails, the others go on, and are published; it is told that one is old, and nothing went well.

    Raises
    ------
    TurnoutError
        If the project cannot be loaded; nothing was run then.
    """
    with console.status("Reading the project"):
        pipeline = load_pipeline(project)
    if project.warehouse.path.exists():
        with opened(project.warehouse):
            pass  # records of an earlier release are brought up once, before anything reads them
    result, progress = _execute(pipeline, console)
    succeeded = result.success and not progress.failures and not progress.skipped
    if succeeded:
        print_summary(project, console)
        return True
    shown = [progress]
    instance, check_results = pipeline.instance, pipeline.check_results
    remainder = remainder_of(project, check_results, instance, result.dagster_run, predictions_of(project))
    if remainder:
        console.print("\nThe others go on.")
        result, progress = _execute(pipeline, console, remainder)
        shown.append(progress)
    for one in shown:
        one.print_failures()
    console.print("\nThe run failed. 'make ui' shows every step of it.", style="red")
    where = f"{project.published}"
    if remainder and result.success:
        told = f"The others are published, and the table 'prediction_freshness' says which one is old, and why: {where}"
        console.print(told, style="red", markup=False)
    elif hold_back_after(project, check_results, instance, result.dagster_run):
        told = f"The last publication is in place, and its table 'freshness' says why: {where}"
        console.print(told, style="red", markup=False)
    return False


def _execute(
    pipeline: Pipeline, console: Console, selected: Collection[AssetKey] | None = None
) -> tuple[ExecuteInProcessResult, Progress]:
    """Materialize assets, all of them for None, in this process, and show how far it is."""
    job, instance = pipeline.job, pipeline.instance
    if selected is not None:
        job = job.get_subset(asset_selection=set(selected))
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
                tags={GOES_ON: "true"},
            )
    return result, progress
