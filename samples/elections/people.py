"""The people of a block: households, ages, names, parties, and what happened to their registration.

A block is at most 20,000 voters of one county and is made on its own, from nothing but the seed and its place. So
memory does not grow with the electorate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from samples.elections.addresses import house_of, is_flat
from samples.elections.calendar import EXTRACTED_ON
from samples.elections.names import MEN, SURNAMES, WOMEN, frequencies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from samples.elections.places import County, State

BLOCK = 20_000
NEVER = np.datetime64("2100-01-01")

# The mess of the real thing. Each is a share of all voters of a state unless it says otherwise.
MOVED = 0.04  # moved within the state since 2012, to another address and county
MERGED = 0.01  # was registered under two ids until one was struck off; votes under the old id stay in the history
REREGISTERED = 0.01  # registered anew under a new id; the votes under the old one are lost
REMOVED = 0.05  # struck off since 2012: dead, gone to another state, convicted, or at their own wish
PREREGISTERED = 0.007  # of Florida: registered before the eighteenth birthday, and too young for the next election
PROTECTED = 0.003  # whose address is kept out of the public file
BLANK_POSTCODE = 0.004  # whose postcode nobody keyed
SUFFIX = 0.03  # of men: JR, SR, II, III, IV
SUFFIX_IN_LAST_NAME = 0.1  # of those with a suffix: keyed into the field of the last name
NO_MIDDLE_NAME = 0.15
UNKNOWN_GENDER = 0.03

DEMOCRAT, REPUBLICAN, UNAFFILIATED, LIBERTARIAN = range(4)
MAN, WOMAN, UNKNOWN = range(3)
RACES = 6  # white, black, Hispanic, Asian, other, not stated
PREREGISTRATION_BORN_AFTER = np.datetime64("2006-11-05")  # not yet 18 on the day of the upcoming election
MERGES_AND_MOVES_SINCE = np.datetime64("2012-01-01")


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

    @property
    def is_removed(self) -> NDArray[np.bool_]:
        """Who is struck off on the day of the files."""
        return np.asarray(self.removed_on <= EXTRACTED_ON)


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

    def share(probability: float) -> NDArray[np.bool_]:
        return np.asarray(random.random(size) < probability)

    sizes = random.choice([1, 2, 3, 4], size=size, p=[0.38, 0.40, 0.14, 0.08])
    household = np.repeat(np.arange(size), sizes)[:size]
    households = int(household[-1]) + 1
    first_of_household = np.searchsorted(household, np.arange(households))
    position = np.arange(size) - first_of_household[household]

    # Ages: the head of a household first, then somebody of about the same age, then grown children or parents.
    head_age = 22 + 72 * random.beta(1.6, 2.0, households)
    head_age = np.where(random.random(households) < 0.12, 18 + 10 * random.random(households), head_age)[household]
    partner_age = head_age + random.normal(0, 4, size)
    child_age = head_age - random.uniform(20, 36, size)
    child_age = np.where(child_age < 18, 18 + 12 * random.random(size), child_age)
    age = np.where(position == 0, head_age, np.where(position == 1, partner_age, child_age))
    age = np.where((position == 1) & share(0.15), child_age, age)
    age = np.clip(age, 18.0, 101.0)
    is_preregistered = share(PREREGISTERED) & (position > 0) if state.code == "FL" else np.zeros(size, bool)
    age = np.where(is_preregistered, 16.5 + 1.2 * random.random(size), age)
    born_on = EXTRACTED_ON - np.floor(age * 365.25).astype(np.int64) - 1
    eighteen_on = born_on + 18 * 365 + 5

    # Names. Most households share a surname; a suffix belongs to men.
    gender = np.where(random.random(size) < 0.53, WOMAN, MAN)
    gender = np.where((position == 1) & (random.random(size) < 0.9), 1 - gender[first_of_household][household], gender)
    women = random.choice(len(WOMEN), size=(2, size), p=frequencies(len(WOMEN)))
    men = random.choice(len(MEN), size=(2, size), p=frequencies(len(MEN))) + len(WOMEN)
    first, middle = np.where(gender == WOMAN, women, men)
    middle = np.where(share(NO_MIDDLE_NAME), -1, middle)
    surnames = random.choice(len(SURNAMES), size=(2, size), p=frequencies(len(SURNAMES), 25.0))
    last = np.where((position == 0) | (random.random(size) < 0.82), surnames[0][household], surnames[1])
    suffix = np.where(share(SUFFIX) & (gender == MAN), random.choice(5, size=size, p=[0.6, 0.2, 0.05, 0.12, 0.03]), -1)
    gender = np.where(share(UNKNOWN_GENDER), UNKNOWN, gender)

    # Registration: many at eighteen, the others when they moved in or before a presidential election.
    years = np.arange(1980, 2025)
    may_register_on = np.maximum(eighteen_on, np.datetime64("1972-01-01"))
    until = (EXTRACTED_ON - may_register_on).astype(np.int64)
    later = may_register_on + np.floor(until * random.random(size) ** 0.9).astype(np.int64)
    year = later.astype("datetime64[Y]").astype(np.int64) + 1970
    presidential = np.minimum(year + (-year) % 4, years[-1])
    before_election = (presidential - 1970).astype("datetime64[Y]").astype("datetime64[D]") + random.integers(
        200, 282, size
    )
    registered_on = np.where(share(0.35), before_election, later)
    at_eighteen = may_register_on + np.floor(random.exponential(200.0, size)).astype(np.int64)
    registered_on = np.where(share(0.45), at_eighteen, registered_on)
    registered_on = np.clip(registered_on, may_register_on, EXTRACTED_ON - 1)
    registered_on = np.where(is_preregistered, EXTRACTED_ON - random.integers(10, 300, size), registered_on)
    eligible_on = np.where(is_preregistered, NEVER, registered_on)

    # What happened to the registration. Nobody has more than one of these stories.
    story = random.random(size)
    recent = np.maximum(registered_on, MERGES_AND_MOVES_SINCE)
    happened_on = recent + 1 + np.floor((EXTRACTED_ON - recent).astype(np.int64) * random.random(size)).astype(np.int64)
    may = ~is_preregistered & (happened_on < EXTRACTED_ON)
    edges = np.cumsum([MOVED, MERGED, REREGISTERED])
    has_moved = may & (story < edges[0])
    is_merged = may & (story >= edges[0]) & (story < edges[1])
    is_reregistered = may & (story >= edges[1]) & (story < edges[2])
    # The old die more often; all others leave at every age alike.
    leaves = np.where(age > 75, 3.0, 0.75) * REMOVED
    is_removed = may & (story >= edges[2]) & (random.random(size) < leaves)
    other_county = random.integers(1, len(state.counties), size)
    dead = random.random(size) < np.where(age > 75, 0.85, 0.25)

    # Politics: the county, the age, the origin and the household pull; the rest is one's own.
    race = random.choice(RACES, size=households, p=_race_shares(state))[household]
    race = np.where(share(0.08), 5, race)
    education = np.clip(random.binomial(3, 0.42, size) + (age > 26) * share(0.15), 0, 3)
    lean = (
        county_leans(state, seed)[county_number]
        + np.array([-0.15, 0.9, 0.25, 0.2, 0.1, 0.0])[race]
        - 0.012 * (age - 50)
        + 0.18 * (education - 1.3)
        + 0.6 * random.normal(0, 1, households)[household]
        + 0.8 * random.normal(0, 1, size)
    )
    shown = lean + random.normal(0, 0.6, size)
    party = np.where(shown > 0.4, DEMOCRAT, np.where(shown < -0.4, REPUBLICAN, UNAFFILIATED))
    party = np.where(share(0.01), LIBERTARIAN, party)
    choice = np.where(lean + random.normal(0, 0.4, size) > 0, 0, 1)
    choice = np.where(share(0.03), 2, choice)

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
        first=first,
        middle=middle,
        last=last,
        suffix=suffix,
        suffix_in_last_name=share(SUFFIX_IN_LAST_NAME) & (suffix >= 0),
        gender=gender,
        race=race,
        party=party,
        lean=lean,
        choice=choice,
        education=education,
        born_on=born_on,
        registered_on=registered_on,
        eligible_on=eligible_on,
        removed_on=np.where(is_removed, happened_on, NEVER),
        removal_reason=np.where(dead, 0, random.integers(1, 4, size)),
        moved_on=np.where(has_moved, happened_on, NEVER),
        old_county_number=(county_number + other_county) % len(state.counties),
        id_since=np.where(is_merged | is_reregistered, happened_on, registered_on),
        is_merged=is_merged,
        is_reregistered=is_reregistered,
        is_preregistered=is_preregistered,
        is_protected=share(PROTECTED),
        has_postcode=~share(BLANK_POSTCODE),
    )


def _race_shares(state: State) -> list[float]:
    """Return the shares of white, black, Hispanic, Asian, other and not stated."""
    return {
        "FL": [0.60, 0.13, 0.19, 0.03, 0.03, 0.02],
        "WA": [0.74, 0.04, 0.09, 0.09, 0.02, 0.02],
        "OH": [0.80, 0.12, 0.03, 0.02, 0.01, 0.02],
    }.get(state.code, [0.66, 0.20, 0.05, 0.03, 0.03, 0.03])
