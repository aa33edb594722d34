"""The records of a delimited text, found exactly: where each begins and ends, and which lines a quote has damaged.

DuckDB parses. But it takes all that stands between two quotes for one value, however many rows that may be, so it is
given a text in which every quote is closed where it should be. The lines that are left out of it are named.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from turnout.loading.plain_text import MAX_LINE_BYTES

# What a value may look like in a column of which only so much needs to be known.
_KINDS = (
    (
        re.compile("u?(tiny|small|big|huge)?int(eger)?|(decimal|numeric|double|float|real).*"),
        re.compile(r"[-+]?[0-9.,]+([eE][-+]?[0-9]+)?"),
    ),
    (re.compile("(date|time).*"), re.compile(r".*[0-9].*")),
)

# Where a value ends that does not end on its line, or whose closing quote stands where none may be.
_NOWHERE, _UNSOUND = -1, -2
# Stands for a carriage return that is part of a value without quotes, which DuckDB cannot read. No text may hold it
# (Unicode, chapter 23.7).
RETURN = "\ufdd1"
# How long a header that spans lines may be.
_HEADER_BYTES = 1 << 16


@dataclass(frozen=True)
class Dialect:
    """How a delimited text is written.

    Parameters
    ----------
    delimiter, quote : str
        What stands between values, and around those that may hold anything; without quotes an empty text.
    has_header : bool
        Whether the first record names the columns.
    null_values : tuple of str
        What stands for a missing value.
    has_blank_records : bool
        Whether a blank line may be a record, of one missing value; elsewhere it is none.
    """

    delimiter: str
    quote: str
    has_header: bool
    null_values: tuple[str, ...] = ()
    has_blank_records: bool = False


@dataclass(frozen=True)
class LineLeftOut:
    """A line that is in no record.

    Parameters
    ----------
    number : int
        Its number, where a record that spans lines counts as one.
    reason : str, optional
        Why; None if it is blank.
    content : bytes
        What stands there, in UTF-8.
    """

    number: int
    reason: str | None = None
    content: bytes = b""


class Records:
    """The records of a delimited text.

    A value may span lines. But where the lines that it would swallow read as rows themselves, its quote is not meant:
    the line that opens it is left out, as is the line that closes it if it has a quote too many, and what is between
    are rows.

    Parameters
    ----------
    dialect : Dialect
        How the text is written.
    names : sequence of str
        What the columns are called in a reason.
    types : sequence of str
        Their declared types; a column that is not declared has an empty one.
    """

    def __init__(self, dialect: Dialect, names: Sequence[str], types: Sequence[str]) -> None:
        self._delimiter, self._quote = _as_bytes(dialect.delimiter), _as_bytes(dialect.quote)
        self._dialect, self._names = dialect, names
        # Blanks around a quoted value are not part of it; where they are delimiters there are none.
        self._blank = "" if self._delimiter.startswith(" ") else " "
        self._patterns = [
            next((value for kind, value in _KINDS if kind.fullmatch(declared.lower())), None) for declared in types
        ]
        self._missing = {"", *map(_as_bytes, dialect.null_values)}
        self.count, self.header_problem, self.has_returns = 0, "", False

    def copy(self, text: Path, copy: Path) -> Iterator[LineLeftOut]:
        """Write the records to a file, each ended by a line feed, and yield the lines that are in none.

        Afterwards `count` is the number of records and of lines that were left out, `header_problem` what is wrong with
        the header if it is among these, and `has_returns` says whether values hold `RETURN` where they are to hold a
        carriage return.
        """
        # Every byte is one character; lines end in any way, and keep their ends.
        with (
            text.open(encoding="latin-1", newline="") as source,
            copy.open("w", encoding="latin-1", newline="") as target,
        ):
            yield from self._copied(_Lines(source), target)

    def is_open(self, content: str) -> bool:
        """Return whether a text ends within a quoted value."""
        return bool(self._quote) and self._quote in content and self._read(content, 0, is_open=False)[1]

    def split(self, content: str) -> list[str]:
        """Return the values of a line as they are written; a quote that is not closed on it is part of its value."""
        if not self._quote or self._quote not in content:
            return content.split(self._delimiter)
        values: list[str] = []
        place = 0
        while True:
            opens = self._past_blanks(content, place)
            end = self._end(content, opens + 1) if content.startswith(self._quote, opens) else _NOWHERE
            if end < 0:
                end = content.find(self._delimiter, place)
            if end in {_NOWHERE, len(content)}:
                return [*values, content[place:]]
            values.append(content[place:end])
            place = end + len(self._delimiter)

    def _copied(self, source: _Lines, target: IO[str]) -> Iterator[LineLeftOut]:
        place, is_before_first = 0, True
        closing: set[int] = set()
        while line := source.read():
            if line.endswith("\r") and len(line) > 1:
                line = self._with_returns(source, line)
            begin, place = place, place + len(line)
            self.count += 1
            content = _without_end(line)
            if not content and (is_before_first or not self._dialect.has_blank_records):
                yield LineLeftOut(self.count)
                continue
            is_header, is_before_first = is_before_first and self._dialect.has_header, False
            if "\r" in content:
                self.has_returns = True
                target.write(f"{content.replace(chr(13), _RETURN)}\n")
                continue
            if self._quote and self._quote in content:
                problem = None
                if begin in closing:
                    closing.discard(begin)
                    problem = self._closes_what_none_opens(content)
                if problem is None:
                    record, problem = self._whole(source, line, begin, closing, is_header=is_header)
                if problem is not None:
                    self.header_problem = problem if is_header else self.header_problem
                    yield LineLeftOut(self.count, problem, content.encode("latin-1"))
                    continue
                place = begin + len(record)
                content = _without_end(record)
            target.write(f"{content}\n")

    def _with_returns(self, source: _Lines, line: str) -> str:
        """Return a line with those after it, if a carriage return does not end it but is part of one of its values.

        Python's and pandas' writers put no quotes around such a value. It is one if the line that a line feed ends has
        the right number of values.
        """
        lines, whole = [line], line
        while whole.endswith("\r") and 1 < len(self.split(whole)) <= len(self._names) and len(whole) < MAX_LINE_BYTES:
            lines.append(source.read())
            whole += lines[-1]
            if not lines[-1]:
                break
        content = _without_end(whole)
        if whole.endswith("\n") and len(self.split(content)) == len(self._names) > 1 and not self.is_open(content):
            return whole
        source.give_back(lines[1:])
        return line

    def _whole(
        self, source: _Lines, line: str, begin: int, closing: set[int], *, is_header: bool
    ) -> tuple[str, str | None]:
        """Return the record that begins with a line, with its line ends; or that line, and what is wrong with it."""
        content = _without_end(line)
        count, is_open, is_sound = self._read(content, 0, is_open=False)
        if not is_sound:
            return line, f"its value of {self._name(count)} goes on after the quote that closes it"
        if not is_open:
            return line, None
        problem = f"the quote that opens its value of {self._name(count)} is not closed on this line"
        lines, size = [line], len(line)
        closes: list[int] = []
        while is_open and is_sound:
            following = source.read()
            lines.append(following)
            if not following or size + len(following) > MAX_LINE_BYTES:
                break
            content = _without_end(following)
            if self._quote in content:
                if self._end(content, 0) >= 0:
                    closes.append(begin + size)
                count, is_open, is_sound = self._read(content, count, is_open=True)
            size += len(following)
        is_whole = is_sound and not is_open and count == len(self._names)
        if is_whole and (is_header or not self._swallows_rows(lines)):
            return "".join(lines), None
        closing.update(closes)
        source.give_back(lines[1:])
        return line, problem

    def _read(self, content: str, count: int, *, is_open: bool) -> tuple[int, bool, bool]:
        """Read a line on from a number of values: how many are whole after it, is one open, are its quotes sound."""
        place = 0
        while True:
            if not is_open:
                opens = self._past_blanks(content, place)
                if content.startswith(self._quote, opens):
                    place = opens + 1
                else:
                    found = content.find(self._delimiter, place)
                    count += 1
                    if found < 0:
                        return count, False, True
                    place = found + len(self._delimiter)
                    continue
            end = self._end(content, place)
            if end == _NOWHERE:
                return count, True, True
            if end == _UNSOUND:
                return count, False, False
            count, is_open = count + 1, False
            if end == len(content):
                return count, False, True
            place = end + len(self._delimiter)

    def _end(self, content: str, place: int) -> int:
        """Return where a quoted value ends that goes on at a place: at a delimiter or the end of the line."""
        while True:
            found = content.find(self._quote, place)
            if found < 0:
                return _NOWHERE
            if content.startswith(self._quote, found + 1):
                place = found + 2
                continue
            after = self._past_blanks(content, found + 1)
            is_sound = after == len(content) or content.startswith(self._delimiter, after)
            return after if is_sound else _UNSOUND

    def _past_blanks(self, content: str, place: int) -> int:
        while self._blank and content.startswith(self._blank, place):
            place += 1
        return place

    def _swallows_rows(self, lines: Sequence[str]) -> bool:
        """Return whether lines of one record read as rows: one in the middle, or both the first and the last.

        Of these two there must be what the record has cut off, too: a last value, and a first one.
        """
        if any(self._as_a_row(_without_end(line)) for line in lines[1:-1]):
            return True
        first, last = (self._as_a_row(_without_end(line)) for line in (lines[0], lines[-1]))
        return bool(first and first[-1] and last and last[0])

    def _as_a_row(self, content: str) -> list[str]:
        """Return the bare values of a line if by itself it has one for every column, as its type needs it."""
        values = self.split(content)
        if len(values) != len(self._names) or (len(values) == 1 and not self._patterns[0]):
            return []
        bare = [value.strip().strip(self._quote).strip() for value in values]
        is_row = any(bare) and all(
            pattern is None or value in self._missing or pattern.fullmatch(value) is not None
            for value, pattern in zip(bare, self._patterns, strict=True)
        )
        return bare if is_row else []

    def _closes_what_none_opens(self, content: str) -> str | None:
        """Return what is wrong with a line on which a value would end that an earlier one opens."""
        for place, value in enumerate(self.split(content)):
            if self._quote in value and not value.lstrip(" ").startswith(self._quote):
                return f"a quote ends its value of {self._name(place)}, which none begins on this line"
        return None

    def _name(self, place: int) -> str:
        return self._names[place] if place < len(self._names) else f"column {place + 1}"


class _Lines:
    """The lines of a text with their ends, one after the other; some may be given back and are read again."""

    def __init__(self, source: IO[str]) -> None:
        self._source = source
        self._given_back: deque[str] = deque()

    def read(self) -> str:
        """Return the next line, empty after the last."""
        return self._given_back.popleft() if self._given_back else self._source.readline()

    def give_back(self, lines: Sequence[str]) -> None:
        """Read these lines, the last ones that were read, once more."""
        self._given_back.extendleft(line for line in reversed(lines) if line)


def first_record(text: Path, dialect: Dialect) -> list[str]:
    """Return the values of the first record of a text in UTF-8 that is not blank; none if there is none.

    What is not UTF-8 is replaced, as the rows will tell of it. A quote that is not closed is part of its value.
    """
    records = Records(dialect, [], [])
    with text.open(encoding="latin-1", newline="") as source:
        lines = (_without_end(line) for line in source)
        first = record = next((line for line in lines if line), "")
        # A name may span lines, too.
        while records.is_open(record):
            following = next(lines, None)
            if following is None or len(record) > _HEADER_BYTES:
                record = first
                break
            record = f"{record}\n{following}"
    values = records.split(record) if record else []
    return [_unquoted(value.encode("latin-1").decode(errors="replace"), dialect) for value in values]


def _unquoted(value: str, dialect: Dialect) -> str:
    bare, quote = value.strip(" "), dialect.quote
    is_quoted = quote and len(bare) > 1 and bare.startswith(quote) and bare.endswith(quote)
    return bare[1:-1].replace(quote * 2, quote) if is_quoted else value


def _as_bytes(text: str) -> str:
    """Return the bytes of a text in UTF-8, each as one character."""
    return text.encode().decode("latin-1")


def _without_end(line: str) -> str:
    return line.removesuffix("\n").rstrip("\r")


_RETURN = _as_bytes(RETURN)
