"""Runs: what each cycle asked and wrote, how long it took, and what failed, once or again and again (R8, R9, R12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

import polars as pl

from odds_pipeline.analysis.asked import require_limit, require_window
from odds_pipeline.analysis.errors import BadQuestion
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.clock import require_utc
from odds_pipeline.database.runs import recurring_failures
from odds_pipeline.odds.observation import UTC_MICROSECONDS

_Schema = Mapping[str, pl.DataType | type[pl.DataType]]

#: One row per run, newest first. Counts of markets are null for a run that wrote nothing.
RUNS: _Schema = {
    "run_id": pl.Int32,
    "status": pl.String,
    "trigger": pl.String,
    "created_at": UTC_MICROSECONDS,
    "started_at": UTC_MICROSECONDS,
    "completed_at": UTC_MICROSECONDS,
    "seconds": pl.Float64,
    "events_scraped": pl.Int32,
    "events_failed": pl.Int32,
    "observations": pl.Int64,
    "new": pl.Int64,
    "changed": pl.Int64,
    "returned": pl.Int64,
    "unavailable": pl.Int64,
    "confirmed": pl.Int64,
    "refused": pl.Int64,
    "late": pl.Int64,
    "upserted_current": pl.Int64,
    "inserted_history": pl.Int64,
    "stages": pl.List(pl.Struct({"stage": pl.String, "seconds": pl.Float64})),
    "error": pl.String,
    "dagster_run_id": pl.String,
    "bookmakers": pl.List(
        pl.Struct(
            {
                "bookmaker_slug": pl.String,
                "discovery_status": pl.String,
                "asked": pl.Int32,
                "complete": pl.Int32,
                "started": pl.Int32,
                "failed": pl.Int32,
                "not_asked": pl.Int32,
                "seconds": pl.Float64,
            }
        )
    ),
}

#: One row per bookmaker (null: of the run as a whole) and error type, most occurrences first.
ERRORS: _Schema = {
    "bookmaker_slug": pl.String,
    "error_type": pl.String,
    "runs": pl.Int64,
    "events": pl.Int64,
    "occurrences": pl.Int64,
    "first_at": UTC_MICROSECONDS,
    "last_at": UTC_MICROSECONDS,
    "message": pl.String,
}

#: One row per bookmaker, error type and, where the failure names one, event; the longest streak first.
FAILURES: _Schema = {
    "bookmaker_slug": pl.String,
    "error_type": pl.String,
    "event_id": pl.Int32,
    "cycles": pl.Int32,
    "first_at": UTC_MICROSECONDS,
    "last_at": UTC_MICROSECONDS,
    "occurrences": pl.Int64,
}


class RunPage(NamedTuple):
    """``rows`` in ``RUNS``; ``next``: what to give as ``after`` for the runs before these, None after the first run."""

    rows: pl.DataFrame
    next: int | None


def first_cycle(source: OddsSource) -> datetime | None:
    """When the first run that is stored began; None: there is none."""
    with source.database.borrow() as connection:
        row = connection.execute("SELECT min(started_at) FROM scrape_runs").fetchone()
    return None if row is None or row[0] is None else require_utc(row[0])


def runs(
    source: OddsSource,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
    after: int | None = None,
) -> RunPage:
    """Runs made from ``since`` up to but without ``until``, newest first, ``limit`` (1 to 500) at a time.

    A run that a bookmaker was asked in has that bookmaker's coverage in ``bookmakers``, as soon as it is committed;
    ``seconds`` there are those of its discovery and its answers, null where they were not measured. ``stages`` are the
    parts of the write. A run's own ``seconds`` are from its start to its end, null while it is open. Raises
    ``ValueError`` for a time without a zone, ``BadQuestion`` for another limit or a window that ends before it begins.
    """
    begin, end = require_window(since, until)
    # One more than is shown says whether there are further ones.
    asked = {"since": begin, "until": end, "after": after, "limit": require_limit(limit) + 1}
    found = _rows(source, _RUNS_SQL, asked)
    frame = pl.DataFrame(found[:limit], schema=dict(RUNS), orient="row")
    return RunPage(frame, frame["run_id"][-1] if len(found) > limit else None)


def errors(source: OddsSource, *, since: datetime | None = None, until: datetime | None = None) -> pl.DataFrame:
    """What failed from ``since`` up to but without ``until``, by bookmaker and type, in ``ERRORS``.

    ``events`` counts the events that failures name; ``message`` is the newest. Errors are kept for the days of
    ``ODDS_ERROR_RETENTION_DAYS``. Raises as ``runs`` does.
    """
    begin, end = require_window(since, until)
    return pl.DataFrame(_rows(source, _ERRORS_SQL, {"since": begin, "until": end}), schema=dict(ERRORS), orient="row")


def recurring(source: OddsSource, *, cycles: int) -> pl.DataFrame:
    """What failed in each of the last ``cycles`` cycles or more, in ``FAILURES``: R12.

    ``cycles`` in a row up to the newest closed cycle; refreshes and replays are none. Raises ``BadQuestion`` for less
    than one cycle.
    """
    if cycles < 1:
        raise BadQuestion(f"failures in the last {cycles} cycles; ask for at least one")
    found = recurring_failures(source.database, cycles=cycles).rename({"bookmaker": "bookmaker_slug"})
    return found.select(pl.col(name).cast(kind) for name, kind in FAILURES.items())


def _rows(source: OddsSource, query: LiteralString, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
    with source.database.borrow() as connection:
        return connection.execute(query, parameters).fetchall()


_RUNS_SQL: LiteralString = """
    SELECT run.id, run.status, run.trigger, run.created_at, run.started_at, run.completed_at,
           extract(epoch FROM run.completed_at - run.started_at)::float8, run.events_scraped, run.events_failed,
           (run.counts ->> 'observations')::bigint, (run.counts ->> 'new')::bigint, (run.counts ->> 'changed')::bigint,
           (run.counts ->> 'returned')::bigint, (run.counts ->> 'unavailable')::bigint,
           (run.counts ->> 'confirmed')::bigint, (run.counts ->> 'refused')::bigint, (run.counts ->> 'late')::bigint,
           (run.counts ->> 'upserted_current')::bigint, (run.counts ->> 'inserted_history')::bigint,
           coalesce(written.stages, '[]'::json), run.error, run.dagster_run_id,
           coalesce(covered.bookmakers, '[]'::json)
    FROM (
        SELECT * FROM scrape_runs
        WHERE (%(after)s::int IS NULL OR id < %(after)s)
          AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
          AND (%(until)s::timestamptz IS NULL OR created_at < %(until)s)
        ORDER BY id DESC LIMIT %(limit)s
    ) AS run
    LEFT JOIN LATERAL (
        SELECT json_agg(json_build_object('stage', stage, 'seconds', seconds::float8) ORDER BY stage) AS stages
        FROM jsonb_each_text(run.timings -> 'write') AS measured (stage, seconds)
    ) AS written ON true
    LEFT JOIN LATERAL (
        SELECT json_agg(
                   json_build_object(
                       'bookmaker_slug', bookmaker.slug, 'discovery_status', coverage.discovery_status,
                       'asked', coverage.asked, 'complete', coverage.complete, 'started', coverage.started,
                       'failed', coverage.failed, 'not_asked', coverage.not_asked,
                       'seconds', (run.timings -> bookmaker.slug ->> 'discovery')::float8
                                + (run.timings -> bookmaker.slug ->> 'answers')::float8
                   ) ORDER BY bookmaker.id
               ) AS bookmakers
        FROM scrape_coverage AS coverage JOIN bookmakers AS bookmaker ON bookmaker.id = coverage.bookmaker_id
        WHERE coverage.run_id = run.id
    ) AS covered ON true
    ORDER BY run.id DESC
"""

_ERRORS_SQL: LiteralString = """
    SELECT bookmaker.slug, error.error_type, count(DISTINCT error.scrape_run_id), count(DISTINCT error.event_id),
           sum(error.occurrences)::bigint AS occurrences, min(error.occurred_at), max(error.occurred_at) AS last_at,
           (array_agg(error.message ORDER BY error.occurred_at DESC, error.id DESC))[1]
    FROM scrape_errors AS error LEFT JOIN bookmakers AS bookmaker ON bookmaker.id = error.bookmaker_id
    WHERE (%(since)s::timestamptz IS NULL OR error.occurred_at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR error.occurred_at < %(until)s)
    GROUP BY bookmaker.slug, error.error_type
    ORDER BY occurrences DESC, bookmaker.slug NULLS FIRST, error.error_type
"""
