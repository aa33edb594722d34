"""`python -m bi` sets Superset up, once, and opens it on loopback.

Mistakes that a person can mend are printed in words, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from contextlib import redirect_stderr, redirect_stdout

from bi.state import State, this_state
from orchestration.loopback import HOST, require_free
from turnout.errors import TurnoutError

PORT = 8088
# One process: SQLite has one writer. Threads wait for DuckDB, which uses all cores by itself.
THREADS = 8


class ServingError(TurnoutError):
    """Superset cannot be opened."""


def main() -> None:
    """Set up if anything has changed, say where it opens and who may log in, and serve."""
    parser = argparse.ArgumentParser(prog="python -m bi", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}")
    port = parser.parse_args().port
    state = this_state()
    try:
        require_publication(state)
        require_free(port, "bi")
        serve(state, port)
    except TurnoutError as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit(130)


def require_publication(state: State) -> None:
    """Refuse to open dashboards of nothing.

    Raises
    ------
    ServingError
        If nothing has been published, or an earlier release has.
    """
    from bi.publication import open_publication

    problem = "There is no publication yet."
    if state.published.exists():
        connection = open_publication(state.published)
        if connection.execute("from duckdb_tables() where table_name = 'freshness'").fetchall():
            connection.close()
            return
        problem = "The publication was made by an earlier release, which did not tell what the dashboards show."
    raise ServingError(
        problem,
        where=str(state.published),
        rule="dashboards show what was tested and published, nothing else.",
        remedy="'make run' publishes.",
    )


def serve(state: State, port: int) -> None:
    """Set up if anything has changed, and replace this process by Superset's server.

    Raises
    ------
    TurnoutError
        If it is served already, or the dashboards cannot be imported.
    """
    hold(state)
    os.environ["SUPERSET_HOME"] = str(state.folder)
    os.environ["SUPERSET_CONFIG_PATH"] = str(state.root / "bi" / "superset_config.py")
    os.environ["PYTHONPATH"] = str(state.root)
    if not state.is_set_up:
        from bi.setting_up import set_up

        say("Setting up the dashboards (a minute the first time)")
        # Superset tells of each of its tables.
        with (state.folder / "set_up.log").open("w") as log, redirect_stdout(log), redirect_stderr(log):
            set_up(state)
        del os.environ["TURNOUT_SUPERSET_METADATA"]
    say(f"Dashboards open on http://{HOST}:{port} (stop them with Ctrl-C)")
    # On a terminal its owner reads along; a log may be kept and read by others.
    if sys.stdout.isatty():
        say(f"User reader, password {state.passwords['reader']}; all accounts are in {state.credentials}")
    else:
        say(f"Users and passwords are in {state.credentials}")
    os.chdir(state.root)
    program = [sys.executable, "-m", "gunicorn", "--bind", f"{HOST}:{port}", "--worker-class", "gthread"]
    one = ["--workers", "1", "--threads", str(THREADS), "--timeout", "120", "--log-level", "warning"]
    # It would open a second door, in the home of who starts it.
    closed = ["--no-control-socket"]
    os.execv(sys.executable, [*program, *one, *closed, "superset.app:create_app()"])  # noqa: S606 - our own program, no shell


def hold(state: State) -> None:
    """Hold the state until the server ends: it inherits the lock.

    Raises
    ------
    ServingError
        If another server holds it.
    """
    state.make_folder()
    lock = os.open(state.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ServingError(
            "The dashboards of this project are open already.",
            where=str(state.folder),
            rule="one server at a time has the state.",
            remedy="look for the terminal that it runs in, and stop it there with Ctrl-C.",
        ) from None


def say(text: str) -> None:
    """Print at once, also into a file."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
