"""How names and values are quoted in SQL, on every engine alike."""

from __future__ import annotations


def identifier(*parts: str) -> str:
    """Return a quoted SQL identifier, such as `"schema"."table"`; a quote inside a part is doubled."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def literal(text: str) -> str:
    """Return text as an SQL literal, such as `'Ohio''s'`."""
    return "'" + text.replace("'", "''") + "'"
