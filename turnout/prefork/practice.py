"""Lets dbt parse a project of one model: for much of what it reads, dbt makes code when it reads it for the first time.

The server does that once, so that no command has to. What comes of the parse is thrown away.
"""

import os
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
    with TemporaryDirectory() as folder:
        for name, text in _FILES.items():
            file = Path(folder, name)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        parse = [*_QUIET, "parse", "--project-dir", folder, "--profiles-dir", folder]
        return all(dbtRunner().invoke(parse).success for _ in range(2))  # the second begins with what was parsed
