"""Prints tables of which nothing is cut: no name, date or number."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Group
from rich.measure import Measurement
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_table(console: Console, table: Table) -> None:
    """Print a table as wide as it is; where a terminal is narrower, print each row as lines instead.

    Whoever reads a pipe or a file has all the width there is.
    """
    wide = console.options.update(max_width=sys.maxsize)
    needed = Measurement.get(console, wide, table).maximum
    if not console.is_terminal or needed <= console.width:
        table.width = needed
        console.print(table, crop=False)
        return
    headings = [str(column.header) for column in table.columns]
    rows = zip(*([str(cell) for cell in column.cells] for column in table.columns), strict=True)
    lines = [Text(str(table.title or ""), style="bold")]
    for first, *others in rows:
        lines.append(Text(f"\n{headings[0]}: {first}"))
        lines += [Text(f"  {heading}: {cell}") for heading, cell in zip(headings[1:], others, strict=True) if cell]
    console.print(Group(*lines))
