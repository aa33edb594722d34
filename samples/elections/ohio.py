"""Ohio: `SWVF`, registration and history in one file, in parts by county number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from samples.elections import cells, records
from samples.elections.addresses import addresses_of
from samples.elections.calendar import EXTRACTED_ON
from samples.elections.layouts import OH_DIALECT, OH_FIXED, Files
from samples.elections.names import GIVEN, SUFFIXES, SURNAMES
from samples.elections.people import DEMOCRAT, REPUBLICAN, Block

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from samples.elections.calendar import Election
    from samples.elections.turnout import Turnout

TABLE = "ohio/swvf"
ISSUES_ONLY = 0.06  # of the ballots of a primary: about issues, with no party


def ids(block: Block, person: NDArray[np.int64], has_old_id: NDArray[np.bool_]) -> pa.Array:
    """Return the `SOS_VOTERID` of each person."""
    number = 10_000_000 + block.county_number * records.IDS + records.id_number(block.serial[person], has_old_id)
    return cells.join("OH", cells.numbers(number, 10))


def append(files: Files, block: Block, turnout: Turnout, elections: list[Election], seed: int) -> None:
    """Append the people of a block to the file of their county's part."""
    rows = records.registrations(block, turnout, elections, EXTRACTED_ON, seed)
    rows = rows[rows.status != records.REMOVED]
    person = rows.person
    past = records.history(block, turnout, elections, seed)
    luck = np.random.default_rng([seed, block.state.number, block.county_number, block.number, 5])
    # A vote under an id that is gone stands in a row that is gone.
    kept = ~past.has_old_id
    voted = np.zeros(turnout.votes.shape, bool)
    voted[past.election[kept], past.person[kept]] = True
    ballots = np.where(records.primary_ballots(block) == DEMOCRAT, 1, 2)
    last_party = np.full(len(block), -1)
    columns: list[str] = []
    marks: dict[str, pa.Array | str] = {}
    for election in elections:
        if not election.is_published:
            continue
        is_primary = election.kind == "primary"
        party = np.where(luck.random(len(block)) < ISSUES_ONLY, 0, ballots) if is_primary else 0
        mark = np.where(voted[election.position], party, -1)
        if is_primary and election.year >= 2022:
            last_party = np.where(mark > 0, np.where(mark == 1, DEMOCRAT, REPUBLICAN), last_party)
        day = f"{str(election.date)[5:7]}/{str(election.date)[8:]}/{election.year}"
        name = f"{'PRIMARY' if is_primary else 'GENERAL'}-{day}"
        columns.append(name)
        marks[name] = cells.pick(("X", "D", "R"), mark[person])

    address = addresses_of(
        block.county, block.household_serial[person], block.precinct[person], block.has_postcode[person]
    )
    surnames, given = cells.plain(SURNAMES), cells.plain(GIVEN)
    suffix = cells.pick(SUFFIXES, block.suffix[person])
    in_last_name = block.suffix_in_last_name[person]
    last = cells.pick(surnames, block.last[person])
    number = int(block.county.code)
    precinct = cells.numbers(block.precinct[person] + 1, 2)
    unit = cells.choose(np.asarray(address.unit) != "", cells.join("APT ", address.unit), "")
    part = "1_44" if number <= 44 else "45_88"
    district = f"{1 + number % 15:02d}"
    files.append(
        TABLE,
        f"SWVF_{part}_{str(EXTRACTED_ON).replace('-', '')}.txt",
        OH_DIALECT,
        (*OH_FIXED, *columns),
        {
            "SOS_VOTERID": ids(block, person, rows.has_old_id),
            "COUNTY_NUMBER": f"{number:02d}",
            "COUNTY_ID": cells.numbers(1 + records.id_number(block.serial[person], rows.has_old_id)),
            "LAST_NAME": cells.choose(in_last_name, cells.words(last, suffix), last),
            "FIRST_NAME": cells.pick(given, block.first[person]),
            "MIDDLE_NAME": cells.pick(given, block.middle[person]),
            "SUFFIX": cells.choose(in_last_name, "", suffix),
            "DATE_OF_BIRTH": cells.dates(block.born_on[person], "%Y-%m-%d"),
            "REGISTRATION_DATE": cells.dates(rows.registered_on, "%Y-%m-%d"),
            "VOTER_STATUS": cells.pick(("ACTIVE", "CONFIRMATION"), rows.status),
            "PARTY_AFFILIATION": cells.pick(("D", "R"), last_party[person]),
            "RESIDENTIAL_ADDRESS1": address.line,
            "RESIDENTIAL_SECONDARY_ADDR": unit,
            "RESIDENTIAL_CITY": address.town,
            "RESIDENTIAL_STATE": block.state.code,
            "RESIDENTIAL_ZIP": address.postcode,
            "CITY": cells.join(address.town, " CITY"),
            "CONGRESSIONAL_DISTRICT": district,
            "COURT_OF_APPEALS": f"{1 + number % 12:02d}",
            "PRECINCT_NAME": cells.join("PRECINCT ", precinct),
            "PRECINCT_CODE": cells.join(f"{number:02d}", precinct),
            "STATE_BOARD_OF_EDUCATION": f"{1 + number % 11:02d}",
            "STATE_REPRESENTATIVE_DISTRICT": f"{1 + number % 99:02d}",
            "STATE_SENATE_DISTRICT": f"{1 + number % 33:02d}",
            **marks,
        },
    )
