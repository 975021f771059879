"""Where an imported timeline ends: at our own first complete answer, or at the kick-off.

From our first complete answer on the state of a market is what history said of it before the import, whatever the
import puts before that; a market that history did not have then was not on offer. And an earlier system has stopped: no
later answer of it will say that a match has begun, so the import says it, as a cycle would (``odds/absence.py``).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl
import psycopg

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.corrections import DIFFERENCE, apply_sent, send
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import between, read_history
from odds_pipeline.days.opening import opening_state
from odds_pipeline.legacy.markets import Placed
from odds_pipeline.odds.packed import UNAVAILABLE

#: A market, the moment from which nothing imported counts, and its state then: one of ``UNAVAILABLE`` alone says that
#: it is gone, with whatever outcomes it had.
ENDS = {"market_id": pl.Int32, "captured_at": pl.Datetime("us", "UTC"), "state": pl.Binary}

_GONE = bytes([UNAVAILABLE])


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


def ends_of(database: Database, connection: psycopg.Connection, archive: Archive, placed: Placed) -> pl.DataFrame:
    """The ends (ENDS) of the placed markets, as history stands before the import.

    Of a listing that only an earlier system knew, the kick-off that ``note_listings`` found passed.
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
    ended = markets.join(listings, on="listing_id", how="inner")
    is_ours = pl.col("first_confirmed_at").is_not_null()
    ours = ended.filter(is_ours).select("market_id", captured_at="first_confirmed_at")
    others = ended.filter(~is_ours, pl.col("unlisted_at").is_not_null()).select("market_id", captured_at="unlisted_at")
    before = ours.join(placed.new_markets.to_frame("market_id"), on="market_id", how="anti")
    days = before.group_by(pl.col("captured_at").dt.date().alias("day"))
    states = [_states_at(database, connection, archive, part) for _, part in days]
    known = pl.concat([pl.DataFrame(schema=ENDS), *states]).select("market_id", "state")
    return (
        pl.concat([ours, others])
        .join(known, on="market_id", how="left")
        .with_columns(pl.col("state").fill_null(_GONE))
        .select(pl.col(name).cast(kind) for name, kind in ENDS.items())
        .sort("market_id")
    )


def _states_at(
    database: Database, connection: psycopg.Connection, archive: Archive, ends: pl.DataFrame
) -> pl.DataFrame:
    """The states of markets at moments (market_id, captured_at) of one UTC day, in ENDS; of those that have one."""
    day: date = ends["captured_at"].dt.date()[0]
    market_ids = ends["market_id"].to_list()
    before = opening_state(database, archive, day, connection=connection, market_ids=market_ids)
    within = read_history(connection, between(day, day + timedelta(days=1)), market_ids=market_ids)
    return (
        pl.concat([before, within])
        .join(ends, on="market_id", suffix="_end")
        .filter(pl.col("captured_at") <= pl.col("captured_at_end"))
        .sort("captured_at")
        .unique("market_id", keep="last")
        .select("market_id", captured_at="captured_at_end", state="state")
    )


def end_markets(connection: psycopg.Connection, ends: pl.DataFrame, *, after: date, run_id: int) -> pl.DataFrame:
    """Write the ends that lie after the day ``after``, where the state until then is another; return those (ENDS).

    They are for the refold to complete.
    """
    later = ends.filter(pl.col("captured_at").dt.date() > after)
    rows = connection.execute(
        """
        SELECT ended.market_id, ended.captured_at, ended.state
        FROM unnest(%s::int[], %s::timestamptz[], %s::bytea[]) AS ended (market_id, captured_at, state)
        JOIN markets AS market ON market.id = ended.market_id
        CROSS JOIN LATERAL (
            SELECT history.captured_at, change.state
            FROM odds_history AS history CROSS JOIN LATERAL odds_changes(history.changes) AS change
            WHERE history.event_bookmaker_id = market.event_bookmaker_id AND history.captured_at <= ended.captured_at
              AND position(int4send(market.id) IN history.changes) > 0 AND change.market_id = market.id
            ORDER BY history.captured_at DESC LIMIT 1
        ) AS before
        WHERE before.captured_at < ended.captured_at
          AND CASE WHEN odds_is_unavailable(ended.state) THEN NOT odds_is_unavailable(before.state)
                   ELSE before.state <> ended.state END
        """,
        [later[name].to_list() for name in ENDS],
    ).fetchall()
    written = pl.DataFrame(rows, schema=ENDS, orient="row")
    added = written.with_columns(run_id=pl.lit(run_id, dtype=pl.Int32), what=pl.lit("added"))
    send(connection, added.select(*DIFFERENCE))
    apply_sent(connection)
    return written
