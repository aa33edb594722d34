"""A file of text as plain text: UTF-8 without a byte order mark, uncompressed, its lines counted by their ends alone.

What is plain already is read where it stands; of the rest a plain copy is made, a block at a time. Nothing here knows
what stands on a line.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from turnout.loading.refusal import RefusalError

if TYPE_CHECKING:
    from turnout.loading.contract import SourceTable

# Longest line of a text, and longest value that spans lines, in bytes.
MAX_LINE_BYTES = 1 << 24
# What gzip says of a file that is damaged, cut, or followed by something else.
GZIP_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)

_BLOCK_BYTES = 1 << 22
# Characters that nobody writes; in Latin-1 they stand where Windows has its quotes and dashes.
_CONTROL_CHARACTERS = re.compile("[\x80-\x84\x86-\x9f]")


@dataclass(frozen=True)
class PlainText:
    """A text in UTF-8 without a byte order mark.

    Parameters
    ----------
    path : Path
        The file itself, or a plain copy.
    line_count : int
        Its lines, blank ones and the last included.
    line_end : str
        What ends all its lines, a line feed or both characters; empty if they end in several ways, or as on old Macs.
    has_blank_lines : bool
        Whether there is nothing on some of them.
    last_byte : bytes
        With what it ends.
    """

    path: Path
    line_count: int
    line_end: str
    has_blank_lines: bool
    last_byte: bytes

    @property
    def is_ended(self) -> bool:
        """Whether its last line ends as lines do."""
        return self.last_byte in {b"\n", b"\r"}


def plain_text(path: Path, scratch: Path, table: SourceTable) -> PlainText:
    """Return a file as plain text.

    Parameters
    ----------
    path : Path
        The file.
    scratch : Path
        Where a plain copy may be written; with a suffix.
    table : SourceTable
        The contract, with encoding and compression.

    Raises
    ------
    RefusalError
        If the file holds no text, is not encoded as declared, or has a line of more than `MAX_LINE_BYTES`.
    EOFError, gzip.BadGzipFile, zlib.error
        If its compressed form is damaged, cut, or followed by something else.
    """
    lines = _Lines()
    encoding = _encoding(table)
    is_compressed = _is_compressed(path, table)
    with cast("IO[bytes]", gzip.open(path, "rb") if is_compressed else path.open("rb")) as content:
        is_marked = encoding == "utf-8" and content.read(3) == codecs.BOM_UTF8
        content.seek(0)
        is_plain = not is_compressed and not is_marked and encoding == "utf-8"
        copy = path if is_plain else scratch.with_suffix(".text")
        if is_plain:
            for block in _blocks(content):
                lines.see(block)
        else:
            with copy.open("wb") as written:
                for block in _recoded(content, encoding, path, table):
                    written.write(block)
                    lines.see(block)
    if lines.byte_count == 0:
        raise empty(table, path)
    if lines.longest > MAX_LINE_BYTES:
        raise RefusalError(
            table,
            f"it has a line of more than {MAX_LINE_BYTES >> 20} MiB",
            str(path),
            f"ask its sender for lines that end, or correct the format in {table.file}.",
        )
    return lines.of(copy)


def empty(table: SourceTable, path: Path) -> RefusalError:
    """Return the refusal of a file without a byte."""
    return RefusalError(table, "the file is empty", str(path), "ask its sender for a whole file.")


class _Lines:
    """What is counted of the lines of a text while its blocks go by."""

    def __init__(self) -> None:
        self.byte_count = self.longest = 0
        self._feeds = self._returns = self._both = 0
        self._has_blank = False
        self._since_end = 0
        self._last = b"\n"  # the text begins where a line begins

    def see(self, block: bytes) -> None:
        """Count a block that is not empty."""
        self.byte_count += len(block)
        seen = self._last + block
        self._feeds += block.count(b"\n")
        if b"\r" in seen:
            self._returns += block.count(b"\r")
            self._both += seen.count(b"\r\n")
            self._has_blank = self._has_blank or b"\n\r" in seen or b"\r\r" in seen
        self._has_blank = self._has_blank or b"\n\n" in seen
        end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self.longest = max(self.longest, self._since_end)
        self._since_end = self._since_end + len(block) if end < 0 else len(block) - end - 1
        self._last = block[-1:]

    def of(self, path: Path) -> PlainText:
        """Return the text that was seen."""
        text = PlainText(path, 0, "", self._has_blank, self._last)
        count = self._feeds + self._returns - self._both + (not text.is_ended)
        is_windows = self._returns == self._feeds == self._both
        line_end = "\r\n" if is_windows and self._returns else "" if self._returns else "\n"
        return replace(text, line_count=count, line_end=line_end)


def _blocks(content: IO[bytes]) -> Iterator[bytes]:
    while block := content.read(_BLOCK_BYTES):
        yield block


def _encoding(table: SourceTable) -> str:
    name = codecs.lookup(table.keys.file.encoding).name
    return "utf-8" if name == "utf-8-sig" else name  # a byte order mark may always be there


def _is_compressed(path: Path, table: SourceTable) -> bool:
    compression = table.keys.file.compression
    return compression == "gzip" or (compression is None and path.suffix == ".gz")


def _recoded(content: IO[bytes], encoding: str, path: Path, table: SourceTable) -> Iterator[bytes]:
    """Yield the blocks of a file in UTF-8, without its byte order mark."""
    blocks = _blocks(content)
    if encoding == "utf-8":
        # Lines that are no UTF-8 are for the rows to tell of.
        if first := next(blocks, b"").removeprefix(codecs.BOM_UTF8):
            yield first
        yield from blocks
        return
    decoder, as_utf_8 = codecs.getincrementaldecoder(encoding)(), codecs.getincrementaldecoder("utf-8")()
    is_first, is_utf_8, is_ascii, control = True, True, True, None
    for block in _with_end(blocks):
        is_ascii = is_ascii and block.isascii()
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeError as error:
            place = f"byte {error.start} of a block" if isinstance(error, UnicodeDecodeError) else "it"
            raise _wrongly_encoded(table, path, f"{place} is no {encoding}") from None
        if is_first and text:
            text, is_first = text.removeprefix("\ufeff"), False
        control = control or _CONTROL_CHARACTERS.search(text)
        if is_utf_8:
            try:
                as_utf_8.decode(block)
            except UnicodeDecodeError:
                is_utf_8 = False
        if text:
            yield text.encode()
    if is_utf_8 and not is_ascii:
        raise _wrongly_encoded(table, path, "it is UTF-8 throughout")
    if control:
        raise _wrongly_encoded(table, path, f"it would hold the character {control[0]!r}; perhaps it is cp1252")


def _with_end(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks, and an empty one after the last."""
    yield from blocks
    yield b""


def _wrongly_encoded(table: SourceTable, path: Path, found: str) -> RefusalError:
    return RefusalError(
        table,
        f"its encoding is not {table.keys.file.encoding}, as declared: {found}",
        str(path),
        f"ask its sender, or correct the encoding in {table.file}.",
    )
