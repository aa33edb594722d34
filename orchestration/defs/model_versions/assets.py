"""An asset for the model versions of every prediction, with the check that is its gate."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    ComponentLoadContext,
    Definitions,
    MaterializeResult,
    ResourceParam,
    asset,
    definitions,
)

from ml.declaration import Prediction
from orchestration.check_results import CheckResults
from orchestration.commands import command
from orchestration.defs.model_versions.metadata import gate_metadata, training_metadata
from orchestration.failures import as_dagster_failure
from orchestration.keys import WAREHOUSE_POOL, asset_key, gate_key
from orchestration.project import predictions_of
from turnout.advice import Action
from turnout.loading.register import load_ids_behind
from turnout.project.paths import Project
from turnout.project.provenance import Provenance, code_version

if TYPE_CHECKING:
    from ml.training.result import Training


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return the asset of each prediction's model versions."""
    project = Project(context.project_root)
    return Definitions(assets=[_model_versions_asset(project, prediction) for prediction in predictions_of(project)])


def _model_versions_asset(project: Project, prediction: Prediction) -> AssetsDefinition:
    gate, examples = gate_key(prediction.name), prediction.examples.unique_id

    @asset(
        key=gate.asset_key,
        deps=[asset_key(project, examples)],
        group_name="model_versions",
        description=f"Candidates for {prediction.name}, trained, judged on the holdout; the best may become champion.",
        check_specs=[
            AssetCheckSpec(
                gate.name,
                asset=gate.asset_key,
                blocking=True,
                description="The champion was let through by the gate, and keeps to its limits on the latest holdout.",
            )
        ],
        pool=WAREHOUSE_POOL,
        kinds={"scikitlearn"},
    )
    def model_versions(
        context: AssetExecutionContext, check_results: ResourceParam[CheckResults]
    ) -> Iterator[MaterializeResult[Any]]:
        from ml.report import card
        from ml.training.training import train

        with as_dagster_failure():
            check_results.require_passed(context.instance, context.asset_key)
            provenance = Provenance(code_version(project), load_ids_behind(project.warehouse, examples))
            training = train(
                project.warehouse,
                prediction,
                project.model_versions,
                provenance,
                report=lambda made: card.write(made, _card_folder(project, made), command),
            )
        written = card.read(_card_folder(project, training))
        yield MaterializeResult(
            metadata=training_metadata(training, written), check_results=[_gate_result(gate.name, training)]
        )

    return model_versions


def _card_folder(project: Project, training: "Training") -> Path:
    """Return where the card of a training stands: beside the version's files."""
    return project.model_versions / training.version.prediction / str(training.version.version)


def _gate_result(name: str, training: "Training") -> AssetCheckResult:
    """Tell whether the champion may score; where approval is required, one that breaks its limits may not."""
    decision, broken = training.decision, training.champion_limit_findings
    is_strict = training.prediction.gate.requires_approval
    severity = AssetCheckSeverity.ERROR if broken and is_strict else AssetCheckSeverity.WARN
    found = decision.reason
    if broken:
        limits = "; ".join(finding.message for finding in broken)
        found = f"champion version {training.in_service} breaks its limits on the latest holdout: {limits}. {found}"
    elif decision.outcome == "waits":
        version = training.version
        approve = Action("approve", "approve it", {"prediction": version.prediction, "version": version.version})
        found = f"version {version.version} waits for a person: {command(approve)}. {found}"
    elif training.in_service is None:
        found = f"there is no champion yet, so nothing is scored. {found}"
    return AssetCheckResult(
        check_name=name,
        passed=not broken and decision.outcome != "waits" and training.in_service is not None,
        severity=severity,
        description=found,
        metadata=gate_metadata(training),
    )
