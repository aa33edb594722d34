"""How names, values and paths are quoted in SQL, on every engine alike."""

from __future__ import annotations

import re
from pathlib import Path


def identifier(*parts: str) -> str:
    """Return a quoted SQL identifier, such as `"schema"."table"`; a quote inside a part is doubled."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def literal(text: str) -> str:
    """Return text as an SQL literal, such as `'Ohio''s'`."""
    return "'" + text.replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """Return the path of one file to read as an SQL literal, in which nothing stands for other files."""
    return literal(re.sub(r"[*?[]", r"[\g<0>]", str(path)))
