"""Runs that nothing is left of, and finished backfills.

A row of ``runs`` stays while anything that is shown refers to it: a materialization or an evaluation that is kept (for
ever, where it is the newest), an evaluation of what it materialized, a run that was re-executed from it, a backfill
that is listed. So no page links to a run that is gone. The newest of every job and partition stays too: it says how
that stands.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from psycopg import sql

from odds_pipeline.pruning.compute_logs import ComputeLogs
from odds_pipeline.pruning.sweep import ROWS, RUNS, SETTLED, Sweep
from odds_pipeline.pruning.tables import OUTLINE

# Looked up once: none has an index on the run. An evaluation names the run of the materialization that it was made of;
# where that materialization is kept, it keeps its run itself. Found as text: a body need not be JSON to PostgreSQL.
_REFERRED_TO = r"""
    SELECT DISTINCT run_id FROM asset_check_executions WHERE run_id IS NOT NULL
    UNION SELECT target.run_id[1]
        FROM asset_check_executions AS evaluation CROSS JOIN LATERAL regexp_matches(
            evaluation.evaluation_event, '"target_materialization_data": *\{[^{}]*"run_id": *"([^"]+)"', 'g'
        ) AS target (run_id)
        WHERE NOT EXISTS (SELECT FROM event_logs WHERE id = evaluation.materialization_event_storage_id)
    UNION SELECT last_run_id FROM asset_keys WHERE last_run_id IS NOT NULL
    UNION SELECT run_id FROM runs WHERE id IN (SELECT max(id) FROM runs GROUP BY pipeline_name, partition)
"""

_IS_LEFT_ALONE = sql.SQL("""
    NOT EXISTS (
        SELECT FROM run_tags AS tag
        WHERE tag.key IN ('dagster/root_run_id', 'dagster/parent_run_id') AND tag.value = run.run_id
    )
    AND NOT EXISTS (SELECT FROM bulk_actions AS backfill WHERE backfill.key = run.backfill_id)
    AND NOT EXISTS (
        SELECT FROM event_logs AS event
        WHERE event.run_id = run.run_id
          AND (event.dagster_event_type IS NULL OR event.dagster_event_type <> ALL(%(outline)s))
    )
""")

_DOOMED = sql.SQL("""
    SELECT run.id, run.run_id FROM runs AS run
    WHERE run.id > %(after)s AND {settled} AND run.run_id <> ALL(%(referred_to)s) AND {left_alone}
    ORDER BY run.id LIMIT {runs}
""").format(settled=SETTLED, left_alone=_IS_LEFT_ALONE, runs=RUNS)

# Asked once more while deleting: somebody may have re-executed it since.
_DELETE = sql.SQL("""
    WITH gone AS (
        DELETE FROM runs AS run WHERE run.run_id = %(run)s AND {settled} AND {left_alone}
        RETURNING run.run_id, run.status, pg_column_size(run.run_body) AS bytes
    ), outlines AS (
        DELETE FROM event_logs USING gone WHERE event_logs.run_id = gone.run_id
        RETURNING dagster_event_type, pg_column_size(event) AS bytes
    )
    SELECT 'runs', status, count(*), sum(bytes) FROM gone GROUP BY status
    UNION ALL
    SELECT 'event_logs', dagster_event_type, count(*), sum(bytes) FROM outlines GROUP BY dagster_event_type
""").format(settled=SETTLED, left_alone=_IS_LEFT_ALONE)

_BACKFILLS = sql.SQL("""
    WITH doomed AS (
        SELECT key, status FROM bulk_actions
        WHERE status = ANY(%(over)s) AND timestamp < %(before)s
          AND coalesce(
              to_timestamp(substring(body FROM '"backfill_end_timestamp": *([0-9.]+)')::float),
              timestamp AT TIME ZONE 'UTC'
          ) < %(before)s
          AND NOT EXISTS (
              SELECT FROM runs AS run WHERE run.backfill_id = bulk_actions.key
                AND run.status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')
          )
        ORDER BY id LIMIT {rows}
    ), tags AS (DELETE FROM backfill_tags USING doomed WHERE backfill_tags.backfill_id = doomed.key),
    gone AS (
        DELETE FROM bulk_actions USING doomed WHERE bulk_actions.key = doomed.key
        RETURNING bulk_actions.status, pg_column_size(bulk_actions.body) AS bytes
    )
    SELECT 'bulk_actions', status, count(*), sum(bytes) FROM gone GROUP BY status
""").format(rows=ROWS)


def prune_backfills(sweep: Sweep) -> None:
    """Delete backfills that ended longer ago than failed runs are kept; their runs may go after that."""
    if not sweep.may_go_on():
        return
    over = [status.value for status in BULK_ACTION_TERMINAL_STATUSES]
    with sweep.part("backfills"), sweep.batch():
        sweep.delete(_BACKFILLS, {"over": over, "before": sweep.policy.failed_before})


def prune_runs(sweep: Sweep, files: ComputeLogs) -> None:
    """Delete the runs that are over for longer than the graphs reach back, and that nothing refers to."""
    with sweep.part("runs"):
        if not sweep.may_go_on():
            return
        parameters: dict[str, Any] = {
            "after": 0,
            "referred_to": [row[0] for row in sweep.connection.execute(_REFERRED_TO)],
            "outline": list(OUTLINE),
            **sweep.times(sweep.policy.graphs_before),
        }
        while sweep.may_go_on():
            runs = sweep.connection.execute(_DOOMED, parameters).fetchall()
            if not runs:
                return
            parameters["after"] = runs[-1][0]
            for _, run_id in runs:
                _delete(sweep, files, {**parameters, "run": run_id})


def _delete(sweep: Sweep, files: ComputeLogs, parameters: dict[str, Any]) -> None:
    """Delete a run, and its files when it went; it stays when they may not be deleted."""
    with suppress(_FilesLeft), sweep.batch():
        # The row first: it says whether the run may go. Killed in between, the row is back and is found again.
        if sweep.delete(_DELETE, parameters) and not files.delete(parameters["run"]):
            raise _FilesLeft


class _FilesLeft(Exception):
    """The files of a run may not be deleted."""
