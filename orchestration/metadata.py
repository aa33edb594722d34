"""How rows are shown in Dagster's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster import MetadataValue, TableRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def table(rows: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - TableMetadataValue is generic over records
    """Show rows, of the same columns, as a table in the page itself."""
    records = [
        TableRecord(
            {name: value if isinstance(value, (int, float, bool)) else str(value) for name, value in row.items()}
        )
        for row in rows
    ]
    return MetadataValue.table(records) if records else MetadataValue.text("no rows")
