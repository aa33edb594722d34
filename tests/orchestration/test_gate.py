"""The gate as people meet it: a check on the asset, a challenger that waits, an approval, a way back."""

from __future__ import annotations

import pytest
from dagster import AssetCheckEvaluation, AssetCheckSeverity, DagsterInstance
from in_process import launched, terminal
from projects import change, edit, records, run

from orchestration.command_line.champions import replay_version, roll_back_to
from orchestration.keys import gate_key
from turnout.errors import ModelError
from turnout.project.paths import Project

DECLARATION = "models/predictions/customer_return.yml"


def gate(project: Project) -> tuple[bool, AssetCheckSeverity, str]:
    """The latest evaluation of the gate, as the asset's page shows it."""
    with DagsterInstance.from_config(str(project.dagster_home)) as instance:
        (record,) = instance.event_log_storage.get_asset_check_execution_history(gate_key("customer_return"), limit=1)
    assert record.event is not None
    assert record.event.dagster_event is not None
    evaluation = record.event.dagster_event.event_specific_data
    assert isinstance(evaluation, AssetCheckEvaluation)
    return evaluation.passed, evaluation.severity, evaluation.description or ""


def test_where_approval_is_required_nothing_is_scored_by_a_challenger_until_a_person_approves_it(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(shop.dbt / DECLARATION, "metric: log_loss", "metric: log_loss\n          requires_approval: true")
    change(shop, "delete from records.champions")
    launched(shop, "model_versions/customer_return")
    passed, severity, told = gate(shop)
    assert (passed, severity) == (False, AssetCheckSeverity.WARN)
    assert "make approve PREDICTION=customer_return VERSION=2" in told

    approved = run(shop, "approve", "customer_return", "2", "the one on duty", "The groups look right.")
    assert approved.exit_code == 0, approved.output
    assert gate(shop)[:2] == (True, AssetCheckSeverity.ERROR)
    scored = launched(shop, "scores/customer_return")
    assert scored.exit_code == 0, scored.output
    assert records(shop, "select distinct model_version from scores.customer_return where as_of_date = "
                         "(select max(as_of_date) from scores.customer_return)") == [{"model_version": 2}]  # fmt: skip

    monkeypatch.setenv("DAGSTER_HOME", str(shop.dagster_home))
    console, told_by = terminal()
    # No record says that version 1 ever was champion, so it takes a word against the gate.
    with pytest.raises(ModelError, match="Version 1 never was champion"):
        roll_back_to(shop, console, "customer_return", 1, who="the one on duty", because="Customers complain.")
    roll_back_to(
        shop, console, "customer_return", 1, who="the one on duty", because="Customers complain.", override=True
    )
    assert replay_version(shop, console, "customer_return", 2)
    said = told_by.getvalue()
    assert "version 1 is champion, overridden by the one on duty: Customers complain." in said
    assert "(the gate has never let it be champion)" in said
    assert "customer_return version 2 (linear) came out as it was" in said


def test_a_champion_beyond_its_limits_blocks_scores_where_approval_is_required(shop: Project) -> None:
    edit(
        shop.dbt / DECLARATION,
        "metric: log_loss",
        "metric: log_loss\n          requires_approval: true\n          limits: { calibration_error: 0.000001 }",
    )
    launched(shop, "model_versions/customer_return")
    passed, severity, told = gate(shop)
    assert (passed, severity) == (False, AssetCheckSeverity.ERROR)
    assert told.startswith("champion version 1 breaks its limits on the latest holdout: calibration error")
    assert "model_versions/customer_return: gate" in launched(shop, "scores/customer_return").output
