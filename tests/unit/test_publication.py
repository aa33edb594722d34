"""What tells who somebody is stays in the warehouse: a publication shows that there is a value, and not which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from projects import published

from orchestration.project import Project, ProjectError
from orchestration.publication import marts_in, publish


def manifest_of(meta: dict[str, Any]) -> dict[str, Any]:
    """A manifest with one mart, whose name, birthday and town are documented, the first two as personal."""
    columns = {"id": [], "full_name": ["personal"], "born_on": ["personal"], "town": []}
    node = {
        "resource_type": "model",
        "name": "people",
        "fqn": ["turnout", "marts", "people"],
        "schema": "marts",
        "alias": "people",
        "original_file_path": "models/marts/people.sql",
        "config": {"meta": meta},
        "columns": {name: {"name": name, "config": {"tags": tags}} for name, tags in columns.items()},
    }
    return {"nodes": {"model.turnout.people": node}}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with that mart in its warehouse."""
    made = Project(tmp_path)
    made.warehouse.path.parent.mkdir()
    with made.warehouse.connect() as connection:
        connection.execute(
            """create schema marts;
               create table marts.people as
               select 1 as id, 'A Name' as full_name, date '1970-01-01' as born_on, 'Town' as town
               union all select 2, null, null, null"""
        )
    return made


def test_personal_columns_are_masked_in_the_publication_alone(project: Project) -> None:
    assert publish(project, marts_in(manifest_of({}))) == {"people": 2}
    assert published(project, "select * from people order by id") == [
        (1, "•••", None, "Town"),
        (2, None, None, None),
    ]
    kept = project.warehouse.query("select full_name from marts.people order by id").to_pylist()
    assert kept == [{"full_name": "A Name"}, {"full_name": None}]


def test_a_mart_may_say_that_they_are_shown(project: Project) -> None:
    publish(project, marts_in(manifest_of({"personal_data": "shown"})))
    assert published(project, "select full_name from people order by id") == [("A Name",), (None,)]


def test_a_word_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ProjectError, match=r"'personal_data' is 'show'. Did you mean 'shown'\?"):
        marts_in(manifest_of({"personal_data": "show"}))
