"""Whatever happens to the writer, readers see whole publications: a short run of `trials.under_fire`."""

from __future__ import annotations

import subprocess
import sys

from projects import ROOT

PUBLICATIONS = 8


def under_fire(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trials.under_fire", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_readers_see_nothing_amiss() -> None:
    fired = under_fire(str(PUBLICATIONS))
    assert fired.returncode == 0, fired.stdout + fired.stderr
    assert "Left behind: nothing" in fired.stdout


def test_readers_do_see_a_writer_that_copies_instead_of_renaming() -> None:
    fired = under_fire("2", "1", "careless")
    assert fired.returncode == 1, fired.stdout + fired.stderr
    assert "failed read" in fired.stdout
