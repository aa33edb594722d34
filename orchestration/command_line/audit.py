"""Audits predictions, and prints what a person reads of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.table import Table

from orchestration.command_line.tables import print_table
from orchestration.commands import error_in_words
from orchestration.project import predictions_named
from turnout.leakage.audit import audit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from turnout.leakage.result import Audit
    from turnout.project.paths import Project


def print_audits(project: Project, console: Console, names: Sequence[str] | None, dates: int, seed: int | None) -> bool:
    """Audit predictions, print what was found, and return whether nothing is wrong.

    Raises
    ------
    TurnoutError
        If there is no such prediction or no example, or the past cannot be built again.
    """
    with console.status("Reading the project") as status:
        examples = [prediction.examples for prediction in predictions_named(project, names)]
        audits = audit(project, examples, dates=dates, seed=seed, tell=status.update)
    for found in audits:
        _print_audit(found, console)
    return all(found.problem is None for found in audits)


def _print_audit(audit: Audit, console: Console) -> None:
    """Print which pasts were built, what differed, and which sources could not be audited."""
    pasts = Table(title=audit.prediction.name, title_justify="left", title_style="bold", box=SIMPLE, pad_edge=False)
    for heading in ("as-of date", "cut by", "compared"):
        pasts.add_column(heading, no_wrap=True)
    for heading in ("examples", "columns that differ", "seconds"):
        pasts.add_column(heading, justify="right", no_wrap=True)
    for comparison in audit.comparisons:
        is_label = comparison.past.kind == "label_window"
        pasts.add_row(
            str(comparison.past.as_of_date),
            comparison.past.kind,
            "the label" if is_label else "every feature",
            f"{comparison.compared_rows:,}",
            str(len(comparison.differences)),
            f"{comparison.seconds:.1f}",
        )
    print_table(console, pasts)
    for source in audit.coverage:
        if not source.audited_by:
            why = f"acknowledged: {source.acknowledged}" if source.acknowledged else source.remedy
            console.print(f"not audited: {source.source}. {why}", markup=False)
    for found in audit.unverified:
        console.print(f"not audited: the label of {found.past.as_of_date}; built again, no example has one.")
    if audit.share:
        console.print(audit.share, markup=False)
    if audit.unmatured:
        console.print(audit.unmatured, markup=False)
    if audit.unaudited_label:
        console.print(f"not audited: {audit.unaudited_label}", markup=False)
    if audit.problem:
        console.print(f"\n{error_in_words(audit.problem)}", style="red", markup=False)
    elif not audit.comparisons:
        console.print(
            f"{audit.prediction.name} was not audited: it has no examples, or nothing that a rebuild could leave out."
        )
    else:
        console.print(f"Nothing of {audit.prediction.name} knew the future (seed {audit.seed}).", markup=False)
