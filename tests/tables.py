"""Contracts of small source tables, with the fields that dbt writes into its manifest and we read."""

from __future__ import annotations

import json
from typing import Any

# What of a column is dbt's own, and no key of the loader.
OF_DBT = {"type", "not_null", "tags"}


def manifest_of(columns: dict[str, dict[str, Any]], event_time: str | None = None, **keys: Any) -> dict[str, Any]:
    """A manifest with one source table, `shop.visits`.

    `columns` maps a name to `type`, `not_null`, `tags` and the keys of the column's `config.meta.load`; `keys` are the
    table's.
    """
    unique_id = "source.turnout.shop.visits"
    node = {
        "resource_type": "source",
        "loader": "landing",
        "unique_id": unique_id,
        "source_name": "shop",
        "name": "visits",
        "schema": "raw",
        "identifier": "visits",
        "description": "One row per visit.",
        "original_file_path": "models/staging/shop/_shop__sources.yml",
        "config": {"event_time": event_time, "meta": {"load": keys} if keys else {}},
        "columns": {
            name: {
                "name": name,
                "data_type": declared.get("type", "varchar"),
                "tags": declared.get("tags", []),
                "config": {
                    "tags": declared.get("tags", []),
                    "meta": {"load": {key: value for key, value in declared.items() if key not in OF_DBT}},
                },
            }
            for name, declared in columns.items()
        },
    }
    tests = {
        f"test.not_null_{name}": {
            "resource_type": "test",
            "test_metadata": {"name": "not_null"},
            "column_name": name,
            "depends_on": {"nodes": [unique_id]},
            "config": {"severity": "ERROR", "where": None},
        }
        for name, declared in columns.items()
        if declared.get("not_null")
    }
    return json.loads(json.dumps({"sources": {unique_id: node}, "nodes": tests}))
