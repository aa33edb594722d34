"""Whose scores the marts show: predictions, also those that are declared no more, and how fresh their scores are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from turnout.engines import identifier
from turnout.project.manifest import declared_predictions
from turnout.publication.marts import marts_in
from turnout.publication.tables import PredictionFreshness

if TYPE_CHECKING:
    from turnout.engines import Session

# The source in dbt, and the schema, of the tables of scores; each is called like its prediction.
SCORES = "scores"
DECLARED_NO_MORE = (
    "it is declared no more, so nobody trains or scores it, and its last scores are shown. Declare it again, or leave "
    "its scores out of the marts."
)


@dataclass(frozen=True)
class ShownPrediction:
    """A prediction that readers see.

    Parameters
    ----------
    name : str
        The prediction.
    marts : frozenset of str
        The marts that are made from its scores.
    old_because : str or None
        Why its scores are not those of the newest state, in words; None if they are.
    """

    name: str
    marts: frozenset[str] = frozenset()
    old_because: str | None = None


def shown_predictions(manifest: Mapping[str, Any], old: Mapping[str, str]) -> tuple[ShownPrediction, ...]:
    """Return every declared prediction, and every one whose scores a mart still shows, by name.

    Parameters
    ----------
    old : mapping of prediction to str
        Why the scores of declared predictions are old, where they are.
    """
    declared = declared_predictions(manifest)
    sources = {
        unique_id: node["name"] for unique_id, node in manifest["sources"].items() if node["source_name"] == SCORES
    }
    marts: dict[str, set[str]] = {name: set() for name in declared}
    for name, mart in marts_in(manifest).items():
        for unique_id in _made_from(manifest, mart.unique_id) & sources.keys():
            marts.setdefault(sources[unique_id], set()).add(name)
    return tuple(
        ShownPrediction(name, frozenset(marts[name]), old.get(name) if name in declared else DECLARED_NO_MORE)
        for name in sorted(marts)
    )


def freshness_of(
    session: Session, predictions: Sequence[ShownPrediction], champions: Mapping[str, int]
) -> list[PredictionFreshness]:
    """Return how fresh the scores of predictions are in the warehouse.

    Parameters
    ----------
    champions : mapping of prediction to int
        The version of each champion.
    """
    return [_freshness(session, prediction, champions.get(prediction.name)) for prediction in predictions]


def _freshness(session: Session, prediction: ShownPrediction, champion: int | None) -> PredictionFreshness:
    from pyarrow import types

    name, old = prediction.name, prediction.old_because
    as_of_date, scored_at, count = None, None, 0
    if session.has_table(SCORES, name):
        # The key stands first: the entity, and the only column of dates.
        dates = [field.name for field in session.columns_of(SCORES, name) if types.is_date(field.type)]
        if dates:
            as_of, table = identifier(dates[0]), identifier(SCORES, name)
            rows = session.rows(
                f"""select {as_of} as as_of_date, max(scored_at) as scored_at, count(*) as n
                    from {table} group by {as_of} order by {as_of} desc limit 1"""
            )
            as_of_date, scored_at, count = tuple(rows[0].values()) if rows else (None, None, 0)
    return PredictionFreshness(name, champion, as_of_date, scored_at, count, old is None, old)


def _made_from(manifest: Mapping[str, Any], unique_id: str) -> set[str]:
    """Return all that a model is made from, by dbt alone."""
    found: set[str] = set()
    waiting = [unique_id]
    while waiting:
        node = manifest["nodes"].get(waiting.pop(), {})
        new = set(node.get("depends_on", {}).get("nodes", [])) - found
        found |= new
        waiting += new
    return found
