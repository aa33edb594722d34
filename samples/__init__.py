"""What fills landing/ for the worked examples: one module per example.

Each module has `SOURCES`, the names of its dbt sources, and `land(landing)`, which puts their files below
`landing/<source>/<table>/` and returns the new ones. A file appears there whole, and only where there is
none yet: a sample never takes the place of a file that somebody sent. Without this folder, landing is filled
by whoever sends files.
"""

import os
from pathlib import Path


def partial(path: Path) -> Path:
    """Return the name of a file while it is being written; it begins with a dot, so that no loader looks at it."""
    return path.with_name(f".{path.name}.{os.getpid()}")


def holds_files(folder: Path) -> bool:
    """Return whether a table's folder in landing has a file, in whose place no sample may come."""
    return any(folder.glob("[!.]*"))
