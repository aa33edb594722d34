"""What BI opens: whole, told of, without what tells who somebody is, and with a way back."""

from __future__ import annotations

import os
import resource
import signal
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from projects import published

from turnout.errors import TurnoutError, WarehouseError
from turnout.project.manifest import ProjectError
from turnout.project.paths import Project
from turnout.publication.marts import HEALTH, Mart, marts_in
from turnout.publication.predictions import DECLARED_NO_MORE, ShownPrediction, shown_predictions
from turnout.publication.publish import export, hold_back, publish, restore
from turnout.publication.shelf import KEPT, shelf_of
from turnout.publication.tables import OWN_TABLES, PublishedCheck, read_publication

FAILED = PublishedCheck(
    "marts", "marts/people", "unique_people_id", False, "error", datetime(2026, 1, 1), "2 rows do not pass."
)


def manifest_of(meta: dict[str, Any]) -> dict[str, Any]:
    """A manifest with one mart, whose name, birthday and town are documented, the first two as personal."""
    columns = {"id": [], "full_name": ["personal"], "born_on": ["personal"], "town": []}
    node = {
        "resource_type": "model",
        "name": "people",
        "unique_id": "model.turnout.people",
        "fqn": ["turnout", "marts", "people"],
        "schema": "marts",
        "alias": "people",
        "original_file_path": "models/marts/people.sql",
        "config": {"meta": meta},
        "columns": {name: {"name": name, "config": {"tags": tags}} for name, tags in columns.items()},
    }
    return {"nodes": {"model.turnout.people": node}}


MARTS = marts_in(manifest_of({}))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with that mart in its warehouse."""
    made = Project(tmp_path)
    with made.warehouse.session() as session:
        columns = {"id": "integer", "full_name": "varchar", "born_on": "date", "town": "varchar"}
        session.create("marts", "people", columns)
        known = {"id": 1, "full_name": "A Name", "born_on": date(1970, 1, 1), "town": "Town"}
        session.append("marts", "people", [known, {"id": 2}])
    return made


def add_a_person(project: Project) -> None:
    with project.warehouse.session() as session:
        session.insert("marts", "people", "select max(id) + 1 as id from marts.people")


def in_place(project: Project) -> tuple[int, int, bool]:
    """What a reader sees: the id, the number of people, whether that is the newest state."""
    sql = "select publication_id, (select count(*) from people), (select is_current from freshness) from publication"
    ((number, people, is_current),) = published(project, sql)
    return number, people, is_current


def test_personal_columns_are_masked_in_the_publication_alone(project: Project) -> None:
    assert publish(project, MARTS).rows == {"people": 2}
    assert published(project, "select * from people order by id") == [
        (1, "•••", None, "Town"),
        (2, None, None, None),
    ]
    with project.warehouse.session() as session:
        kept = session.rows("select full_name from marts.people order by id")
    assert kept == [{"full_name": "A Name"}, {"full_name": None}]


def test_a_mart_may_say_that_they_are_shown(project: Project) -> None:
    publish(project, marts_in(manifest_of({"personal_data": "shown"})))
    assert published(project, "select full_name from people order by id") == [("A Name",), (None,)]


def test_a_word_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ProjectError, match=r"'personal_data' is 'show'. Did you mean 'shown'\?"):
        marts_in(manifest_of({"personal_data": "show"}))


def test_a_mart_that_is_not_built_or_called_like_one_of_our_tables_keeps_the_last_publication(project: Project) -> None:
    publish(project, MARTS)
    before = project.published.read_bytes()
    for name, told in {"gone": "has not been built", "freshness": "cannot be called 'freshness'"}.items():
        with pytest.raises(WarehouseError, match=told):
            publish(project, {**MARTS, name: Mart(f"model.turnout.{name}", "marts", name)})
    assert project.published.read_bytes() == before


def test_the_last_publications_are_kept_and_ids_count_up(project: Project) -> None:
    for number in range(1, KEPT + 4):
        assert publish(project, MARTS).publication.publication_id == number
        add_a_person(project)
    assert list(shelf_of(project).kept()) == [7, 6, 5, 4, 3]
    assert in_place(project) == (8, 9, True)
    files = {file.relative_to(project.published.parent).as_posix() for file in project.published.parent.rglob("*")}
    assert files == {"turnout.duckdb", "kept", *(f"kept/{number}.duckdb" for number in range(3, 8))}


def test_held_back_readers_learn_why_and_keep_their_marts_until_something_is_published(project: Project) -> None:
    judged = publish(project, MARTS).publication
    add_a_person(project)
    assert hold_back(project, "1 test failed: marts/people: unique_people_id.", {"people": 1}, [FAILED], judged=judged)
    assert in_place(project) == (1, 2, False)
    (told,) = published(project, "select failed_checks, held_back_because, checked_at > published_at from freshness")
    assert told == (1, "1 test failed: marts/people: unique_people_id.", True)
    assert published(project, "select asset, passed, message from checks") == [
        ("marts/people", False, "2 rows do not pass.")
    ]
    publish(project, MARTS)
    assert in_place(project) == (2, 3, True)
    assert published(project, "select count(*) from checks") == [(0,)]


def test_held_back_what_tells_of_the_trouble_is_published_all_the_same(project: Project) -> None:
    with project.warehouse.session() as session:
        session.create("marts", "loads", {"file_name": "varchar", "status": "varchar"})
        session.append("marts", "loads", [{"file_name": "good.csv", "status": "loaded"}])
    marts = {**MARTS, "loads": Mart("model.turnout.loads", "marts", "loads", HEALTH)}
    judged = publish(project, marts).publication
    add_a_person(project)
    hold_back(project, "bad.csv is quarantined, and dbt could not be run.", {}, [FAILED], judged=judged)
    with project.warehouse.session() as session:
        session.append("marts", "loads", [{"file_name": "bad.csv", "status": "quarantined"}])
    hold_back(project, "bad.csv is quarantined.", {}, [FAILED], {"loads": marts["loads"]}, judged=judged)
    assert published(project, "select count(*) from people") == [(2,)]
    assert published(project, "select status from loads where file_name = 'bad.csv'") == [("quarantined",)]
    assert published(project, "select table_name, is_current, row_count from freshness order by all") == [
        ("loads", True, 2),
        ("people", False, 2),
    ]


def test_a_mart_that_shows_an_old_prediction_is_published_and_says_so(project: Project) -> None:
    with project.warehouse.session() as session:
        columns = {"id": "integer", "day": "date", "score": "double", "scored_at": "timestamp"}
        session.create("scores", "lapse", columns)
        scored = {"day": date(2026, 1, 1), "score": 0.5, "scored_at": datetime(2026, 1, 2)}
        session.append("scores", "lapse", [{"id": 1, **scored}, {"id": 2, **scored, "day": date(2025, 1, 1)}])
    old = ShownPrediction("lapse", frozenset({"people"}), "The run stopped at model_versions__lapse: no labels.")
    judged = publish(project, MARTS, predictions=[old, ShownPrediction("spend")]).publication
    assert in_place(project) == (1, 2, False)
    assert published(project, "select held_back_because from freshness") == [
        ("The prediction lapse is old: The run stopped at model_versions__lapse: no labels.",)
    ]
    told = "select prediction, as_of_date, score_count, is_current, old_because from prediction_freshness order by all"
    assert published(project, told) == [
        ("lapse", date(2026, 1, 1), 1, False, old.old_because),
        ("spend", None, 0, True, None),
    ]
    hold_back(project, "The run stopped at marts.", {}, [], old={"spend": "It was not scored."}, judged=judged)
    assert [row[3:] for row in published(project, told)] == [(False, old.old_because), (False, "It was not scored.")]


def test_scores_that_a_mart_shows_of_what_is_declared_no_more_are_told() -> None:
    manifest = manifest_of({})
    manifest["nodes"]["model.turnout.people"]["depends_on"] = {"nodes": ["model.turnout.between"]}
    manifest["nodes"]["model.turnout.between"] = {
        "resource_type": "model",
        "name": "between",
        "fqn": ["turnout", "intermediate", "between"],
        "config": {"meta": {}},
        "depends_on": {"nodes": ["source.turnout.scores.lapse", "source.turnout.shop.lapse"]},
    }
    manifest["sources"] = {
        "source.turnout.scores.lapse": {"source_name": "scores", "name": "lapse"},
        "source.turnout.scores.unread": {"source_name": "scores", "name": "unread"},
        "source.turnout.shop.lapse": {"source_name": "shop", "name": "orders"},
    }
    assert shown_predictions(manifest, {}) == (ShownPrediction("lapse", frozenset({"people"}), DECLARED_NO_MORE),)


def test_what_was_published_meanwhile_is_not_held_back(project: Project) -> None:
    judged = publish(project, MARTS).publication
    publish(project, MARTS)
    assert not hold_back(project, "An earlier run failed.", {}, [FAILED], judged=judged)
    assert in_place(project) == (2, 2, True)


def test_a_person_goes_back_and_readers_learn_who_and_why(project: Project) -> None:
    for _ in range(3):
        publish(project, MARTS)
        add_a_person(project)
    restore(project, 1, who="the one on duty", because="Ohio's file was last year's.")
    assert in_place(project) == (1, 2, False)
    assert published(project, "select how, who, because from publication") == [
        ("restored", "the one on duty", "Ohio's file was last year's.")
    ]
    assert published(project, "select held_back_because from freshness") == [
        ("the one on duty went back to this publication from 3: Ohio's file was last year's.",)
    ]
    judged = read_publication(project.published)
    assert judged is not None
    hold_back(project, "1 test failed: marts/people: unique_people_id.", {"people": 1}, [FAILED], judged=judged)
    ((told,),) = published(project, "select held_back_because from freshness")
    assert told == (
        "the one on duty went back to this publication: Ohio's file was last year's. Since then: "
        "1 test failed: marts/people: unique_people_id."
    )
    restore(project, 3, who="the one on duty", because="It was right after all.")
    assert in_place(project) == (3, 4, True)
    restore(project, 2, who="the one on duty", because="It was not.")
    assert in_place(project) == (2, 3, False)
    assert publish(project, MARTS).publication.publication_id == 4


@pytest.mark.parametrize(
    ("publication", "because", "told"),
    [
        (2, "Why not.", "Publication 2 is the one in place"),
        (9, "Why not.", r"Publication 9 is not kept(?s:.)*name one of those that are kept: 1;"),
        (1, " ", "there is no name, or no reason"),
    ],
)
def test_what_cannot_be_restored_is_refused_in_words(
    project: Project, publication: int, because: str, told: str
) -> None:
    publish(project, MARTS)
    publish(project, MARTS)
    with pytest.raises(TurnoutError, match=told):
        restore(project, publication, who="the one on duty", because=because)
    assert in_place(project) == (2, 2, True)


def test_nobody_can_open_it_to_write_and_lock_out_the_others(project: Project) -> None:
    publish(project, MARTS)
    assert project.published.stat().st_mode & 0o222 == 0


def test_who_may_read_files_of_this_person_may_read_the_publication(project: Project) -> None:
    before = os.umask(0o077)
    try:
        publish(project, MARTS)
    finally:
        os.umask(before)
    assert project.published.stat().st_mode & 0o777 == 0o400


def test_a_damaged_file_is_told_of_and_what_is_kept_can_be_restored(project: Project) -> None:
    publish(project, MARTS)
    publish(project, MARTS)
    project.published.unlink()
    project.published.write_bytes(b"no database")
    with pytest.raises(TurnoutError, match=r"cannot be read(?s:.)*move it away"):
        publish(project, MARTS)
    project.published.unlink()
    restore(project, 1, who="the one on duty", because="The disk broke.")
    assert in_place(project) == (1, 2, True)


def test_a_full_disk_is_told_in_words_and_harms_nothing(project: Project) -> None:
    """Whatever is written last: the marts, or, after a hold-back, what is told of many checks."""
    judged = publish(project, MARTS).publication
    before = project.published.read_bytes()
    limit = project.published.stat().st_size
    many = [FAILED] * 60_000
    for write in (
        lambda: publish(project, MARTS, many),
        lambda: hold_back(project, "Why.", {}, many, judged=judged),
    ):
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            with pytest.raises(TurnoutError, match=r"could not be read or written(?s:.)*make room on the disk"):
                write()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            signal.signal(signal.SIGXFSZ, ignored)
    assert project.published.read_bytes() == before
    assert list(project.published.parent.iterdir()) == [project.published]


def test_somebody_who_writes_to_it_all_the_same_is_named_and_harms_nothing(project: Project) -> None:
    import subprocess
    import sys

    publish(project, MARTS)
    project.published.chmod(0o644)
    writes = (
        f"import duckdb, sys; c = duckdb.connect({str(project.published)!r}); print(1, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", writes], stdin=-1, stdout=-1) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(TurnoutError, match="open for writing in another process") as refused:
            publish(project, MARTS)
        assert str(writer.pid) in str(refused.value)
        writer.communicate()
    assert publish(project, MARTS).publication.publication_id == 2


def test_every_table_is_exported_as_parquet(project: Project, tmp_path: Path) -> None:
    import pandas as pd

    publish(project, MARTS)
    folder = export(project, tmp_path / "exported")
    assert {file.name for file in folder.iterdir()} == {
        f"{table}.parquet" for table in ("people", *OWN_TABLES)
    }  # fmt: skip
    assert pd.read_parquet(folder / "people.parquet")["id"].tolist() == [1, 2]
    assert [file.name for file in export(project, tmp_path / "exported").parent.iterdir()] == ["1"]


def test_without_a_publication_there_is_nothing_to_export(project: Project, tmp_path: Path) -> None:
    with pytest.raises(TurnoutError, match="nothing to export"):
        export(project, tmp_path / "exported")
