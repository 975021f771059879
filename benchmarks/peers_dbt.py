# pyright: reportMissingImports=false
"""A dbt snapshot of the loaded table, again and again, in the peers' own environment; ``peers_process.py`` talks to it.

Takes the connection's parts as JSON and a folder to work in; each line of its input means one snapshot, answered with
the seconds of ``dbtRunner().invoke``, those that it was computing, and those of the snapshot's statements. Everything
that makes dbt faster is given: the project is parsed before the clock starts, one number is the key, one column is
compared, and nothing that disappeared is looked for.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

_PROJECT = {
    "name": "offer",
    "version": "1.0",
    "profile": "offer",
    "flags": {"send_anonymous_usage_stats": False, "partial_parse": True},
}
_SNAPSHOTS = {
    "sources": [{"name": "peer_dbt", "schema": "peer_dbt", "tables": [{"name": "offer"}]}],
    "snapshots": [
        {
            "name": "versions",
            "relation": "source('peer_dbt', 'offer')",
            "config": {
                "schema": "peer_dbt",
                "unique_key": "market_key",
                "strategy": "check",
                "check_cols": ["fingerprint"],
                "hard_deletes": "ignore",
            },
        }
    ],
}
#: Without it dbt puts the target's schema before the name.
_SCHEMA_MACRO = "{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}"


def main(connection: str, folder: str) -> None:
    target = json.loads(connection) | {"type": "postgres", "schema": "peer_dbt", "threads": 1}
    _write(Path(folder), target)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what dbt prints is no answer
    from dbt.cli.main import dbtRunner

    options = ["--project-dir", folder, "--profiles-dir", folder, "--quiet", "--no-version-check"]
    parsed = dbtRunner().invoke(["parse", *options])
    if not parsed.success:
        raise SystemExit(f"dbt could not parse its project: {parsed.exception}")
    runner = dbtRunner(manifest=parsed.result)
    for _ in sys.stdin:
        started, computing = time.perf_counter(), time.process_time()
        done = runner.invoke(["snapshot", *options])
        taken = {"whole": time.perf_counter() - started, "computing": time.process_time() - computing}
        if not done.success:
            raise SystemExit(f"dbt's snapshot failed: {done.exception or [one.message for one in done.result]}")
        statements = sum(one.execution_time for one in done.result)
        print(json.dumps(taken | {"statements": statements}), file=answers)


def _write(folder: Path, target: dict[str, object]) -> None:
    """The project's files; JSON is YAML."""
    for name, content in {
        "dbt_project.yml": json.dumps(_PROJECT),
        "profiles.yml": json.dumps({"offer": {"target": "here", "outputs": {"here": target}}}),
        "snapshots/versions.yml": json.dumps(_SNAPSHOTS),
        "macros/schema.sql": _SCHEMA_MACRO,
    }.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    main(*sys.argv[1:])
