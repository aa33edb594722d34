"""Mistakes that a person can mend, as Dagster failures that say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import Failure

from turnout.errors import TurnoutError


@contextmanager
def in_words() -> Iterator[None]:
    """Turn a mistake that a person can mend into a Dagster failure that says so, without a traceback of ours."""
    try:
        yield
    except TurnoutError as error:
        raise Failure(description=str(error), allow_retries=False) from None
