"""What stands in dbt's YAML, validated against a dataclass of pydantic; the first mistake in it, in words.

Whoever reads a declaration says where it stands and which rule holds for it: a `Place`, which makes all its errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import MappingProxyType
from typing import Literal, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from turnout.errors import DeclarationError, TurnoutError, did_you_mean

T = TypeVar("T")

UNKNOWN = {"unexpected_keyword_argument", "extra_forbidden"}


@dataclass(frozen=True)
class Place:
    """Where a declaration stands, and which rule holds for it: an error says both.

    Parameters
    ----------
    where : str
        The file, and the model or table in it.
    keys : str
        The key of dbt's YAML under which all others stand, such as `config.meta.link`.
    rule : str
        The rule that a mistake breaks, and why that rule is there.
    subject : str
        With what an error begins.
    kind : type
        Which error is made.
    """

    where: str
    keys: str
    rule: str
    subject: str = "Declaration"
    kind: type[TurnoutError] = DeclarationError

    def error(self, what: str, remedy: str, key: str | None = None) -> TurnoutError:
        """Return the error of a mistake.

        Parameters
        ----------
        what, remedy : str
            What is wrong and what to do next, each as a sentence.
        key : str, optional
            The key below `keys`, with a dot between one key and the next; empty for `keys` itself. Default: no key is
            named.
        """
        path = None if key is None else f"{self.keys}.{key}" if key else self.keys
        return self.kind(
            f"{self.subject}: {what}",
            where=self.where if path is None else f"{self.where}, key '{path}'",
            rule=self.rule,
            remedy=remedy,
        )

    def column_error(self, key: str, name: str, columns: Iterable[str], lack: str, remedy: str) -> TurnoutError:
        """Return the error of a key that names a column which is not among `columns`; `lack` says who lacks it."""
        return self.error(f"'{key}' names the column '{name}', which {lack}.{did_you_mean(name, columns)}", remedy, key)


@dataclass(frozen=True)
class Mistake:
    """The first thing that is wrong with a declaration.

    Parameters
    ----------
    kind : {"empty", "missing", "unknown", "wrong"}
        Whether there are no keys at all, one is missing, one is unknown, or what stands there cannot.
    path : tuple of str
        The key, after those that it stands in, from the outermost.
    value : object
        What stands there.
    said : str
        What pydantic says of it.
    keys, required : tuple of str
        The keys that may stand beside it, and those that must.
    renamed_to : str
        What is written today instead of a key of earlier releases; else empty.
    """

    kind: Literal["empty", "missing", "unknown", "wrong"]
    path: tuple[str, ...]
    value: object
    said: str
    keys: tuple[str, ...]
    required: tuple[str, ...]
    renamed_to: str = ""

    @property
    def what(self) -> str:
        """What is wrong, as one sentence."""
        match self.kind:
            case "empty":
                return "the declaration is empty."
            case "missing":
                return f"'{self.path[-1]}' is missing."
            case "unknown" if self.renamed_to:
                return f"there is no key '{self.path[-1]}' any more: it is {self.renamed_to} now."
            case "unknown":
                return f"there is no key '{self.path[-1]}'.{did_you_mean(self.path[-1], self.keys)}"
            case "wrong":
                return f"{' of '.join(repr(key) for key in reversed(self.path))} is {self.value!r}."

    def remedy(self, wanted: str) -> str:
        """Return what to do next; `wanted` says what may stand where something else does."""
        match self.kind:
            case "empty":
                return f"write these keys: {', '.join(self.required)}."
            case "missing":
                return f"add '{self.path[-1]}: …'; needed are {', '.join(self.required)}."
            case "unknown" if self.renamed_to:
                return f"write {self.renamed_to}."
            case "unknown":
                return f"the keys are {', '.join(self.keys)}."
            case "wrong":
                return f"write {wanted}."


def validated(
    kind: type[T],
    declared: object,
    error: Callable[[Mistake], TurnoutError],
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> T:
    """Return what is declared as an instance of a dataclass of pydantic.

    Parameters
    ----------
    kind : type
        Its fields are the keys; one of them may be such a dataclass itself.
    declared : object
        What stands in dbt's manifest.
    error : callable
        Makes the error of the first mistake.
    renamed : mapping of str to str
        What earlier releases called a key, and what stands in its place today.
    """
    try:
        return TypeAdapter(kind).validate_json(json.dumps(declared))
    except ValidationError as found:
        first = found.errors()[0]
    path = tuple(str(step) for step in first["loc"])
    is_unknown, is_missing = first["type"] in UNKNOWN, first["type"] == "missing"
    asked = _beside(kind, path) if is_unknown else kind
    known = fields(asked)
    mistake = Mistake(
        kind="unknown" if is_unknown else "missing" if is_missing else "wrong" if path else "empty",
        path=path,
        value=first["input"],
        said=first["msg"],
        keys=tuple(one.name for one in known),
        renamed_to=renamed.get(path[-1], "") if is_unknown else "",
        required=tuple(one.name for one in known if one.default is MISSING and one.default_factory is MISSING),
    )
    raise error(mistake)


def nested_in(kind: type) -> dict[str, type]:
    """Return the dataclasses whose fields are keys below a key of another dataclass, by that key."""
    hints = get_type_hints(kind)
    return {
        key: one
        for key, hint in hints.items()
        for one in (hint, *get_args(hint))
        if isinstance(one, type) and is_dataclass(one)
    }


def _beside(kind: type, path: Sequence[str]) -> type:
    """Return the dataclass of which the last key of a path would be a field."""
    for key in path[:-1]:
        kind = nested_in(kind)[key]
    return kind
