"""Dagster's webserver, with a check before all that it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster_webserver import cli
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

from orchestration.loopback import REFUSAL, is_own_request

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class OwnRequestsOnly:
    """ASGI middleware that refuses what is asked under a foreign name, or by a foreign page.

    Starlette's own looks at the name alone; a foreign page could still open a WebSocket, which browsers let it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        answer: ASGIApp = self.app
        if scope["type"] in {"http", "websocket"}:
            headers = Headers(scope=scope)
            if not is_own_request(headers.get("host"), headers.get("origin")):
                is_page = scope["type"] == "http"
                answer = PlainTextResponse(REFUSAL, status_code=403) if is_page else WebSocketClose(reason=REFUSAL)
        await answer(scope, receive, send)


def create_app(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as Dagster has it
    """Return Dagster's application behind the check."""
    app = create_app_from_workspace_process_context(*arguments, **options)
    app.add_middleware(OwnRequestsOnly)
    return app


if __name__ == "__main__":
    cli.create_app_from_workspace_process_context = create_app  # type: ignore[attr-defined]
    cli.main()  # type: ignore[no-untyped-call]
