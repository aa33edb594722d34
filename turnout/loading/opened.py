"""What is known of a file that has the declared columns, before a single row of it is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from turnout.loading.contract import OURS
from turnout.loading.plain_text import PlainText
from turnout.loading.quoting import Dialect

# Names of our own columns: the place of a row, and why a line is no row.
PLACE, UNREADABLE = f"{OURS}place", f"{OURS}unreadable"


@dataclass(frozen=True)
class OpenedFile:
    """A file that has the declared columns.

    Parameters
    ----------
    path : Path
        The file.
    relation : str
        SQL that selects the file's rows in their order; of a Parquet file with `PLACE`, the place of each, from 0 on.
    types : mapping of str to str
        Column to its type in the relation, in the file's order; what is text there is still to be parsed.
    header_lines : int
        Lines before the first row.
    text : PlainText, optional
        What DuckDB reads of a file of text, with the number of lines that must be accounted for; where a record that
        spans lines is known, it counts as one.
    dialect : Dialect, optional
        How the text is written.
    is_exact : bool
        Whether the lines are known to be records, one by one.
    has_unreadable : bool
        Whether the relation has the column `UNREADABLE`.
    """

    path: Path
    relation: str
    types: Mapping[str, str]
    header_lines: int = 0
    text: PlainText | None = None
    dialect: Dialect | None = None
    is_exact: bool = False
    has_unreadable: bool = False
