"""The command line: make types no command that does not exist, and whatever stops a command is said in words."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import pytest
from rich.console import Console
from rich.table import Table
from typer.main import get_command

from ml.tasks.numbers import number
from orchestration.command_line.interruption import screen
from orchestration.command_line.main import app, console, main
from orchestration.command_line.tables import print_table

ROOT = Path(__file__).parents[2]
PRINT_QUARANTINE = "orchestration.command_line.quarantine.print_quarantine"


@pytest.fixture(autouse=True)
def _nothing_is_prepared() -> Iterator[None]:
    """Commands write to the test's own terminal, and make no Dagster home in this checkout."""
    console.cache_clear()
    screen.cache_clear()
    with patch("orchestration.command_line.main.prepare"):
        yield
    console.cache_clear()
    screen.cache_clear()


def test_make_types_commands_that_exist() -> None:
    typed = set(re.findall(r"-m orchestration ([a-z]+)", (ROOT / "Makefile").read_text()))
    assert typed == set(get_command(app).commands)


GIVEN = """-5 of $5, $$, ${HOME}, `touch x`, $(shell touch x) and $(touch x); "one" 'two' #3 \\ %s"""


@pytest.mark.parametrize(
    ("target", "given", "expected"),
    [
        ("restore", {"PUBLICATION": "-1", "NAME": GIVEN, "BECAUSE": GIVEN}, ["restore", "--", "-1", GIVEN, GIVEN]),
        ("accept", {"SOURCE": GIVEN, "TABLE": "t"}, ["accept", f"--source={GIVEN}", "--table=t", "--", "", ""]),
        ("audit", {"DATES": GIVEN, "SEED": "1; touch x"}, ["audit", f"--dates={GIVEN}", "--seed=1; touch x"]),
        ("export", {"FOLDER": GIVEN}, ["export", f"--folder={GIVEN}"]),
        ("leaderboard", {"PORT": GIVEN}, ["leaderboard", f"--port={GIVEN}"]),
        ("run", {"VOTERS": "1 touch x; touch x"}, ["run"]),
        (
            "rollback",
            {"PREDICTION": "a", "VERSION": "1", "NAME": "-n", "BECAUSE": GIVEN, "OVERRIDE": "yes"},
            ["rollback", "--override=yes", "--", "a", "1", "-n", GIVEN],
        ),
    ],
)
def test_make_gives_a_command_what_was_typed(
    target: str, given: dict[str, str], expected: list[str], tmp_path: Path
) -> None:
    python = tmp_path / "environment/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nshift 2\nprintf "%s\\0" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "environment/run").touch()
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/run.lock").touch()
    os.utime(tmp_path / "requirements/run.lock", (0, 0))
    typed = [f"{name}={value}" for name, value in given.items()]
    makefile = ["make", "--no-print-directory", "-f", str(ROOT / "Makefile"), "ENVIRONMENT=environment"]
    made = subprocess.run([*makefile, target, *typed], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert made.stdout.split("\0")[:-1] == expected
    assert not (tmp_path / "x").exists()


def test_a_reason_may_begin_with_a_dash_and_hold_anything() -> None:
    with patch("orchestration.command_line.publications.restore_publication") as restore, pytest.raises(SystemExit):
        main(["restore", "--", "1", "me", GIVEN])
    assert restore.call_args.kwargs == {"who": "me", "because": GIVEN}


def test_a_command_of_an_earlier_release_names_the_one_of_this(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["release", "ab12", "We opened shops."])
    assert stopped.value.code == 1
    assert "make accept LOAD=ab12" in capfd.readouterr().err


def test_a_mistyped_command_names_the_one_that_looks_like_it(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["quarantin"])
    assert stopped.value.code == 2
    assert "Did you mean 'quarantine'?" in capfd.readouterr().err


def test_whoever_stops_a_command_is_told_that_what_was_finished_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    with patch(PRINT_QUARANTINE, side_effect=KeyboardInterrupt), pytest.raises(SystemExit) as stopped:
        main(["quarantine"])
    assert stopped.value.code == 130
    assert "What was finished is kept" in capfd.readouterr().err


SWALLOWS = """
import signal, time
from orchestration.command_line.interruption import end_when_stopped
end_when_stopped()
{handlers}
print("begun", flush=True)
while True:
    try:
        time.sleep(60)
    except BaseException as error:
        print("did not foresee", error, flush=True)
"""
TAKEN_OVER = "for number in (2, 15): signal.signal(number, lambda *_: print('taken over', flush=True))"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("handlers", ["", TAKEN_OVER], ids=["swallowed", "taken over"])
def test_whatever_is_done_with_a_signal_the_process_ends_in_one_sentence(number: int, code: int, handlers: str) -> None:
    program = [sys.executable, "-c", SWALLOWS.format(handlers=handlers)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        said, told = process.communicate(timeout=10)
    assert process.returncode == code
    assert "did not foresee" not in said
    assert told.strip().startswith("Stopped by")
    assert len(told.strip().splitlines()) == 1


def test_a_command_is_stopped_while_it_imports(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "orchestration", "run"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as process:
        time.sleep(0.3)
        process.terminate()
        _, told = process.communicate(timeout=10)
    assert process.returncode == 143
    assert "nothing is half-written" in told


def test_an_error_that_is_nobodys_mistake_is_not_dressed_up() -> None:
    with patch(PRINT_QUARANTINE, side_effect=ZeroDivisionError), pytest.raises(ZeroDivisionError):
        main(["quarantine"])


NAMES = (
    "a_prediction_with_a_rather_long_name",
    "baseline, version 12",
    "84,710 (81,200 to 88,300)",
    "2013-03-01",
)


@pytest.mark.parametrize(("width", "is_terminal"), [(60, True), (200, True), (60, False)])
def test_a_table_cuts_no_name_date_or_number(width: int, is_terminal: bool) -> None:
    table = Table(title="Predictions")
    for place in range(len(NAMES)):
        table.add_column(f"heading {place}", no_wrap=True)
    table.add_row(*NAMES)
    written = StringIO()
    print_table(Console(file=written, width=width, force_terminal=is_terminal, soft_wrap=True), table)
    for name in NAMES:
        assert name in written.getvalue()
    if is_terminal:
        lines = re.sub(r"\x1b\[[0-9;]*m", "", written.getvalue()).splitlines()
        assert max(map(len, lines)) <= width


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (84710.0, "84,710"),
        (84710, "84,710"),
        (1.234567e14, "123,456,700,000,000"),
        (1e15, "1e+15"),
        (-1234.56, "-1,235"),
        (999.96, "1,000"),
        (0.69, "0.69"),
        (0.00012344, "0.0001234"),
        (0.00001, "1e-05"),
        (0.0, "0"),
        (None, "undefined"),
        (float("nan"), "undefined"),
    ],
)
def test_numbers_have_no_exponent_where_a_person_needs_none(value: float | None, expected: str) -> None:
    assert number(value) == expected
