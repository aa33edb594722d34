"""The published file."""

from dagster import Definitions, definitions

from orchestration.project import this_project
from orchestration.publication_asset import publication_asset


@definitions
def defs() -> Definitions:
    """Return the publication."""
    return Definitions(assets=[publication_asset(this_project())])
