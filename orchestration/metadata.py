"""What a person sees of a step in Dagster: tables, numbers and plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster import MetadataValue, TableRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ml.declaration import Prediction
    from ml.evaluation import Evaluation
    from ml.training import Training


def training_metadata(prediction: Prediction, training: Training) -> dict[str, Any]:
    """Show a training: what was decided and why, on which data, the leaderboard, and a plot."""
    from ml.plots import calibration_and_gain

    version, decision, split = training.version, training.decision, training.split
    title = f"{prediction.name}, version {version.version} ({version.candidate}), holdout"
    plot = calibration_and_gain(prediction.task, training.holdout_label, training.holdout_predicted, title=title)
    everybody = [found for found in training.evaluations if not found.group_column]
    in_groups = [found for found in training.evaluations if found.group_column and found.candidate == version.candidate]
    return {
        "version": version.version,
        "candidate": version.candidate,
        "is promoted": decision.is_promoted,
        "decision": decision.reason,
        "training": f"{split.training[0]} to {split.training[-1]}, {len(split.training)} as-of dates",
        "gap": f"{prediction.gap_days} days, {len(split.gap)} as-of dates",
        "holdout": f"{split.holdout[0]} to {split.holdout[-1]}, {len(split.holdout)} as-of dates",
        "data fingerprint": version.data_fingerprint,
        "code version": version.code_version,
        "loads": MetadataValue.json(list(version.load_ids)),
        "chosen by": _folds_table(training),
        "leaderboard": _metrics_table(everybody, lambda found: found.candidate, "candidate"),
        "by group": _metrics_table(in_groups, lambda found: f"{found.group_column} = {found.group_value}", "group"),
        "seconds": MetadataValue.json({name: round(value, 2) for name, value in training.seconds.items()}),
        "plot": _image(plot),
    }


def _folds_table(training: Training) -> Any:  # noqa: ANN401 - TableMetadataValue is generic over records
    """Show a row for each fold before the holdout, a column for each candidate."""
    rows: dict[int, dict[str, Any]] = {}
    for found in training.validations:
        dates = f"{found.first_as_of_date} to {found.last_as_of_date}"
        row = rows.setdefault(found.fold, {"fold": dates, "metric": found.metric, "examples": found.example_count})
        row[found.candidate] = f"{found.value:.4g}"
    return table(list(rows.values()))


def _metrics_table(evaluations: list[Evaluation], name: Callable[[Evaluation], str], heading: str) -> Any:  # noqa: ANN401
    """Show a row for each name, a column for each metric."""
    rows: dict[str, dict[str, Any]] = {}
    for found in evaluations:
        row = rows.setdefault(name(found), {heading: name(found), "examples": found.example_count})
        row[found.metric] = "undefined" if found.value is None else f"{found.value:.4g}"
    return MetadataValue.table([TableRecord(row) for row in rows.values()]) if rows else MetadataValue.text("no groups")


def table(rows: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - TableMetadataValue is generic over records
    """Show rows, of the same columns, as a table in the page itself."""
    records = [
        TableRecord(
            {name: value if isinstance(value, (int, float, bool)) else str(value) for name, value in row.items()}
        )
        for row in rows
    ]
    return MetadataValue.table(records) if records else MetadataValue.text("no rows")


def _image(png: bytes) -> Any:  # noqa: ANN401 - a MarkdownMetadataValue
    from base64 import b64encode

    return MetadataValue.md(f"![calibration and gain](data:image/png;base64,{b64encode(png).decode()})")
