"""Weekly deliveries of real tables, landed one by one, and what the loader says of each, or of one that was changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from samples import complete_journey
from trials.mutations import ACCEPTED, ALTERED, CRASHED, FORMS, KNOWN, LEFT_ALONE, SET_ASIDE, Mutation
from turnout.engines import identifier, literal
from turnout.engines.duckdb import connect
from turnout.loading import landing
from turnout.loading.contract import Column, ColumnKeys, SourceTable, source_tables
from turnout.loading.loader import load_landed
from turnout.loading.population import PopulationCheck
from turnout.loading.quarantine import accept
from turnout.loading.register import Register
from turnout.project.paths import Project
from turnout.records.loads import Load, QuarantinedFile


@dataclass(frozen=True)
class Series:
    """Deliveries of a real table, weekly unless it says otherwise.

    Parameters
    ----------
    name : str
        What is delivered.
    table : str
        The source table.
    mode : {"append", "snapshot"}
        Whether a delivery adds to those before it or replaces them.
    sql : str
        The rows of a delivery; `{week}` is its number, `{until}` the moment when it ends.
    weeks : int
        How many deliveries there are.
    first : int
        The week of the first one.
    added : tuple of Column
        Columns that the contract has beyond those of the source.
    """

    name: str
    table: str
    mode: Literal["append", "snapshot"]
    sql: str
    weeks: int = 53
    first: int = 1
    added: tuple[Column, ...] = ()

    def rows(self, number: int) -> str:
        """Return SQL for the rows of a delivery, the first being number 1."""
        week = self.first + number - 1
        return self.sql.format(week=week, until=f"(date '2017-01-02' + {7 * (week - 1)})")

    def contract(self, manifest: Mapping[str, Any]) -> SourceTable:
        """Return the contract in the project's manifest, with the mode of the series."""
        tables = {table.name: table for table in source_tables(manifest)}
        table = tables[self.table]
        return replace(
            table,
            columns=(*table.columns, *self.added),
            keys=replace(table.keys, mode=self.mode),
        )


SOLD = "(select product_id from transactions where week <= {week})"
SHOPPED = "(select household_id from transactions where week <= {week})"
STARTED = "(select campaign_id from campaign_descriptions where start_date < {until})"

# The shop's weeks begin on Monday; the first of 2017 had one day.
REDEEMED = "datediff('day', date '2016-12-26', redemption_date) // 7 + 1 = {week}"

IN_2017 = "year({time}) = 2017 and month({time}) = {{week}}"

_HONEST = (
    Series("transactions", "transactions", "append", "from transactions where week = {week}"),
    Series(
        "transactions, 20 weeks at first",
        "transactions",
        "append",
        "from transactions where week = {week} or {week} = 20 and week < 20",
        weeks=34,
        first=20,
    ),
    Series("redemptions", "coupon_redemptions", "append", f"from coupon_redemptions where {REDEEMED}"),
    Series(
        "transactions, monthly",
        "transactions",
        "append",
        f"from transactions where {IN_2017.format(time='transaction_timestamp')}",
        weeks=12,
    ),
    Series(
        "redemptions, monthly",
        "coupon_redemptions",
        "append",
        f"from coupon_redemptions where {IN_2017.format(time='redemption_date')}",
        weeks=12,
    ),
    Series("promotions", "promotions", "append", "from promotions where week = {week}", weeks=20),
    Series("transactions so far", "transactions", "snapshot", "from transactions where week <= {week}", weeks=10),
    Series("products", "products", "snapshot", f"from products where product_id in {SOLD} order by product_id"),
    Series(
        "demographics", "demographics", "snapshot", f"from demographics where household_id in {SHOPPED} order by all"
    ),
    Series("campaigns", "campaigns", "snapshot", f"from campaigns where campaign_id in {STARTED} order by all"),
    Series("coupons", "coupons", "snapshot", f"from coupons where campaign_id in {STARTED} order by all"),
    Series(
        "campaign descriptions",
        "campaign_descriptions",
        "snapshot",
        f"from campaign_descriptions where campaign_id in {STARTED} order by all",
    ),
)

HONEST = {series.name: series for series in _HONEST}

STATE = Column("state", "varchar", is_required=False, keys=ColumnKeys(always="IA"))

HALF = "from transactions where week = {week} and household_id % 2 = 0"

# What mutations are planted in: some of the above, and some that only half of the households or stores deliver.
MUTATED = {
    series.name: series
    for series in (
        replace(HONEST["transactions"], first=2),
        replace(HONEST["products"], first=2),
        Series("transactions of half", "transactions", "append", HALF, first=2),
        Series("transactions of half, from a first day on", "transactions", "append", HALF),
        Series(
            "promotions of a tenth",
            "promotions",
            "append",
            "from promotions where week = {week} and store_id % 10 = 1",
        ),
        replace(HONEST["redemptions"], first=8),
        Series(
            "demographics of half",
            "demographics",
            "snapshot",
            f"""select *, 'IA' as state from demographics
                where household_id in {SHOPPED} and household_id % 2 = 0 order by all""",
            first=2,
            added=(STATE,),
        ),
        replace(HONEST["campaign descriptions"], first=30),
    )
}


@dataclass(frozen=True)
class Judgement:
    """What came of a mutation: the loader's verdict, its first reason, and all it said."""

    mutation: Mutation
    verdict: str
    reason: str
    message: str

    @property
    def is_expected(self) -> bool:
        """Whether the verdict is the expected one."""
        return self.verdict == self.mutation.expected or self.verdict.startswith(f"{self.mutation.expected}:")

    @property
    def unsaid(self) -> tuple[str, ...]:
        """The words that should have been in the message and were not."""
        return tuple(word for word in self.mutation.words if word not in self.message)


@dataclass(frozen=True)
class Honesty:
    """What came of the honest deliveries of a series; `alarms` are the checks that failed, by week."""

    series: Series
    load_count: int
    row_count: int
    set_aside_count: int
    check_count: int
    alarms: Mapping[int, tuple[str, ...]]
    seconds: float


class World:
    """The real tables, and for each series the state after some honest weeks.

    Parameters
    ----------
    folder : Path
        Where all of it is kept; several processes may use it.
    weeks : int
        How many weeks come before a mutation.
    manifest : mapping
        dbt's, with the contracts of the tables.
    """

    def __init__(self, folder: Path, weeks: int, manifest: Mapping[str, Any]) -> None:
        self._folder, self._weeks, self._manifest = folder, weeks, manifest
        self._connection = connect()
        complete_journey.land(folder / "real")
        for path in (folder / "real" / complete_journey.SOURCES[0]).glob("*/*.parquet"):
            self._connection.execute(
                f"create view {identifier(path.parent.name)} as from read_parquet({literal(str(path))})"
            )

    def honesty(self, series: Series) -> Honesty:
        """Land all deliveries of a series, accept what is quarantined, and count."""
        with tempfile.TemporaryDirectory(dir=self._folder) as root:
            return self._deliver(Project(Path(root)), series, series.weeks)

    def history(self, series: Series) -> Path:
        """Return the folder `warehouse` after the honest weeks of a series; the first call makes it."""
        made = self._folder / "histories" / series.name
        made.parent.mkdir(exist_ok=True)
        with FileLock(made.with_suffix(".lock")):
            if not made.exists():
                with tempfile.TemporaryDirectory(dir=self._folder) as root:
                    self._deliver(Project(Path(root)), series, self._weeks)
                    (Path(root) / "warehouse").rename(made)
        return made

    def judge(self, mutation: Mutation) -> Judgement:
        """Land a mutation after the honest weeks, alone, and return what the loader says."""
        series, form = MUTATED[mutation.series], FORMS[mutation.form]
        table = series.contract(self._manifest)
        columns = (replace(column, keys=replace(column.keys, width=form.width)) for column in table.columns)
        table = replace(table, columns=tuple(columns), keys=replace(table.keys, file=form.declared))
        table = mutation.contract(table) if mutation.contract else table
        history = self.history(series)
        with tempfile.TemporaryDirectory(dir=self._folder) as root:
            project = Project(Path(root))
            shutil.copytree(history, project.root / "warehouse")
            path = project.landing / table.folder / f"delivery{form.suffix}{mutation.suffix}"
            for view, number in (("previous", 0), ("due", 1), ("following", 2)):
                rows = series.rows(self._weeks + number)
                self._connection.execute(f"create or replace temp view {view} as {rows}")
            self._write(mutation.sql, path, mutation.options or form.options)
            if form.rewrite:
                path.write_bytes(form.rewrite(path.read_bytes()))
            if mutation.change:
                path.write_bytes(mutation.change(path.read_bytes()))
            try:
                with _growing(path) if mutation.is_growing else _settled():
                    loaded = load_landed(project, table)
            except Exception as error:  # noqa: BLE001 - that the loader breaks is a verdict
                return Judgement(mutation, CRASHED, f"{type(error).__name__}: {error}".splitlines()[0], str(error))
            if not loaded.files:
                return Judgement(mutation, LEFT_ALONE, "", "")
            landed, register = loaded.files[-1], Register(project.warehouse, project.root, table)
            if isinstance(landed.entered, QuarantinedFile):
                return _quarantined(mutation, landed.entered, register.checks(landed.entered.load_id))
            if not landed.is_new:
                return Judgement(mutation, KNOWN, "", "")
            is_altered = self._is_altered(mutation.means or mutation.sql, project, landed.entered, table)
            return _accepted(mutation, project, landed.entered, is_altered)

    def _is_altered(self, sql: str, project: Project, load: Load, table: SourceTable) -> bool:
        """Return whether a load has rows that were not sent, or lacks some that were not set aside."""
        loaded = {row[0] for row in self._connection.execute(f"describe {sql}").fetchall()}
        columns = ", ".join(
            f"try_cast({identifier(column.name) if column.name in loaded else 'null'} as {column.data_type})"
            for column in table.columns
        )
        kept = Register(project.warehouse, project.root, table).relation([load])
        invented = f"(select * exclude (_load_id, _loaded_at) from ({kept}) except all select {columns} from ({sql}))"
        counts = f"select (select count(*) from {invented}), (select count(*) from ({sql}))"
        invented_count, sent_count = self._connection.execute(counts).fetchall()[0]
        return bool(invented_count) or sent_count != load.row_count + load.refused_row_count

    def _write(self, sql: str, path: Path, options: str) -> int:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = self._connection.execute(f"copy ({sql}) to {literal(str(path))} ({options})").fetchall()
        return int(written[0][0])

    def _deliver(self, project: Project, series: Series, weeks: int) -> Honesty:
        table, alarms = series.contract(self._manifest), dict[int, tuple[str, ...]]()
        load_count = row_count = set_aside_count = check_count = 0
        started = time.perf_counter()
        for number in range(1, weeks + 1):
            path = project.landing / table.folder / f"week_{number:02}.parquet"
            if not self._write(series.rows(number), path, "format parquet"):
                path.unlink()  # nothing happened in this week
                continue
            with _settled():
                landed = load_landed(project, table).files[-1]
            if not landed.is_new:
                continue  # nothing changed in this week
            entered = landed.entered
            register = Register(project.warehouse, project.root, table)
            checks = [check for check in register.checks(entered.load_id) if not check.is_learning_only]
            if isinstance(entered, QuarantinedFile):
                failed = tuple(_name(check) for check in checks if not check.passed)
                alarms[series.first + number - 1] = failed or (entered.failed_check,)
                entered = accept(project, [table], entered.load_id, "an honest delivery")
            load_count, check_count = load_count + 1, check_count + len(checks)
            row_count, set_aside_count = row_count + entered.row_count, set_aside_count + entered.refused_row_count
        seconds = time.perf_counter() - started
        return Honesty(series, load_count, row_count, set_aside_count, check_count, alarms, seconds)


def _quarantined(mutation: Mutation, file: QuarantinedFile, checks: list[PopulationCheck]) -> Judgement:
    failed = [_name(check) for check in checks if not check.passed]
    reason = ", ".join(failed) or file.problem.split("cannot be loaded: ", 1)[-1]
    return Judgement(mutation, f"quarantined: {file.failed_check}", reason, f"{file.problem} {file.remedy}")


def _accepted(mutation: Mutation, project: Project, load: Load, is_altered: bool) -> Judgement:
    sql = "select line_number, reason from records.refused_rows where load_id = ? order by line_number"
    with project.warehouse.session() as session:
        rows = session.rows(sql, (load.load_id,))
    said = "\n".join(f"line {row['line_number']}: {row['reason']}" for row in rows)
    verdict = ALTERED if is_altered else SET_ASIDE if rows else ACCEPTED
    return Judgement(mutation, verdict, said.split("\n", 1)[0], said)


def _name(check: PopulationCheck) -> str:
    return f"{check.name} of {check.column_name}" if check.column_name else check.name


@contextmanager
def _settled() -> Iterator[None]:
    """Let the loader believe that files in landing are whole, so that it does not wait."""
    seconds, landing.SETTLE_SECONDS = landing.SETTLE_SECONDS, 0.0
    try:
        yield
    finally:
        landing.SETTLE_SECONDS = seconds


@contextmanager
def _growing(path: Path) -> Iterator[None]:
    """Append to a file, again and again, from a process of its own."""
    write = "import sys, time\nwhile True:\n    open(sys.argv[1], 'ab').write(b'1,2,3'); time.sleep(0.05)"
    writer = subprocess.Popen([sys.executable, "-c", write, str(path)])
    try:
        yield
    finally:
        writer.kill()
        writer.wait()
