"""Where the examples of a prediction stand, and what was promised of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ExamplesTable:
    """A dbt model with a row per entity and as-of date, and what its declaration says of time.

    Parameters
    ----------
    name : str
        The dbt model's name.
    unique_id : str
        The node's id in dbt's manifest.
    schema, table : str
        Where the examples stand in the warehouse.
    file : str
        The file of the declaration, from the dbt project's folder; for messages.
    entity, as_of, label : str
        Columns: what a row is about, the moment from which we look ahead, what came true.
    horizon_days : int
        Days from the as-of date until a label has matured.
    arrival_days : int
        Days after an as-of date by which what happened before it has been loaded.
    audit : {"lenient", "strict"}
        Whether what could not be audited is a warning, or blocks.
    audit_entities : int
        How many entities an audit builds again; of more, it takes a share.
    acknowledged : mapping of finding to mapping of subject to reason
        What was found and is right, with the reason.
    """

    name: str
    unique_id: str
    schema: str
    table: str
    file: str
    entity: str
    as_of: str
    label: str
    horizon_days: int
    arrival_days: int = 1
    audit: Literal["lenient", "strict"] = "lenient"
    audit_entities: int = 20_000
    acknowledged: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)

    @property
    def where(self) -> str:
        """The place to name in a message about this prediction."""
        return f"{self.file}, model '{self.name}'"
