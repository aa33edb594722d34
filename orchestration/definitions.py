"""Everything that exists, for Dagster: the assets, checks, jobs, schedules and sensors found in `defs/`."""

from __future__ import annotations

from dagster import Definitions, definitions, in_process_executor, load_from_defs_folder

from orchestration.check_results import CheckResults
from orchestration.project import this_project
from turnout.project.dbt_inputs import forget_dbt_options
from turnout.project.paths import Project


@definitions
def defs() -> Definitions:
    """Return all definitions of the project that this package stands in."""
    return definitions_of(this_project())


def definitions_of(project: Project) -> Definitions:
    """Return all definitions of a project, made from its files as they are now.

    Steps run one after another in one process: the warehouse lets one writer in at a time anyway, and a step
    then costs hundredths of a second to start instead of a second.
    """
    forget_dbt_options()  # Dagster's own processes begin here
    # The graph is whole only when all are made, so the results ask for it when they need it.
    check_results = CheckResults(lambda: found.resolve_asset_graph())
    found = Definitions.merge(
        load_from_defs_folder(path_within_project=project.root),
        Definitions(executor=in_process_executor, resources={"check_results": check_results}),
    )
    return found
