"""Any past state can be built again beside the present one, and every table knows the loads it was made from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from projects import land_orders, records, run

from turnout.project.paths import Project

EXAMPLES = "select * from {schema}.customer_return order by customer_id, as_of_date"


def dbt(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    executable = str(Path(sys.executable).with_name("dbt"))
    return subprocess.run([executable, *arguments], cwd=project.dbt, capture_output=True, text=True, timeout=300)


def test_the_warehouse_as_it_was_known_and_the_loads_behind_a_model_version(shop: Project) -> None:
    known_then = records(shop, EXAMPLES.format(schema="predictions"))
    ((loaded_at, first_load),) = (row.values() for row in records(shop, "select loaded_at, load_id from records.loads"))
    land_orders(shop, "select * from orders where customer_id < 110", "fewer.parquet")
    later = run(shop)
    assert later.exit_code == 0, later.output
    now = records(shop, EXAMPLES.format(schema="predictions"))
    assert {row["customer_id"] for row in now} == set(range(110))

    # Each version names the loads that its examples were made from, not those that raw shows when it is trained.
    versions = records(shop, "select version, load_ids from records.model_versions order by version")
    second_load = records(shop, "select load_id from records.current_loads")[0]["load_id"]
    assert [version["load_ids"] for version in versions] == [[first_load], [second_load]]

    as_loaded_by = ["--vars", f"{{as_loaded_by: '{loaded_at}'}}"]
    built = dbt(shop, "run", "--target", "audit", *as_loaded_by, "--select", "customer_return")
    assert built.returncode == 0, built.stdout
    assert records(shop, EXAMPLES.format(schema="audit_predictions")) == known_then
    assert records(shop, EXAMPLES.format(schema="predictions")) == now

    refused = dbt(shop, "run", *as_loaded_by)
    assert refused.returncode != 0
    assert 'add "--target audit"' in refused.stdout
    too_early = dbt(shop, "run", "--target", "audit", "--vars", "{as_loaded_by: '2001-01-01'}")
    assert too_early.returncode != 0
    assert "orders" in too_early.stdout
