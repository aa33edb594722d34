"""What the leakage audit finds: each kind of leak is planted as a prediction of its own, and told in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock
from in_process import launched
from projects import Finished, change, dbt, edit, land_orders, published_marts, records, run

from orchestration.defs.examples.metadata import summary
from orchestration.project import predictions_named
from turnout.leakage.audit import audit
from turnout.leakage.comparison import ColumnDifference
from turnout.leakage.past import Past, chosen_dates
from turnout.leakage.result import Audit, PastComparison
from turnout.loading.contract import source_tables
from turnout.loading.loader import load_landed
from turnout.loading.register import Register
from turnout.project.examples_table import ExamplesTable
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project

# Until the last as-of date that has matured, which is audited in any case.
HONEST = (
    "select customer_id, as_of_date, orders_28d, has_returned from {{ ref('customer_return') }} "
    "where as_of_date <= date '2024-09-16'"
)
ORDERS = "{{ source('shop', 'orders') }} as orders"
# The same label, made from a copy of the orders of which nobody says when they happened.
LABEL_OF_UNTIMED = (
    "select customer_id, as_of_date, orders_28d, "
    "case when as_of_date + interval '14' day <= (select max(ordered_at) from {untimed}) then "
    "(select cast(count(*) > 0 as int) from {untimed} as orders where orders.customer_id = honest.customer_id "
    "and ordered_at >= as_of_date and ordered_at < as_of_date + interval '14' day) end as has_returned "
    f"from ({HONEST}) as honest"
).replace("{untimed}", "{{ source('shop', 'untimed_orders') }}")
TOO_EARLY = (
    f"select customer_id, as_of_date, orders_28d, coalesce(has_returned, 0) as has_returned from ({HONEST}) as h"
)

# What a prediction selects, and what the audit must say of it; nothing, if it is honest.
PLANTED: Mapping[str, tuple[str, list[str]]] = {
    "honest": (HONEST, []),
    "unfiltered_aggregate": (
        f"select *, (select sum(amount) from {ORDERS} where orders.customer_id = honest.customer_id) as amount_total "
        f"from ({HONEST}) as honest where customer_id < 50",
        [
            "unfiltered_aggregate knew the future:",
            "amount_total: ",
            "43 examples of 2024-09-09 differ",
            "without events from that date on",
            "models/predictions/unfiltered_aggregate.yml",
            "events_before",
        ],
    ),
    "leak_upstream": (
        "select honest.*, totals.amount_total "
        f"from ({HONEST}) as honest inner join {{{{ ref('customer_totals') }}}} as totals using (customer_id)",
        ["amount_total: ", "first seen in customer_totals"],
    ),
    "seen_on_the_day": (
        f"select *, (select count(*) from {ORDERS} where orders.customer_id = honest.customer_id "
        f"and cast(ordered_at as date) <= as_of_date) as orders_until_today from ({HONEST}) as honest",
        ["orders_until_today: ", "customer_id "],
    ),
    "mean_of_everybody": (
        f"select *, orders_28d - avg(orders_28d) over () as orders_above_average from ({HONEST}) as honest",
        ["orders_above_average: ", "120 examples"],
    ),
    # Equal only where all others are there.
    "mean_of_the_day": (
        f"select *, avg(orders_28d) over (partition by as_of_date) as mean_orders from ({HONEST}) as honest",
        [],
    ),
    "survivors_only": (
        f"select * from ({HONEST}) as honest where exists (select 1 from {ORDERS} "
        "where orders.customer_id = honest.customer_id and ordered_at >= as_of_date + interval '14' day)",
        ["there is no example of 2024-09-16 without events from that date on", "which entities have an example"],
    ),
    "dates_of_the_future": (
        f"select * from ({HONEST}) as honest where as_of_date in "
        f"(select cast(date_trunc('week', ordered_at) as date) from {ORDERS})",
        ["there is no example of ", "without events from that date on, and 120 are stored", "a calendar that ends"],
    ),
    "calendar_of_closed_days": (
        f"select honest.* from ({HONEST}) as honest "
        "inner join {{ as_of_dates(source('shop', 'orders'), event_time='ordered_at') }} as mondays "
        "on honest.as_of_date = mondays.as_of_date",
        [],
    ),
    "label_of_longer": (
        "select customer_id, as_of_date, orders_28d, case when has_returned is not null then "
        f"(select count(*) from {ORDERS} where orders.customer_id = honest.customer_id and ordered_at >= as_of_date "
        f"and ordered_at < as_of_date + interval '56' day) end as has_returned from ({HONEST}) as honest",
        ["has_returned: ", "from outside of the label's window", "before 14 days later"],
    ),
    "label_of_before": (
        "select customer_id, as_of_date, orders_28d, case when has_returned is not null then "
        f"(select count(*) from {ORDERS} where orders.customer_id = honest.customer_id "
        "and ordered_at >= as_of_date - interval '7' day and ordered_at < as_of_date + interval '14' day) "
        f"end as has_returned from ({HONEST}) as honest",
        ["has_returned: ", "from outside of the label's window"],
    ),
    "label_too_early": (
        TOO_EARLY,
        ["labels are known before the data reach the horizon: 0 for "],
    ),
    "label_too_early_beside_a_dimension": (
        f"select early.* from ({TOO_EARLY}) as early "
        "inner join {{ source('shop', 'regions') }} as regions using (customer_id)",
        ["labels are known before the data reach the horizon: 0 for ", "shop.regions tells how far the data reach"],
    ),
    "label_of_untimed": (LABEL_OF_UNTIMED, []),
    "all_of_untimed": (
        LABEL_OF_UNTIMED.replace("ref('customer_return')", "ref('untimed_return')"),
        [],
    ),
    "label_of_staged": (
        LABEL_OF_UNTIMED.replace("source('shop', 'untimed_orders')", "ref('staged_orders')"),
        [],
    ),
    "leak_of_staged": (
        "select *, (select count(*) from {{ ref('staged_orders') }} as orders "
        f"where orders.customer_id = honest.customer_id) as count_staged from ({HONEST}) as honest",
        ["count_staged: "],
    ),
    "leak_of_seed": (
        f"select *, (select count(*) from {{{{ ref('openings') }}}}) as count_openings from ({HONEST}) as honest",
        ["count_openings: ", "120 examples"],
    ),
    "with_regions": (
        f"select honest.*, regions.region from ({HONEST}) as honest "
        "inner join {{ source('shop', 'regions') }} as regions using (customer_id)",
        [],
    ),
    "with_seed": (
        f"select honest.*, parities.word from ({HONEST}) as honest "
        "inner join {{ ref('parities') }} as parities on parities.parity = honest.customer_id % 2",
        [],
    ),
}

DECLARATION = """
models:
  - name: {name}
    config:
      meta:
        prediction:
          {{ task: regression, entity: customer_id, as_of: as_of_date, label: has_returned, horizon_days: 14 }}
    columns: [{{ name: customer_id }}, {{ name: as_of_date }}, {{ name: has_returned }}]
"""

# Beside the orders, so that one build and one audit serve all: a dimension, and orders of which some came late.
SOURCES = """
      - name: regions
        config: { meta: { load: { key: [customer_id] } } }
        columns:
          - { name: customer_id, data_type: bigint }
          - { name: region, data_type: varchar }
      - name: untimed_orders
        config: { meta: { load: { key: [order_id] } } }
        columns:
          - { name: order_id, data_type: bigint }
          - { name: customer_id, data_type: bigint }
          - { name: ordered_at, data_type: timestamp }
          - { name: amount, data_type: double }
      - name: late_orders
        config: { event_time: ordered_at, meta: { load: { key: [order_id] } } }
        columns:
          - { name: order_id, data_type: bigint }
          - { name: customer_id, data_type: bigint }
          - { name: ordered_at, data_type: timestamp }
          - { name: amount, data_type: double }
"""


# What is audited once more with a share of the customers.
IN_SHARES = ("honest", "with_regions", "mean_of_the_day", "leak_of_seed", "label_too_early")

OPENINGS = """
seeds:
  - name: openings
    config: { event_time: opened_at }
"""


@pytest.fixture(scope="session")
def audited(built_shop: Finished, shared: Path) -> dict[str, Any]:
    """What was found of each prediction, in a shop with all of them, audited once for all workers."""
    outcome = shared / "leaks" / "outcome.json"
    with FileLock(shared / "leaks.lock"):
        if not outcome.exists():
            shutil.copytree(built_shop.project.root, shared / "leaks" / "turnout")
            outcome.write_text(json.dumps(plant_and_audit(Project(shared / "leaks" / "turnout"))))
    found: dict[str, Any] = json.loads(outcome.read_text())
    return found


def plant_and_audit(project: Project) -> dict[str, Any]:
    models = project.dbt / "models"
    returning = (models / "predictions" / "customer_return.sql").read_text()
    late = returning.replace("'orders'", "'late_orders'")
    for name, sql in {**{name: sql for name, (sql, _) in PLANTED.items()}, "late": late}.items():
        (models / "predictions" / f"{name}.sql").write_text(sql)
        (models / "predictions" / f"{name}.yml").write_text(DECLARATION.format(name=name))
    (models / "features").mkdir()
    totals = f"select customer_id, sum(amount) as amount_total from {ORDERS} group by customer_id"
    (models / "features" / "customer_totals.sql").write_text(totals)
    # Of models that are no predictions, one is the shop's own without any `event_time`, one declares it in staging.
    (models / "features" / "untimed_return.sql").write_text(returning.replace("'orders'", "'untimed_orders'"))
    staged = "select * from {{ source('shop', 'untimed_orders') }}"
    (models / "staging" / "staged_orders.sql").write_text("{{ config(event_time='ordered_at') }}" + staged)
    (project.dbt / "seeds").mkdir()
    (project.dbt / "seeds" / "openings.csv").write_text("shop,opened_at\n1,2024-01-01\n2,2024-09-20\n")
    (project.dbt / "seeds" / "openings.yml").write_text(OPENINGS)
    (project.dbt / "seeds" / "parities.csv").write_text("parity,word\n0,even\n1,odd\n")
    with (models / "staging/shop/_shop__sources.yml").open("a") as file:
        file.write(SOURCES)
    (project.landing / "shop" / "regions").mkdir()
    region = "select range as customer_id, if(range % 4 = 0, 'north', 'south') as region from range(120)"
    duckdb.sql(f"copy ({region}) to '{project.landing}/shop/regions/regions.parquet' (format parquet)")
    land_orders(project, table="late_orders")
    land_orders(project, table="untimed_orders")
    load_at(project, "2024-03-01")
    # Three rows of August that came in the middle of September.
    corrected = (
        "select order_id + 900000, customer_id, ordered_at, amount from orders where order_id between 32000 and 32007"
    )
    land_orders(project, f"from orders union all {corrected}", "corrected.parquet", table="late_orders")
    load_at(project, "2024-09-20", since="2024-03-02")
    (built,) = dbt(
        project, ["build", "--select", "path:seeds", "path:models/features", "staged_orders", "path:models/predictions"]
    )
    assert built.exit_code == 0, built.output
    examples = [prediction.examples for prediction in predictions_named(project, [*PLANTED, "late"])]
    audits = audit(project, examples, dates=2, seed=4)
    found = {audited.prediction.name: audited for audited in audits}
    few = [replace(table, audit_entities=30) for table in examples if table.name in IN_SHARES]
    shared = {audited.prediction.name: audited for audited in audit(project, few, dates=1, seed=4)}
    return {
        **{name: told(audited) for name, audited in found.items()},
        "late, acknowledged": told(acknowledged(found["late"], "late", "amount_ever", "orders_28d")),
        "strict": told(strict(found["with_regions"])),
        "strict, label": told(strict(found["label_of_untimed"])),
        "strict, label acknowledged": told(
            acknowledged(strict(found["label_of_untimed"]), "unaudited", "shop.untimed_orders")
        ),
        "shared": {name: {**told(audited), "summary": summary(audited)} for name, audited in shared.items()},
        "kinds": sorted({found.past.kind for audit in audits for found in audit.comparisons}),
        "schemas": [row["s"] for row in records(project, "select distinct schema_name as s from duckdb_schemas()")],
        "differences": records(project, "select prediction, cut_by, differing_rows from records.leakage_differences"),
    }


def load_at(project: Project, day: str, since: str = "2024-01-01") -> None:
    """Load what stands in landing, and let what was loaded after `since` have come on a day of the past."""
    for table in source_tables(manifest_of(project)):
        load_landed(project, table)
        change(
            project,
            f"update records.loads set loaded_at = timestamp '{day}' "
            f"where table_name = '{table.name}' and loaded_at > timestamp '{since}'",
        )
        Register(project.warehouse, project.root, table).show()


def told(found: Audit) -> dict[str, Any]:
    return {
        "problem": str(found.problem or ""),
        "unaudited": [source.source for source in found.unaudited],
        "unaudited_label": found.unaudited_label,
        "remedies": {source.source: source.remedy for source in found.coverage},
        "audited_by": {source.source: source.audited_by for source in found.coverage},
        "compared": [[found.past.kind, str(found.past.as_of_date), found.compared_rows] for found in found.comparisons],
    }


def strict(found: Audit) -> Audit:
    return replace(found, prediction=replace(found.prediction, audit="strict"))


def acknowledged(found: Audit, finding: str, *subjects: str) -> Audit:
    reasons = dict.fromkeys(subjects, "Known.")
    coverage = tuple(replace(source, acknowledged=reasons.get(source.source, "")) for source in found.coverage)
    return replace(found, prediction=replace(found.prediction, acknowledged={finding: reasons}), coverage=coverage)


@pytest.mark.parametrize("name", PLANTED)
def test_what_knew_the_future_is_named_and_the_honest_pass(audited: dict[str, Any], name: str) -> None:
    problem, words = audited[name]["problem"], PLANTED[name][1]
    assert bool(problem) == bool(words), problem
    for word in words:
        assert word in problem


def test_every_past_is_compared_in_every_way_that_can_tell(audited: dict[str, Any]) -> None:
    """Features without later events, and without later loads; labels without what is outside of their window."""
    assert audited["kinds"] == ["event_time", "label_window", "loaded_at"]
    assert all(rows == 120 for _, _, rows in audited["honest"]["compared"])
    assert ["event_time", "2024-09-16", 120] in audited["honest"]["compared"]


def test_late_rows_are_found_and_may_be_acknowledged(audited: dict[str, Any]) -> None:
    problem = audited["late"]["problem"]
    for words in ("amount_ever: ", "without what was loaded later", "more than 1 days after", "acknowledged: {late: "):
        assert words in problem
    assert "without events from" not in problem
    assert audited["late, acknowledged"]["problem"] == ""


def test_a_dimension_overwritten_in_place_is_told_and_blocks_a_strict_audit(audited: dict[str, Any]) -> None:
    """Loads tell what was known of it at dates after the first one; nothing does before."""
    found = audited["with_regions"]
    assert found["audited_by"] == {"shop.orders": ["event_time", "loaded_at"], "shop.regions": ["loaded_at"]}
    assert audited["with_seed"]["unaudited"] == ["seed.parities"]
    assert "config: {event_time: <column>}" in audited["with_seed"]["remedies"]["seed.parities"]
    assert audited["strict"]["problem"] == ""


def test_a_label_that_no_event_time_cuts_is_not_audited_and_accused_of_nothing(audited: dict[str, Any]) -> None:
    """All of the rows are there at each past, so that labels are known is no sign that they knew the future."""
    for name, why in (
        ("label_of_untimed", "built again without later events it is known as before (shop.untimed_orders)"),
        ("all_of_untimed", "nothing that it is made from has an 'event_time' (shop.untimed_orders)"),
    ):
        said = audited[name]["unaudited_label"]
        assert f"The label has_returned is not audited: {why}" in said
        assert "on a source, on a staging model that reads it, or on a seed" in said
    assert not [kind for kind, _, _ in audited["all_of_untimed"]["compared"] if kind != "loaded_at"]
    strict = audited["strict, label"]["problem"]
    assert "label_of_untimed: The label has_returned is not audited" in strict
    assert "acknowledged: {unaudited: {shop.untimed_orders: 'the reason'}}" in strict
    assert audited["strict, label acknowledged"]["problem"] == ""
    assert audited["honest"]["unaudited_label"] == audited["with_regions"]["unaudited_label"] == ""


def test_of_many_entities_a_share_is_built_and_all_of_them_where_it_differs(audited: dict[str, Any]) -> None:
    found = audited["shared"]
    for name in ("honest", "with_regions"):
        assert found[name]["problem"] == ""
        assert {kind for kind, _, _ in found[name]["compared"]} == {"event_time", "loaded_at", "label_window"}
        counts = {rows for _, _, rows in found[name]["compared"]}
        assert len(counts) == 1
        assert 10 < counts.pop() < 60
        assert "Of customer_id, a share of 25 % was built again." in found[name]["summary"]
    assert found["mean_of_the_day"]["problem"] == ""
    assert ["event_time", "2024-09-16", 120] in found["mean_of_the_day"]["compared"]
    assert "count_openings: 120 examples" in found["leak_of_seed"]["problem"]
    assert "labels are known before the data reach the horizon" in found["label_too_early"]["problem"]


def test_event_time_can_stand_on_a_staging_model_or_a_seed(audited: dict[str, Any]) -> None:
    assert "event_time" in audited["label_of_staged"]["audited_by"]["shop.untimed_orders"]
    assert audited["label_of_staged"]["unaudited_label"] == ""
    assert audited["leak_of_seed"]["audited_by"]["seed.openings"] == ["event_time"]


def test_nothing_of_the_rebuilt_past_stays_but_the_record(audited: dict[str, Any]) -> None:
    assert not [schema for schema in audited["schemas"] if schema.startswith("leakage_audit")]
    assert {row["prediction"] for row in audited["differences"]} == {
        *(name for name, (_, words) in PLANTED.items() if words),
        "late",
    }


def examples(**keys: Any) -> ExamplesTable:
    named = {"name": "will_return", "unique_id": "", "schema": "predictions", "table": "will_return", "file": "p.yml"}
    defaults = {"entity": "entity", "as_of": "day", "label": "outcome", "horizon_days": 7}
    return ExamplesTable(**{**named, **defaults, **keys})


def found(*differences: ColumnDifference, compared: int = 10, kind: Any = "event_time", **keys: Any) -> Audit:
    comparison = PastComparison(Past(kind, date(2024, 1, 7)), compared, differences, 1.0)
    return Audit("id", datetime.now(UTC), 0, examples(**keys), (comparison,), ())


def test_a_sum_that_differs_in_its_last_digits_gets_a_remedy_of_its_own() -> None:
    rounding = found(ColumnDifference("amount", 3, (("7", "30.3", "30.299999999999997"),)))
    assert "cast to a decimal before summing" in str(rounding.problem)
    assert "cast to a decimal" not in str(found(ColumnDifference("amount", 3, (("7", "30.3", "30.2"),))).problem)


def test_a_label_that_could_not_be_compared_blocks_strict_audits_only() -> None:
    assert found(compared=0, kind="label_window").problem is None
    problem = found(compared=0, kind="label_window", audit="strict").problem
    assert "The label of will_return could not be compared at 2024-01-07" in str(problem)


def test_a_label_whose_window_could_not_be_cut_is_told_and_blocks_strict_audits() -> None:
    staged = found(audit="strict")
    assert "The window of the label outcome is not audited" in str(staged.problem)
    assert "The window of the label" in summary(found())
    assert found().problem is None
    assert replace(staged, dates_without_label=3).problem is None


def test_a_label_that_has_never_matured_is_told() -> None:
    comparison = PastComparison(Past("event_time", date(2024, 1, 7)), 10, (), 1.0)
    unmatured = Audit("id", datetime.now(UTC), 0, examples(), (comparison,), (), dates_without_label=3)
    assert "No label of will_return has matured, at none of 3 as-of dates" in summary(unmatured)
    assert "'known_until'" in summary(unmatured)
    assert "has matured" not in summary(replace(unmatured, dates_without_label=0))


def test_the_last_matured_date_is_always_chosen_and_others_by_the_seed() -> None:
    days = [date(2024, 1, day) for day in range(1, 29)]
    chosen = [chosen_dates({"a": days, "b": days[:-7]}, dates=2, seed=seed) for seed in range(20)]
    assert all({days[-1], days[-8]} <= set(found) and len(found) <= 4 for found in chosen)
    assert len(set(chosen)) > 10
    assert chosen[3] == chosen_dates({"a": days, "b": days[:-7]}, dates=2, seed=3)


def test_a_leak_stops_training_until_it_is_mended(shop: Project) -> None:
    """In the run that finds it, in a later run of the Python asset alone, and in the command's exit code."""
    model = shop.dbt / "models/predictions/customer_return.sql"
    honest, leaky = (
        "orders.ordered_at < as_of_dates.as_of_date",
        "orders.ordered_at <= as_of_dates.as_of_date + interval '1' day",
    )
    edit(model, honest, leaky)
    before = published_marts(shop)
    stopped = run(shop)
    assert stopped.exit_code == 1
    for words in ("customer_return knew the future", "orders_28d: ", "rule:", "remedy:", "events_before"):
        assert words in stopped.output
    assert "Traceback" not in stopped.output
    later = launched(shop, "model_versions/customer_return")
    assert later.exit_code != 0
    assert "customer_return: leakage" in later.output
    assert records(shop, "select count(*) as n from records.model_versions") == [{"n": 1}]
    assert published_marts(shop) == before

    edit(model, leaky, honest)
    (built,) = dbt(shop, ["run", "--select", "customer_return"])
    assert built.exit_code == 0, built.output
    passed = run(shop, "audit", "--dates", "1")
    assert (passed.exit_code, "Nothing of customer_return knew the future" in passed.output) == (0, True)
