"""What a run shows of a model version beside files: metrics, parameters and tags, made from rows of the records."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml.tasks.metrics import Metric
    from ml.tracking.reading import VersionRecord

# Name, value and step.
Point = tuple[str, float, int]


def candidate_metrics(record: VersionRecord, candidate: str) -> list[Point]:
    """Return name, value and step of what was measured of a candidate: on the holdout, in folds, in its search."""
    points: list[tuple[str, float | None, int]] = []
    folds = [row for row in record.validations if row["candidate"] == candidate and row["value"] is not None]
    for row in record.evaluations:
        if row["candidate"] == candidate and not row["group_column"]:
            points.append((row["metric"], row["value"], 0))
            points += [(f"interval/{row['metric']}_{end}", row[end], 0) for end in ("low", "high")]
    points += [(f"folds/{row['metric']}", row["value"], row["fold"]) for row in folds]
    if folds:
        mean = sum(row["value"] for row in folds) / len(folds)
        points.append((f"mean_of_folds/{folds[0]['metric']}", mean, 0))
    points += [("search/value", row["value"], row["trial"]) for row in record.trials if row["candidate"] == candidate]
    points += [("seconds", row["seconds"], 0) for row in record.steps if row["step"] == f"fit {candidate}"]
    return _known(points)


def training_metrics(record: VersionRecord) -> list[Point]:
    """Return name, value and step of what belongs to the training as a whole: the gate, and what it took."""
    decision, version = record.decision, record.version
    gate = ("challenger_value", "baseline_value", "champion_value", "effect", "effect_low", "effect_high")
    points = [(f"gate/{name}", decision[name], 0) for name in (*gate, "minimum_effect")]
    points += [(f"seconds/{row['step']}", row["seconds"], 0) for row in record.steps]
    points += [(name, version[name], 0) for name in ("fit_seconds", "prediction_seconds")]
    return _known(points)


def _known(points: Iterable[tuple[str, float | None, int]]) -> list[Point]:
    return [(name, value, step) for name, value, step in points if value is not None and math.isfinite(value)]


def best_parameters(trials: list[dict[str, Any]], candidate: str, metric: Metric) -> str | None:
    """Return the parameters of a candidate's best trial by a metric, as JSON; None if it was not searched."""
    family = candidate.removesuffix(" recalibrated")
    # Without folds a trial has no value, and none is better than another.
    complete = [
        row for row in trials if row["candidate"] == family and row["state"] == "complete" and row["value"] is not None
    ]
    best = max(complete, key=lambda row: metric.gain(float(row["value"]), 0.0), default=None)
    return None if best is None else str(best["parameters"])


def question_parameters(version: Mapping[str, Any]) -> dict[str, object]:
    """Return what a version was trained for and on, as parameters that runs are compared by."""
    return {
        "task": version["task"],
        "label": version["label"],
        "horizon_days": version["horizon_days"],
        "training": f"{version['first_as_of_date']} to {version['last_as_of_date']}",
        "holdout": f"{version['holdout_first_as_of_date']} to {version['holdout_last_as_of_date']}",
        "examples": version["example_count"],
        "features": len(json.loads(version["features"])),
        "split_group": version["split_group"] or "",
        "recalibration": version["recalibration"] or "",
    }


def version_tags(version: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, str]:
    """Return everything by which a version can be traced, and what was decided about it."""
    about = {
        "candidate": version["candidate"],
        "trained_at": version["trained_at"].isoformat(),
        "code_version": version["code_version"],
        "data_fingerprint": version["data_fingerprint"],
        "loads": ", ".join(version["load_ids"]),
        "features": version["features"],
        "libraries": version["libraries"],
        "evaluated_file_hash": version["evaluated_file_hash"],
        "outcome": _outcome(decision),
        "reason": decision["reason"],
        "metric": decision["metric"],
    }
    numbers = ("champion_version", "effect", "effect_low", "effect_high", "minimum_effect", "resamples")
    return turnout_tags({**about, **{name: decision[name] for name in numbers if decision[name] is not None}})


def turnout_tags(about: Mapping[str, object]) -> dict[str, str]:
    """Return tags that are called by our own name, so that they are in nobody's way."""
    return {f"turnout.{name}": str(value) for name, value in about.items()}


def _outcome(decision: Mapping[str, Any]) -> str:
    return decision["outcome"] or ("promoted" if decision["is_promoted"] else "kept")


def service_in_words(row: Mapping[str, Any]) -> str:
    """Return how and why a fit came into service."""
    who = f" by {row['name']}" if row["name"] else ""
    return f"{row['how']}{who}, {row['since']:%Y-%m-%d %H:%M} UTC: {row['reason']}"


def note(text: str) -> dict[str, str]:
    """Return the tag that MLflow shows as the description."""
    return {"mlflow.note.content": text}
