"""What a prediction is made from, and whether the audit can see its past."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from turnout.leakage.comparison import models_upstream
from turnout.leakage.result import UNAUDITED, Coverage
from turnout.records import SCHEMA

if TYPE_CHECKING:
    from turnout.engines import Session
    from turnout.project.examples_table import ExamplesTable

# How much of what a prediction is made from is cut at a past as-of date by `event_time`.
Cut = Literal["all", "some", "nothing"]


def coverage_of(
    manifest: Mapping[str, Any],
    prediction: ExamplesTable,
    first_loads: Mapping[str, datetime],
    *,
    is_cut_by_loads: bool,
) -> tuple[Coverage, ...]:
    """Return, by name, whether the audit could see the past of each table that a prediction is made from.

    Parameters
    ----------
    manifest : mapping
        The content of dbt's `manifest.json`.
    first_loads : mapping of str to datetime
        What `first_loads_of` returns.
    is_cut_by_loads : bool
        Whether an as-of date was among those audited at which loads tell what was known.
    """
    reasons, covered = prediction.acknowledged.get(UNAUDITED, {}), []
    whole = _read_whole(manifest, prediction)
    for node in _given(manifest, prediction):
        by_event = () if node["unique_id"] in whole else ("event_time",)
        by_load = ("loaded_at",) if is_cut_by_loads and _is_landed(node) else ()
        name, first = _name(node), first_loads.get(node["unique_id"])
        remedy = "" if by_load else _what_to_do(node, first, is_cut=bool(by_event))
        covered.append(Coverage(name, by_event + by_load, remedy, reasons.get(name, "")))
    return tuple(covered)


def cut_by_event_time(manifest: Mapping[str, Any], prediction: ExamplesTable) -> Cut:
    """Return how much of a prediction's past dbt's sample mode cuts: what is read where an `event_time` stands."""
    if not any(_has_event_time(manifest, parent) for parent in _read(manifest, prediction)):
        return "nothing"
    return "some" if _read_whole(manifest, prediction) else "all"


def can_be_cut_around_label(manifest: Mapping[str, Any], prediction: ExamplesTable) -> bool:
    """Return whether a label's window can be cut out, which is done to sources alone; see `macros/source.sql`."""
    return any(
        parent in manifest["sources"] and _has_event_time(manifest, parent) for parent in _read(manifest, prediction)
    )


def can_be_cut_to_share(manifest: Mapping[str, Any], prediction: ExamplesTable) -> bool:
    """Return whether any source names the prediction's entities as it does itself."""
    return any(
        parent in manifest["sources"] and prediction.entity in manifest["sources"][parent]["columns"]
        for parent in _read(manifest, prediction)
    )


def can_be_cut_by_loads(
    manifest: Mapping[str, Any], prediction: ExamplesTable, first_loads: Mapping[str, datetime], known: datetime
) -> bool:
    """Return whether loads tell what was known at a time: each table from landing had one by then."""
    landed = [first_loads.get(node["unique_id"]) for node in _given(manifest, prediction) if _is_landed(node)]
    return bool(landed) and all(first is not None and first <= known for first in landed)


def first_loads_of(session: Session, manifest: Mapping[str, Any]) -> dict[str, datetime]:
    """Return when each source table was loaded first, UTC, by the source's id."""
    if not session.has_table(SCHEMA, "loads"):
        return {}
    rows = session.rows(
        f"""select source, table_name, min(loaded_at) as first_loaded_at from {SCHEMA}.loads
            group by source, table_name"""
    )
    found = {(row["source"], row["table_name"]): row["first_loaded_at"] for row in rows}
    return {
        unique_id: found[node["source_name"], node["name"]]
        for unique_id, node in manifest["sources"].items()
        if (node["source_name"], node["name"]) in found
    }


def _given(manifest: Mapping[str, Any], prediction: ExamplesTable) -> list[dict[str, Any]]:
    """Return the nodes that a prediction is made from and that no model makes: sources, seeds, snapshots; by name."""
    read = _read(manifest, prediction)
    nodes = [_node(manifest, parent) for parent in read if not parent.startswith("model.")]
    return sorted(nodes, key=_name)


def _read(manifest: Mapping[str, Any], prediction: ExamplesTable) -> list[str]:
    """Return the ids of all tables upstream of a prediction; functions of dbt's are none."""
    models = [*models_upstream(manifest, prediction.unique_id), prediction.unique_id]
    parents = {parent for model in models for parent in manifest["nodes"][model]["depends_on"]["nodes"]}
    return sorted(parent for parent in parents if parent in manifest["nodes"] or parent in manifest["sources"])


def _read_whole(manifest: Mapping[str, Any], prediction: ExamplesTable) -> set[str]:
    """Return the ids of the sources, seeds and snapshots that a prediction reads on a way without any `event_time`.

    dbt cuts whatever has one wherever it is read: a source, a seed, a snapshot, or a model on the way.
    """
    whole: set[str] = set()
    waiting = [prediction.unique_id]
    while waiting:
        for parent in manifest["nodes"][waiting.pop()]["depends_on"]["nodes"]:
            is_table = parent in manifest["nodes"] or parent in manifest["sources"]
            if is_table and parent not in whole and not _has_event_time(manifest, parent):
                whole.add(parent)
                waiting += [parent] if parent.startswith("model.") else []
    return {parent for parent in whole if not parent.startswith("model.")}


def _has_event_time(manifest: Mapping[str, Any], unique_id: str) -> bool:
    return bool(_node(manifest, unique_id)["config"].get("event_time"))


def _node(manifest: Mapping[str, Any], unique_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (manifest["sources"] if unique_id in manifest["sources"] else manifest["nodes"])[unique_id]
    return found


def _is_landed(node: dict[str, Any]) -> bool:
    return bool(node.get("loader") == "landing")


def _name(node: dict[str, Any]) -> str:
    """Return `<source>.<table>`; for what dbt makes itself `seed.<name>` or `snapshot.<name>`."""
    return f"{node.get('source_name', node['resource_type'])}.{node['name']}"


def _what_to_do(node: dict[str, Any], first_load: datetime | None, *, is_cut: bool) -> str:
    if node["resource_type"] == "snapshot":
        return "" if is_cut else "Declare 'event_time: dbt_valid_from' in its config."
    by_loads = (
        f"audited at as-of dates after the first load of every source; this one came {first_load:%Y-%m-%d %H:%M}."
        if first_load
        else "audited if they come through landing, at as-of dates after the first load of every source."
    )
    if is_cut:
        return f"Late and corrected rows are {by_loads}"
    return (
        "If a column tells from when on a row holds, declare it: 'config: {event_time: <column>}', on a source, a "
        "staging model that reads it, or a seed. Rows that are "
        f"overwritten in place have none; they are {by_loads}"
    )
