"""What a state's office knows of the people of a block: registrations on a day, and rows of vote history.

Between the truth and the files lies the mess: old ids, former addresses, people struck off, rows given twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from samples.elections.people import DEMOCRAT, NEVER, REPUBLICAN, Block

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from samples.elections.calendar import Election
    from samples.elections.turnout import Turnout

# The mess of the histories, as shares of their rows.
GIVEN_TWICE = 0.004  # the same row once more
UNDER_TWO_NAMES = 0.004  # once more, the election under another name or its date in another format
# Who did not vote for so many years is asked by mail whether they still live there, and is inactive until they answer.
YEARS_UNTIL_INACTIVE = 4
INACTIVE_IF_ABSENT = 0.55  # of those
INACTIVE_ANYWAY = 0.015  # of all others, because mail came back

ACTIVE, INACTIVE, REMOVED, PENDING = range(4)
ORIGINAL, REPEATED, RENAMED = range(3)

IDS = 4_000_000  # of one county
_SCATTER = 1_299_709  # has no divisor in common with IDS: different serials, different numbers, in no order


def id_number(serial: NDArray[np.int64], is_old: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the number in a voter's id of today or, where `is_old`, in the one before: unique in the county."""
    return np.asarray((2 * serial + is_old) * _SCATTER % IDS)


@dataclass(frozen=True)
class Registrations:
    """Rows of a registration file; every array has one value per row.

    Parameters
    ----------
    person : ndarray of int
        The place in the block.
    is_former : ndarray of bool
        At the former address, in the former county.
    has_old_id : ndarray of bool
    status : ndarray of int
    has_moved_away : ndarray of bool
        Removed because they registered in another county.
    registered_on : ndarray of datetime64[D]
    """

    person: NDArray[np.int64]
    is_former: NDArray[np.bool_]
    has_old_id: NDArray[np.bool_]
    status: NDArray[np.int64]
    has_moved_away: NDArray[np.bool_]
    registered_on: NDArray[np.datetime64]

    def __getitem__(self, rows: NDArray[np.bool_]) -> Registrations:
        return Registrations(
            self.person[rows],
            self.is_former[rows],
            self.has_old_id[rows],
            self.status[rows],
            self.has_moved_away[rows],
            self.registered_on[rows],
        )


@dataclass(frozen=True)
class History:
    """Rows of vote history; every array has one value per row.

    Parameters
    ----------
    election : ndarray of int
        The position in the state's calendar.
    person : ndarray of int
        The place in the block.
    has_old_id : ndarray of bool
    is_elsewhere : ndarray of bool
        Voted in the former county.
    copy : ndarray of int
        `ORIGINAL`, `REPEATED` or `RENAMED`.
    """

    election: NDArray[np.int64]
    person: NDArray[np.int64]
    has_old_id: NDArray[np.bool_]
    is_elsewhere: NDArray[np.bool_]
    copy: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.election)


def registrations(
    block: Block,
    turnout: Turnout,
    elections: list[Election],
    day: np.datetime64,
    seed: int,
    *,
    registers_movers_anew: bool = False,
) -> Registrations:
    """Return the rows of the registration file of a day, also of those that are removed.

    Parameters
    ----------
    block : Block
    turnout : Turnout
    elections : list of Election
    day : numpy.datetime64
        Of the file.
    seed : int
    registers_movers_anew : bool
        Whether people who move to another county are registered anew there, and stay in the file of the old one as
        removed.
    """
    random = np.random.default_rng([seed, block.state.number, block.county_number, block.number, 3])
    luck = random.random(len(block))
    recent = [
        e.position
        for e in elections
        if e.kind != "primary" and 0 < (day - e.date).astype(int) < YEARS_UNTIL_INACTIVE * 366
    ]
    is_absent = ~turnout.votes[recent].any(axis=0) & turnout.registered[recent[0]]
    is_inactive = luck < np.where(is_absent, INACTIVE_IF_ABSENT, INACTIVE_ANYWAY)
    status = np.where(block.removed_on <= day, REMOVED, np.where(is_inactive, INACTIVE, ACTIVE))
    status = np.where(block.is_preregistered, PENDING, status)

    has_old_id = (block.is_merged | block.is_reregistered) & (block.id_since > day)
    has_moved = block.moved_on <= day
    registered_on = np.where(has_old_id, block.registered_on, block.id_since)
    if registers_movers_anew:
        registered_on = np.where(has_moved, block.moved_on, registered_on)
    known = block.registered_on <= day
    person = np.arange(len(block))
    rows = Registrations(
        person,
        block.has_moved & ~has_moved,
        has_old_id,
        status,
        np.zeros(len(block), bool),
        registered_on,
    )[known]
    if not registers_movers_anew:
        return rows
    (gone,) = np.nonzero(known & has_moved)
    return Registrations(
        np.concatenate([rows.person, gone]),
        np.concatenate([rows.is_former, np.ones(len(gone), bool)]),
        np.concatenate([rows.has_old_id, np.zeros(len(gone), bool)]),
        np.concatenate([rows.status, np.full(len(gone), REMOVED)]),
        np.concatenate([rows.has_moved_away, np.ones(len(gone), bool)]),
        np.concatenate([rows.registered_on, block.registered_on[gone]]),
    )


def history(block: Block, turnout: Turnout, elections: list[Election], seed: int) -> History:
    """Return the rows of vote history that the offices hold, without the votes that a new id left behind."""
    random = np.random.default_rng([seed, block.state.number, block.county_number, block.number, 4])
    published = np.array([e.position for e in elections if e.is_published])
    row, person = np.nonzero(turnout.votes[published])
    election = published[row]
    closes_on = np.array([e.closes_on for e in elections])[election]
    has_old_id = (block.is_merged | block.is_reregistered)[person] & (closes_on < block.id_since[person])
    kept = ~(has_old_id & block.is_reregistered[person])
    election, person, has_old_id, closes_on = election[kept], person[kept], has_old_id[kept], closes_on[kept]
    moved_on = block.moved_on[person]
    luck = random.random(len(person))
    twice, renamed = luck < GIVEN_TWICE, (luck >= GIVEN_TWICE) & (luck < GIVEN_TWICE + UNDER_TWO_NAMES)
    rows = np.concatenate([np.arange(len(person)), np.nonzero(twice)[0], np.nonzero(renamed)[0]])
    copy = np.repeat([ORIGINAL, REPEATED, RENAMED], [len(person), twice.sum(), renamed.sum()])
    is_elsewhere = (moved_on < NEVER) & (closes_on < moved_on)
    return History(election[rows], person[rows], has_old_id[rows], is_elsewhere[rows], copy)


def primary_ballots(block: Block) -> NDArray[np.int64]:
    """Return whose ballot each person takes in a primary: their party's, or the one that they lean to."""
    is_own = (block.party == DEMOCRAT) | (block.party == REPUBLICAN)
    return np.where(is_own, block.party, np.where(block.lean > 0, DEMOCRAT, REPUBLICAN))
