"""MLflow as a mirror of the records: nothing waits for it, and what it missed is sent the next time.

The warehouse is read and left, MLflow is sent what it lacks, and then it is recorded what was sent: a server may be
slow, down, or killed in between. For each model version there is one run in the experiment of its prediction, with a
run below it for each candidate. The registered model of the prediction has a version for each fit: the one in service
where there is one, else the one that was judged. These are the very files that the records name. No model is loaded
here, so none has to be trusted, and no pickle is made.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ml.tracking.environment import answers, connected, database_file, error_in_words, without_credentials
from ml.tracking.files import gather
from ml.tracking.models import RegisteredModels
from ml.tracking.reading import (
    PredictionState,
    VersionRecord,
    alias_columns,
    read_records,
    read_state,
    record_tracked,
)
from ml.tracking.runs import Runs
from ml.tracking.values import (
    best_parameters,
    candidate_metrics,
    note,
    question_parameters,
    training_metrics,
    turnout_tags,
    version_tags,
)
from turnout.advice import Wording
from turnout.clock import utc_now
from turnout.errors import TurnoutError
from turnout.records import opened
from turnout.records.tracking import TrackedAliases, TrackedVersion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ml.declaration import Prediction
    from ml.tasks.metrics import Metric
    from ml.tracking.reading import Fit
    from turnout.engines import Session, Warehouse

# How long to wait for another process that sends to MLflow.
LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Sent:
    """A model version that was sent to MLflow, and the run that shows it."""

    prediction: str
    version: int
    run_id: str


@dataclass
class Tracking:
    """What came of it.

    Parameters
    ----------
    uri : str
        The tracking URI, without user and password.
    sent : list of Sent
        What is new in MLflow.
    aliased : list of str
        The predictions whose aliases were set.
    pages : dict of str to str
        For each prediction that MLflow was asked about: the page of the newest version's candidates, the best first,
        below the server's address.
    waiting : int
        How many versions are kept in the records until the next time.
    problems : list of TurnoutError
        What went wrong, in words.
    """

    uri: str
    sent: list[Sent] = field(default_factory=list)
    aliased: list[str] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    waiting: int = 0
    problems: list[TurnoutError] = field(default_factory=list)

    def __str__(self) -> str:
        return self.text(str)

    def text(self, wording: Wording) -> str:
        """Return what came of it in words, with what can be done about problems as `wording` puts it."""
        if self.problems:
            return "\n\n".join(problem.text(wording) for problem in self.problems)
        runs = ", ".join(f"{sent.prediction} version {sent.version}" for sent in self.sent)
        return f"MLflow {f'received {runs}' if runs else 'has all that is on record'}: {self.uri}"


@dataclass(frozen=True)
class _Outstanding:
    """What is to be sent of a prediction: versions that MLflow lacks, and its aliases."""

    prediction: Prediction
    state: PredictionState
    versions: Sequence[int]


def track(
    warehouse: Warehouse,
    predictions: Sequence[Prediction],
    model_folder: Path,
    uri: str,
    *,
    artifacts: Path | None = None,
    ask: bool = False,
) -> Tracking:
    """Send to MLflow what is on record and new to it: runs, models, and which are champion and challenger.

    Killed at any moment and called again, it comes to the same: runs and registered versions carry tags by which they
    are found again. Where nothing is new, MLflow is not even imported.

    Parameters
    ----------
    model_folder : Path
        Where `<prediction>/<version>/` holds the fits, and the card and plots if there are any.
    uri : str
        MLflow's tracking URI.
    artifacts : Path or None
        Where new experiments keep their files; None where the server decides that.
    ask : bool
        Look into MLflow even if nothing is new by the records: its store may have been made anew since.

    Returns
    -------
    Tracking
        Also when MLflow is down or refuses something, or the warehouse is locked; then with problems.
    """
    from filelock import FileLock

    done = Tracking(without_credentials(uri))
    doing = "Another process is sending to MLflow just now"
    try:
        warehouse.path.parent.mkdir(parents=True, exist_ok=True)
        # Two at a time would both find a run missing, and make it twice.
        with FileLock(warehouse.path.with_suffix(".mlflow.lock"), timeout=LOCK_SECONDS):
            doing = "The records cannot be read for MLflow"
            with opened(warehouse) as session:
                states = _states(session, predictions, uri)
            if not states or (not ask and all(state.is_tracked for _, state in states)):
                return done
            done.waiting = sum(len(set(state.fits) - state.tracked) for _, state in states)
            doing = "MLflow cannot be reached"
            mirror = _Mirror(uri, artifacts, model_folder, done)
            outstanding = mirror.outstanding(states)
            doing = "The records cannot be read for MLflow"
            records = _records(warehouse, outstanding)
            mirror.send(outstanding, records, ask=ask)
            doing = "It cannot be recorded what was sent to MLflow"
            if mirror.sent_versions or mirror.sent_aliases:
                with warehouse.session() as session:
                    record_tracked(session, mirror.sent_versions, mirror.sent_aliases)
    except Exception as error:  # noqa: BLE001 - stores fail in many ways, and nothing but the mirror may notice
        done.problems.append(error_in_words(doing, error, uri))
    return done


def _states(session: Session, predictions: Sequence[Prediction], uri: str) -> list[tuple[Prediction, PredictionState]]:
    """Return what is on record of each prediction that has a version."""
    # A store that was removed has forgotten what it was sent.
    file = database_file(uri)
    known = "" if file is not None and not file.exists() else without_credentials(uri)
    states = [(prediction, read_state(session, prediction.name, known)) for prediction in predictions]
    return [(prediction, state) for prediction, state in states if state.fits]


def _records(warehouse: Warehouse, outstanding: Sequence[_Outstanding]) -> dict[str, dict[int, VersionRecord]]:
    """Return all that is on record of the versions that MLflow lacks, by prediction and number."""
    if not any(one.versions for one in outstanding):
        return {}
    with warehouse.session() as session:
        return {
            one.prediction.name: read_records(session, one.prediction.name, one.versions)
            for one in outstanding
            if one.versions
        }


class _Mirror:
    """MLflow, as far as it mirrors the records, and what it was sent.

    Parameters
    ----------
    uri : str
        The tracking URI.
    artifacts : Path or None
        Where new experiments keep their files; None where the server decides that.
    model_folder : Path
        Where the files of the model versions are.
    done : Tracking
        What came of it; it is added to.
    """

    def __init__(self, uri: str, artifacts: Path | None, model_folder: Path, done: Tracking) -> None:
        self._uri, self._model_folder, self._done = uri, model_folder, done
        self._client = connected(uri)
        self._runs = Runs(self._client, artifacts)
        self._models = RegisteredModels(self._client, self._runs, model_folder, done.problems)
        self.sent_versions: list[TrackedVersion] = []
        self.sent_aliases: list[TrackedAliases] = []

    def outstanding(self, states: Sequence[tuple[Prediction, PredictionState]]) -> list[_Outstanding]:
        """Return what each prediction has outstanding; without an experiment in MLflow, that is all it has."""
        found: list[_Outstanding] = []
        for prediction, state in states:
            try:
                is_known = self._runs.open_experiment(prediction.name, prediction.documentation.description)
            except Exception as error:  # noqa: BLE001 - as in `track`
                if self._fails(f"MLflow did not take the experiment '{prediction.name}'", error):
                    break
                continue
            self._done.pages[prediction.name] = self._runs.page(
                prediction.name, max(state.fits), prediction.gate.metric
            )
            tracked = state.tracked if is_known else frozenset[int]()
            self._done.waiting += len(state.tracked) - len(tracked)
            found.append(_Outstanding(prediction, state, sorted(set(state.fits) - tracked)))
        return found

    def send(
        self,
        outstanding: Sequence[_Outstanding],
        records: Mapping[str, Mapping[int, VersionRecord]],
        *,
        ask: bool,
    ) -> None:
        """Send what is outstanding; of a prediction, stop at the first thing that MLflow does not take."""
        for one in outstanding:
            name = one.prediction.name
            doing = ""
            try:
                for number in one.versions:
                    doing = f"MLflow did not take version {number} of '{name}'"
                    self._send_version(one.prediction, records[name][number], one.state.fits[number])
                if ask or one.versions or not one.state.are_aliases_tracked:
                    doing = f"MLflow did not take the aliases of '{name}'"
                    self._send_aliases(one.prediction, one.state)
            except Exception as error:  # noqa: BLE001 - as in `track`
                if self._fails(doing, error):
                    break

    def _fails(self, doing: str, error: Exception) -> bool:
        """Add a problem, and return whether MLflow does not answer any more."""
        self._done.problems.append(error_in_words(doing, error, self._uri))
        return not answers(self._client)

    def _send_version(self, prediction: Prediction, record: VersionRecord, fit: Fit) -> None:
        """Send all about a model version: a run for each candidate below its own, files, and its registered model."""
        version = record.version
        run_id = self._runs.run(version, record.steps)
        for candidate in sorted({row["candidate"] for row in record.evaluations}):
            self._send_candidate(record, candidate, prediction.gate.metric, run_id)
        self._runs.log(
            run_id,
            candidate_metrics(record, version["candidate"]) + training_metrics(record),
            {
                "candidate": version["candidate"],
                **json.loads(version["parameters"] or "{}"),
                **question_parameters(version),
            },
            {**version_tags(version, record.decision), **note(f"{record.decision['reason']}.")},
            version["trained_at"],
        )
        self._runs.log_data(run_id, f"{prediction.examples.schema}.{prediction.examples.table}", version)
        with TemporaryDirectory() as folder:
            gather(Path(folder), record, fit, self._model_folder)
            self._client.log_artifacts(run_id, folder)
        self._models.register(
            prediction.name, prediction.documentation.description, fit, run_id=run_id, reason=record.decision["reason"]
        )
        number = version["version"]
        self.sent_versions.append(TrackedVersion(prediction.name, number, self._done.uri, run_id, utc_now()))
        self._done.sent.append(Sent(prediction.name, number, run_id))
        self._done.waiting -= 1

    def _send_candidate(self, record: VersionRecord, candidate: str, metric: Metric, parent: str) -> None:
        version = record.version
        is_challenger = candidate == version["candidate"]
        parameters = version["parameters"] if is_challenger else best_parameters(record.trials, candidate, metric)
        about = {"candidate": candidate, "is_challenger": is_challenger, "leaderboard": version["version"]}
        self._runs.log(
            self._runs.run(version, record.steps, candidate, parent),
            candidate_metrics(record, candidate),
            {"candidate": candidate, **json.loads(parameters or "{}")},
            turnout_tags(about),
            version["trained_at"],
        )

    def _send_aliases(self, prediction: Prediction, state: PredictionState) -> None:
        are_set = self._models.set_aliases(prediction.name, prediction.documentation.description, state.aliases)
        if are_set and not state.are_aliases_tracked:
            columns = alias_columns(state.champion, state.challenger)
            self.sent_aliases.append(TrackedAliases(prediction.name, self._done.uri, **columns, tracked_at=utc_now()))
            self._done.aliased.append(prediction.name)
