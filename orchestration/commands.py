"""What a person types, or does in Dagster, for each action that a message advises; and errors worded with it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from turnout.advice import Action, Name

if TYPE_CHECKING:
    from turnout.errors import TurnoutError


def command(action: Action) -> str:
    """Return what a person types, or does in Dagster, to do something."""
    return COMMANDS[action.name](**action.arguments)


def error_in_words(error: TurnoutError) -> str:
    """Return an error as a person reads it here: with the commands that mend it."""
    return error.text(command)


def _named(typed: str) -> Callable[..., str]:
    return lambda: f"'{typed}'"


def _build(table: str | None = None) -> str:
    return "materialize it" if table is None else f"materialize '{table}' in Dagster"


def _train(prediction: str) -> str:
    return f"train again: materialize model_versions/{prediction}"


def _accept(load: str | None = None, source: str = "", table: str = "") -> str:
    which = f"LOAD={load}" if load else f"SOURCE={shlex.quote(source)} TABLE={shlex.quote(table)}"
    return f"make accept {which} BECAUSE='the reason'"


def _restore(publication: int | None = None) -> str:
    if publication is None:
        return "'make restore'"
    return f'make restore PUBLICATION={publication} NAME="who you are" BECAUSE="the reason"'


def _approve(prediction: str, version: int, who: str = "who", because: str = "why") -> str:
    return f'make approve {_of(prediction, version)} NAME="{who}" BECAUSE="{because}"'


def _rollback(prediction: str = "", version: int = 0, *, override: bool = False) -> str:
    if not prediction:
        return "'make rollback'"
    by_force = " OVERRIDE=yes" if override else ""
    return f'make rollback {_of(prediction, version)} NAME="who you are" BECAUSE="the reason"{by_force}'


def _replay(prediction: str, version: int) -> str:
    return f"make replay {_of(prediction, version)}"


def _of(prediction: str, version: int) -> str:
    return f"PREDICTION={shlex.quote(prediction)} VERSION={version}"


COMMANDS: Mapping[Name, Callable[..., str]] = {
    "run": _named("make run"),
    "build": _build,
    "train": _train,
    "quarantine": _named("make quarantine"),
    "accept": _accept,
    "publications": _named("make publications"),
    "restore": _restore,
    "approve": _approve,
    "rollback": _rollback,
    "replay": _replay,
    "leaderboard": _named("make leaderboard"),
}
