"""Materializations, observations and planned ones: after their days, the newest of every asset and partition stays.

The newest say what is materialized, what has failed and what is under way, for ever; the older ones are only drawn.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import sql

from odds_pipeline.pruning.sweep import ROWS, SETTLED, Sweep
from odds_pipeline.pruning.tables import GRAPHED, PLANNED

# Each kind by itself: the index on kind and id then gives the rows in order, without a look at any other kind.
_NEWEST = """
    SELECT max(id) FROM event_logs WHERE dagster_event_type = %(kind)s AND asset_key IS NOT NULL
    GROUP BY asset_key, partition
"""

# Events of a run that is gone are judged by their own time.
_DOOMED = sql.SQL("""
    SELECT event.id FROM event_logs AS event LEFT JOIN runs AS run ON run.run_id = event.run_id
    WHERE event.dagster_event_type = %(kind)s AND event.id > %(after)s AND event.asset_key IS NOT NULL
      AND event.timestamp < %(before)s AND event.id <> ALL(%(newest)s) AND (run.run_id IS NULL OR {settled})
    ORDER BY event.id LIMIT {rows}
""").format(settled=SETTLED, rows=ROWS)

_DELETE = """
    WITH gone AS (
        DELETE FROM event_logs WHERE id = ANY(%(ids)s) RETURNING dagster_event_type, pg_column_size(event) AS bytes
    )
    SELECT 'event_logs', dagster_event_type, count(*), sum(bytes) FROM gone GROUP BY dagster_event_type
"""

_DELETE_TAGS = """
    WITH gone AS (DELETE FROM asset_event_tags WHERE event_id = ANY(%(ids)s) RETURNING pg_column_size(value) AS bytes)
    SELECT 'asset_event_tags', 'tag', count(*), coalesce(sum(bytes), 0) FROM gone
"""

# Freshness and the like are told of by no run; the newest of each kind is what holds.
_RUNLESS = sql.SQL("""
    SELECT id FROM event_logs AS event
    WHERE (run_id IS NULL OR run_id = '') AND dagster_event_type <> ALL(%(others)s) AND timestamp < %(before)s
      AND EXISTS (
        SELECT FROM event_logs AS newer
        WHERE (newer.run_id IS NULL OR newer.run_id = '') AND newer.id > event.id
          AND newer.dagster_event_type = event.dagster_event_type
          AND newer.asset_key IS NOT DISTINCT FROM event.asset_key
          AND newer.partition IS NOT DISTINCT FROM event.partition
      )
    ORDER BY id LIMIT {rows}
""").format(rows=ROWS)


def prune_events(sweep: Sweep) -> None:
    """Thin out what is older than its days; planned ones are part of the log, so they have the days of the log."""
    for kinds, before in ((GRAPHED, sweep.policy.graphs_before), (PLANNED, sweep.policy.logs_before)):
        for kind in kinds:
            with sweep.part(f"events {kind}"):
                _thin_out(sweep, kind, before)
    with sweep.part("events without a run"):
        parameters: dict[str, Any] = {"before": sweep.policy.graphs_before, "others": [*GRAPHED, *PLANNED]}
        while sweep.may_go_on():
            ids = [row[0] for row in sweep.connection.execute(_RUNLESS, parameters)]
            if not ids:
                return
            _delete(sweep, ids)


def _thin_out(sweep: Sweep, kind: str, before: datetime) -> None:
    # An event that comes later only makes one of these older than it need be: it stays until the next pruning.
    newest = [row[0] for row in sweep.connection.execute(_NEWEST, {"kind": kind})]
    parameters: dict[str, Any] = {
        "kind": kind,
        "after": 0,
        "before": before,
        "newest": newest,
        **sweep.times(before),
    }
    while sweep.may_go_on():
        ids = [row[0] for row in sweep.connection.execute(_DOOMED, parameters)]
        if not ids:
            return
        _delete(sweep, ids)
        parameters["after"] = ids[-1]


def _delete(sweep: Sweep, ids: list[int]) -> None:
    """Delete events with their tags."""
    with sweep.batch():
        sweep.delete(_DELETE_TAGS, {"ids": ids})
        sweep.delete(_DELETE, {"ids": ids})
