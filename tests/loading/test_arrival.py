"""Files are judged in the order of what they tell of, whenever they came; what waits is judged again when it may."""

from __future__ import annotations

import os
import random
import re
import signal
import stat
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from visits import CSV, ID, LIMITS, UNCOMPARED, is_whole, lines, loader

from turnout.errors import LoadError
from turnout.loading.landing import files_in, remember_samples
from turnout.loading.quarantine import accept, accept_all, quarantined
from turnout.project.paths import Project
from turnout.publication.shelf import shelf_of
from turnout.records.loads import Load, QuarantinedFile

COLUMNS = {"id": {"type": "bigint"}, "day": {"type": "date"}}
APPENDED = {"mode": "append", "key": ["id"], "event_time": "day", **CSV}


def month(number: int, rows: int = 300) -> str:
    """The visits of a month of 2024, as CSV."""
    first, last = date(2024, number, 1), date(2024 + number // 12, number % 12 + 1, 1) - timedelta(days=1)
    days = (last - first).days + 1
    visits = (f"{number * 100_000 + visit},{first + timedelta(days=visit % days)}" for visit in range(rows))
    return "\n".join(["id,day", *visits]) + "\n"


def verdicts(visits: Any) -> dict[str, bool]:
    """Which files in landing are loads by now."""
    return {landed.file_name: isinstance(landed.entered, Load) for landed in visits.load().files}


def test_twelve_months_that_arrive_together_newest_first_are_taken_in_their_order(arriving: Callable[..., Any]) -> None:
    visits = arriving(COLUMNS, **APPENDED)
    for number in range(12, 0, -1):
        visits.drop(f"{number}.csv", month(number))
        time.sleep(0.01)
    loaded = visits.load()
    assert loaded.blocking == ()
    assert [landed.file_name for landed in loaded.files] == [f"{number}.csv" for number in range(12, 0, -1)]
    assert [load.file_name for load in loaded.in_force] == [f"{number}.csv" for number in range(1, 13)]
    assert visits.raw("select count(*), min(day)::varchar, max(day)::varchar from raw.visits") == [
        (3600, "2024-01-01", "2024-12-31")
    ]


def test_without_event_times_names_tell_the_order_as_people_read_them(arriving: Callable[..., Any]) -> None:
    visits = arriving(UNCOMPARED, mode="append", **CSV, **LIMITS)
    for number in (10, 9, 1):
        visits.drop(f"visits_{number}.csv", lines(number))
    assert [load.file_name for load in visits.load().in_force] == ["visits_1.csv", "visits_9.csv", "visits_10.csv"]


def test_a_file_that_came_too_early_waits_for_those_between_and_for_nobody_else(arriving: Callable[..., Any]) -> None:
    visits = arriving(COLUMNS, **APPENDED)
    visits.arrive("january.csv", month(1))
    refused = visits.arrive("may.csv", month(5))
    assert isinstance(refused, QuarantinedFile)
    assert "first_event" in refused.problem
    for name, number in (("april", 4), ("march", 3), ("february", 2)):
        visits.drop(f"{name}.csv", month(number))
    loaded = visits.load()
    assert loaded.blocking == ()
    assert [load.file_name.partition(".")[0] for load in loaded.in_force] == [
        "january",
        "february",
        "march",
        "april",
        "may",
    ]
    assert quarantined(visits.project, visits.table) == []


def test_when_a_file_is_accepted_the_refusal_of_its_successor_is_judged_anew(arriving: Callable[..., Any]) -> None:
    visits = arriving(COLUMNS, **APPENDED)
    visits.arrive("1.csv", month(1))
    first, second = visits.arrive("2.csv", month(2, 3000)), visits.arrive("3.csv", month(3, 3000))
    assert "row_count" in first.problem
    assert "row_count" in second.problem
    assert visits.load().blocking == (first, second)
    accept(visits.project, [visits.table], first.load_id, "We opened shops.")
    assert verdicts(visits) == {"1.csv": True, "2.csv": True, "3.csv": True}
    assert [load.accepted_by is None for load in visits.load().in_force] == [True, False, True]


def test_a_snapshot_is_judged_anew_when_the_one_before_it_is_accepted(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    visits.arrive("a.csv", lines(*range(10_000)))
    first, second = visits.arrive("b.csv", lines(*range(1_000))), visits.arrive("c.csv", lines(*range(1_001)))
    assert visits.load().blocking == (second,)
    accept(visits.project, [visits.table], first.load_id, "We sold the shops.")
    assert verdicts(visits)["c.csv"]
    assert visits.raw("select count(*) from raw.visits") == [(1_001,)]


def test_an_older_snapshot_does_not_come_back_when_a_later_one_is_loaded(arriving: Callable[..., Any]) -> None:
    visits = arriving(UNCOMPARED, **CSV)
    visits.arrive("a.csv", lines(*range(1_000)))
    refused = visits.arrive("b.csv", lines(*range(10_000)))
    assert isinstance(refused, QuarantinedFile)
    visits.arrive("c.csv", lines(*range(1_900)))
    visits.arrive("d.csv", lines(*range(3_700)))
    visits.arrive("e.csv", lines(*range(7_000)))
    assert visits.load().blocking == ()
    assert visits.raw("select count(*) from raw.visits") == [(7_000,)]
    assert quarantined(visits.project, visits.table) == [refused]


def test_a_refusal_that_stands_is_not_judged_again_without_a_reason(
    arriving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    visits = arriving(COLUMNS, **APPENDED)
    visits.arrive("1.csv", month(1))
    refused = visits.arrive("2.csv", month(2, 3000))
    monkeypatch.setattr("turnout.loading.intake.parse", lambda *_, **__: pytest.fail("it was read"))
    assert visits.load().blocking == (refused,)


def test_all_that_wait_of_a_table_are_accepted_at_once_in_their_order(arriving: Callable[..., Any]) -> None:
    visits = arriving(COLUMNS, **APPENDED)
    visits.arrive("1.csv", month(1))
    for number in (7, 6, 5):
        visits.drop(f"{number}.csv", month(number, 3000))
    visits.drop("broken.csv", "id\n1\n")
    visits.drop("taken away.csv", month(12))
    visits.load()
    visits.landed("taken away.csv").unlink()
    for source, name, reason, words in (
        ("shop", "visit", "It is right.", "There is no table 'shop.visit'. Did you mean 'shop.visits'?"),
        ("shop", "visits", " ", "there is no reason"),
    ):
        with pytest.raises(LoadError, match=re.escape(words)):
            accept_all(visits.project, [visits.table], source, name, reason)
    accepted = accept_all(visits.project, [visits.table], "shop", "visits", "Shops were closed in spring.")
    assert [load.file_name for load in accepted] == ["5.csv", "6.csv", "7.csv"]
    assert {load.accepted_because for load in accepted} == {"Shops were closed in spring."}
    assert [file.file_name for file in visits.load().blocking] == ["broken.csv"]
    with pytest.raises(LoadError, match=r"No file of shop\.visits waits that a person may accept"):
        accept_all(visits.project, [visits.table], "shop", "visits", "Once more.")


def test_of_snapshots_that_wait_the_last_of_each_part_is_accepted(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, part="([A-Z]+)_[0-9]+\\.csv", **CSV)
    for part, shift in (("NORTH", 0), ("SOUTH", 100_000)):
        visits.drop(f"{part}_1.csv", lines(*range(shift, shift + 1_000)))
    visits.load()
    for part, shift in (("NORTH", 0), ("SOUTH", 100_000)):
        visits.drop(f"{part}_2.csv", lines(*range(shift, shift + 90)))
        visits.load()
    visits.arrive("NORTH_3.csv", lines(*range(80)))
    accepted = accept_all(visits.project, [visits.table], "shop", "visits", "Everybody moved.")
    assert {load.file_name for load in accepted} == {"NORTH_3.csv", "SOUTH_2.csv"}
    assert visits.load().blocking == ()


def test_a_bad_file_among_many_does_not_hold_the_others(arriving: Callable[..., Any]) -> None:
    visits = arriving(UNCOMPARED, mode="append", key=["id"], **CSV, **LIMITS)
    for number in range(50):
        visits.drop(f"{number}.csv", lines(number, number + 1_000) + ("x\n" * 9 if number == 7 else ""))
    visits.drop("broken.csv", "ids\n5\n")
    visits.drop("sent again.csv", lines(3, 4_000))  # half of it was there before
    loaded = visits.load()
    refused = {file.file_name: file.problem for file in loaded.blocking}
    assert set(refused) == {"7.csv", "broken.csv", "sent again.csv"}
    assert "repeats the key of an earlier load" in refused["sent again.csv"]
    assert "id is not bigint" in refused["7.csv"]
    expected = {f"{number}.csv": 2 for number in range(50) if number != 7}
    is_whole(visits, expected)
    assert visits.raw("select count(distinct load_id), count(*) from records.load_statistics") == [(49, 49)]
    assert visits.raw("select count(*) from records.current_loads") == [(49,)]


def test_killed_among_many_files_each_is_wholly_there_or_not_there(
    arriving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"mode": "append", "key": ["id"], **CSV, **LIMITS}
    visits = arriving(UNCOMPARED, **keys)
    randomly, expected, killed = random.Random(5), {}, 0
    for attempt in range(4):
        for number in range(attempt * 20, attempt * 20 + 20):
            visits.drop(f"{number}.csv", lines(*range(number * 100, number * 100 + 100)))
            expected[f"{number}.csv"] = 100
        process = loader(visits, UNCOMPARED, keys)
        time.sleep(0.5 + 2 * randomly.random())
        os.kill(process.pid, signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        for load in visits.register.loads():
            assert (visits.project.root / load.path).exists()
            assert load.row_count == expected[load.file_name]
    assert killed > 0
    visits.load()
    is_whole(visits, expected)


def test_where_nothing_is_new_nothing_is_written(arriving: Callable[..., Any]) -> None:
    visits = arriving(COLUMNS, **APPENDED)
    visits.arrive("1.csv", month(1))
    before = visits.project.warehouse.path.read_bytes()
    assert not visits.load().files[0].is_new
    assert visits.project.warehouse.path.read_bytes() == before
    # A view that is gone, or that another contract has made, is made anew.
    visits.raw("drop view raw.visits")
    visits.load()
    assert visits.raw("select count(*) from raw.visits") == [(300,)]
    visits.change({**COLUMNS, "shop": {"optional": True}}, **APPENDED)
    visits.load()
    assert visits.raw("select count(*), count(shop) from raw.visits") == [(300, 0)]


def test_a_message_tells_the_three_findings_that_matter_most_and_counts_the_rest(arriving: Callable[..., Any]) -> None:
    columns = {"id": {"type": "bigint"}, **{f"c{number}": {"type": "double"} for number in range(40)}}

    def table(shift: float, slight: float) -> str:
        rows = (
            ",".join([str(row), *(str(row % 50 + (shift if column == 7 else slight)) for column in range(40))])
            for row in range(400)
        )
        return "\n".join([",".join(columns), *rows]) + "\n"

    visits = arriving(columns, **CSV)
    visits.arrive("a.csv", table(0, 0))
    refused = visits.arrive("b.csv", table(1_000, 25))
    assert len(refused.problem) < 700
    assert "and 37 more, all in records.load_checks" in refused.problem
    assert refused.problem.index("drift of c7 ") < refused.problem.index("; drift of c")
    failed = [check for check in visits.register.checks(refused.load_id) if not check.passed]
    assert len(failed) == 40


def test_a_real_file_after_a_sample_is_told_so_first(arriving: Callable[..., Any]) -> None:
    visits = arriving(ID, **CSV)
    sample = visits.drop("sample.csv", lines(*range(1_000)))
    remember_samples([sample], visits.project.landing, visits.project.loads)
    visits.load()
    refused = visits.arrive("real.csv", lines(*range(500_000, 510_000)))
    assert refused.problem.startswith(
        "shop.visits cannot be loaded: the load before it was a generated sample of an example, so it is compared with "
        "what nobody sent; it is not the population we expect"
    )
    assert "accept this one with a reason" in refused.remedy
    accept(visits.project, [visits.table], refused.load_id, "It is ours.")
    later = visits.arrive("later.csv", lines(*range(5)))
    assert "sample" not in later.problem


@pytest.mark.parametrize("through", ["file", "folder"])
def test_a_link_that_leads_out_of_landing_is_not_followed_unless_declared(
    arriving: Callable[..., Any], tmp_path: Path, through: str
) -> None:
    visits = arriving(ID, **CSV)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.csv").write_text(lines(1, 2))
    folder = visits.landed("a.csv").parent
    if through == "file":
        folder.mkdir(parents=True)
        (folder / "a.csv").symlink_to(elsewhere / "a.csv")
    else:
        folder.parent.mkdir(parents=True)
        folder.symlink_to(elsewhere)
    with pytest.raises(LoadError, match=r"a\.csv is a link, or in one, that leads out of landing"):
        visits.load()
    assert files_in(folder) == []
    visits.change(ID, follow_links=True, **CSV)
    assert visits.load().blocking == ()
    assert visits.raw() == [(1,), (2,)]


def test_a_link_within_landing_and_landing_that_is_one_are_followed(
    arriving: Callable[..., Any], tmp_path: Path
) -> None:
    visits = arriving(ID, **CSV)
    (tmp_path / "disk").mkdir()
    visits.project.landing.symlink_to(tmp_path / "disk")
    (visits.drop("a.csv", lines(1)).parent / "b.csv").symlink_to("a.csv")
    assert [landed.file_name for landed in visits.load().files] == ["a.csv", "b.csv"]


def test_what_is_made_is_the_owners_alone_and_a_publication_as_open_as_its_folder(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.root.joinpath("warehouse").mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        project.keep_private()
        (tmp_path / "made").touch()
        folders = {folder.name: stat.S_IMODE(folder.stat().st_mode) for folder in tmp_path.iterdir()}
        assert folders == {"warehouse": 0o700, "published": 0o700, "made": 0o600}
        for opened, expected in ((0o700, 0o400), (0o755, 0o444)):
            project.published.parent.chmod(opened)
            project.keep_private()  # a folder that was opened stays open
            with shelf_of(project).switched(keep=False) as partial:
                partial.write_bytes(b"a publication")
            assert stat.S_IMODE(project.published.stat().st_mode) == expected
    finally:
        os.umask(before)
