"""From raw files to published scores on the real data, in one command, and again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from projects import ROOT, Finished, published, records, run

from turnout.project.paths import Project

PREDICTION_SQL = """
select
    examples.household_id,
    examples.as_of_date,
    examples.count_baskets_28d,
    examples.count_baskets_56d,
    examples.days_since_last_purchase,
    {{ label_within('cast(count(events.basket_id) >= 3 as int)') }} as is_frequent
from {{ events_within(
    ref('household_features'), ref('int_baskets_aggregated'), entity='household_id', event_time='purchased_at'
) }}
group by 1, 2, 3, 4, 5
"""

PREDICTION_YAML = """
models:
  - name: household_frequent
    description: Will a household come three times in the next 7 days? One row per household and as-of date.
    config:
      meta:
        prediction:
          task: binary
          entity: household_id
          as_of: as_of_date
          label: is_frequent
          horizon_days: 7
          candidates: [linear]
          search: { trials: 0 }
    columns:
      - { name: household_id, data_tests: [not_null] }
      - { name: as_of_date, data_tests: [not_null] }
      - name: count_baskets_28d
      - name: count_baskets_56d
      - name: days_since_last_purchase
      - name: is_frequent
"""


@pytest.fixture(scope="module")
def again(grocery: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A second run, on the state of the first, after an analyst has dropped in one SQL and one YAML file."""
    project = Project(tmp_path_factory.mktemp("again") / "turnout")
    shutil.copytree(grocery.project.root, project.root)
    folder = project.dbt / "models/predictions/grocery"
    (folder / "household_frequent.sql").write_text(PREDICTION_SQL)
    (folder / "household_frequent.yml").write_text(PREDICTION_YAML)
    finished = run(project)
    assert finished.exit_code == 0, finished.output
    return finished


def test_the_summary_says_what_a_person_wants_to_know(grocery: Finished) -> None:
    for words in ("household_lapse", "household_spend", "log_loss", "rmse", "version 1", "2017-12-31", "make ui"):
        assert words in grocery.output
    assert str(grocery.project.published) in grocery.output


def test_all_eight_tables_are_loaded_and_on_record(grocery: Finished) -> None:
    rows = records(grocery.project, "select table_name, row_count from records.loads where source = 'complete_journey'")
    counts = {row["table_name"]: row["row_count"] for row in rows}
    assert len(counts) == 8
    assert (counts["transactions"], counts["promotions"]) == (1_469_307, 20_940_529)


def test_the_champions_beat_each_households_own_past_on_the_last_matured_weeks(grocery: Finished) -> None:
    """Measured: log loss 0.280 against 0.321, RMSE 180 against 202, where the baseline is each household's own past."""
    rows = published(
        grocery.project,
        """select prediction, value, baseline_value, holdout_last_as_of_date::varchar
           from leaderboard where is_champion and is_competition_metric and prediction like 'household%'
           order by prediction""",
    )
    assert [(row[0], row[3]) for row in rows] == [("household_lapse", "2017-12-03"), ("household_spend", "2017-11-05")]
    assert rows[0][1] < 0.92 * rows[0][2]
    assert rows[1][1] < 0.95 * rows[1][2]


def test_every_published_score_leads_back_to_data_loads_and_code(grocery: Finished) -> None:
    untraced = records(
        grocery.project,
        """select count(*) as n
           from scores.household_lapse as scores
           left join records.model_versions as versions
               on versions.prediction = 'household_lapse' and versions.version = scores.model_version
           where versions.data_fingerprint is null or versions.code_version is null
               or len(versions.load_ids) = 0
               or not list_has_all((select list(load_id) from records.loads), versions.load_ids)""",
    )
    assert untraced == [{"n": 0}]


def test_demographics_are_there_for_people_and_metrics_but_not_for_models(grocery: Finished) -> None:
    (found,) = records(grocery.project, "select string_agg(features, ',') as features from records.model_versions")
    assert "age_band" not in found["features"]
    groups = published(grocery.project, "select distinct group_value from leaderboard_groups")
    assert {("65+",), ("unknown",)} <= set(groups)


def test_the_publication_holds_the_marts_and_nothing_else(grocery: Finished) -> None:
    tables = published(grocery.project, "select table_name from information_schema.tables")
    of_grocery, of_elections = "households", "county_turnout poll_match_quality poll_results voters"
    of_both = "leaderboard leaderboard_groups model_versions outcomes release_effects loads refusals load_checks"
    of_its_own = "publication freshness checks"
    assert {table for (table,) in tables} == {*f"{of_grocery} {of_elections} {of_both} {of_its_own}".split()}
    assert published(grocery.project, "select count(*), count(distinct household_id) from households") == [(2469, 2469)]


def test_the_publication_tells_what_it_is_and_that_it_is_whole(grocery: Finished) -> None:
    ((number, champions, loads),) = published(
        grocery.project, "select publication_id, champions, load_ids from publication"
    )
    assert number == 1
    assert json.loads(champions) == {"household_lapse": 1, "household_spend": 1, "voter_turnout": 1}
    known = {row["load_id"] for row in records(grocery.project, "select load_id from records.loads")}
    assert set(json.loads(loads)) <= known
    assert len(json.loads(loads)) > 20
    assert published(grocery.project, "select distinct is_current, failed_checks, publication_id from freshness") == [
        (True, 0, 1)
    ]
    assert published(grocery.project, "select count(*) > 250 from checks where passed and severity = 'error'") == [
        (True,)
    ]


def test_a_duckdb_1_client_reads_the_publication(grocery: Finished) -> None:
    """As BI drivers have it; the Makefile installs one beside our own."""
    client = ROOT / ".venv" / "older_client"
    assert client.exists(), "run 'make test', which installs it"
    script = f"""
import duckdb
assert duckdb.__version__.startswith("1."), duckdb.__version__
connection = duckdb.connect({str(grocery.project.published)!r}, read_only=True)
print(connection.execute("select count(*) from households where lapse_probability between 0 and 1").fetchone()[0])
"""
    read = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(client)}, capture_output=True, text=True
    )
    assert (read.stdout, read.stderr) == ("2219\n", "")


def test_dbt_build_works_on_its_own_as_in_any_dbt_project(grocery: Finished) -> None:
    built = subprocess.run(
        [Path(sys.executable).with_name("dbt"), "build", "--select", "household_lapse", "households"],
        cwd=grocery.project.dbt,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout
    assert "ERROR=0" in built.stdout


def test_a_second_run_keeps_the_champions_and_says_why(again: Finished) -> None:
    rows = records(
        again.project, "select prediction, reason from records.promotions where version = 2 and not is_promoted"
    )
    assert {row["prediction"] for row in rows} == {"household_lapse", "household_spend", "voter_turnout"}
    assert all("champion version 1" in row["reason"] and "the champion stays" in row["reason"] for row in rows)
    assert all(row["reason"] in again.output for row in rows)


def test_a_second_run_on_the_same_files_makes_no_new_loads_and_the_same_data(again: Finished) -> None:
    (loads,) = records(
        again.project, "select count(*) as n, count(distinct (source, file_hash)) as files from records.loads"
    )
    assert loads["n"] == loads["files"]
    fingerprints = records(
        again.project,
        """select count(distinct data_fingerprint) as n from records.model_versions
           where prediction = 'household_lapse'""",
    )
    assert fingerprints == [{"n": 1}]


def test_a_prediction_is_added_with_sql_and_yaml_alone(again: Finished) -> None:
    (row,) = records(
        again.project,
        """select count(*) as scored, count(distinct household_id) as households, min(score) as low, max(score) as high
           from scores.household_frequent""",
    )
    assert row["scored"] == row["households"] == 2469
    assert 0 <= row["low"] < row["high"] <= 1
    assert published(again.project, "select count(*) from leaderboard where prediction = 'household_frequent'") != [
        (0,)
    ]
