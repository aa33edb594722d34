"""What can be done with publications: publish, hold back, restore, export."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.project import predictions_of
from turnout.advice import Action, Advice
from turnout.clock import utc_now
from turnout.engines import identifier
from turnout.errors import WarehouseError
from turnout.project.provenance import code_version
from turnout.publication.shelf import shelf_of
from turnout.publication.tables import (
    OWN_TABLES,
    Check,
    Freshness,
    Publication,
    PublicationError,
    publication_in,
    read_publication,
    reading,
    write_table,
)

if TYPE_CHECKING:
    import duckdb

    from turnout.project.paths import Project
    from turnout.publication.marts import Mart

# The storage version that DuckDB clients from 1.0 on can open.
STORAGE_VERSION = "v1.0.0"
# How the system says that there is no room, in its errors and in those of DuckDB.
FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@dataclass(frozen=True)
class Published:
    """What has taken its place: which publication, and the number of rows of each mart in it."""

    publication: Publication
    rows: Mapping[str, int]


def publish(project: Project, marts: Mapping[str, Mart], checks: Sequence[Check] = ()) -> Published:
    """Copy the marts into a new file, look at what came of it, and put it in place.

    Parameters
    ----------
    marts : mapping of str to Mart
        By name. Each becomes a table of that name in the published file's main schema.
    checks : sequence of Check
        What they have passed; published with them.

    Raises
    ------
    WarehouseError
        If a mart has not been built, or is called like a table of the publication's own.
    PublicationError
        If it cannot be written. The last publication is left as it is in either case.
    """
    _require_built(project, marts)
    with _in_words(), shelf_of(project).switched() as partial:
        now = utc_now()
        with _within(partial, project) as connection:
            publication = Publication(
                shelf_of(project).next_id(),
                now,
                "published",
                None,
                None,
                json.dumps(_champions(project, connection)),
                json.dumps(_loads(project, connection, marts)),
                code_version(project),
            )
            rows = {name: _copy(connection, name, mart) for name, mart in marts.items()}
            newest = _newest_loads(project, connection)
            freshness = [
                Freshness(name, publication.publication_id, now, rows[name], newest.get(mart.unique_id), now)
                for name, mart in marts.items()
            ]
            write_table(connection, "publication.main.publication", Publication, [publication])
            write_table(connection, "publication.main.freshness", Freshness, freshness)
            write_table(connection, "publication.main.checks", Check, checks)
        _require_readable(partial, rows)
    return Published(publication, rows)


def hold_back(
    project: Project,
    because: str,
    failed_checks: Mapping[str, int],
    checks: Sequence[Check],
    brought_up_to_date: Mapping[str, Mart] | None = None,
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
    checks : sequence of Check
        How all checks came out, those that failed among them.
    brought_up_to_date : mapping of str to Mart, optional
        Those that are published all the same, as they tell what goes wrong.
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
        newer = brought_up_to_date or {}
        with _within(partial, project if newer else None) as connection:
            rows = {name: _copy(connection, name, mart) for name, mart in newer.items()}
            now = utc_now()
            freshness = [
                replace(
                    row,
                    checked_at=now,
                    is_current=False,
                    failed_checks=failed_checks.get(row.table_name, 0),
                    held_back_because=because,
                )
                for row in _freshness(connection)
                if row.table_name not in newer
            ]
            number, since = judged.publication_id, judged.published_at
            freshness += [Freshness(name, number, since, count, None, now) for name, count in rows.items()]
            write_table(connection, "publication.main.freshness", Freshness, freshness)
            write_table(connection, "publication.main.checks", Check, checks)
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
        left = "" if in_place is None else f" from {in_place}"
        told = f"{restored.who} went back to this publication{left}: {restored.because}"
        shutil.copyfile(kept[publication_id], partial)
        with _within(partial) as connection:
            if not is_newest:  # else it is as fresh as it was when it was kept
                freshness = [
                    replace(row, checked_at=utc_now(), is_current=False, failed_checks=0, held_back_because=told)
                    for row in _freshness(connection)
                ]
                write_table(connection, "publication.main.freshness", Freshness, freshness)
            write_table(connection, "publication.main.publication", Publication, [restored])
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
    # One connection sees one file, also if the next publication takes its place meanwhile.
    with _in_words(), reading(project.published) as connection:
        publication = publication_in(connection)
        if publication is None:
            raise _nothing_to_export(project)
        target = folder / str(publication.publication_id)
        folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=folder))
        try:
            for (name,) in connection.execute("select table_name from duckdb_tables() order by 1").fetchall():
                file = _quoted(partial / f"{name}.parquet")
                connection.execute(f"copy {identifier(name)} to '{file}' (format parquet, compression zstd)")
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


def _require_built(project: Project, marts: Mapping[str, Mart]) -> None:
    for name, mart in marts.items():
        if name in OWN_TABLES:
            raise WarehouseError(
                f"A mart cannot be called '{name}'.",
                where=f"table {mart.schema}.{mart.table}",
                rule=f"a publication has tables of its own: {', '.join(OWN_TABLES)}.",
                remedy="give the model another name.",
            )
        if not project.warehouse.has_table(mart.schema, mart.table):
            raise WarehouseError(
                f"The mart '{name}' has not been built.",
                where=f"table {mart.schema}.{mart.table}",
                rule="all marts are published together, so that they fit each other.",
                remedy=Advice(Action("build", "build it"), " first, or run ", Action("run", "everything"), "."),
            )


def _copy(connection: duckdb.DuckDBPyConnection, name: str, mart: Mart) -> int:
    ((count,),) = connection.execute(
        f"create or replace table publication.main.{identifier(name)} as select {mart.published_columns(connection)} "
        f"from {identifier(mart.schema, mart.table)}"
    ).fetchall()
    return int(count)


def _require_readable(file: Path, rows: Mapping[str, int]) -> None:
    """Open what was written as a reader would, and count: every table is there, with all its rows."""
    import duckdb

    with duckdb.connect(file, read_only=True) as connection:
        for name, expected in rows.items():
            ((found,),) = connection.execute(f"select count(*) from {identifier(name)}").fetchall()
            if found != expected:
                raise PublicationError(
                    f"The new publication has {found} rows in '{name}', and not {expected}.",
                    where=str(file),
                    rule="a publication is read back before it takes its place.",
                    remedy="run it again; the last publication is untouched.",
                )


@contextmanager
def _within(partial: Path, project: Project | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Change a new file, as the database `publication`, in one transaction that is in the file itself when it ends.

    Where a project is given, its warehouse is the database beside it, and others wait for that.
    """
    import duckdb

    with project.warehouse.connect() if project else duckdb.connect() as connection:
        connection.execute(f"attach '{_quoted(partial)}' as publication (storage_version '{STORAGE_VERSION}')")
        connection.execute("begin")
        yield connection
        connection.execute("commit")
        # Writes the log into the file, and fails if that cannot be done; to detach would do the same and be silent.
        connection.execute("checkpoint publication")
        connection.execute("detach publication")


def _freshness(connection: duckdb.DuckDBPyConnection) -> list[Freshness]:
    names = ", ".join(field.name for field in fields(Freshness))
    rows = connection.execute(f"select {names} from publication.main.freshness").fetchall()
    return [Freshness(*row) for row in rows]


def _champions(project: Project, connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    if not _has_table(connection, "records", "champions"):
        return {}
    rows = connection.execute(
        "select prediction, max_by(version, since) from records.champions group by prediction order by prediction"
    ).fetchall()
    declared = {prediction.name for prediction in predictions_of(project)}
    return {prediction: version for prediction, version in rows if prediction in declared}


def _loads(project: Project, connection: duckdb.DuckDBPyConnection, marts: Mapping[str, Mart]) -> list[str]:
    """Return the loads that the marts were made from, and the examples that were scored."""
    if not _has_table(connection, "records", "built_from"):
        return []
    models = [mart.unique_id for mart in marts.values()]
    models += [prediction.unique_id for prediction in predictions_of(project)]
    rows = connection.execute(
        "select distinct load_id from records.built_from where model in (select unnest(?)) order by load_id", [models]
    ).fetchall()
    return [load_id for (load_id,) in rows]


def _newest_loads(project: Project, connection: duckdb.DuckDBPyConnection) -> dict[str, datetime]:
    """Return when the newest load arrived that each model was made from."""
    if not (_has_table(connection, "records", "built_from") and _has_table(connection, "records", "loads")):
        return {}
    return dict(
        connection.execute(
            """select model, max(loaded_at) from records.built_from
               inner join records.loads using (load_id) group by model"""
        ).fetchall()
    )


def _has_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    sql = "select table_name from information_schema.tables where table_schema = ? and table_name = ?"
    return bool(connection.execute(sql, [schema, table]).fetchall())


@contextmanager
def _in_words() -> Iterator[None]:
    """Say what it means that a file could not be written."""
    import duckdb

    try:
        yield
    except (OSError, duckdb.IOException, duckdb.TransactionException, duckdb.FatalException) as error:
        is_full = any(words in str(error) for words in FULL)
        remedy = "make room on the disk, about as much as the last publication takes" if is_full else "see to that"
        raise PublicationError(
            f"A file could not be read or written: {str(error).strip()}",
            where="the folder of publications, or the warehouse's for what does not fit into memory",
            rule="a publication is written whole, beside the one in place, before it takes its place.",
            remedy=f"{remedy}, and run this again; the last publication is untouched.",
        ) from error


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
