"""The checks of every prediction's examples: none of them knows the future, and a person has looked at each feature."""

# Dagster reads the annotations of a step itself, so they are not postponed in this module.
from collections.abc import Iterator

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    ComponentLoadContext,
    Definitions,
    definitions,
    multi_asset_check,
)

from ml.declaration import Prediction
from ml.features.review import remember, review
from orchestration.commands import error_in_words
from orchestration.defs.examples.metadata import audit_metadata, review_metadata, summary
from orchestration.failures import as_dagster_failure
from orchestration.keys import WAREHOUSE_POOL, asset_key
from orchestration.project import predictions_of
from turnout.errors import TurnoutError
from turnout.leakage.audit import audit
from turnout.project.paths import Project

LEAKAGE = "leakage"
FEATURE_REVIEW = "feature_review"


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return the step that audits the examples and reviews their features."""
    return Definitions(asset_checks=examples_checks(Project(context.project_root)))


def examples_checks(project: Project) -> list[AssetChecksDefinition]:
    """Return one step for the examples of all predictions, as their audits share what is built; none without any."""
    predictions = {asset_key(project, found.examples.unique_id): found for found in predictions_of(project)}
    if not predictions:
        return []

    @multi_asset_check(
        name="leakage_audit",
        specs=[
            AssetCheckSpec(
                LEAKAGE,
                asset=key,
                blocking=True,
                description="Built again from what was known at its time, each example comes out as it is stored.",
            )
            for key in predictions
        ]
        + [
            AssetCheckSpec(
                FEATURE_REVIEW,
                asset=key,
                description="Nothing about the features needs looking at, or a person said why it is right.",
            )
            for key in predictions
        ],
        can_subset=True,
        pool=WAREHOUSE_POOL,
    )
    def leakage_audit(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        selected = context.selected_asset_check_keys
        chosen = [key for key in predictions if AssetCheckKey(key, LEAKAGE) in selected]
        with as_dagster_failure():
            examples = [predictions[key].examples for key in chosen]
            audits = audit(project, examples, tell=context.log.info) if chosen else []
        differing = {found.prediction.name: found.differing for found in audits if found.has_compared_features}
        for key, found in zip(chosen, audits, strict=True):
            yield AssetCheckResult(
                asset_key=key,
                check_name=LEAKAGE,
                passed=found.problem is None,
                description=error_in_words(found.problem) if found.problem else summary(found),
                metadata=audit_metadata(found),
            )
        for key, prediction in predictions.items():
            if AssetCheckKey(key, FEATURE_REVIEW) in selected:
                yield _reviewed(project, key, prediction, differing.get(prediction.name))

    return [leakage_audit]


def _reviewed(
    project: Project, key: AssetKey, prediction: Prediction, differing: dict[str, int] | None
) -> AssetCheckResult:
    try:
        made = review(project.warehouse, prediction, differing)
        remember(project.warehouse, [made])
    except TurnoutError as error:
        # Whatever needs the examples will refuse them; that they cannot be reviewed is no more than a warning.
        passed, description, metadata = False, error_in_words(error), {}
    else:
        passed, description, metadata = not made.unacknowledged, str(made), review_metadata(made)
    return AssetCheckResult(
        asset_key=key,
        check_name=FEATURE_REVIEW,
        passed=passed,
        severity=AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )
