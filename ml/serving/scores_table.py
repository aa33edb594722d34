"""The table of a prediction's scores, said once: what Python writes, what the warehouse refuses, what dbt tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml.models.reasons import PLACES, reason_fields
from ml.models.score_columns import ScoreColumns
from turnout.engines import QueryError, identifier
from turnout.errors import DeclarationError, WarehouseError
from turnout.records.table import Column, Relationship, Table, columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from ml.declaration import Prediction
    from ml.tasks import Task
    from turnout.engines import Session
    from turnout.project.examples_table import ExamplesTable

SCHEMA = "scores"
# Of these types the same number is the same entity, whichever it has.
WHOLE_NUMBERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
WORDS = "What the champions predict. Scores of one prediction and as-of date are replaced in one transaction."
FIRST = (
    "What moved the score most from the average one, in words: what the feature is called, its value, the direction. "
    "Null if the model cannot be explained, or reasons are not wanted."
)


def scores_table(prediction: Prediction, entity: Column, as_of: Column, mart: str = "") -> Table:
    """Return the table of a prediction's scores.

    Its key is not held by the warehouse, as an index over all scores would have to be in memory: whoever writes the
    scores of an as-of date counts them (`ml.serving.scoring`), and dbt tests it.

    Parameters
    ----------
    entity, as_of : Column
        As in the examples.
    mart : str
        The dbt model that is not built where scores do not belong to examples; empty if none shows them.
    """
    examples, task = prediction.examples, prediction.task
    key = (examples.entity, examples.as_of)
    belongs = Relationship(
        f"{examples.name}_scores_belong_to_examples",
        key,
        to=f"ref('{examples.name}')",
        blocks=mart,
        # Only the latest: an earlier as-of date may since have lost an example through corrected data.
        where=f"{examples.as_of} = (select max({examples.as_of}) from {SCHEMA}.{examples.name})",
    )
    return Table(
        examples.name,
        f"What the champion says: {_question(prediction.documentation.description, examples.label)} "
        f"One row per {examples.entity} and {examples.as_of} that was scored.",
        (entity, as_of, *task.score_columns, *columns_of(ScoreColumns), *_reasons(task)),
        key=key,
        is_key_enforced=False,
        checks=(*task.score_checks, *_whole_and_in_order()),
        relationships=(belongs,) if mart else (),
    )


def declared_table(prediction: Prediction, manifest: Mapping[str, Any]) -> Table:
    """Return the table of a prediction's scores, from what dbt's manifest says of the examples.

    The mart that shows the scores is the first by name that reads them and has a column for the entity.

    Raises
    ------
    DeclarationError
        If the type of the entity is not declared.
    """
    examples = prediction.examples
    declared = manifest["nodes"][examples.unique_id]["columns"]
    readers = (
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and [SCHEMA, examples.name] in node["sources"]
    )
    marts = sorted(node["name"] for node in readers if examples.entity in node["columns"])
    data_type = declared[examples.entity]["data_type"]
    if not data_type:
        raise DeclarationError(
            f"The type of '{examples.entity}' is not declared.",
            where=f"{examples.where}, column '{examples.entity}'",
            rule="the table of scores is made before there are scores, with the type of the entity.",
            remedy="write 'data_type: bigint' or 'data_type: varchar' at the column, whichever it is.",
        )
    words = " ".join(declared[examples.entity]["description"].split())
    return scores_table(
        prediction,
        Column(examples.entity, data_type, words),
        Column(examples.as_of, "date", "The moment from which the score looks ahead."),
        *marts[:1],
    )


def create_table(session: Session, prediction: Prediction) -> None:
    """Make the table of a prediction's scores if it is missing, with the key's types as they are in the examples.

    dbt makes it before there are scores, with the entity's type as its YAML says. If the examples have another one, the
    table is made anew with theirs: scores are written as they are, and an id `000022` never becomes 22.

    Raises
    ------
    WarehouseError
        If scores are there whose entities cannot be the same in the other type.
    """
    examples = prediction.examples
    types = _types(session, examples.schema, examples.table)
    entity, as_of = (Column(name, types[name], "") for name in (examples.entity, examples.as_of))
    table = scores_table(prediction, entity, as_of)
    held = _types(session, SCHEMA, table.name)
    if held.get(entity.name, entity.data_type) != entity.data_type:
        _make_anew(session, table, held, entity)
    session.create(SCHEMA, table.name, table.types, table.constraints)


def _make_anew(session: Session, table: Table, held: Mapping[str, str], entity: Column) -> None:
    """Give the entity in a table of scores another type, and leave the scores as they are."""
    scores, name = identifier(SCHEMA, table.name), identifier(entity.name)
    (found,) = session.rows(f"select count(*) as scores from {scores}")
    refused = WarehouseError(
        f"The scores of '{table.name}' are of other entities than its examples: '{entity.name}' is "
        f"{held[entity.name].lower()} in {found['scores']:,} scores of before, and {entity.data_type.lower()} now.",
        where=f"table {SCHEMA}.{table.name}, column '{entity.name}'",
        rule="a score belongs to an example, by a key that has one type in both and is never cast.",
        remedy="bring back the type in the model of the examples; or drop the table, if the scores of before are of no "
        "use any more: it is made anew. What data_type the YAML says is for dbt alone.",
    )
    if found["scores"] and not {held[entity.name], entity.data_type} <= WHOLE_NUMBERS:
        raise refused
    given = [f"cast({name} as {entity.data_type}) as {name}", *(identifier(one) for one in held if one != entity.name)]
    with session.transaction():
        if found["scores"]:
            try:
                session.keep("scores_of_before", f"select {', '.join(given)} from {scores}")
            except QueryError:  # a number is too large
                raise refused from None
        session.drop(SCHEMA, table.name)
        session.create(SCHEMA, table.name, {**held, **table.types}, table.constraints)
        if found["scores"]:
            session.insert(SCHEMA, table.name, "select * from scores_of_before")


def _types(session: Session, schema: str, table: str) -> dict[str, str]:
    """Return the SQL type of each column; none if there is no such table."""
    sql = """select column_name as name, data_type from information_schema.columns
             where table_schema = ? and table_name = ? order by ordinal_position"""
    return {row["name"]: row["data_type"] for row in session.rows(sql, (schema, table))}


def score_schema(examples: ExamplesTable, task: Task, columns: pa.Schema) -> pa.Schema:
    """Return the columns of scores as they are streamed.

    Parameters
    ----------
    columns : Schema
        Those of the examples, of which scores have the key.
    """
    import pyarrow as pa

    types = {
        "double": pa.float64(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "boolean": pa.bool_(),
        "varchar": pa.string(),
    }
    return pa.schema(
        [
            columns.field(examples.entity),
            columns.field(examples.as_of),
            *(pa.field(column.name, types[column.data_type]) for column in task.score_columns),
            pa.field("is_treated", pa.bool_()),
            pa.field("model_version", pa.int32()),
            pa.field("scored_at", pa.timestamp("us")),
            *reason_fields(),
        ]
    )


def _question(description: str, label: str) -> str:
    """Return the first sentence of the model's description."""
    words = " ".join(description.split())
    ends = [words.find(end) + 1 for end in (". ", "? ") if end in words]
    return words[: min(ends)] if ends else words or f"{label}."


def _reasons(task: Task) -> Iterator[Column]:
    for place in range(1, PLACES + 1):
        words = FIRST if place == 1 else f"What moved it next, in place {place}. Null if nothing else did."
        yield Column(f"reason_{place}", "varchar", words, is_nullable=True)
        yield Column(f"reason_{place}_feature", "varchar", "The feature's name.", is_nullable=True)
        value = "Its value, as it is told; null if it is not known."
        yield Column(f"reason_{place}_value", "varchar", value, is_nullable=True)
        yield Column(f"reason_{place}_effect", "double", task.words.effect, is_nullable=True)


def _whole_and_in_order() -> Iterator[str]:
    """Yield what holds of reasons: each has its feature and effect, and the next one is weaker."""
    for place in range(1, PLACES + 1):
        reason = f"reason_{place}"
        yield f"({reason} is null) = ({reason}_feature is null) and ({reason} is null) = ({reason}_effect is null)"
    for place in range(2, PLACES + 1):
        yield f"reason_{place} is null or abs(reason_{place}_effect) <= abs(reason_{place - 1}_effect)"
