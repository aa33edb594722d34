"""The dashboards in Superset."""

from dagster import Definitions, definitions

from orchestration.dashboard_assets import dashboard_assets
from orchestration.project import this_project


@definitions
def defs() -> Definitions:
    """Return an external asset for each dashboard."""
    return Definitions(assets=dashboard_assets(this_project()))
