"""The champion's scores for the latest as-of date, with their reasons, written back as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ml.declaration import Prediction
from ml.examples.inspection import INFINITY, Examples, inspect, missing_features, mistake, table_of
from ml.examples.reading import feature_frame
from ml.examples.split import day_of
from ml.models import persistence
from ml.models.contributions import explainer_of
from ml.models.reasons import no_reasons, reasons
from ml.serving.scores_table import SCHEMA, create_table, score_schema
from ml.serving.treatment import is_treated
from ml.training.history import ModelVersion, champion_of
from turnout.advice import Action, Advice
from turnout.clock import utc_now
from turnout.engines import RefusedRowError, Session, Warehouse, identifier
from turnout.errors import ModelError, UnusableModelError, WarehouseError
from turnout.project.examples_table import ExamplesTable
from turnout.records import opened

if TYPE_CHECKING:
    import pyarrow as pa
    from sklearn.base import BaseEstimator

    from ml.tasks import Task

# An as-of date is a stray one if it lies so many times further after the one before than any of those lie apart, and
# has examples of less than half of the entities that are to be expected.
STRAY_STEPS = 10
EXPECTED_SHARE = 0.5
# In a batch of examples, where no column of theirs can have that name.
TREATED = "(treated)"


@dataclass(frozen=True)
class Scoring:
    """What was written back: the rows of one as-of date, by one model version.

    `other_libraries` are those that have another version than when the model was trained: the recorded one and today's.
    """

    model_version: int
    as_of_date: date
    row_count: int
    expected_entities: int
    other_libraries: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def covers_entities(self) -> bool:
        """Whether the newest as-of date has examples of most entities; if not, the others are not scored."""
        return self.row_count >= EXPECTED_SHARE * self.expected_entities

    def __str__(self) -> str:
        counted = f"{self.row_count:,} of {self.expected_entities:,} entities that have lately had an example"
        if self.covers_entities:
            return f"At {self.as_of_date}, the newest as-of date, there are examples of {counted}."
        return (
            f"Only {counted} have one at {self.as_of_date}, the newest as-of date, and only these are scored. Give "
            "every entity an example at the same as-of dates."
        )


def score(warehouse: Warehouse, prediction: Prediction, model_folder: Path) -> Scoring | None:
    """Score the latest as-of date with the champion and replace its scores.

    Scores of other as-of dates stay as they are. The table `scores.<prediction>` has the entity, the as-of date, the
    columns of the task (`score` first; see `ml.tasks`), `is_treated` (whether it may be acted on; see
    `ml.serving.treatment`), `model_version`, `scored_at` (UTC), and `reason_1` to `reason_3`, each with its feature,
    value and effect (`ml.models.reasons`); these are null where nothing explains the champion, or the prediction is
    declared without.

    Returns
    -------
    Scoring or None
        None when the prediction has no champion yet; nothing is written then.

    Raises
    ------
    ModelError
        If the champion was trained for another task or needs a feature that the examples no longer hold, or its file
        cannot be used.
    ExamplesError
        If the examples break a promise; see `ml.examples.inspection.inspect`. Or if their newest as-of date is a stray
        one.
    """
    examples = prediction.examples
    with opened(warehouse) as session:
        champion = champion_of(session, examples.name)
        if champion is None:
            return None
        held = inspect(session, prediction)
        columns = session.columns_of(examples.schema, examples.table)
        expected = _expected_entities(session, examples, held)
    _require_usable(champion, examples, prediction.task, held)
    file, trusted = model_folder / champion.file, prediction.search.trusted_types
    as_of_date = held.as_of_dates[-1]
    schema = score_schema(examples, prediction.task, columns)
    with _in_use(champion, file):
        pipeline = persistence.load(file, champion.file_hash, trusted, champion.libraries)
        score_batch = _score_batch(pipeline, champion, prediction, schema)
    needed = [examples.entity, examples.as_of, *(feature.name for feature in champion.features)]
    wanted = [
        *map(identifier, needed),
        f"{is_treated(examples, prediction.serving.treatment_share)} as {identifier(TREATED)}",
    ]
    with opened(warehouse) as session:
        # One example first: what a library says of its model is lost in a stream.
        first = session.table(f"select {', '.join(wanted)} from {table_of(examples)} limit 1")
        with _in_use(champion, file):
            for batch in first.to_batches():
                score_batch(batch)
        create_table(session, prediction)
        row_count = replace_scores(session, examples, as_of_date, schema, wanted, score_batch)
    other = persistence.other_libraries(champion.libraries)
    return Scoring(champion.version, as_of_date, row_count, expected, other)


def _expected_entities(session: Session, examples: ExamplesTable, held: Examples) -> int:
    """Return how many entities have had an example since a horizon before the newest as-of date, or the date before it.

    Raises
    ------
    ExamplesError
        If that as-of date is a stray one.
    """
    newest = day_of(held.as_of_dates[-1])
    earlier = [day_of(found) for found in held.as_of_dates[:-1]]
    since = min([*earlier[-1:], newest - timedelta(days=min(examples.horizon_days, (newest - date.min).days))])
    entity, as_of = identifier(examples.entity), identifier(examples.as_of)
    (found,) = session.rows(
        f"""select
                count(distinct {entity}) as expected,
                count(distinct case when {as_of} = ? then {entity} end) as here
            from {identifier(examples.schema, examples.table)} where {as_of} >= ?""",
        (held.as_of_dates[-1], since),
    )
    apart = max(((later - before).days for before, later in pairwise(earlier)), default=None)
    is_far = apart is not None and (newest - earlier[-1]).days > STRAY_STEPS * apart
    if is_far and found["here"] < EXPECTED_SHARE * found["expected"]:
        raise mistake(
            examples,
            f"the newest as-of date, {newest}, has examples of {found['here']:,} of {found['expected']:,} entities, "
            f"and lies {(newest - earlier[-1]).days:,} days after the one before, {earlier[-1]}",
            "what is scored is the newest as-of date, so one row with a mistaken date would be all that is scored",
            f"mend the row, or leave it out: where {examples.as_of} = date '{newest}'.",
        )
    return int(found["expected"])


def _require_usable(champion: ModelVersion, examples: ExamplesTable, task: Task, held: Examples) -> None:
    """Refuse a champion that cannot score these examples."""
    problem = missing_features(champion.features, held.all_features)
    if champion.task != task.name:
        problem = f"it was trained for the task {champion.task}, and {task.name} is declared"
    if problem:
        raise ModelError(
            f"Champion version {champion.version} of '{examples.name}' cannot score these examples: {problem}.",
            where=f"table {examples.schema}.{examples.table}",
            rule="a model scores exactly the features, and answers the question, that it was trained on.",
            remedy=Advice(
                "bring back what was there, or ", Action("train", "train again", {"prediction": examples.name}), "."
            ),
        )


@contextmanager
def _in_use(champion: ModelVersion, path: Path) -> Iterator[None]:
    """Tell in words, with the prediction, that its champion's fit in service is lost or cannot be used any more."""
    try:
        with persistence.in_words(path, champion.libraries, "predict with"):
            yield
    except UnusableModelError as error:
        again = Action("train", "train again", {"prediction": champion.prediction})
        raise UnusableModelError(
            f"Champion version {champion.version} of '{champion.prediction}' cannot score: {error.problem}.",
            where=error.where,
            rule=error.rule,
            remedy=Advice(again, ": the challenger is judged without it. The scores from before are still in place."),
            problem=error.problem,
        ) from error


def _score_batch(
    pipeline: BaseEstimator, champion: ModelVersion, prediction: Prediction, schema: pa.Schema
) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """Return what makes a batch of scores, with `schema`, from a batch of examples."""
    import pyarrow as pa

    examples, task, titles = prediction.examples, prediction.task, prediction.documentation.titles
    scored_at = utc_now()
    explainer = explainer_of(pipeline, task, champion.features) if prediction.serving.reasons else None

    def score_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
        frame = feature_frame(batch, champion.features, examples.as_of)
        if explainer is None:
            why = no_reasons(len(batch))
        else:
            why = reasons(batch, champion.features, titles, explainer.contributions(frame))
        return pa.record_batch(
            [
                batch[examples.entity],
                batch[examples.as_of],
                *task.score_values(task.predict(pipeline, frame)),
                batch[TREATED],
                pa.repeat(pa.scalar(champion.version, pa.int32()), len(batch)),
                pa.repeat(pa.scalar(scored_at, pa.timestamp("us")), len(batch)),
                *why,
            ],
            schema=schema,
        )

    return score_batch


def replace_scores(
    session: Session,
    examples: ExamplesTable,
    as_of_date: date,
    schema: pa.Schema,
    wanted: Sequence[str],
    score_batch: Callable[[pa.RecordBatch], pa.RecordBatch],
) -> int:
    """Replace a prediction's scores of one as-of date, in one transaction, as a stream.

    Examples are read, scored and written batch by batch: memory does not grow with the table. Readers and a process
    killed at any moment see the scores from before or the scores from after.

    Parameters
    ----------
    as_of_date : date
        The as-of date whose scores are replaced.
    schema : Schema
        The columns of the scores: entity, as-of date, `score` and others. The table, and each of its columns, is
        created if it is missing; see `ml.serving.scores_table`.
    wanted : sequence of str
        What `score_batch` needs of an example, in SQL: columns, or expressions with a name.
    score_batch : callable
        Takes a batch of examples with what is wanted, returns a batch with `schema`.

    Returns
    -------
    int
        The number of rows written.

    Raises
    ------
    WarehouseError
        If an entity would have two scores or none, or a score is missing; nothing is written then.
    """
    import pyarrow as pa

    entity, as_of = identifier(examples.entity), identifier(examples.as_of)
    table, scores = identifier(examples.schema, examples.table), identifier(SCHEMA, examples.name)
    with session.transaction():
        session.create(SCHEMA, examples.name, schema)
        session.delete(SCHEMA, examples.name, {examples.as_of: as_of_date})
        with (
            session.batches(f"select {', '.join(wanted)} from {table} where {as_of} = ?", (as_of_date,)) as batches,
            pa.RecordBatchReader.from_batches(schema, (score_batch(batch) for batch in batches)) as scored,
        ):
            try:
                session.append(SCHEMA, examples.name, scored)
            except RefusedRowError as error:
                raise WarehouseError(
                    f"The scores of {as_of_date} are not whole: {error}.",
                    where=f"table {SCHEMA}.{examples.name}",
                    rule="what holds of every score is said where its table is made.",
                    remedy="the scores from before are still in place; look at the model that gave these.",
                ) from None
        (found,) = session.rows(
            f"""select
                    count(*) as written,
                    count(*) - count(distinct {entity}) as repeated,
                    count(*) filter (where score is null or isnan(score) or abs(score) = {INFINITY}) as missing,
                    (select count(*) from {table} where {as_of} = ?) as expected
                from {scores} where {as_of} = ?""",
            (as_of_date, as_of_date),
        )
        if found["repeated"] or found["missing"] or found["written"] != found["expected"]:
            raise WarehouseError(
                f"The scores of {as_of_date} are not whole: {found['written']} written for {found['expected']} "
                f"examples, {found['repeated']} of them for an entity that already has one, {found['missing']} without "
                "a finite value.",
                where=f"table {SCHEMA}.{examples.name}",
                rule="every example of an as-of date has exactly one score; writes replace, atomically.",
                remedy="the scores from before are still in place; test the examples' key and run again.",
            )
    return int(found["written"])
