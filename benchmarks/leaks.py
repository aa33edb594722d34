"""Which check catches which leak, and does the honest project raise an alarm?

The leaks of `benchmarks.planted_leaks` are planted into a copy of this project on the real data, each as a prediction
of its own, and what the engine says is compared with what it must say. The honest predictions are looked at in the same
way. Loads are given dates of the past, as if the files had come while the year went on: what is landed for a second
time, with late rows and other demographics, has come in the middle of December.

Run it with `.venv/bin/python -m benchmarks.leaks [part]`: with every part-th household only.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import duckdb
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.planted_leaks import (
    CANDIDATE,
    COVERAGE,
    DECLARATION,
    EXAMPLES,
    HONEST,
    KEY,
    LABEL,
    LATER_EVENTS,
    LATER_LOADS,
    LEAKS,
    Leak,
    finding,
)
from ml.declaration import SearchBudget, predictions_in
from ml.examples.inspection import inspect
from ml.examples.reading import read_matured
from ml.features.review import review
from ml.models.candidates import Candidate
from ml.training.training import train
from orchestration.project import predictions_named, this_project
from samples import complete_journey
from turnout.errors import DeclarationError, ExamplesError, ModelError
from turnout.leakage.audit import audit
from turnout.loading.contract import source_tables
from turnout.loading.loader import load_landed
from turnout.loading.quarantine import accept
from turnout.loading.register import Register
from turnout.project.examples_table import ExamplesTable
from turnout.project.manifest import manifest_of
from turnout.project.paths import Project
from turnout.project.provenance import Provenance

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from turnout.leakage.result import Audit

# The real predictions, and of what households a smaller sample is taken.
HONEST_PREDICTIONS = ("household_lapse", "household_spend")
HOUSEHOLD_TABLES = ("transactions", "demographics", "campaigns", "coupon_redemptions")
TABLES = (*HOUSEHOLD_TABLES, "products", "campaign_descriptions", "coupons")
# Two as-of dates of each prediction, of which the last matured one comes after the first loads and before the others.
FIRST_LOADED, LOADED_AGAIN = "2017-01-01", "2017-12-15"
AUDITED_DATES = 2
# For alarms without a leak, more of them.
HONEST_DATES = 10

_YAML = """
models:
  - name: {model}
    config:
      meta:
        prediction:
          task: binary
          entity: household_id
          as_of: as_of_date
          label: has_lapsed
          horizon_days: 28
    data_tests:
      - unique_combination:
          name: {model}_key
          arguments: {{ columns: [household_id, as_of_date] }}
    columns: [{{ name: household_id }}, {{ name: as_of_date }}, {{ name: has_lapsed }}]
"""

_KINDS = {"event_time": LATER_EVENTS, "loaded_at": LATER_LOADS, "label_window": LABEL}


@dataclass(frozen=True)
class Verdicts:
    """What the engine said.

    Parameters
    ----------
    checks : mapping of leak to checks
        Those that caught it.
    alarms : mapping of prediction to checks
        Those that were raised by the honest predictions.
    comparisons : int
        How often the honest predictions were compared with a past that was built again.
    """

    checks: Mapping[str, tuple[str, ...]]
    alarms: Mapping[str, tuple[str, ...]]
    comparisons: int


def judge(folder: Path, part: int) -> Verdicts:
    """Plant every leak into a copy of this project in a folder, and return what the engine says of it."""
    project = _copy(folder)
    _land(project, part)
    _load(project, {})
    planted = [leak for leak in LEAKS.values() if leak.sql]
    for leak in planted:
        target = project.dbt / "models" / "predictions" / "planted" / leak.model
        target.parent.mkdir(exist_ok=True)
        target.with_suffix(".sql").write_text(leak.sql.replace("{honest}", HONEST))
        target.with_suffix(".yml").write_text(_YAML.format(model=leak.model))
    project = Project(folder)  # reads what is planted
    repeated = _build(project)
    found: dict[str, list[str]] = {name: [] for name in LEAKS}
    for leak in planted:
        found[leak.name] += [KEY] if f"{leak.model}_key" in repeated else []
    _examine(project, planted, found, when="before loads tell")
    _load(project, dict.fromkeys(TABLES, FIRST_LOADED))
    honest = audit(project, _examples_of(project, HONEST_PREDICTIONS), dates=HONEST_DATES, seed=0)
    alarms = {made.prediction.name: tuple(_said(made, "")) + tuple(_reviewed(project, made)) for made in honest}
    _examine(project, planted, found, when="now")
    _check_declarations(project, found)
    _check_candidates(project, found)
    _land_again(project)
    _load(project, {"transactions": LOADED_AGAIN, "demographics": LOADED_AGAIN})
    _build(project)
    _examine(project, planted, found, when="after late files")
    comparisons = sum(len(made.comparisons) for made in honest)
    return Verdicts({name: tuple(dict.fromkeys(checks)) for name, checks in found.items()}, alarms, comparisons)


def _copy(folder: Path) -> Project:
    for name in ("dbt_project", "turnout", "ml", "orchestration"):
        shutil.copytree(this_project().root / name, folder / name, ignore=shutil.ignore_patterns("target", "logs"))
    return Project(folder)


def _land(project: Project, part: int) -> None:
    complete_journey.land(project.landing)
    for name in HOUSEHOLD_TABLES if part > 1 else ():
        (file,) = (project.landing / complete_journey.SOURCES[0] / name).iterdir()
        smaller = file.with_name("part.parquet")
        duckdb.sql(f"copy (from '{file}' where household_id % {part} = 0) to '{smaller}' (format parquet)")
        file.unlink()


def _land_again(project: Project) -> None:
    """Land purchases and demographics once more: with baskets that come late, and with other incomes."""
    changes = {
        "transactions": """from {file} union all
            select * replace (basket_id + 900000000000 as basket_id) from {file}
            where transaction_timestamp >= '2017-11-25' and transaction_timestamp < '2017-12-02'
            and basket_id % 50 = 1""",
        "demographics": "select * replace (if(household_id % 40 = 0, '250K+', income::varchar) as income) from {file}",
    }
    for name, sql in changes.items():
        (file,) = (project.landing / complete_journey.SOURCES[0] / name).iterdir()
        again = sql.format(file=f"'{file}'")
        duckdb.sql(f"copy ({again}) to '{file.with_name('again.parquet')}' (format parquet)")


def _load(project: Project, days: Mapping[str, str]) -> None:
    """Load what stands in landing, and let the newest load of each table have come on a day of the past."""
    for table in source_tables(manifest_of(project)):
        if table.name not in TABLES:
            continue
        for refused in load_landed(project, table).blocking:
            accept(project, [table], refused.load_id, "It is to be found by the audit.")
        if table.name in days:
            with duckdb.connect(project.warehouse.path) as connection:
                connection.execute(
                    """update records.loads set loaded_at = ?::timestamp where table_name = ?
                       and loaded_at > timestamp '2018-01-01'""",
                    [days[table.name], table.name],
                )
            Register(project.warehouse, project.root, table).show()


def _build(project: Project) -> set[str]:
    """Build the predictions with all that they are made from, and return the tests that failed."""
    dbt = str(Path(sys.executable).with_name("dbt"))
    models = [f"+{name}" for name in HONEST_PREDICTIONS] + [f"{leak.model}" for leak in LEAKS.values() if leak.sql]
    subprocess.run(
        [dbt, "build", "--exclude-resource-type", "unit_test", "--indirect-selection", "cautious", "--select", *models],
        cwd=project.dbt,
        env={**os.environ, "PYTHONPATH": str(project.root)},
        capture_output=True,
        check=False,
    )
    results = json.loads((project.dbt / "target" / "run_results.json").read_bytes())["results"]
    broken = [result["message"] for result in results if result["status"] == "error"]
    assert not broken, broken
    return {result["unique_id"].split(".")[2] for result in results if result["status"] == "fail"}


def _examine(project: Project, leaks: Sequence[Leak], found: dict[str, list[str]], *, when: str) -> None:
    """Let every check of examples look at the planted predictions of one state of the warehouse."""
    wanted = {leak.model: leak for leak in leaks if leak.when == when}
    for made in audit(project, _examples_of(project, list(wanted)), dates=AUDITED_DATES, seed=0):
        leak = wanted[made.prediction.name]
        found[leak.name] += [*_said(made, "planted" if " as planted " in leak.sql else "")]
        if when != "after late files":
            found[leak.name] += [*_reviewed(project, made)]
        if when == "before loads tell":
            found[leak.name] += [COVERAGE] * ("complete_journey.demographics" in {s.source for s in made.unaudited})


def _examples_of(project: Project, predictions: Sequence[str]) -> list[ExamplesTable]:
    return [prediction.examples for prediction in predictions_named(project, predictions)]


def _said(made: Audit, column: str) -> Iterator[str]:
    """Yield the kinds of pasts in which a column, or anything, differed."""
    for comparison in made.comparisons:
        if any(difference.column == column or not column for difference in comparison.differences):
            yield _KINDS[comparison.past.kind]


def _reviewed(project: Project, made: Audit) -> Iterator[str]:
    (prediction,) = predictions_named(project, [made.prediction.name])
    try:
        for told in review(project.warehouse, prediction, made.differing).unacknowledged:
            yield finding(told.name)
    except ExamplesError:
        yield EXAMPLES


def _check_declarations(project: Project, found: dict[str, list[str]]) -> None:
    for leak in LEAKS.values():
        if not leak.declares:
            continue
        manifest = copy.deepcopy(manifest_of(project))
        (honest,) = predictions_named(project, ["household_lapse"])
        manifest["nodes"][honest.examples.unique_id]["config"]["meta"]["prediction"].update(leak.declares)
        try:
            predictions_in(manifest)
        except DeclarationError:
            found[leak.name].append(DECLARATION)


def _check_candidates(project: Project, found: dict[str, list[str]]) -> None:
    (prediction,) = predictions_named(project, ["household_lapse"])
    with project.warehouse.session() as session:
        held = inspect(session, prediction)
        matured = read_matured(session, prediction, held.features)
    numbers = [feature.name for feature in held.features if feature.kind == "numeric"]
    for leak in LEAKS.values():
        if not leak.candidate:
            continue
        made = _candidate(leak.candidate, numbers, matured[numbers], matured[prediction.examples.label])
        search = replace(prediction.search, candidates=(Candidate("benchmark.ours"),), budget=SearchBudget(trials=0))
        ours = replace(prediction, search=search)
        try:
            with patch("ml.models.candidates.Candidate.pipeline", lambda *_, made=made: copy.deepcopy(made)):
                train(project.warehouse, ours, project.model_versions, Provenance("benchmark", ()))
        except ModelError:
            found[leak.name].append(CANDIDATE)


def _candidate(kind: str, numbers: list[str], everything: Any, label: Any) -> Pipeline:  # noqa: ANN401 - data frames
    """Return a candidate that has learned from all examples, or learns from those it scores."""
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_selection import SelectKBest
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler, scale

    preprocess = ColumnTransformer([("numbers", SimpleImputer(), numbers)])
    filled = SimpleImputer().fit_transform(everything)
    step = {
        "fitted scaler": lambda: StandardScaler().fit(filled),
        "fitted selection": lambda: SelectKBest(k=5).fit(filled, label),
        "scaled while scoring": lambda: FunctionTransformer(scale),
    }[kind]()
    return Pipeline([("preprocess", preprocess), ("planted", step), ("estimator", LogisticRegression(max_iter=1000))])


def main() -> None:
    """Plant every leak, and print who caught it."""
    part = int(sys.argv[1]) if sys.argv[1:] else 1
    console = Console() if sys.stdout.isatty() else Console(width=200)
    with tempfile.TemporaryDirectory() as folder:
        outcome = judge(Path(folder).resolve(), part)
    table = Table(title="planted leaks", box=SIMPLE_HEAD)
    for heading in ("kind", "leak", "caught by", "as expected"):
        table.add_column(heading)
    for name, leak in LEAKS.items():
        checks = outcome.checks[name]
        is_expected = set(leak.caught_by) <= set(checks) and bool(checks) == bool(leak.caught_by)
        said = "; ".join(checks) or f"nothing. {leak.missed_because}"
        table.add_row(leak.kind, name, said, "yes" if is_expected else f"NO: {'; '.join(leak.caught_by) or 'nothing'}")
    console.print(table)
    planted = [leak.name for leak in LEAKS.values() if leak.sql or leak.declares or leak.candidate]
    caught = sum(bool(outcome.checks[name]) for name in planted)
    console.print(f"caught: {caught} of {len(planted)} that were planted; nothing can be planted for the others")
    for name, alarms in outcome.alarms.items():
        console.print(f"honest {name}: {', '.join(alarms) or 'no alarm'}")
    console.print(f"honest predictions were compared {outcome.comparisons} times with a past that was built again")


if __name__ == "__main__":
    main()
