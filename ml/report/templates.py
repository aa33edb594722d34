"""The templates beside this module; whoever renders one says how values are escaped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ml.examples.split import day_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Template
    from markupsafe import Markup


def template(name: str, as_markup: Callable[[object], Markup]) -> Template:
    """Return a template beside this module, in which every value goes through a function, unless it is `Markup`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # So nothing is left unescaped because somebody forgot it: autoescape lets only `Markup` pass.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=as_markup,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["day"] = lambda day: day_of(day).isoformat()
    return environment.get_template(name)
