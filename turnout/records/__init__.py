"""Records: what is remembered of loads, trainings, audits and reviews, every table said once.

`loads`, `trainings`, `audits`, `reviews` and `tracking` say the tables as dataclasses, whose instances are rows;
`table` makes columns and constraints of them, `sources` dbt's YAML, and `migrations` brings up what an earlier release
has written. The warehouse refuses a row that is not what is said here.
"""

from turnout.records.migrations import SCHEMA, TABLES, bring_up, opened, write
from turnout.records.table import Column, Relationship, Table, columns_of

__all__ = ["SCHEMA", "TABLES", "Column", "Relationship", "Table", "bring_up", "columns_of", "opened", "write"]
