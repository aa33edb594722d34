"""Where pages open: on this machine alone, each on a port of its own. Superset's environment imports this as well."""

from __future__ import annotations

from socket import socket

from turnout.errors import TurnoutError

HOST = "127.0.0.1"


class PortError(TurnoutError):
    """A page cannot be opened on the port that was asked for."""


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
