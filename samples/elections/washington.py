"""Washington: registration and history of the whole state, dates in two formats within one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from samples.elections import cells, records
from samples.elections.addresses import addresses_of
from samples.elections.calendar import EXTRACTED_ON
from samples.elections.layouts import WA_DIALECT, WA_HISTORY, WA_VOTERS, Files
from samples.elections.names import GIVEN, SUFFIXES, SURNAMES
from samples.elections.people import MAN, WOMAN, Block

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from samples.elections.calendar import Election
    from samples.elections.turnout import Turnout

VOTERS, HISTORY = "washington/voters", "washington/vote_history"
ISO_DATES = 0.3  # of the rows; the others write mm/dd/yyyy


def ids(block: Block, person: NDArray[np.int64], has_old_id: NDArray[np.bool_]) -> pa.Array:
    """Return the `StateVoterID` of each person."""
    number = records.id_number(block.serial[person], has_old_id)
    return cells.numbers(1_000_000 + block.county_number * records.IDS + number)


def _dates(days: NDArray[np.datetime64], is_iso: NDArray[np.bool_]) -> pa.Array:
    return cells.choose(is_iso, cells.dates(days, "%Y-%m-%d"), cells.dates(days, "%m/%d/%Y"))


def append(files: Files, block: Block, turnout: Turnout, elections: list[Election], seed: int) -> None:
    """Append the people of a block to the two files of the state."""
    luck = np.random.default_rng([seed, block.state.number, block.county_number, block.number, 5])
    rows = records.registrations(block, turnout, elections, EXTRACTED_ON, seed)
    rows = rows[rows.status != records.REMOVED]
    person = rows.person
    past = records.history(block, turnout, elections, seed)
    last_vote = np.full(len(block), -1)
    np.maximum.at(last_vote, past.person[~past.has_old_id], past.election[~past.has_old_id])
    last_vote = last_vote[person]
    dates = np.array([e.date for e in elections])

    is_iso = luck.random(len(person)) < ISO_DATES
    address = addresses_of(
        block.county, block.household_serial[person], block.precinct[person], block.has_postcode[person]
    )
    suffix = cells.pick(SUFFIXES, block.suffix[person])
    in_last_name = block.suffix_in_last_name[person]
    last = cells.pick(SURNAMES, block.last[person])
    gender = block.gender[person]
    unit_type = cells.choose(np.asarray(address.unit) != "", "APT", "")
    precinct = cells.numbers(block.precinct[person] + 1, 4)
    files.append(
        VOTERS,
        f"{str(EXTRACTED_ON).replace('-', '')}_VRDB_Extract.txt",
        WA_DIALECT,
        WA_VOTERS,
        {
            "StateVoterID": ids(block, person, rows.has_old_id),
            "Title": cells.pick(("Mr", "Ms", ""), np.where(person % 5 == 0, np.where(gender == MAN, 0, 1), 2)),
            "FName": cells.pick(GIVEN, block.first[person]),
            "MName": cells.pick(GIVEN, block.middle[person]),
            "LName": cells.choose(in_last_name, cells.words(last, suffix), last),
            "NameSuffix": cells.choose(in_last_name, "", suffix),
            "Birthdate": _dates(block.born_on[person], is_iso),
            "Gender": cells.pick(("M", "F", "U"), np.where((gender == MAN) | (gender == WOMAN), gender, 2)),
            "RegStNum": address.number,
            "RegStName": address.street,
            "RegStType": address.type,
            "RegUnitType": unit_type,
            "RegStPreDirection": address.direction,
            "RegUnitNum": address.unit,
            "RegCity": address.town,
            "RegState": block.state.code,
            "RegZipCode": address.postcode,
            "CountyCode": block.county.code,
            "PrecinctCode": precinct,
            "LegislativeDistrict": f"{1 + block.county_number * 5 % 49}",
            "CongressionalDistrict": f"{1 + block.county_number}",
            "Registrationdate": _dates(rows.registered_on, is_iso),
            "LastVoted": cells.choose(last_vote < 0, "", cells.dates(dates[last_vote], "%Y%m%d")),
            "StatusCode": cells.pick(("A", "I"), rows.status),
        },
    )

    # The number of a row: unique in the state, as no block has more rows than this.
    first = (block.county_number * 1_000 + block.number) * 1_000_000
    is_repeated = past.copy == records.REPEATED
    row = np.arange(len(past))
    original = np.zeros(turnout.votes.shape, np.int64)
    original[past.election[past.copy == 0], past.person[past.copy == 0]] = row[past.copy == 0]
    row = np.where(is_repeated, original[past.election, past.person], row)
    # The same vote under another name is here the same date in the other format.
    iso_election = luck.random(len(past)) < ISO_DATES
    iso_election = np.where(past.copy == 0, iso_election, iso_election[original[past.election, past.person]])
    iso_election ^= past.copy == records.RENAMED
    codes = [c.code for c in block.state.counties]
    files.append(
        HISTORY,
        f"{str(EXTRACTED_ON).replace('-', '')}_VotingHistory_Extract.txt",
        WA_DIALECT,
        WA_HISTORY,
        {
            "VoterHistoryID": cells.numbers(first + row + 1),
            "CountyCode": block.county.code,
            "CountyCode_Voting": cells.pick(
                codes, np.where(past.is_elsewhere, block.old_county_number[past.person], block.county_number)
            ),
            "StateVoterID": ids(block, past.person, past.has_old_id),
            "ElectionDate": _dates(dates[past.election], iso_election),
        },
    )
