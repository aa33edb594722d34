"""The site's reference, made from what it describes whenever the site is built; MkDocs calls the hooks `on_…`.

Keys come from the dataclasses that validate them, records from `turnout.records`, scores, marts and macros from the
YAML that dbt reads, commands from the Makefile, and the API from docstrings. The site loads nothing from elsewhere.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_type_hints

import griffe
import yaml
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

from ml.declaration import Declaration
from turnout.linking.declaration import LinkDeclaration as Link
from turnout.loading.contract import ColumnKeys, TableKeys
from turnout.records import SCHEMA, TABLES

ROOT = Path(__file__).resolve().parent.parent
DBT = ROOT / "dbt_project"

# What stands behind a name in a numpydoc docstring, as somebody who writes YAML says it.
TYPES = {
    r"\btuple of\b": "list of",
    r"\bstr\b": "text",
    r"\bint\b": "whole number",
    r"\bfloat\b": "number",
    r"\bbool\b": "`true` or `false`",
    r"\bNone\b": "nothing",
    r"\bLabel\b": "keys of its own, below",
}
# What macros that stand above a FROM, in it, or in a label begin or end with; the others are called by dbt.
MACROS = re.compile(r"(events|latest)_.*|.*_(before|within)|days_since_.*|ratio|map_entries")
# Attributes of HTML by which a page loads something by itself; a link that a person follows is not among them.
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href")}
# A link of this kind says where the page itself stands.
NOT_LOADED = {"canonical"}


def pages() -> dict[str, str]:
    """Return the text of each page of the reference, by its place below `docs/`."""
    return {
        "reference/declaration.md": "\n".join(_declaration()),
        "reference/contract.md": "\n".join(_contract()),
        "reference/records.md": "\n".join(_records()),
        "reference/scores.md": "\n".join(_scores()),
        "reference/marts.md": "\n".join(_marts()),
        "reference/macros.md": "\n".join(_macros()),
        "reference/commands.md": "\n".join(_commands()),
        "reference/api/index.md": "\n".join(_api_index()),
        **{f"reference/api/{package}.md": "\n".join(_api(package)) for package in api_packages()},
    }


def api_packages() -> list[str]:
    """Return the packages that a page of the API is about; modules beside them stand on the page of their storey."""
    packages = [
        path
        for storey in ("ml", "turnout")
        for path in (ROOT / storey, *sorted((ROOT / storey).iterdir()))
        if (path / "__init__.py").exists() and _modules(path)
    ]
    return [_dotted(path) for path in packages]


def on_config(config: Any) -> Any:  # noqa: ANN401 - MkDocs has no types
    """Add the pages of the API, whose number grows with the code, to the navigation."""
    (reference,) = (part["Reference"] for part in config.nav if "Reference" in part)
    (api,) = (part["API"] for part in reference if "API" in part)
    api += [{package: f"reference/api/{package}.md"} for package in api_packages()]
    return config


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - MkDocs has no types
    """Add the pages that are made here to those that are written."""
    for place, text in pages().items():
        files.append(File.generated(config, place, content=text))
    return files


def on_post_page(output: str, page: Any, config: Any) -> str:  # noqa: ANN401 - MkDocs has no types
    """Stop a build whose pages would load something from elsewhere: the site is read without a network."""
    if elsewhere := loaded_from_elsewhere(output):
        raise PluginError(f"{page.file.src_uri} loads {', '.join(elsewhere)}: put the file into docs/ instead.")
    return output


def loaded_from_elsewhere(html: str) -> list[str]:
    """Return the addresses, on other hosts, of what a page loads by itself."""
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if NOT_LOADED.isdisjoint((dict(attrs).get("rel") or "").split()):
                found.extend(value or "" for name, value in attrs if (tag, name) in LOADED)

    Reader().feed(html)
    return [address for address in found if re.match(r"(https?:)?//", address)]


def _declaration() -> Iterator[str]:
    yield "# Declaration\n"
    yield "Predictions and links are declared in dbt's YAML. A mistake stops the load, with the file, the model, the"
    yield "key and the remedy. [Add a prediction](../guides/predictions.md) shows how to begin.\n"
    yield "## Keys of a prediction\n"
    yield f"{_first_line(Declaration)}\n"
    yield from _keys(Declaration)
    yield "## Keys of a link\n"
    yield f"{_first_line(Link)} [Find the same people](../guides/linking.md) shows how they are used.\n"
    yield from _keys(Link)


def _contract() -> Iterator[str]:
    yield "# Contract of a source\n"
    yield "A table that is filled from files is a dbt source with `loader: landing`. Its columns have dbt's"
    yield "`data_type`; what dbt has no word for stands under `config.meta.load`."
    yield "[Load your own files](../guides/loading.md) shows how it is used.\n"
    yield "## Keys of a table\n"
    yield f"{_first_line(TableKeys)}\n"
    yield from _keys(TableKeys)
    yield "## Keys of a column\n"
    yield f"{_first_line(ColumnKeys)}\n"
    yield from _keys(ColumnKeys)


def _records() -> Iterator[str]:
    yield "# Records\n"
    yield f"What is remembered of loads, trainings, audits and reviews, in the schema `{SCHEMA}` of the warehouse. Rows"
    yield "are added, never changed. Each table is defined once, in `turnout/records/`.\n"
    for table in sorted(TABLES, key=lambda table: table.name):
        yield f"## {table.name}\n"
        yield f"{table.words} Its key is {', '.join(f'`{name}`' for name in table.key)}.\n"
        yield from _table(
            ("column", "type", "what it holds"),
            (
                (
                    f"`{column.name}`",
                    f"{column.data_type}{', or null' if column.is_nullable else ''}",
                    column.words + (f" One of {_listed(column.values)}." if column.values else ""),
                )
                for column in table.columns
            ),
        )


def _scores() -> Iterator[str]:
    (source,) = yaml.safe_load((DBT / "models/scores/_scores__sources.yml").read_text())["sources"]
    yield "# Scores\n"
    yield f"{source['description']} There is one table for each prediction, in the schema `{source['schema']}`,"
    yield "and `ml/serving/scores_table.py` defines its columns.\n"
    yield from _described(source["tables"], {})


def _marts() -> Iterator[str]:
    yield "# Marts\n"
    yield "What BI reads in the published file. Each is described beside its SQL, in `dbt_project/models/marts/`. Three"
    yield "more are made by the publication itself: `publication`, `freshness` and `checks`, which"
    yield "[Connect BI](../guides/bi.md) explains.\n"
    blocks = {
        name: " ".join(words.split())
        for file in DBT.rglob("models/**/*.md")
        for name, words in re.findall(r"{% docs (\w+) %}(.*?){% enddocs %}", file.read_text(), re.S)
    }
    for folder in sorted(path for path in (DBT / "models/marts").iterdir() if path.is_dir()):
        models = [
            model for file in sorted(folder.glob("*.yml")) for model in yaml.safe_load(file.read_text())["models"]
        ]
        yield f"## {folder.name.capitalize()}\n"
        yield from _described(models, blocks, level=3)


def _macros() -> Iterator[str]:
    yield "# Macros\n"
    yield "For the SQL of features and labels, on DuckDB and Spark alike. Each is described in"
    yield "`dbt_project/macros/macros.yml`. [Write features](../guides/features.md) shows how they go together.\n"
    macros = yaml.safe_load((DBT / "macros/macros.yml").read_text())["macros"]
    for macro in (macro for macro in macros if MACROS.fullmatch(macro["name"])):
        yield f"## {macro['name']}\n"
        yield f"{' '.join(macro['description'].split())}\n"
        arguments = macro.get("arguments", [])
        if arguments:
            yield from _table(
                ("argument", "type", "what it says"),
                ((f"`{one['name']}`", one.get("type", ""), one.get("description", "")) for one in arguments),
            )


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    yield "`make` alone prints this list. What a command needs is installed before it runs.\n"
    said = re.findall(r"^([a-z-]+):.*?## (.*)$", (ROOT / "Makefile").read_text(), re.M)
    yield from _table(("command", "what it does"), ((f"`make {name}`", words) for name, words in sorted(said)))


def _api_index() -> Iterator[str]:
    yield "# API\n"
    yield "What `ml` and `turnout` offer to each other and to `orchestration`, from their docstrings.\n"
    yield from _table(
        ("package", "what it is for"),
        ((f"[{package}]({package}.md)", _docstring(package).partition("\n")[0]) for package in api_packages()),
    )


def _api(package: str) -> Iterator[str]:
    yield f"# {package}\n"
    words = _docstring(package)
    # The docstring of a storey has a table of reStructuredText below its first line, which the index shows better.
    yield f"{words if '.' in package else words.partition(chr(10))[0]}\n"
    for path in _modules(ROOT.joinpath(*package.split("."))):
        yield f"::: {_dotted(path)}\n"


def _modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _docstring(package: str) -> str:
    return ast.get_docstring(ast.parse(ROOT.joinpath(*package.split("."), "__init__.py").read_text())) or ""


def _keys(kind: type, path: str = "") -> Iterator[str]:
    """Yield the table of the keys that a dataclass validates, then one for each key that has keys of its own."""
    (documented,) = (
        section.value
        for section in griffe.parse_numpy(griffe.Docstring(inspect.getdoc(kind) or ""))
        if section.kind is griffe.DocstringSectionKind.parameters
    )
    words = {one.name: one for one in documented}
    declared = fields(kind)
    if missing := [one.name for one in declared if one.name not in words]:
        raise PluginError(f"{kind.__module__}.{kind.__name__} has keys that its docstring lacks: {', '.join(missing)}.")
    yield from _table(
        ("key", "value", "default", "what it says"),
        (
            (
                f"`{path}{one.name}`",
                "keys of its own, below" if is_dataclass(one.default) else _type(str(words[one.name].annotation)),
                _default(one),
                words[one.name].description,
            )
            for one in declared
        ),
    )
    for one in declared:
        nested = get_type_hints(kind)[one.name]
        if isinstance(nested, type) and is_dataclass(nested):
            yield f"### Keys of `{path}{one.name}`\n"
            yield f"{_first_line(nested)}\n"
            yield from _keys(nested, f"{path}{one.name}.")


def _default(field: Any) -> str:  # noqa: ANN401 - typeshed's Field says nothing of the default
    value = field.default_factory() if field.default_factory is not MISSING else field.default
    if value is MISSING:
        return "**needed**"
    if is_dataclass(value):
        return "as below"
    if value is None or value in ((), {}):
        return "none"
    if isinstance(value, tuple):
        return _listed(value)
    return f"`{value}`" if isinstance(value, str) else f"{str(value).lower()}"


def _type(annotation: str) -> str:
    if re.search(r"['\"]", annotation):
        return _listed(re.findall(r"['\"]([^'\"]*)['\"]", annotation))
    for pattern, words in TYPES.items():
        annotation = re.sub(pattern, words, annotation)
    return annotation


def _first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _described(tables: Iterable[Mapping[str, Any]], blocks: Mapping[str, str], level: int = 2) -> Iterator[str]:
    """Yield what dbt's YAML says of tables and their columns."""

    def words(text: str) -> str:
        return re.sub(r"{{ doc\('(\w+)'\) }}", lambda found: blocks[found[1]], " ".join(text.split()))

    for table in tables:
        yield f"{'#' * level} {table['name']}\n"
        yield f"{words(table['description'])}\n"
        columns = table["columns"]
        yield from _table(
            ("column", "type", "what it holds"),
            ((f"`{one['name']}`", one.get("data_type", ""), words(one["description"])) for one in columns),
        )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in cells)} |"

    yield line(head)
    yield line("---" for _ in head)
    yield from map(line, rows)
    yield ""


def _listed(values: Iterable[object]) -> str:
    return ", ".join(f"`{value}`" for value in values)
