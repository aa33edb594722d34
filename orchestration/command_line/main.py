"""The commands, their arguments and their words of help; what a command does stands in a module beside this one.

A mistake that a person can mend is printed in words, and the exit code is then 1.
"""

import signal
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console
from typer import Argument, Exit, Option, Typer
from typer.core import TyperGroup

from orchestration.command_line.interruption import screen, words
from orchestration.commands import error_in_words
from orchestration.loopback import HOST
from orchestration.machine import refusal_of, require_memory
from orchestration.project import prepare, this_project
from turnout import prefork
from turnout.errors import TurnoutError

PROGRAM = "python -m orchestration"

PredictionName = Annotated[str, Argument(help="its name")]
VersionNumber = Annotated[int, Argument(help="the number of the version")]
Who = Annotated[str, Argument(help="who you are; it is recorded")]
Because = Annotated[str, Argument(help="the reason; it is recorded")]


class Commands(TyperGroup):
    """Runs a command, and prints in words why it could not be done."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - the class of a context is private to Typer
        """Run the command that was asked for, in a project that is prepared for it."""
        try:
            prepare(this_project())
            return super().invoke(ctx)
        except TurnoutError as error:
            console().print(f"\n{error_in_words(error)}", style="red", markup=False)
            raise Exit(1) from None
        except OSError as error:
            refused = refusal_of(error)
            if refused is None:
                raise
            console().print(f"\n{error_in_words(refused)}", style="red", markup=False)
            raise Exit(1) from None
        except KeyboardInterrupt:
            console().print(f"\n{words(signal.SIGINT)}", markup=False)
            raise Exit(128 + signal.SIGINT) from None


app = Typer(
    cls=Commands,
    help="Land, build, train, score, test, publish, and decide what a person decides.",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    app(args=arguments, prog_name=PROGRAM)


@cache
def console() -> Console:
    """Return what writes to where a person reads."""
    return Console(file=screen(), highlight=False, soft_wrap=True)


@app.command()
def run() -> None:
    """Land, build, train, score, test and publish everything once."""
    require_memory()
    prefork.start()  # dbt is imported while Dagster is
    from orchestration.command_line.run import run_everything

    raise Exit(0 if run_everything(this_project(), console()) else 1)


@app.command()
def publications() -> None:
    """List what is published, and the publications that one can go back to."""
    from orchestration.command_line.publications import print_publications

    print_publications(this_project(), console())


@app.command()
def restore(
    publication: Annotated[int, Argument(help="its id")],
    name: Annotated[str, Argument(help="who you are; readers see it")],
    because: Annotated[str, Argument(help="the reason; readers see it")],
) -> None:
    """Go back to a publication that is kept."""
    from orchestration.command_line.publications import restore_publication

    restore_publication(this_project(), console(), publication, who=name, because=because)


@app.command()
def export(folder: Annotated[Path | None, Option(help="default: published/parquet")] = None) -> None:
    """Write every table of the publication as a Parquet file."""
    from orchestration.command_line.publications import export_publication

    export_publication(this_project(), console(), folder)


@app.command()
def quarantine() -> None:
    """List the files that were refused and wait for a person."""
    from orchestration.command_line.quarantine import print_quarantine

    print_quarantine(this_project(), console())


@app.command()
def accept(
    load: Annotated[str, Argument(help="the id that the file is listed with; empty with a source and a table")],
    because: Because,
    source: Annotated[str, Option(help="of a table, all of whose files that wait are accepted")] = "",
    table: Annotated[str, Option(help="the table")] = "",
) -> None:
    """Load a quarantined file as it is, or all that wait of a table; who did it and why is recorded."""
    from orchestration.command_line.quarantine import accept_files

    accept_files(this_project(), console(), because, load=load, source=source, table=table)


@app.command(hidden=True)
def release(load: str = Argument("id"), because: str = Argument("")) -> None:
    """Say that it is called `accept`."""
    from orchestration.command_line.quarantine import refuse_release

    refuse_release(load)


@app.command()
def audit(
    dates: Annotated[int, Option(help="past as-of dates of each prediction")] = 5,
    seed: Annotated[int | None, Option(help="decides which; default: others than the last audit")] = None,
    prediction: Annotated[list[str] | None, Option(help="only this one; may be given several times")] = None,
) -> None:
    """Build the past again and compare: does any example know the future?"""
    from orchestration.command_line.audit import print_audits

    raise Exit(0 if print_audits(this_project(), console(), prediction or None, dates, seed) else 1)


@app.command()
def approve(prediction: PredictionName, version: VersionNumber, name: Who, because: Because) -> None:
    """Make a challenger champion that waits for a person."""
    from orchestration.command_line.champions import approve_version

    approve_version(this_project(), console(), prediction, version, who=name, because=because)


@app.command()
def rollback(
    prediction: PredictionName,
    version: VersionNumber,
    name: Who,
    because: Because,
    override: Annotated[str, Option(help="'yes': also one that the gate never let be champion")] = "",
) -> None:
    """Make an earlier version champion again."""
    from orchestration.command_line.champions import roll_back_to

    by_force = override.strip().lower() == "yes"
    roll_back_to(this_project(), console(), prediction, version, who=name, because=because, override=by_force)


@app.command()
def replay(prediction: PredictionName, version: VersionNumber) -> None:
    """Make a version once more from its record, and compare."""
    from orchestration.command_line.champions import replay_version

    raise Exit(0 if replay_version(this_project(), console(), prediction, version) else 1)


@app.command(help=f"Open MLflow on {HOST}: every run, model and metric.")
def leaderboard(port: int = 5000) -> None:
    """Open MLflow."""
    from orchestration.command_line.leaderboard import open_leaderboard

    open_leaderboard(this_project(), console(), port)


@app.command()
def sources() -> None:
    """Write dbt's YAML of the tables that Python writes."""
    from orchestration.command_line.sources import write_sources

    project = this_project()
    for file in write_sources(project):
        console().print(f"Wrote {file.relative_to(project.root)}", markup=False)


@app.command(help=f"Open Dagster on {HOST}.")
def ui(port: int = 3000) -> None:
    """Open Dagster."""
    from orchestration.command_line.ui import open_ui

    open_ui(this_project(), console(), port)
