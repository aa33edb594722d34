"""Generated files beside those that somebody sent are told; a sample that completes itself is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from dagster import DagsterInstance, materialize

from orchestration.defs.landing.assets import _landing_asset
from turnout.project.paths import Project


def land(landing: Path) -> list[Path]:
    """Write a file for each table that has none, as every sample does."""
    made = []
    for source in ("north", "south"):
        folder = landing / source / "voters"
        if not folder.is_dir():
            folder.mkdir(parents=True)
            made.append(folder / "generated.csv")
            made[-1].write_text(f"id\n{source}\n")
    return made


def told(project: Project) -> set[str | None]:
    module = SimpleNamespace(__name__="samples.voters", __doc__="Voters.", SOURCES=("north", "south"), land=land)
    with DagsterInstance.ephemeral() as instance:
        done = materialize([_landing_asset(project, module)], instance=instance)
    found = [event.materialization.metadata.get("mixed") for event in done.get_asset_materialization_events()]
    return {None if one is None else str(one.value) for one in found}


@pytest.mark.parametrize("is_sent", [True, False])
def test_generated_files_beside_sent_ones_are_told(tmp_path: Path, is_sent: bool) -> None:
    project = Project(tmp_path)
    if is_sent:
        (project.landing / "north" / "voters").mkdir(parents=True)
        (project.landing / "north" / "voters" / "real.csv").write_text("id\n1\n")
        assert told(project) == {"south: generated, beside the files of north"}
    else:
        assert told(project) == {None}
        (project.landing / "south" / "voters" / "generated.csv").unlink()
        (project.landing / "south" / "voters").rmdir()
    assert told(project) == {None}
