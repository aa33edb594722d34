"""The checks of the examples of every declared prediction."""

from dagster import Definitions, definitions

from orchestration.examples_checks import examples_checks
from orchestration.project import this_project


@definitions
def defs() -> Definitions:
    """Return the step that audits them."""
    return Definitions(asset_checks=examples_checks(this_project()))
