"""What a personal column holds is in the load and in raw, and nowhere else: no message and no record tells of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from struct import pack
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster import AssetMaterialization
from tables import manifest_of

from orchestration.defs.raw.metadata import load_metadata
from turnout.errors import LoadError
from turnout.loading.contract import source_tables
from turnout.loading.loader import Loaded
from turnout.loading.reading import unreadable
from turnout.loading.register import TABLES
from turnout.records.loads import QuarantinedFile

PERSONAL = ["personal"]
COLUMNS = {
    "id": {"type": "bigint"},
    "name": {"tags": PERSONAL},
    "born": {"type": "date", "tags": PERSONAL},
    "wage": {"type": "double", "tags": PERSONAL},
    "town": {},
}
CSV = {"format": "csv"}
MARTS = Path(__file__).parents[2] / "dbt_project/models/marts/health"
# Every personal value holds one of these.
SECRETS = ("Secret", "1980", "4711", "4,711", "4.711")


def rows(count: int, name: str = "Secret", wage: int = 4711) -> str:
    lines = (f"{number},{name}{number % 3},1980-01-0{1 + number % 9},{wage},Salem" for number in range(count))
    return "\n".join(["id,name,born,wage,town", *lines]) + "\n"


def told(visits: Any, loaded: Loaded) -> str:
    """All that the records and Dagster say of a table, but for hashes, times and the contract."""
    omitted = {
        "loads": "file_hash, loaded_at, path, contract",
        "quarantine": "file_hash, quarantined_at, path, contract",
    }
    texts = []
    for name in TABLES:
        kept = f"exclude ({', '.join(['load_id', *([omitted[name]] if name in omitted else [])])})"
        texts += map(str, visits.raw(f"select * {kept} from records.{name}"))
    metadata = load_metadata(visits.project, visits.table, loaded)
    tables = [value for value in metadata.values() if hasattr(value, "records")]
    texts += [
        json.dumps({name: value for name, value in record.data.items() if name != "id"}, ensure_ascii=False)
        for shown in tables
        for record in shown.records
    ]
    return "\n".join(texts)


def test_no_record_and_no_page_tells_a_personal_value(arriving: Callable[..., Any]) -> None:
    visits = arriving(COLUMNS, event_time="born", key=["id", "name"], file=CSV, refuse_above=0.5)
    unfit = '9,Secret,1980-33-01,4711,Salem\n8,Secret,1980-01-01,much Secret,Salem\n7,Secret\n6,"Secret\n'
    visits.arrive("a.csv", rows(9) + "0,Secret0,1980-01-01,4711,Salem\n" + unfit)
    refused = visits.arrive("b.csv", rows(9, name="Other Secret", wage=-4711))
    assert isinstance(refused, QuarantinedFile)
    loaded = visits.load()
    found = told(visits, loaded)
    assert not [secret for secret in SECRETS if secret in found], found
    for words in ("born is not date", "wage is not double", "cannot be split into columns: missing columns", "•••"):
        assert words in found
    assert '"town":"Salem"' in found
    assert "drift of wage" in refused.problem
    assert "'of the rows have 3 such values'" in found
    assert visits.raw("select name, wage from raw.visits order by id limit 1") == [("Secret0", 4711)]
    statistics = {row["column_name"]: row for row in visits.register.statistics(loaded.in_force[-1].load_id)}
    assert (statistics["town"]["min"], statistics["name"]["min"], statistics["wage"]["avg"]) == ("Salem", None, None)
    assert statistics["name"]["approx_unique"] == 3


def test_a_page_is_shown_again_while_its_state_lasts_and_the_contract_is_part_of_it(
    arriving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    visits = arriving({**COLUMNS, "name": {}}, file=CSV)
    visits.arrive("a.csv", rows(9))

    def page(shown_before: dict[str, Any] | None = None) -> dict[str, Any]:
        shown = load_metadata(visits.project, visits.table, visits.load(), shown_before)
        return dict(AssetMaterialization("visits", metadata=shown).metadata)

    shown = page()
    assert "Secret1" in str(shown)
    with monkeypatch.context() as patched:
        patched.setattr("turnout.engines.duckdb.connect", lambda *_, **__: pytest.fail("it was opened"))
        assert page(shown) == shown
    visits.change(COLUMNS, file=CSV)
    assert "Secret1" not in str(page(shown))


def mart(visits: Any, name: str) -> str:
    """All that a mart says of the data's health, but for ids and times."""
    sql = re.sub(r"\{\{ source\('records', '(\w+)'\) \}\}", r"records.\1", (MARTS / f"{name}.sql").read_text())
    sql = sql.replace("{{ ref('loads') }}", "mart_loads")
    with duckdb.connect(visits.project.warehouse.path) as connection:
        connection.execute(f"create table mart_{name} as {sql}")
        times = "arrived_at, loaded_at" if name == "loads" else "arrived_at"
        rows = connection.execute(f"select * exclude (load_id, {times}) from mart_{name}").fetchall()
    return "\n".join(map(str, rows))


def test_the_marts_tell_no_personal_value_and_quote_no_row(arriving: Callable[..., Any]) -> None:
    visits = arriving({**COLUMNS, "visits": {"type": "bigint"}}, file=CSV, refuse_above=0.5)
    lines = [f"{number},Secret{number % 3},1980-01-01,4711,Salem,{number}" for number in range(9)]
    unfit = ["7,Secret,1980-33-01,4711,Salem,1", "8,Secret,1980-01-01,4711,Salem,a: dozen", "9,Secret,1980"]
    visits.arrive("a.csv", "\n".join(["id,name,born,wage,town,visits", *lines, *unfit]) + "\n")
    refused = visits.arrive("b.csv", "\n".join(["id,name,born,wage,town", *lines]) + "\n")
    assert isinstance(refused, QuarantinedFile)
    loads, refusals, checks = (mart(visits, name) for name in ("loads", "refusals", "load_checks"))
    found = "\n".join([loads, refusals, checks])
    assert not [secret for secret in (*SECRETS, "dozen") if secret in found], found
    assert "quarantined" in loads
    assert sorted(refusals.split("\n")) == [
        "('shop', 'visits', 'born is not date', 1)",
        "('shop', 'visits', 'cannot be split into columns', 1)",
        "('shop', 'visits', 'visits is not bigint', 1)",
    ]


def test_what_nobody_declared_is_taken_for_personal_beside_personal_columns(arriving: Callable[..., Any]) -> None:
    columns = {"id": {"type": "bigint"}, "seasons": {"type": "map(varchar, varchar)", "gather": "S[0-9]+"}}
    content = "id,email,S2012\n1,a@example.org,X\none,b@example.org,D\n"
    visits = arriving(columns, file=CSV, refuse_above=0.5)
    load = visits.arrive("a.csv", content)
    assert "b@example.org" in visits.register.refused_rows(load.load_id, 1)[0]["content"]
    visits.change({**columns, "name": {"tags": PERSONAL, "optional": True}}, file=CSV, refuse_above=0.5)
    load = visits.load().in_force[-1]
    assert visits.register.refused_rows(load.load_id, 1)[0]["content"] == '{"id":"one","email":"•••","S2012":"D"}'


def test_a_file_without_its_header_does_not_give_its_first_row_away(arriving: Callable[..., Any]) -> None:
    visits = arriving(COLUMNS, file=CSV)
    with pytest.raises(
        LoadError, match=r"'name' is missing.*Unexpected columns: all 5, which are not shown"
    ) as refusal:
        visits.arrive("a.csv", rows(3).split("\n", 1)[1])
    assert "Secret" not in str(refusal.value)


def test_the_words_of_duckdb_are_left_out_where_they_may_quote_a_value(arriving: Callable[..., Any]) -> None:
    visits = arriving(COLUMNS, file=CSV)
    with duckdb.connect() as connection, pytest.raises(duckdb.ConversionException) as error:
        connection.execute("select cast('Secret' as bigint)")
    refusal = str(unreadable(visits.table, visits.landed("a.csv"), error.value))
    assert "ConversionException, whose words may quote personal values" in refusal
    assert "Secret" not in refusal


def test_a_first_load_does_not_tell_a_value_that_is_no_text(arriving: Callable[..., Any], tmp_path: Path) -> None:
    visits = arriving({"id": {"type": "bigint"}, "name": {"tags": PERSONAL}, "town": {}})
    broken = b"Secret\xff\xfe"
    name = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(pack("<3i", 0, 9, 17)), pa.py_buffer(b"Secret ok" + broken)]
    )
    pq.write_table(pa.table({"id": [1, 2], "name": name, "town": ["Salem", "Salem"]}), tmp_path / "a.parquet")
    with pytest.raises(LoadError, match="whose words may quote personal values") as refusal:
        visits.arrive("a.parquet", (tmp_path / "a.parquet").read_bytes())
    assert "Secret" not in str(refusal.value)
    (waiting,) = visits.register.quarantined()
    assert (waiting.failed_check, "Secret" in waiting.problem) == ("contract", False)


def test_values_that_a_changed_contract_does_not_take_are_not_told(arriving: Callable[..., Any]) -> None:
    visits = arriving({"name": {"tags": PERSONAL}}, file=CSV)
    visits.arrive("a.csv", "name\nSecret\n")
    visits.landed("a.csv").unlink()
    visits.change({"name": {"type": "bigint", "tags": PERSONAL}}, file=CSV)
    with pytest.raises(LoadError, match="which 1 values of the loads in force are not") as refusal:
        visits.load()
    assert "Secret" not in str(refusal.value)


def test_a_tag_changes_the_terms_and_not_how_a_file_is_read() -> None:
    (tagged,) = source_tables(manifest_of({"name": {"tags": PERSONAL}}))
    (untagged,) = source_tables(manifest_of({"name": {}}))
    assert tagged.columns[0] == replace(untagged.columns[0], is_personal=True)
    assert (tagged.layout == untagged.layout, tagged.terms == untagged.terms) == (True, False)
