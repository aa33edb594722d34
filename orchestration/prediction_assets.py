"""Dagster assets of every declared prediction: its model versions, its scores, and the records of them."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    asset,
    multi_asset,
)

from ml.declaration import Prediction
from ml.features.review import TABLES as REVIEW_RECORDS
from ml.serving.scores import SCHEMA as SCORES
from orchestration.checks import Checks
from orchestration.commands import command
from orchestration.dbt import asset_key
from orchestration.failures import in_words
from orchestration.metadata import gate_metadata, table, training_metadata
from orchestration.project import WAREHOUSE_POOL, predictions_of
from turnout.advice import Action
from turnout.engines import identifier
from turnout.leakage.records import TABLES as AUDIT_RECORDS
from turnout.loading.contract import source_tables
from turnout.loading.register import TABLES as LOAD_RECORDS
from turnout.loading.register import load_ids_behind
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project
from turnout.project.provenance import code_version
from turnout.records import opened

if TYPE_CHECKING:
    from ml.training.result import Training

SAMPLED_ROWS = 10
GATE = "gate"


def model_versions_key(prediction: str) -> AssetKey:
    """Return the asset key of a prediction's model versions."""
    return AssetKey(["model_versions", prediction])


def gate_key(prediction: str) -> AssetCheckKey:
    """Return the key of the check that says whether a prediction's champion may score."""
    return AssetCheckKey(model_versions_key(prediction), GATE)


def scores_key(prediction: str) -> AssetKey:
    """Return the asset key of a prediction's scores; dbt's source declares the same one."""
    return AssetKey(["scores", prediction])


def prediction_assets(project: Project, checks: Checks) -> list[AssetsDefinition]:
    """Return, for every declared prediction, its model versions and its scores; they ask what has passed upstream."""
    return [
        made
        for prediction in predictions_of(project)
        for made in (_model_versions_asset(project, prediction, checks), _scores_asset(project, prediction, checks))
    ]


def records_assets(project: Project) -> list[AssetsDefinition]:
    """Return one step with an asset for each table of the source `records`, after all that writes them."""
    nodes = [node for node in manifest_of(project)["sources"].values() if node["source_name"] == "records"]
    trainings = [model_versions_key(prediction.name) for prediction in predictions_of(project)]
    loads = [asset_key(project, table.unique_id) for table in source_tables(manifest_of(project))]
    examples = [asset_key(project, prediction.unique_id) for prediction in predictions_of(project)]
    written_with = {**dict.fromkeys(LOAD_RECORDS, loads), **dict.fromkeys(AUDIT_RECORDS + REVIEW_RECORDS, examples)}
    # What came true of scores is recorded when the next ones are written, what came true on the holdout before that.
    written_with["outcomes"] = [scores_key(prediction.name) for prediction in predictions_of(project)]
    specs = {
        node["identifier"]: AssetSpec(
            asset_key(project, node["unique_id"]),
            group_name="records",
            deps=written_with.get(node["name"], trainings),
            description=node["description"],
            kinds={"duckdb"},
        )
        for node in nodes
    }
    if not specs:
        return []

    @multi_asset(specs=list(specs.values()), name="records", pool=WAREHOUSE_POOL, can_subset=True)
    def records(context: AssetExecutionContext) -> Iterator[MaterializeResult[Any]]:
        """Count what was remembered and show a sample; the steps before this one wrote it."""
        selected = {name: spec.key for name, spec in specs.items() if spec.key in context.selected_asset_keys}
        shown = []
        with in_words(), project.warehouse.session() as session:
            for name, key in selected.items():
                session.columns_of("records", name)  # tells in words if there is none
                (counted,) = session.rows(f"select count(*) as n from records.{name}")
                sample = table(session.rows(f"select * from records.{name} limit {SAMPLED_ROWS}"))
                shown.append((key, {"dagster/row_count": counted["n"], "sample": sample}))
        for key, metadata in shown:
            yield MaterializeResult(asset_key=key, metadata=metadata)

    return [records]


def _model_versions_asset(project: Project, prediction: Prediction, checks: Checks) -> AssetsDefinition:
    examples = asset_key(project, prediction.unique_id)

    @asset(
        key=model_versions_key(prediction.name),
        deps=[examples],
        group_name="model_versions",
        description=f"Candidates for {prediction.name}, trained, judged on the holdout; the best may become champion.",
        check_specs=[
            AssetCheckSpec(
                GATE,
                asset=model_versions_key(prediction.name),
                blocking=True,
                description="The champion was let through by the gate, and keeps to its limits on the latest holdout.",
            )
        ],
        pool=WAREHOUSE_POOL,
        kinds={"scikitlearn"},
    )
    def model_versions(context: AssetExecutionContext) -> Iterator[MaterializeResult[Any]]:
        from ml.report import card
        from ml.training.training import train
        from turnout.project.provenance import Provenance

        with in_words():
            checks.require_passed(context.instance, context.asset_key)
            provenance = Provenance(code_version(project), load_ids_behind(project.warehouse, prediction.unique_id))
            training = train(
                project.warehouse,
                prediction,
                project.model_versions,
                provenance,
                report=lambda made: card.write(made, card_folder(project, made), command),
            )
        written = card.read(card_folder(project, training))
        yield MaterializeResult(metadata=training_metadata(training, written), check_results=[_gate(training)])

    return model_versions


def card_folder(project: Project, training: "Training") -> Path:
    """Return where the card of a training stands: beside the version's files."""
    return project.model_versions / training.version.prediction / str(training.version.version)


def _gate(training: "Training") -> AssetCheckResult:
    """Tell whether the champion may score; where approval is required, one that breaks its limits may not."""
    decision, broken = training.decision, training.broken_in_service
    severity = AssetCheckSeverity.ERROR if broken and training.prediction.requires_approval else AssetCheckSeverity.WARN
    found = decision.reason
    if broken:
        told = "; ".join(finding.message for finding in broken)
        found = f"champion version {training.in_service} breaks its limits on the latest holdout: {told}. {found}"
    elif decision.outcome == "waits":
        version = training.version
        approve = Action("approve", "approve it", {"prediction": version.prediction, "version": version.version})
        found = f"version {version.version} waits for a person: {command(approve)}. {found}"
    elif training.in_service is None:
        found = f"there is no champion yet, so nothing is scored. {found}"
    return AssetCheckResult(
        check_name=GATE,
        passed=not broken and decision.outcome != "waits" and training.in_service is not None,
        severity=severity,
        description=found,
        metadata=gate_metadata(training),
    )


def _scores_asset(project: Project, prediction: Prediction, checks: Checks) -> AssetsDefinition:
    examples = asset_key(project, prediction.unique_id)

    @asset(
        key=scores_key(prediction.name),
        deps=[examples, model_versions_key(prediction.name)],
        group_name="scores",
        description=f"The champion's scores of {prediction.name} for the latest as-of date.",
        pool=WAREHOUSE_POOL,
        kinds={"duckdb"},
    )
    def scores(context: AssetExecutionContext) -> MaterializeResult[Any]:
        from ml.monitoring.outcomes import record_published
        from ml.serving.scoring import score

        with in_words():
            checks.require_passed(context.instance, context.asset_key)
            scoring = score(project.warehouse, prediction, project.model_versions)
            if scoring is not None:
                with opened(project.warehouse) as session:
                    record_published(session, prediction)
        if scoring is None:
            context.log.warning(f"{prediction.name} has no champion yet: no candidate beat the baseline.")
            return MaterializeResult(metadata={"dagster/row_count": 0, "champion": "none yet: nothing was scored"})
        with project.warehouse.session() as session:
            sample = session.rows(
                f"""select * from {identifier(SCORES, prediction.name)} where {identifier(prediction.as_of)} = ?
                    order by score desc limit {SAMPLED_ROWS}""",
                (scoring.as_of_date,),
            )
        return MaterializeResult(
            metadata={
                "dagster/row_count": scoring.row_count,
                "as-of date": str(scoring.as_of_date),
                "model version": scoring.model_version,
                "highest scores": table(sample),
            }
        )

    return scores
