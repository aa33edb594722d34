"""The conventions of the dbt project, asserted on its manifest: what a reviewer would otherwise have to watch for.

Whether the SQL is right is for dbt's own data tests and unit tests to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from orchestration.command_line.sources import sources
from orchestration.project import this_project

PROJECT = Path(__file__).parents[2] / "dbt_project"
MAX_LINE = 120

Node = dict[str, Any]

# What a layer may read. Sources count as the layer that is named after who fills them: landing or ml.
READS = {
    "staging": {"landing"},
    "intermediate": {"staging", "intermediate"},
    "features": {"staging", "intermediate"},
    "predictions": {"intermediate", "features"},
    "marts": {"staging", "intermediate", "features", "predictions", "marts", "ml"},
}

# What DuckDB and Spark read differently, or only one of them reads; the marts stay in DuckDB and are free.
NOT_THE_SAME_ON_SPARK = {
    "exclude": r"\bexclude\s*\(",
    "asof join": r"\basof\b",
    "qualify": r"\bqualify\b",
    "a cast with ::": r"::",
    "group by all": r"\bgroup\s+by\s+all\b",
    "extract(dow …)": r"\bdow\b",
    "substr, which counts differently": r"\bsubstr(ing)?\s*\(",
    "date_diff, instead of dbt.datediff": r"\bdate_?diff\s*\(\s*'",
    "date_trunc, instead of dbt.date_trunc": r"\bdate_trunc\s*\(\s*'",
    "a list or a struct": r"\[[^\]]*\]|\{\s*'",
    "varchar without a length, instead of dbt.type_string": r"\bvarchar\b",
    "a mode, which breaks ties as it likes": r"\bmode\s*\(",
}


def models(manifest: Node) -> Iterator[Node]:
    """Yield the models by name."""
    nodes = (node for node in manifest["nodes"].values() if node["resource_type"] == "model")
    yield from sorted(nodes, key=lambda node: node["name"])


def layer(node: Node) -> str:
    """Return the folder below models/ for a model, the loader for a source."""
    return node["loader"] if node["resource_type"] == "source" else node["fqn"][1]


def checks_of(manifest: Node, node: Node) -> list[Node]:
    """Return the generic tests that stand at a node."""
    tests = (test for test in manifest["nodes"].values() if "test_metadata" in test)
    if node["resource_type"] != "source":
        return [test for test in tests if test["attached_node"] == node["unique_id"]]
    # dbt attaches a test to a model only; that it stands at a source shows in what it renders to.
    rendered = f"source('{node['source_name']}', '{node['name']}')"
    return [test for test in tests if rendered in test["test_metadata"]["kwargs"]["model"]]


def key_of(manifest: Node, node: Node) -> list[str]:
    """Return the columns that a test or the warehouse keeps unique; the narrowest, if there are several."""
    held = [re.fullmatch(r"primary key \((.*)\)", said) for said in node["config"]["meta"].get("constraints", [])]
    keys = [re.findall(r"\w+", key[1]) for key in held if key]
    for test in checks_of(manifest, node):
        metadata = test["test_metadata"]
        if metadata["name"] == "unique":
            keys.append([test["column_name"]])
        if metadata["name"] == "unique_combination":
            keys.append(metadata["kwargs"]["columns"])
    return min(keys, key=len, default=[])


def never_null(manifest: Node, node: Node) -> set[str]:
    """Return the columns that a test or an enforced constraint keeps from being null."""
    tested = {test["column_name"] for test in checks_of(manifest, node) if test["test_metadata"]["name"] == "not_null"}
    constrained = {
        name
        for name, column in node["columns"].items()
        if any(constraint["type"] == "not_null" for constraint in column.get("constraints", []))
    }
    return tested | constrained


def sql_we_wrote(code: str) -> str:
    """Return SQL without comments and jinja; what is said in quotes to a macro that renders SQL is SQL as well."""
    without_comments = re.sub(r"\{#.*?#\}|\{%.*?%\}|--[^\n]*", "", code, flags=re.DOTALL)
    return re.sub(r"\{\{.*?\}\}", _in_quotes, without_comments, flags=re.DOTALL).lower()


def _in_quotes(jinja: re.Match[str]) -> str:
    return " ".join(single or double for single, double in re.findall(r"'([^']*)'|\"([^\"]*)\"", jinja[0]))


def macros_for_models(manifest: Node) -> Iterator[Node]:
    """Yield the macros of this project but for generic tests and what only prepares a run, which speak to DuckDB."""
    project = f"macro.{manifest['metadata']['project_name']}."
    left = [
        name
        for node in manifest["nodes"].values()
        if node["resource_type"] == "operation"
        for name in node["depends_on"]["macros"]
    ]
    prepares: set[str] = set()
    while left:
        name = left.pop()
        if name not in prepares and name.startswith(project):
            prepares.add(name)
            left += manifest["macros"][name]["depends_on"]["macros"]
    for name, macro in manifest["macros"].items():
        if name.startswith(project) and name not in prepares and not macro["name"].startswith("test_"):
            yield macro


def test_every_model_has_a_yml_of_its_name_beside_it(manifest: Node) -> None:
    for model in models(manifest):
        sql = Path(model["original_file_path"])
        assert model["patch_path"], f"{sql} has no YAML"
        assert model["patch_path"].split("://")[1] == str(sql.with_suffix(".yml"))


def test_every_description_ends_with_the_grain(manifest: Node) -> None:
    tables = [*models(manifest), *manifest["sources"].values()]
    without = [table["name"] for table in tables if not re.search(r"One row per [^.]+\.", table["description"].strip())]
    assert not without, "these descriptions have no sentence 'One row per …'"
    late = [model["name"] for model in models(manifest) if not _ends_with_grain(model["description"])]
    assert not late, "these descriptions do not end with the grain"


def _ends_with_grain(description: str) -> bool:
    return re.search(r"One row per [^.]+\.$", " ".join(description.split())) is not None


def test_every_column_is_described_and_every_source_column_typed(manifest: Node) -> None:
    for table in [*models(manifest), *manifest["sources"].values()]:
        assert table["columns"], f"{table['name']} has no columns in its YAML"
        bare = [name for name, column in table["columns"].items() if not column["description"].strip()]
        assert not bare, f"{table['name']}: columns without a description"
    for source in manifest["sources"].values():
        assert source["loader"] in {"landing", "ml"}, f"{source['name']}: who fills it?"
        untyped = [name for name, column in source["columns"].items() if not column["data_type"]]
        assert not untyped, f"{source['name']}: columns without data_type"


def test_every_model_has_a_tested_key(manifest: Node) -> None:
    for model in models(manifest):
        key = key_of(manifest, model)
        assert key, f"{model['name']} has no test that its rows are unique"
        assert set(key) <= never_null(manifest, model), f"{model['name']}: part of the key may be null"


def test_tests_of_several_tables_name_the_asset_that_they_block(manifest: Node) -> None:
    """Dagster would silently leave them out: it only knows by itself where a test of one table belongs."""
    for test in manifest["nodes"].values():
        if test["resource_type"] != "test" or test.get("attached_node") or len(test["depends_on"]["nodes"]) == 1:
            continue
        blocked = test["config"]["meta"].get("dagster", {}).get("ref", {}).get("name")
        assert f"model.{test['package_name']}.{blocked}" in manifest["nodes"], test["name"]


def test_every_table_that_python_writes_has_a_tested_key_and_an_asset(manifest: Node) -> None:
    for source in manifest["sources"].values():
        if source["loader"] == "ml":
            assert key_of(manifest, source), f"{source['name']} has no test that its rows are unique"
            asset_key = source["config"]["meta"]["dagster"]["asset_key"]
            assert asset_key == [source["schema"], source["identifier"]]


def test_sources_of_what_python_writes_are_as_they_would_be_written_now() -> None:
    for file, text in sources(this_project()).items():
        assert file.read_text() == text, f"{file.name} is out of date: make sources"


def test_layers_read_in_one_direction(manifest: Node) -> None:
    tables = {**manifest["nodes"], **manifest["sources"]}
    for model in models(manifest):
        assert layer(model) in READS, f"{model['original_file_path']} is in no layer"
        read = {layer(tables[parent]) for parent in model["depends_on"]["nodes"]}
        assert read <= READS[layer(model)], f"{model['name']} ({layer(model)}) reads {sorted(read)}"


def test_a_layer_is_a_schema_and_a_group(manifest: Node) -> None:
    for model in models(manifest):
        assert model["config"]["schema"] == layer(model), model["name"]
        assert model["config"]["meta"]["dagster"]["group"] == layer(model), model["name"]


def test_marts_have_enforced_contracts_and_keys_that_cannot_be_null(manifest: Node) -> None:
    for mart in models(manifest):
        if layer(mart) != "marts":
            continue
        assert mart["config"]["contract"]["enforced"], mart["name"]
        assert set(key_of(manifest, mart)) <= never_null(manifest, mart), mart["name"]


def test_no_model_that_is_filtered_by_sample_mode_is_a_table_of_as_of_dates(manifest: Node) -> None:
    """The leakage audit cuts sources at D; cutting a model of ours at D as well would hide the examples of D.

    A staging model may be cut where its source has no column that tells when something happened, and it has one.
    """
    cut = [model for model in models(manifest) if model["config"].get("event_time")]
    for model in cut:
        assert layer(model) == "staging", model["name"]
        assert model["config"]["event_time"] in model["columns"], model["name"]
        sources = [manifest["sources"][parent] for parent in model["depends_on"]["nodes"]]
        assert not any(source["config"].get("event_time") for source in sources), f"{model['name']} is cut already"


def test_horizons_in_sql_are_those_declared(manifest: Node) -> None:
    """A horizon that the SQL looks past would put labels into the gap between training and holdout.

    `horizon_days()` is the declared one; what is written by hand, in SQL or for a unit test, must be the same.
    """
    declared = {
        model["name"]: model["config"]["meta"]["prediction"]["horizon_days"]
        for model in models(manifest)
        if "prediction" in model["config"]["meta"]
    }
    assert declared
    for model in models(manifest):
        if model["name"] in declared:
            written = set(re.findall(r"interval '(\d+)' day", sql_we_wrote(model["raw_code"])))
            horizon = declared[model["name"]]
            assert written <= {str(horizon)}, f"{model['name']} declares {horizon} days and looks ahead {written}"
    for test in manifest["unit_tests"].values():
        given = ((test["overrides"] or {}).get("macros") or {}).get("turnout.horizon_days")
        assert given in {None, declared.get(test["model"])}, f"{test['name']} looks {given} days ahead"


def test_windows_are_within_what_the_join_looks_at(manifest: Node) -> None:
    """A window of more days than `events_before(…, days=…)` joins would be cut short without a word."""
    for model in models(manifest):
        for select, days in re.findall(
            r"\bselect\b((?:(?!\bselect\b).)*?)\bfrom \{\{ events_before\(([^{}]*)\) \}\}", model["raw_code"], re.DOTALL
        ):
            joined = re.search(r"\bdays=(\d+)", days)
            longest = max(map(int, re.findall(r"\bdays=(\d+)", select)), default=0)
            assert not joined or longest <= int(joined[1]), f"{model['name']} joins {joined[1]} days, needs {longest}"


def test_nothing_takes_the_time_of_the_next_row_from_a_history(manifest: Node) -> None:
    """`latest_before` needs it to find the last row before the as-of date; it lies after that date."""
    for model in models(manifest):
        if "latest_before(" in model["raw_code"]:
            taken = re.search(r"\bnext_at\b|\bhistory\.\*|\*\s+from \{\{ latest_before", model["raw_code"])
            assert not taken, f"{model['name']} takes {taken}"


def test_every_prediction_and_its_features_have_unit_tests(manifest: Node) -> None:
    tested = {unit_test["model"] for unit_test in manifest["unit_tests"].values()}
    wanted = {
        model["name"]
        for model in models(manifest)
        if layer(model) in {"features", "predictions"} or model["name"].endswith("_windowed")
    }
    assert wanted <= tested, f"without unit tests: {sorted(wanted - tested)}"


def test_sql_before_the_marts_is_read_by_spark_as_well(manifest: Node) -> None:
    code = {model["original_file_path"]: model["raw_code"] for model in models(manifest) if layer(model) != "marts"}
    code |= {macro["name"]: macro["macro_sql"] for macro in macros_for_models(manifest)}
    assert "in_window" in code
    for place, sql in code.items():
        found = [words for words, pattern in NOT_THE_SAME_ON_SPARK.items() if re.search(pattern, sql_we_wrote(sql))]
        assert not found, f"{place} uses {found}"


def test_lines_fit_the_screen() -> None:
    files = [
        file for folder in ("models", "macros", "tests") for file in (PROJECT / folder).rglob("*") if file.is_file()
    ]
    long = [
        f"{file.relative_to(PROJECT)}:{number}"
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if len(line) > MAX_LINE
    ]
    assert not long, long


def test_documented_columns_are_exactly_the_columns_of_the_tables(manifest: Node, warehouse: Path) -> None:
    built = _columns(warehouse)
    for table in [*models(manifest), *manifest["sources"].values()]:
        name = table.get("alias") or table["identifier"]
        assert set(table["columns"]) == set(built[table["schema"], name]), f"{table['schema']}.{name}"


def test_examples_are_numbers_words_and_truths(manifest: Node, warehouse: Path) -> None:
    """Python's preprocessing knows doubles, integers, booleans and varchar; a decimal would arrive as an object."""
    built = _columns(warehouse)
    for model in models(manifest):
        if layer(model) in {"features", "predictions"}:
            types = built[model["schema"], model["alias"]]
            types.pop("as_of_date")
            assert set(types.values()) <= {"DOUBLE", "INTEGER", "BIGINT", "BOOLEAN", "VARCHAR"}, model["name"]


def _columns(warehouse: Path) -> dict[tuple[str, str], dict[str, str]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select table_schema, table_name, column_name, data_type from information_schema.columns"
        ).fetchall()
    columns: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, data_type in rows:
        columns.setdefault((schema, table), {})[column] = data_type
    return columns
