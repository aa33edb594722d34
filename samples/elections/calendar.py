"""The elections of a state: when, of which kind, and how close the contest was expected to be.

Elections before 2012 are simulated but never published: habits need a past, and the published history has a
beginning, as real files have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from samples.elections.places import State

FIRST_YEAR, FIRST_PUBLISHED_YEAR, LAST_YEAR = 1998, 2012, 2024
EXTRACTED_ON = np.datetime64("2024-10-05")  # the day of the states' files; later elections are upcoming
AS_OF_DAYS_BEFORE = 28
# What the truth is written for: the November elections from this year on.
FIRST_YEAR_OF_TRUTH = 2022

PRIMARIES = {
    "NC": ("2012-05-08", "2014-05-06", "2016-03-15", "2018-05-08", "2020-03-03", "2022-05-17", "2024-03-05"),
    "OH": ("2012-03-06", "2014-05-06", "2016-03-15", "2018-05-08", "2020-03-17", "2022-05-03", "2024-03-19"),
    "FL": ("2012-08-14", "2014-08-26", "2016-08-30", "2018-08-28", "2020-08-18", "2022-08-23", "2024-08-20"),
    "WA": ("2012-08-07", "2014-08-05", "2016-08-02", "2018-08-07", "2020-08-04", "2022-08-02", "2024-08-06"),
}


@dataclass(frozen=True)
class Election:
    """An election of a state.

    Parameters
    ----------
    position : int
        In the state's calendar, from 0.
    date : numpy.datetime64
        The day of the election.
    kind : str
        general, municipal or primary.
    contest_closeness : float
        From 0, one-sided, to 1, a coin toss; known long before.
    closes_on : numpy.datetime64
        The last day on which one could register for it.
    comparable : int or None
        The position of the last November election that draws the same people: the last presidential election for a
        presidential one and so on; for a primary the last general election.
    last_november : int or None
        The position of the last November election before this one.
    """

    position: int
    date: np.datetime64
    kind: str
    contest_closeness: float
    closes_on: np.datetime64
    comparable: int | None
    last_november: int | None

    @property
    def year(self) -> int:
        """The year of the election."""
        return int(str(self.date)[:4])

    @property
    def is_presidential(self) -> bool:
        """Whether a president is elected, and not only nominated."""
        return self.kind == "general" and self.year % 4 == 0

    @property
    def as_of(self) -> np.datetime64:
        """The day from which a prediction looks ahead."""
        return self.date - AS_OF_DAYS_BEFORE

    @property
    def is_published(self) -> bool:
        """Whether the state's history can hold votes of it."""
        return self.year >= FIRST_PUBLISHED_YEAR and bool(self.date <= EXTRACTED_ON)

    @property
    def has_truth(self) -> bool:
        """Whether the truth is written for it."""
        return self.kind != "primary" and self.year >= FIRST_YEAR_OF_TRUTH

    @property
    def name(self) -> str:
        """Its name in words."""
        if self.kind == "general":
            return f"{self.year} {'Presidential' if self.is_presidential else 'Midterm'} General Election"
        return f"{self.year} {self.kind.capitalize()} Election"


def elections_of(state: State, seed: int) -> list[Election]:
    """Return the elections of a state from 1998 to 2024-11-05, in order of their dates."""
    dated = []
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        first = np.datetime64(f"{year}-11-01")
        # The Tuesday after the first Monday; 1970-01-01 was a Thursday.
        weekday = (int(first.astype(int)) + 3) % 7
        dated.append((first + (-weekday) % 7 + 1, "general" if year % 2 == 0 else "municipal"))
        if year % 2 == 0 and year < FIRST_PUBLISHED_YEAR:
            dated.append((np.datetime64(f"{year}-05-06"), "primary"))
    dated += [(np.datetime64(day), "primary") for day in PRIMARIES.get(state.code, ())]
    dated.sort()
    random = np.random.default_rng([seed, state.number, 101])
    elections: list[Election] = []
    for position, (day, kind) in enumerate(dated):
        year = int(str(day)[:4])
        novembers = [e for e in elections if e.kind != "primary"]
        wanted = "general" if kind == "primary" else kind
        comparable = [
            e.position for e in novembers if e.kind == wanted and (kind != "general" or (e.year - year) % 4 == 0)
        ]
        elections.append(
            Election(
                position=position,
                date=day,
                kind=kind,
                contest_closeness=round(float(random.beta(2.0, 2.0)), 2),
                closes_on=day - state.closes_days_before,
                comparable=comparable[-1] if comparable else None,
                last_november=novembers[-1].position if novembers else None,
            )
        )
    return elections
