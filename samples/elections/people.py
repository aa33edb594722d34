"""The people of a block: households, ages, names, parties, and what happened to their registration.

A block is at most 20,000 voters of one county and is made on its own, from nothing but the seed and its place. So
memory does not grow with the electorate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from samples.elections.addresses import house_of, is_flat
from samples.elections.calendar import EXTRACTED_ON, LAST_YEAR
from samples.elections.names import MEN, SURNAMES, WOMEN, frequencies

if TYPE_CHECKING:
    from typing import Any

    from numpy.random import Generator
    from numpy.typing import NDArray

    from samples.elections.places import County, State

BLOCK = 20_000
NEVER = np.datetime64("2100-01-01")

# The mess of the real thing. Each is a share of all voters of a state unless it says otherwise.
MOVED = 0.04  # moved within the state since 2012, to another address and county
MERGED = 0.01  # was registered under two ids until one was struck off; votes under the old id stay in the history
REREGISTERED = 0.01  # registered anew under a new id; the votes under the old one are lost
REMOVED = 0.05  # struck off since 2012: dead, gone to another state, convicted, or at their own wish
PREREGISTERED = 0.012  # of Florida's people at home: registered before the eighteenth birthday, too young to vote now
PROTECTED = 0.003  # whose address is kept out of the public file
BLANK_POSTCODE = 0.004  # whose postcode nobody keyed
LONG_POSTCODE = 0.1  # of Florida: whose postcode has nine digits
SUFFIX = 0.03  # of men: JR, SR, II, III, IV
SUFFIX_IN_LAST_NAME = 0.1  # of those with a suffix: keyed into the field of the last name
NO_MIDDLE_NAME = 0.15
UNKNOWN_GENDER = 0.03

DEMOCRAT, REPUBLICAN, UNAFFILIATED, LIBERTARIAN = range(4)
MAN, WOMAN, UNKNOWN = range(3)
# White, black, Hispanic, Asian, other, not stated: how they lean, above 0 towards candidate A.
RACE_LEANS = (-0.15, 0.9, 0.25, 0.2, 0.1, 0.0)
STORIES_SINCE = np.datetime64("2012-01-01")


@dataclass(frozen=True)
class Block:
    """People of one county; every array has one value per person.

    Parameters
    ----------
    state : State
    county : County
    county_number : int
        The county's place in the state.
    number : int
        Of the block in the county.
    serial : ndarray of int
        Unique in the county, the base of every id.
    household : ndarray of int
        Unique in the block.
    household_serial : ndarray of int
        Unique in the county, the base of the address.
    precinct, first, middle, last, suffix, gender, race, party, education : ndarray of int
        Places in lists; -1 where there is none.
    suffix_in_last_name, is_protected, has_postcode, is_preregistered, is_merged, is_reregistered : ndarray of bool
    lean : ndarray of float
        Political inclination: above 0 towards candidate A.
    choice : ndarray of int
        0 for candidate A, 1 for candidate B, 2 for another.
    born_on, registered_on : ndarray of datetime64[D]
        `registered_on` is the first registration, under whatever id.
    eligible_on : ndarray of datetime64[D]
        From when they may vote; later than the registration for those who registered too young.
    removed_on, moved_on : ndarray of datetime64[D]
        `NEVER` where nothing happened.
    id_since : ndarray of datetime64[D]
        When the id of today was given.
    old_county_number, removal_reason : ndarray of int
    """

    state: State
    county: County
    county_number: int
    number: int
    serial: NDArray[np.int64]
    household: NDArray[np.int64]
    household_serial: NDArray[np.int64]
    precinct: NDArray[np.int64]
    first: NDArray[np.int64]
    middle: NDArray[np.int64]
    last: NDArray[np.int64]
    suffix: NDArray[np.int64]
    suffix_in_last_name: NDArray[np.bool_]
    gender: NDArray[np.int64]
    race: NDArray[np.int64]
    party: NDArray[np.int64]
    lean: NDArray[np.float64]
    choice: NDArray[np.int64]
    education: NDArray[np.int64]
    born_on: NDArray[np.datetime64]
    registered_on: NDArray[np.datetime64]
    eligible_on: NDArray[np.datetime64]
    removed_on: NDArray[np.datetime64]
    removal_reason: NDArray[np.int64]
    moved_on: NDArray[np.datetime64]
    old_county_number: NDArray[np.int64]
    id_since: NDArray[np.datetime64]
    is_merged: NDArray[np.bool_]
    is_reregistered: NDArray[np.bool_]
    is_preregistered: NDArray[np.bool_]
    is_protected: NDArray[np.bool_]
    has_postcode: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.serial)

    @property
    def birth_year(self) -> NDArray[np.int64]:
        """The year of birth."""
        return np.asarray(self.born_on.astype("datetime64[Y]").astype(np.int64) + 1970)

    @property
    def has_moved(self) -> NDArray[np.bool_]:
        """Who moved to the present address from another county of the state."""
        return np.asarray(self.moved_on < NEVER)


def county_leans(state: State, seed: int) -> NDArray[np.float64]:
    """Return how each county of a state leans: above 0 towards candidate A."""
    random = np.random.default_rng([seed, state.number, 102])
    return np.asarray(random.normal(0.0, 0.4, len(state.counties)))


def populate(state: State, county_number: int, number: int, size: int, seed: int) -> Block:
    """Return the people of one block.

    Parameters
    ----------
    state : State
    county_number : int
        The county's place in the state.
    number : int
        Of the block in the county, from 0.
    size : int
        How many people, at most `BLOCK`.
    seed : int
    """
    random = np.random.default_rng([seed, state.number, county_number, number, 1])
    county = state.counties[county_number]
    sizes = random.choice([1, 2, 3, 4], size=size, p=[0.38, 0.40, 0.14, 0.08])
    household = np.repeat(np.arange(size), sizes)[:size]
    households = int(household[-1]) + 1
    position = np.arange(size) - np.searchsorted(household, np.arange(households))[household]

    age, is_preregistered = _ages(random, state, household, position)
    born_on = EXTRACTED_ON - np.floor(age * 365.25).astype(np.int64) - 1
    named = _names(random, household, position)
    registered_on = _registrations(random, born_on, is_preregistered)
    happened = _stories(random, state, county_number, age, registered_on, is_preregistered)
    politics = _politics(random, state, county_number, age, household, seed)

    precinct = random.choice(county.precincts, size=households, p=frequencies(county.precincts, 6.0))
    # All flats of a house lie in one precinct.
    serials = number * BLOCK + np.arange(households)
    precinct = np.where(is_flat(serials), precinct[house_of(serials) - number * BLOCK], precinct)
    return Block(
        state=state,
        county=county,
        county_number=county_number,
        number=number,
        serial=number * BLOCK + np.arange(size),
        household=household,
        household_serial=number * BLOCK + household,
        precinct=precinct[household],
        born_on=born_on,
        registered_on=registered_on,
        eligible_on=np.where(is_preregistered, NEVER, registered_on),
        is_preregistered=is_preregistered,
        suffix_in_last_name=(random.random(size) < SUFFIX_IN_LAST_NAME) & (named["suffix"] >= 0),
        is_protected=random.random(size) < PROTECTED,
        has_postcode=random.random(size) >= BLANK_POSTCODE,
        **named,
        **happened,
        **politics,
    )


def _ages(
    random: Generator, state: State, household: NDArray[np.int64], position: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return ages in years, and who is registered too young.

    The head of a household comes first, then somebody of about the same age, then grown children.
    """
    size, households = len(household), int(household[-1]) + 1
    head = 22 + 72 * random.beta(1.6, 2.0, households)
    head = np.where(random.random(households) < 0.12, 18 + 10 * random.random(households), head)[household]
    partner = head + random.normal(0, 4, size)
    child = head - random.uniform(20, 36, size)
    child = np.where(child < 18, 18 + 12 * random.random(size), child)
    is_child = (position > 1) | ((position == 1) & (random.random(size) < 0.15))
    age = np.where(position == 0, head, np.where(is_child, child, partner))
    age = np.where(age < 18.1, 18.1 + (18.1 - age) % 12, np.minimum(age, 101.0))
    if state.code != "FL":
        return age, np.zeros(size, bool)
    is_preregistered = (random.random(size) < PREREGISTERED) & (position > 0)
    return np.where(is_preregistered, 16.5 + 1.2 * random.random(size), age), is_preregistered


def _names(random: Generator, household: NDArray[np.int64], position: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return names and genders. Most households share a surname; a suffix belongs to men."""
    size = len(household)
    gender = np.where(random.random(size) < 0.53, WOMAN, MAN)
    of_head = gender[np.arange(size) - position]
    gender = np.where((position == 1) & (random.random(size) < 0.9), 1 - of_head, gender)
    women = random.choice(len(WOMEN), size=(2, size), p=frequencies(len(WOMEN)))
    men = random.choice(len(MEN), size=(2, size), p=frequencies(len(MEN))) + len(WOMEN)
    first, middle = np.where(gender == WOMAN, women, men)
    surnames = random.choice(len(SURNAMES), size=(2, size), p=frequencies(len(SURNAMES), 25.0))
    shares_surname = (position == 0) | (random.random(size) < 0.82)
    has_suffix = (random.random(size) < SUFFIX) & (gender == MAN)
    return {
        "first": first,
        "middle": np.where(random.random(size) < NO_MIDDLE_NAME, -1, middle),
        "last": np.where(shares_surname, surnames[0][household], surnames[1]),
        "suffix": np.where(has_suffix, random.choice(5, size=size, p=[0.6, 0.2, 0.05, 0.12, 0.03]), -1),
        "gender": np.where(random.random(size) < UNKNOWN_GENDER, UNKNOWN, gender),
    }


def _registrations(
    random: Generator, born_on: NDArray[np.datetime64], is_preregistered: NDArray[np.bool_]
) -> NDArray[np.datetime64]:
    """Return the days of first registration: at eighteen, on moving in, or before a presidential election."""
    size = len(born_on)
    eighteen_on = born_on + 18 * 365 + 5
    days = (EXTRACTED_ON - eighteen_on).astype(np.int64)
    moved_in = eighteen_on + np.floor(days * random.random(size) ** 0.9).astype(np.int64)
    year = moved_in.astype("datetime64[Y]").astype(np.int64) + 1970
    january = (np.minimum(year + (-year) % 4, LAST_YEAR) - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    before_election = january + random.integers(200, 282, size)
    hurries = (random.random(size) < 0.25) & (before_election < EXTRACTED_ON)
    registered_on = np.where(hurries, before_election, moved_in)
    at_eighteen = eighteen_on + np.floor(random.exponential(200.0, size)).astype(np.int64)
    is_early = (random.random(size) < 0.45) & (at_eighteen < EXTRACTED_ON)
    registered_on = np.where(is_early, at_eighteen, registered_on)
    registered_on = np.clip(registered_on, eighteen_on, EXTRACTED_ON - 1)
    return np.where(is_preregistered, EXTRACTED_ON - random.integers(10, 300, size), registered_on)


def _stories(
    random: Generator,
    state: State,
    county_number: int,
    age: NDArray[np.float64],
    registered_on: NDArray[np.datetime64],
    is_preregistered: NDArray[np.bool_],
) -> dict[str, NDArray[Any]]:
    """Return what happened to each registration since 2012; nobody has more than one story."""
    size = len(age)
    recent = np.maximum(registered_on, STORIES_SINCE)
    days = (EXTRACTED_ON - recent).astype(np.int64)
    happened_on = recent + 1 + np.floor(days * random.random(size)).astype(np.int64)
    may = ~is_preregistered & (happened_on < EXTRACTED_ON)
    story = np.where(may, np.searchsorted(np.cumsum([MOVED, MERGED, REREGISTERED]), random.random(size), "right"), -1)
    # Most of those who are struck off have died: the old more often, all others at every age alike.
    is_old = age > 75
    is_removed = (story == 3) & (random.random(size) < np.where(is_old, 3.0, 0.75) * REMOVED)
    has_died = random.random(size) < np.where(is_old, 0.85, 0.25)
    has_new_id = (story == 1) | (story == 2)
    return {
        "moved_on": np.where(story == 0, happened_on, NEVER),
        "old_county_number": (county_number + random.integers(1, len(state.counties), size)) % len(state.counties),
        "is_merged": story == 1,
        "is_reregistered": story == 2,
        "id_since": np.where(has_new_id, happened_on, registered_on),
        "removed_on": np.where(is_removed, happened_on, NEVER),
        "removal_reason": np.where(has_died, 0, random.integers(1, 4, size)),
    }


def _politics(
    random: Generator,
    state: State,
    county_number: int,
    age: NDArray[np.float64],
    household: NDArray[np.int64],
    seed: int,
) -> dict[str, NDArray[Any]]:
    """Return inclinations, parties and choices: place, age, origin, education and household pull at them."""
    size, households = len(age), int(household[-1]) + 1
    race = random.choice(len(RACE_LEANS), size=households, p=_race_shares(state))[household]
    race = np.where(random.random(size) < 0.08, len(RACE_LEANS) - 1, race)
    education = np.clip(random.binomial(3, 0.42, size) + (age > 26) * (random.random(size) < 0.15), 0, 3)
    lean = (
        county_leans(state, seed)[county_number]
        + np.array(RACE_LEANS)[race]
        - 0.025 * (age - 50)
        + 0.35 * (education - 1.3)
        + 0.6 * random.normal(0, 1, households)[household]
        + 0.8 * random.normal(0, 1, size)
    )
    shown = lean + random.normal(0, 0.6, size)
    party = np.where(shown > 0.4, DEMOCRAT, np.where(shown < -0.4, REPUBLICAN, UNAFFILIATED))
    choice = np.where(lean + random.normal(0, 0.4, size) > 0, 0, 1)
    return {
        "race": race,
        "education": education,
        "lean": lean,
        "party": np.where(random.random(size) < 0.01, LIBERTARIAN, party),
        "choice": np.where(random.random(size) < 0.03, 2, choice),
    }


def _race_shares(state: State) -> list[float]:
    """Return the shares of white, black, Hispanic, Asian, other and not stated."""
    return {
        "FL": [0.60, 0.13, 0.19, 0.03, 0.03, 0.02],
        "WA": [0.74, 0.04, 0.09, 0.09, 0.02, 0.02],
        "OH": [0.80, 0.12, 0.03, 0.02, 0.01, 0.02],
    }.get(state.code, [0.66, 0.20, 0.05, 0.03, 0.03, 0.03])
