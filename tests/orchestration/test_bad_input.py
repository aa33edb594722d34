"""What bad input gets: one clear message, a non-zero exit, no traceback, the last publication untouched.

One refusal of each kind is a run of the command line. What else is refused by the same step is refused in this process,
on one project: a refusal promises to change nothing.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from dagster import (
    AssetCheckEvaluation,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    RunsFilter,
    build_run_status_sensor_context,
)
from in_process import at, launched
from projects import Finished, edit, land_orders, published, published_marts, records, run

from ml.declaration import predictions_in
from orchestration.defs.model_versions.schedules import retraining_schedules
from orchestration.defs.publication.held_back import CURRENT
from orchestration.project import predictions_of
from turnout.errors import DeclarationError
from turnout.project.manifest import ProjectError, manifest_of
from turnout.project.paths import Project


def refused(project: Project, *words: str, assets: tuple[str, ...] = ()) -> str:
    """Run, or materialize assets in this process, and expect a refusal that says these words."""
    before = published_marts(project)
    finished = launched(project, *assets) if assets else run(project)
    assert finished.exit_code == 1, finished.output
    assert "Traceback" not in finished.output
    for word in ("rule:", "remedy:", *words):
        assert word in finished.output, f"{word!r} is not in:\n{finished.output}"
    assert published_marts(project) == before
    assert list(project.published.parent.iterdir()) == [project.published]
    return finished.output


@pytest.fixture(scope="module")
def refusing(built_shop: Finished, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A shop that refuses one thing after the other, and stays what it is."""
    target = tmp_path_factory.mktemp("refusing") / "turnout"
    shutil.copytree(built_shop.project.root, target)
    return Project(target)


@pytest.fixture
def arriving(refusing: Project) -> Iterator[Project]:
    """The same, in which what arrives is taken away again."""
    folder, before = refusing.landing / "shop" / "orders", records(refusing, "from raw.orders order by all")
    kept = {file.name: file.read_bytes() for file in folder.iterdir()}
    yield refusing
    for file in folder.iterdir():
        file.unlink()
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    assert records(refusing, "from raw.orders order by all") == before


def seen_by_the_daemon(project: Project) -> None:
    """Do what Dagster's daemon does after a run that nobody watches and that has failed."""
    with at(project) as defs, DagsterInstance.get() as instance:
        failed = instance.get_runs(filters=RunsFilter(statuses=[DagsterRunStatus.FAILURE]), limit=1)[0]
        failure = instance.all_logs(failed.run_id, of_type=DagsterEventType.RUN_FAILURE)[0].dagster_event
        assert failure is not None
        sensor = defs.get_repository_def().get_sensor_def("held_back")
        context = build_run_status_sensor_context("held_back", failure, instance, failed, resources=defs.resources)
        sensor(context.for_run_failure())


def current_in_dagster(project: Project) -> tuple[bool, str | None]:
    """What the page of the publication says: whether it is the newest state, and why not."""
    with DagsterInstance.from_config(str(project.dagster_home)) as instance:
        (record,) = instance.event_log_storage.get_asset_check_execution_history(CURRENT, limit=1)
    assert record.event is not None
    assert record.event.dagster_event is not None
    evaluation = record.event.dagster_event.event_specific_data
    assert isinstance(evaluation, AssetCheckEvaluation)
    return evaluation.passed, evaluation.description


LOAD = ("shop/orders",)


def test_a_missing_column_is_named_with_the_one_that_looks_like_it(arriving: Project) -> None:
    land_orders(arriving, "select order_id, customer_id as customers_id, ordered_at, amount from orders")
    missing = ("'customer_id' is missing", "Did you mean 'customers_id'?")
    refused(arriving, "shop.orders cannot be loaded", *missing, assets=LOAD)


def test_a_column_of_another_type_is_refused_with_a_value(arriving: Project) -> None:
    land_orders(arriving, "select * replace ('EUR ' || amount as amount) from orders")
    refused(arriving, "rows do not keep the contract", "amount is not double", "EUR 1", assets=LOAD)


def test_an_unreadable_file_is_refused(arriving: Project) -> None:
    file = land_orders(arriving)
    file.write_bytes(file.read_bytes()[:1000])
    unreadable = ("cannot be read as Parquet", "orders.parquet in landing/shop/orders")
    refused(arriving, "shop.orders cannot be loaded", *unreadable, assets=LOAD)


def test_an_empty_table_is_refused(arriving: Project) -> None:
    land_orders(arriving, "select * from orders where false")
    refused(arriving, "shop.orders cannot be loaded: it has no rows", assets=LOAD)


MISTAKES = {
    "labell": ({"label": None, "labell": "has_returned"}, ["'label' is missing"]),
    "soon": ({"horizon_days": "soon"}, ["'horizon_days' is 'soon'", "a whole number of days"]),
    "logloss": ({"metric": "logloss"}, ["no metric 'logloss'", "Did you mean 'log_loss'?"]),
    "at noon": ({"retrain": "at noon"}, ["not a cron expression"]),
}
DECLARED_IN = ("customer_return.yml", "model 'customer_return'", "config.meta.prediction", "rule:", "remedy:")


@pytest.mark.parametrize(("keys", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_declaration_is_told(refusing: Project, keys: dict[str, Any], words: list[str]) -> None:
    manifest = copy.deepcopy(manifest_of(refusing))
    declaration = manifest["nodes"]["model.turnout.customer_return"]["config"]["meta"]["prediction"]
    declaration.update(keys)
    manifest["nodes"]["model.turnout.customer_return"]["config"]["meta"]["prediction"] = {
        key: value for key, value in declaration.items() if value is not None
    }
    with (
        patch("orchestration.defs.model_versions.schedules.predictions_of", lambda _: predictions_in(manifest)),
        pytest.raises(DeclarationError) as told,
    ):
        retraining_schedules(refusing)  # the first thing that asks for all declarations
    for word in (*DECLARED_IN, *words):
        assert word in str(told.value)


def test_a_mistake_in_the_declaration_stops_the_load(shop: Project) -> None:
    edit(shop.dbt / "models/predictions/customer_return.yml", "label: has_returned", "labell: has_returned")
    refused(shop, *DECLARED_IN, *MISTAKES["labell"][1])


def test_sql_that_dbt_cannot_run_is_refused_with_the_model(shop: Project) -> None:
    edit(shop.dbt / "models/predictions/customer_return.sql", "cast(amount as", "cast(amounts as")
    refused(shop, "could not be built", "model.turnout.customer_return", "amounts")


def test_yaml_that_dbt_cannot_parse_is_refused_with_the_file(shop: Project) -> None:
    edit(shop.dbt / "models/predictions/customer_return.yml", "description: Will", "description: 'Will")
    with pytest.raises(ProjectError, match="dbt cannot parse the project") as told:
        predictions_of(shop)
    for word in ("customer_return.yml", "rule:", "remedy:"):
        assert word in str(told.value)


def test_a_dbt_that_cannot_even_begin_fails_the_run_also_after_a_good_one(shop: Project) -> None:
    edit(shop.dbt / "profiles.yml", "memory_limit: 4GB", "memory_limit: enough")
    examples = ("predictions/customer_return",)
    refused(shop, "dbt stopped before it was done", "Invalid memory limit", assets=examples)


def test_a_failed_test_and_another_population_stop_python_until_they_are_mended_or_accepted(shop: Project) -> None:
    """Also in a later run that selects only the Python asset, started by hand with Dagster's own client."""
    count, failed = "select count(*) as versions from records.model_versions", "shop/orders: source_accepted_range"
    before = records(shop, count)
    all_checks = published(shop, "select asset, check_name from checks order by all")
    taken_back = "select * replace (if(order_id % 100 = 0, -amount, amount) as amount) from orders"
    land_orders(shop, taken_back, "taken back.parquet")
    refused(shop, "A test failed", failed)
    assert records(shop, count) == before
    ((told, failed_checks),) = published(
        shop, "select held_back_because, failed_checks from freshness where table_name = 'customers' and not is_current"
    )
    assert told.startswith(f"{failed_checks} test")
    assert failed in told
    assert published(shop, "select count(*) from checks where not passed and severity = 'error'") == [(failed_checks,)]
    # Those that the run did not come to are shown as they came out before.
    assert published(shop, "select asset, check_name from checks order by all") == all_checks
    assert current_in_dagster(shop) == (False, f"A newer state was held back. {told}")

    later = run(shop, "dg", "launch", "--assets", "model_versions/customer_return")
    assert later.exit_code != 0
    assert "upstream failed" in later.output
    assert failed in later.output
    assert records(shop, count) == before
    ((checked_at,),) = published(shop, "select max(checked_at) from freshness")
    seen_by_the_daemon(shop)
    assert published(shop, "select distinct checked_at > ?, held_back_because from freshness", checked_at) == [
        (True, told)
    ]

    another_population_is_refused_until_a_person_accepts_it(shop)
    assert run(shop).exit_code == 0
    assert published(shop, "select count(*), min(customer_id) from customers") == [(120, 5000)]
    assert published(shop, "select distinct is_current, failed_checks from freshness") == [(True, 0)]
    assert current_in_dagster(shop) == (True, "This is publication 2.")


def another_population_is_refused_until_a_person_accepts_it(shop: Project) -> None:
    """Same columns, wrong people: what no contract can see, the loads before it tell."""
    land_orders(shop, "select * replace (customer_id + 5000 as customer_id) from orders", "iowa.parquet")
    told = refused(shop, "not the population we expect", "new_values of customer_id is 1", "drift of customer_id")
    assert "examples" not in told.split("skipped")[0]
    load_id = re.search(r"make accept LOAD=(\w+)", told)[1]
    assert load_id in run(shop, "quarantine").output

    renamed = run(shop, "release", load_id, "We bought a chain of shops.")
    assert (renamed.exit_code, f"make accept LOAD={load_id}" in renamed.output) == (1, True)
    without_reason = run(shop, "accept", load_id, "")
    assert (without_reason.exit_code, "there is no reason" in without_reason.output) == (1, True)
    assert run(shop, "accept", load_id, "We bought a chain of shops.").exit_code == 0
    assert run(shop, "quarantine").output.strip() == "Quarantine is empty."


def test_samples_never_take_the_place_of_a_file_that_somebody_sent(tmp_path: Path) -> None:
    from samples.complete_journey import land

    sent = tmp_path / "complete_journey" / "campaigns" / "sent.parquet"
    sent.parent.mkdir(parents=True)
    sent.write_bytes(b"")
    assert len(land(tmp_path)) == 7
    assert list(sent.parent.iterdir()) == [sent]
    assert land(tmp_path) == []
