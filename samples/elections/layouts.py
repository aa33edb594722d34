"""The published layouts: their columns in file order, and how each kind of file is written.

The formats of dates, column by column (months and days always have two digits):

| file | column | format |
| --- | --- | --- |
| NC ncvoter, both layouts | registr_dt | mm/dd/yyyy |
| NC ncvoter | birth_year | yyyy; the day is not published |
| NC ncvhis | election_lbl | mm/dd/yyyy |
| OH SWVF | DATE_OF_BIRTH, REGISTRATION_DATE | yyyy-mm-dd |
| OH SWVF | names of the columns of elections | mm/dd/yyyy, as in GENERAL-11/08/2022 |
| FL voters | Birth_Date, Registration_Date | mm/dd/yyyy |
| FL history | date | mm/dd/yyyy; two counties write dd-Mon-yyyy, as in 08-Nov-2022 |
| WA voters | Birthdate, Registrationdate | mm/dd/yyyy or yyyy-mm-dd, both within one file |
| WA voters | LastVoted | yyyymmdd |
| WA history | ElectionDate | mm/dd/yyyy or yyyy-mm-dd, both within one file |
| election calendar | election_date, registration_closes_on | yyyy-mm-dd |
| polls | called_at | yyyy-mm-dd hh:mm:ss |
| polls | wave_id | yyyy-mm-dd |
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from samples import holds_files, partial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# North Carolina, ncvoter as delivered until 2021: 71 columns.
NC_VOTERS_71: tuple[str, ...] = _words(
    """
county_id county_desc voter_reg_num status_cd voter_status_desc reason_cd voter_status_reason_desc absent_ind
name_prefx_cd last_name first_name midl_name name_sufx_cd res_street_address res_city_desc state_cd zip_code
mail_addr1 mail_addr2 mail_addr3 mail_addr4 mail_city mail_state mail_zipcode full_phone_number race_code ethnic_code
party_cd gender_code birth_age birth_place drivers_lic registr_dt precinct_abbrv precinct_desc municipality_abbrv
municipality_desc ward_abbrv ward_desc cong_dist_abbrv super_court_abbrv judic_dist_abbrv nc_senate_abbrv
nc_house_abbrv county_commiss_abbrv county_commiss_desc township_abbrv township_desc school_dist_abbrv
school_dist_desc fire_dist_abbrv fire_dist_desc water_dist_abbrv water_dist_desc sewer_dist_abbrv sewer_dist_desc
sanit_dist_abbrv sanit_dist_desc rescue_dist_abbrv rescue_dist_desc munic_dist_abbrv munic_dist_desc dist_1_abbrv
dist_1_desc dist_2_abbrv dist_2_desc Confidential_ind birth_year ncid vtd_abbrv vtd_desc
"""
)
# North Carolina, ncvoter by its layout of 12 February 2022: 67 columns.
NC_VOTERS_67: tuple[str, ...] = _words(
    """
county_id county_desc voter_reg_num ncid last_name first_name middle_name name_suffix_lbl status_cd voter_status_desc
reason_cd voter_status_reason_desc res_street_address res_city_desc state_cd zip_code mail_addr1 mail_addr2 mail_addr3
mail_addr4 mail_city mail_state mail_zipcode full_phone_number confidential_ind registr_dt race_code ethnic_code
party_cd gender_code birth_year age_at_year_end birth_state drivers_lic precinct_abbrv precinct_desc
municipality_abbrv municipality_desc ward_abbrv ward_desc cong_dist_abbrv super_court_abbrv judic_dist_abbrv
nc_senate_abbrv nc_house_abbrv county_commiss_abbrv county_commiss_desc township_abbrv township_desc school_dist_abbrv
school_dist_desc fire_dist_abbrv fire_dist_desc water_dist_abbrv water_dist_desc sewer_dist_abbrv sewer_dist_desc
sanit_dist_abbrv sanit_dist_desc rescue_dist_abbrv rescue_dist_desc munic_dist_abbrv munic_dist_desc dist_1_abbrv
dist_1_desc vtd_abbrv vtd_desc
"""
)
# North Carolina, ncvhis as delivered in 2018.
NC_HISTORY: tuple[str, ...] = _words(
    """
county_id county_desc voter_reg_num election_lbl election_desc voting_method voted_party_cd voted_party_desc pct_label
pct_description ncid voted_county_id voted_county_desc vtd_label vtd_description
"""
)
# Ohio, SWVF: the fixed columns; one for each election follows.
OH_FIXED: tuple[str, ...] = _words(
    """
SOS_VOTERID COUNTY_NUMBER COUNTY_ID LAST_NAME FIRST_NAME MIDDLE_NAME SUFFIX DATE_OF_BIRTH REGISTRATION_DATE
VOTER_STATUS PARTY_AFFILIATION RESIDENTIAL_ADDRESS1 RESIDENTIAL_SECONDARY_ADDR RESIDENTIAL_CITY RESIDENTIAL_STATE
RESIDENTIAL_ZIP RESIDENTIAL_ZIP_PLUS4 RESIDENTIAL_COUNTRY RESIDENTIAL_POSTALCODE MAILING_ADDRESS1
MAILING_SECONDARY_ADDRESS MAILING_CITY MAILING_STATE MAILING_ZIP MAILING_ZIP_PLUS4 MAILING_COUNTRY MAILING_POSTAL_CODE
CAREER_CENTER CITY CITY_SCHOOL_DISTRICT COUNTY_COURT_DISTRICT CONGRESSIONAL_DISTRICT COURT_OF_APPEALS
EDU_SERVICE_CENTER_DISTRICT EXEMPTED_VILL_SCHOOL_DISTRICT LIBRARY LOCAL_SCHOOL_DISTRICT MUNICIPAL_COURT_DISTRICT
PRECINCT_NAME PRECINCT_CODE STATE_BOARD_OF_EDUCATION STATE_REPRESENTATIVE_DISTRICT STATE_SENATE_DISTRICT TOWNSHIP
VILLAGE WARD
"""
)
# Florida: no header is written.
FL_VOTERS: tuple[str, ...] = _words(
    """
County_Code Voter_ID Name_Last Name_Suffix Name_First Name_Middle Requested_public_records_exemption
Residence_Address_Line_1 Residence_Address_Line_2 Residence_City Residence_State Residence_Zipcode
Mailing_Address_Line_1 Mailing_Address_Line_2 Mailing_Address_Line_3 Mailing_City Mailing_State Mailing_Zipcode
Mailing_Country Gender Race Birth_Date Registration_Date Party_Affiliation Precinct Precinct_Group Precinct_Split
Precinct_Suffix Voter_Status Congressional_District House_District Senate_District County_Commission_District
School_Board_District Daytime_Area_Code Daytime_Phone_Number Daytime_Phone_Extension Email_address
"""
)
FL_HISTORY: tuple[str, ...] = _words(
    """
county VoterID date election_type vote_type
"""
)
# Washington.
WA_VOTERS: tuple[str, ...] = _words(
    """
StateVoterID Title FName MName LName NameSuffix Birthdate Gender RegStNum RegStFrac RegStName RegStType RegUnitType
RegStPreDirection RegStPostDirection RegUnitNum RegCity RegState RegZipCode CountyCode PrecinctCode PrecinctPart
LegislativeDistrict CongressionalDistrict Mail1 Mail2 Mail3 Mail4 MailCity MailZip MailState MailCountry
Registrationdate LastVoted StatusCode
"""
)
WA_HISTORY: tuple[str, ...] = _words(
    """
VoterHistoryID CountyCode CountyCode_Voting StateVoterID ElectionDate
"""
)


@dataclass(frozen=True)
class Dialect:
    """How a state writes its files.

    Parameters
    ----------
    delimiter : str
    is_quoted : bool
        Whether every cell stands in quotes; otherwise none does, unless `quotes_when_needed`.
    has_header : bool
    encoding : str
    quotes_when_needed : bool
        Whether a cell that holds a delimiter stands in quotes.
    """

    delimiter: str
    is_quoted: bool = False
    has_header: bool = True
    encoding: str = "utf-8"
    quotes_when_needed: bool = False


NC_DIALECT = Dialect("\t", is_quoted=True, encoding="latin-1")
OH_DIALECT = Dialect(",", is_quoted=True)
FL_DIALECT = Dialect("\t", has_header=False)
WA_DIALECT = Dialect("\t", encoding="latin-1")
CSV_DIALECT = Dialect(",", quotes_when_needed=True)


class Files:
    """Files that grow block by block and appear whole, all of them at the end.

    Until then a name begins with a dot, which loaders pass over. A file that is in the folder of a table already stays
    alone: nothing is written to that folder.

    Parameters
    ----------
    landing : Path
    """

    def __init__(self, landing: Path) -> None:
        self._landing = landing
        self._open: dict[Path, BinaryIO] = {}
        self._is_taken: dict[Path, bool] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Files:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        for path in self._open:
            partial(path).unlink(missing_ok=True)

    def append(
        self, table: str, name: str, dialect: Dialect, columns: Sequence[str], cells: Mapping[str, pa.Array | str]
    ) -> None:
        """Append rows to a file.

        Parameters
        ----------
        table : str
            The folder below landing, such as `ohio/swvf`.
        name : str
            Of the file.
        dialect : Dialect
        columns : sequence of str
            In file order.
        cells : mapping of str to pyarrow.Array or str
            Text by column; a string is the same in every row, a column that is missing is empty.
        """
        path = self._landing / table / name
        if self._is_taken.setdefault(path.parent, holds_files(path.parent)):
            return
        if path not in self._open:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open[path] = self._stack.enter_context(partial(path).open("wb"))
            if dialect.has_header:
                quote = '"' if dialect.is_quoted else ""
                line = dialect.delimiter.join(f"{quote}{column}{quote}" for column in columns)
                self._open[path].write(f"{line}\n".encode(dialect.encoding))
        if unknown := set(cells) - set(columns):
            raise KeyError(f"{table}: no column {sorted(unknown)}")
        rows = next(len(values) for values in cells.values() if not isinstance(values, str))
        same = {text: pa.repeat(text, rows) for text in {"", *(c for c in cells.values() if isinstance(c, str))}}
        filled = [same[c] if isinstance(c, str) else c for c in (cells.get(column, "") for column in columns)]
        if dialect.quotes_when_needed:
            # An empty cell is nothing between two commas, not an empty pair of quotes.
            filled = [pc.if_else(pc.equal(c, ""), None, c) for c in filled]
        content = pa.table(filled, names=list(columns))
        style = "all_valid" if dialect.is_quoted else "needed" if dialect.quotes_when_needed else "none"
        sink = pa.BufferOutputStream()
        pyarrow.csv.write_csv(
            content,
            sink,
            pyarrow.csv.WriteOptions(include_header=False, delimiter=dialect.delimiter, quoting_style=style),
        )
        written = sink.getvalue().to_pybytes()
        if dialect.encoding != "utf-8":
            written = written.decode().encode(dialect.encoding)
        self._open[path].write(written)

    def finish(self) -> list[Path]:
        """Give the files their names; return them in order."""
        self._stack.close()
        for path in self._open:
            partial(path).replace(path)
        finished, self._open = sorted(self._open), {}
        return finished
