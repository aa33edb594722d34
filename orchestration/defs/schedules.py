"""When predictions are trained again: a schedule for each that declares `retrain`."""

from dagster import Definitions, definitions

from orchestration.project import this_project
from orchestration.retraining import retraining_schedules


@definitions
def defs() -> Definitions:
    """Return the schedules; like all in Dagster, they are off until somebody switches them on."""
    return Definitions(schedules=retraining_schedules(this_project()))
