"""The contract is the dbt source's YAML, and a mistake in it is told with file, table, key and remedy."""

from __future__ import annotations

from typing import Any

import pytest
from tables import manifest_of

from turnout.errors import LoadError
from turnout.loading.contract import source_tables


def test_all_that_files_are_checked_against_stands_in_the_source(manifest: dict[str, Any]) -> None:
    tables = {table.label: table for table in source_tables(manifest)}
    assert len([table for table in tables.values() if table.source == "complete_journey"]) == 8
    transactions = tables["complete_journey.transactions"]
    assert transactions.keys.mode == "snapshot"
    assert transactions.keys.key == ("household_id", "basket_id", "product_id")
    assert transactions.event_time == "transaction_timestamp"
    assert {column.name for column in transactions.columns if not column.keys.compare} == {"week"}
    assert not {column.name for column in transactions.columns} & {"_load_id", "_loaded_at"}
    voters = tables["north_carolina.ncvoter"]
    assert {"last_name", "res_street_address", "full_phone_number"} < {
        column.name for column in voters.columns if column.is_personal
    }


def test_a_column_of_the_key_or_with_a_not_null_test_may_not_be_null() -> None:
    (table,) = source_tables(manifest_of({"id": {}, "shop": {"not_null": True}, "remark": {}}, key=["id"]))
    assert [column.name for column in table.columns if column.is_required] == ["id", "shop"]


def test_a_description_is_not_part_of_the_contract_and_a_limit_is_not_part_of_how_a_file_is_read() -> None:
    manifest = manifest_of({"id": {}})
    (table,) = source_tables(manifest)
    manifest["sources"]["source.turnout.shop.visits"]["description"] = "Otherwise."
    (described,) = source_tables(manifest)
    (limited,) = source_tables(manifest_of({"id": {}}, refuse_above=0.2))
    assert described.terms == table.terms
    assert (limited.terms == table.terms, limited.layout == table.layout) == (False, True)


def test_two_tables_may_not_stand_in_the_same_place() -> None:
    manifest = manifest_of({"id": {}})
    node = manifest["sources"]["source.turnout.shop.visits"]
    manifest["sources"]["source.turnout.web.visits"] = {
        **node, "source_name": "web", "unique_id": "source.turnout.web.visits", "identifier": "Visits",
    }  # fmt: skip
    with pytest.raises(
        LoadError, match=r"shop.visits and web.visits are both 'Visits' in the warehouse.*\n.*table 'vis"
    ):
        source_tables(manifest)


@pytest.mark.parametrize(
    ("columns", "keys", "words"),
    [
        ({"id": {}}, {"mod": "append"}, ["no key 'mod'", "Did you mean 'mode'?", "config.meta.load.mod"]),
        ({"id": {}}, {"mode": "add"}, ["'add' cannot stand here", "'snapshot' or 'append'"]),
        ({"id": {}}, {"file": {"delimeter": ";"}}, ["no key 'delimeter'", "Did you mean 'delimiter'?"]),
        ({"id": {}}, {"file": {"encoding": "latin-99"}}, ["'latin-99'", "encoding"]),
        ({"id": {}}, {"key": ["ids"]}, ["'key' names the column 'ids'", "Did you mean 'id'?"]),
        ({"id": {}}, {"refuse_above": 20}, ["20 cannot stand here", "less than or equal to 1"]),
        ({"id": {"allways": "x"}}, {}, ["no key 'allways'", "column 'id'", "Did you mean 'always'?"]),
        ({"id": {"limits": {"drifts": 0.1}}}, {}, ["no key 'drifts'", "Did you mean 'drift'?"]),
        ({"id": {}, "m": {"gather": "("}}, {}, ["'(' cannot stand here", "it is not a regular expression"]),
        ({"id": {}, "m": {"gather": "x"}}, {}, ["'m' gathers others", "data_type is varchar", "map(varchar, varchar)"]),
        (
            {"id": {}, "m": {"gather": "x", "type": "MAP(varchar,varchar)"}},
            {"file": {"format": "csv", "header": False}},
            ["'m' gathers others by their names, but the file has no header"],
        ),
        ({"id": {}}, {"part": "[A-Z]+.txt"}, ["'[A-Z]+.txt' cannot stand here", "it has no group"]),
        ({"id": {}}, {"part": "([A-Z]+"}, ["'([A-Z]+' cannot stand here", "it is not a regular expression"]),
        ({"id": {}}, {"part": "(.*)", "mode": "append"}, ["'part' stands beside 'mode: append'"]),
        ({"id": {"type": None}}, {}, ["the column 'id' has no data_type"]),
        ({"id": {"optional": True}}, {"key": ["id"]}, ["'id' is optional, but may not be null"]),
    ],
)
def test_a_mistake_is_told_in_words(columns: dict[str, Any], keys: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(LoadError) as told:
        source_tables(manifest_of(columns, **keys))
    for word in (*words, "models/staging/shop/_shop__sources.yml, table 'visits'", "rule:", "remedy:"):
        assert word in str(told.value)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ({"encoding": "rot13"}, "no text is encoded so"),
        ({"encoding": "base64"}, "no text is encoded so"),
        ({"encoding": "idna"}, "no text is encoded so"),
        ({"encoding": "undefined"}, "no text is encoded so"),
        ({"encoding": "unicode_escape"}, "no text is encoded so"),
        ({"null_values": ["\x85"]}, "it holds the control character U+0085; in YAML's double quotes a backslash"),
        ({"quote": "\n"}, "it holds the control character U+000A"),
        ({"quote": "«"}, "it is no character of ASCII"),
        ({"delimiter": "\n"}, "it holds the control character U+000A"),
        ({"delimiter": ""}, "it is not one to four bytes long, nor 'blanks'"),
        ({"delimiter": "€€"}, "it is not one to four bytes long"),
        ({"delimiter": '"'}, "the quote '\"' is part of the delimiter"),
        ({"sheet": "Orders"}, "'sheet' is declared, but the format is csv"),
        ({"format": "fixed_width"}, "the column 'id' has no 'width'"),
    ],
)
def test_a_layout_that_no_file_can_have_is_told_in_words(file: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadError) as told:
        source_tables(manifest_of({"id": {}}, file={"format": "csv", **file}))
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"id": {"width": 3}}, "the column 'id' has a width, but the format is csv"),
        ({"id": {}, "_load_id": {}}, "the column '_load_id' has a name that the loader needs"),
        ({"id": {}, "_Turnout_Place": {}}, "the column '_Turnout_Place' has a name that the loader needs"),
    ],
)
def test_a_column_that_cannot_be_is_told_in_words(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadError) as told:
        source_tables(manifest_of(columns, file={"format": "csv"}))
    assert words in str(told.value)


def test_keys_that_came_later_change_no_terms_where_they_are_not_used() -> None:
    (table,) = source_tables(manifest_of({"id": {}}, file={"format": "csv"}))
    assert not {"width", "sheet"} & set(table.terms.replace('"', " ").split())
    narrow, wide = (
        source_tables(manifest_of({"id": {"width": width}}, file={"format": "fixed_width"}))[0] for width in (3, 4)
    )
    assert narrow.layout != wide.layout
