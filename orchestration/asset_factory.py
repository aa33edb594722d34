"""Makes the Dagster assets of what is declared: samples, source tables, predictions, records, publication."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Failure,
    MaterializeResult,
    MetadataValue,
    TableRecord,
    asset,
    multi_asset,
)

from ml.errors import TurnoutError
from orchestration.checks import require_passed_checks
from orchestration.dbt import asset_key, dbt_steps, upstream_sources
from orchestration.loading import SourceTable, current_load_ids, load, source_tables
from orchestration.project import WAREHOUSE_POOL, Project

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from ml.declaration import Prediction
    from ml.evaluation import Evaluation
    from ml.training import Training

SAMPLED_ROWS = 10


def landing_key(source: str) -> AssetKey:
    """Return the asset key of a source's folder in landing."""
    return AssetKey(["landing", source])


def model_versions_key(prediction: str) -> AssetKey:
    """Return the asset key of a prediction's model versions."""
    return AssetKey(["model_versions", prediction])


def scores_key(prediction: str) -> AssetKey:
    """Return the asset key of a prediction's scores; dbt's source declares the same one."""
    return AssetKey(["scores", prediction])


def landing_assets(project: Project) -> list[AssetsDefinition]:
    """Return an asset for every module in `samples/` that fills landing."""
    import samples

    modules = (importlib.import_module(f"samples.{found.name}") for found in pkgutil.iter_modules(samples.__path__))
    return [_landing_asset(project, module) for module in modules if hasattr(module, "SOURCE")]


def load_assets(project: Project, landed: set[AssetKey]) -> list[AssetsDefinition]:
    """Return an asset for every source table that is filled from landing."""
    return [_load_asset(project, table, landed) for table in source_tables(project.manifest)]


def prediction_assets(project: Project) -> list[AssetsDefinition]:
    """Return, for every declared prediction, its model versions and its scores."""
    return [
        made
        for prediction in project.predictions
        for made in (_model_versions_asset(project, prediction), _scores_asset(project, prediction))
    ]


def records_assets(project: Project) -> list[AssetsDefinition]:
    """Return one step with an asset for each table of the source `records`, after all trainings and loads."""
    nodes = [node for node in project.manifest["sources"].values() if node["source_name"] == "records"]
    trainings = [model_versions_key(prediction.name) for prediction in project.predictions]
    loads = [asset_key(project, table.unique_id) for table in source_tables(project.manifest)]
    specs = {
        node["identifier"]: AssetSpec(
            asset_key(project, node["unique_id"]),
            group_name="records",
            deps=loads if node["name"] == "loads" else trainings,
            description=node["description"],
            kinds={"duckdb"},
        )
        for node in nodes
    }
    if not specs:
        return []

    @multi_asset(specs=list(specs.values()), name="records", pool=WAREHOUSE_POOL, can_subset=True)
    def records(context: AssetExecutionContext) -> Iterator[MaterializeResult[Any]]:
        """Count and show what was remembered; the steps before this one wrote it."""
        for table, spec in specs.items():
            if spec.key in context.selected_asset_keys:
                with in_words():
                    project.warehouse.schema_of("records", table)
                    count = project.warehouse.query(f"select count(*) as n from records.{table}")["n"][0].as_py()
                    newest = project.warehouse.query(f"select * from records.{table} limit {SAMPLED_ROWS}")
                yield MaterializeResult(
                    asset_key=spec.key, metadata={"dagster/row_count": count, "sample": _table(newest)}
                )

    return [records]


def publication_asset(project: Project) -> AssetsDefinition:
    """Return the asset of the published file, downstream of every mart."""
    from orchestration.publication import marts_in, publish

    marts = marts_in(project.manifest)
    nodes = {node["name"]: node["unique_id"] for node in project.manifest["nodes"].values()}
    keys = [asset_key(project, nodes[name]) for name in marts]
    examples = [asset_key(project, prediction.unique_id) for prediction in project.predictions]

    @asset(key=AssetKey("publication"), deps=keys, group_name="publication", pool=WAREHOUSE_POOL, kinds={"duckdb"})
    def publication(context: AssetExecutionContext) -> MaterializeResult[Any]:
        """Switch the file that BI opens to new marts, all at once, after every test on them has passed."""
        with in_words():
            require_passed_checks(context.instance, dbt_steps(project), [*keys, *examples])
            rows = publish(project, marts)
        return MaterializeResult(
            metadata={
                "path": MetadataValue.path(str(project.published)),
                "bytes": project.published.stat().st_size,
                "tables": MetadataValue.table([TableRecord({"table": name, "rows": n}) for name, n in rows.items()]),
            }
        )

    return publication


@contextmanager
def in_words() -> Iterator[None]:
    """Turn a mistake that a person can mend into a Dagster failure that says so, without a traceback of ours."""
    try:
        yield
    except TurnoutError as error:
        raise Failure(description=str(error), allow_retries=False) from None


def _landing_asset(project: Project, module: Any) -> AssetsDefinition:  # noqa: ANN401 - a module has no protocol
    @asset(
        key=landing_key(module.SOURCE),
        group_name="landing",
        description=(module.__doc__ or "").split("\n\n")[0],
        kinds={"parquet"},
    )
    def landing() -> MaterializeResult[Any]:
        files = module.land(project.landing)
        return MaterializeResult(
            metadata={
                "files": MetadataValue.table(
                    [
                        TableRecord({"file": str(path.relative_to(project.landing)), "bytes": path.stat().st_size})
                        for path in files
                    ]
                )
            }
        )

    return landing


def _load_asset(project: Project, table: SourceTable, landed: set[AssetKey]) -> AssetsDefinition:
    node = project.manifest["sources"][table.unique_id]
    key = landing_key(table.source)

    @asset(
        key=asset_key(project, table.unique_id),
        deps=[key] if key in landed else [],
        group_name="raw",
        description=node["description"],
        pool=WAREHOUSE_POOL,
        kinds={"parquet"},
    )
    def raw() -> MaterializeResult[Any]:
        with in_words():
            loaded = load(project, table)
        sample = project.warehouse.query(
            f'select * exclude (_load_id, _loaded_at) from "{table.schema}"."{table.identifier}" limit {SAMPLED_ROWS}'
        )
        return MaterializeResult(
            metadata={
                "dagster/row_count": loaded.row_count,
                "load_id": loaded.load_id,
                "loaded_at (UTC)": str(loaded.loaded_at),
                "file": loaded.file_name,
                "bytes": loaded.byte_count,
                "sample": _table(sample),
            }
        )

    return raw


def _model_versions_asset(project: Project, prediction: "Prediction") -> AssetsDefinition:
    examples = asset_key(project, prediction.unique_id)
    upstream = upstream_sources(project.manifest, prediction.unique_id)
    tables = [table for table in source_tables(project.manifest) if table.unique_id in upstream]

    @asset(
        key=model_versions_key(prediction.name),
        deps=[examples],
        group_name="model_versions",
        description=f"Candidates for {prediction.name}, trained, judged on the holdout; the best may become champion.",
        pool=WAREHOUSE_POOL,
        kinds={"scikitlearn"},
    )
    def model_versions(context: AssetExecutionContext) -> MaterializeResult[Any]:
        from ml.plots import calibration_and_gain
        from ml.records import Provenance
        from ml.training import train

        with in_words():
            require_passed_checks(context.instance, dbt_steps(project), [examples])
            provenance = Provenance(project.code_version(), current_load_ids(project.warehouse, tables))
            training = train(project.warehouse, prediction, project.model_versions, provenance)
        title = f"{prediction.name}, version {training.version.version} ({training.version.candidate}), holdout"
        plot = calibration_and_gain(prediction.task, training.holdout_label, training.holdout_predicted, title=title)
        return MaterializeResult(metadata=_training_metadata(prediction, training) | {"plot": _image(plot)})

    return model_versions


def _scores_asset(project: Project, prediction: "Prediction") -> AssetsDefinition:
    examples = asset_key(project, prediction.unique_id)

    @asset(
        key=scores_key(prediction.name),
        deps=[examples, model_versions_key(prediction.name)],
        group_name="scores",
        description=f"The champion's scores of {prediction.name} for the latest as-of date.",
        pool=WAREHOUSE_POOL,
        kinds={"duckdb"},
    )
    def scores(context: AssetExecutionContext) -> MaterializeResult[Any]:
        from ml.scoring import score

        with in_words():
            require_passed_checks(context.instance, dbt_steps(project), [examples])
            scoring = score(project.warehouse, prediction, project.model_versions)
        if scoring is None:
            context.log.warning(f"{prediction.name} has no champion yet: no candidate beat the baseline.")
            return MaterializeResult(metadata={"dagster/row_count": 0, "champion": "none yet: nothing was scored"})
        sample = project.warehouse.query(
            f'select * from scores."{prediction.name}" where "{prediction.as_of}" = ? order by score desc '
            f"limit {SAMPLED_ROWS}",
            (scoring.as_of_date,),
        )
        return MaterializeResult(
            metadata={
                "dagster/row_count": scoring.row_count,
                "as-of date": str(scoring.as_of_date),
                "model version": scoring.model_version,
                "highest scores": _table(sample),
            }
        )

    return scores


def _training_metadata(prediction: "Prediction", training: "Training") -> dict[str, Any]:
    version, decision, split = training.version, training.decision, training.split
    everybody = [found for found in training.evaluations if not found.group_column]
    in_groups = [found for found in training.evaluations if found.group_column and found.candidate == version.candidate]
    return {
        "version": version.version,
        "candidate": version.candidate,
        "is promoted": decision.is_promoted,
        "decision": decision.reason,
        "training": f"{split.training[0]} to {split.training[-1]}, {len(split.training)} as-of dates",
        "gap": f"{prediction.gap_days} days, {len(split.gap)} as-of dates",
        "holdout": f"{split.holdout[0]} to {split.holdout[-1]}, {len(split.holdout)} as-of dates",
        "data fingerprint": version.data_fingerprint,
        "code version": version.code_version,
        "loads": MetadataValue.json(list(version.load_ids)),
        "leaderboard": _metrics_table(everybody, lambda found: found.candidate, "candidate"),
        "by group": _metrics_table(in_groups, lambda found: f"{found.group_column} = {found.group_value}", "group"),
        "seconds": MetadataValue.json({name: round(value, 2) for name, value in training.seconds.items()}),
    }


def _metrics_table(evaluations: "list[Evaluation]", name: "Callable[[Evaluation], str]", heading: str) -> Any:  # noqa: ANN401
    """Show a row for each name, a column for each metric."""
    rows: dict[str, dict[str, Any]] = {}
    for found in evaluations:
        row = rows.setdefault(name(found), {heading: name(found), "examples": found.example_count})
        row[found.metric] = "undefined" if found.value is None else f"{found.value:.4g}"
    return MetadataValue.table([TableRecord(row) for row in rows.values()]) if rows else MetadataValue.text("no groups")


def _table(rows: "pa.Table") -> Any:  # noqa: ANN401 - TableMetadataValue is generic over records
    records = [
        TableRecord(
            {name: value if isinstance(value, (int, float, bool)) else str(value) for name, value in row.items()}
        )
        for row in rows.to_pylist()
    ]
    return MetadataValue.table(records) if records else MetadataValue.text("no rows")


def _image(png: bytes) -> Any:  # noqa: ANN401 - a MarkdownMetadataValue
    from base64 import b64encode

    return MetadataValue.md(f"![calibration and gain](data:image/png;base64,{b64encode(png).decode()})")
