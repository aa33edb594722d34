"""A dbt process of its own that builds the same models again and again; `rebuild` starts it and speaks with it.

One line of JSON asks (`sample`, `variables`, `select`, `defer`), one line answers (`problem`, empty if all went well).
dbt is imported and the project parsed once, which is most of what a dbt command costs.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

# The schemas of the rebuilds begin with it. What people build with the target `audit` is left alone.
SCHEMA = "leakage_audit"
SCHEMA_VARIABLE = "TURNOUT_AUDIT_SCHEMA"

_QUIET = ("--quiet", "--no-use-colors", "--no-write-json", "--log-level-file", "none")


def main() -> None:
    """Answer until there is nothing more to read."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what dbt and its adapters print is no answer
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    target = ("--target", "audit", "--target-path", str(Path("target") / SCHEMA))
    parsed = dbtRunner().invoke([*_QUIET, "parse", *target])
    for line in sys.stdin:
        asked = json.loads(line)
        built = parsed
        if isinstance(parsed.result, Manifest):
            command = [*_QUIET, "run", *target, "--full-refresh", "--select", *asked["select"]]
            command += ["--vars", json.dumps(asked["variables"])]
            command += ["--sample", json.dumps(asked["sample"])] if asked["sample"] else []
            command += ["--defer", "--favor-state", "--state", asked["defer"]] if asked["defer"] else []
            built = dbtRunner(manifest=parsed.result).invoke(command)
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]  # who asked compares next
        problem = ""
        if not built.success:
            failed = [node for node in getattr(built.result, "results", []) if node.status == "error"]
            problem = "\n".join(f"{node.node.name}: {(node.message or '').strip()}" for node in failed)
            problem = problem or str(built.exception or "dbt stopped without saying why")
        print(json.dumps({"problem": problem}), file=answers, flush=True)


if __name__ == "__main__":
    main()
