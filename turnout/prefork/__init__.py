"""Processes that begin with what another one has imported already.

Importing dbt is most of what a small dbt command costs. A server imports it once and forks for each command. A command
is a process of its own all the same: its memory, its folder, its environment and its lock of the warehouse end with it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

# The function behind dbt's command line, and what it imports.
DBT = "dbt.cli.main:cli"
DBT_IMPORTS = ("dbt.cli.main", "dbt.adapters.duckdb", "dbt.task.build")

# Where the server listens. Who is started by this process finds it there, and asks the same server.
SOCKET_VARIABLE = "TURNOUT_PREFORK_SOCKET"

_HERE = Path(__file__).parent
_servers: list[subprocess.Popen[bytes]] = []


def start(*imports: str) -> None:
    """Start a server, unless there is one. It imports modules meanwhile, and ends with this process.

    Parameters
    ----------
    *imports : str
        Names of modules, none of which starts a thread when it is imported. Default: those of dbt.
    """
    if SOCKET_VARIABLE in os.environ:
        return
    address = str(Path(mkdtemp(prefix="turnout."), "socket"))  # in a folder that nobody else may look into
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        # Nothing is written to its standard input. It is closed when this process ends, however that happens.
        server = subprocess.Popen(
            [sys.executable, "-P", str(_HERE / "server.py"), str(listening.fileno()), *(imports or DBT_IMPORTS)],
            pass_fds=[listening.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # an interruption from the keyboard is for the commands alone
        )
    _servers.append(server)
    os.environ[SOCKET_VARIABLE] = address


def command(function: str, *arguments: str) -> list[str]:
    """Return the command that calls a function in a process of its own; without a server it imports all by itself.

    Parameters
    ----------
    function : str
        `module:function`. It finds the arguments in `sys.argv`, as one that a package installs as a command does.
    *arguments : str
        The arguments.
    """
    # Nothing of the environment's packages is needed to ask; looking for them takes time.
    return [sys.executable, "-I", "-S", str(_HERE / "client.py"), function, *arguments]
