"""What stands before Superset: a check that a request is for this machine, by its own name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.loopback import REFUSAL, is_own_request

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class OwnRequestsOnly:
    """WSGI middleware that refuses what is asked under a foreign name, or by a foreign page."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, or refuse."""
        if is_own_request(environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN")):
            return self.app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [REFUSAL.encode()]
