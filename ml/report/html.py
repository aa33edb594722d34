"""The card as one HTML file that needs nothing beside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from ml.report.templates import template

if TYPE_CHECKING:
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token


def html_of(markdown: str, plots: Mapping[str, bytes], title: str, outcome: str) -> str:
    """Return a page that shows a card.

    Parameters
    ----------
    markdown : str
        The card, which names its plots by their paths.
    plots : mapping of str to bytes
        PNGs by the names in those paths; they become a part of the page.
    outcome : {"promoted", "kept", "waits"}
        What was decided, which the page shows by a colour.
    """
    from markdown_it import MarkdownIt

    def picture(renderer: RendererHTML, tokens: Sequence[Token], number: int, *_: object) -> str:
        token = tokens[number]
        image = plots[Path(str(token.attrs["src"])).stem]
        return f'<img src="{data_address(image)}" alt="{escape(token.content)}">'

    def paragraph(renderer: RendererHTML, tokens: Sequence[Token], number: int, options: Any, env: Any) -> str:  # noqa: ANN401 - theirs
        inside = tokens[number + 1].children or []
        if inside and inside[0].type == "image":
            tokens[number].attrSet("class", "picture")
        return renderer.renderToken(tokens, number, options, env)

    # Without HTML: a tag in the Markdown is text.
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("image", picture)
    parser.add_render_rule("paragraph_open", paragraph)
    parser.add_render_rule("table_open", lambda *_: '<div class="table"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    body = Markup(parser.render(markdown))  # noqa: S704 - what the parser makes is escaped
    return template("card.html.jinja", escape).render(title=title, outcome=outcome, body=body)


def data_address(image: bytes) -> str:
    """Return a PNG as an address that holds it whole."""
    return f"data:image/png;base64,{b64encode(image).decode()}"
