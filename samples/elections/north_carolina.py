"""North Carolina: `ncvoter` in two layouts, and `ncvhis`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from samples.elections import cells, records
from samples.elections.addresses import FORMER, addresses_of
from samples.elections.calendar import EXTRACTED_ON
from samples.elections.layouts import NC_DIALECT, NC_HISTORY, NC_VOTERS_67, NC_VOTERS_71, Files
from samples.elections.names import GIVEN, SUFFIXES, SURNAMES
from samples.elections.people import Block
from samples.elections.places import TOWNS

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from samples.elections.calendar import Election
    from samples.elections.records import Registrations
    from samples.elections.turnout import Turnout

OLDER_LAYOUT_ON = np.datetime64("2021-09-04")
VOTERS, HISTORY = "north_carolina/ncvoter", "north_carolina/ncvhis"
# Elections got names of another form in this year.
RENAMED_IN = 2016

_PARTIES, _PARTY_NAMES = ("DEM", "REP", "UNA", "LIB"), ("DEMOCRATIC", "REPUBLICAN", "UNAFFILIATED", "LIBERTARIAN")
_STATUSES, _STATUS_NAMES = ("A", "I", "R"), ("ACTIVE", "INACTIVE", "REMOVED")
_REASONS = ("AV", "IN", "RD", "RM", "RF", "RQ", "RC")
_REASON_NAMES = (
    "VERIFIED", "CONFIRMATION NOT RETURNED", "DECEASED", "MOVED FROM STATE", "FELONY CONVICTION",
    "REQUEST FROM VOTER", "MOVED TO ANOTHER COUNTY",
)  # fmt: skip
_METHODS = ("ABSENTEE ONESTOP", "IN-PERSON", "ABSENTEE BY MAIL")


def ids(block: Block, person: NDArray[np.int64], has_old_id: NDArray[np.bool_]) -> pa.Array:
    """Return the `ncid` of each person: two letters of the county and a number."""
    county = int(block.county.code)
    letters = chr(65 + county // 26) + chr(65 + county % 26)
    return cells.join(letters, cells.numbers(100_000 + records.id_number(block.serial[person], has_old_id)))


def _registration_numbers(
    block: Block, person: NDArray[np.int64], has_old_id: NDArray[np.bool_], is_former: NDArray[np.bool_]
) -> pa.Array:
    # A number in the former county must not meet one that this county gave itself.
    number = records.id_number(block.serial[person], has_old_id)
    return cells.numbers(1 + number + is_former * (block.county_number + 1) * records.IDS, 12)


def _voters(block: Block, rows: Registrations, day: np.datetime64) -> dict[str, pa.Array | str]:
    """Return the cells that both layouts have, under their names in the 67-column layout."""
    person, former = rows.person, rows.is_former
    here = addresses_of(
        block.county, block.household_serial[person], block.precinct[person], block.has_postcode[person]
    )
    counties = block.state.counties
    county = np.where(former, block.old_county_number[person], block.county_number)
    # A former address has one of the precincts that every county has.
    precinct = np.where(former, block.precinct[person] % 6, block.precinct[person])
    parts = {"line": here.line, "town": here.town, "postcode": here.postcode}
    for number in np.unique(block.old_county_number[person[former]]):
        there = addresses_of(
            counties[number], FORMER + block.household_serial[person], precinct, block.has_postcode[person]
        )
        is_there = former & (county == number)
        parts = {
            "line": cells.choose(is_there, there.line, parts["line"]),
            "town": cells.choose(is_there, there.town, parts["town"]),
            "postcode": cells.choose(is_there, there.postcode, parts["postcode"]),
        }
    unit = cells.choose(former, "", here.unit)
    reason = np.where(rows.status == records.REMOVED, 2 + block.removal_reason[person], rows.status)
    reason = np.where(rows.has_moved_away, 6, reason)
    suffix = cells.pick(SUFFIXES, block.suffix[person])
    in_last_name = block.suffix_in_last_name[person]
    last = cells.pick(SURNAMES, block.last[person])
    race = block.race[person]
    district = 1 + county % 13
    precinct_name = cells.join(cells.numbers(precinct + 1, 2))
    # The file shows no address of those who are removed or protected.
    is_removed = rows.status == records.REMOVED
    is_hidden = is_removed | block.is_protected[person]
    line = cells.words(parts["line"], cells.choose(_filled(unit), cells.join("# ", unit), ""))
    line = cells.choose(is_hidden, cells.choose(is_removed, "REMOVED", ""), line)
    town = cells.choose(is_hidden, "", parts["town"])
    postcode = cells.choose(is_hidden, "", parts["postcode"])
    state = cells.choose(is_hidden, "", block.state.code)
    return {
        "county_id": cells.pick([c.code for c in counties], county),
        "county_desc": cells.pick([c.name for c in counties], county),
        "voter_reg_num": _registration_numbers(block, person, rows.has_old_id, former),
        "ncid": ids(block, person, rows.has_old_id),
        "last_name": cells.choose(in_last_name, cells.words(last, suffix), last),
        "first_name": cells.pick(GIVEN, block.first[person]),
        "middle_name": cells.pick(GIVEN, block.middle[person]),
        "name_suffix_lbl": cells.choose(in_last_name, "", suffix),
        "status_cd": cells.pick(_STATUSES, rows.status),
        "voter_status_desc": cells.pick(_STATUS_NAMES, rows.status),
        "reason_cd": cells.pick(_REASONS, reason),
        "voter_status_reason_desc": cells.pick(_REASON_NAMES, reason),
        "res_street_address": line,
        "res_city_desc": town,
        "state_cd": state,
        "zip_code": postcode,
        "mail_addr1": cells.choose(is_hidden, "", line),
        "mail_city": town,
        "mail_state": state,
        "mail_zipcode": postcode,
        "confidential_ind": cells.choose(block.is_protected[person], "Y", "N"),
        "registr_dt": cells.dates(rows.registered_on, "%m/%d/%Y"),
        "race_code": cells.pick(("W", "B", "O", "A", "M", "U"), race),
        "ethnic_code": cells.pick(("NL", "NL", "HL", "NL", "NL", "UN"), race),
        "party_cd": cells.pick(_PARTIES, block.party[person]),
        "gender_code": cells.pick(("M", "F", "U"), block.gender[person]),
        "birth_year": cells.numbers(block.birth_year[person]),
        "age_at_year_end": cells.numbers(int(str(day)[:4]) - block.birth_year[person]),
        "birth_state": cells.pick(("NC", "", "NY", "VA", "OC", "SC", "PA"), block.serial[person] * 31 % 11 % 7),
        "drivers_lic": cells.pick(("Y", "N"), (block.serial[person] % 9 == 0).astype(int)),
        "precinct_abbrv": precinct_name,
        "precinct_desc": cells.join("PRECINCT ", precinct_name),
        "municipality_abbrv": cells.pick([t[:3] for t in TOWNS], _town(block, county, precinct)),
        "municipality_desc": parts["town"],
        "cong_dist_abbrv": cells.numbers(district),
        "super_court_abbrv": cells.join(cells.numbers(district, 2), "A"),
        "judic_dist_abbrv": cells.numbers(district, 2),
        "nc_senate_abbrv": cells.numbers(district * 3),
        "nc_house_abbrv": cells.numbers(district * 7),
        "vtd_abbrv": precinct_name,
        "vtd_desc": precinct_name,
    }


def _town(block: Block, county: NDArray[np.int64], precinct: NDArray[np.int64]) -> NDArray[np.int64]:
    towns = np.zeros(len(county), np.int64)
    for number in np.unique(county):
        towns = np.where(county == number, block.state.counties[number].town_of(precinct), towns)
    return towns


def _filled(values: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(np.asarray(values) != "")


def append_voters(files: Files, block: Block, rows: Registrations, day: np.datetime64) -> None:
    """Append people to the registration file of a day, in the layout of that day."""
    name = f"ncvoter_Statewide_{str(day).replace('-', '')}.txt"
    voters = _voters(block, rows, day)
    if day >= np.datetime64("2022-02-12"):
        files.append(VOTERS, name, NC_DIALECT, NC_VOTERS_67, voters)
        return
    renamed = {
        "middle_name": "midl_name",
        "name_suffix_lbl": "name_sufx_cd",
        "age_at_year_end": "birth_age",
        "birth_state": "birth_place",
        "confidential_ind": "Confidential_ind",
    }
    older = {renamed.get(column, column): values for column, values in voters.items()}
    files.append(VOTERS, name, NC_DIALECT, NC_VOTERS_71, older)


def append(files: Files, block: Block, turnout: Turnout, elections: list[Election], seed: int) -> None:
    """Append the people of a block to the files of the state."""
    for day in (OLDER_LAYOUT_ON, EXTRACTED_ON):
        rows = records.registrations(block, turnout, elections, day, seed, registers_movers_anew=True)
        append_voters(files, block, rows, day)

    past = records.history(block, turnout, elections, seed)
    person, election = past.person, past.election
    counties = block.state.counties
    written = [f"{str(e.date)[5:7]}/{str(e.date)[8:]}/{e.year}" for e in elections]
    newer = [f"{day} {e.kind.upper()}" for day, e in zip(written, elections, strict=True)]
    older = [f"{e.kind.upper()} ELECTION {day}" for day, e in zip(written, elections, strict=True)]
    is_newer = (np.array([e.year for e in elections])[election] >= RENAMED_IN) ^ (past.copy == records.RENAMED)
    is_primary = np.array([e.kind == "primary" for e in elections])[election]
    party = np.where(is_primary, records.primary_ballots(block)[person], block.party[person])
    precinct = cells.numbers(block.precinct[person] + 1, 2)
    voted_in = np.where(past.is_elsewhere, block.old_county_number[person], block.county_number)
    never_former = np.zeros(len(past), bool)
    files.append(
        HISTORY,
        f"ncvhis_Statewide_{str(EXTRACTED_ON).replace('-', '')}.txt",
        NC_DIALECT,
        NC_HISTORY,
        {
            "county_id": cells.pick([block.county.code], np.zeros(len(past), np.int64)),
            "county_desc": block.county.name,
            "voter_reg_num": _registration_numbers(block, person, past.has_old_id, never_former),
            "election_lbl": cells.pick(written, election),
            "election_desc": cells.choose(is_newer, cells.pick(newer, election), cells.pick(older, election)),
            "voting_method": cells.pick(_METHODS, (block.serial[person] + election) * 37 % 11 % 3),
            "voted_party_cd": cells.pick(_PARTIES, party),
            "voted_party_desc": cells.pick(_PARTY_NAMES, party),
            "pct_label": precinct,
            "pct_description": cells.join("PRECINCT ", precinct),
            "ncid": ids(block, person, past.has_old_id),
            "voted_county_id": cells.pick([c.code for c in counties], voted_in),
            "voted_county_desc": cells.pick([c.name for c in counties], voted_in),
            "vtd_label": precinct,
            "vtd_description": precinct,
        },
    )
