"""A declared link is a step between dbt's two: after both models and their tests, before what is made from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance
from in_process import launched
from projects import edit, published, records

from orchestration.project import links_of
from turnout.errors import DeclarationError
from turnout.project.paths import Project

# The customers of the shop, and some of them as a machine understood them.
KNOWN = """
select distinct
    customer_id,
    ['Anna', 'Berta', 'Cornelius', 'Dorothea', 'Emil', 'Frieda'][1 + customer_id % 6] as first_name,
    ['Al', 'Ber', 'Cor', 'Den', 'Fer'][1 + customer_id % 5] || ['ford', 'ing', 'ley', 'son'][1 + (customer_id // 5) % 4]
    || ['', 'er', 'man', 'ton', 'wood', 'worth'][1 + (customer_id // 20) % 6] as last_name,
    1950 + customer_id * 7 % 50 as birth_year
from {{ source('shop', 'orders') }}
"""
HEARD = """
select
    'call-' || customer_id as call_id,
    first_name,
    case when customer_id % 7 = 0 then left(last_name, length(last_name) - 1) else last_name end as last_name,
    case when customer_id % 11 = 0 then null else birth_year end as birth_year
from {{ ref('customers_known') }}
where customer_id % 2 = 0
"""
CALLERS = """
select calls.call_id, calls.customer_id, calls.match_probability
from {{ source('links', 'callers') }} as calls
inner join {{ ref('customers_known') }} as customers on calls.customer_id = customers.customer_id
"""
YAML = """
sources:
  - name: links
    schema: links
    loader: ml
    tables:
      - name: callers
        config: { meta: { dagster: { asset_key: [links, callers] } } }
        columns:
          - { name: call_id, data_type: varchar, data_tests: [unique, not_null] }
          - { name: customer_id, data_type: bigint }
          - { name: match_probability, data_type: double }
          - { name: runner_up_probability, data_type: double }
          - { name: linked_at, data_type: timestamp }
models:
  - name: customers_known
    columns:
      - { name: customer_id, data_tests: [unique] }
      - name: first_name
      - name: last_name
      - name: birth_year
  - name: customers_heard
    config:
      meta:
        link:
          to: customers_known
          key: call_id
          to_key: customer_id
          table: callers
          compare: { first_name: name, last_name: name, birth_year: year }
          block: [[last_name], [first_name, birth_year]]
    columns:
      - name: call_id
      - name: first_name
      - name: last_name
      - name: birth_year
  - name: callers
    columns:
      - { name: call_id, data_type: varchar, data_tests: [unique] }
      - { name: customer_id, data_type: bigint }
      - { name: match_probability, data_type: double }
"""
ASSET = AssetKey(["links", "callers"])


def declare(project: Project) -> Path:
    """Put the models into the shop, in the place of its prediction, and return the file with the declaration."""
    for file in [*(project.dbt / "models").glob("[!s]*/*"), *(project.dbt / "models/scores").iterdir()]:
        file.unlink()
    for file, sql in {
        "intermediate/customers_known.sql": KNOWN,
        "intermediate/customers_heard.sql": HEARD,
        "marts/callers.sql": CALLERS,
        "intermediate/callers.yml": YAML,
    }.items():
        (project.dbt / "models" / file).parent.mkdir(exist_ok=True)
        (project.dbt / "models" / file).write_text(sql)
    return project.dbt / "models/intermediate/callers.yml"


def test_a_link_is_made_between_the_two_steps_of_dbt_and_shows_no_value(shop: Project) -> None:
    declared = declare(shop)
    finished = launched(shop)
    assert finished.exit_code == 0, finished.output

    (found,) = records(
        shop, "select count(*) as n, count(*) filter (call_id = 'call-' || customer_id) as ok from links.callers"
    )
    assert found["ok"] >= 0.97 * found["n"] > 40
    assert published(shop, "select count(*) from callers") == [(found["n"],)]
    with DagsterInstance.from_config(str(shop.dagster_home)) as instance:
        event = instance.get_latest_materialization_event(ASSET)
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert (metadata["records"].value, metadata["found"].value) == (60, found["n"])
    shown = json.dumps({name: str(value) for name, value in metadata.items()})
    assert "nearly equal" in shown
    assert not [name for name in ("Cornelius", "cornelius", "Corson", "corson", "call-") if name in shown]

    edit(declared, "first_name: name,", "first_nam: name,")
    with pytest.raises(DeclarationError, match=r"does not document\. Did you mean 'first_name'\?") as caught:
        _ = links_of(Project(shop.root))
    assert "models/intermediate/callers.yml, model 'customers_heard'" in caught.value.where
