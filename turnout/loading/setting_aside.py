"""What of a file becomes no row of a load: each line of it with its number and its reason, and how much of it may be.

Kept in tables of the connection that reads the file. All lines of a text are accounted for: they are rows that are
loaded, are set aside, are blank, or are the header.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.loading.refusal import RefusalError

if TYPE_CHECKING:
    import duckdb

    from turnout.loading.contract import SourceTable
    from turnout.loading.opened import OpenedFile
    from turnout.loading.quoting import LineLeftOut

# Lines that cannot be split into columns after which a file is refused without counting more of them.
REJECTS_LIMIT = 100_000
# Characters of a row that are kept with the reason.
KEPT_CHARACTERS = 4_000


class SetAside:
    """What is set aside of a file: in `refused_rows`, and the lines in no row in `lines_left_out`.

    Parameters
    ----------
    connection : DuckDBPyConnection
        A connection of its own, in memory. It is given the tables `refused_rows` (`line_number`, `reason`, `content`,
        and of a parsed row `row`, its place from 0 on) and `lines_left_out` (`line_number`).
    table : SourceTable
        The contract.
    file : Path
        The file, for messages.
    is_accepted : bool
        Whether a person accepts the file however many rows are set aside.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: SourceTable, file: Path, *, is_accepted: bool
    ) -> None:
        self._connection, self._table, self._file, self._is_accepted = connection, table, file, is_accepted
        connection.execute(
            """create table refused_rows (line_number bigint, reason varchar, content varchar, row bigint);
               create table lines_left_out (line_number bigint)"""
        )

    @property
    def count(self) -> int:
        """How many rows are set aside."""
        return self._count("refused_rows")

    def leave_out(self, lines: Sequence[LineLeftOut]) -> None:
        """Set aside lines that are in no record, and remember those that are blank."""
        if not lines:
            return
        import pyarrow as pa

        hides = self._table.has_personal
        contents = [None if hides else line.content.decode(errors="replace")[:KEPT_CHARACTERS] for line in lines]
        found = pa.table(
            {
                "line_number": [line.number for line in lines],
                "reason": pa.array([line.reason for line in lines], pa.string()),
                "content": pa.array(contents, pa.string()),
            }
        )
        self._connection.register("found", found)
        self._connection.execute(
            """insert into lines_left_out select line_number from found;
               insert into refused_rows
               select line_number, 'cannot be split into columns: ' || reason, content, null
               from found where reason is not null"""
        )
        self._connection.unregister("found")

    def accounts_for(self, opened: OpenedFile) -> bool:
        """Return whether every line of a text is a row, was rejected or left out, or is the header."""
        if opened.text is None:
            return True
        errors, *counts = self._row(
            """select
                (select count(*) from reject_errors), (select count(distinct line) from reject_errors),
                (select count(*) from staged), (select count(*) from lines_left_out)"""
        )
        return errors < REJECTS_LIMIT and opened.header_lines + sum(counts) == opened.text.line_count

    def forget_rejected(self) -> None:
        """Forget the lines that DuckDB could not split into columns, as the text is read once more."""
        self._connection.execute("drop table if exists reject_errors; drop table if exists reject_scans")

    def add_rejected(self, opened: OpenedFile) -> None:
        """Set aside the lines that could not be split into columns; DuckDB has listed them.

        Raises
        ------
        RefusalError
            If they are too many, if lines are wrongly encoded, or if not all lines are accounted for.
        """
        if opened.text is None:
            return
        errors = self._count("reject_errors")
        if errors >= REJECTS_LIMIT:
            raise self._refusal(
                f"more than {REJECTS_LIMIT:,} errors in splitting lines into columns",
                f"ask its sender, or correct the delimiter and the quote in {self._table.file}.",
            )
        if not self.accounts_for(opened):
            raise self._refusal(
                f"not all of its {opened.text.line_count:,} lines can be accounted for, as values seem to span lines",
                f"ask its sender about quotes and line breaks within values, and correct {self._table.file}.",
            )
        if not errors:
            return
        wrongly = "select distinct line, '', '', null from reject_errors where error_type = 'INVALID ENCODING'"
        first, undecodable = self._row(f"select min(line), count(*) from ({self._placed(wrongly)})")
        reason, content = "error_message", "csv_line"
        if self._table.has_personal:
            reason, content = "cast(error_type as varchar)", "cast(null as varchar)"
        self._connection.execute(
            f"""insert into refused_rows
                {
                self._placed(f'''
                    select line, 'cannot be split into columns: ' || lower(any_value({reason})),
                        left(any_value({content}), {KEPT_CHARACTERS}), null
                    from reject_errors group by line''')
            }"""
        )
        self._connection.execute(
            """insert into lines_left_out
               select line_number from refused_rows anti join lines_left_out using (line_number)"""
        )
        if undecodable and not self._is_accepted:
            raise self._refusal(
                f"{undecodable:,} lines are not encoded in {self._table.keys.file.encoding}, the first of them line "
                f"{first:,}",
                f"ask its sender how it is encoded, and correct the encoding in {self._table.file}; or accept it "
                "without those lines.",
                may_be_accepted=True,
            )

    def add(self, opened: OpenedFile, unfit: str) -> None:
        """Set aside the rows that a query finds (place, reason, content), each with its line in the file."""
        numbered = f"select row + 1 + {opened.header_lines}, reason, content, row from unfit"
        self._connection.execute(
            f"insert into refused_rows {self._placed(f'with unfit(row, reason, content) as ({unfit}) {numbered}')}"
        )

    def check_share(self, total: int) -> None:
        """Refuse a file of which too much was set aside.

        Raises
        ------
        RefusalError
            If it is all of its rows, or more than its contract allows and no person accepts it.
        """
        refused = self.count
        if refused < total and (self._is_accepted or refused <= self._table.keys.refuse_above * total):
            return
        kinds = self._connection.execute(
            """select split_part(reason, ': ', 1), count(*), arg_min(reason, line_number), min(line_number)
               from refused_rows group by 1 order by 2 desc limit 3"""
        ).fetchall()
        examples = "; ".join(
            f"{count:,} because {kind} (line {line:,}{reason.removeprefix(kind)})"
            for kind, count, reason, line in kinds
        )
        raise self._refusal(
            f"{refused:,} of {total:,} rows do not keep the contract, more than {self._table.keys.refuse_above:.3g} of "
            f"all: {examples}",
            f"ask its sender, correct the contract in {self._table.file}, or accept it without those rows.",
            may_be_accepted=refused < total,
        )

    def check_end(self, opened: OpenedFile) -> None:
        """Refuse a text that ends in the middle of a line: nobody knows how many rows it has lost.

        Raises
        ------
        RefusalError
            If its last line does not end as lines do and was set aside, and no person accepts it.
        """
        if self._is_accepted or opened.text is None or opened.text.is_ended:
            return
        last = opened.text.line_count
        if self._count(f"refused_rows where line_number >= {last}"):
            raise self._refusal(
                f"it was cut off: its last line, {last:,}, is not whole",
                "ask its sender for the whole file; or accept it without that line.",
                may_be_accepted=True,
            )

    def _placed(self, lines: str) -> str:
        """Return a query that says of lines where they are in the file, and not among those that were not left out.

        Lines that were left out are in no place, so the places after them have moved up.
        """
        return f"""
            with
            left_out as (
                select line_number - row_number() over (order by line_number) + 1 as line_without, line_number
                from lines_left_out
            ),
            moved as (select line_without, max(line_number - line_without) + 1 as lines from left_out group by all),
            found(line, reason, content, row) as ({lines})
            select line + coalesce(lines, 0) as line, reason, content, row
            from found asof left join moved on line >= line_without"""

    def _refusal(self, found: str, remedy: str, *, may_be_accepted: bool = False) -> RefusalError:
        return RefusalError(self._table, found, str(self._file), remedy, may_be_accepted=may_be_accepted)

    def _count(self, relation: str) -> int:
        return int(self._row(f"select count(*) from {relation}")[0])

    def _row(self, sql: str) -> tuple[int, ...]:
        found: tuple[int, ...] = self._connection.execute(sql).fetchall()[0]  # an aggregate always has a row
        return found
