"""How MLflow is reached: what holds in its process, its address as it may be shown, and what it says when it fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from turnout.advice import Action, Advice
from turnout.errors import TurnoutError

if TYPE_CHECKING:
    from mlflow import MlflowClient

# What holds unless the user has set it. By itself MLflow would try to reach a server for minutes, and report its use.
ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class TrackingError(TurnoutError):
    """MLflow did not take everything."""


def prepare_environment() -> None:
    """Set what holds for MLflow, in this process and those it starts, unless the user has set it."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def connected(uri: str) -> MlflowClient:
    """Return a client of the MLflow at a tracking URI, which has answered once."""
    prepare_environment()
    from mlflow import MlflowClient

    file = database_file(uri)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(tracking_uri=uri)
    client.search_experiments(max_results=1)
    return client


def answers(client: MlflowClient) -> bool:
    """Return whether MLflow can be reached."""
    try:
        client.search_experiments(max_results=1)
    except Exception:  # noqa: BLE001 - whatever it is, it is no answer
        return False
    return True


def without_credentials(uri: str) -> str:
    """Return a URI as it may be shown and recorded: without user and password."""
    place = urlsplit(uri).netloc
    return uri.replace(place, place.rpartition("@")[2], 1) if "@" in place else uri


def database_file(uri: str) -> Path | None:
    """Return the file of a SQLite store; None for any other."""
    return Path(unquote(uri.removeprefix("sqlite:///"))) if uri.startswith("sqlite:///") else None


def error_in_words(what: str, error: Exception, uri: str) -> TurnoutError:
    """Return what a person reads of an error of MLflow; the first line says all that is needed."""
    if isinstance(error, TurnoutError):
        return error
    said = str(_cause(error)).strip().partition("\n")[0] or type(error).__name__
    place = urlsplit(uri).netloc
    if "@" in place:
        said = said.replace(place, place.rpartition("@")[2]).replace(place.rpartition("@")[0], "…")
    return TrackingError(
        Advice(
            f"{what} ({said}); the run is kept in the records and sent with the next run or ",
            Action("leaderboard", "the opening of the leaderboard"),
            ".",
        ),
        where=without_credentials(uri),
        rule="MLflow mirrors the records: training, scoring and publication go on without it.",
        remedy="start the server, or mend what it says; MLFLOW_TRACKING_URI names it, and without that variable MLflow "
        "keeps its data in a file here.",
    )


def _cause(error: BaseException) -> BaseException:
    """Return what the network or the disk said, if that is behind an error: clients wrap it more than once."""
    found, cause = error, error.__cause__ or error.__context__
    while cause is not None:
        found = cause if isinstance(cause, OSError) else found
        cause = cause.__cause__ or cause.__context__
    return found
