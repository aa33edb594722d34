"""What an analyst declared: a dbt model that carries `config.meta.link` becomes a `Link`, or an error in words.

Whether the *tables* hold what is declared is asked in `turnout.linking.linkage`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from turnout.declarations import Mistake, Place, validated
from turnout.errors import TurnoutError, did_you_mean
from turnout.project.manifest import is_ephemeral, is_latest

Manifest = Mapping[str, Any]

# How a column may be compared; what each of them means stands in `turnout.linking.comparisons`.
Kind = Literal["name", "exact", "year", "code"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# What is written beside the two keys; see `turnout.linking.linkage`.
WRITTEN = ("match_probability", "runner_up_probability", "linked_at")

_TYPES_IN_WORDS = {
    "compare": f"a kind for each column, such as {{last_name: name}}; the kinds are {', '.join(KINDS)}",
    "block": "lists of columns, such as [[postcode, birth_year], [last_name, birth_year]]",
    "where": "a condition in SQL on the columns of the other model",
    "accept_above": "a probability above 0.5 and below 1, such as 0.9",
}


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class LinkDeclaration:
    """The keys that may stand under `config.meta.link`, with their defaults.

    Parameters
    ----------
    to : str
        The name of the dbt model in which the records are to be found.
    key, to_key : str
        The column that tells records apart, in this model and in the other.
    table : str
        The table that is written, `links.<table>`.
    compare : mapping of str to kind
        Columns that both models have, and how each is compared.
    block : tuple of tuple of str
        Two records are compared if they share all columns of at least one of these lists.
    where : str, optional
        A condition in SQL which the records of the other model must meet.
    accept_above : float
        The match probability from which a record counts as found. It lies above a half, so that of two candidates
        that are equally good none is taken.
    """

    to: str
    key: str
    to_key: str
    table: str
    compare: Mapping[str, Kind]
    block: tuple[tuple[str, ...], ...]
    where: str | None = None
    accept_above: Annotated[float, Field(gt=0.5, lt=1)] = 0.9


@dataclass(frozen=True)
class Link:
    """A declared link, with the places of its two tables.

    The attributes that are not described here are those of `LinkDeclaration`.

    Parameters
    ----------
    model, to : str
        The names of the two dbt models: whose records are to be found, and in which.
    unique_id, to_unique_id : str
        Their ids in dbt's manifest.
    relation, to_relation : (schema, table)
        Where they stand in the warehouse.
    file : str
        The file of the declaration, from the dbt project's folder; for messages.
    """

    model: str
    to: str
    unique_id: str
    to_unique_id: str
    relation: tuple[str, str]
    to_relation: tuple[str, str]
    file: str
    key: str
    to_key: str
    table: str
    compare: tuple[tuple[str, Kind], ...]
    block: tuple[tuple[str, ...], ...]
    where: str | None = None
    accept_above: float = 0.9

    @property
    def place(self) -> str:
        """The place to name in a message about this link."""
        return f"{self.file}, model '{self.model}'"

    @property
    def columns(self) -> dict[str, Kind]:
        """All columns that both tables must have, with their kinds; what is not compared only has to be equal."""
        compared = dict(self.compare)
        return compared | {name: "exact" for names in self.block for name in names if name not in compared}


def links_in(manifest: Manifest) -> tuple[Link, ...]:
    """Return the declared links, by table.

    Parameters
    ----------
    manifest : mapping
        The content of dbt's `manifest.json`.

    Raises
    ------
    DeclarationError
        On the first mistake, with file, model, key and remedy.
    """
    nodes = manifest["nodes"].values()
    models = {node["name"]: node for node in nodes if node["resource_type"] == "model" and is_latest(node)}
    links: dict[str, Link] = {}
    for name in sorted(models):
        if "link" in models[name]["config"]["meta"]:
            link = _link(models[name], models)
            if link.table in links:
                raise _place(link.place).error(
                    f"the table '{link.table}' is written by the model '{links[link.table].model}' already.",
                    "give every link a table of its own.",
                    "table",
                )
            links[link.table] = link
    return tuple(links[table] for table in sorted(links))


def _link(node: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> Link:
    # The patch path is the YAML file, "project://models/x.yml"; a declaration inside the SQL has none.
    file = (node["patch_path"] or node["original_file_path"]).split("://")[-1]
    place = _place(f"{file}, model '{node['name']}'")
    declared = _validated(node["config"]["meta"]["link"], place)
    if declared.to not in models or declared.to == node["name"]:
        others = [name for name in models if name != node["name"]]
        raise place.error(
            f"'to' names '{declared.to}', which is no other model.{did_you_mean(declared.to, others)}",
            "name the dbt model in which the records are to be found.",
            "to",
        )
    _check_names(declared, place)
    _check_block(declared, place)
    other = models[declared.to]
    for model in (node, other):
        if is_ephemeral(model):
            raise place.error(
                f"the model '{model['name']}' is ephemeral, so there is no table of it.",
                f"leave 'materialized: ephemeral' out of '{model['name']}'.",
            )
    wanted = {"compare": declared.compare, "block": [name for names in declared.block for name in names]}
    for model, key, column in ((node, "key", declared.key), (other, "to_key", declared.to_key)):
        for role, names in ({key: [column]} | wanted).items():
            for name in names:
                _check_column(name, role, model, place)
    return Link(
        model=node["name"],
        to=declared.to,
        unique_id=node["unique_id"],
        to_unique_id=other["unique_id"],
        relation=(node["schema"], node["alias"]),
        to_relation=(other["schema"], other["alias"]),
        file=file,
        key=declared.key,
        to_key=declared.to_key,
        table=declared.table,
        compare=tuple(declared.compare.items()),
        block=declared.block,
        where=declared.where,
        accept_above=declared.accept_above,
    )


def _check_names(declared: LinkDeclaration, place: Place) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", declared.table):
        raise place.error(
            f"'table' is '{declared.table}', which is no plain name.",
            "use small letters, digits and underscores.",
            "table",
        )
    if declared.key == declared.to_key:
        raise place.error(
            f"'key' and 'to_key' are both '{declared.key}', but they become two columns of links.{declared.table}.",
            "rename the column in one of the models.",
            "to_key",
        )
    for role in ("key", "to_key"):
        if getattr(declared, role) in WRITTEN:
            raise place.error(
                f"'{role}' is '{getattr(declared, role)}', which links.{declared.table} holds in any case.",
                "rename the column in the model.",
                role,
            )


def _check_block(declared: LinkDeclaration, place: Place) -> None:
    if len(declared.compare) < 2:
        raise place.error(
            f"'compare' names {len(declared.compare)} columns.",
            f"name at least two, each with its kind: what one of them is worth is learned from the others. "
            f"The kinds are {', '.join(KINDS)}.",
            "compare",
        )
    if len(declared.block) < 2 or not all(declared.block):
        raise place.error(
            "'block' has fewer than two lists of columns."
            if len(declared.block) < 2
            else "a list of 'block' names no column.",
            f"write {_TYPES_IN_WORDS['block']}: what one list cannot find, because a value is wrong or missing, "
            "another one finds.",
            "block",
        )
    shared = [name for name in declared.compare if all(name in names for names in declared.block)]
    if shared:
        raise place.error(
            f"'{shared[0]}' is compared, but stands in every list of 'block'.",
            f"take '{shared[0]}' out of 'compare', or add a list to 'block' without it: where only records that share "
            "it are compared, it tells nothing.",
            "compare",
        )


def _check_column(name: str, role: str, model: Mapping[str, Any], place: Place) -> None:
    """Refuse a column that a model does not document, if it documents any."""
    if model["columns"] and name not in model["columns"]:
        raise place.column_error(
            role,
            name,
            model["columns"],
            f"the model '{model['name']}' does not document",
            f"correct the name, or add the column to the model '{model['name']}' and under its 'columns:'; the columns "
            "in 'compare' and 'block' have the same name in both models.",
        )


def _validated(declared: object, place: Place) -> LinkDeclaration:
    def wrong(mistake: Mistake) -> TurnoutError:
        what, path = mistake.what, mistake.path
        remedy = mistake.remedy(_TYPES_IN_WORDS.get(path[0], "a name") if path else "")
        if len(path) > 1:
            assert isinstance(declared, Mapping)  # there is a key
            what, path = f"'{path[0]}' is {declared[path[0]]!r}.", path[:1]
            if path == ("compare",):
                column, kind = mistake.path[1], mistake.value
                what, path = f"'{column}' is compared as {kind!r}.{did_you_mean(str(kind), KINDS)}", (*path, column)
        return place.error(what, remedy, ".".join(path) or None)

    return validated(LinkDeclaration, declared, wrong)


def _place(where: str) -> Place:
    return Place(where, "config.meta.link", "a link is declared completely and exactly, so that nothing is guessed.")


def column_error(link: Link, table: tuple[str, str], name: str, role: str, columns: Sequence[str]) -> TurnoutError:
    """Return the error for a column that the declaration names and the table does not have."""
    return _place(link.place).column_error(
        role,
        name,
        columns,
        f"the table {'.'.join(table)} does not have",
        "correct the name, or add the column to the model; the columns in 'compare' and 'block' have the same name in "
        "both models.",
    )
