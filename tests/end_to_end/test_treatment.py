"""A treatment share in a real run: some entities are acted on, and later the marts say what that has brought."""

from __future__ import annotations

import hashlib
import shutil
from datetime import date
from pathlib import Path

import pytest
import yaml
from projects import ROOT, Finished, land_orders, published, records, run

from turnout.project.paths import Project

# The shop's own models are few; these are the project's, and the records that they read.
MARTS = ("evaluation/outcomes", "evaluation/treatment_effects", "evaluation/model_versions")
HEALTH = ("health/loads", "health/refusals", "health/load_checks")
SCORED_FIRST = date(2024, 10, 7)


def is_dealt(customer: int) -> bool:
    """Whether a customer is among the half that `customer_return` treats, computed without our code."""
    return int(hashlib.md5(f"customer_return:{customer}".encode()).hexdigest()[:8], 16) < 0.5 * 16**8


@pytest.fixture(scope="module")
def first(built_shop: Finished, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The shop after its first run."""
    target = tmp_path_factory.mktemp("treatment") / "turnout"
    shutil.copytree(built_shop.project.root, target)
    return Project(target)


@pytest.fixture(scope="module")
def later(first: Project) -> Finished:
    """The shop four weeks later, in which everybody who was treated came each week, and of the others a third.

    One order of the new file has no id.
    """
    add_marts(first)
    treated = ", ".join(str(customer) for customer in range(120) if is_dealt(customer))
    land_orders(
        first,
        f"""select * from orders
            union all
            select
                (40 + week) * 1000 + customer,
                customer,
                timestamp '2024-10-07 10:00:00' + to_days((week * 7)::integer),
                12
            from range(120) as customers(customer) cross join range(4) as weeks(week)
            where customer in ({treated}) or customer % 3 = 0
            union all
            select null, 7, timestamp '2024-10-28 10:00:00', 12""",
        "four weeks later.parquet",
    )
    finished = run(first)
    assert finished.exit_code == 0, finished.output
    return finished


def add_marts(project: Project) -> None:
    """Copy marts of the project into the shop, with the sources that they read."""
    models = ROOT / "dbt_project" / "models"
    for mart in (*MARTS, *HEALTH):
        for suffix in (".sql", ".yml"):
            copied = project.dbt / "models/marts" / f"{mart}{suffix}"
            copied.parent.mkdir(exist_ok=True)
            shutil.copy(models / "marts" / f"{mart}{suffix}", copied)
    text = "".join((models / "marts" / f"{mart}.sql").read_text() for mart in (*MARTS, *HEALTH))
    (source,) = (
        source
        for source in yaml.safe_load((models / "records/_records__sources.yml").read_text())["sources"]
        if source["name"] == "records"
    )
    source["tables"] = [table for table in source["tables"] if f"source('records', '{table['name']}')" in text]
    Path(project.dbt, "models/scores/_records__sources.yml").write_text(yaml.safe_dump({"sources": [source]}))


def test_the_mart_shows_whose_score_is_treated(built_shop: Finished) -> None:
    shown = dict(published(built_shop.project, "select customer_id, return_is_treated from customers"))
    assert shown == {customer: is_dealt(customer) for customer in range(120)}


def test_the_holdout_and_its_folds_are_recorded_week_by_week(first: Project) -> None:
    rows = records(
        first,
        """select basis, count(distinct as_of_date) as weeks, min(as_of_date) as first, max(as_of_date) as last
           from records.outcomes where version = 1 group by basis order by first""",
    )
    assert [(row["basis"], row["weeks"]) for row in rows[:2]] == [("validation", 12), ("holdout", 4)]
    assert rows[0]["last"] < rows[1]["first"]


def test_what_was_published_is_set_beside_what_came_true(later: Finished) -> None:
    rows = published(
        later.project,
        """select as_of_date, is_treated, version, sum(example_count), sum(example_count * expected)
           from outcomes where basis = 'published' group by all order by as_of_date, is_treated""",
    )
    scores = records(
        later.project,
        f"""select is_treated, count(*) as n, sum(score) as total from scores.customer_return
            where as_of_date = '{SCORED_FIRST}' group by is_treated order by is_treated""",
    )
    assert [row[:4] for row in rows] == [(SCORED_FIRST, row["is_treated"], 1, row["n"]) for row in scores]
    assert [row[4] for row in rows] == pytest.approx([row["total"] for row in scores])


def test_the_effect_of_acting_is_told_with_its_interval(later: Finished) -> None:
    ((day, treated, control, realised, control_realised, effect, low, high),) = published(
        later.project, "select * exclude (prediction) from treatment_effects where prediction = 'customer_return'"
    )
    others = [customer for customer in range(120) if not is_dealt(customer)]
    assert (day, treated, control) == (SCORED_FIRST, 120 - len(others), len(others))
    assert realised == 1
    assert control_realised == pytest.approx(sum(customer % 3 == 0 for customer in others) / len(others))
    assert effect == pytest.approx(1 - control_realised)
    assert 0 < low < effect < high


def test_the_marts_tell_what_came_of_every_file(later: Finished) -> None:
    files = published(
        later.project, "select file_name, status, failed_checks, refused_row_count from loads order by arrived_at"
    )
    assert files == [("orders.parquet", "loaded", 0, 0), ("four weeks later.parquet", "loaded", 0, 1)]
    assert published(later.project, "select table_name, reason, row_count from refusals") == [
        ("orders", "order_id is missing", 1)
    ]
    checks = published(later.project, "select count(*), count(distinct load_id), bool_and(passed) from load_checks")
    assert checks[0][0] > 5
    assert checks[0][1:] == (2, True)
