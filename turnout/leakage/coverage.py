"""What a prediction is made from, and whether the audit can see its past."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from turnout.leakage.comparison import models_upstream
from turnout.leakage.result import UNAUDITED, Coverage
from turnout.project.manifest import manifest_of
from turnout.records import SCHEMA

if TYPE_CHECKING:
    from ml.declaration import Prediction
    from turnout.project.paths import Project


def coverage_of(project: Project, prediction: Prediction, *, is_cut_by_loads: bool) -> tuple[Coverage, ...]:
    """Return, by name, whether the audit could see the past of each table that a prediction is made from.

    Parameters
    ----------
    is_cut_by_loads : bool
        Whether an as-of date was among those audited at which loads tell what was known.
    """
    reasons = prediction.acknowledged.get(UNAUDITED, {})
    first_loads, covered = _first_loads(project), []
    for node in _given(project, prediction):
        by_event = ("event_time",) if node["config"].get("event_time") else ()
        by_load = ("loaded_at",) if is_cut_by_loads and _is_landed(node) else ()
        name, first = _name(node), first_loads.get(node["unique_id"])
        remedy = "" if by_load else _what_to_do(node, first)
        covered.append(Coverage(name, by_event + by_load, remedy, reasons.get(name, "")))
    return tuple(covered)


def can_be_cut_by_loads(project: Project, prediction: Prediction, known: datetime) -> bool:
    """Return whether loads tell what was known at a time: each table from landing had one by then."""
    first_loads = _first_loads(project)
    landed = [first_loads.get(node["unique_id"]) for node in _given(project, prediction) if _is_landed(node)]
    return bool(landed) and all(first is not None and first <= known for first in landed)


def _given(project: Project, prediction: Prediction) -> list[dict[str, Any]]:
    """Return the nodes that a prediction is made from and that no model makes: sources, seeds, snapshots; by name."""
    manifest = manifest_of(project)
    models = [*models_upstream(manifest, prediction.unique_id), prediction.unique_id]
    parents = {parent for model in models for parent in manifest["nodes"][model]["depends_on"]["nodes"]}
    nodes = [{**manifest["nodes"], **manifest["sources"]}[parent] for parent in sorted(parents - set(models))]
    return sorted(nodes, key=_name)


def _is_landed(node: dict[str, Any]) -> bool:
    return bool(node.get("loader") == "landing")


def _name(node: dict[str, Any]) -> str:
    """Return `<source>.<table>`; for what dbt makes itself `seed.<name>` or `snapshot.<name>`."""
    return f"{node.get('source_name', node['resource_type'])}.{node['name']}"


def _what_to_do(node: dict[str, Any], first_load: datetime | None) -> str:
    if node["resource_type"] == "snapshot":
        return "" if node["config"].get("event_time") else "Declare 'event_time: dbt_valid_from' in its config."
    by_loads = (
        f"audited at as-of dates after the first load of every source; this one came {first_load:%Y-%m-%d %H:%M}."
        if first_load
        else "audited if they come through landing, at as-of dates after the first load of every source."
    )
    if node["config"].get("event_time"):
        return f"Late and corrected rows are {by_loads}"
    return (
        "If a column tells from when on a row holds, declare it: 'config: {event_time: <column>}'. Rows that are "
        f"overwritten in place have none; they are {by_loads}"
    )


def _first_loads(project: Project) -> dict[str, datetime]:
    """Return when each source table was loaded first, UTC, by the source's id."""
    if not project.warehouse.has_table(SCHEMA, "loads"):
        return {}
    sql = f"select source, table_name, min(loaded_at) as first from {SCHEMA}.loads group by all"
    found = {(row["source"], row["table_name"]): row["first"] for row in project.warehouse.query(sql).to_pylist()}
    return {
        unique_id: found[node["source_name"], node["name"]]
        for unique_id, node in manifest_of(project)["sources"].items()
        if (node["source_name"], node["name"]) in found
    }
