"""What differs between a table as it is stored and as it was built again, and where upstream that began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from turnout.engines import identifier
from turnout.leakage.rebuild import rebuilt_schema
from turnout.project.manifest import declared_label

if TYPE_CHECKING:
    from turnout.engines import Session
    from turnout.leakage.past import Share
    from turnout.project.examples_table import ExamplesTable

# Stands for the column when the rows themselves are there in one table only.
ROWS = "(rows)"
SHOWN_ENTITIES = 3


@dataclass(frozen=True)
class ColumnDifference:
    """A column that came out differently.

    Parameters
    ----------
    column : str
        The column, or `ROWS`.
    row_count : int
        How many examples differ.
    shown : tuple of (entity, stored, rebuilt)
        Up to three of them, as text; None for null.
    first_model : str
        The first model upstream in which the difference can be seen; empty if only the prediction's own table shows it.
    """

    column: str
    row_count: int
    shown: tuple[tuple[str, str | None, str | None], ...]
    first_model: str = ""


@dataclass(frozen=True)
class Keyed:
    """A table with a row per entity and as-of date, stored and rebuilt; perhaps a share of the entities alone."""

    schema: str
    table: str
    entity: str
    as_of: str
    share: Share | None = None

    def joined(self, as_of_date: date) -> str:
        """Return SQL of the stored and the rebuilt rows of an as-of date side by side, as `stored` and `rebuilt`."""
        moment = f"where {identifier(self.as_of)} = date '{as_of_date.isoformat()}'"
        moment += f" and {self.share.condition()}" if self.share else ""
        key = identifier(self.entity)
        return (
            f"(select * from {identifier(self.schema, self.table)} {moment}) as stored full join "
            f"(select * from {identifier(rebuilt_schema(self.schema), self.table)} {moment}) as rebuilt "
            f"on stored.{key} = rebuilt.{key}"
        )


def compare_features(
    session: Session, prediction: ExamplesTable, as_of_date: date, share: Share | None = None
) -> tuple[int, list[ColumnDifference]]:
    """Compare the examples of an as-of date, and in those that are on both sides every feature, bit for bit.

    Returns
    -------
    int
        How many stored rows there are.
    list of ColumnDifference
        One for each column that differs, in the order of the columns, and one for rows on one side only.
    """
    columns = session.columns_of(prediction.schema, prediction.table).names
    others = {prediction.entity, prediction.as_of, prediction.label}
    return _compare_rows(
        session, _keyed(prediction, share), as_of_date, [name for name in columns if name not in others]
    )


def _keyed(prediction: ExamplesTable, share: Share | None) -> Keyed:
    return Keyed(prediction.schema, prediction.table, prediction.entity, prediction.as_of, share)


def _compare_rows(
    session: Session, table: Keyed, as_of_date: date, columns: Sequence[str]
) -> tuple[int, list[ColumnDifference]]:
    key = identifier(table.entity)
    alone = f"stored.{key} is null or rebuilt.{key} is null"
    conditions = {ROWS: alone}
    for column in columns:
        name = identifier(column)
        conditions[column] = f"not ({alone}) and stored.{name} is distinct from rebuilt.{name}"
    counts = ", ".join(
        f"count(*) filter (where {condition}) as differing_{number}"
        for number, condition in enumerate(conditions.values())
    )
    (counted,) = session.rows(f"select count(stored.{key}) as row_count, {counts} from {table.joined(as_of_date)}")
    row_count, *differing = counted.values()
    return row_count, [
        ColumnDifference(column, count, _shown(session, table, as_of_date, column, conditions[column]))
        for column, count in zip(conditions, differing, strict=True)
        if count
    ]


def compare_label(
    session: Session, prediction: ExamplesTable, as_of_date: date, share: Share | None = None
) -> tuple[int, list[ColumnDifference]]:
    """Compare the label of examples of an as-of date that stand on both sides and have matured on both.

    Returns
    -------
    int
        How many examples could be compared.
    list of ColumnDifference
        One, if the label differs.
    """
    table, key, label = _keyed(prediction, share), identifier(prediction.entity), identifier(prediction.label)
    on_both = f"stored.{key} is not null and rebuilt.{label} is not null"
    differs = f"{on_both} and stored.{label} is distinct from rebuilt.{label}"
    (counted,) = session.rows(
        f"""select count(*) filter (where {on_both}) as compared, count(*) filter (where {differs}) as differing
            from {table.joined(as_of_date)}"""
    )
    if not counted["differing"]:
        return counted["compared"], []
    shown = _shown(session, table, as_of_date, prediction.label, differs)
    return counted["compared"], [ColumnDifference(prediction.label, counted["differing"], shown)]


def labels_too_early(
    session: Session, prediction: ExamplesTable, cut: date, share: Share | None = None
) -> tuple[list[ColumnDifference], bool]:
    """Find rebuilt examples that have a label although the data end before their horizon does.

    Returns
    -------
    list of ColumnDifference
        One, if there are any.
    bool
        Whether any of these labels is another than the stored one, which shows that it is made from what was cut.
    """
    stored, rebuilt = (
        identifier(schema, prediction.table) for schema in (prediction.schema, rebuilt_schema(prediction.schema))
    )
    entity, as_of, label = (identifier(name) for name in (prediction.entity, prediction.as_of, prediction.label))
    early = f"""from {rebuilt} as rebuilt
        left join {stored} as stored on rebuilt.{entity} = stored.{entity} and rebuilt.{as_of} = stored.{as_of}
        where rebuilt.{label} is not null
            and rebuilt.{as_of} + interval '{prediction.horizon_days}' day > date '{cut.isoformat()}'
            and {share.condition("rebuilt") if share else "true"}"""
    (counted,) = session.rows(
        f"""select
                count(*) as row_count,
                count(*) filter (where rebuilt.{label} is distinct from stored.{label}) as changed
            {early}"""
    )
    if not counted["row_count"]:
        return [], False
    shown = session.rows(
        f"""select
                cast(rebuilt.{entity} as string) || ' on '
                    || cast(cast(rebuilt.{as_of} as date) as string) as shown_entity,
                cast(rebuilt.{label} as string) as shown_label
            {early} order by rebuilt.{as_of} desc, rebuilt.{entity} limit {SHOWN_ENTITIES}"""
    )
    told = tuple((row["shown_entity"], None, row["shown_label"]) for row in shown)
    return [ColumnDifference(prediction.label, counted["row_count"], told)], counted["changed"] > 0


def first_models(
    session: Session,
    manifest: Mapping[str, Any],
    prediction: ExamplesTable,
    as_of_date: date,
    columns: Sequence[str],
) -> dict[str, str]:
    """Find the first model upstream in which each differing column differs, as far as that can be seen.

    A model with the prediction's entity and as-of date is compared row by row; of any other, the rebuilt rows must be
    among the stored ones, since what had happened does not change.

    Returns
    -------
    dict of str to str
        Column to model name, for columns whose difference can be seen upstream.
    """
    by_row: dict[str, set[str]] = {}
    changed: set[str] = set()
    upstream = models_upstream(manifest, prediction.unique_id)
    for unique_id in upstream:
        node = manifest["nodes"][unique_id]
        schemas = (node["schema"], rebuilt_schema(node["schema"]))
        if not all(session.has_table(schema, node["alias"]) for schema in schemas):
            continue  # an ephemeral model has no table
        names = session.columns_of(node["schema"], node["alias"]).names
        # The label of a prediction upstream is not there yet; that is as it should be.
        names = [name for name in names if name != declared_label(node)]
        if prediction.entity in names and prediction.as_of in names:
            table = Keyed(node["schema"], node["alias"], prediction.entity, prediction.as_of)
            _, found = _compare_rows(session, table, as_of_date, names)
            by_row[unique_id] = {difference.column for difference in found}
        else:
            stored, rebuilt = (identifier(schema, node["alias"]) for schema in schemas)
            new = f"select * from {rebuilt} except all select * from {stored}"
            if session.rows(f"select 1 as differs from ({new}) as new_rows limit 1"):
                changed.add(unique_id)
    first = {}
    for column in columns:
        holders = [unique_id for unique_id in upstream if column in by_row.get(unique_id, ())]
        # Above the first that has the column, any that differs at all may be where it comes from.
        begin = holders[0] if holders else prediction.unique_id
        above = [
            unique_id for unique_id in models_upstream(manifest, begin) if unique_id in changed or by_row.get(unique_id)
        ]
        if above or holders:
            first[column] = manifest["nodes"][(above or holders)[0]]["name"]
    return first


def models_upstream(manifest: Mapping[str, Any], unique_id: str) -> list[str]:
    """Return the models that a model is made from, each after those that it is made from itself."""
    ordered: list[str] = []

    def visit(node: str) -> None:
        for parent in manifest["nodes"][node]["depends_on"]["nodes"]:
            if parent.startswith("model.") and parent not in ordered:
                visit(parent)
                ordered.append(parent)

    visit(unique_id)
    return ordered


def _shown(
    session: Session, table: Keyed, as_of_date: date, column: str, condition: str
) -> tuple[tuple[str, str | None, str | None], ...]:
    key = identifier(table.entity)
    if column == ROWS:
        stored, rebuilt = (f"case when {side}.{key} is not null then 'a row' end" for side in ("stored", "rebuilt"))
    else:
        stored, rebuilt = (f"cast({side}.{identifier(column)} as string)" for side in ("stored", "rebuilt"))
    rows = session.rows(
        f"""select
                cast(coalesce(stored.{key}, rebuilt.{key}) as string) as shown_entity,
                {stored} as shown_stored,
                {rebuilt} as shown_rebuilt
            from {table.joined(as_of_date)} where {condition} order by shown_entity limit {SHOWN_ENTITIES}"""
    )
    return tuple((row["shown_entity"], row["shown_stored"], row["shown_rebuilt"]) for row in rows)
