"""What a person sees of a training in Dagster: numbers, the gate's evidence and the model card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster import MetadataValue

from ml.tasks.numbers import number
from orchestration.metadata import table

if TYPE_CHECKING:
    from ml.report.card import Card
    from ml.training.result import Training


def training_metadata(training: Training, card: Card) -> dict[str, Any]:
    """Show a training: what was decided and why, in numbers that Dagster follows over time, and the model card.

    The card holds the tables and plots, so here stands only what one looks for first.
    """
    version, decision = training.version, training.decision
    numbers = {
        decision.metric: decision.challenger_value,
        f"{decision.metric} of the champion": decision.champion_value,
        f"{decision.metric} of the baseline": decision.baseline_value,
        "effect": decision.decisive.effect,
    }
    return {
        "version": version.version,
        "candidate": version.candidate,
        "outcome": decision.outcome,
        "decision": decision.reason,
        "leaderboard": _leaderboard(training),
        **{name: value for name, value in numbers.items() if value is not None},
        "examples": version.example_count,
        "seconds": round(sum(training.steps.values()), 1),
        "data fingerprint": version.data_fingerprint,
        "code version": version.code_version,
        "loads": MetadataValue.json(list(version.load_ids)),
        "model card": MetadataValue.md(card.with_pictures()),
        "model card as a file": MetadataValue.path(card.html),
    }


def gate_metadata(training: Training) -> dict[str, Any]:
    """Show the evidence that the gate went by: the comparison that decided, and every limit."""
    decision = training.decision
    compared = {"the champion": decision.against_champion, "the baseline": decision.against_baseline}
    return {
        "compared with": table(
            [
                {
                    "with": name,
                    decision.metric: _shown(found.other_value),
                    "challenger": _shown(found.value),
                    "effect": _shown(found.effect),
                    "low": _shown(found.low),
                    "high": _shown(found.high),
                }
                for name, found in compared.items()
                if found is not None
            ]
        ),
        "limits": table(
            [
                {
                    "limit": found.limit_name,
                    "group": f"{found.group_column} {found.group_value}".strip() or "all",
                    "allowed": found.allowed,
                    "found": _shown(found.found),
                    "passed": found.passed,
                    "message": found.message,
                }
                for found in (*decision.findings, *training.champion_limit_findings)
            ]
        ),
        "minimum effect": decision.minimum_effect,
        "resamples": decision.resamples,
    }


def _shown(value: float | None) -> str:
    return "—" if value is None else number(value)


def _leaderboard(training: Training) -> Any:  # noqa: ANN401 - TableMetadataValue is generic over records
    """Show a row for each candidate, a column for each metric."""
    rows: dict[str, dict[str, Any]] = {}
    for found in training.evaluations:
        if not found.group_column:
            row = rows.setdefault(found.candidate, {"candidate": found.candidate})
            row[found.metric] = number(found.value)
    return table(list(rows.values()))
