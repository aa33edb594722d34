"""dbt's two steps: keys and groups come from dbt's YAML, a failed test stops what is downstream of its table."""

# Dagster reads the annotations of a step itself, so they are not postponed in this module.
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    ComponentLoadContext,
    Definitions,
    Failure,
    definitions,
)
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets
from dagster_dbt.asset_utils import DAGSTER_DBT_UNIQUE_ID_METADATA_KEY
from packaging.version import Version

from orchestration.keys import SETTINGS, TRANSLATOR, WAREHOUSE_POOL, Translator
from turnout import prefork
from turnout.errors import TurnoutError
from turnout.project.manifest import manifest_of, share_parse
from turnout.project.paths import Project


class DbtError(TurnoutError):
    """A dbt model cannot be built."""


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return the two steps, and the resource that runs dbt."""
    project = Project(context.project_root)
    return Definitions(assets=_dbt_steps(project), resources={"dbt": _dbt_resource(project)})


class Dbt(DbtCliResource):
    """dbt's command line, without what Dagster would prepare and nobody here asks for."""

    @property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))  # `dbt --version` asks the package index for newer ones

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        """Return no adapter: reading all of dbt's macros for it takes seconds, and it only counts rows."""


def _dbt_resource(project: Project) -> Dbt:
    """Return the resource that runs the dbt of this environment, whether or not it is on the path."""
    executable, *flags = prefork.command(prefork.DBT)
    return Dbt(project_dir=str(project.dbt), dbt_executable=executable, global_config_flags=flags)


def _after_python(manifest: Mapping[str, Any]) -> str:
    """Return dbt's selection of what needs Python first: its tables' tests, what is made from them, the marts.

    The tests of a source that only marts read stand there as well: in Dagster they are checks of a step that reads it.
    """
    written = sorted({node["source_name"] for node in manifest["sources"].values() if node["loader"] == "ml"})
    landed = [source for source in manifest["sources"].values() if source["loader"] != "ml"]
    only_there = sorted(
        f"source:{source['source_name']}.{source['name']}"
        for source in landed
        if (readers := _readers(manifest, source["unique_id"])) and readers <= _marts(manifest)
    )
    marts = ["path:models/marts"] if _marts(manifest) else []  # dbt complains of a selection that finds nothing
    return " ".join([*marts, *(f"source:{name} source:{name}+" for name in written), *only_there])


def _marts(manifest: Mapping[str, Any]) -> set[str]:
    return {
        unique_id
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and node["original_file_path"].startswith("models/marts/")
    }


def _readers(manifest: Mapping[str, Any], unique_id: str) -> set[str]:
    """Return the models, seeds and snapshots that read a node."""
    return {child for child in manifest["child_map"][unique_id] if child.startswith(("model.", "seed.", "snapshot."))}


class _MartsTranslator(Translator):
    """Leaves the tests of a source to the step of the examples, if that reads the source as well."""

    def get_asset_check_spec(
        self, asset_spec: AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> AssetCheckSpec | None:
        """Return the check that a test is; None if it is one of another step."""
        checked = asset_spec.metadata[DAGSTER_DBT_UNIQUE_ID_METADATA_KEY]
        source = manifest["sources"].get(checked)
        if source and source["loader"] != "ml" and not _readers(manifest, checked) <= _marts(manifest):
            return None
        return super().get_asset_check_spec(asset_spec, manifest, unique_id, project)


def _dbt_steps(project: Project) -> list[AssetsDefinition]:
    """Return the two steps that dbt takes: the examples before Python, the marts after it, if there are any."""
    manifest, dbt_side = manifest_of(project), DbtProject(project_dir=project.dbt)

    def step(name: str, select: str, exclude: str | None, translator: Translator) -> AssetsDefinition:
        @dbt_assets(
            manifest=manifest,
            select=select,
            exclude=exclude,
            name=name,
            project=dbt_side,
            dagster_dbt_translator=translator,
            pool=WAREHOUSE_POOL,
        )
        def built(context: AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
            yield from _build(context, dbt, project)

        return built

    after = _after_python(manifest)
    examples = step("examples", "fqn:*", after or None, TRANSLATOR)
    return [examples, step("marts", after, None, _MartsTranslator(settings=SETTINGS))] if after else [examples]


def _build(context: AssetExecutionContext, dbt: DbtCliResource, project: Project) -> Iterator[Any]:
    """Build and test the selected models, one materialization or check result for each.

    A failed test fails its asset check, and Dagster stops what is downstream of that table, and nothing else. A model
    that cannot be built at all fails the step.
    """
    # One target folder for each step, so that dbt finds its partial parse again and nothing piles up.
    target = project.dbt / "target" / context.op_execution_context.op.name
    share_parse(project, target)
    results_file = target / "run_results.json"
    results_file.unlink(missing_ok=True)  # those of an earlier run would hide that this one never began
    prefork.start()
    invocation = dbt.cli(["build"], context=context, target_path=target, raise_on_error=False)
    checks = set()
    for event in invocation.stream():
        if isinstance(event, AssetCheckResult):
            checks.add(event.metadata["unique_id"].value)
        yield event
    if invocation.is_successful():
        return
    results = json.loads(results_file.read_bytes())["results"] if results_file.exists() else []
    if not any(result["status"] in {"error", "fail"} for result in results):
        # Dagster puts the command before what dbt says, which says what to do where we know.
        said = str(invocation.get_error())
        said = said.partition("Encountered an error:")[2] or said
        raise _failure("dbt stopped before it was done", said, project, "do what dbt says, and run this again.")
    errors = [
        f"{result['unique_id']}: {(result['message'] or '').strip()}"
        for result in results
        if result["status"] == "error"
    ]
    if errors:
        raise _failure(f"{len(errors)} dbt nodes could not be built", "\n".join(errors), project)
    # Unit tests, and tests of tables that no model reads, are no checks of any asset, so Dagster would pass over them.
    failed = [
        f"{result['unique_id']}: {(result['message'] or '').strip()}"
        for result in results
        if result["status"] == "fail" and result["unique_id"] not in checks
    ]
    if failed:
        raise _failure(f"{len(failed)} tests failed that belong to no asset of this step", "\n".join(failed), project)


def _failure(
    what: str,
    messages: str,
    project: Project,
    remedy: str = "correct the model that dbt names; 'dbt build --select <model>' in dbt_project/ tries it alone.",
) -> Failure:
    error = DbtError(
        # dbt adds its own traceback to errors that it did not expect.
        f"{what}:\n{messages.split('Traceback (most recent call last)')[0].strip()}",
        where=str(project.dbt),
        rule="what is downstream of a table that was not built keeps its last good state.",
        remedy=remedy,
    )
    return Failure(description=str(error), allow_retries=False)
