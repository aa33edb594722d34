"""The generated electorate: what the files look like, and that the truth is the truth."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import pytest

from samples import elections
from samples.elections import layouts
from samples.elections.polls import WAVES

if TYPE_CHECKING:
    from pathlib import Path

VOTERS = 2_000


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    elections.land(folder / "landing", VOTERS, seed=3, truth=folder / "truth")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def header(path: Path, delimiter: str) -> list[str]:
    return [name.strip('"') for name in path.read_text("latin-1").split("\n", 1)[0].split(delimiter)]


def table(sample: Path, files: str) -> str:
    """SQL that reads files of the landing folder as text."""
    encoding = "latin-1" if "nc" in files else "utf-8"
    return f"read_csv('{sample}/landing/{files}', all_varchar = true, header = true, encoding = '{encoding}')"


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_electorate(tmp_path):
    for name in ("first", "second"):
        elections.land(tmp_path / name, 1_000, seed=1)
    assert contents(tmp_path / "first") == contents(tmp_path / "second")
    first, second, third = (
        elections.wrong_state_file(tmp_path / str(number), rows=100, seed=seed).read_bytes()
        for number, seed in enumerate((1, 1, 2))
    )
    assert first == second != third


def test_every_source_has_files_and_none_takes_the_place_of_another(sample):
    landing = sample / "landing"
    assert {path.name for path in landing.iterdir()} == set(elections.SOURCES)
    assert len(list(landing.glob("florida/voters/*"))) == len(list(landing.glob("florida/vote_history/*_H_*"))) == 10
    assert elections.land(landing, VOTERS, seed=4) == []


def test_the_layouts_are_the_published_ones(sample):
    landing = sample / "landing"
    older = header(landing / "north_carolina/ncvoter/ncvoter_Statewide_20210904.txt", "\t")
    newer = header(landing / "north_carolina/ncvoter/ncvoter_Statewide_20241005.txt", "\t")
    assert (len(older), len(newer)) == (71, 67)
    assert (older[11], older[-3], newer[3], newer[-1]) == ("midl_name", "ncid", "ncid", "vtd_desc")
    history = header(landing / "north_carolina/ncvhis/ncvhis_Statewide_20241005.txt", "\t")
    assert (len(history), history[3], history[10]) == (15, "election_lbl", "ncid")

    ohio = header(landing / "ohio/swvf/SWVF_45_88_20241005.txt", ",")
    assert (len(ohio), ohio[0], ohio[45]) == (46 + 19, "SOS_VOTERID", "WARD")
    assert ohio[46:49] == ["PRIMARY-03/06/2012", "GENERAL-11/06/2012", "GENERAL-11/05/2013"]
    assert "GENERAL-11/05/2024" not in ohio

    florida = (landing / "florida/voters/ALA_20241005.txt").read_text().split("\n", 1)[0].split("\t")
    assert (len(florida), florida[0], florida[10]) == (38, "ALA", "FL")
    florida_history = (landing / "florida/vote_history/LEO_H_20241005.txt").read_text().split("\n", 1)[0].split("\t")
    assert len(florida_history) == 5
    assert re.fullmatch(r"\d\d-(Aug|Nov)-2012", florida_history[2])

    washington = header(landing / "washington/voters/20241005_VRDB_Extract.txt", "\t")
    assert (len(washington), washington[0], washington[-1]) == (35, "StateVoterID", "StatusCode")
    assert "É".encode("latin-1") in (landing / "washington/voters/20241005_VRDB_Extract.txt").read_bytes()


def test_turnout_is_as_high_as_in_life_and_the_truth_is_calibrated(sample):
    truth = duckdb.sql(f"from '{sample}/truth/turnout/*.parquet'").df()
    for day, low, high in (("2022-11-08", 0.38, 0.60), ("2023-11-07", 0.13, 0.32), ("2024-11-05", 0.60, 0.80)):
        election = truth[truth.election_date == day]
        assert low < election.has_voted.mean() < high
        # The number of votes is a sum of independent draws: within four standard deviations of what is expected.
        chance = np.sqrt((election.probability * (1 - election.probability)).sum())
        assert abs(election.has_voted.sum() - election.probability.sum()) < 4 * chance
    assert not truth.duplicated(["voter_id", "election_date"]).any()
    # Shocks are all that the two probabilities differ by.
    assert 0 < (truth.probability - truth.probability_before).abs().max() < 0.2


def test_the_published_history_agrees_with_the_truth(sample):
    votes = duckdb.sql(f"""
        select distinct 'NC-' || ncid as voter_id, strptime(election_lbl, '%m/%d/%Y') as election_date, true as listed
        from {table(sample, "north_carolina/ncvhis/*.txt")}""").df()
    assert votes.election_date.max() < pd.Timestamp("2024-10-05"), "the upcoming election is known to the truth alone"
    truth = duckdb.sql(f"from '{sample}/truth/turnout/north_carolina.parquet' where election_date < '2024-10-05'").df()
    both = truth.merge(votes, on=["voter_id", "election_date"], how="left", validate="1:1")
    assert len(both) > 800
    assert (both.has_voted == both.listed.notna()).all()


def test_the_mess_of_the_real_thing_is_there(sample):
    voters = duckdb.sql(f"from {table(sample, 'north_carolina/ncvoter/*2024*')}").df()
    rows = Counter(voters.ncid)
    moved = voters[voters.ncid.map(rows) == 2]
    assert set(rows.values()) == {1, 2}
    assert (moved.status_cd == "R").sum() >= len(moved) / 2
    assert not voters.duplicated(["county_id", "voter_reg_num"]).any()
    assert set(voters.status_cd) == {"A", "I", "R"}

    history = duckdb.sql(f"from {table(sample, 'north_carolina/ncvhis/*')}").df()
    assert not set(history.ncid) <= set(voters.ncid), "merged voters leave votes under an id that is gone"
    assert history.duplicated(["ncid", "election_lbl"]).any(), "votes are given twice"
    names = history.groupby(["ncid", "election_lbl"]).election_desc.nunique()
    assert names.max() == 2, "one election has two names"


def test_polls_are_answered_with_keys_and_the_truth_knows_who_answered(sample):
    respondents = duckdb.sql(f"from {table(sample, 'polls/respondents/*.csv')}").df()
    assert Counter(respondents.wave_id) == dict.fromkeys(WAVES, 60)
    assert 0.4 < respondents.voter_id.notna().mean() < 0.65
    known = duckdb.sql(f"from '{sample}/truth/respondents/*.parquet'").df()
    asked = respondents.assign(respondent_id=respondents.wave_id + "-" + respondents.respondent_number)
    both = asked.merge(known, on="respondent_id", suffixes=("", "_true"), validate="1:1")
    given = both[both.voter_id.notna()]
    assert len(both) == len(respondents)
    assert (given.state + "-" + given.voter_id == given.voter_id_true).all()
    assert 0 < both.voter_id_true.isna().mean() < 0.1
    answers = duckdb.sql(f"from {table(sample, 'polls/answers/*.csv')}").df()
    assert answers["keys"].isna().any(), "some hang up"
    assert answers["keys"].str.startswith("9").any(), "some let the question be repeated"


def test_a_file_of_another_state_in_north_carolinas_layout(sample, tmp_path):
    path = elections.wrong_state_file(tmp_path, rows=300)
    assert path == tmp_path / "north_carolina/ncvoter/ncvoter_Statewide_20241012.txt"
    assert header(path, "\t") == list(layouts.NC_VOTERS_67)
    strangers = duckdb.sql(f"from read_csv('{path}', all_varchar = true, encoding = 'latin-1')").df()
    ours = duckdb.sql(f"from {table(sample, 'north_carolina/ncvoter/*2024*')}").df()
    assert set(strangers.state_cd.dropna()) == {"IA"}
    assert not set(strangers.zip_code.dropna()) & set(ours.zip_code.dropna())
    assert [entry.name for entry in tmp_path.iterdir()] == ["north_carolina"]


@pytest.mark.parametrize("written", ["many", "12", "99999999999"])
def test_a_wrong_number_of_voters_is_refused_in_words(tmp_path, monkeypatch, written):
    monkeypatch.setenv(elections.VOTERS_VARIABLE, written)
    with pytest.raises(elections.SampleError, match=r"from 1,000 to 10,000,000"):
        elections.land(tmp_path)
