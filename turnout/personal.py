"""Personal data: columns that tell who somebody is. A tag in dbt's YAML says so, and everything that shows values asks.

They are never a feature, in no message, log or sample, and masked where BI reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The tag of dbt's columns.
PERSONAL = "personal"
# What is shown where a personal value is.
MASK = "•••"


def is_personal(column: Mapping[str, Any]) -> bool:
    """Return whether a column of a node in dbt's manifest is tagged as personal."""
    return PERSONAL in {*column.get("config", {}).get("tags", ()), *column.get("tags", ())}
