"""The examples as SQL to measure from: roles and periods by our names, columns as a model sees them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from ml.examples.split import day_of
from ml.features.measures import Kind, Periods
from turnout.engines import identifier

if TYPE_CHECKING:
    import pyarrow as pa

    from ml.declaration import SplitPlan
    from ml.examples.inspection import Examples
    from turnout.engines import Session
    from turnout.project.examples_table import ExamplesTable

PERIODS = ("early", "late", "holdout", "newest")


class ExamplesQuery:
    """Reads the examples of one table, and knows how many there are in each period.

    Parameters
    ----------
    session : Session
        Of the warehouse; what is read more than once is kept in it.
    table : ExamplesTable
        Where the examples are, and which columns have a role.
    columns : sequence of str
        All columns that are measured.
    schema : Schema
        The table's columns.
    periods : Periods
        The as-of dates that are compared.
    """

    def __init__(
        self, session: Session, table: ExamplesTable, columns: Sequence[str], schema: pa.Schema, periods: Periods
    ) -> None:
        self.session, self.periods = session, periods
        self._table, self._schema = table, schema
        # Any column may be called as our own are, so they are numbered.
        self._aliases = {name: f"column_{place}" for place, name in enumerate(columns)}
        self.counts, self.entities = self._count()

    def kind_of(self, name: str) -> Kind:
        """Return as what a model sees a column."""
        return "numeric" if _is_numeric(self._schema.field(name).type) else "categorical"

    def type_of(self, name: str) -> str:
        """Return a column's type, in Arrow's words."""
        return str(self._schema.field(name).type)

    def alias(self, name: str) -> str:
        """Return what a column is called in `examples`."""
        return self._aliases[name]

    def examples(self, *names: str) -> str:
        """Return the examples with some columns, to read from: a subquery."""
        table, periods = self._table, self.periods
        as_of = identifier(table.as_of)
        early = (
            "cast(null as boolean)" if periods.early_until is None else f"{as_of} <= {date_in_sql(periods.early_until)}"
        )
        holdout = f"{as_of} in ({', '.join(map(date_in_sql, periods.holdout))})" if periods.holdout else "false"
        values = "".join(f", {self._value(name, as_of)} as {self.alias(name)}" for name in names)
        return f"""(
            select
                {identifier(table.entity)} as entity,
                {as_of} as as_of,
                cast({identifier(table.label)} as double) as label,
                {early} as is_early,
                not {early} as is_late,
                {holdout} as is_holdout,
                {as_of} = {date_in_sql(periods.newest)} as is_newest{values}
            from {identifier(table.schema, table.table)}
        ) as examples"""

    def row(self, sql: str) -> tuple[Any, ...]:
        """Return the one row of an aggregate, whose columns need no names."""
        return tuple(column[0].as_py() for column in self.session.table(sql).columns)

    def _value(self, name: str, as_of: str) -> str:
        """Return a column as a model sees it: numbers, nan as missing, dates as days before, all else as text."""
        from pyarrow import types

        column, data_type = identifier(name), self._schema.field(name).type
        if types.is_floating(data_type):
            return f"case when not isnan({column}) then cast({column} as double) end"
        if types.is_date(data_type) or types.is_timestamp(data_type):
            return self.session.expressions.days_before(as_of, column)
        return f"cast({column} as {'double' if _is_numeric(data_type) else 'string'})"

    def _count(self) -> tuple[dict[str, int], dict[str, int]]:
        """Count examples and entities, of all and of each period."""
        conditions = {"all": "true", **{period: f"is_{period}" for period in PERIODS}}
        counted = [
            f"count(*) filter (where {condition}), count(distinct entity) filter (where {condition})"
            for condition in conditions.values()
        ]
        row = self.row(f"select {', '.join(counted)} from {self.examples()}")
        return dict(zip(conditions, row[::2], strict=True)), dict(zip(conditions, row[1::2], strict=True))


def periods_of(examples: Examples, plan: SplitPlan) -> Periods:
    """Return the as-of dates that are compared: early and late ones, the holdout and the newest."""
    halved = examples.matured if len(examples.matured) > 1 else examples.as_of_dates
    newest = examples.as_of_dates[-1]
    holdout = examples.matured[-plan.holdout_dates :]
    if plan.holdout_from is not None:
        holdout = tuple(day for day in examples.matured if day_of(day) >= plan.holdout_from)
    return Periods(
        early_until=halved[(len(halved) - 1) // 2] if len(halved) > 1 else None,
        newest=newest,
        holdout=() if newest in holdout else holdout,
    )


def date_in_sql(day: date) -> str:
    """Return a date as a literal of SQL."""
    return f"date '{day:%Y-%m-%d}'"


def _is_numeric(data_type: pa.DataType) -> bool:
    from pyarrow import types

    kinds = (
        types.is_boolean,
        types.is_integer,
        types.is_floating,
        types.is_decimal,
        types.is_date,
        types.is_timestamp,
    )
    return any(is_kind(data_type) for is_kind in kinds)
