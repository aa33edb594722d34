"""Shows Griffe that a dataclass of pydantic is a dataclass, so that its page tells which parameters have a default."""

from __future__ import annotations

from griffe import Class, Decorator, ExprCall, ExprName, Extension


class PydanticDataclasses(Extension):  # type: ignore[misc]  # Griffe's types are not read
    """Lets Griffe read `pydantic.dataclasses.dataclass` as it reads the one of the standard library."""

    def on_class_members(self, *, cls: Class, **_: object) -> None:
        """Put the name that Griffe knows in the place of the decorator's."""
        cls.decorators = [_as_known(decorator) for decorator in cls.decorators]


def _as_known(decorator: Decorator) -> Decorator:
    value = decorator.value
    if not isinstance(value, ExprCall) or value.canonical_path != "pydantic.dataclasses.dataclass":
        return decorator
    known = ExprCall(ExprName("dataclasses.dataclass"), value.arguments)
    return Decorator(known, lineno=decorator.lineno, endlineno=decorator.endlineno)
