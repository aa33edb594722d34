"""Imports modules once, and forks a process for everybody who asks: `client` says how.

It is run by its path, so that nothing of a project is imported before a process stands in the project's folder:
`server.py socket [module ...]`. It ends when its standard input is closed.
"""

import atexit
import gc
import json
import logging
import os
import select
import shutil
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from runpy import run_path
from typing import Any


def main() -> None:
    """Serve until whoever started this process has ended."""
    atexit.register(_say_no_more)  # as the first, so it is called as the last
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        for name in sys.argv[2:]:
            import_module(name)
        if "dbt.cli.main" in sys.modules:
            run_path(str(Path(__file__).with_name("practice.py")))["practise"]()
            gc.collect()
        gc.freeze()  # what is imported is no garbage, and to look through it would copy it into each forked process
        logging.root.handlers.clear()  # dbt adds one as it is imported, which others would write to
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the forked ones tell of themselves
        while listening in select.select([listening, sys.stdin], [], [])[0]:
            asking, _ = listening.accept()
            if os.fork() == 0:
                break
            asking.close()
        else:
            shutil.rmtree(Path(listening.getsockname()).parent)
            return
    _answer(asking)


def _say_no_more() -> None:
    """Let nobody hear how Python ends: extensions tell that what is frozen is still there."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _answer(asking: socket.socket) -> None:
    """Fork the process that is asked for; wait for its end and tell it, or be that process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(asking, 1, 3)
    with asking:
        with asking.makefile() as lines:
            request = json.loads(lines.readline())
        process = os.fork()
        if process:
            for file in files:
                os.close(file)
            asking.sendall(f"{process}\n".encode())
            threading.Thread(target=_kill_with, args=(asking, process), daemon=True).start()
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            with suppress(ConnectionError):  # nobody is left to be told
                asking.sendall(f"{code}\n".encode())
            return
    _run(request, files)


def _kill_with(asking: socket.socket, process: int) -> None:
    """Kill a process whose client was killed before it."""
    with suppress(ConnectionResetError):
        asking.recv(1)
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _run(request: dict[str, Any], files: list[int]) -> None:
    """Call a function as if this process had been started for it."""
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    module, _, function = request["arguments"][0].partition(":")
    sys.argv = [module, *request["arguments"][1:]]
    sys.path[:0] = [request["folder"], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.exit(getattr(import_module(module), function)())


if __name__ == "__main__":
    main()
