"""What a publication tells of itself, in tables beside the marts: what it is, how fresh, and which checks it passed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from turnout.advice import Action, Advice
from turnout.engines import StorageError
from turnout.engines.file import OpenedFile, opened
from turnout.errors import TurnoutError

if TYPE_CHECKING:
    import pyarrow as pa

# No mart may be called like these.
OWN_TABLES = ("publication", "freshness", "prediction_freshness", "checks")


class PublicationError(TurnoutError):
    """A publication cannot be made or read, or there is none where one is needed."""


@dataclass(frozen=True)
class Publication:
    """What a file is: the one row of its table `publication`.

    Parameters
    ----------
    publication_id : int
        Counts up from 1.
    published_at : datetime
        When it was made, in UTC.
    how : {"published", "restored"}
        Whether it took its place by being made, or because a person went back to it.
    who, because : str or None
        The person, and why; None where it was made.
    champions : str
        Version of the champion of each prediction, as a JSON object.
    load_ids : str
        The loads behind it, as a JSON list; see `records.loads` in the warehouse.
    code_version : str
        The code that made it.
    """

    publication_id: int
    published_at: datetime
    how: Literal["published", "restored"]
    who: str | None
    because: str | None
    champions: str
    load_ids: str
    code_version: str


@dataclass(frozen=True)
class Freshness:
    """How fresh a published mart is: a row of the table `freshness`.

    Parameters
    ----------
    table_name : str
        The mart.
    publication_id : int
        The publication that it belongs to.
    published_at : datetime
        When that was made, in UTC.
    row_count : int
        How many rows it has.
    newest_load_at : datetime or None
        When the newest load arrived that it was made from, in UTC; None if it was made from none.
    checked_at : datetime
        When a new publication was last tried, in UTC.
    is_current : bool
        False where a newer state did not pass, a person went back, or a prediction that it shows is old.
    failed_checks : int
        Blocking checks of the mart, and of all it is made from, that failed when it was tried.
    held_back_because : str or None
        Why it is not current, in words.
    """

    table_name: str
    publication_id: int
    published_at: datetime
    row_count: int
    newest_load_at: datetime | None
    checked_at: datetime
    is_current: bool = True
    failed_checks: int = 0
    held_back_because: str | None = None


@dataclass(frozen=True)
class PredictionFreshness:
    """How fresh the scores of a prediction are: a row of the table `prediction_freshness`.

    Parameters
    ----------
    prediction : str
        The prediction.
    champion_version : int or None
        The version whose scores are published; None if there is none, or the prediction is declared no more.
    as_of_date : date or None
        The newest as-of date that was scored; None if there are no scores.
    scored_at : datetime or None
        When, in UTC.
    score_count : int
        How many scores there are of that as-of date.
    is_current : bool
        False where the prediction could not be trained or scored when that was last tried, or is declared no more.
    old_because : str or None
        Why it is not current, in words.
    """

    prediction: str
    champion_version: int | None
    as_of_date: date | None
    scored_at: datetime | None
    score_count: int
    is_current: bool = True
    old_because: str | None = None


@dataclass(frozen=True)
class PublishedCheck:
    """How a check came out: a row of the table `checks`.

    Parameters
    ----------
    group_name : str
        The group of assets in Dagster, which is the layer in dbt.
    asset : str
        What was checked, as Dagster calls it.
    check_name : str
        The check.
    passed : bool
        How it came out.
    severity : {"error", "warn"}
        Whether it stops what is downstream.
    evaluated_at : datetime
        When, in UTC.
    message : str or None
        What there is to say about it.
    """

    group_name: str
    asset: str
    check_name: str
    passed: bool
    severity: Literal["error", "warn"]
    evaluated_at: datetime
    message: str | None


Told = TypeVar("Told", Publication, Freshness, PredictionFreshness, PublishedCheck)


def read_publication(file: Path) -> Publication | None:
    """Return what a published file is; None if there is none, or an earlier release made it, which did not tell.

    Raises
    ------
    PublicationError
        If somebody has it open for writing, or it is damaged.
    """
    if not file.exists():
        return None
    with reading(file) as published:
        return publication_in(published)


def publication_in(published: OpenedFile) -> Publication | None:
    """Return what a file is; None if an earlier release made it."""
    if "publication" not in published.tables():
        return None
    (row,) = published.rows(f"select {_columns(Publication)} from publication")
    return Publication(**row)


def freshness_in(published: OpenedFile) -> list[Freshness]:
    """Return how fresh each mart of a file is."""
    return [Freshness(**row) for row in published.rows(f"select {_columns(Freshness)} from freshness")]


def prediction_freshness_in(published: OpenedFile) -> list[PredictionFreshness]:
    """Return how fresh the scores of each prediction of a file are; nothing if an earlier release made it."""
    if "prediction_freshness" not in published.tables():
        return []
    sql = f"select {_columns(PredictionFreshness)} from prediction_freshness"
    return [PredictionFreshness(**row) for row in published.rows(sql)]


@contextmanager
def reading(file: Path) -> Iterator[OpenedFile]:
    """Open a published file to read.

    Raises
    ------
    PublicationError
        If somebody has it open for writing, or it is damaged.
    """
    with ExitStack() as stack:
        try:
            published = stack.enter_context(opened(file))
        except StorageError as error:
            if error.is_in_use:
                raise PublicationError(
                    "The published file is open for writing in another process, so that nobody else can read it.",
                    where=str(error),
                    rule="whoever reads a publication opens it read-only.",
                    remedy="close that process, and run this again; the publication is untouched.",
                ) from None
            raise PublicationError(
                f"The published file cannot be read: {error}",
                where=str(file),
                rule="a publication is a whole DuckDB file.",
                remedy=Advice(
                    "move it away; ",
                    Action("run", "the next run"),
                    " publishes anew, and ",
                    Action("restore", "a restore"),
                    " goes back to one that is kept.",
                ),
            ) from None
        yield published


def table_of(kind: type[Told], rows: Sequence[Told]) -> pa.Table:
    """Return rows as an Arrow table.

    Parameters
    ----------
    kind : type
        `Publication`, `Freshness`, `PredictionFreshness` or `PublishedCheck`.
    rows : sequence of that type
        May be empty; the table has its columns all the same.
    """
    import pyarrow as pa

    data_types = {"int": pa.int64(), "bool": pa.bool_(), "date": pa.date32(), "datetime": pa.timestamp("us")}
    # An annotation is a word here, such as "datetime | None".
    columns = [
        pa.field(field.name, data_types.get(str(field.type).partition(" | ")[0], pa.string())) for field in fields(kind)
    ]
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=pa.schema(columns))


def _columns(kind: type[Told]) -> str:
    return ", ".join(field.name for field in fields(kind))
