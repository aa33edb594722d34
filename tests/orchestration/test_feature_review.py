"""The feature review in a run: a warning that stops nothing, recorded, and silent once a person said why."""

from __future__ import annotations

from dagster import (
    AssetCheckKey,
    AssetCheckSeverity,
    AssetSelection,
    DagsterInstance,
    Definitions,
    define_asset_job,
)
from projects import Finished, change, edit, records

from orchestration.defs.examples.checks import FEATURE_REVIEW, examples_checks
from orchestration.keys import asset_key
from orchestration.project import predictions_of
from turnout.project.paths import Project

PREDICTION = "models/predictions/customer_return.yml"
FOUND = "monotone_over_time of amount_ever"


def reviewed(project: Project) -> tuple[bool, bool, str]:
    """Run the review alone; return whether it passed, whether it is a warning, and what it says."""
    (prediction,) = predictions_of(project)
    check = AssetCheckKey(asset_key(project, prediction.examples.unique_id), FEATURE_REVIEW)
    job = define_asset_job("review", AssetSelection.checks(check))
    defs = Definitions(asset_checks=examples_checks(project), jobs=[job])
    result = defs.resolve_job_def("review").execute_in_process(instance=DagsterInstance.ephemeral())
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation.passed, evaluation.severity == AssetCheckSeverity.WARN, evaluation.description or ""


def test_what_was_found_is_a_warning_in_the_terminal_and_in_the_records(built_shop: Finished) -> None:
    assert f"feature_review: customer_return: 1 to look at: {FOUND}." in built_shop.output
    assert f"customer_return: a person should look at {FOUND}" in built_shop.output
    reviewed_columns = records(
        built_shop.project,
        "select column_name, differing_examples, sensitive from records.feature_reviews order by column_name",
    )
    assert [tuple(row.values()) for row in reviewed_columns] == [
        ("amount_ever", 0, "no"),
        ("orders_28d", 0, "no"),
        ("parity", 0, "no"),
        ("region", 0, "declared"),
    ]


def test_the_review_works_without_the_audit_and_falls_silent_when_a_person_says_why(shop: Project) -> None:
    passed, is_warning, description = reviewed(shop)
    assert (passed, is_warning) == (False, True)
    assert "acknowledged: {monotone_over_time: {amount_ever: 'the reason'}}" in description
    acknowledged = "acknowledged: { monotone_over_time: { amount_ever: We sell ever more to everybody. } }"
    edit(shop.dbt / PREDICTION, "sensitive: [region]", f"sensitive: [region]\n          {acknowledged}")
    assert reviewed(Project(shop.root))[0]
    rows = records(shop, "select acknowledged from records.feature_findings order by reviewed_at")
    assert [row["acknowledged"] for row in rows] == [None, None, "We sell ever more to everybody."]


def test_examples_that_cannot_be_reviewed_are_a_warning_in_words(shop: Project) -> None:
    change(shop, "insert into predictions.customer_return select * from predictions.customer_return limit 1")
    passed, is_warning, description = reviewed(shop)
    assert (passed, is_warning) == (False, True)
    assert "keys repeat" in description
    assert "remedy:" in description
