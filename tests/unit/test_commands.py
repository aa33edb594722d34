"""What a person can do is named below; how it is typed stands in one table, which knows all of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from orchestration.commands import COMMANDS, command, error_in_words
from turnout.advice import Action, Advice, Name
from turnout.errors import LoadError

ROOT = Path(__file__).parents[2]


def test_every_action_has_its_command() -> None:
    assert set(COMMANDS) == set(get_args(Name))


@pytest.mark.parametrize(
    ("action", "typed"),
    [
        (Action("run", "a run"), "'make run'"),
        (Action("build", "it", {"table": "orders"}), "materialize 'orders' in Dagster"),
        (Action("build", "it"), "materialize it"),
        (
            Action("train", "train again", {"prediction": "will_return"}),
            "train again: materialize model_versions/will_return",
        ),
        (Action("accept", "accept it", {"load": "ab12"}), "make accept LOAD=ab12 BECAUSE='the reason'"),
        (
            Action("restore", "restore it", {"publication": 3}),
            'make restore PUBLICATION=3 NAME="who you are" BECAUSE="the reason"',
        ),
        (Action("restore", "a restore"), "'make restore'"),
        (
            Action("approve", "approve it", {"prediction": "a b", "version": 2}),
            'make approve PREDICTION=\'a b\' VERSION=2 NAME="who" BECAUSE="why"',
        ),
    ],
)
def test_an_action_is_worded_with_its_arguments(action: Action, typed: str) -> None:
    assert command(action) == typed
    assert str(action) == action.words


def test_an_error_is_complete_with_commands_and_without() -> None:
    remedy = Advice("mend {it}; ", Action("run", "a run"), " goes on.")
    error = LoadError("It is wrong.", where="here", rule="it is right.", remedy=remedy)
    assert str(error) == "It is wrong.\n  where:  here\n  rule:   it is right.\n  remedy: mend {it}; a run goes on."
    assert error_in_words(error) == str(error).replace("a run", "'make run'")


@pytest.mark.parametrize("storey", ["turnout", "ml"])
def test_nothing_below_the_command_line_names_a_command(storey: str) -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert "accept" in targets
    named = re.compile(rf"\bmake ({'|'.join(targets)})\b|\b[Mm]aterialize\b|in Dagster, or")
    files = [path for kind in ("*.py", "*.jinja") for path in (ROOT / storey).rglob(kind)]
    found = {str(path): named.findall(path.read_text(encoding="utf-8")) for path in files}
    assert not {path: names for path, names in found.items() if names}
