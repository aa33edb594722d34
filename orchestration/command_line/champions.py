"""What a person decides about champions, from the command line: approve, roll back, replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster import AssetCheckEvaluation, AssetCheckSeverity, DagsterInstance

from ml.report import card
from ml.serving.champions import approve, roll_back
from ml.training.replay import replay
from orchestration.keys import gate_key
from orchestration.project import predictions_named
from turnout.project.provenance import code_version

if TYPE_CHECKING:
    from rich.console import Console

    from turnout.project.paths import Project
    from turnout.records.trainings import Championship


def approve_version(project: Project, console: Console, name: str, version: int, *, who: str, because: str) -> None:
    """Make a waiting challenger champion on the word of a person, and say what comes next.

    Raises
    ------
    TurnoutError
        If it cannot be; see `ml.serving.champions.approve`.
    """
    (prediction,) = predictions_named(project, [name])
    with console.status("Fitting it on all matured examples"):
        made = approve(project.warehouse, prediction, project.model_versions, version, name=who, reason=because)
    _lift_gate(console, made)


def roll_back_to(
    project: Project, console: Console, name: str, version: int, *, who: str, because: str, override: bool = False
) -> None:
    """Make an earlier version champion again on the word of a person, and say what comes next.

    With `override` it may be one that never was; then its card says so.

    Raises
    ------
    TurnoutError
        If it cannot be; see `ml.serving.champions.roll_back`.
    """
    (prediction,) = predictions_named(project, [name])
    made = roll_back(
        project.warehouse, prediction, project.model_versions, version, name=who, reason=because, override=override
    )
    _lift_gate(console, made)
    if made.how == "overridden":
        words = f"Champion against the gate since {made.since:%Y-%m-%d}, by {made.name}: {made.reason}"
        card.mark(project.model_versions / name / str(version), words)


def replay_version(project: Project, console: Console, name: str, version: int) -> bool:
    """Make a version once more, print how it compares, and return whether it came out as it was.

    Raises
    ------
    TurnoutError
        If it cannot be made again; see `ml.training.replay.replay`.
    """
    (prediction,) = predictions_named(project, [name])
    with console.status("Fitting it again"):
        made = replay(project.warehouse, prediction, project.model_versions, version, code_version(project))
    verdict = "came out as it was" if made.is_same else "came out differently"
    console.print(
        f"{name} version {version} ({made.version.candidate}) {verdict}: on {made.example_count:,} examples of its "
        f"holdout the largest difference of a prediction is {made.largest_difference:.3g}.",
        style="" if made.is_same else "red",
        markup=False,
    )
    for library, (was, installed) in made.other_libraries.items():
        console.print(f"  {library} {installed} is installed, it was {was}", markup=False)
    if made.other_code:
        console.print(f"  the code is another: it was {made.version.code_version}", markup=False)
    return made.is_same


def _lift_gate(console: Console, made: Championship) -> None:
    """Lift the gate, which a person has decided about, and say what comes next."""
    description = f"version {made.version} is champion, {made.how.replace('_', ' ')} by {made.name}: {made.reason}"
    if made.how == "overridden":
        description = f"{description} (the gate has never let it be champion)"
    key = gate_key(made.prediction)
    with DagsterInstance.get() as instance:
        instance.report_runless_asset_event(
            AssetCheckEvaluation(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=made.how != "overridden",
                severity=AssetCheckSeverity.WARN if made.how == "overridden" else AssetCheckSeverity.ERROR,
                description=description,
                metadata={},
            )
        )
    console.print(
        f"{made.prediction}: {description}\n"
        f"It has learned from {made.example_count:,} examples until {made.last_as_of_date}. "
        "Next: 'make run' scores with it and publishes.",
        markup=False,
    )
