"""Elections: a generated electorate of four states, in the published layouts of their files, with a known truth.

Each voter's probability of voting follows from age, history, registration, party, household, place, contest and from
shocks that a whole state or county shares and nobody knows before; so the best score that a model can reach is known.
Everything follows from the seed and the number of voters: the same arguments give the same bytes. People are made and
written block by block, so memory stays flat from a thousand voters to ten million. No person is real.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from samples import holds_files, partial
from samples.elections import cells, florida, north_carolina, ohio, records, washington
from samples.elections.calendar import EXTRACTED_ON, Election, elections_of
from samples.elections.layouts import CSV_DIALECT, Files
from samples.elections.people import BLOCK, Block, populate
from samples.elections.places import IOWA, STATES, State
from samples.elections.polls import Polls
from samples.elections.turnout import Turnout, places_of, simulate
from turnout.errors import TurnoutError

SOURCES = ("north_carolina", "ohio", "florida", "washington", "election_calendar", "polls")
VOTERS_VARIABLE = "TURNOUT_SAMPLE_VOTERS"
DEFAULT_VOTERS, MIN_VOTERS, MAX_VOTERS = 8_000, 1_000, 10_000_000

CALENDAR_COLUMNS = ("state", "election_date", "kind", "name", "registration_closes_on", "contest_closeness")
TRUTH_SCHEMA = pa.schema(
    [
        ("voter_id", pa.string()),
        ("state", pa.string()),
        ("county", pa.string()),
        ("election_date", pa.date32()),
        ("kind", pa.string()),
        ("probability", pa.float64()),
        ("probability_before", pa.float64()),
        ("has_voted", pa.bool_()),
        ("choice", pa.string()),
    ]
)
_MODULES = {"NC": north_carolina, "OH": ohio, "FL": florida, "WA": washington}


class SampleError(TurnoutError):
    """The sample cannot be made as asked."""


def land(landing: Path, voters: int | None = None, seed: int = 0, truth: Path | None = None) -> list[Path]:
    """Write the files of all sources below `landing`, in the folders of tables that hold no file yet.

    Parameters
    ----------
    landing : Path
        Files go to `landing/<source>/<table>/` and appear whole, all at the end.
    voters : int, optional
        In all states, from 1,000 to 10,000,000. By default the environment variable TURNOUT_SAMPLE_VOTERS, else 8,000.
    seed : int
    truth : Path, optional
        A folder for `turnout/*.parquet` and `respondents/*.parquet`, which replace what is there.

    Returns
    -------
    list of Path
        The new files.

    Raises
    ------
    SampleError
        If the number of voters is no number, or out of range.
    """
    voters = _number_of_voters(voters)
    if truth is None and all(holds_files(landing / table) for table in _tables()):
        return []
    polls = Polls(voters, seed)
    with Files(landing) as files, _Truth(truth) as known:
        for state, sizes in _sizes(voters).items():
            elections = elections_of(state, seed)
            places = places_of(state, elections, seed)
            _append_calendar(files, state, elections)
            for county_number, size in enumerate(sizes):
                for number, part in enumerate(_parts(size)):
                    block = populate(state, county_number, number, part, seed)
                    turnout = simulate(block, elections, places, seed)
                    _MODULES[state.code].append(files, block, turnout, elections, seed)
                    ids = _MODULES[state.code].ids(block, np.arange(len(block)), np.zeros(len(block), bool))
                    polls.call(block, turnout, elections, ids)
                    known.append(block, turnout, elections, ids)
        known.finish(polls.append(files))
        return files.finish()


def wrong_state_file(landing: Path, rows: int = 1_000, seed: int = 0) -> Path:
    """Write a file of Iowa under the name of North Carolina's next one, in North Carolina's layout.

    Parameters
    ----------
    landing : Path
    rows : int
        At most 20,000.
    seed : int

    Returns
    -------
    Path
        `landing/north_carolina/ncvoter/ncvoter_Statewide_20241012.txt`; a file of that name is replaced.
    """
    day = EXTRACTED_ON + 7
    elections = elections_of(IOWA, seed)
    places = places_of(IOWA, elections, seed)
    # In a folder of its own, because a table's folder that holds files is left alone.
    aside = landing / f".iowa.{os.getpid()}"
    with Files(aside) as files:
        for county_number, county in enumerate(IOWA.counties):
            block = populate(IOWA, county_number, 0, max(1, round(rows * county.share)), seed)
            turnout = simulate(block, elections, places, seed)
            people = records.registrations(block, turnout, elections, day, seed, registers_movers_anew=True)
            north_carolina.append_voters(files, block, people, day)
        (written,) = files.finish()
    target = landing / written.relative_to(aside)
    target.parent.mkdir(parents=True, exist_ok=True)
    written.replace(target)
    shutil.rmtree(aside)
    return target


class _Truth:
    """The folder of the truth, which appears file by file; without a folder nothing is written."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._writers: dict[Path, pq.ParquetWriter] = {}

    def __enter__(self) -> _Truth:
        return self

    def __exit__(self, *_: object) -> None:
        for path, writer in self._writers.items():
            writer.close()
            partial(path).unlink(missing_ok=True)

    def append(self, block: Block, turnout: Turnout, elections: list[Election], ids: pa.Array) -> None:
        """Append the probabilities and votes of a block."""
        if self._folder is None:
            return
        path = self._folder / "turnout" / f"{block.state.source}.parquet"
        if path not in self._writers:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writers[path] = pq.ParquetWriter(partial(path), TRUTH_SCHEMA)
        voter_id = cells.join(f"{block.state.code}-", ids)
        for election in elections:
            if not election.has_truth:
                continue
            position = election.position
            (people,) = np.nonzero(turnout.registered[position] & (block.id_since < election.as_of))
            self._writers[path].write_table(
                pa.table(
                    [
                        voter_id.take(pa.array(people)),
                        pa.repeat(block.state.code, len(people)),
                        pa.repeat(block.county.code, len(people)),
                        pa.array(np.full(len(people), election.date)),
                        pa.repeat(election.kind, len(people)),
                        pa.array(turnout.probability[position][people]),
                        pa.array(turnout.probability_before[position][people]),
                        pa.array(turnout.votes[position][people]),
                        cells.pick(("A", "B", "other"), block.choice[people]),
                    ],
                    schema=TRUTH_SCHEMA,
                )
            )

    def finish(self, respondents: pa.Table) -> None:
        """Write who the respondents are, and give all files their names."""
        if self._folder is None:
            return
        path = self._folder / "respondents" / "respondents.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(respondents, partial(path))
        for written, writer in self._writers.items():
            writer.close()
            partial(written).replace(written)
        partial(path).replace(path)
        self._writers = {}


def _append_calendar(files: Files, state: State, elections: list[Election]) -> None:
    shown = [e for e in elections if e.is_published or e.date > EXTRACTED_ON]
    files.append(
        "election_calendar/elections",
        "elections.csv",
        CSV_DIALECT,
        CALENDAR_COLUMNS,
        {
            "state": state.code,
            "election_date": pa.array([str(e.date) for e in shown]),
            "kind": pa.array([e.kind for e in shown]),
            "name": pa.array([e.name for e in shown]),
            "registration_closes_on": pa.array([str(e.closes_on) for e in shown]),
            "contest_closeness": pa.array([f"{e.contest_closeness:.2f}" for e in shown]),
        },
    )


def _number_of_voters(voters: int | None) -> int:
    asked: int | str = voters if voters is not None else os.environ.get(VOTERS_VARIABLE, DEFAULT_VOTERS)
    try:
        number = int(asked)
    except ValueError:
        number = 0
    if not MIN_VOTERS <= number <= MAX_VOTERS:
        raise SampleError(
            f"A sample of {asked!r} voters cannot be made.",
            where="samples.elections.land" if voters is not None else f"the environment variable {VOTERS_VARIABLE}",
            rule=f"The number of voters is a whole number from {MIN_VOTERS:,} to {MAX_VOTERS:,}.",
            remedy=f"Write digits only, such as {DEFAULT_VOTERS}, or leave it out.",
        )
    return number


def _sizes(voters: int) -> dict[State, list[int]]:
    """Return how many people each county of each state has; together exactly `voters`."""
    counties = [(state, county.share * state.share) for state in STATES for county in state.counties]
    edges = np.round(np.cumsum([0.0, *(share for _, share in counties)]) * voters).astype(int)
    sizes: dict[State, list[int]] = {state: [] for state in STATES}
    for (state, _), size in zip(counties, np.diff(edges), strict=True):
        sizes[state].append(int(size))
    return sizes


def _parts(size: int) -> list[int]:
    """Return the sizes of the blocks of a county."""
    blocks = -(-size // BLOCK)
    return [size // blocks + (number < size % blocks) for number in range(blocks)]


def _tables() -> tuple[str, ...]:
    return (
        north_carolina.VOTERS, north_carolina.HISTORY, ohio.TABLE, florida.VOTERS, florida.HISTORY, washington.VOTERS,
        washington.HISTORY, "election_calendar/elections", "polls/questionnaires", "polls/respondents", "polls/answers",
    )  # fmt: skip
