"""What pages for readers name is there: keys of declarations, commands, modules, files, the version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ml.declaration import Declaration
from orchestration.project import this_project
from turnout.linking.declaration import LinkDeclaration as Link
from turnout.loading.contract import ColumnKeys, TableKeys
from turnout.project.provenance import turnout_version

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Folders of which a page names what stands in them; a name with a blank to fill, such as <topic>, is for the reader.
NAMED = re.compile(r"`((?:bi|dbt_project|docs|ml|orchestration|requirements|samples|tests|trials|turnout)/[\w./-]*)`")


def page_named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def mappings_under(key: str, content: object) -> Iterator[Mapping[str, Any]]:
    """Whatever stands under a key, however deep."""
    if isinstance(content, dict):
        yield from (value for name, value in content.items() if name == key and isinstance(value, dict))
    for inner in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from mappings_under(key, inner)


def unknown_keys(declared: Mapping[str, Any], *kinds: type) -> set[str]:
    """The keys that none of the dataclasses has, also of what is declared below them."""
    known = {one.name: one.default for kind in kinds for one in fields(kind)}
    below = (
        unknown_keys(value, type(known[key]))
        for key, value in declared.items()
        if is_dataclass(known.get(key)) and isinstance(value, dict)
    )
    return (set(declared) - set(known)).union(*below)


@pytest.mark.parametrize("page", PAGES, ids=page_named)
def test_declarations_on_a_page_have_keys_that_there_are(page: Path) -> None:
    for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S):
        content = yaml.safe_load(text)
        for declared in mappings_under("prediction", content):
            assert not unknown_keys(declared, Declaration)
        for declared in mappings_under("link", content):
            assert not unknown_keys(declared, Link)
        for declared in mappings_under("load", content):
            assert not unknown_keys(declared, TableKeys) or not unknown_keys(declared, ColumnKeys)


@pytest.mark.parametrize("page", PAGES, ids=page_named)
def test_commands_and_files_on_a_page_are_there(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    code = "".join(re.findall(r"(?s:```sh\n.*?```)|`[^`\n]+`", text))
    assert set(re.findall(r"\bmake ([a-z-]+)", code)) <= targets
    for module in re.findall(r"-m ((?:benchmarks|trials)\.\w+)", text):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), module
    for name in NAMED.findall(text):
        assert (ROOT / name).exists(), name


def test_links_of_the_readme_lead_somewhere() -> None:
    """The site's own are looked at when it is built."""
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert linked
    assert [name for name in linked if not (ROOT / name).exists()] == []


def test_the_changelog_begins_with_this_version() -> None:
    sections = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert sections[0] == turnout_version(this_project())
