"""What is published: the tables of the layer of marts, without what tells who somebody is.

In columns that are tagged as personal, BI sees that there is a value, unless the mart says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from turnout.engines import identifier, literal
from turnout.errors import did_you_mean
from turnout.personal import MASK, is_personal
from turnout.project.manifest import ProjectError, is_ephemeral, is_latest

if TYPE_CHECKING:
    from turnout.engines import Session

# What a mart may say under `config.meta.personal_data`; the first is what holds if it says nothing.
PERSONAL_DATA = ("masked", "shown")
# The domain of marts that tell of the pipeline itself: where it is ill, they are what one wants to see.
HEALTH = "health"


@dataclass(frozen=True)
class Mart:
    """A table of the layer of marts.

    Parameters
    ----------
    unique_id : str
        What dbt calls it.
    schema, table : str
        Where it stands in the warehouse.
    domain : str
        The folder of the layer that it stands in.
    masked : frozenset of str
        Columns whose values are not published.
    """

    unique_id: str
    schema: str
    table: str
    domain: str = ""
    masked: frozenset[str] = frozenset()

    def published_rows(self, session: Session) -> str:
        """Return the query of what is published of it: of personal columns, text is masked, other values are left out.

        Raises
        ------
        WarehouseError
            If it has not been built.
        """
        from pyarrow import types

        columns = []
        for field in session.columns_of(self.schema, self.table):
            column = identifier(field.name)
            if field.name not in self.masked:
                columns.append(column)
            elif types.is_string(field.type):
                columns.append(f"case when {column} is not null then {literal(MASK)} end as {column}")
            else:  # a null of the column's type, whatever the engine calls that
                columns.append(f"case when false then {column} end as {column}")
        return f"select {', '.join(columns)} from {identifier(self.schema, self.table)}"


def marts_in(manifest: Mapping[str, Any]) -> dict[str, Mart]:
    """Return every table in the layer of marts, by the name of its model; older versions of one, by their own table's.

    Raises
    ------
    ProjectError
        If a mart says something else than `PERSONAL_DATA` about its personal columns.
    """
    return {
        node["name"] if is_latest(node) else node["alias"]: _mart(node)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["fqn"][1:-1][:1] == ["marts"] and not is_ephemeral(node)
    }


def _mart(node: Mapping[str, Any]) -> Mart:
    said = node["config"]["meta"].get("personal_data", PERSONAL_DATA[0])
    if said not in PERSONAL_DATA:
        raise ProjectError(
            f"'personal_data' is {said!r}.{did_you_mean(str(said), PERSONAL_DATA)}",
            where=f"{node['original_file_path']}, model '{node['name']}', key 'config.meta.personal_data'",
            rule="columns tagged as personal are masked where BI reads, unless the mart says that they are shown.",
            remedy=f"write one of: {', '.join(PERSONAL_DATA)}; or leave it out.",
        )
    personal = [name for name, column in node["columns"].items() if is_personal(column)]
    masked = frozenset(personal if said == "masked" else ())
    return Mart(node["unique_id"], node["schema"], node["alias"], node["fqn"][2], masked)
