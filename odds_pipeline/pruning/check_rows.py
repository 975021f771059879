"""Evaluations of asset checks: after their days, the newest of every check and partition stays.

Dagster shows the newest, and where that one is still under way or never came to an end, the newest that did. So both
stay.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from odds_pipeline.pruning.sweep import ROWS, SETTLED, Sweep

_NEWEST = """
    SELECT max(id), max(id) FILTER (WHERE execution_status <> 'PLANNED') FROM asset_check_executions
    GROUP BY asset_key, check_name, partition
"""

_DOOMED = sql.SQL("""
    SELECT evaluation.id
    FROM asset_check_executions AS evaluation LEFT JOIN runs AS run ON run.run_id = evaluation.run_id
    WHERE evaluation.id > %(after)s AND evaluation.id <> ALL(%(newest)s)
      AND coalesce(evaluation.evaluation_event_timestamp, evaluation.create_timestamp) < %(before)s
      AND (run.run_id IS NULL OR {settled})
    ORDER BY evaluation.id LIMIT {rows}
""").format(settled=SETTLED, rows=ROWS)

_DELETE = """
    WITH gone AS (
        DELETE FROM asset_check_executions WHERE id = ANY(%(ids)s)
        RETURNING execution_status, pg_column_size(evaluation_event) AS bytes
    )
    SELECT 'asset_check_executions', execution_status, count(*), sum(bytes) FROM gone GROUP BY execution_status
"""


def prune_check_rows(sweep: Sweep) -> None:
    """Thin out evaluations older than the days of the graphs."""
    before = sweep.policy.graphs_before
    with sweep.part("evaluations of checks"):
        newest = {kept for row in sweep.connection.execute(_NEWEST) for kept in row if kept is not None}
        parameters: dict[str, Any] = {"after": 0, "newest": list(newest), "before": before, **sweep.times(before)}
        while sweep.may_go_on():
            ids = [row[0] for row in sweep.connection.execute(_DOOMED, parameters)]
            if not ids:
                return
            with sweep.batch():
                sweep.delete(_DELETE, {"ids": ids})
            parameters["after"] = ids[-1]
