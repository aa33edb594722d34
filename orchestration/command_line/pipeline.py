"""The pipeline of a project, ready to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster import DagsterInstance, DagsterInvalidDefinitionError

from orchestration.check_results import CheckResults
from orchestration.command_line.dead_runs import end_dead_runs
from orchestration.definitions import definitions_of
from orchestration.project import links_of, predictions_of
from turnout.errors import TurnoutError
from turnout.project.manifest import ProjectError

if TYPE_CHECKING:
    from dagster import JobDefinition

    from turnout.project.paths import Project


@dataclass(frozen=True)
class Pipeline:
    """What a run needs.

    Parameters
    ----------
    job : JobDefinition
        Materializes every asset.
    instance : DagsterInstance
        Keeps the history of runs.
    check_results : CheckResults
        How the checks of all assets came out.
    """

    job: JobDefinition
    instance: DagsterInstance
    check_results: CheckResults


def load_pipeline(project: Project) -> Pipeline:
    """Return the job of all assets and the instance that keeps its history, in which no dead run holds a place.

    Raises
    ------
    TurnoutError
        If a declaration is wrong, or dbt cannot read the project.
    """
    # Declarations are read first: a mistake in one is found before Dagster looks for all else.
    _ = predictions_of(project), links_of(project)
    defs = definitions_of(project)

    try:
        job = defs.resolve_implicit_global_asset_job_def()
    except Exception as error:
        # Dagster wraps what a file in defs/ raises; what is meant for a person is the innermost cause.
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, TurnoutError):
                raise cause from None
            if isinstance(cause, DagsterInvalidDefinitionError) and cause.__cause__ is None:
                raise ProjectError(
                    f"Dagster cannot make the asset graph: {cause}",
                    where=str(project.dbt),
                    rule="every model, source and test of dbt has a place of its own in Dagster's asset graph.",
                    remedy="give what is named there another name or key in dbt's YAML.",
                ) from None
            cause = cause.__cause__
        raise
    instance = DagsterInstance.get()
    end_dead_runs(instance)
    return Pipeline(job, instance, CheckResults(defs.resolve_asset_graph))
