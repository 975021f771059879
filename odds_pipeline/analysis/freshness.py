"""How fresh the odds were at a moment, now or in the past: when the state shown was last confirmed by then.

A confirmation costs no row (I10), so only the newest is known to the second: it answers for every moment since. For
earlier moments the coverage of the cycles is asked. A cycle whose discovery was complete and that asked for everything
either read a listing or proved it gone; where nothing failed of the listing, each of its markets that was still on
offer was seen, not before the cycle's first answer. That is a lower bound: the state was at least as fresh.

Stale is what the view ``market_odds_current`` calls so, at any moment: the listing's last answers failed, or its newest
is too old. A market that is refused while its listing answers is not stale, though it was last seen long ago.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.clock import require_utc
from odds_pipeline.days.later_rows import markets_changed_since
from odds_pipeline.odds.observation import UTC_MICROSECONDS

#: What ``with_freshness`` adds.
FRESHNESS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "last_confirmed_at": UTC_MICROSECONDS,
    "is_stale": pl.Boolean,
}

_LISTING = ["bookmaker_slug", "external_event_id"]

# The newest cycle by {moment} that counts for a listing ({listing}: further conditions). Cycles that dropped a late
# answer or overlapped an earlier commit do not: what they were told was not all believed. Nor does one whose errors
# were cleaned up: nobody knows any more what failed. OFFSET 0: PostgreSQL believes that hardly a run dropped nothing,
# and would look through all of them rather than at the newest first.
_CYCLE = sql.SQL(
    """
    SELECT coverage.run_id, coverage.first_answer_at, coverage.last_answer_at, run.completed_at
    FROM scrape_coverage AS coverage
    CROSS JOIN LATERAL (SELECT counts, completed_at FROM scrape_runs WHERE id = coverage.run_id OFFSET 0) AS run
    WHERE coverage.bookmaker_id = asked.bookmaker_id
      AND coverage.last_answer_at <= %(moment)s AND coverage.discovery_at <= %(moment)s
      AND coverage.discovery_status = 'complete' AND coverage.not_asked = 0 AND NOT coverage.guard_held
      AND coalesce((run.counts ->> 'late')::int, 0) = 0
      AND (coverage.failed + coverage.outcomes_refused = 0 OR (
          SELECT true FROM scrape_errors AS error
          WHERE error.scrape_run_id = coverage.run_id AND error.bookmaker_id = coverage.bookmaker_id LIMIT 1
      ))
      AND NOT EXISTS (
          SELECT FROM scrape_coverage AS other JOIN scrape_runs AS earlier ON earlier.id = other.run_id
          WHERE other.bookmaker_id = coverage.bookmaker_id AND other.run_id <> coverage.run_id
            AND other.last_answer_at > least(coverage.discovery_at, coverage.first_answer_at)
            AND other.last_answer_at < run.completed_at AND earlier.completed_at < run.completed_at
      )
      {listing}
    ORDER BY coverage.last_answer_at DESC LIMIT 1
    """
)

# When the newest answers of a listing by {moment} failed, as many as make it stale, newest first. Where something else
# of the cycle failed, what was merely refused counts as failed: it may have. Where the listing's own count says that
# too few failed, nobody needs to look.
_FAILURES = sql.SQL(
    """
    SELECT array_agg(failed.occurred_at ORDER BY failed.occurred_at DESC) AS newest
    FROM (
        SELECT min(error.occurred_at) AS occurred_at
        FROM scrape_errors AS error
        WHERE error.event_bookmaker_id = asked.listing_id AND error.error_type <> 'integrity_error'
          AND (SELECT coverage.failed > 0 FROM scrape_coverage AS coverage
               WHERE (coverage.run_id, coverage.bookmaker_id) = (error.scrape_run_id, error.bookmaker_id))
          AND (NOT asked.is_exact OR asked.failed_answers >= settings.stale_failures)
        GROUP BY error.scrape_run_id
        HAVING min(error.occurred_at) <= %(moment)s
        ORDER BY occurred_at DESC LIMIT settings.stale_failures
    ) AS failed
    HAVING count(*) = settings.stale_failures
    """
)

# A listing of an event that was cleaned up has no id: errors without one may be its own. It is known to have been ours
# when one of our cycles wrote its newest row.
_LISTINGS = (
    sql.SQL(
        """
    WITH asked AS MATERIALIZED (
        SELECT asked.slug, asked.external_event_id, asked.oldest_at, bookmaker.id AS bookmaker_id,
               coalesce(listing.id, 0) AS listing_id, coalesce(listing.created_at, asked.newest_at) AS known_since,
               state.last_confirmed_at, state.last_answer_at, state.failed_answers,
               coalesce(state.last_answer_at <= %(moment)s, false) AS is_exact,
               CASE WHEN listing.id IS NOT NULL THEN state.first_confirmed_at
                    WHEN EXISTS (SELECT FROM scrape_coverage AS coverage WHERE coverage.run_id = asked.run_id
                                 AND coverage.bookmaker_id = bookmaker.id) THEN asked.newest_at
               END AS ours_since
        FROM unnest(%(bookmaker_slug)s::text[], %(external_event_id)s::text[], %(oldest_at)s::timestamptz[],
                    %(newest_at)s::timestamptz[], %(run_id)s::int[])
             AS asked (slug, external_event_id, oldest_at, newest_at, run_id)
        JOIN bookmakers AS bookmaker ON bookmaker.slug = asked.slug
        LEFT JOIN event_bookmakers AS listing
            ON (listing.bookmaker_id, listing.external_event_id) = (bookmaker.id, asked.external_event_id)
        LEFT JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
    ), newest AS MATERIALIZED (
        SELECT asked.bookmaker_id, cycle.*
        FROM (SELECT DISTINCT bookmaker_id FROM asked) AS asked CROSS JOIN LATERAL ({newest}) AS cycle
    ), troubled AS MATERIALIZED (
        SELECT DISTINCT error.bookmaker_id, coalesce(error.event_bookmaker_id, 0) AS listing_id
        FROM newest JOIN scrape_errors AS error
            ON (error.scrape_run_id, error.bookmaker_id) = (newest.run_id, newest.bookmaker_id)
    )
    SELECT asked.slug, asked.external_event_id, asked.listing_id,
           CASE WHEN asked.is_exact THEN asked.last_confirmed_at
                WHEN troubled.listing_id IS NOT NULL THEN earlier.first_answer_at
                WHEN newest.last_answer_at >= asked.ours_since AND newest.completed_at >= asked.known_since
                    THEN newest.first_answer_at
           END AS confirmed_at,
           asked.is_exact AND (newest.run_id IS NULL OR troubled.listing_id IS NOT NULL OR EXISTS (
               SELECT FROM scrape_errors AS error
               WHERE error.event_bookmaker_id = asked.listing_id AND error.occurred_at >= newest.first_answer_at
           )) AS may_have_own_sightings,
           CASE WHEN asked.is_exact THEN asked.last_answer_at END AS answered_at,
           coalesce(asked.is_exact AND asked.failed_answers >= settings.stale_failures AND NOT EXISTS (
               SELECT FROM scrape_errors AS error
               WHERE error.event_bookmaker_id = asked.listing_id AND error.occurred_at > %(moment)s
           ), false) AS is_failing,
           failures.newest AS failures, settings.stale_after
    FROM asked
    CROSS JOIN pipeline_settings AS settings
    LEFT JOIN newest ON newest.bookmaker_id = asked.bookmaker_id
    LEFT JOIN troubled ON (troubled.bookmaker_id, troubled.listing_id) = (asked.bookmaker_id, asked.listing_id)
    LEFT JOIN LATERAL ({earlier}) AS earlier ON true
    LEFT JOIN LATERAL ({failures}) AS failures ON true
    """
    )
    .format(
        newest=_CYCLE.format(listing=sql.SQL("")),
        earlier=_CYCLE.format(
            listing=sql.SQL(
                """
            AND troubled.listing_id IS NOT NULL AND NOT asked.is_exact AND asked.ours_since IS NOT NULL
            AND coverage.last_answer_at >= greatest(asked.ours_since, asked.oldest_at)
            AND run.completed_at >= asked.known_since
            AND NOT EXISTS (
                SELECT FROM scrape_errors AS error
                WHERE (error.scrape_run_id, error.bookmaker_id) = (coverage.run_id, coverage.bookmaker_id)
                  AND coalesce(error.event_bookmaker_id, 0) = asked.listing_id
            )
            """
            )
        ),
        failures=_FAILURES,
    )
    .as_bytes()
)

_LISTING_FACTS = {
    "bookmaker_slug": pl.String,
    "external_event_id": pl.String,
    "listing_id": pl.Int32,
    "confirmed_at": UTC_MICROSECONDS,
    "may_have_own_sightings": pl.Boolean,
    "answered_at": UTC_MICROSECONDS,
    "is_failing": pl.Boolean,
    "failures": pl.List(UTC_MICROSECONDS),
    "stale_after": pl.Duration("us"),
}


def with_freshness(
    source: OddsSource, rows: pl.DataFrame, moment: datetime, *, connection: psycopg.Connection | None = None
) -> pl.DataFrame:
    """The rows, in their order, with ``last_confirmed_at`` and ``is_stale`` (``FRESHNESS``) as they were at ``moment``.

    ``rows`` are states that held at ``moment``, in ``ODDS_ROWS`` or more. ``last_confirmed_at`` is never later than the
    truth: exact when nothing newer than ``moment`` was read of the listing, else a lower bound, at least the row's own
    ``captured_at``; of an unavailable market its ``captured_at``. Stale: on offer, and of its listing's answers by
    ``moment`` the last ``stale_failures`` failed, or none is known to have been read within ``stale_after``
    (both ``pipeline_settings``): never false where it was stale, as long as the errors of then are kept.
    ``connection``: to ask on, instead of one of our own.

    Raises ``ValueError`` for a moment without a time zone, and ``ArchiveDamaged`` or ``ArchiveUnusable`` when a file
    that is needed cannot be read.
    """
    moment = require_utc(moment)
    if connection is not None:
        return _with_freshness(source, connection, rows, moment)
    with source.database.borrow() as borrowed:
        return _with_freshness(source, borrowed, rows, moment)


def _with_freshness(
    source: OddsSource, connection: psycopg.Connection, rows: pl.DataFrame, moment: datetime
) -> pl.DataFrame:
    available = rows.filter(~pl.col("is_unavailable"))
    if available.is_empty():
        return rows.with_columns(last_confirmed_at="captured_at", is_stale=pl.lit(value=False))
    listings = _listings(connection, available, moment)
    told = rows.join(listings, on=_LISTING, how="left", maintain_order="left")
    # What was confirmed of a listing that is gone is the state that it had then, which another event's rows may tell.
    gone = told.filter(~pl.col("is_unavailable"), pl.col("listing_id") == 0, pl.col("confirmed_at").is_not_null())
    if not gone.is_empty():
        changed = markets_changed_since(connection, source.archive, gone, moment)
        told = told.with_columns(confirmed_at=pl.when(~pl.col("market_id").is_in(changed)).then("confirmed_at"))
    told = told.with_columns(is_stale=_is_stale(moment) & ~pl.col("is_unavailable"))
    confirmed_at = pl.col("confirmed_at")
    suspects = listings.filter("may_have_own_sightings")["listing_id"].to_list()
    if suspects:
        sightings = _own_sightings(connection, suspects)
        told = told.join(sightings, on="market_id", how="left", maintain_order="left")
        confirmed_at = pl.coalesce("last_seen_at", "confirmed_at")
    last_confirmed_at = pl.max_horizontal("captured_at", pl.when(~pl.col("is_unavailable")).then(confirmed_at))
    return told.select(*rows.columns, "is_stale", last_confirmed_at=last_confirmed_at).select(*rows.columns, *FRESHNESS)


def _is_stale(moment: datetime) -> pl.Expr:
    """Whether the listing's answers are too old, or as many as make it stale failed since one that did not.

    A change was told by an answer that did not fail, unless it is as old as a failure: a part of that could be read.
    """
    heard_at = pl.max_horizontal("captured_at", pl.coalesce("answered_at", "confirmed_at"))
    is_old = pl.lit(moment, UTC_MICROSECONDS) - heard_at > pl.col("stale_after")
    first = pl.col("failures").list.last()
    is_newer = (first > pl.col("confirmed_at")).fill_null(first.is_not_null())
    is_unbroken = (first > pl.col("captured_at")) | pl.col("failures").list.contains(pl.col("captured_at"))
    return is_old.fill_null(value=False) | pl.col("is_failing") | (is_newer & is_unbroken).fill_null(value=False)


def _listings(connection: psycopg.Connection, rows: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """What is known of the listings of the rows, in ``_LISTING_FACTS``."""
    asked = rows.group_by(_LISTING).agg(
        oldest_at=pl.col("captured_at").min(),
        newest_at=pl.col("captured_at").max(),
        run_id=pl.col("run_id").get(pl.col("captured_at").arg_max()),
    )
    with connection.pipeline():
        # Planning takes longer than running: once is enough. The plan is the same for one listing and for thousands.
        connection.execute("SET LOCAL plan_cache_mode = force_generic_plan", prepare=False)
        facts = connection.execute(_LISTINGS, {"moment": moment, **asked.to_dict(as_series=False)})
    return pl.DataFrame(facts.fetchall(), schema=_LISTING_FACTS, orient="row")


def _own_sightings(connection: psycopg.Connection, listing_ids: list[int]) -> pl.DataFrame:
    """Markets refused in complete answers of these listings: when they themselves were last seen."""
    rows = connection.execute(
        """
        SELECT market.id, current.last_seen_at
        FROM markets AS market JOIN current_odds AS current ON current.market_id = market.id
        WHERE market.event_bookmaker_id = ANY (%s)
          AND current.last_seen_at IS NOT NULL AND current.unavailable_at IS NULL
        """,
        [listing_ids],
    ).fetchall()
    return pl.DataFrame(rows, schema={"market_id": pl.Int32, "last_seen_at": UTC_MICROSECONDS}, orient="row")
