"""The command line: make types no command that does not exist, and whatever stops a command is said in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from typer.main import get_command

from orchestration.command_line.main import app, console, main

ROOT = Path(__file__).parents[2]
PRINT_QUARANTINE = "orchestration.command_line.quarantine.print_quarantine"


@pytest.fixture(autouse=True)
def _nothing_is_prepared() -> Iterator[None]:
    """Commands write to the test's own terminal, and make no Dagster home in this checkout."""
    console.cache_clear()
    with patch("orchestration.command_line.main.prepare"):
        yield
    console.cache_clear()


def test_make_types_commands_that_exist() -> None:
    typed = set(re.findall(r"-m orchestration ([a-z]+)", (ROOT / "Makefile").read_text()))
    assert typed == set(get_command(app).commands)


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


def test_an_error_that_is_nobodys_mistake_is_not_dressed_up() -> None:
    with patch(PRINT_QUARANTINE, side_effect=ZeroDivisionError), pytest.raises(ZeroDivisionError):
        main(["quarantine"])
