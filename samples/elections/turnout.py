"""The truth: the probability that each voter votes in each election, and the votes.

Elections are simulated one after another with real draws, so that habit feeds on votes that were cast. Everything
in the probability but the shared shocks follows from what stands in the files, or, for the effects of places, from the
turnout that the files show: a good model can come close to the best score that is reachable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from samples.elections.people import LIBERTARIAN, UNAFFILIATED, Block

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from samples.elections.calendar import Election
    from samples.elections.places import State

# All of it in logits. The levels of turnout that come of them: presidential about .70, midterm .48, municipal .22,
# primary .18 of those who are registered.
BASE = {"presidential": 1.6, "general": 0.67, "municipal": -1.12, "primary": -1.77}
AGE_SLOPE = {"presidential": 1.3, "general": 1.6, "municipal": 1.9, "primary": 1.9}
STATE = {"NC": 0.05, "OH": -0.05, "FL": 0.0, "WA": 0.1}
COUNTY_SD, PRECINCT_SD = 0.25, 0.15
HABIT_WINDOW = 8  # elections of all kinds, the latest ones since registration
HABIT = 3.3  # of the share of votes in the window
HABIT_CENTRE = 0.4
HABIT_PRIOR = 2.0  # elections that the habit of a newly registered person is damped by
COMPARABLE = 0.6  # voted in the last comparable election, or, below zero, did not
FRESH = 0.6  # registered in the year before a presidential election
AFFILIATED, NOT_AFFILIATED = 0.12, -0.22  # where the state registers a party
HOUSEHOLD = 0.9  # of the share of the others of the household that voted in the last November election
HOUSEHOLD_CENTRE = 0.35
HOUSEHOLD_SIZE = 0.06  # for each other registered member
CLOSENESS = 0.6  # between a one-sided contest and a coin toss
STATE_SHOCK_SD, COUNTY_SHOCK_SD = 0.15, 0.08


@dataclass(frozen=True)
class Places:
    """What is particular about the places of a state.

    Parameters
    ----------
    county : ndarray, shape (n_counties,)
        Effects of the counties, in logits.
    precinct : list of ndarray
        For each county the effects of its precincts.
    state_shock : ndarray, shape (n_elections,)
        What moves the whole state on one election day and nobody knows before.
    county_shock : ndarray, shape (n_elections, n_counties)
        The same for a county.
    """

    county: NDArray[np.float64]
    precinct: list[NDArray[np.float64]]
    state_shock: NDArray[np.float64]
    county_shock: NDArray[np.float64]


@dataclass(frozen=True)
class Turnout:
    """Who voted when, and how probable it was.

    Parameters
    ----------
    votes, registered : ndarray of bool, shape (n_elections, n_people)
    probability : dict of int to ndarray, shape (n_people,)
        For elections with a truth, by their position: with the shared shocks of the day.
    probability_before : dict of int to ndarray, shape (n_people,)
        The same without the shocks: what could be known beforehand.
    """

    votes: NDArray[np.bool_]
    registered: NDArray[np.bool_]
    probability: dict[int, NDArray[np.float64]]
    probability_before: dict[int, NDArray[np.float64]]


def places_of(state: State, elections: list[Election], seed: int) -> Places:
    """Draw the effects and shocks of the places of a state."""
    random = np.random.default_rng([seed, state.number, 103])
    counties = len(state.counties)
    return Places(
        county=random.normal(0, COUNTY_SD, counties),
        precinct=[random.normal(0, PRECINCT_SD, county.precincts) for county in state.counties],
        state_shock=random.normal(0, STATE_SHOCK_SD, len(elections)),
        county_shock=random.normal(0, COUNTY_SHOCK_SD, (len(elections), counties)),
    )


def age_curve(age: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the effect of age in years: it rises from -1 at 18 to 0.3 at 70, stays, and falls after 80."""
    rise = np.clip((age - 18) / 52, 0, 1)
    return np.asarray(-1.0 + 1.3 * rise**0.8 - 0.05 * np.clip(age - 80, 0, None))


def simulate(block: Block, elections: list[Election], places: Places, seed: int) -> Turnout:
    """Hold all elections of a state for the people of a block.

    Parameters
    ----------
    block : Block
    elections : list of Election
        Of the block's state, in order of their dates.
    places : Places
    seed : int
    """
    random = np.random.default_rng([seed, block.state.number, block.county_number, block.number, 2])
    size, households = len(block), int(block.household[-1]) + 1
    votes = np.zeros((len(elections), size), bool)
    registered = np.zeros((len(elections), size), bool)
    probability, probability_before = {}, {}
    affiliation = np.where((block.party == UNAFFILIATED), NOT_AFFILIATED, AFFILIATED)
    affiliation = np.where(block.party == LIBERTARIAN, AFFILIATED, affiliation)

    for election in elections:
        e = election.position
        kind = "presidential" if election.is_presidential else election.kind
        here = registered[e] = (block.eligible_on <= election.closes_on) & (block.removed_on > election.as_of)
        lives_here = ~block.has_moved | (block.moved_on <= election.closes_on)

        county = np.where(lives_here, block.county_number, block.old_county_number)
        logit = BASE[kind] + STATE.get(block.state.code, 0.0) + places.county[county]
        logit += np.where(lives_here, places.precinct[block.county_number][block.precinct], 0.0)
        logit += AGE_SLOPE[kind] * age_curve((election.year - block.birth_year).astype(float))
        logit += CLOSENESS * (election.contest_closeness - 0.5)

        window = slice(max(0, e - HABIT_WINDOW), e)
        chances, cast = registered[window].sum(axis=0), votes[window].sum(axis=0)
        share = cast / np.maximum(chances, 1)
        logit += HABIT * chances / (chances + HABIT_PRIOR) * np.where(chances > 0, share - HABIT_CENTRE, 0.0)
        if election.comparable is not None:
            voted, could = votes[election.comparable], registered[election.comparable]
            logit += COMPARABLE * np.where(could, np.where(voted, 1.0, -1.0), 0.0)
        if election.is_presidential:
            days = (election.date - block.registered_on).astype(np.int64)
            logit += np.where((days >= 0) & (days < 365), FRESH, 0.0)
        if block.state.registers_party:
            logit += affiliation

        members = here & lives_here
        size_of = np.bincount(block.household, weights=members, minlength=households)[block.household]
        others = np.where(members, size_of - 1, 0.0)
        logit += HOUSEHOLD_SIZE * others
        if election.last_november is not None:
            voted = votes[election.last_november] & members
            voters = np.bincount(block.household, weights=voted, minlength=households)[block.household] - voted
            logit += np.where(others > 0, HOUSEHOLD * (voters / np.maximum(others, 1) - HOUSEHOLD_CENTRE), 0.0)

        shock = places.state_shock[e] + places.county_shock[e, county]
        chance = _probability(logit + shock)
        votes[e] = here & (random.random(size) < chance)
        if election.has_truth:
            probability[e], probability_before[e] = chance, _probability(logit)
    return Turnout(votes, registered, probability, probability_before)


def _probability(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))
