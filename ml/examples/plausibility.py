"""Labels that nobody can believe: of an as-of date, or a group, at which they are far from what is to be expected.

A label is worked out from what was loaded. Where only a part of that has come, everybody seems to have stayed at home,
and a model learns it. What is to be expected is declared, or learned from the table itself: from the other as-of dates
of the same group, and for a column of unseen groups, which are to be like each other, from the other groups.

What is learned is only about gross errors. An honest label moves with seasons, grows from nothing, is rare or is none
in a small group, and nothing is said of that:

- shares are compared by their odds, sizes by their ratio, and only what differs by more than `FACTOR` is told;
- what differs must do so beyond chance;
- usual is the largest cluster without a gap of that factor, so that what moves step by step stays together;
- what comes again, each year or several times, is a season.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from ml.examples.inspection import mistake, table_of
from ml.tasks.numbers import number
from turnout.engines import identifier

if TYPE_CHECKING:
    from ml.declaration import Prediction
    from turnout.engines import Session

FINDING = "implausible_labels"

# Odds, or a mean size, that differ by so much are of another world: 60 % beside 7 %, or 5 % beside 0.3 %.
FACTOR = 20.0
# Standard errors beyond which it is not chance, though there are many dates and groups.
CHANCE, DECLARED_CHANCE = 4.0, 3.0
# A mean size is known from so many on.
SIZED = 20
# What differs comes again at another such time of the year, or in so many separate runs of as-of dates.
YEAR, SEASON = 365.25, timedelta(days=15)
RUNS = 3
# How many are named in a message.
SHOWN = 3

Group = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cell:
    """The labels of an as-of date, or of all, and of a group, or of all.

    Parameters
    ----------
    group : tuple of (column, value)
        Empty for all examples.
    as_of : date or None
        None for all as-of dates.
    labels, others : int
        How many there are, and how many of them are not zero.
    mean : float
        Of all labels.
    size, size_stddev : float
        Of the absolute values of those that are not zero; 0 where there are none.
    """

    group: Group
    as_of: date | None
    labels: int
    others: int
    mean: float
    size: float
    size_stddev: float

    @property
    def words(self) -> str:
        """Of what these labels are."""
        parts = [*([str(self.as_of)] if self.as_of else []), *(f"{column} {value}" for column, value in self.group)]
        return ", ".join(parts) or "all examples"

    @property
    def odds(self) -> float:
        """The logarithm of the odds that a label is not zero."""
        return math.log((self.others + 0.5) / (self.labels - self.others + 0.5))

    def share_within(self, errors: float) -> tuple[float, float]:
        """Return the interval of Wilson 1927 of the share of labels that are not zero."""
        return _wilson(self.others / self.labels, self.labels, errors)

    @property
    def size_error(self) -> float:
        """The standard error of the logarithm of the size."""
        return self.size_stddev / self.size / math.sqrt(self.others)


@dataclass(frozen=True)
class Implausible:
    """Labels that nobody can believe, and what is to be expected of them."""

    cell: Cell
    found: str
    expected: str

    def __str__(self) -> str:
        return f"the {self.cell.labels:,} labels of {self.cell.words} {self.found}, where {self.expected}"


def require_plausible(session: Session, prediction: Prediction, until: date | None = None) -> None:
    """Refuse labels to learn from that nobody can believe, unless somebody has said why they are right.

    Raises
    ------
    ExamplesError
        With what was found of the worst of them.
    """
    examples = prediction.examples
    if examples.acknowledged.get(FINDING, {}).get(examples.label):
        return
    if found := implausible_labels(session, prediction, until):
        raise mistake(
            examples,
            f"nobody can believe all labels '{examples.label}': {in_words(found)}",
            "a model learns what labels say, so as-of dates and groups at which they are far from all others, or from "
            "what is declared, are looked at by a person first",
            "see whether what the label is made from was loaded whole for them, and let it be null where it was not. "
            f"If they are right, say why: acknowledged: {{{FINDING}: {{{examples.label}: 'the reason'}}}}; or declare "
            f"what is right: label: {{column: {examples.label}, expect: {{min: …, max: …, by: […]}}}}.",
        )


def in_words(found: Sequence[Implausible]) -> str:
    """Return the worst of what was found, and how many there are beside."""
    more = f"; and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    return f"{'; '.join(map(str, found[:SHOWN]))}{more}"


def implausible_labels(session: Session, prediction: Prediction, until: date | None = None) -> list[Implausible]:
    """Return the labels that nobody can believe, those first of which there are most.

    Parameters
    ----------
    until : date, optional
        The last as-of date to look at.
    """
    expected, unseen = prediction.expected, prediction.groups.unseen_groups
    places = () if unseen is None else (unseen,)
    found: dict[tuple[Group, date | None], Implausible] = {}
    for columns in dict.fromkeys([(), expected.by, places]):
        series = _cells(session, prediction, columns, until)
        found |= {(one.cell.group, one.cell.as_of): one for one in _outside(series, columns, prediction)}
        dated = [one for group in _by_group(series) for one in _unlike(group, prediction, _at_other_dates)]
        for one in dated:
            found.setdefault((one.cell.group, one.cell.as_of), one)
    if unseen is not None:
        for one in _unlike(_cells(session, prediction, places, until, are_dated=False), prediction, _of_other_groups):
            found = {key: other for key, other in found.items() if key[0] != one.cell.group}
            found[(one.cell.group, None)] = one
    return sorted(found.values(), key=lambda one: -one.cell.labels)


def _cells(
    session: Session, prediction: Prediction, columns: Sequence[str], until: date | None, *, are_dated: bool = True
) -> list[Cell]:
    examples, label = prediction.examples, identifier(prediction.examples.label)
    as_of = f"cast({identifier(examples.as_of)} as date)"
    keys = [*([as_of] if are_dated else []), *(f"cast({identifier(column)} as string)" for column in columns)]
    named = [f"{key} as key_{place}" for place, key in enumerate(keys)]
    # A constant key makes one group of all.
    named, keys = (named, keys) if keys else (["1 as key_0"], ["1"])
    condition = "" if until is None else f" and {identifier(examples.as_of)} <= date '{until.isoformat()}'"
    size = f"abs(cast({label} as double))"
    rows = session.rows(
        f"""select
                {", ".join(named)},
                count(*) as labels,
                count(*) filter (where cast({label} as double) <> 0) as others,
                avg(cast({label} as double)) as mean,
                coalesce(avg({size}) filter (where cast({label} as double) <> 0), 0) as size,
                coalesce(stddev_samp({size}) filter (where cast({label} as double) <> 0), 0) as size_stddev
            from {table_of(examples)} where {label} is not null{condition}
            group by {", ".join(keys)} order by {", ".join(keys)}"""
    )
    cells = []
    for row in rows:
        values = [row.pop(f"key_{place}") for place in range(len(keys))]
        day = values.pop(0) if are_dated else None
        cells.append(Cell(tuple(zip(columns, map(str, values), strict=False)), day, **row))
    return cells


def _by_group(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    for _, group in groupby(sorted(cells, key=lambda cell: cell.group), key=lambda cell: cell.group):
        yield list(group)


def _outside(cells: Sequence[Cell], columns: Sequence[str], prediction: Prediction) -> Iterator[Implausible]:
    """Yield what lies outside of what is declared, beyond chance."""
    expected = prediction.expected
    if columns != expected.by or (expected.min is None and expected.max is None) or not cells:
        return
    is_share = all(cell.size == 1.0 or not cell.others for cell in cells) and all(cell.mean >= 0 for cell in cells)
    count = sum(cell.labels for cell in cells)
    second = sum((cell.size**2 + cell.size_stddev**2) * cell.others for cell in cells) / count
    stddev = math.sqrt(max(0.0, second - (sum(cell.mean * cell.labels for cell in cells) / count) ** 2))
    for cell in cells:
        error = DECLARED_CHANCE * stddev / math.sqrt(cell.labels)
        low, high = cell.share_within(DECLARED_CHANCE) if is_share else (cell.mean - error, cell.mean + error)
        is_low, is_high = (
            expected.min is not None and high < expected.min,
            expected.max is not None and low > expected.max,
        )
        if is_low or is_high:
            limit = f"at least {expected.min:g}" if is_low else f"at most {expected.max:g}"
            yield Implausible(cell, f"have mean {number(cell.mean)}", f"{limit} is declared")


def _unlike(cells: Sequence[Cell], prediction: Prediction, words: Callable[[str, str], str]) -> Iterator[Implausible]:
    """Yield what is far from the usual ones of these cells; what is declared takes the place of what is learned."""
    expected = prediction.expected
    told = set()
    for cell, (low, high), is_low in _far(
        cells, lambda cell: cell.odds, lambda cell: _logit_width(cell), _share_is_beyond
    ):
        if (expected.min if is_low else expected.max) is None:
            told.add(cell)
            usual = words(f"{_share(low):.2%}", f"{_share(high):.2%}")
            yield Implausible(cell, f"are not zero in {cell.others / cell.labels:.2%} of the cases", usual)
    if expected.min is None and expected.max is None:
        sized = [cell for cell in cells if cell.others >= SIZED and cell not in told]
        for cell, (low, high), _ in _far(
            sized, lambda cell: math.log(cell.size), lambda cell: 2 * CHANCE * cell.size_error, _size_is_beyond
        ):
            usual = words(number(math.exp(low)), number(math.exp(high)))
            yield Implausible(cell, f"that are not zero have a mean size of {number(cell.size)}", usual)


def _at_other_dates(low: str, high: str) -> str:
    return f"it is {low} to {high} at other as-of dates" if low != high else f"it is {low} at other as-of dates"


def _of_other_groups(low: str, high: str) -> str:
    return f"it is {low} to {high} in other groups" if low != high else f"it is {low} in other groups"


def _far(
    cells: Sequence[Cell],
    place: Callable[[Cell], float],
    width: Callable[[Cell], float],
    is_beyond: Callable[[Cell, float], bool],
) -> Iterator[tuple[Cell, tuple[float, float], bool]]:
    """Yield the cells that are beyond the usual ones by `FACTOR` and chance, the edges of these, and if it lies below.

    Parameters
    ----------
    place : callable
        Where a cell stands, as a logarithm.
    width : callable
        How wide the interval is in which it may stand; only those are usual of which it is known better than `FACTOR`.
    is_beyond : callable
        Whether a cell is beyond an edge by more than chance.
    """
    gap = math.log(FACTOR)
    known = sorted(place(cell) for cell in cells if width(cell) <= gap)
    if not known:
        return
    clusters = [[known[0]]]
    for one, other in pairwise(known):
        if other - one > gap:
            clusters.append([])
        clusters[-1].append(other)
    # Of two that are equally many, that is more usual which is further from all and nothing.
    usual = max(clusters, key=lambda cluster: (len(cluster), -abs(cluster[len(cluster) // 2])))
    low, high = usual[0], usual[-1]
    far = [
        (cell, place(cell) < low)
        for cell in cells
        if (place(cell) < low - gap and is_beyond(cell, low)) or (place(cell) > high + gap and is_beyond(cell, high))
    ]
    for cell, is_low in far:
        if not _comes_again(cell, [other for other, other_is_low in far if other_is_low == is_low], cells):
            yield cell, (low, high), is_low


def _comes_again(cell: Cell, alike: Sequence[Cell], cells: Sequence[Cell]) -> bool:
    """Return whether what is far from the usual is a season: it was so a year before or after, or again and again."""
    if cell.as_of is None:
        return False
    strange = [other.as_of in {one.as_of for one in alike} for other in cells]
    runs = sum(is_strange and not before for before, is_strange in pairwise([False, *strange]))
    if runs >= RUNS:
        return True
    for other in alike:
        assert other.as_of is not None
        years = round(abs((other.as_of - cell.as_of).days) / YEAR)
        if years and abs(abs(other.as_of - cell.as_of) - timedelta(days=years * YEAR)) <= SEASON:
            return True
    return False


def _logit_width(cell: Cell) -> float:
    low, high = cell.share_within(CHANCE / 2)
    if low <= 0 or high >= 1 or not 0 < cell.others < cell.labels:
        return math.inf
    return math.log(high / (1 - high)) - math.log(low / (1 - low))


def _share_is_beyond(cell: Cell, edge: float) -> bool:
    low, high = cell.share_within(CHANCE)
    return high < _share(edge) if cell.odds < edge else low > _share(edge)


def _size_is_beyond(cell: Cell, edge: float) -> bool:
    return abs(math.log(cell.size) - edge) > CHANCE * cell.size_error


def _share(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))


def _wilson(share: float, count: int, errors: float) -> tuple[float, float]:
    square = errors**2 / count
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    return middle - half, middle + half
