"""Engines: the verbs that we ask of a warehouse, and who answers them.

`warehouse` says which verbs there are, `sql` how what is put into SQL is quoted, `duckdb` answers them on a DuckDB
file. `file` reads and writes DuckDB files that are handed on, whatever engine holds the warehouse. Nobody else holds a
connection or a lock, or writes SQL that only one engine reads: what engines say in different words is one of
`Expressions`. Another engine is another module here.
"""

from turnout.engines.sql import file_literal, identifier, literal
from turnout.engines.warehouse import Expressions, QueryError, RefusedRowError, Session, StorageError, Warehouse

__all__ = [
    "Expressions",
    "QueryError",
    "RefusedRowError",
    "Session",
    "StorageError",
    "Warehouse",
    "file_literal",
    "identifier",
    "literal",
]
