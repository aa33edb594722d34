"""What several topics of Dagster name: keys of assets and checks, and the pool of what opens the warehouse.

dbt's YAML gives its models and sources their keys; those of what Python writes stand here and there alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagster import AssetCheckKey, AssetKey, AssetSpec, DagsterError
from dagster._core.definitions.utils import is_valid_owner
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings
from dagster_shared.check import CheckError

from turnout.project.manifest import ProjectError, manifest_of

if TYPE_CHECKING:
    from dagster_dbt import DbtProject

    from turnout.project.paths import Project

WAREHOUSE_POOL = "warehouse"
PUBLICATION = AssetKey("publication")


class Translator(DagsterDbtTranslator):
    """Makes assets and checks of dbt's models, sources and tests; names the model where Dagster refuses one."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> AssetSpec:
        """Return the asset of a model, a seed, a snapshot or a source.

        Raises
        ------
        ProjectError
            If Dagster does not take what the project says of it.
        """
        try:
            return super().get_asset_spec(manifest, unique_id, project)
        except (DagsterError, CheckError) as error:
            props = self.get_resource_props(manifest, unique_id)
            raise ProjectError(
                f"Dagster cannot show '{props['name']}': {error}",
                where=f"{props['original_file_path']}, '{props['name']}'",
                rule="every model and source of dbt is an asset in Dagster, with its group, its owners and its tags.",
                remedy="correct what is said of it, most likely below 'config' or 'config.meta.dagster'.",
            ) from None

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        """Return who answers for it; whoever dbt names otherwise than by an address is a team to Dagster."""
        owners: Any = super().get_owners(dbt_resource_props) or []
        named = [str(owner) for owner in ([owners] if isinstance(owners, str) else owners)]
        return [owner if is_valid_owner(owner) else f"team:{owner.removeprefix('team:')}" for owner in named] or None


SETTINGS = DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=True)
TRANSLATOR = Translator(settings=SETTINGS)


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
