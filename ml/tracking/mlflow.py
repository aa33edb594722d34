"""MLflow as a mirror of the records: nothing waits for it, and what it missed is sent the next time.

The records are read, the warehouse is left, MLflow is told, and then it is recorded what it was told: a server may be
slow, down, or killed in between. For each model version there is one run in the experiment of its prediction, with a
run below it for each candidate. The registered model of the prediction has a version for each fit: the one in service
where there is one, else the one that was judged. These are the very files that the records name. No model is loaded
here, so none has to be trusted, and no pickle is made.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import platform
import re
import shutil
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode, urlsplit

from ml.models.persistence import TRUSTED_TYPES
from ml.tasks import task_named
from turnout.advice import Action, Advice, Wording
from turnout.clock import utc_now
from turnout.errors import TurnoutError
from turnout.records import SCHEMA, opened, tracking, write
from turnout.records.tracking import TrackedAliases, TrackedVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ml.declaration import Prediction
    from turnout.engines import Session, Warehouse

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

# What MLflow takes in one request, and in one tag or parameter.
METRICS_AT_ONCE = 500
PAIRS_AT_ONCE = 100
MAX_TEXT = 5000
# How long to wait for another process that tells MLflow.
LOCK_SECONDS = 60.0


class TrackingError(TurnoutError):
    """MLflow was not told everything."""


@dataclass(frozen=True)
class Sent:
    """A model version that MLflow was told about, and the run that shows it."""

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
        return f"MLflow {f'was told of {runs}' if runs else 'knows all that is on record'}: {self.uri}"


@dataclass(frozen=True)
class _Fit:
    """A fitted file of a model version: the row of its record, and of its last time as champion if there was one."""

    version: Mapping[str, Any]
    file: str
    file_hash: str
    service: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class _State:
    """What is on record of a prediction, and what of it MLflow was told.

    `fits` has for each version the fit in service, if it ever was, else the one that was judged.
    """

    fits: Mapping[int, _Fit]
    champion: _Fit | None
    challenger: _Fit | None
    tracked: frozenset[int]
    are_aliases_tracked: bool

    @property
    def is_tracked(self) -> bool:
        """Whether there is nothing to tell."""
        return self.tracked >= set(self.fits) and self.are_aliases_tracked


@dataclass(frozen=True)
class _Record:
    """All that is on record of a model version, as rows."""

    version: Mapping[str, Any]
    decision: Mapping[str, Any]
    evaluations: list[dict[str, Any]]
    validations: list[dict[str, Any]]
    trials: list[dict[str, Any]]
    limits: list[dict[str, Any]]
    steps: list[dict[str, Any]]


def track(
    warehouse: Warehouse,
    predictions: Sequence[Prediction],
    model_folder: Path,
    uri: str,
    *,
    artifacts: Path | None = None,
    ask: bool = False,
) -> Tracking:
    """Tell MLflow what is on record and new to it: runs, models, and which are champion and challenger.

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
    doing = "Another process is telling MLflow just now"
    try:
        warehouse.path.parent.mkdir(parents=True, exist_ok=True)
        # Two at a time would both find a run missing, and make it twice.
        with FileLock(warehouse.path.with_suffix(".mlflow.lock"), timeout=LOCK_SECONDS):
            doing = "The records cannot be read for MLflow"
            # A store that was removed has forgotten what it was told.
            file = _database_file(uri)
            told = "" if file is not None and not file.exists() else done.uri
            with opened(warehouse) as session:
                states = [(prediction, _state(session, prediction.name, told)) for prediction in predictions]
            states = [(prediction, state) for prediction, state in states if state.fits]
            if not states or (not ask and all(state.is_tracked for _, state in states)):
                return done
            done.waiting = sum(len(set(state.fits) - state.tracked) for _, state in states)
            doing = "MLflow cannot be reached"
            mirror = _Mirror(uri, artifacts, model_folder)
            for prediction, state in states:
                failures = len(done.problems)
                _track(warehouse, prediction, state, mirror, done, ask=ask)
                if len(done.problems) > failures and not mirror.answers():
                    break
    except Exception as error:  # noqa: BLE001 - stores fail in many ways, and nothing but the mirror may notice
        done.problems.append(_in_words(doing, error, uri))
    return done


def without_credentials(uri: str) -> str:
    """Return a URI as it may be shown and recorded: without user and password."""
    place = urlsplit(uri).netloc
    return uri.replace(place, place.rpartition("@")[2], 1) if "@" in place else uri


def prepare_environment() -> None:
    """Set what holds for MLflow, in this process and those it starts, unless the user has set it."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def _track(
    warehouse: Warehouse, prediction: Prediction, state: _State, mirror: _Mirror, done: Tracking, *, ask: bool
) -> None:
    """Tell MLflow about one prediction; stop at the first thing that it does not take."""
    doing = f"MLflow did not take the experiment '{prediction.name}'"
    try:
        tracked = state.tracked if mirror.has_experiment(prediction) else frozenset[int]()
        done.pages[prediction.name] = mirror.page(prediction, max(state.fits))
        done.waiting += len(state.tracked) - len(tracked)
        new = sorted(set(state.fits) - tracked)
        for number in new:
            doing = f"MLflow did not take version {number} of '{prediction.name}'"
            with warehouse.session() as session:
                record = _record(session, prediction.name, number)
            run_id = mirror.send(prediction, record, state.fits[number], done)
            told = TrackedVersion(prediction.name, number, done.uri, run_id, utc_now())
            key = {"prediction": prediction.name, "version": number, "tracking_uri": done.uri}
            with warehouse.session() as session, session.transaction():
                session.delete(SCHEMA, tracking.TRACKED_VERSIONS.name, key)  # of a store that was removed since
                write(session, {tracking.TRACKED_VERSIONS: [asdict(told)]})
            done.sent.append(Sent(prediction.name, number, run_id))
            done.waiting -= 1
        if ask or new or not state.are_aliases_tracked:
            doing = f"MLflow did not take the aliases of '{prediction.name}'"
            if mirror.set_aliases(prediction, state, done) and not state.are_aliases_tracked:
                aliases = _aliases(state.champion, state.challenger)
                shown = TrackedAliases(prediction.name, done.uri, **aliases, tracked_at=utc_now())
                with warehouse.session() as session:
                    write(session, {tracking.TRACKED_ALIASES: [asdict(shown)]})
                done.aliased.append(prediction.name)
    except Exception as error:  # noqa: BLE001 - stores fail in many ways, and nothing but the mirror may notice
        done.problems.append(_in_words(doing, error, mirror.uri))


def _in_words(what: str, error: Exception, uri: str) -> TurnoutError:
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


def _state(session: Session, prediction: str, uri: str) -> _State:
    versions = session.rows(f"select * from {SCHEMA}.model_versions where prediction = ?", (prediction,))
    served = session.rows(
        f"""select version, file, file_hash, since, how, name, reason
            from {SCHEMA}.champions where prediction = ? order by since""",
        (prediction,),
    )
    tracked = session.rows(
        f"select version from {SCHEMA}.tracked_versions where prediction = ? and tracking_uri = ?",
        (prediction, uri),
    )
    aliases = session.rows(
        f"""select champion_version, champion_file_hash, challenger_version, challenger_file_hash
            from {SCHEMA}.tracked_aliases where prediction = ? and tracking_uri = ?
            order by tracked_at desc limit 1""",
        (prediction, uri),
    )
    by_number = {row["version"]: row for row in versions}
    fits = {number: _Fit(row, row["file"], row["file_hash"]) for number, row in by_number.items()}
    for row in served:
        fits[row["version"]] = _Fit(by_number[row["version"]], row["file"], row["file_hash"], row)
    champion = fits[served[-1]["version"]] if served else None
    newest = fits[max(fits)] if fits else None
    challenger = newest if newest is not champion else None
    return _State(
        fits,
        champion,
        challenger,
        frozenset(row["version"] for row in tracked),
        are_aliases_tracked=aliases == [_aliases(champion, challenger)],
    )


def _record(session: Session, prediction: str, number: int) -> _Record:
    def rows(table: str, order: str) -> list[dict[str, Any]]:
        sql = f"select * from {SCHEMA}.{table} where prediction = ? and version = ? order by {order}"
        return session.rows(sql, (prediction, number))

    return _Record(
        version=rows("model_versions", "version")[0],
        decision=rows("promotions", "version")[0],
        evaluations=rows("evaluations", "candidate, group_column, group_value, metric"),
        validations=rows("validations", "candidate, fold"),
        trials=rows("trials", "trial"),
        limits=rows("promotion_limits", "limit_name, group_column, group_value"),
        steps=rows("training_steps", "step"),
    )


def _aliases(champion: _Fit | None, challenger: _Fit | None) -> dict[str, Any]:
    return {
        "champion_version": champion and champion.version["version"],
        "champion_file_hash": champion and champion.file_hash,
        "challenger_version": challenger and challenger.version["version"],
        "challenger_file_hash": challenger and challenger.file_hash,
    }


class _Mirror:
    """MLflow, as far as it is told.

    Parameters
    ----------
    uri : str
        The tracking URI.
    artifacts : Path or None
        Where new experiments keep their files; None where the server decides that.
    model_folder : Path
        Where the files of the model versions are.
    """

    def __init__(self, uri: str, artifacts: Path | None, model_folder: Path) -> None:
        prepare_environment()
        from mlflow import MlflowClient

        self.uri, self._artifacts, self._model_folder = uri, artifacts, model_folder
        file = _database_file(uri)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        self._client = MlflowClient(tracking_uri=uri)
        self._client.search_experiments(max_results=1)
        self._experiments: dict[str, str] = {}

    def answers(self) -> bool:
        """Return whether MLflow can be reached."""
        try:
            self._client.search_experiments(max_results=1)
        except Exception:  # noqa: BLE001 - whatever it is, it is no answer
            return False
        return True

    def has_experiment(self, prediction: Prediction) -> bool:
        """Return whether there was an experiment of a prediction; if not, make it.

        Raises
        ------
        TrackingError
            If its files are elsewhere, as the checkout was moved.
        """
        folder = None if self._artifacts is None else (self._artifacts / prediction.name).resolve().as_uri()
        found = self._client.get_experiment_by_name(prediction.name)
        if found is None:
            self._experiments[prediction.name] = self._client.create_experiment(
                prediction.name,
                artifact_location=folder,
                tags=_note(prediction.description),
            )
            return False
        if self._artifacts and found.artifact_location != folder:
            raise TrackingError(
                f"MLflow keeps the files of '{prediction.name}' in another folder: the checkout was moved.",
                where=f"{self.uri}: {found.artifact_location}",
                rule="MLflow names files by their full path, so its folder cannot be moved.",
                remedy=Advice(
                    f"remove {self._artifacts.parent}; ",
                    Action("leaderboard", "opening the leaderboard"),
                    " makes it anew from the records.",
                ),
            )
        self._experiments[prediction.name] = found.experiment_id
        return True

    def page(self, prediction: Prediction, number: int) -> str:
        """Return the page of a version's candidates, the best first."""
        asked = {
            "workflowType": "machine_learning",  # by itself it would be one about language models
            "compareRunsMode": "CHART",
            "searchFilter": f"tags.turnout.leaderboard='{number}'",
            "orderByKey": f"metrics.`{prediction.metric}`",
            "orderByAsc": str(not prediction.decisive_metric.greater_is_better).lower(),
        }
        return f"#/experiments/{self._experiments[prediction.name]}/runs?{urlencode(asked)}"

    def send(self, prediction: Prediction, record: _Record, fit: _Fit, done: Tracking) -> str:
        """Send all about a model version, and return the id of its run."""
        version = record.version
        run_id = self._run(version, record.steps)
        for candidate in sorted({row["candidate"] for row in record.evaluations}):
            is_challenger = candidate == version["candidate"]
            parameters = (
                version["parameters"] if is_challenger else _best_parameters(record.trials, candidate, prediction)
            )
            about = {"candidate": candidate, "is_challenger": is_challenger, "leaderboard": version["version"]}
            self._log(
                self._run(version, record.steps, candidate, run_id),
                _candidate_metrics(record, candidate),
                {"candidate": candidate, **json.loads(parameters or "{}")},
                _turnout_tags(about),
                version["trained_at"],
            )
        self._log(
            run_id,
            _candidate_metrics(record, version["candidate"]) + _training_metrics(record),
            {"candidate": version["candidate"], **json.loads(version["parameters"] or "{}"), **_question(version)},
            {**_version_tags(version, record.decision), **_note(f"{record.decision['reason']}.")},
            version["trained_at"],
        )
        self._log_data(run_id, prediction, version)
        with TemporaryDirectory() as folder:
            self._gather(Path(folder), record, fit)
            self._client.log_artifacts(run_id, folder)
        self._register(prediction, fit, run_id, done, record.decision["reason"])
        return run_id

    def set_aliases(self, prediction: Prediction, state: _State, done: Tracking) -> bool:
        """Let the aliases point to the fits in place, registered now if they were not; return whether all could be."""
        name, failures = prediction.name, len(done.problems)
        for alias, fit in (("champion", state.champion), ("challenger", state.challenger)):
            number = None if fit is None else self._register(prediction, fit, None, done)
            if number is not None:
                self._client.set_registered_model_alias(name, alias, number)
            elif any(alias in model.aliases for model in self._client.search_registered_models(f"name = '{name}'")):
                self._client.delete_registered_model_alias(name, alias)
            if number is not None and fit is not None and fit.service is not None:
                self._client.set_model_version_tag(name, number, "turnout.in_service", _service(fit.service))
        return len(done.problems) == failures

    def _run(
        self,
        version: Mapping[str, Any],
        steps: list[dict[str, Any]],
        candidate: str | None = None,
        parent: str | None = None,
    ) -> str:
        """Return the id of the run of a version, or of a candidate below it; it is made if it is missing."""
        found = self._find_run(version, candidate)
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

    def _find_run(self, version: Mapping[str, Any], candidate: str | None = None) -> str | None:
        runs = self._client.search_runs(
            [self._experiments[version["prediction"]]],
            f"tags.`turnout.identity` = '{_identity(version, candidate)}'",
            max_results=1,
        )
        return str(runs[0].info.run_id) if runs else None

    def _log(
        self,
        run_id: str,
        metrics: list[tuple[str, float, int]],
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

    def _log_data(self, run_id: str, prediction: Prediction, version: Mapping[str, Any]) -> None:
        """Name the examples that a version has learned from, so that runs on the same data can be told."""
        from mlflow.entities import Dataset, DatasetInput

        source = {
            "table": f"{prediction.schema}.{prediction.table}",
            "fingerprint": version["data_fingerprint"],
            "loads": version["load_ids"],
        }
        digest = version["data_fingerprint"][:8]
        data = Dataset(prediction.name, digest, source_type="warehouse", source=json.dumps(source))
        self._client.log_inputs(run_id, [DatasetInput(data, [])])

    def _gather(self, folder: Path, record: _Record, fit: _Fit) -> None:
        """Put into a folder what is shown of a version: its card, plots, tables, and the fit that was judged."""
        version = record.version
        files = self._model_folder / version["prediction"] / str(version["version"])
        for shown in (*files.glob("card.*"), *files.glob("plots/*")):
            target = folder / shown.relative_to(files)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(shown, target)
        tables = {
            "evaluations": record.evaluations,
            "folds": record.validations,
            "trials": record.trials,
            "limits": record.limits,
            "seconds": record.steps,
        }
        for name, rows in tables.items():
            if rows:
                target = folder / "records" / f"{name}.csv"
                target.parent.mkdir(exist_ok=True)
                target.write_text(_csv(rows))
        (folder / "record.json").write_text(
            json.dumps({"model_version": version, "promotion": record.decision}, default=str, indent=2)
        )
        if version["evaluated_file_hash"] != fit.file_hash:
            judged = _Fit(version, version["evaluated_file"], version["evaluated_file_hash"])
            content = self._content(judged)
            if content is not None:
                _write_model(folder / _folder_of(judged), judged, content)

    def _register(
        self, prediction: Prediction, fit: _Fit, run_id: str | None, done: Tracking, description: str | None = None
    ) -> str | None:
        """Return the registered version of a fit; it is made if it is missing, or None if its file is."""
        name, number = prediction.name, str(fit.version["version"])
        for found in self._registered(name):
            if (found.tags.get("turnout.version"), found.tags.get("turnout.file_hash")) == (number, fit.file_hash):
                return str(found.version)
        content = self._content(fit)
        run_id = run_id or self._find_run(fit.version)
        if content is None or run_id is None:
            done.problems.append(
                TrackingError(
                    f"Version {number} of '{name}' is not registered in MLflow: "
                    f"{'its file is missing or has changed' if content is None else 'its run was deleted there'}.",
                    where=str(self._model_folder / fit.file) if content is None else done.uri,
                    rule="what is registered is the file that the records name.",
                    remedy=Advice(
                        "restore it; ",
                        Action("leaderboard", "opening the leaderboard"),
                        " registers it once it is champion or challenger.",
                    ),
                )
            )
            return None
        with TemporaryDirectory() as folder:
            _write_model(Path(folder), fit, content)
            self._client.log_artifacts(run_id, folder, _folder_of(fit))
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name, description=prediction.description)
        about = {
            "version": number,
            "file_hash": fit.file_hash,
            "fit": Path(fit.file).stem,
            "candidate": fit.version["candidate"],
            "data_fingerprint": fit.version["data_fingerprint"],
        }
        source = f"{self._client.get_run(run_id).info.artifact_uri}/{_folder_of(fit)}"
        made = self._client.create_model_version(
            name, source, run_id, tags=_turnout_tags(about), description=description
        )
        return str(made.version)

    def _registered(self, name: str) -> Iterable[Any]:
        token = None
        while True:
            page = self._client.search_model_versions(f"name = '{name}'", page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _content(self, fit: _Fit) -> bytes | None:
        """Return the file of a fit if it is there, and the one that the record names."""
        path = self._model_folder / fit.file
        content = path.read_bytes() if path.exists() else b""
        return content if hashlib.sha256(content).hexdigest() == fit.file_hash else None


def _write_model(folder: Path, fit: _Fit, content: bytes) -> None:
    """Write a fit as MLflow's scikit-learn flavour, which `mlflow.sklearn.load_model` reads.

    Its own `save_model` would have to load the fit, and write it again without compression.
    """
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    libraries = json.loads(fit.version["libraries"])
    kinds = {"numeric": DataType.double, "categorical": DataType.string}
    inputs: list[Any] = [ColSpec(kinds[kind], name) for name, kind in json.loads(fit.version["features"]).items()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.skops").write_bytes(content)
    (folder / "requirements.txt").write_text("".join(f"{name}=={found}\n" for name, found in libraries.items()))
    (folder / "python_env.yaml").write_text(
        f"python: {platform.python_version()}\nbuild_dependencies: [pip]\ndependencies: [-r requirements.txt]\n"
    )
    model = Model(signature=ModelSignature(inputs=Schema(inputs)))
    pyfunc.add_to_model(
        model,
        loader_module="mlflow.sklearn",
        model_path="model.skops",
        python_env="python_env.yaml",
        predict_fn=task_named(fit.version["task"], "records.model_versions").predict_function,
    )
    model.add_flavor(
        "sklearn",
        pickled_model="model.skops",
        sklearn_version=libraries["scikit-learn"],
        serialization_format="skops",
        code=None,
        skops_trusted_types=list(TRUSTED_TYPES),
    )
    model.save(folder / "MLmodel")


def _candidate_metrics(record: _Record, candidate: str) -> list[tuple[str, float, int]]:
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


def _training_metrics(record: _Record) -> list[tuple[str, float, int]]:
    """Return name, value and step of what belongs to the training as a whole: the gate, and what it took."""
    decision, version = record.decision, record.version
    gate = ("challenger_value", "baseline_value", "champion_value", "effect", "effect_low", "effect_high")
    points = [(f"gate/{name}", decision[name], 0) for name in (*gate, "minimum_effect")]
    points += [(f"seconds/{row['step']}", row["seconds"], 0) for row in record.steps]
    points += [(name, version[name], 0) for name in ("fit_seconds", "prediction_seconds")]
    return _known(points)


def _known(points: Iterable[tuple[str, float | None, int]]) -> list[tuple[str, float, int]]:
    return [(name, value, step) for name, value, step in points if value is not None and math.isfinite(value)]


def _best_parameters(trials: list[dict[str, Any]], candidate: str, prediction: Prediction) -> str | None:
    """Return the parameters of the best trial of a candidate, as JSON; None if it was not searched."""
    family = candidate.removesuffix(" recalibrated")
    complete = [row for row in trials if row["candidate"] == family and row["state"] == "complete"]
    gain = prediction.decisive_metric.gain
    best = max(complete, key=lambda row: gain(float(row["value"]), 0.0), default=None)
    return None if best is None else str(best["parameters"])


def _question(version: Mapping[str, Any]) -> dict[str, object]:
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


def _version_tags(version: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, str]:
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
    return _turnout_tags({**about, **{name: decision[name] for name in numbers if decision[name] is not None}})


def _turnout_tags(about: Mapping[str, object]) -> dict[str, str]:
    return {f"turnout.{name}": str(value) for name, value in about.items()}


def _outcome(decision: Mapping[str, Any]) -> str:
    return decision["outcome"] or ("promoted" if decision["is_promoted"] else "kept")


def _service(row: Mapping[str, Any]) -> str:
    """Return how and why a fit came into service."""
    who = f" by {row['name']}" if row["name"] else ""
    return f"{row['how']}{who}, {row['since']:%Y-%m-%d %H:%M} UTC: {row['reason']}"


def _identity(version: Mapping[str, Any], candidate: str | None = None) -> str:
    """Return what tells a version's run from all others, also from those of another warehouse on the same server."""
    parts = (
        version["prediction"],
        version["version"],
        version["trained_at"].isoformat(),
        version["data_fingerprint"][:16],
    )
    return " ".join(str(part) for part in (*parts, *([candidate] if candidate else [])))


def _folder_of(fit: _Fit) -> str:
    return f"models/{Path(fit.file).stem}_{fit.file_hash[:8]}"


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text, [name for name in rows[0] if name not in {"prediction", "version"}], extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _note(text: str) -> dict[str, str]:
    """Return the tag that MLflow shows as the description."""
    return {"mlflow.note.content": text}


def _name(name: str) -> str:
    """Return a name with nothing in it but what MLflow allows in names of metrics and parameters."""
    return re.sub(r"[^\w.\- /]", "_", name)[:250]


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _milliseconds(time: datetime) -> int:
    return int(time.replace(tzinfo=UTC).timestamp() * 1000)


def _database_file(uri: str) -> Path | None:
    """Return the file of a SQLite store; None for any other."""
    return Path(unquote(uri.removeprefix("sqlite:///"))) if uri.startswith("sqlite:///") else None
