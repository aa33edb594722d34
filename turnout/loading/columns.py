"""Whether a file has the columns that its contract declares, and what to say if it has not."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.errors import did_you_mean
from turnout.loading.contract import OURS
from turnout.loading.refusal import RefusalError

if TYPE_CHECKING:
    from turnout.loading.contract import SourceTable

# DuckDB's name for the place of a row in a Parquet file, which a file's own column of that name would hide.
_PLACE_NAME = "file_row_number"
# Columns of a file; each costs memory, and there are sums over pairs of them.
MAX_COLUMNS = 2_000


def named_as_declared(found: Sequence[str], path: Path, table: SourceTable, sample: str | None = None) -> list[str]:
    """Return the file's columns in its order, spelled as the contract does; SQL knows no upper and lower case.

    A column without a name is called after its place.

    Parameters
    ----------
    found : sequence of str
        The names in the file.
    path : Path
        The file, for messages.
    table : SourceTable
        The contract.
    sample : str, optional
        The beginning of a delimited text, from which another delimiter can be guessed.

    Raises
    ------
    RefusalError
        If a column is missing, is there twice, or cannot be kept under its name.
    """
    if len(found) > MAX_COLUMNS:
        raise RefusalError(
            table,
            f"it has {len(found):,} columns, more than the {MAX_COLUMNS:,} that a table may have",
            str(path),
            "ask its sender for a table with a row for each of these values, instead of a column.",
        )
    declared = {column.name.lower(): column for column in table.columns}
    found = _with_names(found)
    names = [declared[name.strip().lower()].name if name.strip().lower() in declared else name for name in found]
    _check_names(names, path, table)
    folded = [name.lower() for name in names]
    repeated = sorted({name for name in names if folded.count(name.lower()) > 1})
    gathered = table.gathered(names)
    there = {*names, *(name for name, columns in gathered.items() if columns)}
    missing = [column.name for column in table.columns if column.name not in there and not column.keys.optional]
    if not missing and not repeated:
        return names
    in_maps = {name for columns in gathered.values() for name in columns}
    unexpected = [name for name in names if name.lower() not in declared and name not in in_maps]
    listed = ", ".join(unexpected) or "none"
    if table.has_personal and unexpected:
        # Perhaps there is no header, and these are values.
        count = f"all {len(names)}" if len(unexpected) == len(names) else str(len(unexpected))
        listed = f"{count}, which are not shown as they may be personal values"
        unexpected = []
    if missing:
        hints = "; ".join(
            f"'{name}' gathers the columns that match '{declared[name.lower()].keys.gather}', and there is none."
            if name in gathered
            else f"'{name}' is missing.{_looks_like(name, missing, unexpected)}"
            for name in missing
        )
        problem = f"columns are not as declared: {hints} Unexpected columns: {listed}"
        if sample is not None:
            problem += delimiter_hint(sample, table)
    elif table.has_personal and repeated[0].lower() not in declared:
        problem = "a column that is not declared is there twice"
    else:
        problem = f"the column '{repeated[0]}' is there twice"
    raise RefusalError(
        table, problem, str(path), f"ask its sender for the column, or correct the contract in {table.file}."
    )


def delimiter_hint(sample: str, table: SourceTable) -> str:
    """Return what to add to a message about a delimited text that seems to have another delimiter than is declared."""
    first = next((line for line in sample.splitlines() if line.strip()), "")
    if not first or table.keys.file.delimiter in first:
        return ""
    try:
        guessed = csv.Sniffer().sniff(sample, delimiters=",;\t|").delimiter
    except csv.Error:
        return ""
    if guessed == table.keys.file.delimiter:
        return ""
    return f". It looks as if its delimiter were {guessed!r}, where {table.keys.file.delimiter!r} is declared"


def _with_names(found: Sequence[str]) -> list[str]:
    """Return names with one for each column that has none: pandas writes its index so, others end lines so."""
    taken = {name.strip().lower() for name in found}
    names = []
    for place, name in enumerate(found, 1):
        given = f"column_{place}"
        while given in taken:
            given += "_"
        names.append(name if name.strip() else given)
    return names


def _check_names(names: Sequence[str], path: Path, table: SourceTable) -> None:
    """Refuse names that we, or DuckDB, need while the file is read."""
    maps = table.gathered(names)
    for name in names:
        if name in maps:
            raise RefusalError(
                table,
                f"it has a column '{name}', under which others are to be gathered",
                str(path),
                f"give the map another name in {table.file}.",
            )
        if name.lower().startswith(OURS) or name.lower() == _PLACE_NAME:
            raise RefusalError(
                table,
                f"it has a column '{name}', a name that is needed while a file is read",
                str(path),
                "ask its sender to give the column another name.",
            )


def _looks_like(name: str, missing: Sequence[str], unexpected: Sequence[str]) -> str:
    hint = did_you_mean(name, unexpected)
    if not hint and len(missing) == len(unexpected) == 1:
        return f" Was it renamed to '{unexpected[0]}'?"
    return hint
