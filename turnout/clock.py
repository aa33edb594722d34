"""The time that we write down: UTC, whatever the machine's zone is."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the instant in UTC without a zone, as every table keeps instants."""
    return datetime.now(UTC).replace(tzinfo=None)
