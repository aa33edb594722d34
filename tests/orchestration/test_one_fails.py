"""One prediction's failure is its own: the others go on, and readers are told which one is old, and why."""

from __future__ import annotations

from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter, build_run_status_sensor_context
from in_process import at, launched
from projects import edit, published, run

from turnout.project.paths import Project

FRESHNESS = "select prediction, is_current, old_because from prediction_freshness order by prediction"
CURRENT_MARTS = "select table_name, is_current, held_back_because from freshness order by table_name"


def add_second(project: Project, name: str = "customer_again") -> None:
    """Give the shop a second prediction, with scores and a mart of its own."""
    models = project.dbt / "models"
    for folder, old, new in (("predictions", "customer_return", name), ("marts", "customers", f"{name}s")):
        for suffix in ("sql", "yml"):
            text = (models / folder / f"{old}.{suffix}").read_text()
            (models / folder / f"{new}.{suffix}").write_text(
                text.replace(f"name: {old}\n", f"name: {new}\n").replace("customer_return", name)
            )
    file = models / "scores/_scores__sources.yml"
    head, table = file.read_text().split("    tables:\n")
    file.write_text(f"{head}    tables:\n{table}{table.replace('customer_return', name)}")


def test_one_prediction_fails_and_the_others_are_published(shop: Project) -> None:
    add_second(shop)
    # Nobody ever returns: that cannot be learned.
    edit(shop.dbt / "models/predictions/customer_again.sql", "orders_next_14d > 0 as", "orders_next_14d < 0 as")
    stopped = run(shop)
    assert stopped.exit_code == 1, stopped.output
    assert "Traceback" not in stopped.output
    assert "The others go on." in stopped.output
    assert published(shop, "select publication_id from publication") == [(2,)]
    (again, returning) = published(shop, FRESHNESS)
    assert (again[:2], returning) == (("customer_again", False), ("customer_return", True, None))
    assert "The run stopped at model_versions__customer_again: Examples of 'customer_again'" in again[2]
    (of_again, of_return) = published(shop, CURRENT_MARTS)
    assert of_return == ("customers", True, None)
    assert of_again == ("customer_agains", False, f"The prediction customer_again is old: {again[2]}")

    # Dagster's daemon sees the same failure, and that its command went on by itself.
    with at(shop) as defs, DagsterInstance.get() as instance:
        failed = instance.get_runs(filters=RunsFilter(statuses=[DagsterRunStatus.FAILURE]), limit=1)[0]
        failure = instance.all_logs(failed.run_id, of_type=DagsterEventType.RUN_FAILURE)[0].dagster_event
        assert failure is not None
        sensor = defs.get_repository_def().get_sensor_def("held_back")
        context = build_run_status_sensor_context("held_back", failure, instance, failed, resources=defs.resources)
        assert sensor(context.for_run_failure()) is None
    assert published(shop, FRESHNESS) == [again, returning]

    # Declared no more, its mart tells so for ever.
    for suffix in ("sql", "yml"):
        (shop.dbt / f"models/predictions/customer_again.{suffix}").unlink()
    made = launched(Project(shop.root), "publication")
    assert made.exit_code == 0, made.output
    (again, returning) = published(shop, FRESHNESS)
    assert again[1] is False
    assert again[2].startswith("it is declared no more")
    assert returning == ("customer_return", True, None)
    assert [row[:2] for row in published(shop, CURRENT_MARTS)] == [("customer_agains", False), ("customers", True)]
