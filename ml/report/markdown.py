"""The card as Markdown: a template in which every value is text, whatever characters it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from ml.report.templates import template

# What Markdown could take for anything but text; at the beginning of a line lists and headings as well.
_SPECIAL = re.compile(r"[\\`*_\[\]<>&|~#$]|^(?:[-+=]|\d+(?=[.)](?:\s|$)))")


def markdown_of(facts: Mapping[str, Any]) -> str:
    """Return the card as Markdown; `facts` are those of `ml.report.facts.facts_of`."""
    rendered = template("card.md.jinja", text).render(facts)
    return re.sub(r"\n{3,}", "\n\n", rendered)


def text(value: object) -> Markup:
    """Return a value as Markdown that shows exactly its text, in one line."""
    if isinstance(value, Markup):
        return value
    line = " ".join(("" if value is None else str(value)).split())
    return Markup(_SPECIAL.sub(_escaped, line))  # noqa: S704 - it is escaped by the rules of Markdown


def _escaped(found: re.Match[str]) -> str:
    special = found[0]
    # A number that begins a line is a list by the sign behind it.
    return f"&#{ord(special[0])};{special[1:]}" if special[0].isdigit() else f"\\{special}"


def code(value: object) -> Markup:
    """Return a value in the type of code, where that can show it as it is."""
    line = " ".join(str(value).split())
    return text(line) if not line or "`" in line or "|" in line else Markup(f"`{line}`")  # noqa: S704 - no way out


def code_line(words: str) -> Markup:
    """Return a line as it is; for a block of code only."""
    return Markup(" ".join(words.split()))  # noqa: S704 - in a block of code all is text
