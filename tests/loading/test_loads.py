"""A load is kept for ever, wholly there or not there; what was refused waits for a person, and blocks until then."""

from __future__ import annotations

import getpass
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from visits import CSV, ID, LIMITS, UNCOMPARED, is_whole, lines, loader

from turnout.errors import LoadError, WarehouseError
from turnout.loading import landing
from turnout.loading.quarantine import accept, quarantined
from turnout.loading.register import TABLES
from turnout.records.loads import Load, QuarantinedFile


def test_a_snapshot_takes_the_place_of_the_one_before_and_both_are_kept(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    first, second = visits.arrive("a.csv", lines(1, 2)), visits.arrive("b.csv", lines(1, 2, 3))
    assert visits.raw() == [(1,), (2,), (3,)]
    assert visits.raw("select distinct _load_id, _loaded_at from raw.visits") == [(second.load_id, second.loaded_at)]
    kept = {load.load_id: visits.project.root / load.path for load in visits.register.loads()}
    assert set(kept) == {first.load_id, second.load_id}
    assert all(path.parent.name == f"{first.loaded_at:%Y-%m-%d}" for path in kept.values())


def test_a_snapshot_that_is_sent_again_after_another_one_is_in_force_again(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    first, second = visits.arrive("a.csv", lines(1, 2)), visits.arrive("b.csv", lines(1, 2, 3))
    again = visits.arrive("a again.csv", lines(1, 2))
    assert visits.raw() == [(1,), (2,)]
    assert len({first.load_id, second.load_id, again.load_id}) == 3
    assert [load.file_name for load in visits.register.loads()] == ["a.csv", "b.csv", "a again.csv"]
    # A copy of landing, with all times new and in any order, is no delivery.
    for name in ("a again.csv", "b.csv", "a.csv"):
        content = visits.landed(name).read_bytes()
        visits.landed(name).unlink()
        visits.drop(name, content)
    visits.load()
    assert len(visits.register.loads()) == 3


def test_what_is_appended_adds_up(arriving: Callable[..., Any]) -> None:
    visits = arriving(UNCOMPARED, mode="append", **CSV, **LIMITS)
    visits.drop("a.csv", lines(1, 2))
    visits.drop("b.csv", lines(3))
    assert [landed.is_new for landed in visits.load().files] == [True, True]
    assert visits.raw() == [(1,), (2,), (3,)]
    assert visits.raw("select count(distinct _load_id) from raw.visits") == [(2,)]


def test_the_same_file_dropped_twice_is_one_load(arriving: Callable[..., Any]) -> None:
    visits = arriving(UNCOMPARED, mode="append", **CSV, **LIMITS)
    first = visits.arrive("a.csv", lines(1, 2))
    assert visits.arrive("copy of a.csv", lines(1, 2)) == first
    assert visits.raw() == [(1,), (2,)]


def test_an_unchanged_file_is_not_read_again(arriving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    visits = arriving(ID, **CSV)
    first = visits.arrive("a.csv", lines(1, 2))
    monkeypatch.setattr("turnout.loading.loader.hash_of", lambda path: pytest.fail(f"{path} was read"))
    (landed,) = visits.load().files
    assert (landed.entered, landed.is_new) == (first, False)


def test_where_nothing_is_new_the_warehouse_is_not_even_opened(
    arriving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    visits = arriving(ID, **CSV)
    first = visits.arrive("a.csv", lines(1, 2))
    assert visits.load().in_force == (first,)
    with monkeypatch.context() as patched:
        patched.setattr("turnout.engines.duckdb.connect", lambda *_, **__: pytest.fail("it was opened"))
        assert visits.load().in_force == (first,)
    # What others do to the warehouse meanwhile is seen all the same.
    visits.raw("; ".join(f"delete from records.{name}" for name in TABLES))
    assert [landed.is_new for landed in visits.load().files] == [True]
    assert visits.raw() == [(1,), (2,)]


def test_any_past_state_can_be_asked_for(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV, **LIMITS)
    loads = [visits.arrive(f"{day}.csv", lines(*range(day + 1))) for day in range(3)]
    for load in loads:
        known_then = f"""select count(*), any_value(_load_id) from loads.visits
            where _loaded_at <= '{load.loaded_at}' and (_replaced_at is null or _replaced_at > '{load.loaded_at}')"""
        assert visits.raw(known_then) == [(load.row_count, load.load_id)]


def test_the_register_says_where_a_load_comes_from(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, refuse_above=0.5, **CSV)
    content = lines(1, 2, 3) + "x\n"
    load = visits.arrive("a.csv", content)
    (row,) = visits.raw(
        """select file_name, file_hash, byte_count, row_count, refused_row_count, columns, contract, accepted_by
           from records.loads"""
    )
    content_hash = hashlib.sha256(content.encode()).hexdigest()
    assert row == ("a.csv", content_hash, len(content), 3, 1, ["id"], visits.table.terms, None)
    assert visits.raw("select load_id, line_number, reason from records.refused_rows") == [
        (load.load_id, 5, "id is not bigint: x")
    ]
    assert visits.raw("select load_id from records.current_loads") == [(load.load_id,)]


def test_a_file_that_is_still_growing_is_left_alone(
    arriving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    visits = arriving(ID, **CSV)
    visits.arrive("a.csv", lines(1))
    monkeypatch.setattr(landing, "SETTLE_SECONDS", 1)
    file = visits.drop("b.csv", lines(1, 2))
    script = f"import time\nfor n in range(30):\n time.sleep(0.1)\n open({str(file)!r}, 'a').write('3\\n')"
    with subprocess.Popen([sys.executable, "-c", script]) as writing:
        loaded = visits.load()
        writing.kill()
    assert loaded.growing == ("b.csv",)
    assert visits.raw() == [(1,)]
    for name in (".c.csv", "c.csv.part", "c.csv.tmp"):
        visits.drop(name, lines(4))
    assert {landed.file_name for landed in visits.load().files} == {"a.csv", "b.csv"}


def test_without_any_load_there_is_nothing_to_show(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    with pytest.raises(LoadError, match="there is no file"):
        visits.load()
    with pytest.raises(LoadError, match=re.escape("'id' is missing. Was it renamed to 'number'?")):
        visits.arrive("a.csv", "number\n1\n")


def test_loads_outlive_the_files_they_came_from(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    load = visits.arrive("a.csv", lines(1))
    visits.landed("a.csv").unlink()
    assert visits.load().in_force == (load,)


def test_a_quarantined_snapshot_blocks_until_a_later_one_takes_its_place(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    visits.arrive("a.csv", lines(1))
    refused = visits.arrive("b.csv", "ids\n2\n")
    assert isinstance(refused, QuarantinedFile)
    assert (visits.project.root / refused.path).read_text() == "ids\n2\n"
    assert visits.load().blocking == (refused,)
    assert visits.raw() == [(1,)]
    visits.arrive("c.csv", lines(1, 2))
    assert visits.load().blocking == ()
    assert quarantined(visits.project, visits.table) == [refused]


def test_a_quarantined_file_to_append_blocks_until_it_is_taken_away(arriving: Callable[..., Any]) -> None:
    visits = arriving(UNCOMPARED, mode="append", **CSV, **LIMITS)
    visits.arrive("a.csv", lines(1))
    refused = visits.arrive("b.csv", "ids\n2\n")
    visits.arrive("c.csv", lines(3))
    assert visits.load().blocking == (refused,)
    visits.landed("b.csv").unlink()
    assert visits.load().blocking == ()


def test_when_the_contract_is_mended_a_quarantined_file_is_looked_at_again(arriving: Callable[..., Any]) -> None:
    visits = arriving({"id": {"type": "bigint"}, "shop": {}}, **CSV)
    with pytest.raises(LoadError, match="'shop' is missing"):
        visits.arrive("a.csv", lines(1))
    visits.change({"id": {"type": "bigint"}, "shop": {"optional": True}}, **CSV)
    assert visits.load().blocking == ()
    assert visits.raw() == [(1, None)]
    assert quarantined(visits.project, visits.table) == []


def test_a_person_accepts_a_file_by_id_and_with_a_reason_which_is_recorded(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    visits.arrive("a.csv", lines(*range(10_000)))
    refused = visits.arrive("b.csv", lines(*range(1_000)))
    assert refused.failed_check == "population"
    assert "row_count is 1,000, expected" in refused.problem
    for load_id, reason, words in (
        ("b.csv", "We sold the shops.", "There is no 'b.csv' in quarantine"),
        (refused.load_id, " ", "there is no reason"),
    ):
        with pytest.raises(LoadError, match=words):
            accept(visits.project, [visits.table], load_id, reason)

    load = accept(visits.project, [visits.table], refused.load_id, "We sold the shops.")
    assert (load.accepted_by, load.accepted_because) == (getpass.getuser(), "We sold the shops.")
    assert visits.load().blocking == ()
    assert visits.raw("select count(*) from raw.visits") == [(1_000,)]
    assert quarantined(visits.project, visits.table) == []
    # What a person accepted once is no example to learn from: the same step is asked about again.
    assert isinstance(visits.arrive("c.csv", lines(*range(100))), QuarantinedFile)


def test_a_snapshot_is_not_accepted_over_a_later_one(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    visits.arrive("a.csv", lines(*range(10_000)))
    refused = visits.arrive("b.csv", lines(*range(1_000)))
    visits.arrive("c.csv", lines(*range(10_001)))
    with pytest.raises(LoadError, match=r"another snapshot of .* was loaded since"):
        accept(visits.project, [visits.table], refused.load_id, "It was right.")


def test_unfit_rows_stay_aside_also_when_the_file_is_accepted(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    visits.arrive("a.csv", lines(1, 2, 3))
    refused = visits.arrive("b.csv", lines(1, 2) + "x\n")
    load = accept(visits.project, [visits.table], refused.load_id, "Known.")
    assert (load.row_count, load.refused_row_count) == (2, 1)


def test_what_cannot_be_read_as_declared_cannot_be_accepted(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    visits.arrive("a.csv", lines(1))
    refused = visits.arrive("b.csv", "ids\n2\n")
    with pytest.raises(LoadError, match=re.escape("'id' is missing. Did you mean 'ids'?")):
        accept(visits.project, [visits.table], refused.load_id, "Please.")
    assert visits.raw() == [(1,)]


def test_a_file_read_by_another_contract_is_a_new_load_in_place_of_the_old(arriving: Callable[..., Any]) -> None:
    visits = arriving({"postcode": {"type": "bigint"}}, mode="append", **CSV, **LIMITS)
    as_number = visits.arrive("a.csv", "postcode\n01234\n")
    visits.change({"postcode": {}}, mode="append", **CSV, **LIMITS)
    (landed,) = visits.load().files
    assert landed.entered.load_id != as_number.load_id
    assert visits.raw() == [("01234",)]
    assert len(visits.register.loads()) == 2


def test_a_contract_that_the_loads_do_not_keep_is_refused_in_words(arriving: Callable[..., Any]) -> None:
    visits = arriving({"name": {}}, **CSV)
    visits.arrive("a.csv", "name\nann\n")
    visits.landed("a.csv").unlink()
    visits.change({"name": {"type": "bigint"}}, **CSV)
    with pytest.raises(
        LoadError, match=r"'name' is bigint, which 1 values of the loads in force are not, such as 'ann'"
    ):
        visits.load()
    visits.change({"name": {}, "shop": {}}, **CSV)
    with pytest.raises(LoadError, match=re.escape("asks for the column 'shop', which a.csv")):
        visits.load()
    assert visits.raw() == [("ann",)]


PARTS = {"part": "([A-Z]+)_[0-9]+\\.csv", **CSV}


def test_each_part_of_a_snapshot_is_replaced_by_itself(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **PARTS)
    visits.drop("NORTH_1.csv", lines(*range(1_000)))
    visits.drop("SOUTH_1.csv", lines(1_000, 1_001))  # far fewer rows, but a first load all the same
    north, south = (landed.entered for landed in visits.load().files)
    assert visits.raw("select count(*) from raw.visits") == [(1_002,)]
    later = visits.arrive("SOUTH_2.csv", lines(1_000, 1_001, 1_002))
    assert visits.load().in_force == (north, later)
    assert visits.raw("select count(*) from raw.visits") == [(1_003,)]
    assert visits.raw("select distinct _load_id, _replaced_at from loads.visits where _replaced_at is not null") == [
        (south.load_id, later.loaded_at)
    ]
    (rows,) = [check for check in visits.register.checks(later.load_id) if check.name == "row_count"]
    assert rows.detail == "usual are 2"


def test_a_part_that_is_sent_again_takes_the_place_of_its_part_alone(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **PARTS)
    for name, content in (("N_1", lines(1, 2)), ("S_1", lines(3)), ("N_2", lines(1, 2, 4)), ("S_2", lines(3, 5))):
        visits.arrive(f"{name}.csv", content)
    visits.arrive("N_3.csv", lines(1, 2))
    assert visits.raw() == [(1,), (2,), (3,), (5,)]
    # The same content under the name of another part is another load, and nothing new under the same part is none.
    visits.arrive("E_1.csv", lines(1, 2))
    visits.arrive("N_4.csv", lines(1, 2))
    assert [load.file_name for load in visits.load().in_force] == ["S_2.csv", "N_3.csv", "E_1.csv"]
    # A key that is in two parts is in raw twice: which of them is right, only dbt's tests and a person can tell.
    assert visits.raw() == [(1,), (1,), (2,), (2,), (3,), (5,)]


def test_a_quarantined_part_waits_for_a_later_file_of_its_part_or_for_a_person(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **PARTS)
    visits.arrive("NORTH_1.csv", lines(*range(1_000)))
    refused = visits.arrive("NORTH_2.csv", lines(1, 2, 3))
    visits.arrive("SOUTH_1.csv", lines(1_000))
    assert visits.load().blocking == (refused,)
    accepted = accept(visits.project, [visits.table], refused.load_id, "Everybody moved.")
    assert visits.load().blocking == ()
    assert {load.file_name for load in visits.load().in_force} == {"SOUTH_1.csv", "NORTH_2.csv"}
    refused = visits.arrive("NORTH_3.csv", lines(*range(500)))
    assert visits.load().blocking == (refused,)
    visits.arrive("NORTH_4.csv", lines(1, 2, 3, 4))
    assert visits.load().blocking == ()
    assert quarantined(visits.project, visits.table) == [refused]
    with pytest.raises(LoadError, match=r"another snapshot of .* was loaded since"):
        accept(visits.project, [visits.table], refused.load_id, "It was right.")
    assert accepted.accepted_because == "Everybody moved."


def test_a_file_whose_name_is_of_no_part_is_refused(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **PARTS)
    refused = visits.arrive("NORTH_1.csv", lines(1)) and visits.arrive("north.csv", lines(1))
    assert "its name does not say which part of the snapshot it is: it does not match '([A-Z]+)_" in refused.problem
    assert (refused.failed_check, refused.may_be_accepted) == ("contract", False)
    visits.arrive("NORTH_2.csv", lines(1, 2))
    assert visits.load().blocking == (refused,)


def test_the_first_part_takes_the_place_of_what_came_in_one_file(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    visits.arrive("all.csv", lines(1, 2, 3))
    visits.change(ID, **PARTS)
    assert visits.load().blocking == ()
    assert visits.raw() == [(1,), (2,), (3,)]
    visits.arrive("NORTH_1.csv", lines(1, 2))
    visits.arrive("SOUTH_1.csv", lines(3))
    assert [load.file_name for load in visits.load().in_force] == ["NORTH_1.csv", "SOUTH_1.csv"]
    assert visits.raw() == [(1,), (2,), (3,)]


def test_two_loaders_at_once_make_every_load_once(arriving: Callable[..., Any]) -> None:
    keys = {"mode": "append", **CSV, **LIMITS}
    visits = arriving(UNCOMPARED, **keys)
    expected = {}
    for number in range(4):
        visits.drop(f"{number}.csv", lines(*range(number * 10_000, (number + 1) * 10_000)))
        expected[f"{number}.csv"] = 10_000
    loaders = [loader(visits, UNCOMPARED, keys) for _ in range(2)]
    for process in loaders:
        assert process.wait(timeout=120) == 0, process.stderr and process.stderr.read()
    is_whole(visits, expected)


def test_killed_at_any_moment_a_load_is_wholly_there_or_not_there(arriving: Callable[..., Any]) -> None:
    keys = {"mode": "append", "key": ["id"], **CSV, **LIMITS}
    visits = arriving(UNCOMPARED, **keys)
    randomly, expected, killed = random.Random(3), {}, 0
    for number in range(8):
        visits.drop(f"{number}.csv", lines(*range(number * 50_000, (number + 1) * 50_000)))
        expected[f"{number}.csv"] = 50_000
        process = loader(visits, UNCOMPARED, keys)
        # Importing takes about half a second, loading as long; the moments are spread over both.
        time.sleep(0.3 + randomly.random())
        os.kill(process.pid, signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        for load in visits.register.loads():
            assert Path(visits.project.root / load.path).exists()
            assert load.row_count == expected[load.file_name]
    assert killed > 0
    visits.load()
    is_whole(visits, expected)
    assert all(isinstance(landed.entered, Load) for landed in visits.load().files)


@pytest.mark.parametrize("folder", ["a[b]*", "x=5", "{a,b}'s"])
def test_a_checkout_may_stand_in_any_folder(tmp_path: Path, arriving: Callable[..., Any], folder: str) -> None:
    visits = arriving({**ID, "x": {"optional": True}, "filename": {"optional": True}}, **CSV)
    visits.project = type(visits.project)(tmp_path / folder)
    visits.arrive("*.csv", "id\n1\n")
    assert visits.arrive("a[b].csv", "id,filename\n1,z\n").row_count == 1
    assert visits.raw() == [(1, None, "z")]
    assert visits.raw("select count(distinct _load_id) from loads.visits") == [(2,)]
    visits.change({**ID, "x": {"type": "bigint", "optional": True}, "filename": {"optional": True}}, **CSV)
    assert visits.load().in_force


@pytest.mark.parametrize("folder", ["back\\slash", "why?"])
def test_a_folder_that_no_database_can_stand_in_is_told(
    tmp_path: Path, arriving: Callable[..., Any], folder: str
) -> None:
    visits = arriving(ID, **CSV)
    visits.project = type(visits.project)(tmp_path / folder)
    with pytest.raises(WarehouseError, match=r"The warehouse cannot stand in a folder with '.' in its path"):
        visits.arrive("a.csv", lines(1))


def test_a_name_that_is_no_text_quarantines_the_file(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    visits.arrive("a.csv", lines(1))
    visits.drop(os.fsdecode(b"caf\xe9.csv"), lines(2))
    refused = visits.load().files[-1].entered
    assert isinstance(refused, QuarantinedFile)
    assert refused.file_name == "caf\\xe9.csv"
    assert "its name is not encoded in UTF-8" in refused.problem
    assert (visits.project.root / refused.path).read_text() == lines(2)


@pytest.mark.parametrize(
    ("content", "is_told"),
    [("id,v\n1,x\n", False), ("id,v\n1,x", True), ('id,v\n1,"x"', False), ("id,v\r\n1,x\r", False)],
)
def test_a_text_that_may_be_cut_within_its_last_value_says_so(
    arriving: Callable[..., Any], content: str, is_told: bool
) -> None:
    visits = arriving({**ID, "v": {}}, **CSV)
    load = visits.arrive("a.csv", content)
    told = [check.name for check in visits.register.checks(load.load_id) if check.name == "unfinished_lines"]
    assert bool(told) == is_told
