"""What DuckDB says when a model fails may quote a personal value: dbt does not get to hear it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from projects import ROOT

from turnout.engines.dbt_errors import Plugin, without_values

SECRETS = ("Secret", "4711", "1980")
FAILING = {
    "select cast(name as int) from (values ('Secret')) as people(name)": "Conversion Error to INT32 in line 1",
    "select cast(id as tinyint) from (values (47114711)) as people(id)": "to INT8",
    "select cast(born as date) from (values ('1980-33-01')) as people(born)": "Conversion Error",
    "select error('no such person: Secret O''Hara to VARCHARS')": "Invalid Input Error",
    "select strptime(born, '%Y') from (values ('Secret\nLINE 7: Secret')) as people(born)": "Error",
    "select id * id from (values (471147114711471147)) as people(id)": "Out of Range Error",
}


@pytest.mark.parametrize(("sql", "told"), FAILING.items())
def test_an_error_tells_its_kind_and_no_value(sql: str, told: str) -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as error:
        connection.execute(sql).fetchall()
    said = without_values(error.value)
    assert told in said
    assert not [secret for secret in SECRETS if secret in said]


def test_dbt_waits_for_who_only_reads_and_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "turnout.duckdb"
    duckdb.connect(file).close()
    plugin, credentials = Plugin("errors", {}), DuckDBCredentials(path=str(file))
    plugin.initialize({})
    script = f"import duckdb; c = duckdb.connect({str(file)!r}, read_only=True); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline()
        threading.Timer(0.3, reader.communicate, [b"\n"]).start()
        plugin.update_connection_config(credentials, {})
        assert reader.wait() == 0
    monkeypatch.setattr("turnout.engines.duckdb.LOCK_SECONDS", 0.1)
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline()
        with pytest.raises(RuntimeError, match=rf"in use by another process, python.* {reader.pid}, also after"):
            plugin.update_connection_config(credentials, {})
        reader.communicate(b"\n")
    with pytest.raises(RuntimeError, match="in use by"):  # told once more, without another wait
        plugin.update_connection_config(credentials, {})


@pytest.mark.slow
@pytest.mark.parametrize("tag", ["personal", "internal"])
def test_dbt_leaves_a_value_on_no_terminal_and_in_no_file(tag: str, tmp_path: Path) -> None:
    project = tmp_path / "dbt_project"
    (project / "models").mkdir(parents=True)
    shutil.copy(ROOT / "dbt_project/profiles.yml", project)
    (tmp_path / "turnout").symlink_to(ROOT / "turnout")
    (tmp_path / "warehouse").mkdir()
    (project / "dbt_project.yml").write_text("name: turnout\nprofile: turnout\n")
    (project / "models/people.yml").write_text(
        f"models:\n  - name: people\n    columns:\n      - {{name: name, config: {{tags: [{tag}]}}}}\n"
    )
    (project / "models/people.sql").write_text("select chr(83) || 'ecret' as name")
    (project / "models/failing.sql").write_text(
        "{{ config(materialized='table') }} select cast(name as int) as name from {{ ref('people') }}"
    )
    dbt = [str(Path(sys.executable).with_name("dbt")), "build"]
    done = subprocess.run(dbt, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Conversion Error" in done.stdout
    left = {"terminal": done.stdout + done.stderr}
    left |= {str(path): path.read_text() for path in project.rglob("*") if path.suffix in {".log", ".json"}}
    assert len(left) > 3
    tell = [name for name, text in left.items() if "Secret" in text]
    assert bool(tell) == (tag != "personal"), tell
