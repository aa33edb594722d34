"""Florida: registration and history, each in one file a county, without headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from samples.elections import cells, records
from samples.elections.addresses import addresses_of
from samples.elections.calendar import EXTRACTED_ON
from samples.elections.layouts import FL_DIALECT, FL_HISTORY, FL_VOTERS, Files
from samples.elections.names import GIVEN, SUFFIXES, SURNAMES
from samples.elections.people import LONG_POSTCODE, NEVER

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from samples.elections.calendar import Election
    from samples.elections.people import Block
    from samples.elections.turnout import Turnout

VOTERS, HISTORY = "florida/voters", "florida/vote_history"
# The history also holds some who did not vote, or whose ballot was not counted. Shares of all who did not vote.
TOLD_NOT_VOTED = 0.01  # vote_type N
MAIL_NOT_COUNTED = 0.002  # vote_type B
PROVISIONAL_NOT_COUNTED = 0.001  # vote_type P
# Counties whose office writes the dates of elections as 08-Nov-2022.
MONTHS_IN_LETTERS = ("LEO", "PIN")


def ids(block: Block, person: NDArray[np.int64], has_old_id: NDArray[np.bool_]) -> pa.Array:
    """Return the `Voter_ID` of each person."""
    number = records.id_number(block.serial[person], has_old_id)
    return cells.numbers(100_000_000 + block.county_number * records.IDS + number)


def append(files: Files, block: Block, turnout: Turnout, elections: list[Election], seed: int) -> None:
    """Append the people of a block to the two files of their county."""
    rows = records.registrations(block, turnout, elections, EXTRACTED_ON, seed)
    rows = rows[rows.status != records.REMOVED]
    person = rows.person
    address = addresses_of(
        block.county, block.household_serial[person], block.precinct[person], block.has_postcode[person]
    )
    surnames, given = cells.plain(SURNAMES), cells.plain(GIVEN)
    suffix = cells.pick(SUFFIXES, block.suffix[person])
    in_last_name = block.suffix_in_last_name[person]
    last = cells.pick(surnames, block.last[person])
    hidden = block.is_protected[person]
    unit = cells.choose(np.asarray(address.unit) != "", cells.join("APT ", address.unit), "")
    luck = np.random.default_rng([seed, block.state.number, block.county_number, block.number, 7])
    is_long = (luck.random(len(person)) < LONG_POSTCODE) & block.has_postcode[person]
    last_four = cells.numbers(1_000 + block.household_serial[person] % 9_000)
    postcode = cells.join(address.postcode, cells.choose(is_long, last_four, ""))
    day = str(EXTRACTED_ON).replace("-", "")
    precinct = cells.numbers(block.precinct[person] + 1, 3)
    district = cells.numbers(1 + block.precinct[person] % 5)
    files.append(
        VOTERS,
        f"{block.county.code}_{day}.txt",
        FL_DIALECT,
        FL_VOTERS,
        {
            "County_Code": block.county.code,
            "Voter_ID": ids(block, person, rows.has_old_id),
            "Name_Last": cells.choose(in_last_name, cells.words(last, suffix), last),
            "Name_Suffix": cells.choose(in_last_name, "", suffix),
            "Name_First": cells.pick(given, block.first[person]),
            "Name_Middle": cells.pick(given, block.middle[person]),
            "Requested_public_records_exemption": cells.choose(hidden, "Y", "N"),
            "Residence_Address_Line_1": cells.choose(hidden, "*", address.line),
            "Residence_Address_Line_2": cells.choose(hidden, "*", unit),
            "Residence_City": cells.choose(hidden, "*", address.town),
            "Residence_State": cells.choose(hidden, "*", block.state.code),
            "Residence_Zipcode": cells.choose(hidden, "*", postcode),
            "Gender": cells.pick(("M", "F", "U"), block.gender[person]),
            # 1 American Indian, 2 Asian, 3 black, 4 Hispanic, 5 white, 6 other, 7 several, 9 unknown.
            "Race": cells.pick(("5", "3", "4", "2", "6", "9"), block.race[person]),
            "Birth_Date": cells.dates(block.born_on[person], "%m/%d/%Y"),
            "Registration_Date": cells.dates(rows.registered_on, "%m/%d/%Y"),
            "Party_Affiliation": cells.pick(("DEM", "REP", "NPA", "LPF"), block.party[person]),
            "Precinct": precinct,
            "Voter_Status": cells.pick(("ACT", "INA", "", "PRE"), rows.status),
            "Congressional_District": f"{1 + block.county_number * 2 % 28}",
            "House_District": f"{1 + block.county_number * 11 % 120}",
            "Senate_District": f"{1 + block.county_number * 3 % 40}",
            "County_Commission_District": district,
            "School_Board_District": district,
        },
    )
    _append_history(files, block, turnout, elections, seed)


def _append_history(files: Files, block: Block, turnout: Turnout, elections: list[Election], seed: int) -> None:
    past = records.history(block, turnout, elections, seed)
    luck = np.random.default_rng([seed, block.state.number, block.county_number, block.number, 5])
    counted = (block.serial[past.person] * 7 + past.election * 13) % 11 % 3

    # Those who did not vote, under the id of today.
    published = np.array([e.position for e in elections if e.is_published])
    closes_on = np.array([e.closes_on for e in elections])
    missed = turnout.registered[published] & ~turnout.votes[published]
    missed &= block.id_since[None, :] <= closes_on[published][:, None]
    told = luck.random(missed.shape)
    edges = np.cumsum([TOLD_NOT_VOTED, MAIL_NOT_COUNTED, PROVISIONAL_NOT_COUNTED])
    row, absent = np.nonzero(missed & (told < edges[-1]))
    reason = 3 + np.searchsorted(edges, told[row, absent], side="right")

    election = np.concatenate([past.election, published[row]])
    person = np.concatenate([past.person, absent])
    has_old_id = np.concatenate([past.has_old_id, np.zeros(len(row), bool)])
    is_renamed = np.concatenate([past.copy == records.RENAMED, np.zeros(len(row), bool)])
    vote = np.concatenate([counted, reason])
    is_elsewhere = np.concatenate([past.is_elsewhere, block.moved_on[absent] < NEVER])
    is_elsewhere &= closes_on[election] < block.moved_on[person]
    county = np.where(is_elsewhere, block.old_county_number[person], block.county_number)
    kind = np.array([{"general": 0, "municipal": 2, "primary": 1}[e.kind] for e in elections])[election]
    in_letters = block.county.code in MONTHS_IN_LETTERS
    dates = np.array([e.date for e in elections])[election]
    files.append(
        HISTORY,
        f"{block.county.code}_H_{str(EXTRACTED_ON).replace('-', '')}.txt",
        FL_DIALECT,
        FL_HISTORY,
        {
            "county": cells.pick([c.code for c in block.state.counties], county),
            "VoterID": ids(block, person, has_old_id),
            "date": cells.dates(dates, "%d-%b-%Y" if in_letters else "%m/%d/%Y"),
            # Another name of the same election: OTH, or GEN for a municipal one.
            "election_type": cells.pick(("GEN", "PRI", "OTH"), np.where(is_renamed, np.where(kind == 2, 0, 2), kind)),
            "vote_type": cells.pick(("A", "E", "Y", "N", "B", "P"), vote),
        },
    )
