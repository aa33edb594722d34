"""Registered models in MLflow: a version for each fit, and the aliases champion and challenger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ml.tracking.environment import TrackingError, without_credentials
from ml.tracking.files import folder_of, model_bytes, write_model
from ml.tracking.values import service_in_words, turnout_tags
from turnout.advice import Action, Advice

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from ml.tracking.reading import Fit
    from ml.tracking.runs import Runs
    from turnout.errors import TurnoutError


class RegisteredModels:
    """Registered models of one MLflow.

    Parameters
    ----------
    client : MlflowClient
        That of MLflow.
    runs : Runs
        Its runs, to which the files of models belong.
    model_folder : Path
        Where the files of the fits are.
    problems : list of TurnoutError
        A fit that cannot be registered is added here; the others go on.
    """

    def __init__(self, client: MlflowClient, runs: Runs, model_folder: Path, problems: list[TurnoutError]) -> None:
        self._client, self._runs, self._model_folder, self._problems = client, runs, model_folder, problems

    def set_aliases(self, name: str, description: str, fits: Mapping[str, Fit | None]) -> bool:
        """Let each alias point to its fit, registered now if it was not; return whether all could be."""
        failures = len(self._problems)
        for alias, fit in fits.items():
            number = None if fit is None else self.register(name, description, fit)
            if number is not None:
                self._client.set_registered_model_alias(name, alias, number)
            elif any(alias in model.aliases for model in self._client.search_registered_models(f"name = '{name}'")):
                self._client.delete_registered_model_alias(name, alias)
            if number is not None and fit is not None and fit.service is not None:
                self._client.set_model_version_tag(name, number, "turnout.in_service", service_in_words(fit.service))
        return len(self._problems) == failures

    def register(
        self, name: str, description: str, fit: Fit, *, run_id: str | None = None, reason: str | None = None
    ) -> str | None:
        """Return the registered version of a fit; it is made if it is missing, or None if its file is.

        Parameters
        ----------
        name, description : str
            Those of the prediction, which the registered model takes.
        run_id : str, optional
            The run of its version. Default: it is looked for.
        reason : str, optional
            Why the version is champion or not, the description of the registered version.
        """
        number = str(fit.version["version"])
        for found in self._versions(name):
            if (found.tags.get("turnout.version"), found.tags.get("turnout.file_hash")) == (number, fit.file_hash):
                return str(found.version)
        content = model_bytes(self._model_folder, fit)
        run_id = run_id or self._runs.find(fit.version)
        if content is None or run_id is None:
            self._problems.append(self._not_registered(name, fit, is_file_missing=content is None))
            return None
        with TemporaryDirectory() as folder:
            write_model(Path(folder), fit, content)
            self._client.log_artifacts(run_id, folder, folder_of(fit))
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name, description=description)
        about = {
            "version": number,
            "file_hash": fit.file_hash,
            "fit": Path(fit.file).stem,
            "candidate": fit.version["candidate"],
            "data_fingerprint": fit.version["data_fingerprint"],
        }
        source = f"{self._client.get_run(run_id).info.artifact_uri}/{folder_of(fit)}"
        made = self._client.create_model_version(name, source, run_id, tags=turnout_tags(about), description=reason)
        return str(made.version)

    def _not_registered(self, name: str, fit: Fit, *, is_file_missing: bool) -> TrackingError:
        return TrackingError(
            f"Version {fit.version['version']} of '{name}' is not registered in MLflow: "
            f"{'its file is missing or has changed' if is_file_missing else 'its run was deleted there'}.",
            where=str(self._model_folder / fit.file)
            if is_file_missing
            else without_credentials(self._client.tracking_uri),
            rule="what is registered is the file that the records name.",
            remedy=Advice(
                "restore it; ",
                Action("leaderboard", "opening the leaderboard"),
                " registers it once it is champion or challenger.",
            ),
        )

    def _versions(self, name: str) -> Iterable[Any]:
        token = None
        while True:
            page = self._client.search_model_versions(f"name = '{name}'", page_token=token)
            yield from page
            token = page.token
            if not token:
                return
