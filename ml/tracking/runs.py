"""Experiments and runs in MLflow: each is found again by its name or tag, or made."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ml.tracking.environment import TrackingError
from ml.tracking.values import Point, note
from turnout.advice import Action, Advice

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from ml.tasks import metrics

# What MLflow takes in one request, and in one tag or parameter.
METRICS_AT_ONCE = 500
PAIRS_AT_ONCE = 100
MAX_TEXT = 5000


class Runs:
    """Experiments and runs of one MLflow.

    Parameters
    ----------
    client : MlflowClient
        That of MLflow.
    artifacts : Path or None
        Where new experiments keep their files; None where the server decides that.
    """

    def __init__(self, client: MlflowClient, artifacts: Path | None) -> None:
        self._client, self._artifacts = client, artifacts
        self._experiments: dict[str, str] = {}

    def open_experiment(self, prediction: str, description: str) -> bool:
        """Return whether there was an experiment of a prediction; if not, make it.

        Raises
        ------
        TrackingError
            If its files are elsewhere, as the checkout was moved.
        """
        folder = None if self._artifacts is None else (self._artifacts / prediction).resolve().as_uri()
        found = self._client.get_experiment_by_name(prediction)
        if found is None:
            self._experiments[prediction] = self._client.create_experiment(
                prediction, artifact_location=folder, tags=note(description)
            )
            return False
        if self._artifacts and found.artifact_location != folder:
            raise TrackingError(
                f"MLflow keeps the files of '{prediction}' in another folder: the checkout was moved.",
                where=f"{self._client.tracking_uri}: {found.artifact_location}",
                rule="MLflow names files by their full path, so its folder cannot be moved.",
                remedy=Advice(
                    f"remove {self._artifacts.parent}; ",
                    Action("leaderboard", "opening the leaderboard"),
                    " makes it anew from the records.",
                ),
            )
        self._experiments[prediction] = found.experiment_id
        return True

    def page(self, prediction: str, version: int, metric: metrics.Metric) -> str:
        """Return the page of a version's candidates, the best by a metric first."""
        query = {
            "workflowType": "machine_learning",  # by itself it would be one about language models
            "compareRunsMode": "CHART",
            "searchFilter": f"tags.turnout.leaderboard='{version}'",
            "orderByKey": f"metrics.`{metric.name}`",
            "orderByAsc": str(not metric.greater_is_better).lower(),
        }
        return f"#/experiments/{self._experiments[prediction]}/runs?{urlencode(query)}"

    def run(
        self,
        version: Mapping[str, Any],
        steps: Sequence[Mapping[str, Any]],
        candidate: str | None = None,
        parent: str | None = None,
    ) -> str:
        """Return the id of the run of a version, or of a candidate below it; it is made if it is missing."""
        found = self.find(version, candidate)
        if found is not None:
            return found
        prediction, trained_at = version["prediction"], version["trained_at"]
        began_at = trained_at - timedelta(seconds=sum(row["seconds"] or 0 for row in steps))
        commit = version["code_version"].removeprefix("commit ")
        tags = {
            "turnout.identity": _identity(version, candidate),
            "turnout.prediction": prediction,
            "turnout.version": str(version["version"]),
            "mlflow.source.name": "turnout",
            **({"mlflow.parentRunId": parent} if parent else {}),
            **({"mlflow.source.git.commit": commit} if commit != version["code_version"] else {}),
        }
        run = self._client.create_run(
            self._experiments[prediction],
            start_time=_milliseconds(began_at),
            tags=tags,
            run_name=f"{candidate}, version {version['version']}" if candidate else f"version {version['version']}",
        )
        return str(run.info.run_id)

    def find(self, version: Mapping[str, Any], candidate: str | None = None) -> str | None:
        """Return the id of the run of a version, or of a candidate below it; None if there is none."""
        runs = self._client.search_runs(
            [self._experiments[version["prediction"]]],
            f"tags.`turnout.identity` = '{_identity(version, candidate)}'",
            max_results=1,
        )
        return str(runs[0].info.run_id) if runs else None

    def log(
        self,
        run_id: str,
        metrics: Sequence[Point],
        parameters: Mapping[str, object],
        tags: Mapping[str, str],
        at: datetime,
    ) -> None:
        """Log to a run and end it; whatever it has already is not repeated, as the times are the same."""
        from mlflow.entities import Metric, Param, RunTag

        points = [Metric(_name(name), value, _milliseconds(at), step) for name, value, step in metrics]
        pairs = [Param(_name(name), _cut(value)) for name, value in parameters.items()]
        marks = [RunTag(name, _cut(value)) for name, value in tags.items()]
        for start in range(0, len(points), METRICS_AT_ONCE):
            self._client.log_batch(run_id, metrics=points[start : start + METRICS_AT_ONCE])
        for start in range(0, max(len(pairs), len(marks)), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            self._client.log_batch(run_id, params=pairs[part], tags=marks[part])
        self._client.set_terminated(run_id, end_time=_milliseconds(at))

    def log_data(self, run_id: str, table: str, version: Mapping[str, Any]) -> None:
        """Name the examples that a version has learned from, so that runs on the same data can be found."""
        from mlflow.entities import Dataset, DatasetInput

        source = {
            "table": table,
            "fingerprint": version["data_fingerprint"],
            "loads": version["load_ids"],
        }
        digest = version["data_fingerprint"][:8]
        data = Dataset(version["prediction"], digest, source_type="warehouse", source=json.dumps(source))
        self._client.log_inputs(run_id, [DatasetInput(data, [])])


def _identity(version: Mapping[str, Any], candidate: str | None = None) -> str:
    """Return what tells a version's run from all others, also from those of another warehouse on the same server."""
    parts = (
        version["prediction"],
        version["version"],
        version["trained_at"].isoformat(),
        version["data_fingerprint"][:16],
    )
    return " ".join(str(part) for part in (*parts, *([candidate] if candidate else [])))


def _name(name: str) -> str:
    """Return a name with nothing in it but what MLflow allows in names of metrics and parameters."""
    return re.sub(r"[^\w.\- /]", "_", name)[:250]


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _milliseconds(time: datetime) -> int:
    return int(time.replace(tzinfo=UTC).timestamp() * 1000)
