"""What a person sees of a table's loads in Dagster: files, sampled rows, statistics beside the load before, checks."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from dagster import MetadataValue

from orchestration.metadata import table
from turnout.loading.parquet import sampled_rows
from turnout.loading.register import Register
from turnout.records.loads import Load, QuarantinedFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnout.loading.contract import SourceTable
    from turnout.loading.loader import LandedFile, Loaded
    from turnout.project.paths import Project

SHOWN_ROWS = 10
# The entry by which it is known what state a page shows.
STATE = "state"
# What is shown of DuckDB's summary, under which heading.
_STATISTICS = {
    "null_percentage": "null %",
    "approx_unique": "distinct",
    "min": "min",
    "q50": "median",
    "max": "max",
    "avg": "mean",
    "std": "standard deviation",
}


def load_metadata(
    project: Project, source_table: SourceTable, loaded: Loaded, shown_before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Show a table's loads.

    Sampled rows and statistics are those of the newest load; checks are those of the file that arrived last, also if
    it is in quarantine.

    Parameters
    ----------
    project : Project
        Where the loads are.
    source_table : SourceTable
        The contract.
    loaded : Loaded
        What came of the look through landing.
    shown_before : mapping, optional
        What was shown last. If it was the same state it is shown again, and nothing has to be looked up.
    """
    newest = loaded.in_force[-1]
    last = loaded.files[-1].entered if loaded.files else newest
    state = _state(source_table, newest, last)
    shown = {
        "dagster/row_count": sum(load.row_count for load in loaded.in_force),
        "loads in force": len(loaded.in_force),
        "newest load": newest.load_id,
        "file": newest.file_name,
        "loaded at (UTC)": str(newest.loaded_at),
        "files in landing": table([_file(landed_file, source_table) for landed_file in loaded.files]),
        "rows set aside": newest.refused_row_count,
        STATE: state,
    }
    if newest.accepted_by:
        shown["accepted by a person"] = f"by {newest.accepted_by}: {newest.accepted_because}"
    if loaded.growing:
        shown["still being written"] = list(loaded.growing)
    if shown_before and shown_before.get(STATE) == MetadataValue.text(state):
        return shown | {name: shown_before[name] for name in _looked_up(newest, last)}
    register = Register(project.warehouse, project.root, source_table)
    with register.held_open():
        rows = (
            sampled_rows(project.root, source_table, newest, SHOWN_ROWS),
            _statistics(register, newest, _before(register, source_table, newest)),
            _checks(register, last.load_id),
            *([register.refused_rows(newest.load_id, SHOWN_ROWS)] if newest.refused_row_count else []),
        )
    return shown | dict(zip(_looked_up(newest, last), map(table, rows), strict=True))


def _looked_up(newest: Load, last: Load | QuarantinedFile) -> list[str]:
    """Return the names of what is shown and has to be looked up, and is the same in the same state."""
    aside = ["some rows that were set aside"] if newest.refused_row_count else []
    return ["sampled rows", "statistics", f"checks of {last.file_name}", *aside]


def _state(source_table: SourceTable, newest: Load, last: Load | QuarantinedFile) -> str:
    """Return a hash of all that decides about what is looked up: the contract says what people may see."""
    judged_at = last.loaded_at if isinstance(last, Load) else last.quarantined_at
    said = (source_table.terms, newest.load_id, last.load_id, last.file_name, str(judged_at))
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


def _before(register: Register, source_table: SourceTable, newest: Load) -> Load | None:
    """Return the load before the newest, of its part."""
    loads = register.loads_of(source_table.part_of(newest.file_name))
    earlier = [load for load in loads if load.loaded_at < newest.loaded_at]
    return earlier[-1] if earlier else None


def _file(landed_file: LandedFile, source_table: SourceTable) -> dict[str, Any]:
    entered = landed_file.entered
    if not isinstance(entered, Load):
        return {
            "file": landed_file.file_name,
            "is new": landed_file.is_new,
            "verdict": "quarantined",
            "id": entered.load_id,
            "rows": 0,
            "remarks": entered.problem,
        }
    declared = {column.name for column in source_table.columns}
    undeclared = [name for name in entered.columns if name not in declared]
    remarks = [f"{entered.refused_row_count:,} rows set aside"] if entered.refused_row_count else []
    remarks += [f"not in the contract, kept but not shown in raw: {', '.join(undeclared)}"] if undeclared else []
    if entered.file_name != landed_file.file_name:
        remarks.append(f"the same content as {entered.file_name}")
    return {
        "file": landed_file.file_name,
        "is new": landed_file.is_new,
        "verdict": "accepted by a person" if entered.accepted_by else "accepted",
        "id": entered.load_id,
        "rows": entered.row_count,
        "remarks": "; ".join(remarks),
    }


def _statistics(register: Register, load: Load, before: Load | None) -> list[dict[str, Any]]:
    then = {row["column_name"]: row for row in register.statistics(before.load_id)} if before else {}
    return [
        {
            "column": row["column_name"],
            "type": row["column_type"].lower(),
            **{
                f"{heading}{when}": "" if found.get(name) is None else str(found[name])
                for name, heading in _STATISTICS.items()
                for when, found in (("", row), (" before", then.get(row["column_name"], {})))
            },
        }
        for row in register.statistics(load.load_id)
    ]


def _checks(register: Register, load_id: str) -> list[dict[str, Any]]:
    found = sorted(register.checks(load_id), key=lambda check: check.passed)
    return [
        {
            "check": check.name,
            "column": check.column_name,
            "passed": check.passed,
            "value": f"{check.value:.4g}",
            "expected": "learning" if check.is_learning_only else f"{check.low:.4g} to {check.high:.4g}",
            "detail": check.detail,
        }
        for check in found
    ]
