"""Whoever has Superset has the publication, and nothing else of this machine."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
import requests
from looking import Asking, Superset

# Each would write, read what was not published, or open a way to.
REFUSED = {
    "write a file": "copy households to '{folder}/written.csv'",
    "write all": "export database '{folder}/written'",
    "write a file of another kind": "copy (select 1) to '{folder}/written.parquet' (format parquet)",
    "make a table": "create table made as select 1",
    "make a table of the session": "create temp table made as select 1",
    "make a view": "create view made as select 1",
    "change": "update households set household_id = 0",
    "remove": "drop table households",
    "attach a file": "attach '{folder}/written.duckdb' as other",
    "attach the working file": "attach '{root}/warehouse/turnout.duckdb' as warehouse (read_only)",
    "attach the file again": "attach '{published}' as again",
    "read a CSV file": "select * from read_csv('/etc/passwd')",
    "read text": "select * from read_text('/etc/passwd')",
    "read a file within a query": "select (select content from read_text('/etc/passwd')) from households",
    "read bytes": "select * from read_blob('{root}/warehouse/superset/secret_key')",
    "read Parquet": "select * from '{folder}/any.parquet'",
    "read a file by its name": "select * from '/etc/passwd'",
    "list files": "select * from glob('/etc/*')",
    "read accounts": "select * from read_csv('{root}/warehouse/superset/credentials')",
    "guess at a file": "select * from sniff_csv('/etc/passwd')",
    "install": "install httpfs",
    "load": "load httpfs",
    "allow files": "set enable_external_access = true",
    "allow settings": "set lock_configuration = false",
    "change a setting": "set memory_limit = '1GB'",
    "change a setting by pragma": "pragma enable_profiling",
    "ask the network": "select * from read_csv('http://127.0.0.1:1/x.csv')",
    "keep a secret": "create secret (type s3)",
    "log to a file": "call enable_logging(storage = 'file', storage_path = '{folder}/written')",
    "a second statement": "select 1; copy households to '{folder}/written.csv'",
}


def state_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_sql_lab_reads_the_publication(admin: Asking) -> None:
    answer = admin.sql("select count(*) as households from households")
    assert answer.ok, answer.text
    assert answer.json()["data"][0]["households"] > 0


@pytest.mark.parametrize("sql", REFUSED.values(), ids=REFUSED)
def test_sql_lab_cannot(sql: str, admin: Asking, superset: Superset, tmp_path: Path) -> None:
    before = state_of(superset.state.published)
    asked = sql.format(folder=tmp_path, root=superset.state.root, published=superset.state.published)
    answer = admin.sql(asked)
    assert not answer.ok, answer.text
    assert "root:" not in answer.text
    assert list(tmp_path.iterdir()) == []
    assert state_of(superset.state.published) == before


@pytest.mark.parametrize(
    "expression",
    ["(select content from read_text('/etc/passwd'))", "(select max(file) from glob('/etc/*'))", "getenv('HOME')"],
)
def test_a_formula_in_a_chart_cannot_read_files(expression: str, reader: Asking, tables: dict[str, int]) -> None:
    metric = {"expressionType": "SQL", "sqlExpression": f"max({expression})", "label": "content"}
    answer = reader.chart(tables["households"], metrics=[metric])
    assert not answer.ok
    assert "root:" not in answer.text


def test_another_address_opens_nothing_else(admin: Asking, superset: Superset, tmp_path: Path) -> None:
    """Even Superset's administrator, who may add a database, reaches the publication only."""
    other = tmp_path / "other.duckdb"
    body = {"database_name": "Other", "sqlalchemy_uri": f"duckdb:///{other}", "expose_in_sqllab": True}
    made = admin.post("database/", body)
    assert made.ok, made.text
    try:
        query = {"database_id": made.json()["id"], "schema": "main", "sql": "select count(*) as n from households"}
        answer = admin.post("sqllab/execute/", query)
        assert answer.ok, answer.text
        assert not other.exists()
    finally:
        admin.session.delete(f"{superset.address}/api/v1/database/{made.json()['id']}", timeout=60)


def test_a_reader_cannot_run_sql_or_change_anything(reader: Asking, superset: Superset) -> None:
    dashboard = reader.dashboards()[0]["id"]
    chart = next(iter(reader.charts()))
    session, api = reader.session, f"{superset.address}/api/v1"
    refused = {
        "SQL Lab": reader.sql("select 1"),
        "change a dashboard": session.put(f"{api}/dashboard/{dashboard}", json={"dashboard_title": "x"}, timeout=60),
        "remove a dashboard": session.delete(f"{api}/dashboard/{dashboard}", timeout=60),
        "change a chart": session.put(f"{api}/chart/{chart}", json={"slice_name": "x"}, timeout=60),
        "add a database": reader.post("database/", {"database_name": "x", "sqlalchemy_uri": "duckdb://"}),
        "list accounts": reader.get("security/users/"),
    }
    assert {name: answer.status_code for name, answer in refused.items() if answer.status_code not in (403, 404)} == {}


def test_nobody_gets_in_without_a_password(superset: Superset) -> None:
    stranger = Asking(superset.address, requests.Session())
    assert stranger.get("dashboard/").json().get("count", 0) == 0
    assert stranger.post("chart/data", {}).status_code in (400, 401)
    for name, password in (("admin", "admin"), ("admin", "general"), ("reader", "reader")):
        login = {"username": name, "password": password, "provider": "db"}
        assert stranger.post("security/login", login).status_code == 401


def test_secrets_are_readable_by_their_owner_only(superset: Superset) -> None:
    state = superset.state
    for file in (state.credentials, state.folder / "secret_key", state.metadata):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(state.folder.stat().st_mode) == 0o700
    said = superset.log.read_text()
    assert not [password for password in state.passwords.values() if password in said]


def test_it_listens_on_loopback_only(superset: Superset) -> None:
    port = int(superset.address.rsplit(":", 1)[1])
    listening = [
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].rsplit(":", 1)[1], 16) == port
    ]
    assert listening == [f"0100007F:{port:04X}"]
