"""The step-by-step log of runs that are over: rows of the event log, and the files with what their steps printed.

What a run materialized stays, and so does the outline that its page is drawn from. What only repeats other rows goes
long before the rest.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from odds_pipeline.pruning.compute_logs import ComputeLogs
from odds_pipeline.pruning.sweep import RUNS, SETTLED, Sweep
from odds_pipeline.pruning.tables import ECHOES, LOG

# A message of Python's logging has no type of event.
_IS_LOG = sql.SQL("(event.dagster_event_type IS NULL OR event.dagster_event_type = ANY(%(log)s))")

_WITH_LOG = sql.SQL("""
    SELECT run.id, run.run_id FROM runs AS run
    WHERE run.id > %(after)s AND {settled}
      AND EXISTS (SELECT FROM event_logs AS event WHERE event.run_id = run.run_id AND {is_log})
    ORDER BY run.id LIMIT {runs}
""").format(settled=SETTLED, is_log=_IS_LOG, runs=RUNS)

_DELETE = sql.SQL("""
    WITH gone AS (
        DELETE FROM event_logs AS event WHERE event.run_id = ANY(%(runs)s) AND {is_log}
        RETURNING coalesce(event.dagster_event_type, 'message') AS kind, pg_column_size(event.event) AS bytes
    )
    SELECT 'event_logs', kind, count(*), sum(bytes) FROM gone GROUP BY kind
""").format(is_log=_IS_LOG)


_WITH_ECHOES = sql.SQL("""
    SELECT run.id, run.run_id FROM runs AS run
    WHERE run.id > %(after)s AND run.status = 'SUCCESS' AND {settled}
      AND EXISTS (
        SELECT FROM event_logs AS event WHERE event.run_id = run.run_id AND event.dagster_event_type = ANY(%(echoes)s)
      )
    ORDER BY run.id LIMIT {runs}
""").format(settled=SETTLED, runs=RUNS)

_DELETE_ECHOES = """
    WITH gone AS (
        DELETE FROM event_logs WHERE run_id = ANY(%(runs)s) AND dagster_event_type = ANY(%(echoes)s)
        RETURNING dagster_event_type AS kind, pg_column_size(event) AS bytes
    )
    SELECT 'event_logs', kind, count(*), sum(bytes) FROM gone GROUP BY kind
"""


def prune_echoes(sweep: Sweep) -> None:
    """Delete from the logs of succeeded runs what stands elsewhere too."""
    parameters: dict[str, Any] = {"after": 0, "echoes": list(ECHOES), **sweep.times(sweep.policy.echoes_before)}
    with sweep.part("what logs of runs repeat"):
        while sweep.may_go_on():
            runs = sweep.connection.execute(_WITH_ECHOES, parameters).fetchall()
            if not runs:
                return
            parameters["after"] = runs[-1][0]
            parameters["runs"] = [run_id for _, run_id in runs]
            with sweep.batch():
                sweep.delete(_DELETE_ECHOES, parameters)


def prune_logs(sweep: Sweep, files: ComputeLogs) -> None:
    """Delete the logs of runs that are over for longer than their days."""
    parameters: dict[str, Any] = {"after": 0, "log": list(LOG), **sweep.times(sweep.policy.logs_before)}
    with sweep.part("logs of runs"):
        while sweep.may_go_on():
            runs = sweep.connection.execute(_WITH_LOG, parameters).fetchall()
            if not runs:
                return
            parameters["after"] = runs[-1][0]
            # The files first: as long as the rows are there, a run that was only half done is found again.
            parameters["runs"] = [run_id for _, run_id in runs if files.delete(run_id)]
            with sweep.batch():
                sweep.delete(_DELETE, parameters)
