"""When imported markets end: at their kick-off, or where our own pipeline took over and did not have them.

An earlier system has stopped: no later answer of it will say that a market is gone. So the import says it, by the same
rule as a cycle (``odds/absence.py``).
"""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import psycopg

from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.legacy.markets import Placed
from odds_pipeline.odds.packed import UNAVAILABLE

#: A market and the moment from which it is no longer offered.
ENDS = {"market_id": pl.Int32, "captured_at": pl.Datetime("us", "UTC")}


def note_listings(connection: psycopg.Connection, changes: pl.DataFrame, *, now: datetime) -> None:
    """Remember how far the earlier system's answers go, of listings that our own pipeline has not read.

    So they are as old as they are (``is_stale``), an answer of ours is never late, and what has kicked off is unlisted;
    a match that was still offered after its kick-off is left to the next cycle's discovery.
    """
    heard = changes.group_by("listing_id").agg(pl.col("captured_at").max())
    columns = [heard["listing_id"].to_list(), heard["captured_at"].to_list()]
    connection.execute(
        """
        INSERT INTO listing_state (event_bookmaker_id, last_answer_at, last_confirmed_at)
        SELECT listing_id, heard_at, heard_at FROM unnest(%s::int[], %s::timestamptz[]) AS heard (listing_id, heard_at)
        ON CONFLICT (event_bookmaker_id) DO UPDATE
        SET last_answer_at = greatest(listing_state.last_answer_at, excluded.last_answer_at),
            last_confirmed_at = greatest(listing_state.last_confirmed_at, excluded.last_confirmed_at)
        WHERE listing_state.first_confirmed_at IS NULL
          AND (coalesce(listing_state.last_answer_at, '-infinity') < excluded.last_answer_at
               OR coalesce(listing_state.last_confirmed_at, '-infinity') < excluded.last_confirmed_at)
        """,
        columns,
    )
    connection.execute(
        """
        WITH judged AS (
            SELECT listing.id, CASE WHEN listing.kickoff <= %s AND state.last_answer_at < listing.kickoff
                                    THEN listing.kickoff END AS unlisted_at
            FROM event_bookmakers AS listing JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
            WHERE listing.id = ANY(%s) AND state.first_confirmed_at IS NULL
        )
        UPDATE listing_state AS state SET unlisted_at = judged.unlisted_at
        FROM judged
        WHERE judged.id = state.event_bookmaker_id AND state.unlisted_at IS DISTINCT FROM judged.unlisted_at
        """,
        [now, columns[0]],
    )


def ends_of(connection: psycopg.Connection, placed: Placed) -> pl.DataFrame:
    """The ends (ENDS) of the placed markets.

    Of a listing that is our own, markets that we have never had are gone at its first complete answer; those of a
    listing that only an earlier system knew end at the kick-off that ``note_listings`` found passed.
    """
    markets = placed.changes.select("market_id", "listing_id").unique()
    rows = connection.execute(
        """
        SELECT event_bookmaker_id, first_confirmed_at, unlisted_at FROM listing_state WHERE event_bookmaker_id = ANY(%s)
        """,
        [markets["listing_id"].unique().to_list()],
    ).fetchall()
    moment = ENDS["captured_at"]
    listings = pl.DataFrame(
        rows, schema={"listing_id": pl.Int32, "first_confirmed_at": moment, "unlisted_at": moment}, orient="row"
    )
    is_new = pl.col("market_id").is_in(placed.new_markets.implode())
    end = (
        pl.when(pl.col("first_confirmed_at").is_null())
        .then("unlisted_at")
        .when(is_new)
        .then("first_confirmed_at")
        .alias("captured_at")
    )
    ended = markets.join(listings, on="listing_id", how="inner").select("market_id", end).drop_nulls()
    return ended.select(pl.col(name).cast(kind) for name, kind in ENDS.items()).sort("market_id")


def end_markets(connection: psycopg.Connection, ends: pl.DataFrame, *, after: date, run_id: int) -> pl.DataFrame:
    """Write the ends that lie after the day ``after``, where the market is offered until then; return those (ENDS).

    Their states are no more than a mark that the market is gone, for the refold to complete.
    """
    later = ends.filter(pl.col("captured_at").dt.date() > after)
    for day in later["captured_at"].dt.date().unique().sort():
        ensure_partitions(connection, day, day)
    rows = connection.execute(
        """
        INSERT INTO odds_history (captured_at, market_id, run_id, state)
        SELECT ended.captured_at, ended.market_id, %s, %s
        FROM unnest(%s::int[], %s::timestamptz[]) AS ended (market_id, captured_at)
        WHERE NOT (
            SELECT odds_is_unavailable(history.state) FROM odds_history AS history
            WHERE history.market_id = ended.market_id AND history.captured_at <= ended.captured_at
            ORDER BY history.captured_at DESC LIMIT 1
        )
        ON CONFLICT DO NOTHING
        RETURNING market_id, captured_at
        """,
        [run_id, bytes([UNAVAILABLE]), later["market_id"].to_list(), later["captured_at"].to_list()],
    ).fetchall()
    return pl.DataFrame(rows, schema=ENDS, orient="row")
