"""Who is champion, beyond what the gate decides alone: refitted for service, approved or rolled back by a person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ml.examples.inspection import inspect, missing_features
from ml.examples.reading import read_matured
from ml.models import persistence
from ml.training.history import ModelVersion, champion_of, championship_of, record_champion, require_version
from ml.training.refit import refit
from turnout.advice import Action, Advice
from turnout.clock import utc_now
from turnout.errors import ModelError
from turnout.records import SCHEMA, opened
from turnout.records.trainings import Championship, How

if TYPE_CHECKING:
    import pandas as pd

    from ml.declaration import Prediction
    from turnout.engines import Session, Warehouse


def approve(
    warehouse: Warehouse, prediction: Prediction, model_folder: Path, version: int, *, name: str, reason: str
) -> Championship:
    """Make a challenger champion that the gate let through and that waits for a person.

    Parameters
    ----------
    name, reason : str
        Who approves it, and why; both are recorded.

    Raises
    ------
    ModelError
        If a name or reason is missing, or there is no such challenger, or the champion is another by now.
    """
    _require_person(prediction.name, name, reason)
    with opened(warehouse) as session:
        challenger, matured = _approvable(session, prediction, version)
    championship = replace(
        refit(prediction, challenger, matured, model_folder, reason.strip()), how="approved", name=name.strip()
    )
    with warehouse.session() as session:
        record_champion(session, championship)
    return championship


def roll_back(
    warehouse: Warehouse,
    prediction: Prediction,
    model_folder: Path,
    version: int,
    *,
    name: str,
    reason: str,
    override: bool = False,
) -> Championship:
    """Make a version champion again that once was, with the fit that it had in service.

    Parameters
    ----------
    name, reason : str
        Who asks for it, and why; both are recorded.
    override : bool
        Whether it may be a version that never was champion: against the gate, with the fit that was judged. That is
        recorded as well.

    Raises
    ------
    ModelError
        If a name or reason is missing, there is no such version, it never was champion, it is champion already, or its
        file is not whole.
    """
    _require_person(prediction.name, name, reason)
    with opened(warehouse) as session:
        earlier = require_version(session, prediction.name, version)
        champion = champion_of(session, prediction.name)
        served = championship_of(session, prediction.name, version)
        if served is None and not override:
            raise _never_champion(session, prediction.name, version)
    if champion is not None and champion.version == version:
        raise _refused(
            prediction.name,
            f"Version {version} is the champion already.",
            "a roll-back goes to another version.",
            "name another; records.champions lists who was champion since when.",
        )
    now = utc_now()
    how: How = "rolled_back" if served else "overridden"
    if served is None:
        served = Championship(
            prediction=prediction.name,
            version=version,
            since=now,
            how="overridden",
            name=None,
            reason="",
            file=earlier.evaluated_file,
            file_hash=earlier.evaluated_file_hash,
            first_as_of_date=earlier.first_as_of_date,
            last_as_of_date=earlier.last_as_of_date,
            example_count=earlier.example_count,
            data_fingerprint=earlier.data_fingerprint,
        )
    elif served.how == "overridden":
        how = "overridden"  # the gate has never let it be champion since
    championship = replace(served, since=now, how=how, name=name.strip(), reason=reason.strip())
    file = model_folder / championship.file
    persistence.load(file, championship.file_hash, prediction.search.trusted_types, earlier.libraries)
    with warehouse.session() as session:
        record_champion(session, championship)
    return championship


def waiting(session: Session, prediction: str) -> list[int]:
    """Return the versions that the gate let through and that wait for a person, while their champion is in place."""
    if not session.has_table(SCHEMA, "champions"):
        return []
    champion = champion_of(session, prediction)
    rows = session.rows(
        f"""select version from {SCHEMA}.promotions
            where prediction = ? and outcome = 'waits' and champion_version is not distinct from ?
                and version not in (select version from {SCHEMA}.champions where prediction = ?)
            order by version""",
        (prediction, None if champion is None else champion.version, prediction),
    )
    return [row["version"] for row in rows]


def _never_champion(session: Session, prediction: str, version: int) -> ModelError:
    rows = session.rows(
        f"select reason from {SCHEMA}.promotions where prediction = ? and version = ?", (prediction, version)
    )
    decided = f": {rows[0]['reason']}" if rows else ""
    once = session.rows(
        f"select distinct version from {SCHEMA}.champions where prediction = ? order by version", (prediction,)
    )
    versions = ", ".join(str(row["version"]) for row in once) or "none"
    override = {"prediction": prediction, "version": version, "override": True}
    return _refused(
        prediction,
        f"Version {version} never was champion{decided}.",
        "one goes back to a version that once was champion; what the gate refused does not score.",
        Advice(
            f"name one that was: {versions}; or decide against the gate, which is recorded and shown with the scores: ",
            Action("rollback", "a rollback that says that it is an override", override),
            ".",
        ),
    )


def _approvable(session: Session, prediction: Prediction, version: int) -> tuple[ModelVersion, pd.DataFrame]:
    """Return a challenger that a person may approve, and the matured examples that it is to be fitted on."""
    challenger = require_version(session, prediction.name, version)
    rows = session.rows(
        f"select outcome, champion_version, reason from {SCHEMA}.promotions where prediction = ? and version = ?",
        (prediction.name, version),
    )
    champion = champion_of(session, prediction.name)
    in_place = None if champion is None else champion.version
    if not rows or rows[0]["outcome"] != "waits":
        decided = f": {rows[0]['reason']}" if rows else ""
        raise _refused(
            prediction.name,
            f"Version {version} does not wait for an approval{decided}.",
            "a person approves what the gate has let through, and nothing else.",
            Advice(
                Action("run", "a run"),
                " and the leaderboard name the versions that wait; ",
                Action("rollback", "a rollback"),
                " goes back to an earlier one.",
            ),
        )
    if in_place != rows[0]["champion_version"]:
        raise _refused(
            prediction.name,
            f"Version {version} was compared with {_in_words(rows[0]['champion_version'])}, but "
            f"{_in_words(in_place)} is in place now.",
            "a challenger replaces the champion that it was better than.",
            Advice(Action("train", "train again", {"prediction": prediction.name}), "."),
        )
    held = inspect(session, prediction)
    if problem := missing_features(challenger.features, held.all_features):
        raise _refused(
            prediction.name,
            f"Version {version} cannot be fitted on today's examples: {problem}.",
            "a champion is fitted on all matured examples before it scores.",
            Advice("bring the columns back, or ", Action("train", "train again", {"prediction": prediction.name}), "."),
        )
    return challenger, read_matured(session, prediction, challenger.features)


def _require_person(prediction: str, name: str, reason: str) -> None:
    if not name.strip() or not reason.strip():
        raise _refused(
            prediction,
            f"The {'name' if not name.strip() else 'reason'} is missing.",
            "who makes a version champion, and why, is recorded for those who come later.",
            'give both: NAME="who you are" BECAUSE="the reason".',
        )


def _in_words(version: int | None) -> str:
    return "no champion" if version is None else f"champion version {version}"


def _refused(prediction: str, what: str, rule: str, remedy: str | Advice) -> ModelError:
    return ModelError(what, where=f"prediction '{prediction}'", rule=rule, remedy=remedy)
