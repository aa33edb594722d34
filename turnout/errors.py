"""Errors for the person who reads them: what, where, which rule, what to do next."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from turnout.advice import Advice, Wording, worded

if TYPE_CHECKING:
    from collections.abc import Iterable


class TurnoutError(Exception):
    """A mistake that a person can mend.

    Whoever shows it to a person prints no traceback, but `error.text(wording)`, or `str(error)`, which is complete as
    well, and names no command.

    Parameters
    ----------
    what : str or Advice
        What is wrong, as one sentence.
    where : str
        The file, table, model or key it was found in.
    rule : str
        The rule that it breaks, and why that rule is there.
    remedy : str or Advice
        What to do next; commands stand in an `Advice` as actions.
    """

    def __init__(self, what: str | Advice, *, where: str, rule: str, remedy: str | Advice) -> None:
        self.what, self.where, self.rule, self.remedy = what, where, rule, remedy
        super().__init__(self.text(str))

    def text(self, wording: Wording) -> str:
        """Return the whole of it in words, with what can be done about it as `wording` puts it."""
        what, remedy = worded(self.what, wording), worded(self.remedy, wording)
        return f"{what}\n  where:  {self.where}\n  rule:   {self.rule}\n  remedy: {remedy}"


class DeclarationError(TurnoutError):
    """A declaration of a prediction or a link in dbt YAML is wrong."""


class LoadError(TurnoutError):
    """A file in landing cannot become a load."""


class ExamplesError(TurnoutError):
    """The examples cannot be learned from or scored."""


class LinkError(TurnoutError):
    """Records cannot be found in another table as declared."""


class ModelError(TurnoutError):
    """A saved model cannot be used."""


class UnusableModelError(ModelError):
    """The file of a model version is missing, or what it holds cannot be used here any more.

    Parameters
    ----------
    problem : str
        Why, as it follows "is obsolete:".
    """

    def __init__(self, what: str, *, where: str, rule: str, remedy: str | Advice, problem: str) -> None:
        super().__init__(what, where=where, rule=rule, remedy=remedy)
        self.problem = problem


class WarehouseError(TurnoutError):
    """The warehouse cannot be reached or does not hold what was asked for."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the known word closest to `word`, or an empty string."""
    matches = get_close_matches(word, list(known), n=1)
    return f" Did you mean '{matches[0]}'?" if matches else ""
