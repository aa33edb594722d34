"""What is measured of the examples: the numbers that `ml.features.measuring` finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from ml.tasks.strength import Strength

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True)
class Periods:
    """As-of dates that are compared with each other.

    Parameters
    ----------
    early_until : date or None
        The last early as-of date, half way through those with labels; what is after it is late. None if there are not
        two as-of dates.
    newest : date
        The last as-of date, whose examples are scored.
    holdout : tuple of date
        The last as-of dates with labels; empty if the newest is one of them, or if there are none.
    """

    early_until: date | None
    newest: date
    holdout: tuple[date, ...]


@dataclass(frozen=True)
class Shift:
    """How far two periods are from each other, and how far they would be by chance."""

    value: float
    by_chance: float


@dataclass(frozen=True)
class Increments:
    """How a number moves from an as-of date of an entity to its next: shares of all such steps."""

    up: float
    down: float


@dataclass(frozen=True)
class Names:
    """How values and entities belong together, on average."""

    entities_per_value: float
    values_per_entity: float


@dataclass(frozen=True)
class Measures:
    """What was measured of one column.

    Parameters
    ----------
    name : str
        The column.
    kind : {"numeric", "categorical"}
        As what a model sees it.
    data_type : str
        Its type, in Arrow's words.
    missing : mapping of period to float
        Share of examples without a value, of `all` and of each period that has examples. A nan is missing.
    distinct_values : int
        Values that occur; missing is none.
    strength : mapping of period to Strength
        Of `all`, `early` and `late`, where there are enough labels.
    errors_left : float or None
        Who always guesses the commoner class of the late examples makes errors; the share of them that is left if one
        guesses what was commoner among the early examples of the same value. None without enough labels, or if the
        label is a number.
    drift, drift_newest : Shift or None
        Between early and late, and between holdout and newest as-of date; None where either has no values.
    missing_change, missing_newest : Shift or None
        The same for the share of missing values.
    tells_late : float or None
        ROC AUC of telling late examples from early ones by this number, where it has one; None for categories.
    steps : Increments or None
        None for what hardly tells late from early.
    names : Names or None
        None for what cannot be a name, as it has too few values or parts of numbers.
    is_never_repeated : bool
        Whether it could be a name and no two examples share a value.
    """

    name: str
    kind: Kind
    data_type: str
    missing: Mapping[str, float]
    distinct_values: int
    strength: Mapping[str, Strength]
    errors_left: float | None
    drift: Shift | None
    drift_newest: Shift | None
    missing_change: Shift | None
    missing_newest: Shift | None
    tells_late: float | None
    steps: Increments | None
    names: Names | None
    is_never_repeated: bool


@dataclass(frozen=True)
class Duplicates:
    """Pairs of entities that are the same wherever both have an example.

    Parameters
    ----------
    pairs : tuple of (entity, entity, int)
        The last is at how many as-of dates; most first.
    equal_by_chance : float
        Share of examples that equal another entity's at the same as-of date but belong to no such pair.
    differing_pairs : int
        Pairs that are the same for as long, and not everywhere: what chance gives.
    """

    pairs: tuple[tuple[object, object, int], ...]
    equal_by_chance: float
    differing_pairs: int


@dataclass(frozen=True)
class Unlabelled:
    """Examples without a label, up to the last as-of date that has one."""

    share: float
    example_count: int
    as_of_dates: int
