"""What is remembered of every audit, in the warehouse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from turnout.records import SCHEMA

if TYPE_CHECKING:
    from turnout.engines import Warehouse
    from turnout.leakage.result import Audit

TABLES = ("leakage_audits", "leakage_differences", "leakage_coverage")
DDL = (
    f"create schema if not exists {SCHEMA}",
    f"""create table if not exists {SCHEMA}.leakage_audits (
        audit_id varchar, prediction varchar, audited_at timestamp, seed integer, cut_by varchar, as_of_date date,
        compared_rows bigint, differing_columns integer, seconds double
    )""",
    f"""create table if not exists {SCHEMA}.leakage_differences (
        audit_id varchar, prediction varchar, cut_by varchar, as_of_date date, column_name varchar,
        differing_rows bigint, first_model varchar, shown varchar
    )""",
    f"""create table if not exists {SCHEMA}.leakage_coverage (
        audit_id varchar, prediction varchar, source varchar, is_audited boolean, audited_by varchar, remedy varchar,
        acknowledged varchar
    )""",
)


def audits_until_now(warehouse: Warehouse) -> int:
    """Return how many audits there have been."""
    if not warehouse.has_table(SCHEMA, "leakage_audits"):
        return 0
    sql = f"select count(distinct audit_id) as n from {SCHEMA}.leakage_audits"
    return int(warehouse.query(sql)["n"][0].as_py())


def remember(warehouse: Warehouse, audits: Sequence[Audit]) -> None:
    """Record audits in one transaction: what was compared, what differed, what could not be seen."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {(SCHEMA, table): [] for table in TABLES}
    for found in audits:
        key = {"audit_id": found.audit_id, "prediction": found.prediction.name}
        for comparison in found.comparisons:
            cut = {"cut_by": comparison.past.kind, "as_of_date": comparison.past.as_of_date}
            rows[SCHEMA, "leakage_audits"].append(
                {
                    **key,
                    "audited_at": found.audited_at,
                    "seed": found.seed,
                    **cut,
                    "compared_rows": comparison.compared_rows,
                    "differing_columns": len(comparison.differences),
                    "seconds": comparison.seconds,
                }
            )
            rows[SCHEMA, "leakage_differences"] += [
                {
                    **key,
                    **cut,
                    "column_name": difference.column,
                    "differing_rows": difference.row_count,
                    "first_model": difference.first_model or None,
                    "shown": json.dumps(difference.shown),
                }
                for difference in comparison.differences
            ]
        rows[SCHEMA, "leakage_coverage"] += [
            {
                **key,
                "source": covered.source,
                "is_audited": bool(covered.audited_by),
                "audited_by": ", ".join(covered.audited_by),
                "remedy": covered.remedy or None,
                "acknowledged": covered.acknowledged or None,
            }
            for covered in found.coverage
        ]
    warehouse.append(rows, DDL)
