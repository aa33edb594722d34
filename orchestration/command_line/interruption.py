"""Ends a command at once and in one sentence when somebody stops it, whatever it is doing.

Python tells of a signal by an exception wherever the program happens to be. Libraries swallow it, or tell it as an
error of theirs, and Dagster takes signals over while it runs steps. So a thread of ours hears of each signal first.
It may end the process anywhere: what is written stands in transactions or is put in place whole, and what this process
has started ends with it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from functools import cache
from threading import Thread
from typing import TextIO

SIGNALS: Mapping[int, str] = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "a signal to terminate"}
SHOW_CURSOR = "\x1b[?25h"


@cache
def screen() -> TextIO:
    """Return where a person reads: past the steps, which redirect the process's own output to keep it with the run."""
    return os.fdopen(os.dup(sys.stderr.fileno()), "w")


def words(number: int) -> str:
    """Return what is said of a command that a signal has stopped."""
    return f"Stopped by {SIGNALS[number]}. What was finished is kept, nothing is half-written; run it again to go on."


def end_when_stopped() -> None:
    """From now on end this process, with the exit code that shells expect, when it is told to stop."""
    hears, tells = os.pipe()
    os.set_blocking(tells, False)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # such as in the background of a shell
            signal.signal(number, _wait)
    # Whoever sets a handler of its own later does not change that every signal is told here.
    signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
    Thread(target=_end, args=(hears,), daemon=True).start()


def _wait(number: int, _: object) -> None:
    """Go on with nothing until the process has ended."""
    time.sleep(5)
    raise KeyboardInterrupt(number)


def _end(hears: int) -> None:
    """Wait for a signal to stop, say so, and end."""
    while (number := os.read(hears, 1)[0]) not in SIGNALS:
        pass
    shown, nowhere = os.dup(screen().fileno()), os.open(os.devnull, os.O_WRONLY)
    for file in (1, 2, screen().fileno()):
        os.dup2(nowhere, file)  # nothing is said of what breaks now
    try:
        os.write(shown, f"{SHOW_CURSOR if os.isatty(shown) else ''}\n{words(number)}\n".encode())
    finally:
        os._exit(128 + number)
