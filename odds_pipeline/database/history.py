"""Stored history rows as frames, read and changed inside a transaction of the caller's.

A change is written as a difference: only rows that are not what they should be are touched, in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from typing import NamedTuple

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.database.archived_files import stale_states
from odds_pipeline.database.copying import copy_rows
from odds_pipeline.database.engine import Database
from odds_pipeline.database.fetching import ask, integers
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.database.rebuild import follow_history
from odds_pipeline.odds.fold import SETS
from odds_pipeline.odds.replay import HISTORY_ROWS

_KEY = ("market_id", "captured_at")

#: Rows that are to be added to history, removed from it (no run, no state), or replaced: ``what``.
DIFFERENCE: Mapping[str, pl.DataType | type[pl.DataType]] = {**HISTORY_ROWS, "what": pl.String}


def midnight(day: date) -> datetime:
    """The beginning of a UTC day."""
    return datetime.combine(day, time(), UTC)


@contextmanager
def history_snapshot(database: Database) -> Iterator[psycopg.Connection]:
    """A transaction for reading that sees each day of history where it is: in PostgreSQL, or named in the archive."""
    with database.borrow() as connection:
        with connection.pipeline():
            begin_snapshot(connection)
        yield connection


def begin_snapshot(connection: psycopg.Connection) -> None:
    """Begin the transaction of ``history_snapshot``, for who asks for more in the same pipeline."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", prepare=False)
    # The lock comes before anything is looked at: whoever retires a day waits for us, and what it did before, we see.
    # A view that is older than the lock could find a day in neither place.
    connection.execute("LOCK TABLE ONLY odds_history IN ACCESS SHARE MODE", prepare=False)


def between(first: date, end: date) -> sql.Composed:
    """The condition that a history row lies in the UTC days from ``first`` up to but without ``end``."""
    return sql.SQL("captured_at >= {} AND captured_at < {}").format(midnight(first), midnight(end))


def of_markets(market_ids: Sequence[int]) -> sql.Composed:
    """The condition that a row is one of these markets'."""
    return sql.SQL("market_id = ANY ({})").format(sql.Literal(list(market_ids)))


def read_history(connection: psycopg.Connection, *conditions: sql.Composable) -> pl.DataFrame:
    """Rows of ``odds_history`` that meet all conditions, in ``HISTORY_ROWS`` and no order.

    As the caller's transaction sees them.
    """
    query = sql.SQL("SELECT market_id, captured_at, run_id, state FROM odds_history WHERE {}")
    return ask(connection, query.format(sql.SQL(" AND ").join(conditions)), HISTORY_ROWS, prepare=False)()


def ask_history(
    connection: psycopg.Connection, market_ids: Sequence[int], since: datetime, until: datetime, *, is_planned: bool
) -> Callable[[], pl.DataFrame]:
    """Ask for the rows (``HISTORY_ROWS``, in no order) of these markets from ``since`` up to but without ``until``.

    ``is_planned``: with a plan of its own, which is worth its time when many rows are meant.
    """
    query = sql.SQL(
        """
        SELECT market_id, captured_at, run_id, state FROM odds_history
        WHERE market_id = ANY ({}::int[]) AND captured_at >= {} AND captured_at < {}
        """
    )
    values = [integers(market_ids), since, until]
    if is_planned:
        return ask(connection, query.format(*values), HISTORY_ROWS, prepare=False)
    return ask(connection, query.format(*[sql.SQL("%s")] * 3), HISTORY_ROWS, values, prepare=True)


def ask_last_rows(
    connection: psycopg.Connection, market_ids: Sequence[int], moment: datetime, since: datetime
) -> Callable[[], pl.DataFrame]:
    """Ask for each market's last row (``HISTORY_ROWS``) at or before ``moment``, not before ``since``; by market.

    One descent of an index for each market and day until it is found, the newest day first.
    """
    query = sql.SQL(
        """
        SELECT last.market_id, last.captured_at, last.run_id, last.state
        FROM unnest(%(ids)s::int[]) AS wanted (market_id)
        CROSS JOIN LATERAL (
            SELECT market_id, captured_at, run_id, state FROM odds_history
            WHERE market_id = wanted.market_id AND captured_at <= %(moment)s AND captured_at >= %(since)s
            ORDER BY captured_at DESC LIMIT 1
        ) AS last
        """
    )
    parameters = {"ids": integers(sorted(market_ids)), "moment": moment, "since": since}
    return ask(connection, query, HISTORY_ROWS, parameters, prepare=True)


def outcome_sets(connection: psycopg.Connection, market_ids: Sequence[int]) -> pl.DataFrame:
    """The outcome sets (``SETS``) of these markets, those left out that do not exist."""
    markets = connection.execute(
        "SELECT array_agg(id), array_agg(outcome_set_id) FROM markets WHERE id = ANY(%s)", [list(market_ids)]
    ).fetchone()
    assert markets is not None
    ids, set_ids = markets
    sets = connection.execute("SELECT id, keys FROM outcome_sets WHERE id = ANY(%s)", [set_ids or []]).fetchall()
    by_market = pl.DataFrame(
        {"market_id": ids or [], "set_id": set_ids or []}, schema={"market_id": pl.Int32, "set_id": pl.Int32}
    )
    by_set = pl.DataFrame(sets, schema={"set_id": pl.Int32, "keys": SETS["keys"]}, orient="row")
    return by_market.join(by_set, on="set_id").select(*SETS)


class Changed(NamedTuple):
    """How many rows of a UTC day were added, removed, and put in the place of others of the same market and time."""

    day: date
    added: int
    removed: int
    replaced: int


def difference(stored: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """What must happen to ``stored`` rows (HISTORY_ROWS) so that they are those of ``wanted``, in ``DIFFERENCE``."""
    both = stored.join(wanted, on=list(_KEY), how="full", coalesce=True, suffix="_wanted")
    is_there, is_wanted = pl.col("state").is_not_null(), pl.col("state_wanted").is_not_null()
    differs = (pl.col("state") != pl.col("state_wanted")) | (pl.col("run_id") != pl.col("run_id_wanted"))
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
    """Send a difference to the server, to wait for ``apply_sent`` in this transaction. Nothing is locked yet."""
    connection.execute(
        """
        CREATE TEMPORARY TABLE IF NOT EXISTS history_difference (
            market_id int, captured_at timestamptz, run_id int, state bytea, what text
        ) ON COMMIT DROP
        """
    )
    copy_rows(connection, "history_difference", found)


def apply_sent(connection: psycopg.Connection) -> list[Changed]:
    """Make history what the differences sent in this transaction say; return what that did to each UTC day.

    Missing partitions are made, current follows, and archived states of later days are made anew in time. The caller
    holds the writer's lock. Raises ``PartitionInTheWay``.
    """
    connection.execute("ANALYZE history_difference")
    days = [
        Changed(*row)
        for row in connection.execute(
            """
            SELECT (captured_at AT TIME ZONE 'UTC')::date AS day, count(*) FILTER (WHERE what = 'added'),
                   count(*) FILTER (WHERE what = 'removed'), count(*) FILTER (WHERE what = 'replaced')
            FROM history_difference GROUP BY day ORDER BY day
            """
        )
    ]
    for changed in days:
        ensure_partitions(connection, changed.day, changed.day)
    connection.execute(
        """
        DELETE FROM odds_history AS history USING history_difference AS found
        WHERE found.what = 'removed'
          AND (history.market_id, history.captured_at) = (found.market_id, found.captured_at)
        """
    )
    connection.execute(
        """
        UPDATE odds_history AS history SET run_id = found.run_id, state = found.state
        FROM history_difference AS found
        WHERE found.what = 'replaced'
          AND (history.market_id, history.captured_at) = (found.market_id, found.captured_at)
        """
    )
    connection.execute(
        """
        INSERT INTO odds_history (captured_at, market_id, run_id, state)
        SELECT captured_at, market_id, run_id, state FROM history_difference WHERE what = 'added'
        ORDER BY captured_at
        """
    )
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
