"""What is remembered of every audit, in the warehouse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from turnout.records import SCHEMA, audits, opened, write
from turnout.records.audits import LeakageAudit, LeakageCoverage, LeakageDifference

if TYPE_CHECKING:
    from turnout.engines import Warehouse
    from turnout.leakage.result import Audit

TABLES = tuple(table.name for table in audits.TABLES)


def audits_until_now(warehouse: Warehouse) -> int:
    """Return how many audits there have been."""
    with opened(warehouse) as session:
        return int(session.rows(f"select count(distinct audit_id) as n from {SCHEMA}.leakage_audits")[0]["n"])


def remember(warehouse: Warehouse, audited: Sequence[Audit]) -> None:
    """Record audits in one transaction: what was compared, what differed, what could not be seen."""
    compared, differing, covered = [], [], []
    for found in audited:
        key = (found.audit_id, found.prediction.name)
        for comparison in found.comparisons:
            past = comparison.past
            compared.append(
                LeakageAudit(
                    *key,
                    audited_at=found.audited_at,
                    seed=found.seed,
                    cut_by=past.kind,
                    as_of_date=past.as_of_date,
                    compared_rows=comparison.compared_rows,
                    differing_columns=len(comparison.differences),
                    seconds=comparison.seconds,
                )
            )
            differing += [
                LeakageDifference(
                    *key,
                    cut_by=past.kind,
                    as_of_date=past.as_of_date,
                    column_name=difference.column,
                    differing_rows=difference.row_count,
                    first_model=difference.first_model or None,
                    shown=json.dumps(difference.shown),
                )
                for difference in comparison.differences
            ]
        covered += [
            LeakageCoverage(
                *key,
                source=source.source,
                is_audited=bool(source.audited_by),
                audited_by=", ".join(source.audited_by),
                remedy=source.remedy or None,
                acknowledged=source.acknowledged or None,
            )
            for source in found.coverage
        ]
    with warehouse.session() as session:
        write(
            session,
            {
                audits.LEAKAGE_AUDITS: [asdict(row) for row in compared],
                audits.LEAKAGE_DIFFERENCES: [asdict(row) for row in differing],
                audits.LEAKAGE_COVERAGE: [asdict(row) for row in covered],
            },
        )
