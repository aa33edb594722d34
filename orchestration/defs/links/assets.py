"""An asset for the table of every declared link: which record of one dbt model is which of another."""

# Dagster reads the annotation of `context` itself, so annotations are not postponed in this module.
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    ComponentLoadContext,
    Definitions,
    MaterializeResult,
    ResourceParam,
    asset,
    definitions,
)

from orchestration.check_results import CheckResults
from orchestration.failures import as_dagster_failure
from orchestration.keys import WAREHOUSE_POOL, asset_key
from orchestration.metadata import table
from orchestration.project import links_of
from turnout.linking.declaration import Link
from turnout.project.paths import Project

if TYPE_CHECKING:
    from turnout.linking.linkage import Linkage


@definitions
def defs(context: ComponentLoadContext) -> Definitions:
    """Return an asset for each link."""
    project = Project(context.project_root)
    return Definitions(assets=[_link_asset(project, declared) for declared in links_of(project)])


def _link_asset(project: Project, declared: Link) -> AssetsDefinition:
    models = [asset_key(project, declared.unique_id), asset_key(project, declared.to_unique_id)]

    @asset(
        key=AssetKey(["links", declared.table]),  # dbt's source declares the same one
        deps=models,
        group_name="links",
        description=f"Which record of {declared.model} is which of {declared.to}, and how sure that is.",
        pool=WAREHOUSE_POOL,
        kinds={"duckdb"},
    )
    def links(context: AssetExecutionContext, check_results: ResourceParam[CheckResults]) -> MaterializeResult[Any]:
        from turnout.linking.linkage import link

        with as_dagster_failure():
            check_results.require_passed(context.instance, context.asset_key)
            linkage = link(project.warehouse, declared)
        if linkage.undecided:
            context.log.info(f"{linkage.undecided} records have several candidates alike, so none of them was taken.")
        return MaterializeResult(metadata=_metadata(linkage, declared))

    return links


def _metadata(linkage: "Linkage", declared: Link) -> dict[str, Any]:
    """Show counts and weights; no value of a record, which may be personal."""
    estimated = {} if linkage.share_there is None else {"share that is there, estimated": linkage.share_there}
    return {
        "dagster/row_count": linkage.found,
        "records": linkage.records,
        "found": linkage.found,
        "share found": round(linkage.share_found, 4),
        **estimated,
        "found among": linkage.pool,
        "several candidates alike": linkage.undecided,
        "accepted above": declared.accept_above,
        "pairs compared": linkage.pairs,
        "probability of the best candidate": table(
            [{"probability": band, "records": count} for band, count in linkage.bands.items()]
        ),
        "weights": table(
            [
                {
                    "column": one.column,
                    "alike": one.level,
                    "of the same (m)": one.m,
                    "of others (u)": one.u,
                    "weight in bits": round(one.bits, 1),
                }
                for one in linkage.weights
            ]
        ),
    }
