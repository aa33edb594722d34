"""Whatever a dbt project may hold makes an asset graph: sources of marts, versions, owners, no marts at all."""

from __future__ import annotations

import shutil

import pytest
from dagster import AssetKey, AssetsDefinition
from in_process import at
from projects import edit, small_manifest

from orchestration.keys import TRANSLATOR
from orchestration.project import predictions_of
from turnout.project.manifest import ProjectError, manifest_of
from turnout.project.paths import Project
from turnout.publication.marts import marts_in


def put(project: Project, file: str, text: str) -> None:
    (project.dbt / "models" / file).write_text(text)


def test_marts_read_sources_models_have_versions_and_owners_have_any_name(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET", "audit")  # for another dbt
    put(shop, "marts/order_days.sql", "select cast(ordered_at as date) as day from {{ source('shop', 'orders') }}")
    put(shop, "marts/order_days.yml", "models: [{ name: order_days, columns: [{ name: day, data_type: date }] }]")
    put(shop, "marts/visits.sql", "select visit_id from {{ source('visits', 'visits') }}")
    put(
        shop,
        "marts/visits.yml",
        """models: [{ name: visits, config: { group: people }, columns: [{ name: visit_id, data_type: bigint }] }]
groups: [{ name: people, owner: { name: Sales, email: the people of sales } }]
sources:
  - name: visits
    schema: raw
    loader: landing
    config: { meta: { dagster: { group: raw } } }
    tables:
      - name: visits
        config: { meta: { load: { key: [visit_id] } } }
        columns: [{ name: visit_id, data_type: bigint, data_tests: [not_null] }]
""",
    )
    put(shop, "marts/ids.sql", "{{ config(materialized='ephemeral') }} select 1 as id")
    predictions = shop.dbt / "models/predictions"
    shutil.copy(predictions / "customer_return.sql", predictions / "customer_return_v2.sql")
    (predictions / "customer_return.sql").rename(predictions / "customer_return_v1.sql")
    edit(
        predictions / "customer_return.yml",
        "- name: customer_return\n",
        "- name: customer_return\n    versions: [{ v: 2 }, { v: 1 }]\n    latest_version: 2\n",
    )

    with at(shop) as defs:
        owners = defs.resolve_asset_graph().get(AssetKey(["marts", "visits"])).owners
        checked = {
            asset.node_def.name: {check.asset_key.to_user_string() for check in asset.check_specs}
            for asset in defs.assets or ()
            if isinstance(asset, AssetsDefinition)
        }
    assert owners == ["team:the people of sales"]
    landed = {"shop/orders", "visits/visits"}
    assert (checked["examples"] & landed, checked["marts"] & landed) == ({"shop/orders"}, {"visits/visits"})
    (prediction,) = predictions_of(shop)
    assert (prediction.name, prediction.examples.table) == ("customer_return", "customer_return_v2")
    assert set(marts_in(manifest_of(shop))) == {"customers", "order_days", "visits"}

    for layer in ("marts", "predictions", "scores"):
        shutil.rmtree(shop.dbt / "models" / layer)
    with at(shop) as defs:
        keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert {"publication", "shop/orders"} <= keys
    assert not {key for key in keys if key.startswith(("marts/", "model_versions/"))}


def test_what_dagster_does_not_take_is_said_with_file_and_model() -> None:
    manifest = small_manifest({})
    (node,) = manifest["nodes"].values()
    node["config"]["meta"]["dagster"] = node["meta"] = {"dagster": {"group": "two words"}}
    with pytest.raises(ProjectError, match=r"cannot show 'will_return'(?s:.)*two words(?s:.)*will_return.sql"):
        TRANSLATOR.get_asset_spec(manifest, node["unique_id"], None)
