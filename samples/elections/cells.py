"""Columns of text, made many cells at a time: every cell of a published file is text in the end."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FIRST_DAY, _LAST_DAY = np.datetime64("1900-01-01"), np.datetime64("2031-01-01")
_ACCENTS = str.maketrans("ÁÉÍÓÚÑÜÖÄËÇÈáéíóúñüöäëçè", "AEIOUNUOAECEaeiounuoaece")


@cache
def plain(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words without accents, as many offices key them."""
    return tuple(word.translate(_ACCENTS) for word in words)


@cache
def _dictionary(words: tuple[str, ...]) -> pa.Array:
    return pa.array(words, pa.string())


def pick(words: Sequence[str], places: NDArray[np.integer]) -> pa.Array:
    """Return the word at each place; a negative place is an empty cell."""
    dictionary = _dictionary((*words, ""))
    return dictionary.take(pa.array(np.where(places < 0, len(words), places)))


def numbers(values: NDArray[np.integer], width: int = 0) -> pa.Array:
    """Return whole numbers as text, filled with zeros on the left up to a width."""
    written = pa.array(values).cast(pa.string())
    return pc.utf8_lpad(written, width, "0") if width else written


@cache
def _days(format_: str) -> pa.Array:
    days = np.arange(_FIRST_DAY, _LAST_DAY).astype("datetime64[s]").tolist()
    return pa.array([day.strftime(format_) for day in days], pa.string())


def dates(days: NDArray[np.datetime64], format_: str) -> pa.Array:
    """Return days from 1900 to 2030 as text in a format of strftime."""
    return _days(format_).take(pa.array((days - _FIRST_DAY).astype(np.int64)))


def join(*parts: pa.Array | str) -> pa.Array:
    """Return the parts put together, cell by cell; a string is the same in every cell."""
    return pc.binary_join_element_wise(*parts, "")


def words(*parts: pa.Array | str) -> pa.Array:
    """Return the parts that are not empty, cell by cell, with a space between them."""
    joined = pc.binary_join_element_wise(*parts, " ")
    return pc.utf8_trim(pc.replace_substring_regex(joined, " +", " "), " ")


def choose(mask: NDArray[np.bool_], then: pa.Array | str, otherwise: pa.Array | str) -> pa.Array:
    """Return `then` where the mask is true, else `otherwise`."""
    return pc.if_else(pa.array(mask), then, otherwise)
