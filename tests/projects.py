"""Copies of this project, run for real, and what a person does with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path
from typing import Any

from samples.complete_journey import PACKAGE
from turnout import prefork
from turnout.project.paths import Project

ROOT = Path(__file__).resolve().parent.parent

# What a run imports of others. A process of its own would take longer for it than for its work.
IMPORTED = (
    *prefork.DBT_IMPORTS,
    "dagster",
    "dagster_dbt",
    "alembic.command",
    "lightgbm",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "optuna",
    "scipy.stats",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "skops.io",
    "xgboost",
)


@dataclass(frozen=True)
class Finished:
    """A finished run of a project's command line, as a person would see it."""

    project: Project
    exit_code: int
    output: str


def run(project: Project, *arguments: str) -> Finished:
    """Run `python -m orchestration` in a project, or `dg`, as docs/trouble.md says, if the arguments begin with it."""
    if arguments[:1] == ("dg",):
        return executed(project, [str(Path(sys.executable).with_name("dg")), *arguments[1:]], project.root)
    return call(project, "orchestration.command_line.main:main", *(arguments or ("run",)))


def call(project: Project, function: str, *arguments: str) -> Finished:
    """Call `module:function` of a project in a process of its own, as its command would."""
    prefork.start(*IMPORTED)
    return executed(project, prefork.command(function, *arguments), project.root)


def dbt(project: Project, *commands: list[str]) -> list[Finished]:
    """Run dbt commands, one after the other."""
    prefork.start(*IMPORTED)
    return [
        executed(project, prefork.command(prefork.DBT, "--no-use-colors", *command), project.dbt)
        for command in commands
    ]


def executed(project: Project, command: list[str], folder: Path) -> Finished:
    """Run a command in a folder of a project."""
    finished = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "DAGSTER_HOME": str(project.dagster_home), "PYTHONPATH": str(project.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    return Finished(project, finished.returncode, finished.stdout)


def land_orders(
    project: Project, sql: str = "select * from orders", name: str = "orders.parquet", *, table: str = "orders"
) -> Path:
    """Put a file of orders into landing; `sql` may change what is in it.

    Forty weeks of 120 customers. A third of them buys every week, a third every other week at random, a third
    less and less, so that there is something to learn.
    """
    import duckdb

    file = project.landing / "shop" / table / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(
            """create table orders as
            select
                (week * 1000 + customer)::bigint as order_id,
                customer::bigint as customer_id,
                timestamp '2024-01-01 10:00:00' + to_days((week * 7)::integer) as ordered_at,
                (10 + customer % 7 + week % 3)::double as amount
            from range(120) as customers(customer)
            cross join range(40) as weeks(week)
            where hash(customer * 7919 + week) % 100
                < case customer % 3 when 0 then 95 when 1 then 50 else 60 - week end"""
        )
        connection.execute(f"copy ({sql}) to '{file}' (format parquet)")
    return file


def whole(table: str) -> str:
    """Return SQL for a table of the real data, as the package brings it; there the tests count for themselves."""
    (found,) = (file for file in files(PACKAGE) or [] if file.name == f"{table}.parquet")
    return f"from '{found.locate()}'"


# The real data, but of every fifth household id, and with next to none of 20.9 million promotions, which no prediction
# reads. Fewer do not tell a good champion from chance.
CUT = {
    **{
        table: f"{whole(table)} where household_id % 5 = 0"
        for table in ("campaigns", "coupon_redemptions", "demographics", "transactions")
    },
    "promotions": f"{whole('promotions')} where store_id = 289 and week = 1 order by all limit 500",
}
# How many households that are.
HOUSEHOLDS_SQL = f"select count(distinct household_id) from ({CUT['transactions']})"


def land_cut(project: Project) -> None:
    """Put the real data of some households into landing; the sample adds the tables that name none."""
    import duckdb

    for table, sql in CUT.items():
        folder = project.landing / "complete_journey" / table
        folder.mkdir(parents=True)
        duckdb.sql(f"copy ({sql}) to '{folder}/cut.parquet' (format parquet)")


def records(project: Project, sql: str) -> list[dict[str, Any]]:
    """Query a project's warehouse."""
    import duckdb

    with duckdb.connect(project.warehouse.path, read_only=True) as connection:
        return connection.sql(sql).to_arrow_table().to_pylist()


def change(project: Project, sql: str) -> None:
    """Change a project's warehouse."""
    import duckdb

    with duckdb.connect(project.warehouse.path) as connection:
        connection.execute(sql)


def published(project: Project, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Query a project's publication, read-only, as BI does."""
    import duckdb

    with duckdb.connect(project.published, read_only=True) as connection:
        return connection.execute(sql, parameters).fetchall()


def published_marts(project: Project) -> dict[str, list[tuple[Any, ...]]]:
    """Every published row, by table, but for what a publication tells of its freshness, which may change."""
    tables = published(project, "select table_name from duckdb_tables() where table_name not like '%freshness'")
    return {table: published(project, f"from {table} order by all") for (table,) in tables if table != "checks"}


def edit(file: Path, old: str, new: str) -> None:
    """Replace the one occurrence of a text in a file."""
    text = file.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
    file.write_text(text.replace(old, new))


def small_manifest(declaration: Any, columns: tuple[str, ...] = ("entity", "day", "outcome", "group", "x")) -> Any:
    """A manifest of one declared model, with the fields that dbt 1.11 writes and we read."""
    node = {
        "resource_type": "model",
        "name": "will_return",
        "unique_id": "model.turnout.will_return",
        "schema": "predictions",
        "alias": "will_return",
        "description": "One row per entity and day.",
        "patch_path": "turnout://models/predictions/will_return.yml",
        "original_file_path": "models/predictions/will_return.sql",
        "columns": {name: {"name": name} for name in columns},
        "config": {"meta": {"prediction": declaration}},
    }
    return json.loads(json.dumps({"nodes": {node["unique_id"]: node}}))
