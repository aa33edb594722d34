"""What a model may see of an example: the columns that are its features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Feature:
    """A column that a model sees. Numbers, truth values and dates (as days) are numeric; text is categorical."""

    name: str
    kind: Literal["numeric", "categorical"]
