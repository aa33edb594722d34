"""What becomes of a file: a load, or a place in quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Load:
    """One accepted file of one source table, immutable.

    Parameters
    ----------
    load_id : str
        From the file's content and how the contract reads it.
    source, table_name, file_name, file_hash : str
        Where it came from; the hash is the SHA-256 of the file.
    byte_count, row_count, refused_row_count : int
        Its size, the rows in the load, and those that were set aside.
    columns : tuple of str
        The columns that the file had; in place of those that were gathered the map that holds them.
    contract : str
        The terms it was accepted by, as JSON.
    loaded_at : datetime
        When it was accepted, UTC.
    path : str
        The load's Parquet file, from the project's folder.
    accepted_by, accepted_because : str, optional
        Who released it from quarantine, and why.
    """

    load_id: str
    source: str
    table_name: str
    file_name: str
    file_hash: str
    byte_count: int
    row_count: int
    refused_row_count: int
    columns: tuple[str, ...]
    contract: str
    loaded_at: datetime
    path: str
    accepted_by: str | None = None
    accepted_because: str | None = None


@dataclass(frozen=True)
class QuarantinedFile:
    """A file that was not accepted; `path` holds what arrived, `problem` says why in words."""

    load_id: str
    source: str
    table_name: str
    file_name: str
    file_hash: str
    byte_count: int
    contract: str
    quarantined_at: datetime
    failed_check: str
    problem: str
    remedy: str
    may_be_released: bool
    path: str
