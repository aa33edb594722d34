"""The pipeline of a copied project, run in the tests' own process: what promises nothing about a process needs none.

A process of its own costs seconds of imports each time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from unittest.mock import patch

from dagster import AssetKey, DagsterInstance, Definitions, ExecuteInProcessResult
from projects import Finished
from rich.console import Console

from orchestration.definitions import definitions_of
from orchestration.project import prepare
from turnout.project.paths import Project


@contextmanager
def at(project: Project) -> Iterator[Definitions]:
    """Let the process stand in a project: its definitions, its Dagster home."""
    with patch.dict(os.environ):
        prepare(project)
        yield definitions_of(project)


def launched(project: Project, *assets: str) -> Finished:
    """Materialize assets, or all of them, as `dg launch` does; what failed is the output, in words."""
    with at(project) as defs, DagsterInstance.get() as instance:
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[AssetKey.from_user_string(asset) for asset in assets] or None,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    return Finished(project, 0 if result.success else 1, "\n".join(_failures(result)))


def _failures(result: ExecuteInProcessResult) -> Iterator[str]:
    for evaluation in result.get_asset_check_evaluations():
        if not evaluation.passed:
            yield f"{evaluation.asset_key.to_user_string()}: {evaluation.check_name}: {evaluation.description or ''}"
    for event in result.filter_events(lambda event: event.is_step_failure):
        failure = event.step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            yield failure.user_failure_data.description
        elif failure.error:
            yield failure.error.message


def terminal() -> tuple[Console, StringIO]:
    """A console as wide as it has to be, and what is written on it."""
    told = StringIO()
    return Console(file=told, width=500), told
