"""What is remembered of what MLflow was told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from turnout.records.table import Table, columns_of


@dataclass(frozen=True)
class TrackedVersion:
    """A model version that MLflow shows."""

    prediction: Annotated[str, "The dbt model that declares the prediction."]
    version: Annotated[int, "Number of the version."]
    tracking_uri: Annotated[str, "Where that MLflow is, without user and password."]
    run_id: Annotated[str, "Id of the run that shows the version there."]
    tracked_at: Annotated[datetime, "When it had been told, UTC."]


@dataclass(frozen=True)
class TrackedAliases:
    """Which fits MLflow shows as champion and challenger."""

    prediction: Annotated[str, "The dbt model that declares the prediction."]
    tracking_uri: Annotated[str, "Where that MLflow is, without user and password."]
    champion_version: Annotated[int | None, "Version of the champion; null if there was none."]
    champion_file_hash: Annotated[str | None, "SHA-256 of its fit in service."]
    challenger_version: Annotated[int | None, "The newest version that is not the champion; null if there was none."]
    challenger_file_hash: Annotated[str | None, "SHA-256 of its fit."]
    tracked_at: Annotated[datetime, "When it had been told, UTC."]


TRACKED_VERSIONS = Table(
    "tracked_versions",
    "Which model versions MLflow was told about. One row per prediction, version, MLflow and run.",
    columns_of(TrackedVersion),
    key=("prediction", "version", "tracking_uri", "run_id"),
)
TRACKED_ALIASES = Table(
    "tracked_aliases",
    "Which fits MLflow was told are champion and challenger; the last row holds. One row per prediction, MLflow and "
    "time.",
    columns_of(TrackedAliases),
    key=("prediction", "tracking_uri", "tracked_at"),
)
TABLES = (TRACKED_VERSIONS, TRACKED_ALIASES)
