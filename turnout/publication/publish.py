"""What can be done with publications: publish, hold back, restore, export."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.advice import Action, Advice
from turnout.clock import utc_now
from turnout.engines import Session, StorageError, identifier
from turnout.engines.file import opened, write
from turnout.errors import WarehouseError
from turnout.project.manifest import declared_predictions, manifest_of
from turnout.project.provenance import code_version
from turnout.publication.predictions import ShownPrediction, freshness_of
from turnout.publication.shelf import shelf_of
from turnout.publication.tables import (
    OWN_TABLES,
    Freshness,
    PredictionFreshness,
    Publication,
    PublicationError,
    PublishedCheck,
    freshness_in,
    prediction_freshness_in,
    publication_in,
    read_publication,
    reading,
    table_of,
)

if TYPE_CHECKING:
    from turnout.project.paths import Project
    from turnout.publication.marts import Mart

# How the system says that there is no room, in its errors and in those of DuckDB.
FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@dataclass(frozen=True)
class Published:
    """What has taken its place: which publication, and the number of rows of each mart in it."""

    publication: Publication
    rows: Mapping[str, int]


def publish(
    project: Project,
    marts: Mapping[str, Mart],
    checks: Sequence[PublishedCheck] = (),
    predictions: Sequence[ShownPrediction] = (),
) -> Published:
    """Copy the marts into a new file, look at what came of it, and put it in place.

    Parameters
    ----------
    marts : mapping of str to Mart
        By name. Each becomes a table of that name in the published file's main schema.
    checks : sequence of PublishedCheck
        What they have passed; published with them.
    predictions : sequence of ShownPrediction
        Whose scores they show. A mart with those of one that is old is published, and told to be old.

    Raises
    ------
    WarehouseError
        If a mart has not been built, or is called like a table of the publication's own.
    PublicationError
        If it cannot be written. The last publication is left as it is in either case.
    """
    with _in_words(), shelf_of(project).switched() as partial:
        number, now, code = shelf_of(project).next_id(), utc_now(), code_version(project)
        with project.warehouse.session() as session:
            _require_built(session, marts)
            champions, loads = _champions(project, session), _loads(project, session, marts)
            newest = _newest_loads(session)
            scored = freshness_of(session, predictions, champions)
            rows = _copy(session, marts, partial)
        publication = Publication(number, now, "published", None, None, json.dumps(champions), json.dumps(loads), code)
        old = {name: _old_because(name, predictions) for name in marts}
        freshness = [
            Freshness(
                name,
                number,
                now,
                rows[name],
                newest.get(mart.unique_id),
                now,
                is_current=old[name] is None,
                held_back_because=old[name],
            )
            for name, mart in marts.items()
        ]
        _tell(partial, freshness, checks, publication, scored)
        _require_readable(partial, rows)
    return Published(publication, rows)


def hold_back(
    project: Project,
    because: str,
    failed_checks: Mapping[str, int],
    checks: Sequence[PublishedCheck],
    brought_up_to_date: Mapping[str, Mart] | None = None,
    old: Mapping[str, str] | None = None,
    *,
    judged: Publication,
) -> bool:
    """Tell readers that the publication in place is not the newest state, and why; its marts stay as they are.

    Parameters
    ----------
    because : str
        Why a newer one was held back, in words.
    failed_checks : mapping of str to int
        How many blocking checks of each mart, and of all it is made from, have failed.
    checks : sequence of PublishedCheck
        How all checks came out, those that failed among them.
    brought_up_to_date : mapping of str to Mart, optional
        Those that are published all the same, as they tell what goes wrong.
    old : mapping of str to str, optional
        Why the scores of a prediction are old, by prediction.
    judged : Publication
        What was in place when all this was found out.

    Returns
    -------
    bool
        Whether they were told; not if another publication has taken its place meanwhile.

    Raises
    ------
    PublicationError
        If it cannot be written.
    """
    with _in_words(), shelf_of(project).switched(keep=False) as partial:
        if read_publication(project.published) != judged:
            return False
        shutil.copyfile(project.published, partial)
        newer, rows = brought_up_to_date or {}, {}
        if newer:
            with project.warehouse.session() as session:
                rows = _copy(session, newer, partial)
        now = utc_now()
        if judged.how == "restored":
            # What is in place is there because of a person first of all; the failure came on top of that.
            because = f"{_went_back(judged)} Since then: {because}"
        freshness = [
            replace(
                row,
                checked_at=now,
                is_current=False,
                failed_checks=failed_checks.get(row.table_name, 0),
                held_back_because=because,
            )
            for row in _freshness(project.published)
            if row.table_name not in newer
        ]
        number, since = judged.publication_id, judged.published_at
        freshness += [Freshness(name, number, since, count, None, now) for name, count in rows.items()]
        _tell(partial, freshness, checks, predictions=_told_old(project.published, old or {}))
    return True


def restore(project: Project, publication_id: int, *, who: str, because: str) -> Publication:
    """Go back to a publication that is kept, on the word of a person; the next one that is made takes its place.

    Raises
    ------
    PublicationError
        If there is none of that id, it is in place already, or name or reason are missing.
    """
    if not (who.strip() and because.strip()):
        raise PublicationError(
            f"Publication {publication_id} is not restored: there is no name, or no reason.",
            where=str(project.published),
            rule="whoever takes back what others read says who and why; the publication tells it.",
            remedy=Advice(Action("restore", "say who you are, and the reason", {"publication": publication_id}), "."),
        )
    with _in_words(), shelf_of(project).switched() as partial:
        replaced = read_publication(project.published)
        kept = shelf_of(project).kept()
        in_place = replaced.publication_id if replaced else None
        if publication_id == in_place or publication_id not in kept:
            ids = ", ".join(str(one) for one in kept if one != in_place) or "none"
            raise PublicationError(
                f"Publication {publication_id} is {'the one in place' if publication_id == in_place else 'not kept'}.",
                where=str(project.published.parent),
                rule="one can go back to the last publications before the one in place.",
                remedy=Advice(
                    f"name one of those that are kept: {ids}; ",
                    Action("publications", "the list of publications"),
                    " tells of each.",
                ),
            )
        was = read_publication(kept[publication_id])
        assert was is not None  # only what tells its id is kept
        restored = replace(was, how="restored", who=who.strip(), because=because.strip())
        is_newest = publication_id == max([*kept, in_place or 0])
        told = _went_back(restored, "" if in_place is None else f" from {in_place}")
        freshness = None  # where it is the newest, it is as fresh as it was when it was kept
        if not is_newest:
            freshness = [
                replace(row, checked_at=utc_now(), is_current=False, failed_checks=0, held_back_because=told)
                for row in _freshness(kept[publication_id])
            ]
        shutil.copyfile(kept[publication_id], partial)
        _tell(partial, freshness, publication=restored)
    return restored


def export(project: Project, folder: Path) -> Path:
    """Write every table of the publication in place as a Parquet file, and return the folder of them.

    Parameters
    ----------
    folder : Path
        Where a folder with the publication's id is made. It appears when it is whole; one that is there is replaced.

    Raises
    ------
    PublicationError
        If nothing has been published, or the disk is full.
    """
    if not project.published.exists():
        raise _nothing_to_export(project)
    # What is open stays one file, also if the next publication takes its place meanwhile.
    with _in_words(), reading(project.published) as published:
        publication = publication_in(published)
        if publication is None:
            raise _nothing_to_export(project)
        target = folder / str(publication.publication_id)
        folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=folder))
        try:
            for name in published.tables():
                published.export(name, partial / f"{name}.parquet")
            partial.chmod(0o755)
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _nothing_to_export(project: Project) -> PublicationError:
    return PublicationError(
        "There is nothing to export.",
        where=str(project.published),
        rule="what is exported is the publication in place.",
        remedy=Advice(Action("run", "a run"), " makes one."),
    )


def _require_built(session: Session, marts: Mapping[str, Mart]) -> None:
    for name, mart in marts.items():
        if name in OWN_TABLES:
            raise WarehouseError(
                f"A mart cannot be called '{name}'.",
                where=f"table {mart.schema}.{mart.table}",
                rule=f"a publication has tables of its own: {', '.join(OWN_TABLES)}.",
                remedy="give the model another name.",
            )
        if not session.has_table(mart.schema, mart.table):
            raise WarehouseError(
                f"The mart '{name}' has not been built.",
                where=f"table {mart.schema}.{mart.table}",
                rule="all marts are published together, so that they fit each other.",
                remedy=Advice(Action("build", "build it"), " first, or run ", Action("run", "everything"), "."),
            )


def _copy(session: Session, marts: Mapping[str, Mart], partial: Path) -> dict[str, int]:
    """Write marts into a new file, where `session` leaves nothing in its log, and return the number of rows of each.

    While a session is open nobody else writes to the warehouse, so what is asked in it is of one state.
    """
    return session.copy_into(partial, {name: mart.published_rows(session) for name, mart in marts.items()})


def _tell(
    partial: Path,
    freshness: Sequence[Freshness] | None = None,
    checks: Sequence[PublishedCheck] | None = None,
    publication: Publication | None = None,
    predictions: Sequence[PredictionFreshness] | None = None,
) -> None:
    """Write into a new file what it tells of itself; what is not given stays as it is.

    The marts are in it already. That these are two transactions does no harm: whoever is killed between them leaves a
    file that nobody reads, and when each ends, all of it is in the file and nothing in a log.
    """
    tables = {
        "publication": None if publication is None else table_of(Publication, [publication]),
        "freshness": None if freshness is None else table_of(Freshness, freshness),
        "prediction_freshness": None if predictions is None else table_of(PredictionFreshness, predictions),
        "checks": None if checks is None else table_of(PublishedCheck, checks),
    }
    write(partial, {name: content for name, content in tables.items() if content is not None})


def _require_readable(file: Path, rows: Mapping[str, int]) -> None:
    """Open what was written as a reader would, and count: every table is there, with all its rows."""
    with opened(file) as new:
        for name, expected in rows.items():
            found = new.rows(f"select count(*) as n from {identifier(name)}")[0]["n"]
            if found != expected:
                raise PublicationError(
                    f"The new publication has {found} rows in '{name}', and not {expected}.",
                    where=str(file),
                    rule="a publication is read back before it takes its place.",
                    remedy="run it again; the last publication is untouched.",
                )


def _freshness(file: Path) -> list[Freshness]:
    with reading(file) as published:
        return freshness_in(published)


def _told_old(file: Path, old: Mapping[str, str]) -> list[PredictionFreshness] | None:
    """Return what a file tells of predictions, with the reasons why they are old; None if it tells nothing of them."""
    with reading(file) as published:
        rows = prediction_freshness_in(published)
    return rows and [
        replace(row, is_current=False, old_because=old[row.prediction]) if row.prediction in old else row
        for row in rows
    ]


def _old_because(mart: str, predictions: Sequence[ShownPrediction]) -> str | None:
    """Return which predictions that a mart shows are old, and why; None if none is."""
    old = [
        f"The prediction {prediction.name} is old: {prediction.old_because}"
        for prediction in predictions
        if mart in prediction.marts and prediction.old_because
    ]
    return " ".join(old) or None


def _went_back(restored: Publication, left: str = "") -> str:
    """Return in words that a person went back to a publication."""
    return f"{restored.who} went back to this publication{left}: {restored.because}"


def _champions(project: Project, session: Session) -> dict[str, int]:
    if not session.has_table("records", "champions"):
        return {}
    # There are as many as decisions; of each prediction the last one counts.
    rows = session.rows("select prediction, version from records.champions order by number")
    newest = {row["prediction"]: row["version"] for row in rows}
    declared = declared_predictions(manifest_of(project))
    return {prediction: newest[prediction] for prediction in sorted(newest.keys() & declared.keys())}


def _loads(project: Project, session: Session, marts: Mapping[str, Mart]) -> list[str]:
    """Return the loads that the marts were made from, and the examples that were scored."""
    if not session.has_table("records", "built_from"):
        return []
    models = [mart.unique_id for mart in marts.values()]
    models += declared_predictions(manifest_of(project)).values()
    if not models:
        return []
    marks = ", ".join("?" for _ in models)
    rows = session.rows(
        f"select distinct load_id from records.built_from where model in ({marks}) order by load_id", models
    )
    return [row["load_id"] for row in rows]


def _newest_loads(session: Session) -> dict[str, datetime]:
    """Return when the newest load arrived that each model was made from."""
    if not (session.has_table("records", "built_from") and session.has_table("records", "loads")):
        return {}
    rows = session.rows(
        """select model, max(loaded_at) as arrived_at from records.built_from
           inner join records.loads using (load_id) group by model"""
    )
    return {row["model"]: row["arrived_at"] for row in rows}


@contextmanager
def _in_words() -> Iterator[None]:
    """Say what it means that a file could not be written."""
    try:
        yield
    except (OSError, StorageError) as error:
        is_full = any(words in str(error) for words in FULL)
        remedy = "make room on the disk, about as much as the last publication takes" if is_full else "see to that"
        raise PublicationError(
            f"A file could not be read or written: {str(error).strip()}",
            where="the folder of publications, or the warehouse's for what does not fit into memory",
            rule="a publication is written whole, beside the one in place, before it takes its place.",
            remedy=f"{remedy}, and run this again; the last publication is untouched.",
        ) from error
