"""Text whose values stand in columns of the page: each so many characters wide, or set apart by blanks.

Every line is read as one value, and split here, in SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from turnout.engines import identifier, literal
from turnout.loading.contract import OURS

_LINE, _VALUES = f"{OURS}line", f"{OURS}values"
_BLANKS = " \t"


def fixed_width(lines: str, names: Sequence[str], widths: Sequence[int], nulls: Sequence[str], unreadable: str) -> str:
    """Return SQL that selects the values of columns, without the blanks around them, and why a line is no row.

    A line may be shorter than all columns are wide: many programs leave out the blanks at its end.

    Parameters
    ----------
    lines : str
        SQL for a relation whose only column, `content`, is a line.
    names, widths : sequence
        The columns and how many characters each is wide.
    nulls : sequence of str
        What stands for a missing value.
    unreadable : str
        Name of the column that says why a line is no row, null where it is one.
    """
    begins = [0, *accumulate(widths)]
    values = ", ".join(
        f"{_present(f'substring({_LINE}, {begin + 1}, {width})', nulls)} as {identifier(name)}"
        for name, begin, width in zip(names, begins, widths, strict=False)
    )
    return f"""select {values}, case
            when trim({_LINE}, '{_BLANKS}') = '' then 'cannot be split into columns: it is blank'
            when length({_LINE}) > {begins[-1]} then
                'cannot be split into columns: expected number of characters: {begins[-1]} found: ' || length({_LINE})
            end as {identifier(unreadable)}
        from (select content as {_LINE} from {lines})"""


def by_blanks(lines: str, names: Sequence[str], nulls: Sequence[str], unreadable: str) -> str:
    """Return SQL that selects the values that blanks set apart, and why a line is no row; see `fixed_width`."""
    values = ", ".join(
        f"{_present(f'{_VALUES}[{place}]', nulls)} as {identifier(name)}" for place, name in enumerate(names, 1)
    )
    return f"""select {values}, case when len({_VALUES}) <> {len(names)} then
                'cannot be split into columns: expected number of columns: {len(names)} found: ' || len({_VALUES})
            end as {identifier(unreadable)}
        from (select string_split_regex(trim(content, '{_BLANKS}'), '[{_BLANKS}]+') as {_VALUES} from {lines})"""


def split_at(line: str, widths: Sequence[int]) -> list[str]:
    """Return what stands on a line in columns of these widths, and behind them if there is more."""
    begins = [0, *accumulate(widths)]
    values = [line[begin : begin + width].strip() for begin, width in zip(begins, widths, strict=False)]
    return [*values, line[begins[-1] :].strip()] if line[begins[-1] :].strip() else values


def _present(value: str, nulls: Sequence[str]) -> str:
    bare = f"trim({value}, '{_BLANKS}')"
    return f"case when {bare} not in ({', '.join(map(literal, ('', *nulls)))}) then {bare} end"
