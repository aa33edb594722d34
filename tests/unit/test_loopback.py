"""What pages are served here answer this machine's own names, and no page of another."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from bi import own_requests
from orchestration.dagster_page import webserver

OWN = ["127.0.0.1", "127.0.0.1:3000", "localhost:3000", "LOCALHOST", "[::1]:3000", "[::1]"]
FOREIGN = ["evil.example", "evil.example:3000", "localhost.evil.example", "127.0.0.1.nip.io:3000", "10.0.0.5:3000", ""]
CASES = [
    *((host, None, 200) for host in OWN),
    *((host, None, 403) for host in FOREIGN),
    ("localhost:3000", "http://localhost:3000", 200),
    ("localhost:3000", "https://evil.example", 403),
    ("localhost:3000", "null", 403),
]


def headers_of(host: str, origin: str | None) -> dict[str, str]:
    return {"Host": host} if origin is None else {"Host": host, "Origin": origin}


@pytest.fixture
def dagster(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Dagster's page, as our webserver makes it; what Dagster itself would answer is short."""

    async def page(_: object) -> PlainTextResponse:
        return PlainTextResponse("a page")

    async def events(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("an event")
        await socket.close()

    theirs = Starlette(routes=[Route("/", page), WebSocketRoute("/graphql", events)])
    monkeypatch.setattr(webserver, "create_app_from_workspace_process_context", lambda: theirs)
    return TestClient(webserver.create_app())


@pytest.mark.parametrize(("host", "origin", "status"), CASES)
def test_dagster_answers_own_names_only(dagster: TestClient, host: str, origin: str | None, status: int) -> None:
    assert dagster.get("/", headers=headers_of(host, origin)).status_code == status


def test_a_foreign_page_opens_no_websocket_of_dagsters(dagster: TestClient) -> None:
    own, foreign = headers_of("localhost:3000", "http://localhost:3000"), headers_of("localhost:3000", "http://evil")
    with dagster.websocket_connect("/graphql", headers=own) as socket:
        assert socket.receive_text() == "an event"
    with pytest.raises(WebSocketDisconnect), dagster.websocket_connect("/graphql", headers=foreign):
        pass


@pytest.mark.parametrize(("host", "origin", "status"), CASES)
def test_superset_answers_own_names_only(host: str, origin: str | None, status: int) -> None:
    told: list[str] = []

    def app(_: object, start_response: object) -> list[bytes]:
        start_response("200 OK", [])  # type: ignore[operator]
        return [b"a page"]

    environ = {f"HTTP_{name.upper()}": value for name, value in headers_of(host, origin).items()}
    list(own_requests.OwnRequestsOnly(app)(environ, lambda code, _: told.append(code)))  # type: ignore[arg-type, return-value]
    assert told[0].startswith(str(status))
