"""Ends runs whose process is gone, so that their place in the warehouse's pool is free again.

A run that is killed cannot say so: Dagster takes it to be running, and every later run would wait for its place.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dagster import DagsterEventType, DagsterRunStatus, RunsFilter

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

RUNNING = [DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
# What the command line of a process that executes runs has in it: ours, Dagster's, or `dg`.
PROGRAMS = (b"orchestration", b"dagster", b"bin/dg")


def end_dead_runs(instance: DagsterInstance) -> None:
    """Report every run as failed that Dagster takes to be running on this machine, but whose process is gone."""
    for run in instance.get_runs(filters=RunsFilter(statuses=RUNNING)):
        processes = _processes(instance, run)
        if processes and not any(_is_alive(process) for process in processes):
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            instance.report_run_failed(run, "The process of this run is gone: it was killed, or the machine stopped.")


def _processes(instance: DagsterInstance, run: DagsterRun) -> set[int]:
    """Return the ids of the processes that said they execute the run's steps."""
    found = set()
    for entry in instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT):
        metadata = entry.dagster_event.engine_event_data.metadata if entry.dagster_event else {}
        if "pid" in metadata:
            found.add(int(str(metadata["pid"].value)))
    return found


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # The id may since belong to another program; where the system tells, its command line says so.
    command = Path(f"/proc/{process}/cmdline")
    return not command.exists() or any(program in command.read_bytes() for program in PROGRAMS)
