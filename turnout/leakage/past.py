"""Which pasts are built again: as-of dates, and what of the sources each rebuild may see."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from turnout.dealing import lies_in_share
from turnout.engines import identifier

# What is cut: events from the as-of date on; also what was loaded later; events outside of the label's window.
Kind = Literal["event_time", "loaded_at", "label_window"]


@dataclass(frozen=True)
class Share:
    """A share of the entities, dealt by hash; another with each seed.

    Parameters
    ----------
    entity : str
        The column that names them, in examples and sources alike.
    percent : float
        How many of them, above 0 to below 100.
    seed : int
        Decides which.
    """

    entity: str
    percent: float
    seed: int

    def condition(self, table: str = "") -> str:
        """Return SQL: whether a row of a table is about one of them."""
        return self._of(f"{table}.{identifier(self.entity)}" if table else identifier(self.entity))

    @property
    def template(self) -> str:
        """The condition for SQL of dbt's, which puts the column in the place of `{entity}` and quotes it itself."""
        return self._of("{entity}")

    def _of(self, column: str) -> str:
        return lies_in_share(f"'{self.seed} ' || cast({column} as string)", self.percent)


@dataclass(frozen=True)
class Past:
    """What of the sources a rebuild may see.

    Parameters
    ----------
    kind : {"event_time", "loaded_at", "label_window"}
        What is cut, and so what must come out equal: features for the first two, the label for the last.
    as_of_date : date
        The as-of date whose examples are compared.
    loaded_by : datetime, optional
        Only rows loaded by then, UTC (kind "loaded_at").
    horizon_days : int, optional
        Where the label's window ends, in days from the as-of date on (kind "label_window").
    share : Share, optional
        The entities that are built again; all, if there is none.
    """

    kind: Kind
    as_of_date: date
    loaded_by: datetime | None = None
    horizon_days: int | None = None
    share: Share | None = None

    @property
    def sample(self) -> dict[str, str] | None:
        """What dbt's sample mode keeps of every source and model with `event_time`; None if it is not used."""
        # The end is excluded: strictly before.
        return None if self.kind == "label_window" else {"start": "0001-01-01", "end": self.as_of_date.isoformat()}

    @property
    def variables(self) -> dict[str, Any]:
        """The variables of the dbt project: which past it is, and the rest of the cut; see `macros/source.sql`."""
        variables: dict[str, Any] = {"audited_as_of": self.as_of_date.isoformat(), **self._rest_of_the_cut}
        if self.share is not None:
            variables["audited_share"] = {"entity": self.share.entity, "condition": self.share.template}
        return variables

    @property
    def _rest_of_the_cut(self) -> dict[str, Any]:
        if self.kind == "loaded_at":
            assert self.loaded_by is not None
            return {"as_loaded_by": self.loaded_by.isoformat(sep=" ")}
        if self.kind == "label_window":
            assert self.horizon_days is not None
            horizon = timedelta(days=self.horizon_days)
            return {
                "label_window": {
                    "left_out_from": (self.as_of_date - horizon).isoformat(),
                    "starts": self.as_of_date.isoformat(),
                    "ends": (self.as_of_date + horizon).isoformat(),
                }
            }
        return {}


def chosen_dates(matured: Mapping[str, Sequence[date]], *, dates: int, seed: int) -> tuple[date, ...]:
    """Choose as-of dates to audit: the last matured one of each prediction, and others at random.

    Parameters
    ----------
    matured : mapping of str to sequence of date
        The matured as-of dates of each prediction.
    dates : int
        How many for each prediction, the last matured one included.
    seed : int
        Decides which others. Predictions with the same calendar get the same ones, so that they share rebuilds.

    Returns
    -------
    tuple of date
        Ascending.
    """
    chosen = set()
    for days in matured.values():
        *others, last = sorted(days)
        by_chance = sorted(others, key=lambda day: hashlib.sha256(f"{seed} {day.isoformat()}".encode()).digest())
        chosen.update([last, *by_chance[: dates - 1]])
    return tuple(sorted(chosen))


def known_by(as_of_date: date, arrival_days: int) -> datetime:
    """Return when what happened before an as-of date must have been loaded, UTC."""
    return datetime.combine(as_of_date, time()) + timedelta(days=arrival_days)
