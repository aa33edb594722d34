"""Everything that exists, for Dagster: the assets, checks, jobs and schedules found in `defs/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from dagster import Definitions, definitions, in_process_executor, load_from_defs_folder

from orchestration.checks import Checks


@definitions
def defs() -> Definitions:
    """Return all definitions.

    Steps run one after another in one process: the warehouse lets one writer in at a time anyway, and a step
    then costs hundredths of a second to start instead of a second.
    """
    found = load_from_defs_folder(path_within_project=Path(__file__).parent / "defs")
    return Definitions.merge(found, Definitions(executor=in_process_executor))


@cache
def checks() -> Checks:
    """Return how the checks of all assets came out; what is in `defs/` hands it to the steps that ask."""
    return Checks(lambda: defs().resolve_asset_graph())
