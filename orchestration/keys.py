"""What several topics of Dagster name: keys of assets and checks, and the pool of what opens the warehouse.

dbt's YAML gives its models and sources their keys; those of what Python writes stand here and there alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster import AssetCheckKey, AssetKey
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from turnout.project.manifest import manifest_of

if TYPE_CHECKING:
    from turnout.project.paths import Project

WAREHOUSE_POOL = "warehouse"
PUBLICATION = AssetKey("publication")
TRANSLATOR = DagsterDbtTranslator(
    settings=DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=True)
)


def asset_key(project: Project, unique_id: str) -> AssetKey:
    """Return the asset key of a dbt model or source."""
    return TRANSLATOR.get_asset_spec(manifest_of(project), unique_id, None).key


def landing_key(source: str) -> AssetKey:
    """Return the asset key of a source's folder in landing."""
    return AssetKey(["landing", source])


def model_versions_key(prediction: str) -> AssetKey:
    """Return the asset key of a prediction's model versions."""
    return AssetKey(["model_versions", prediction])


def gate_key(prediction: str) -> AssetCheckKey:
    """Return the key of the check that says whether a prediction's champion may score."""
    return AssetCheckKey(model_versions_key(prediction), "gate")


def scores_key(prediction: str) -> AssetKey:
    """Return the asset key of a prediction's scores; dbt's source declares the same one."""
    return AssetKey(["scores", prediction])
