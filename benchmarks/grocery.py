"""The examples of the grocery data, as `make run` has left them: a copy, so that the warehouse stays as it is.

Only the records of trainings are not taken over, so that the first training here is the first of all.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ml.declaration import Prediction
from orchestration.project import predictions_of, this_project
from turnout.engines.duckdb import DuckDB
from turnout.errors import WarehouseError

# Beside it stand the predictions of the other example.
DECLARED_IN = "models/predictions/grocery/"


def grocery(folder: Path) -> tuple[DuckDB, tuple[Prediction, ...]]:
    """Return a copy of the warehouse in a folder, and what is declared about households.

    Raises
    ------
    WarehouseError
        If there is no warehouse yet.
    """
    project = this_project()
    if not project.warehouse.path.exists():
        raise WarehouseError(
            "There is no warehouse yet.",
            where=str(project.warehouse.path),
            rule="this benchmark trains on the examples that a run of the pipeline builds.",
            remedy="run 'make run' first; it takes some minutes.",
        )
    copied = DuckDB(Path(shutil.copy(project.warehouse.path, folder / "examples.duckdb")))
    with copied.session() as session:
        session.drop_schemas("records")
    predictions = (found for found in predictions_of(project) if found.examples.file.startswith(DECLARED_IN))
    return copied, tuple(predictions)
