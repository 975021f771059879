"""Corrections of stored history: what is not as it should be is found as a difference, and rewritten in one go.

Only rows that differ are touched, inside a transaction of the caller's; imports, rebuilds and remaps all write so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.database.archived_files import stale_states
from odds_pipeline.database.copying import copy_rows
from odds_pipeline.database.history import between
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.database.rebuild import follow_history
from odds_pipeline.odds.replay import HISTORY_ROWS

_KEY = ("market_id", "captured_at")

#: Rows that are to be added to history, removed from it (no run, no state), or replaced: ``what``.
DIFFERENCE: Mapping[str, pl.DataType | type[pl.DataType]] = {**HISTORY_ROWS, "what": pl.String}


class Changed(NamedTuple):
    """How many rows of a UTC day were added, removed, and put in the place of others of the same market and time."""

    day: date
    added: int
    removed: int
    replaced: int


def difference(stored: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """What must happen to ``stored`` rows (HISTORY_ROWS) so that they are those of ``wanted``, in ``DIFFERENCE``.

    ``wanted`` has one row of a market and time. Where damage left several of them stored, they are replaced by it.
    """
    once = stored.with_columns(is_several=pl.len().over(_KEY) > 1).unique(_KEY)
    both = once.join(wanted, on=_KEY, how="full", coalesce=True, suffix="_wanted")
    is_there, is_wanted = pl.col("state").is_not_null(), pl.col("state_wanted").is_not_null()
    differs = (
        (pl.col("state") != pl.col("state_wanted"))
        | (pl.col("run_id") != pl.col("run_id_wanted"))
        | pl.col("is_several")
    )
    what = (
        pl.when(~is_there)
        .then(pl.lit("added"))
        .when(~is_wanted)
        .then(pl.lit("removed"))
        .when(differs)
        .then(pl.lit("replaced"))
    )
    found = both.with_columns(what=what).filter(pl.col("what").is_not_null())
    return found.select(*_KEY, run_id="run_id_wanted", state="state_wanted", what="what")


def send(connection: psycopg.Connection, found: pl.DataFrame) -> None:
    """Send a difference to the server, to wait for ``apply_sent`` in this transaction. Nothing is locked yet.

    Raises ``psycopg.errors.DataError`` for a market and time that this difference, or one that waits, says twice.
    """
    connection.execute(
        """
        CREATE TEMPORARY TABLE IF NOT EXISTS history_difference (
            market_id int, captured_at timestamptz, run_id int, state bytea, what text,
            PRIMARY KEY (market_id, captured_at)
        ) ON COMMIT DROP
        """
    )
    try:
        copy_rows(connection, "history_difference", found.sort(_KEY))
    except psycopg.errors.UniqueViolation as error:
        raise psycopg.errors.DataError(
            f"history takes one change of a market and time: {error.diag.message_detail}"
        ) from error


def rewrite_history(connection: psycopg.Connection, found: pl.DataFrame) -> None:
    """Make history what a difference says, and nothing else: current and the archived states are the caller's.

    Its markets must be there. Raises as ``apply_sent`` does, whose differences must not be waiting.
    """
    send(connection, found)
    _rewrite_sent(connection)
    connection.execute("DELETE FROM history_difference")


def apply_sent(connection: psycopg.Connection) -> list[Changed]:
    """Make history what the differences sent in this transaction say; return what that did to each UTC day.

    Missing partitions are made, current follows, and archived states of later days are made anew in time. The caller
    holds the writer's lock. Raises ``PartitionInTheWay``, and ``psycopg.errors.DataError`` for an answer that no pack
    can hold.
    """
    days = _rewrite_sent(connection)
    # Of most markets the last row is a later one, and current as it should be.
    last_touched = connection.execute(
        """
        SELECT found.market_id FROM history_difference AS found
        LEFT JOIN current_odds AS current ON current.market_id = found.market_id
        GROUP BY found.market_id, current.captured_at
        HAVING current.captured_at IS NULL OR current.captured_at <= max(found.captured_at)
        """
    )
    follow_history(connection, [market_id for (market_id,) in last_touched])
    stale_states(connection, [changed.day for changed in days])
    connection.execute("DELETE FROM history_difference")
    return days


def _rewrite_sent(connection: psycopg.Connection) -> list[Changed]:
    connection.execute("ANALYZE history_difference")
    days = connection.execute(
        "SELECT DISTINCT (captured_at AT TIME ZONE 'UTC')::date AS day FROM history_difference ORDER BY day"
    ).fetchall()
    return [_rewrite_day(connection, day) for (day,) in days]


def _rewrite_day(connection: psycopg.Connection, day: date) -> Changed:
    """Make the packs of a day anew in which something differs."""
    ensure_partitions(connection, day, day)
    connection.execute(
        sql.SQL(
            """
            CREATE TEMPORARY TABLE remade_packs ON COMMIT DROP AS
            WITH found AS MATERIALIZED (
                SELECT market.event_bookmaker_id, difference.*
                FROM history_difference AS difference JOIN markets AS market ON market.id = difference.market_id
                WHERE {day}
            ), answers AS MATERIALIZED (
                SELECT event_bookmaker_id, captured_at, count(*) FILTER (WHERE what = 'added') AS added,
                       count(*) FILTER (WHERE what = 'removed') AS removed,
                       count(*) FILTER (WHERE what = 'replaced') AS replaced
                FROM found GROUP BY event_bookmaker_id, captured_at
            ), stored AS MATERIALIZED (
                SELECT history.* FROM odds_history AS history JOIN answers USING (event_bookmaker_id, captured_at)
                WHERE {day}
            ), remade AS (
                SELECT event_bookmaker_id, captured_at, max(run_id) AS run_id,
                       odds_pack(array_agg(market_id), array_agg(state), array_agg(run_id)) AS changes
                FROM (
                    SELECT event_bookmaker_id, captured_at, market_id, run_id, state FROM found WHERE what <> 'removed'
                    UNION ALL
                    SELECT stored.event_bookmaker_id, stored.captured_at, change.market_id, change.run_id, change.state
                    FROM stored CROSS JOIN LATERAL (
                        SELECT DISTINCT ON (market_id) * FROM odds_changes(stored.changes, stored.run_id)
                    ) AS change
                    WHERE (change.market_id, stored.captured_at) NOT IN (SELECT market_id, captured_at FROM found)
                ) AS row
                GROUP BY event_bookmaker_id, captured_at
            )
            SELECT answers.*, remade.run_id, remade.changes
            FROM answers LEFT JOIN remade USING (event_bookmaker_id, captured_at)
            """
        ).format(day=between(day, day + timedelta(days=1)))
    )
    connection.execute(
        """
        DELETE FROM odds_history AS history USING remade_packs AS remade
        WHERE (history.event_bookmaker_id, history.captured_at) = (remade.event_bookmaker_id, remade.captured_at)
        """
    )
    connection.execute(
        """
        INSERT INTO odds_history (captured_at, event_bookmaker_id, run_id, changes)
        SELECT captured_at, event_bookmaker_id, run_id, changes FROM remade_packs WHERE changes IS NOT NULL
        ORDER BY event_bookmaker_id, captured_at
        """
    )
    row = connection.execute(
        "SELECT coalesce(sum(added), 0)::int, coalesce(sum(removed), 0)::int, coalesce(sum(replaced), 0)::int "
        "FROM remade_packs"
    ).fetchone()
    assert row is not None
    connection.execute("DROP TABLE remade_packs")
    return Changed(day, *row)
