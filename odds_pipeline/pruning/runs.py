"""Runs that nothing is left of, finished backfills, and the snapshots of jobs and plans that no run refers to any more.

A row of ``runs`` stays while anything that is shown refers to it: a materialization or an evaluation that is kept (for
ever, where it is the newest), a run that was re-executed from it, a backfill that is listed. So no page links to a run
that is gone. The newest of every job and partition stays too: it says how that stands.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from psycopg import sql

from odds_pipeline.pruning.compute_logs import ComputeLogs
from odds_pipeline.pruning.sweep import ROWS, RUNS, SETTLED, Sweep
from odds_pipeline.pruning.tables import OUTLINE

# Looked up once: neither has an index on the run.
_REFERRED_TO = """
    SELECT DISTINCT run_id FROM asset_check_executions WHERE run_id IS NOT NULL
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

# Asked once more while deleting: somebody may have re-executed one of them since.
_DELETE = sql.SQL("""
    WITH gone AS (
        DELETE FROM runs AS run WHERE run.run_id = ANY(%(runs)s) AND {settled} AND {left_alone}
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

# Snapshots carry no time. But one that is older than a snapshot which a run of an hour ago refers to is not one that is
# being stored right now for a run that does not exist yet.
_SNAPSHOTS = """
    SELECT snapshot_id, snapshot_type, id < coalesce((
        SELECT max(used.id) FROM snapshots AS used JOIN runs AS run USING (snapshot_id)
        WHERE to_timestamp(coalesce(run.end_time, run.start_time)) < now() - interval '1 hour'
    ), 0)
    FROM snapshots
"""

# Found as text: a body need not be JSON to PostgreSQL, as Python writes NaN and escapes of NUL into it. A configuration
# that has such a key as well only keeps a snapshot more.
_USED = """
    SELECT snapshot_id FROM runs WHERE snapshot_id IS NOT NULL
    UNION SELECT (regexp_matches(run_body, '"execution_plan_snapshot_id": *"([^"]+)"', 'g'))[1] FROM runs
"""

_DELETE_SNAPSHOTS = """
    WITH gone AS (
        DELETE FROM snapshots WHERE snapshot_id = ANY(%(ids)s)
        RETURNING snapshot_type, pg_column_size(snapshot_body) AS bytes
    )
    SELECT 'snapshots', snapshot_type, count(*), sum(bytes) FROM gone GROUP BY snapshot_type
"""


def prune_backfills(sweep: Sweep) -> None:
    """Delete backfills that ended longer ago than failed runs are kept; their runs may go after that."""
    if sweep.may_go_on():
        over = [status.value for status in BULK_ACTION_TERMINAL_STATUSES]
        with sweep.batch("backfills"):
            sweep.delete(_BACKFILLS, {"over": over, "before": sweep.policy.failed_before})


def prune_runs(sweep: Sweep, files: ComputeLogs) -> None:
    """Delete the runs that are over for longer than the graphs reach back, and that nothing refers to."""
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
        parameters |= {"after": runs[-1][0], "runs": [run_id for _, run_id in runs]}
        files.delete(parameters["runs"])
        held = len(sweep.postponed)
        with sweep.batch("runs"):
            sweep.delete(_DELETE, parameters)
        if len(sweep.postponed) > held:
            return


def prune_snapshots(sweep: Sweep) -> None:
    """Delete the snapshots that no run refers to, directly or as the whole job of a selection."""
    if not sweep.may_go_on():
        return
    with sweep.batch("snapshots"):
        stored = sweep.connection.execute(_SNAPSHOTS).fetchall()
        used = {row[0] for row in sweep.connection.execute(_USED)}
        used |= _wholes_of(sweep, used)
        unused = [snapshot for snapshot, _, is_old in stored if is_old and snapshot not in used]
        sweep.delete(_DELETE_SNAPSHOTS, {"ids": unused})


def _wholes_of(sweep: Sweep, used: set[str]) -> set[str]:
    """The snapshots of the whole jobs that the jobs of ``used`` were selected from."""
    wholes: set[str] = set()
    for (body,) in sweep.connection.execute(
        "SELECT snapshot_body FROM snapshots WHERE snapshot_type = 'PIPELINE' AND snapshot_id = ANY(%s)", [list(used)]
    ):
        lineage = json.loads(zlib.decompress(body)).get("lineage_snapshot")
        if lineage is not None:
            wholes.add(lineage["parent_snapshot_id"])
    return wholes
