"""Mistakes that a person can mend, as Dagster failures that say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import Failure

from orchestration.commands import error_in_words
from orchestration.machine import refusal_of
from turnout.errors import TurnoutError


@contextmanager
def as_dagster_failure() -> Iterator[None]:
    """Turn a mistake that a person can mend into a Dagster failure that says so, without a traceback of ours.

    What the machine refuses is one, such as a file on a full disk.
    """
    try:
        yield
    except TurnoutError as error:
        raise Failure(description=error_in_words(error), allow_retries=False) from None
    except OSError as error:
        refused = refusal_of(error)
        if refused is None:
            raise
        raise Failure(description=error_in_words(refused), allow_retries=False) from None
