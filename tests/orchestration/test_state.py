"""Any step can be killed and run again with the same result; the manifest is always that of the files as they are."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from projects import published, records, run

from orchestration.project import predictions_of
from turnout.project.paths import Project


def test_a_run_killed_in_a_step_is_made_good_by_the_next(shop: Project) -> None:
    before = shop.published.read_bytes()
    log = shop.root / "killed.log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-c", KILLED_IN.format(step="marts")], cwd=shop.root, stdout=output, stderr=output
        ) as killed,
    ):
        code = killed.wait(timeout=120)
    assert code == -signal.SIGKILL, log.read_text()
    assert shop.published.read_bytes() == before
    time.sleep(1)  # dbt, if that was running, ends when its pipe breaks

    again = run(shop)
    assert again.exit_code == 0, again.output
    assert records(shop, "select count(*) as n from records.loads") == [{"n": 1}]
    assert published(shop, "select count(*) from customers") == [(120,)]

    # On the same files: the same data, and the champion stays, which is said with its reason.
    versions = records(shop, "select count(distinct data_fingerprint) as n, max(version) > 1 as more "
                             "from records.model_versions")  # fmt: skip
    assert versions == [{"n": 1, "more": True}]
    later = records(shop, "select is_promoted, reason from records.promotions where version > 1 order by version")
    assert not any(row["is_promoted"] for row in later)
    assert all("champion version 1" in row["reason"] and "the champion stays" in row["reason"] for row in later)
    assert later[-1]["reason"] in again.output


# Runs everything, and kills its own process as soon as a step has begun to work.
KILLED_IN = """
import os, signal, sys, threading, time
sys.path.insert(0, os.getcwd())
from orchestration.command_line.main import main
from orchestration.command_line.progress import Progress

show = Progress.show
def show_and_kill(self, entry):
    show(self, entry)
    event = entry.dagster_event
    if event and event.step_key == "{step}" and event.event_type_value == "STEP_START":
        threading.Thread(target=lambda: (time.sleep(0.2), os.kill(os.getpid(), signal.SIGKILL))).start()
Progress.show = show_and_kill
main(["run"])
"""


def test_a_deleted_prediction_is_gone(shop: Project) -> None:
    assert [prediction.name for prediction in predictions_of(shop)] == ["customer_return"]
    for file in (shop.dbt / "models/predictions").iterdir():
        file.unlink()
    for folder in ("scores", "marts"):
        for file in (shop.dbt / "models" / folder).iterdir():
            file.unlink()
    assert predictions_of(Project(shop.root)) == ()


def test_another_target_of_dbt_does_not_move_the_pipeline(shop: Project) -> None:
    dbt = [sys.executable, "-m", "dbt.cli.main", "parse", "--target", "audit"]
    subprocess.run(dbt, cwd=shop.dbt, check=True, capture_output=True)
    assert [prediction.schema for prediction in predictions_of(Project(shop.root))] == ["predictions"]
