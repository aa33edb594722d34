"""What a model may see of an example: the columns that are its features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Feature:
    """A column that a model sees.

    Numbers, truth values and dates (as days) are numbers to it, text is a category. They are told apart, as a column
    that turns from one into another means something else to a model that has learned from it.
    """

    name: str
    kind: Literal["numeric", "boolean", "date", "categorical"]

    @property
    def is_category(self) -> bool:
        """Whether a model sees text; else it sees a number."""
        return self.kind == "categorical"
