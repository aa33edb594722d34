"""What the warehouse remembers of the loads of source tables.

To open the warehouse is most of what a look at one table costs. So one look is for all tables, and is good until the
warehouse changes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from turnout.records import SCHEMA, opened
from turnout.records.loads import Load, QuarantinedFile

if TYPE_CHECKING:
    import pyarrow as pa

    from turnout.engines import Session, Warehouse
    from turnout.loading.contract import SourceTable


class Remembered:
    """What is remembered of a table: its loads in their order, which of them are in force, and what was refused."""

    def __init__(self) -> None:
        self.loads: list[Load] = []
        self.by_id: dict[str, Load] = {}
        self.by_part: dict[str, list[Load]] = {}
        # The loads in force by the place that they take, and when another took the place of the others.
        self.in_force: dict[str, Load] = {}
        self.replaced: dict[str, datetime] = {}
        self.quarantined: dict[str, QuarantinedFile] = {}
        # The ids of files of which something was written down when they were refused.
        self.refused_before: set[str] = set()
        self.shown_as: str | None = None

    def add(self, load: Load, table: SourceTable) -> None:
        """Take in the next load, in the place of the one before.

        A load from before its table came in parts was all of them: the first part takes its place.
        """
        part = table.part_of(load.file_name)
        place = load.file_hash if table.keys.mode == "append" else part
        for taken in {place, ""} & self.in_force.keys():
            self.replaced[self.in_force.pop(taken).load_id] = load.loaded_at
        self.in_force[place] = load
        self.loads.append(load)
        self.by_id[load.load_id] = load
        self.by_part.setdefault(part, []).append(load)

    def refuse(self, file: QuarantinedFile) -> None:
        """Take in what is said of a file now."""
        self.quarantined.pop(file.load_id, None)
        self.quarantined[file.load_id] = file


def remembered_of(warehouse: Warehouse, table: SourceTable) -> Remembered:
    """Return what the warehouse remembers of a table."""
    remembered, written = Remembered(), _written_in(warehouse)
    for row in written.rows("loads", table):
        remembered.add(Load(**{**row, "columns": tuple(row["columns"])}), table)
    for row in written.rows("quarantine", table):
        remembered.refuse(QuarantinedFile(**row))
    remembered.refused_before = set(remembered.quarantined)
    if (table.schema, table.identifier) in written.views:
        remembered.shown_as = written.shown_as.get((table.source, table.name))
    return remembered


@dataclass(frozen=True)
class _Written:
    """What is written of all tables: their loads and what was refused, each in the order of time.

    Contracts, which are long and the same in nearly all rows, are held once, by their hash.
    """

    tables: Mapping[str, pa.Table]
    contracts: Mapping[str, str]
    # By source and table, where all loads in force say the same.
    shown_as: Mapping[tuple[str, str], str | None]
    views: frozenset[tuple[str, str]]

    def rows(self, name: str, table: SourceTable) -> list[dict[str, Any]]:
        from pyarrow import compute

        written = self.tables[name]
        is_of = compute.and_(
            compute.equal(written["source"], table.source), compute.equal(written["table_name"], table.name)
        )
        return [{**row, "contract": self.contracts[row["contract"]]} for row in written.filter(is_of).to_pylist()]


# What was read last, of which warehouse, and in which state that was.
_read_last: dict[Warehouse, tuple[Hashable, _Written]] = {}


def _written_in(warehouse: Warehouse) -> _Written:
    state, written = _read_last.get(warehouse, (None, None))
    if written is None or state != warehouse.state():
        with opened(warehouse) as session:
            written = _read(session)
            state = warehouse.state()  # nobody else writes meanwhile
        _read_last.clear()
        if state is not None:
            _read_last[warehouse] = (state, written)
    return written


def _read(session: Session) -> _Written:
    contracts: dict[str, str] = {}
    for name in ("loads", "quarantine"):
        for row in session.rows(f"select distinct md5(contract) as hash, contract from {SCHEMA}.{name}"):
            contracts[row["hash"]] = row["contract"]
    tables = {
        name: session.table(f"select * replace (md5(contract) as contract) from {SCHEMA}.{name} order by {moment}")
        for name, moment in (("loads", "loaded_at"), ("quarantine", "quarantined_at"))
    }
    shown = session.rows(
        f"""select source, table_name, min(shown_as) as shown_as from {SCHEMA}.current_loads
            group by all having count(distinct coalesce(shown_as, '')) = 1"""
    )
    views = session.rows("select table_schema, table_name from information_schema.tables")
    return _Written(
        tables,
        contracts,
        {(row["source"], row["table_name"]): row["shown_as"] for row in shown},
        frozenset((row["table_schema"], row["table_name"]) for row in views),
    )
