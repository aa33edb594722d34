"""Asks the server for a process, lends it this one's files, and ends as it ends.

It is run by its path, without the environment's packages: `client.py module:function [argument ...]`.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

FORWARDED = (signal.SIGINT, signal.SIGTERM)
# How often it looks whether whoever started it is still there, in seconds.
LOOKS = 0.2

ALONE = """import sys
from importlib import import_module
sys.path.insert(0, "")
module, _, function = sys.argv.pop(1).partition(":")
sys.argv[0] = module
sys.exit(getattr(import_module(module), function)())"""


def main() -> None:
    """Ask, and wait for the end: of the process, or of whoever started this one."""
    parent = os.getppid()
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(os.environ.get("TURNOUT_PREFORK_SOCKET", ""))
        except OSError:  # the server is gone: it only saves time
            os.execv(sys.executable, [sys.executable, "-c", ALONE, *sys.argv[1:]])  # noqa: S606 - no shell
        request = {"arguments": sys.argv[1:], "folder": str(Path.cwd()), "environment": dict(os.environ)}
        socket.send_fds(server, [b"."], [0, 1, 2])
        server.sendall(json.dumps(request).encode() + b"\n")
        answers = server.makefile()
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)  # until it is known to whom they go
        process = int(answers.readline() or 0)
        if process:
            for number in FORWARDED:
                signal.signal(number, lambda number, _: os.kill(process, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        signal.signal(signal.SIGALRM, lambda *_: None if os.getppid() == parent else os._exit(1))  # the server kills it
        signal.setitimer(signal.ITIMER_REAL, LOOKS, LOOKS)
        code = int(answers.readline() or 1)
        signal.setitimer(signal.ITIMER_REAL, 0)
    if code < 0:
        for number in FORWARDED:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
