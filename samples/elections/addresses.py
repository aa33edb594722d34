"""Street addresses: different households of a county have different ones, flats of a house share its number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from samples.elections import cells
from samples.elections.places import TOWNS, County

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


STREETS = _words(
    """
MAIN OAK PINE MAPLE CEDAR ELM WASHINGTON LAKE HILL WALNUT SPRING NORTH RIDGE CHURCH WILLOW MILL SUNSET RAILROAD
JACKSON CHERRY WEST HIGHLAND FOREST JEFFERSON CENTER RIVER MEADOW FRANKLIN LINCOLN POPLAR LOCUST DOGWOOD MAGNOLIA
SYCAMORE HICKORY BIRCH ASPEN JUNIPER LAUREL ROSEWOOD PARK COLLEGE GROVE GARDEN ORCHARD VINEYARD PRAIRIE VALLEY CANYON
SUMMIT HARBOR BEACH BAYVIEW SHORE ISLAND HERON FALCON EAGLE ROBIN CARDINAL FOX DEER BEAR WOLF STONE QUARRY COPPER
SILVER GOLDEN AMBER CRYSTAL GRANITE SLATE MARBLE KINGS QUEENS REGENT CASTLE ABBEY CANTERBURY WINDSOR BRISTOL OXFORD
CAMBRIDGE DOVER ESSEX DEVON COVENTRY LANCASTER YORK CHESTER HAMPTON SOMERSET
"""
)
TYPES = ("ST", "AVE", "DR", "RD", "LN", "CT", "WAY", "PL")
DIRECTIONS = ("", "N", "S", "E", "W")
IN_FLATS = 0.2  # of the households
FLATS = 10  # in a house; a divisor of the size of a block, so that a house stands in one block

_HOUSES = len(STREETS) * len(TYPES) * 9_000
# Has no divisor in common with the number of houses, so that no two households get the same house.
_SCATTER = 1_299_709
# Where the serials of former addresses begin; above those of all households of a county.
FORMER = 3_000_000


@dataclass(frozen=True)
class Addresses:
    """Addresses as cells; every array has one value per person."""

    number: pa.Array
    direction: pa.Array
    street: pa.Array
    type: pa.Array
    unit: pa.Array
    town: pa.Array
    postcode: pa.Array

    @property
    def line(self) -> pa.Array:
        """The number and the street, without the flat."""
        return cells.words(self.number, self.direction, self.street, self.type)


def is_flat(household: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether a household serial lives in a house of flats: one row of ten serials in five does."""
    row = household // FLATS
    return np.asarray((row * 7 + row // 5 + 3) % 10 < IN_FLATS * 10)


def house_of(household: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first household serial of the house of flats of each serial."""
    return household // FLATS * FLATS


def addresses_of(
    county: County, household: NDArray[np.int64], precinct: NDArray[np.int64], has_postcode: NDArray[np.bool_]
) -> Addresses:
    """Return the address of each household serial of a county."""
    flats = is_flat(household)
    house = (np.where(flats, house_of(household), household) + 1) * _SCATTER % _HOUSES
    lane = house % (len(STREETS) * len(TYPES))
    street, type_ = lane % len(STREETS), lane // len(STREETS)
    return Addresses(
        number=cells.numbers(100 + house // (len(STREETS) * len(TYPES))),
        direction=cells.pick(DIRECTIONS, np.where(street % 3 == 0, lane % len(DIRECTIONS), 0)),
        street=cells.pick(STREETS, street),
        type=cells.pick(TYPES, type_),
        unit=cells.choose(flats, cells.numbers(household % FLATS + 1), ""),
        town=cells.pick(TOWNS, county.town_of(precinct)),
        postcode=cells.choose(has_postcode, cells.numbers(county.postcode_of(precinct), 5), ""),
    )
