"""Lets dbt parse a project of one model: for much of what it reads, dbt makes code when it reads it for the first time.

The server does that once, so that no command has to. What comes of the parse is thrown away.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dbt.cli.main import dbtRunner

_FILES = {
    "dbt_project.yml": "{name: practice, version: '1.0', profile: practice}",
    "profiles.yml": "{practice: {target: one, outputs: {one: {type: duckdb, path: ':memory:'}}}}",
    "models/model.sql": "select 1 as number",
    "models/model.yml": "{models: [{name: model, columns: [{name: number, data_tests: [unique]}]}]}",
}
_QUIET = ("--quiet", "--log-level", "none", "--log-level-file", "none", "--no-send-anonymous-usage-stats")


def practise() -> bool:
    """Parse the project, and return whether that went well; the environment loses what dbt is told in it."""
    for variable in [name for name in os.environ if name.startswith("DBT_")]:
        del os.environ[variable]  # they are for another project; each command brings its own
    with _nobody_told(), TemporaryDirectory() as folder:
        for name, text in _FILES.items():
            file = Path(folder, name)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        parse = [*_QUIET, "parse", "--project-dir", folder, "--profiles-dir", folder]
        return all(dbtRunner().invoke(parse).success for _ in range(2))  # the second begins with what was parsed


@contextmanager
def _nobody_told() -> Iterator[None]:
    """Keep standard error from what is started meanwhile and stays.

    That is the tracker of semaphores, which all forked processes have in common then. When it ends, it would complain
    of one that was killed, as the audit's is.
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
