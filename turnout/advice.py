"""What a person can do next, said without the command: that is for whoever shows it.

The ground floor and the learning know what can be done, and with which arguments. How it is typed, or which button of
which tool does it, is known where the commands are; see `orchestration.commands`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

# What a person can do.
Name = Literal[
    "run",
    "build",
    "train",
    "quarantine",
    "accept",
    "publications",
    "restore",
    "approve",
    "rollback",
    "replay",
    "leaderboard",
]


@dataclass(frozen=True)
class Action:
    """Something that a person can do.

    Parameters
    ----------
    name : str
        One of `Name`.
    words : str
        What stands in a sentence where nobody knows the command.
    arguments : mapping of str to value
        What it is done with, as far as it is known.
    """

    name: Name
    words: str
    arguments: Mapping[str, object] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return self.words


Wording = Callable[[Action], str]


@dataclass(frozen=True, init=False)
class Advice:
    """A text for a person with actions in it; `str(advice)` is complete, and names no command."""

    parts: tuple[str | Action, ...]

    def __init__(self, *parts: str | Action) -> None:
        object.__setattr__(self, "parts", parts)

    def __str__(self) -> str:
        return self.text(str)

    def text(self, wording: Wording) -> str:
        """Return the text, with each action as `wording` puts it."""
        return "".join(part if isinstance(part, str) else wording(part) for part in self.parts)


def worded(text: str | Advice, wording: Wording) -> str:
    """Return a text, with each action in it as `wording` puts it."""
    return text if isinstance(text, str) else text.text(wording)
