"""What the records say of model versions, and what they say of what MLflow has: read, and written, in the warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from turnout.records import SCHEMA, tracking, write
from turnout.records.tracking import TrackedAliases, TrackedVersion

if TYPE_CHECKING:
    from turnout.engines import Session


@dataclass(frozen=True)
class Fit:
    """A fitted file of a model version: the row of its record, and of its last time as champion if there was one."""

    version: Mapping[str, Any]
    file: str
    file_hash: str
    service: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class PredictionState:
    """What is on record of a prediction, and what of it MLflow has.

    Parameters
    ----------
    fits : mapping of int to Fit
        For each version the fit in service, if it ever was, else the one that was judged.
    champion, challenger : Fit or None
        Those that the aliases should name.
    tracked : set of int
        The versions that MLflow has, by the records.
    are_aliases_tracked : bool
        Whether the aliases name those two, by the records.
    """

    fits: Mapping[int, Fit]
    champion: Fit | None
    challenger: Fit | None
    tracked: frozenset[int]
    are_aliases_tracked: bool

    @property
    def is_tracked(self) -> bool:
        """Whether there is nothing to send."""
        return self.tracked >= set(self.fits) and self.are_aliases_tracked

    @property
    def aliases(self) -> dict[str, Fit | None]:
        """The fits by the aliases that should name them."""
        return {"champion": self.champion, "challenger": self.challenger}


@dataclass(frozen=True)
class VersionRecord:
    """All that is on record of a model version, as rows."""

    version: Mapping[str, Any]
    decision: Mapping[str, Any]
    evaluations: list[dict[str, Any]]
    validations: list[dict[str, Any]]
    trials: list[dict[str, Any]]
    limits: list[dict[str, Any]]
    steps: list[dict[str, Any]]


def read_state(session: Session, prediction: str, uri: str) -> PredictionState:
    """Return what is on record of a prediction, and what of it the MLflow at a URI has."""
    versions = session.rows(f"select * from {SCHEMA}.model_versions where prediction = ?", (prediction,))
    served = session.rows(
        f"""select version, file, file_hash, since, how, name, reason
            from {SCHEMA}.champions where prediction = ? order by number""",
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
    fits = {number: Fit(row, row["file"], row["file_hash"]) for number, row in by_number.items()}
    for row in served:
        fits[row["version"]] = Fit(by_number[row["version"]], row["file"], row["file_hash"], row)
    champion = fits[served[-1]["version"]] if served else None
    newest = fits[max(fits)] if fits else None
    challenger = newest if newest is not champion else None
    return PredictionState(
        fits,
        champion,
        challenger,
        frozenset(row["version"] for row in tracked),
        are_aliases_tracked=aliases == [alias_columns(champion, challenger)],
    )


def read_records(session: Session, prediction: str, versions: Sequence[int]) -> dict[int, VersionRecord]:
    """Return all that is on record of some versions of a prediction, by their numbers."""
    numbers = ", ".join(str(int(number)) for number in versions)

    def rows(table: str, order: str) -> dict[int, list[dict[str, Any]]]:
        sql = f"select * from {SCHEMA}.{table} where prediction = ? and version in ({numbers}) order by {order}"
        found: dict[int, list[dict[str, Any]]] = {number: [] for number in versions}
        for row in session.rows(sql, (prediction,)):
            found[row["version"]].append(row)
        return found

    models, decisions = rows("model_versions", "version"), rows("promotions", "version")
    evaluations = rows("evaluations", "candidate, group_column, group_value, metric")
    validations = rows("validations", "candidate, fold")
    trials = rows("trials", "trial")
    limits = rows("promotion_limits", "limit_name, group_column, group_value")
    steps = rows("training_steps", "step")
    return {
        number: VersionRecord(
            version=models[number][0],
            decision=decisions[number][0],
            evaluations=evaluations[number],
            validations=validations[number],
            trials=trials[number],
            limits=limits[number],
            steps=steps[number],
        )
        for number in versions
    }


def record_tracked(session: Session, versions: Sequence[TrackedVersion], aliases: Sequence[TrackedAliases]) -> None:
    """Record what MLflow has now, in one transaction."""
    with session.transaction():
        for row in versions:  # of a store that was removed since
            key = {"prediction": row.prediction, "version": row.version, "tracking_uri": row.tracking_uri}
            session.delete(SCHEMA, tracking.TRACKED_VERSIONS.name, key)
        if versions:
            write(session, {tracking.TRACKED_VERSIONS: [asdict(row) for row in versions]})
        if aliases:
            write(session, {tracking.TRACKED_ALIASES: [asdict(row) for row in aliases]})


def alias_columns(champion: Fit | None, challenger: Fit | None) -> dict[str, Any]:
    """Return which fits the aliases name, as columns of `TrackedAliases`."""
    return {
        "champion_version": champion and champion.version["version"],
        "champion_file_hash": champion and champion.file_hash,
        "challenger_version": challenger and challenger.version["version"],
        "challenger_file_hash": challenger and challenger.file_hash,
    }
