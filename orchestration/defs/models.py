"""dbt's models and tests, in two steps: before Python, and after it."""

from dagster import Definitions, definitions

from orchestration.dbt import dbt_resource, dbt_steps
from orchestration.project import this_project


@definitions
def defs() -> Definitions:
    """Return the two steps and the resource that runs dbt."""
    project = this_project()
    return Definitions(assets=dbt_steps(project), resources={"dbt": dbt_resource(project)})
