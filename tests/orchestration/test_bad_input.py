"""What bad input gets: one clear message, a non-zero exit, no traceback, the last publication untouched."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import AssetCheckEvaluation, DagsterInstance
from projects import edit, land_orders, published, published_marts, records, run

from orchestration.publication_asset import CURRENT
from turnout.project.paths import Project


def refused(project: Project, *words: str) -> str:
    """Run, and expect a refusal that says these words."""
    before = published_marts(project)
    finished = run(project)
    assert finished.exit_code == 1, finished.output
    assert "Traceback" not in finished.output
    for word in ("rule:", "remedy:", *words):
        assert word in finished.output, f"{word!r} is not in:\n{finished.output}"
    assert published_marts(project) == before
    assert list(project.published.parent.iterdir()) == [project.published]
    return finished.output


FAILURE_SEEN = """
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter, build_run_status_sensor_context
from orchestration.definitions import defs
from orchestration.project import prepare, this_project
prepare(this_project())
sensor = defs().get_repository_def().get_sensor_def("held_back")
with DagsterInstance.get() as instance:
    run = instance.get_runs(filters=RunsFilter(statuses=[DagsterRunStatus.FAILURE]), limit=1)[0]
    failure = instance.all_logs(run.run_id, of_type=DagsterEventType.RUN_FAILURE)[0].dagster_event
    context = build_run_status_sensor_context("held_back", failure, instance, run)
    sensor(context.for_run_failure())
"""


def current_in_dagster(project: Project) -> tuple[bool, str | None]:
    """What the page of the publication says: whether it is the newest state, and why not."""
    with DagsterInstance.from_config(str(project.dagster_home)) as instance:
        (record,) = instance.event_log_storage.get_asset_check_execution_history(CURRENT, limit=1)
    assert record.event is not None
    assert record.event.dagster_event is not None
    evaluation = record.event.dagster_event.event_specific_data
    assert isinstance(evaluation, AssetCheckEvaluation)
    return evaluation.passed, evaluation.description


def test_a_missing_column_is_named_with_the_one_that_looks_like_it(shop: Project) -> None:
    land_orders(shop, "select order_id, customer_id as customers_id, ordered_at, amount from orders")
    refused(shop, "shop.orders cannot be loaded", "'customer_id' is missing", "Did you mean 'customers_id'?")


def test_a_column_of_another_type_is_refused_with_a_value(shop: Project) -> None:
    land_orders(shop, "select * replace ('EUR ' || amount as amount) from orders")
    refused(shop, "rows do not keep the contract", "amount is not double", "EUR 1")


def test_an_unreadable_file_is_refused(shop: Project) -> None:
    file = land_orders(shop)
    file.write_bytes(file.read_bytes()[:1000])
    refused(shop, "shop.orders cannot be loaded", "cannot be read as Parquet", "orders.parquet in landing/shop/orders")


def test_an_empty_table_is_refused(shop: Project) -> None:
    land_orders(shop, "select * from orders where false")
    refused(shop, "shop.orders cannot be loaded: it has no rows")


def test_another_population_is_refused_until_a_person_releases_it(shop: Project) -> None:
    """Same columns, wrong people: what no contract can see, the loads before it tell."""
    land_orders(shop, "select * replace (customer_id + 5000 as customer_id) from orders", "iowa.parquet")
    told = refused(shop, "not the population we expect", "new_values of customer_id is 1", "drift of customer_id")
    assert "examples" not in told.split("skipped")[0]
    load_id = re.search(r"make release LOAD=(\w+)", told)[1]
    assert load_id in run(shop, "quarantine").output

    without_reason = run(shop, "release", load_id, "")
    assert (without_reason.exit_code, "there is no reason" in without_reason.output) == (1, True)
    assert run(shop, "release", load_id, "We bought a chain of shops.").exit_code == 0
    assert run(shop, "quarantine").output.strip() == "Quarantine is empty."
    assert run(shop).exit_code == 0
    assert published(shop, "select min(customer_id) from customers") == [(5000,)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("label: has_returned", "labell: has_returned", ["'label' is missing"]),
        ("horizon_days: 14", "horizon_days: soon", ["'horizon_days' is 'soon'", "a whole number of days"]),
        ("metric: log_loss", "metric: logloss", ["no metric 'logloss'", "Did you mean 'log_loss'?"]),
        ("sensitive: [region]", 'sensitive: [region]\n          retrain: "at noon"', ["not a cron expression"]),
    ],
)
def test_a_mistake_in_the_declaration_stops_the_load(shop: Project, old: str, new: str, words: list[str]) -> None:
    edit(shop.dbt / "models/predictions/customer_return.yml", old, new)
    refused(shop, "customer_return.yml", "model 'customer_return'", "config.meta.prediction", *words)


def test_sql_that_dbt_cannot_run_is_refused_with_the_model(shop: Project) -> None:
    edit(shop.dbt / "models/predictions/customer_return.sql", "cast(amount as", "cast(amounts as")
    refused(shop, "could not be built", "model.turnout.customer_return", "amounts")


def test_yaml_that_dbt_cannot_parse_is_refused_with_the_file(shop: Project) -> None:
    edit(shop.dbt / "models/predictions/customer_return.yml", "description: Will", "description: 'Will")
    refused(shop, "dbt cannot parse the project", "customer_return.yml")


def test_a_failed_test_stops_python_until_it_passes(shop: Project) -> None:
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
    # What Dagster's daemon does after a run that nobody watches.
    ((checked_at,),) = published(shop, "select max(checked_at) from freshness")
    subprocess.run([sys.executable, "-c", FAILURE_SEEN], cwd=shop.root, check=True, timeout=120)
    assert published(shop, "select distinct checked_at > ?, held_back_because from freshness", checked_at) == [
        (True, told)
    ]

    land_orders(shop, name="sent again.parquet")
    assert run(shop).exit_code == 0
    assert published(shop, "select count(*) from customers") == [(120,)]
    assert published(shop, "select distinct is_current, failed_checks from freshness") == [(True, 0)]
    assert current_in_dagster(shop) == (True, "This is publication 2.")


def test_a_dbt_that_cannot_even_begin_fails_the_run_also_after_a_good_one(shop: Project) -> None:
    edit(shop.dbt / "profiles.yml", "memory_limit: 4GB", "memory_limit: enough")
    refused(shop, "dbt stopped before it was done", "Invalid memory limit")


def test_samples_never_take_the_place_of_a_file_that_somebody_sent(tmp_path: Path) -> None:
    from samples.complete_journey import land

    sent = tmp_path / "complete_journey" / "campaigns" / "sent.parquet"
    sent.parent.mkdir(parents=True)
    sent.write_bytes(b"")
    assert len(land(tmp_path)) == 7
    assert list(sent.parent.iterdir()) == [sent]
    assert land(tmp_path) == []
