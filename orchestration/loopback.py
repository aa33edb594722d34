"""Where pages open: on this machine alone, each on a port of its own. Superset's environment imports this as well."""

from __future__ import annotations

import re
from socket import socket

from turnout.errors import TurnoutError

HOST = "127.0.0.1"
# What a page that is served here may be called, with any port. A page from elsewhere can have a name of its own lead
# to this machine (DNS rebinding), and would read and change what is served if its name were answered.
NAMES = (HOST, "localhost", "[::1]")
REFUSAL = "Only this machine's own names are answered here: 127.0.0.1, localhost, [::1]."
_OWN_ADDRESS = re.compile(rf"(?:https?://)?(?:{'|'.join(map(re.escape, NAMES))})(?::[0-9]+)?", re.IGNORECASE)


class PortError(TurnoutError):
    """A page cannot be opened on the port that was asked for."""


def is_own_address(address: str) -> bool:
    """Return whether a request's `Host` or `Origin` is one of `NAMES`.

    >>> is_own_address("localhost:3000"), is_own_address("http://[::1]"), is_own_address("localhost.example.com")
    (True, True, False)
    """
    return _OWN_ADDRESS.fullmatch(address) is not None


def is_own_request(host: str | None, origin: str | None) -> bool:
    """Return whether a request is for this machine, by its own name, and from no page of another.

    Parameters
    ----------
    host : str or None
        The header `Host`; a request without one is refused.
    origin : str or None
        The header `Origin`, which a browser sends with what may change something, and when it opens a WebSocket.
    """
    return host is not None and is_own_address(host) and (origin is None or is_own_address(origin))


def require_free(port: int, command: str) -> None:
    """Refuse a port that is none, or that another program listens on.

    Parameters
    ----------
    port : int
        The port.
    command : str
        The command of make that opens the page; the message names it.

    Raises
    ------
    PortError
        With another to try.
    """
    if not 0 < port < 2**16:
        raise PortError(
            f"There is no port {port}.",
            where=f"make {command} PORT={port}",
            rule=f"ports go from 1 to {2**16 - 1}.",
            remedy=f"'make {command}' without PORT takes its own.",
        )
    with socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise PortError(
                f"Port {port} is taken by another program.",
                where=f"{HOST}:{port}",
                rule="a page needs a port of its own.",
                remedy=f"stop that program, or choose another port: 'make {command} PORT={port + 1}'.",
            )
