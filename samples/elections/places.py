"""The four states: their counties with the codes of the files, precincts, postcodes and towns.

Names and codes of states and counties are real; towns, postcodes within a county and precincts are invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOWNS = (
    "FAIRVIEW", "OAKDALE", "RIVERTON", "MILL CREEK", "LAKESIDE", "HILLCREST", "CEDAR GROVE", "PINE RIDGE", "ASHBROOK",
    "STONEFIELD", "MAPLEWOOD", "WESTBURY", "NORTHGATE", "EASTHAVEN", "SOUTHPORT BAY", "CLEARWELL", "GREEN VALLEY",
    "BROOKSTONE", "SUMMERTON", "WINTERHAVEN", "KINGSFORD", "QUEENSTOWN", "HARBOR POINT", "MEADOWBROOK", "ELM SPRINGS",
    "SILVER FALLS", "COPPER HILL", "FOX HOLLOW", "DEER PARK", "EAGLE BEND", "HERON COVE", "SWAN LAKE", "BIRCHWOOD",
    "WALNUT GAP", "HAZELTON", "THORNBURY", "ROSEMONT", "LAUREL SPRINGS", "IVYDALE", "CLOVERFIELD",
)  # fmt: skip


@dataclass(frozen=True)
class County:
    """A county.

    Parameters
    ----------
    code : str
        As the state's file writes it.
    name : str
        In capitals.
    share : float
        Of the state's voters.
    postcodes : str
        The first three digits of its postcodes.
    """

    code: str
    name: str
    share: float
    postcodes: str

    @property
    def precincts(self) -> int:
        """How many precincts it has: the larger the county, the more."""
        return 6 + round(120 * self.share)

    def postcode_of(self, precinct: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the postcode as a number; about three precincts share one."""
        return int(self.postcodes) * 100 + 1 + (precinct // 3) * 3

    def town_of(self, precinct: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place in `TOWNS`; about six precincts share a town."""
        return (int(self.postcodes) * 7 + precinct // 6) % len(TOWNS)


@dataclass(frozen=True)
class State:
    """A state.

    Parameters
    ----------
    number : int
        Of the state in the seeds of its random numbers: the order of the states may change, this may not.
    code : str
        Two letters.
    source : str
        The dbt source of its files.
    share : float
        Of all voters.
    registers_party : bool
        Whether people register with a party.
    closes_days_before : int
        How long before an election its registration closes. None closes before the as-of date of a prediction.
    counties : tuple of County
        In the order of the file.
    """

    number: int
    code: str
    source: str
    share: float
    registers_party: bool
    closes_days_before: int
    counties: tuple[County, ...]


def _counties(*rows: tuple[str, str, float, str]) -> tuple[County, ...]:
    return tuple(County(*row) for row in rows)


NORTH_CAROLINA = State(
    1, "NC", "north_carolina", 0.30, True, 25,
    _counties(
        ("1", "ALAMANCE", 0.06, "272"), ("11", "BUNCOMBE", 0.09, "287"), ("26", "CUMBERLAND", 0.09, "283"),
        ("32", "DURHAM", 0.10, "277"), ("41", "GUILFORD", 0.14, "274"), ("60", "MECKLENBURG", 0.20, "282"),
        ("65", "NEW HANOVER", 0.07, "284"), ("74", "PITT", 0.05, "278"), ("92", "WAKE", 0.18, "276"),
        ("97", "WILKES", 0.02, "286"),
    ),
)  # fmt: skip
OHIO = State(
    2, "OH", "ohio", 0.30, False, 28,
    _counties(
        ("5", "ATHENS", 0.02, "457"), ("9", "BUTLER", 0.09, "450"), ("18", "CUYAHOGA", 0.21, "441"),
        ("25", "FRANKLIN", 0.20, "432"), ("31", "HAMILTON", 0.14, "452"), ("43", "LAKE", 0.06, "440"),
        ("48", "LUCAS", 0.08, "436"), ("57", "MONTGOMERY", 0.09, "454"), ("77", "SUMMIT", 0.09, "443"),
        ("84", "WASHINGTON", 0.02, "458"),
    ),
)  # fmt: skip
FLORIDA = State(
    3, "FL", "florida", 0.25, True, 28,
    _counties(
        ("ALA", "ALACHUA", 0.05, "326"), ("BRO", "BROWARD", 0.18, "333"), ("DAD", "MIAMI-DADE", 0.20, "331"),
        ("DUV", "DUVAL", 0.10, "322"), ("HIL", "HILLSBOROUGH", 0.13, "336"), ("LEO", "LEON", 0.04, "323"),
        ("MON", "MONROE", 0.02, "330"), ("ORA", "ORANGE", 0.11, "328"), ("PAL", "PALM BEACH", 0.10, "334"),
        ("PIN", "PINELLAS", 0.07, "337"),
    ),
)  # fmt: skip
WASHINGTON = State(
    4, "WA", "washington", 0.15, False, 8,
    _counties(
        ("BE", "BENTON", 0.05, "993"), ("CR", "CLARK", 0.10, "986"), ("IS", "ISLAND", 0.03, "982"),
        ("KI", "KING", 0.32, "981"), ("KP", "KITSAP", 0.06, "983"), ("PI", "PIERCE", 0.16, "984"),
        ("SN", "SNOHOMISH", 0.12, "980"), ("SP", "SPOKANE", 0.09, "992"), ("TH", "THURSTON", 0.04, "985"),
        ("YA", "YAKIMA", 0.03, "989"),
    ),
)  # fmt: skip
STATES = (NORTH_CAROLINA, OHIO, FLORIDA, WASHINGTON)

# A fifth state, whose file tests put in the place of another's.
IOWA = State(
    5, "IA", "iowa", 0.0, True, 15,
    _counties(
        ("7", "BLACK HAWK", 0.2, "507"), ("52", "JOHNSON", 0.3, "522"), ("77", "POLK", 0.5, "503"),
    ),
)  # fmt: skip
