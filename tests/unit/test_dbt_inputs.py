"""The manifest is made anew when dbt would read something else, and is kept when it would not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from turnout.project.dbt_inputs import forget_dbt_options, state_of


def written(file: Path, text: str = "select 1") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.fixture
def dbt(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout" / "dbt_project"
    written(folder / "dbt_project.yml", "name: turnout\nmodel-paths: [models, ../shared/models]\n")
    written(folder / "models/customers.sql", "{{ config(meta={'h': env_var('SHOP_HORIZON', '14')}) }} select 1")
    written(folder / "models/target/orders.sql")
    written(folder / "macros/shop.sql", "{% macro of(part) %}{{ env_var('SHOP_PART_' ~ part) }}{% endmacro %}")
    written(folder / "target/compiled.sql")
    written(folder / "seeds/shops.csv", "id\n1\n")
    written(folder.parent / "shared/models/calendar.sql")
    package = written(folder.parent / "package/macros/of_package.sql").parent.parent
    (folder / "dbt_packages").mkdir()
    (folder / "dbt_packages/package").symlink_to(package)
    (package / "whole").symlink_to(folder)  # which leads back
    return folder


CHANGES: dict[str, Callable[[Path], object]] = {
    "below target": lambda dbt: written(dbt / "models/target/orders.sql", "select 22"),
    "below logs": lambda dbt: written(dbt / "models/staging/logs/stg_logs.sql"),
    "of a package": lambda dbt: written(dbt.parent / "package/macros/of_package.sql", "select 22"),
    "outside": lambda dbt: written(dbt.parent / "shared/models/calendar.sql", "select 22"),
    "a seed": lambda dbt: written(dbt / "seeds/shops.csv", "id\n1\n2\n"),
    "a file less": lambda dbt: (dbt / "models/customers.sql").unlink(),
    "what is left out": lambda dbt: written(dbt / ".dbtignore", "models/target"),
    "a profile": lambda dbt: written(dbt / "profiles.yml", "turnout: {}"),
    "packages": lambda dbt: written(dbt / "packages.yml", "packages: []"),
    "a variable": lambda _: os.environ.update(SHOP_HORIZON="28"),
    "a variable whose name is put together": lambda _: os.environ.update(SHOP_PART_NORTH="28"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_dbt_reads_again(change: Callable[[Path], object], dbt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_HORIZON", "14")
    monkeypatch.setenv("SHOP_PART_NORTH", "14")
    before = state_of(dbt)
    change(dbt)
    assert state_of(dbt) != before


def test_dbt_keeps_what_it_has_read(dbt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state_of(dbt)
    written(dbt / "target/compiled.sql", "select 22")
    written(dbt / "logs/dbt.md", "what happened")
    (dbt / "models/.#customers.sql").symlink_to("nobody@nowhere")  # as an editor locks a file
    monkeypatch.setenv("WINDOW", "7")
    assert state_of(dbt) == before


def test_what_a_person_tells_their_own_dbt_is_not_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"DBT_TARGET", "DBT_ENGINE_TARGET", "DBT_PROFILES_DIR", "DBT_LOG_LEVEL"}
    for name in (*options, "DBT_USER"):  # the last is a variable of the project's own
        monkeypatch.setenv(name, "audit")
    forget_dbt_options()
    assert not options & os.environ.keys()
    assert "DBT_USER" in os.environ
