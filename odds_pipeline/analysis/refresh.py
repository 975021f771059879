"""What has become of a refresh of one event that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl

from odds_pipeline.analysis.errors import NotFound
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.odds.observation import UTC_MICROSECONDS

#: ``status``: "requested" until the sensor has launched it, "launched" until its run begins, then the run's.
REFRESH: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "request_id": pl.Int32,
    "event_id": pl.Int32,
    "status": pl.String,
    "requested_at": UTC_MICROSECONDS,
    "launched_at": UTC_MICROSECONDS,
    "run_id": pl.Int32,
    "completed_at": UTC_MICROSECONDS,
    "error": pl.String,
}


def refresh(source: OddsSource, request_id: int, *, now: datetime, given_up_after: timedelta) -> pl.DataFrame:
    """The request as one row in ``REFRESH``. Raises ``NotFound``, also when its event was deleted since.

    One that was launched longer than ``given_up_after`` ago and has no run yet counts as failed.
    """
    with source.database.borrow() as connection:
        rows = connection.execute(
            """
            SELECT request.id, request.event_id,
                   CASE WHEN run.id IS NOT NULL THEN run.status
                        WHEN request.launched_at IS NULL THEN 'requested'
                        WHEN is_lost THEN 'failed' ELSE 'launched' END,
                   request.requested_at, request.launched_at, run.id, run.completed_at,
                   CASE WHEN is_lost THEN 'its run ended before any bookmaker was asked; Dagster has its log'
                        ELSE run.error END
            FROM refresh_requests AS request LEFT JOIN scrape_runs AS run ON run.id = request.scrape_run_id
            CROSS JOIN LATERAL (
                SELECT run.id IS NULL AND coalesce(request.launched_at < %(too_long_ago)s, false) AS is_lost
            ) AS found
            WHERE request.id = %(id)s
            """,
            {"id": request_id, "too_long_ago": now - given_up_after},
        ).fetchall()
    if not rows:
        raise NotFound(f"no refresh {request_id}")
    return pl.DataFrame(rows, schema=dict(REFRESH), orient="row")
