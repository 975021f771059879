"""Ticks of sensors and schedules that Dagster does not purge itself: of ones that are gone, and ones without an end.

Dagster purges a sensor's ticks whenever that sensor ticks, by the days in ``dagster.yaml``; the same days count here.
The newest tick of each stays: the daemon looks at it to go on where it was killed.
"""

from __future__ import annotations

from psycopg import sql

from odds_pipeline.pruning.sweep import ROWS, Sweep

_DELETE = sql.SQL("""
    WITH doomed AS (
        SELECT id FROM job_ticks
        WHERE type = %(type)s AND status = %(status)s AND timestamp < %(before)s
          AND id NOT IN (SELECT max(id) FROM job_ticks GROUP BY coalesce(selector_id, job_origin_id))
        ORDER BY id LIMIT {rows}
    ), gone AS (
        DELETE FROM job_ticks USING doomed WHERE job_ticks.id = doomed.id
        RETURNING job_ticks.status, pg_column_size(job_ticks.tick_body) AS bytes
    )
    SELECT 'job_ticks', status, count(*), sum(bytes) FROM gone GROUP BY status
""").format(rows=ROWS)


def prune_ticks(sweep: Sweep) -> None:
    """Delete ticks older than their days."""
    for kind, moments in sweep.policy.ticks_before.items():
        for status, before in moments.items():
            with sweep.part(f"ticks {kind} {status}"):
                deleted = ROWS
                while deleted == ROWS and sweep.may_go_on():
                    with sweep.batch():
                        deleted = sweep.delete(_DELETE, {"type": kind, "status": status, "before": before})
