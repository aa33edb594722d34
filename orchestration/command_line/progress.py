"""Shows a run while it works, one line for each finished step, and afterwards what failed, in words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from dagster import AssetCheckSeverity, DagsterEventType
from rich.markup import escape

if TYPE_CHECKING:
    from types import TracebackType

    from dagster import EventLogEntry
    from rich.console import Console


class Progress:
    """Listens to a run's events.

    Parameters
    ----------
    console : Console
        Where to print.
    steps : int
        How many steps the run has.
    """

    def __init__(self, console: Console, steps: int) -> None:
        self.failures: list[str] = []
        self.skipped = 0
        self._console, self._steps = console, steps
        self._status = console.status("Starting")
        self._finished = 0
        self._started = 0.0
        self._materialized: list[Any] = []
        self._passed = 0
        self._warned: list[str] = []

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._status.stop()

    def show(self, entry: EventLogEntry) -> None:
        """Take in one event of the run."""
        event = entry.dagster_event
        if event is None:
            return
        name = event.step_key or ""
        match event.event_type:
            case DagsterEventType.STEP_START:
                self._started, self._materialized, self._passed, self._warned = time.perf_counter(), [], 0, []
            case DagsterEventType.ASSET_MATERIALIZATION:
                self._materialized.append(event.step_materialization_data.materialization)
            case DagsterEventType.ASSET_CHECK_EVALUATION:
                self._take_check(event.asset_check_evaluation_data)
            case DagsterEventType.STEP_SUCCESS:
                self._print(name, "[green]done[/]  ", self._detail())
            case DagsterEventType.STEP_FAILURE:
                self._take_failure(name, event.step_failure_data)
            case DagsterEventType.STEP_SKIPPED:
                self.skipped += 1
                self._print(name, "[yellow]skipped[/]", "")
        self._status.update(f"{name}  {self._detail()}")

    def print_failures(self) -> None:
        """Print every failure in words."""
        for failure in self.failures:
            self._console.print(f"\n{failure}", style="red", markup=False)

    def _take_check(self, evaluation: Any) -> None:  # noqa: ANN401 - Dagster's event data
        where = f"{evaluation.asset_key.to_user_string()}: {evaluation.check_name}"
        if evaluation.passed:
            self._passed += 1
        elif evaluation.severity == AssetCheckSeverity.ERROR and evaluation.description:
            self.failures.append(evaluation.description)  # ours say all there is to say
        elif evaluation.severity == AssetCheckSeverity.ERROR:
            found = evaluation.metadata.get("dagster_dbt/failed_row_count")
            count = f" {found.value} rows do not pass." if found else ""
            self.failures.append(
                f"A test failed: {where}.{count}\n"
                "  rule:   a failed test of error severity stops what is downstream of its table.\n"
                "  remedy: 'dbt test --select <test> --store-failures' in dbt_project/ keeps the rows to look at; mend "
                "the data or the model."
            )
        else:
            # Ours say in the first line what was found.
            found = (evaluation.description or "").partition("\n")[0]
            self._warned.append(f"{where}{found and f': {found}'}")

    def _take_failure(self, name: str, failure: Any) -> None:  # noqa: ANN401 - Dagster's event data
        self._print(name, "[red]failed[/]", "")
        # A blocked step says only that a check failed; the check itself has been reported already.
        if failure.user_failure_data and failure.user_failure_data.description:
            self.failures.append(failure.user_failure_data.description)
        elif failure.error and "DagsterAssetCheckFailedError" not in (failure.error.cls_name or ""):
            innermost = failure.error.cause or failure.error
            self.failures.append(
                f"{name} failed in a way that we did not foresee: {innermost.message.strip()}\n"
                "  remedy: 'make ui' shows the whole error in the run's log; please report it."
            )

    def _print(self, name: str, verdict: str, detail: str) -> None:
        self._finished += 1
        seconds = time.perf_counter() - self._started
        count = f"{self._finished:>{len(str(self._steps))}}/{self._steps}"
        self._console.print(f"{count}  {verdict}  {name:<44} {seconds:6.1f} s  {detail}")
        for where in self._warned:
            self._console.print(f"      [yellow]warning[/] {escape(where)}")

    def _detail(self) -> str:
        parts = []
        if len(self._materialized) == 1:
            metadata = self._materialized[0].metadata
            if "decision" in metadata:
                parts.append(str(metadata["decision"].value))
            elif "dagster/row_count" in metadata:
                parts.append(f"{metadata['dagster/row_count'].value:,} rows")
            if "rows set aside" in metadata and metadata["rows set aside"].value:
                parts.append(f"{metadata['rows set aside'].value:,} rows of the newest load set aside")
        elif self._materialized:
            parts.append(f"{len(self._materialized)} tables")
        if self._passed:
            parts.append(f"{self._passed} tests passed")
        return ", ".join(parts)
