"""Any step can be killed and run again with the same result; the manifest is always that of the files as they are."""

from __future__ import annotations

import signal
import time

from projects import call, dbt, published, records, run

from orchestration.project import predictions_of
from turnout.project.paths import Project


def test_a_run_killed_in_a_step_is_made_good_by_the_next(shop: Project) -> None:
    before = shop.published.read_bytes()
    (shop.root / "killed.py").write_text(KILLED_IN.format(step="marts"))
    killed = call(shop, "killed:run_until_killed")
    assert killed.exit_code == -signal.SIGKILL, killed.output
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
import os, signal, threading, time
from orchestration.command_line.main import main
from orchestration.command_line.progress import Progress

show = Progress.show
def show_and_kill(self, entry):
    show(self, entry)
    event = entry.dagster_event
    if event and event.step_key == "{step}" and event.event_type_value == "STEP_START":
        threading.Thread(target=lambda: (time.sleep(0.2), os.kill(os.getpid(), signal.SIGKILL))).start()

def run_until_killed():
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
    (parsed,) = dbt(shop, ["parse", "--target", "audit"])
    assert parsed.exit_code == 0, parsed.output
    assert [prediction.examples.schema for prediction in predictions_of(Project(shop.root))] == ["predictions"]
