"""Records are found in another table if they are there, and only one that is clearly the best is taken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from people import heard, people

from turnout.engines.duckdb import DuckDB
from turnout.errors import DeclarationError, LinkError, TurnoutError
from turnout.linking import linkage
from turnout.linking.declaration import Link, links_in
from turnout.linking.linkage import Linkage, link

DECLARED: dict[str, Any] = {
    "to": "people",
    "key": "record_id",
    "to_key": "person_id",
    "table": "records",
    "compare": {"first_name": "name", "last_name": "name", "birth_year": "year", "postcode": "code"},
    "block": [
        ["state", "postcode", "birth_year"],
        ["state", "last_name", "birth_year"],
        ["state", "postcode", "last_name"],
    ],
    "where": "status = 'active'",
}
COLUMNS = ("state", "first_name", "last_name", "birth_year", "postcode")
COUNT = 2_000


def manifest(declared: Any) -> Any:
    """A manifest of two models, of which the first declares a link."""
    nodes = {}
    for name, columns in (("records", ("record_id", *COLUMNS)), ("people", ("person_id", *COLUMNS, "status"))):
        nodes[f"model.turnout.{name}"] = {
            "resource_type": "model",
            "name": name,
            "unique_id": f"model.turnout.{name}",
            "schema": "intermediate",
            "alias": name,
            "patch_path": f"turnout://models/intermediate/{name}.yml",
            "original_file_path": f"models/intermediate/{name}.sql",
            "columns": {column: {"name": column} for column in columns},
            "config": {"meta": {"link": declared} if name == "records" else {}},
        }
    return json.loads(json.dumps({"nodes": nodes}))


(LINK,) = links_in(manifest(DECLARED))


class World:
    """A warehouse with what was heard, and the people among whom they are sought."""

    def __init__(self, folder: Path, records: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
        self.warehouse = DuckDB(folder / "warehouse" / "turnout.duckdb")
        text = ("state", "first_name", "last_name", "postcode")
        fields = [(name, pa.string() if name in text else pa.int32()) for name in COLUMNS]
        tables = {
            "records": pa.Table.from_pylist(records, pa.schema([("record_id", pa.string()), *fields])),
            "people": pa.Table.from_pylist(
                others, pa.schema([("person_id", pa.string()), *fields, ("status", pa.string())])
            ),
        }
        with self.warehouse.session() as session:
            for name, content in tables.items():
                session.replace("intermediate", name, content)

    def change(self, sql: str) -> None:
        with duckdb.connect(self.warehouse.path) as connection:
            connection.execute(sql)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with duckdb.connect(self.warehouse.path) as connection:
            return connection.sql(sql).to_arrow_table().to_pylist()

    def link(self, declared: Link = LINK) -> tuple[Linkage, dict[str, dict[str, Any]]]:
        """Link, and return what came of it, and the rows by record."""
        found = link(self.warehouse, declared)
        rows = self.rows("select * exclude (linked_at) from links.records")
        assert len(rows) == len({row["record_id"] for row in rows}) == found.found
        return found, {row["record_id"]: row for row in rows}


class Country(World):
    """Two thousand heard of eight thousand people, one in four of whom are not in the table; and a few odd cases."""

    def __init__(self, folder: Path, shuffled: int | None = None) -> None:
        everybody = people(8_000)
        sought = Random(3).sample(everybody, COUNT)
        records, self.truth = heard(sought, there=0.75)
        missing = {
            person.person_id
            for person, record in zip(sought, records, strict=True)
            if record["record_id"] not in self.truth
        }
        others = [{**vars(person), "status": "active"} for person in everybody if person.person_id not in missing]
        # Some stand in the table twice, with an older row that the condition leaves out.
        others += [{**one, "person_id": f"{one['person_id']}-old", "status": "removed"} for one in others[::10]]
        # Two who cannot be told apart, one who was heard twice, one of whom only the state is known.
        double = {"state": "N", "first_name": "Quenna", "last_name": "Zweifel", "birth_year": 1950, "postcode": "20001"}
        single = {"state": "N", "first_name": "Xaver", "last_name": "Yarrow", "birth_year": 1960, "postcode": "20002"}
        nothing = {**dict.fromkeys(COLUMNS), "first_name": " ", "state": "N"}
        others += [{"person_id": f"N-double-{number}", "status": "active", **double} for number in (1, 2)]
        others += [{"person_id": "N-single", "status": "active", **single}]
        records += [
            {"record_id": "double", **double},
            {"record_id": "single", **single},
            {"record_id": "single-again", **single, "first_name": "xavér", "postcode": None},
            {"record_id": "nothing", **nothing},
        ]
        if shuffled is not None:
            Random(shuffled).shuffle(records)
            Random(shuffled).shuffle(others)
        super().__init__(folder, records, others)


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Country:
    return Country(tmp_path_factory.mktemp("country"))


@pytest.fixture(scope="module")
def outcome(country: Country) -> tuple[Linkage, dict[str, dict[str, Any]]]:
    return country.link()


@pytest.fixture
def village(tmp_path: Path) -> World:
    """A few, quickly linked."""
    everybody = people(150)
    records, _ = heard(everybody[:30], there=1)
    return World(tmp_path, records, [{**vars(person), "status": "active"} for person in everybody])


def test_who_is_there_is_found_and_hardly_anybody_else(country: Country, outcome: Any) -> None:
    _, rows = outcome
    found = {record: row["person_id"] for record, row in rows.items() if record.startswith("r-")}
    right = sum(country.truth.get(record) == person for record, person in found.items())
    assert right / len(found) >= 0.97
    assert right / len(country.truth) >= 0.85


def test_a_probability_means_what_it_says(country: Country, outcome: Any) -> None:
    """Relatives share a name and a postcode; that alone must not look like certainty."""
    _, rows = outcome
    sure = [record for record, row in rows.items() if row["match_probability"] >= 0.99 and record in country.truth]
    assert sum(rows[record]["person_id"] == country.truth[record] for record in sure) / len(sure) >= 0.99
    assert outcome[0].share_there == pytest.approx(0.75, abs=0.03)
    for row in rows.values():
        assert row["match_probability"] + row["runner_up_probability"] <= 1.000001


def test_of_two_who_are_equally_good_none_is_taken(outcome: Any) -> None:
    found, rows = outcome
    assert "double" not in rows
    assert found.undecided >= 1


def test_the_same_person_may_be_found_twice_and_a_blank_is_not_a_value(outcome: Any) -> None:
    _, rows = outcome
    assert rows["single"]["person_id"] == rows["single-again"]["person_id"] == "N-single"
    assert rows["single"]["match_probability"] > rows["single-again"]["match_probability"]
    assert "nothing" not in rows


def test_the_same_records_in_another_order_give_the_same_rows(outcome: Any, tmp_path: Path) -> None:
    again = Country(tmp_path, shuffled=4)
    assert again.link() == outcome
    assert [path.name for path in again.warehouse.path.parent.rglob("*") if path.is_file()] == ["turnout.duckdb"]


def test_what_was_learned_is_told_without_any_value(outcome: Any) -> None:
    found, rows = outcome
    assert (found.records, found.found) == (COUNT + 4, len(rows))
    assert sum(found.bands.values()) == found.records
    assert list(dict.fromkeys(one.column for one in found.weights)) == list(DECLARED["compare"])
    for column in DECLARED["compare"]:
        bits = [one.bits for one in found.weights if one.column == column]
        assert bits[0] == max(bits) > 0 > bits[-1]


def test_few_records_are_linked_by_what_is_usual_and_nothing_is_fetched_from_anywhere(
    village: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    found, rows = village.link()
    assert found.records == 30
    assert len(rows) >= 20


@pytest.mark.parametrize("emptied", ["records", "people"])
def test_where_there_is_nothing_the_table_is_empty(village: World, emptied: str) -> None:
    village.change(f"delete from intermediate.{emptied}")
    found, rows = village.link()
    assert (found.found, found.share_found, rows) == (0, 0.0, {})
    with village.warehouse.session() as session:
        assert session.columns_of("links", "records").names == [
            "record_id", "person_id", "match_probability", "runner_up_probability", "linked_at"
        ]  # fmt: skip


def test_what_was_found_before_stays_if_linking_fails(village: World) -> None:
    village.change("create schema links")
    village.change("create table links.records as select 'r-1' as record_id")
    with pytest.raises(LinkError):
        link(village.warehouse, replace(LINK, where="stauts = 'active'"))
    assert village.rows("from links.records") == [{"record_id": "r-1"}]


@pytest.mark.parametrize(
    ("change", "declared", "words"),
    [
        ("alter table intermediate.people drop birth_year", LINK, "'compare' names the column 'birth_year', which the"),
        ("alter table intermediate.records drop state", LINK, "'block' names the column 'state', which the table"),
        ("alter table intermediate.people rename person_id to persn_id", LINK, "Did you mean 'persn_id'?"),
        ("alter table intermediate.records alter birth_year type date using null", LINK, "is of type date32"),
        ("insert into intermediate.people from intermediate.people limit 2", LINK, "and 2 repeat one"),
        ("update intermediate.records set record_id = null", LINK, "30 rows of intermediate.records have no 'rec"),
        ("select 1", replace(LINK, where="stauts = 'active'"), 'Referenced column "stauts" not found'),
        ("select 1", replace(LINK, where="cast(last_name as integer) > 0"), "fails on some row, ConversionException"),
        ("drop table intermediate.people", LINK, "There is no table intermediate.people"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_tables_is_said_in_words(
    village: World, change: str, declared: Link, words: str
) -> None:
    village.change(change)
    with pytest.raises(TurnoutError) as caught:
        link(village.warehouse, declared)
    assert words in str(caught.value)
    assert caught.value.remedy


def test_a_block_that_is_too_wide_is_refused_before_anything_is_compared(
    village: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linkage, "MAX_PAIRS", 200)
    with pytest.raises(LinkError, match=r"because they share state\.") as caught:
        link(village.warehouse, replace(LINK, block=(("state",), *LINK.block)))
    assert "add a column to the list [state]" in caught.value.remedy


def test_a_declaration_becomes_a_link_with_its_defaults() -> None:
    (declared,) = links_in(manifest({key: value for key, value in DECLARED.items() if key != "where"}))
    assert (declared.model, declared.to, declared.where, declared.accept_above) == ("records", "people", None, 0.9)
    assert (declared.relation, declared.to_relation) == (("intermediate", "records"), ("intermediate", "people"))
    assert declared.columns["state"] == "exact"
    assert links_in(manifest_without()) == ()


def manifest_without() -> Any:
    found = manifest(DECLARED)
    for node in found["nodes"].values():
        node["config"]["meta"] = {}
    return found


def changed(**changes: Any) -> Any:
    return {name: value for name, value in {**DECLARED, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("declared", "key", "words"),
    [
        (changed(to=None), "to", "'to' is missing"),
        (changed(to="peple"), "to", "which is no other model. Did you mean 'people'?"),
        (changed(to="records"), "to", "which is no other model"),
        (changed(tabel="x"), "tabel", "no key 'tabel'. Did you mean 'table'?"),
        (changed(table="links.x"), "table", "which is no plain name"),
        (changed(key="recod_id"), "key", "does not document. Did you mean 'record_id'?"),
        (changed(to_key="record_id"), "to_key", "are both 'record_id'"),
        (changed(compare={}), "compare", "names 0 columns"),
        (changed(compare={"last_name": "nmae"}), "compare.last_name", "Did you mean 'name'?"),
        (changed(compare=["last_name"]), "compare", "a kind for each column"),
        (changed(compare={"last_nam": "name", "birth_year": "year"}), "compare", "Did you mean 'last_name'?"),
        (changed(compare={"status": "exact", "birth_year": "year"}), "compare", "model 'records' does not document"),
        (changed(compare={"state": "exact", "birth_year": "year"}), "compare", "stands in every list of 'block'"),
        (changed(block=[["postcode"]]), "block", "fewer than two lists"),
        (changed(block=[["postcode"], []]), "block", "names no column"),
        (changed(block=["postcode"]), "block", "write lists of columns"),
        (changed(block=[["postcode"], ["last_nam"]]), "block", "Did you mean 'last_name'?"),
        (changed(where=3), "where", "a condition in SQL"),
        (changed(accept_above=0.5), "accept_above", "above 0.5 and below 1"),
        (changed(accept_above="0.9"), "accept_above", "'0.9'"),
    ],
)  # fmt: skip
def test_a_mistake_names_file_model_key_and_remedy(declared: Any, key: str, words: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        links_in(manifest(declared))
    assert words in str(caught.value)
    assert f"models/intermediate/records.yml, model 'records', key 'config.meta.link.{key}'" == caught.value.where
    assert caught.value.remedy


@pytest.mark.parametrize("declared", [None, [], "people"])
def test_an_empty_declaration_says_what_it_needs(declared: object) -> None:
    with pytest.raises(DeclarationError, match="to, key, to_key, table, compare, block"):
        links_in(manifest(declared))


def test_two_links_do_not_write_the_same_table() -> None:
    both = manifest(DECLARED)
    both["nodes"]["model.turnout.people"]["config"]["meta"]["link"] = changed(
        to="records", key="person_id", to_key="record_id", where=None
    )
    with pytest.raises(DeclarationError, match="is written by the model 'people' already"):
        links_in(both)
