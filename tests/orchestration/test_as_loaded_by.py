"""Any past state can be built again beside the present one, and every table knows the loads it was made from."""

from __future__ import annotations

from in_process import launched
from projects import dbt, land_orders, records

from turnout.project.paths import Project

EXAMPLES = "select * from {schema}.customer_return order by customer_id, as_of_date"


def test_the_warehouse_as_it_was_known_and_the_loads_behind_a_model_version(shop: Project) -> None:
    known_then = records(shop, EXAMPLES.format(schema="predictions"))
    ((loaded_at, first_load),) = (row.values() for row in records(shop, "select loaded_at, load_id from records.loads"))
    land_orders(shop, "select * from orders where customer_id < 110", "fewer.parquet")
    loaded = launched(shop, "shop/orders")
    assert loaded.exit_code == 0, loaded.output

    as_loaded_by = ["--vars", f"{{as_loaded_by: '{loaded_at}'}}"]
    later, built, refused, too_early = dbt(
        shop,
        ["run", "--select", "customer_return"],
        ["run", "--target", "audit", *as_loaded_by, "--select", "customer_return"],
        ["run", *as_loaded_by],
        ["run", "--target", "audit", "--vars", "{as_loaded_by: '2001-01-01'}"],
    )
    assert later.exit_code == 0, later.output
    now = records(shop, EXAMPLES.format(schema="predictions"))
    assert {row["customer_id"] for row in now} == set(range(110))

    assert built.exit_code == 0, built.output
    assert records(shop, EXAMPLES.format(schema="audit_predictions")) == known_then

    assert refused.exit_code != 0
    assert 'add "--target audit"' in refused.output
    assert too_early.exit_code != 0
    assert "orders" in too_early.output

    # Each version names the loads that its examples were made from, not those that raw shows when it is trained.
    trained = launched(shop, "model_versions/customer_return")
    assert trained.exit_code == 0, trained.output
    versions = records(shop, "select version, load_ids from records.model_versions order by version")
    second_load = records(shop, "select load_id from records.current_loads")[0]["load_id"]
    assert [version["load_ids"] for version in versions] == [[first_load], [second_load]]
