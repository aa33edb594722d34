"""What dbt says of this project, as far as declarations, links and contracts are read from it, without a dbt process.

`manifest.json` beside this file is written and kept true by tests/dbt/test_manifest.py.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

CHECKED_IN = Path(__file__).with_name("manifest.json")

Node = dict[str, Any]

# The fields that we read.
OF_BOTH = ("resource_type", "name", "unique_id", "schema", "description", "original_file_path")
OF_MODELS = (*OF_BOTH, "alias", "patch_path")
OF_SOURCES = (*OF_BOTH, "source_name", "identifier", "loader")


def declared() -> Node:
    """Return the manifest that is checked in: sources from landing, predictions and links with what they name."""
    nodes = [json.loads(line) for line in CHECKED_IN.read_text().splitlines()]
    sources = {node["unique_id"]: node for node in nodes if node["resource_type"] == "source"}
    return {
        "nodes": {node["unique_id"]: node for node in nodes if node["unique_id"] not in sources},
        "sources": sources,
    }


def trimmed(manifest: Mapping[str, Any]) -> list[Node]:
    """Return, by id, the nodes and the fields that stand in the manifest that is checked in."""
    landed = {name: node for name, node in manifest["sources"].items() if node["loader"] == "landing"}
    made = [_source(node) for node in landed.values()]
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    links = [node["config"]["meta"]["link"]["to"] for node in models if "link" in node["config"]["meta"]]
    made += [
        _model(node) for node in models if {"prediction", "link"} & {*node["config"]["meta"]} or node["name"] in links
    ]
    made += _required(manifest, landed)
    return sorted(made, key=lambda node: str(node["unique_id"]))


def _declares(node: Node) -> bool:
    return not {"prediction", "link"}.isdisjoint(node["config"]["meta"])


def _model(node: Node) -> Node:
    columns = {name: _column(column, ("name", "description", "tags")) for name, column in node["columns"].items()}
    return {**_fields(node, OF_MODELS), "columns": columns, "config": {"meta": node["config"]["meta"]}}


def _source(node: Node) -> Node:
    columns = {name: _column(column, ("name", "data_type", "tags")) for name, column in node["columns"].items()}
    config = _fields(node["config"], ("event_time", "meta"))
    return {**_fields(node, OF_SOURCES), "columns": columns, "config": config}


def _column(column: Node, names: Collection[str]) -> Node:
    return {**_fields(column, names), "config": _fields(column["config"], ("meta", "tags"))}


def _required(manifest: Mapping[str, Any], landed: Collection[str]) -> Iterator[Node]:
    """Yield the tests that say which columns of a source may not be null."""
    for node in manifest["nodes"].values():
        if (node.get("test_metadata") or {}).get("name") == "not_null" and {*node["depends_on"]["nodes"]} & {*landed}:
            yield {
                **_fields(node, ("resource_type", "unique_id", "column_name")),
                "test_metadata": {"name": "not_null"},
                "depends_on": {"nodes": node["depends_on"]["nodes"]},
                "config": _fields(node["config"], ("severity", "where")),
            }


def _fields(node: Mapping[str, Any], names: Collection[str]) -> Node:
    return {name: node[name] for name in names}
