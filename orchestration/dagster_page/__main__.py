"""Dagster's `dg`; the webserver that it starts is ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dagster._cli import dev
from dagster_dg_cli.cli import main
from dagster_shared.ipc import open_ipc_subprocess

THEIRS, OURS = "dagster_webserver", "orchestration.dagster_page.webserver"


def start(parts: Sequence[str], **options: Any) -> Any:  # noqa: ANN401 - as Dagster has it
    """Start a process of Dagster's; of the webserver, ours."""
    return open_ipc_subprocess([OURS if part == THEIRS else part for part in parts], **options)


if __name__ == "__main__":
    dev.open_ipc_subprocess = start  # type: ignore[attr-defined]
    main()  # type: ignore[no-untyped-call]
