"""What a person reads of an audit in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.table import Table

from orchestration.commands import error_in_words

if TYPE_CHECKING:
    from rich.console import Console

    from turnout.leakage.result import Audit


def print_audit(audit: Audit, console: Console) -> None:
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
    console.print(pasts)
    for source in audit.coverage:
        if not source.audited_by:
            why = f"acknowledged: {source.acknowledged}" if source.acknowledged else source.remedy
            console.print(f"not audited: {source.source}. {why}", markup=False)
    for found in audit.unverified:
        console.print(f"not audited: the label of {found.past.as_of_date}; built again, no example has one.")
    if audit.problem:
        console.print(f"\n{error_in_words(audit.problem)}", style="red", markup=False)
    else:
        console.print(f"Nothing of {audit.prediction.name} knew the future (seed {audit.seed}).", markup=False)
