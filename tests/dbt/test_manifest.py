"""The manifest that is checked in, and those that tests make by hand, are what dbt really writes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from manifests import CHECKED_IN, declared, trimmed
from projects import small_manifest
from tables import manifest_of

from ml.declaration import predictions_in
from turnout.linking.declaration import links_in
from turnout.loading.contract import source_tables

Node = dict[str, Any]


def test_the_manifest_that_is_checked_in_is_that_of_the_project(manifest: Node) -> None:
    """To accept a change: UPDATE_SNAPSHOT=1 .venv/bin/python -m pytest tests/dbt/test_manifest.py."""
    found = "".join(f"{json.dumps(node, ensure_ascii=False)}\n" for node in trimmed(manifest))
    if os.environ.get("UPDATE_SNAPSHOT"):
        CHECKED_IN.write_text(found)
    assert found == CHECKED_IN.read_text()


def test_it_tells_of_predictions_links_and_contracts_what_the_whole_one_tells(manifest: Node) -> None:
    assert predictions_in(declared()) == predictions_in(manifest)
    assert links_in(declared()) == links_in(manifest)
    by_label = ({table.label: table for table in source_tables(told)} for told in (declared(), manifest))
    assert next(by_label) == next(by_label)


def test_what_tests_make_by_hand_has_the_fields_that_dbt_writes(manifest: Node) -> None:
    (model,) = small_manifest({})["nodes"].values()
    made = manifest_of({"id": {"not_null": True}}, key=["id"])
    (source,), (test,) = made["sources"].values(), made["nodes"].values()
    prediction = manifest["nodes"]["model.turnout.household_lapse"]
    transactions = manifest["sources"]["source.turnout.complete_journey.transactions"]
    not_null = next(
        node for node in manifest["nodes"].values() if (node.get("test_metadata") or {}).get("name") == "not_null"
    )
    for by_hand, real in ((model, prediction), (source, transactions), (test, not_null)):
        assert unknown(by_hand, real) == []


def unknown(by_hand: Mapping[str, Any], real: Mapping[str, Any], path: str = "") -> list[str]:
    """Return the fields that dbt does not write; what stands under `meta`, and the columns' names, are our own."""
    found = []
    for name, value in by_hand.items():
        if name not in real:
            found.append(f"{path}{name}")
        elif name == "columns":
            found += unknown(next(iter(value.values())), next(iter(real[name].values())), f"{path}columns.")
        elif isinstance(value, dict) and name != "meta":
            found += unknown(value, real[name], f"{path}{name}.")
    return found
