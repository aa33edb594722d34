"""dbt's YAML of tables that Python writes: their columns, what the warehouse refuses, and how they belong together.

dbt tests what lies between tables that different steps write, and keys that the warehouse does not hold. All else
stands in `config.meta.constraints`, with which the table is made, by Python or by dbt, whoever comes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from turnout.records.table import Relationship, Table

WIDTH = 100


def sources_of(name: str, words: str, tables: Iterable[Table]) -> str:
    """Return the YAML of a source whose tables Python writes into the schema of its name.

    Parameters
    ----------
    name : str
        Of the source, its schema and its group of assets.
    words : str
        What it holds.
    tables : iterable of Table
        Those that are shown are written.
    """
    source = {
        "name": name,
        "schema": name,
        "loader": "ml",
        "description": words,
        "tables": [_table(name, table) for table in tables if table.is_shown],
    }
    text: str = yaml.safe_dump({"sources": [source]}, sort_keys=False, width=WIDTH, allow_unicode=True)
    return text


def _table(source: str, table: Table) -> dict[str, Any]:
    asset = {"asset_key": [source, table.name], "group": source}
    tests: list[dict[str, Any]] = [_belongs(relationship) for relationship in table.relationships]
    if not table.is_key_enforced:
        tests.insert(0, {"unique_combination": {"arguments": {"columns": list(table.key)}}})
    return {
        "name": table.name,
        "description": table.words,
        "config": {"meta": {"dagster": asset, "constraints": list(table.constraints)}},
        **({"data_tests": tests} if tests else {}),
        "columns": [
            {"name": column.name, "data_type": column.data_type, "description": column.words}
            for column in table.columns
        ],
    }


def _belongs(relationship: Relationship) -> dict[str, Any]:
    return {
        "combination_exists": {
            "name": relationship.name,
            "arguments": {"columns": list(relationship.columns), "to": relationship.to},
            "config": {
                **({"where": relationship.where} if relationship.where else {}),
                "meta": {"dagster": {"ref": {"name": relationship.blocks}}},
            },
        }
    }
