"""Stored history rows as frames: read, and appended, inside a transaction of the caller's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.database.copying import copy_rows
from odds_pipeline.database.engine import Database
from odds_pipeline.database.fetching import ask, integers
from odds_pipeline.database.partitions import ask_whole
from odds_pipeline.database.rebuild import last_rows
from odds_pipeline.odds.fold import SETS
from odds_pipeline.odds.packs import PACKS, ChangedTwice, PackTooLarge, changes_in, packs_of
from odds_pipeline.odds.replay import HISTORY_ROWS, state_at

_PACKS = {name: PACKS[name] for name in ("captured_at", "run_id", "changes")}

_FEW = 8
"""Markets of a bookmaker event up to which their packs are looked for among all of its packs."""


def midnight(day: date) -> datetime:
    """The beginning of a UTC day."""
    return datetime.combine(day, time(), UTC)


@contextmanager
def history_snapshot(database: Database) -> Iterator[psycopg.Connection]:
    """A transaction for reading that sees each day of history where it is: in PostgreSQL, or named in the archive.

    Raises ``DayHalfDetached`` when that cannot be.
    """
    with database.borrow() as connection:
        with connection.pipeline():
            require_whole = begin_snapshot(connection)
        require_whole()
        yield connection


def begin_snapshot(
    connection: psycopg.Connection, first_day: date = date.min, last_day: date = date.max
) -> Callable[[], None]:
    """Begin the transaction of ``history_snapshot``, for who asks for more in the same pipeline.

    What it returns raises ``DayHalfDetached`` when rows of these UTC days, both included, are not seen.
    """
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", prepare=False)
    # The lock comes before anything is looked at: whoever retires a day waits for us, and what it did before, we see.
    # A view that is older than the lock could find a day in neither place.
    connection.execute("LOCK TABLE ONLY odds_history IN ACCESS SHARE MODE", prepare=False)
    return ask_whole(connection, first_day, last_day)


def between(first: date, end: date) -> sql.Composed:
    """The condition that a history row lies in the UTC days from ``first`` up to but without ``end``."""
    return sql.SQL("captured_at >= {} AND captured_at < {}").format(midnight(first), midnight(end))


def read_history(
    connection: psycopg.Connection,
    *conditions: sql.Composable,
    market_ids: Sequence[int] | None = None,
    run_ids: Sequence[int] | None = None,
) -> pl.DataFrame:
    """The changes in the packs that meet all conditions, in ``HISTORY_ROWS`` and no order.

    The conditions are on columns of ``odds_history``. ``market_ids``, ``run_ids``: of these markets, of these runs
    alone. As the caller's transaction sees them.
    """
    if run_ids is not None:
        of_runs = sql.SQL("(run_id = ANY ({}::int[]) OR odds_is_mixed(changes))").format(integers(run_ids))
        changes = read_history(connection, *conditions, of_runs, market_ids=market_ids)
        return changes.filter(pl.col("run_id").is_in(list(run_ids)))
    if market_ids is None:
        query = sql.SQL("SELECT captured_at, run_id, changes FROM odds_history AS history WHERE {}")
        query = query.format(_all(conditions))
    else:
        query = _packs_of(sql.SQL("{}::int[]").format(integers(market_ids)), *conditions)
    return _changes(ask(connection, query, _PACKS, prepare=False)(), market_ids)


def append_changes(connection: psycopg.Connection, changes: pl.DataFrame) -> None:
    """Append the changes (CHANGES) of whole answers, whose days have their partitions.

    Raises ``psycopg.errors.UniqueViolation`` for an answer that is there already, and ``psycopg.errors.DataError`` for
    one that no pack can hold.
    """
    try:
        packs = packs_of(changes)
    except (PackTooLarge, ChangedTwice) as error:
        raise psycopg.errors.DataError(str(error)) from error
    copy_rows(connection, "odds_history", packs)


def ask_history(
    connection: psycopg.Connection, market_ids: Sequence[int], since: datetime, until: datetime, *, is_planned: bool
) -> Callable[[], pl.DataFrame]:
    """Ask for the rows (``HISTORY_ROWS``, in no order) of these markets from ``since`` up to but without ``until``.

    ``is_planned``: with a plan of its own, which is worth its time when many rows are meant.
    """
    values = [integers(market_ids), since, until]
    places = [sql.Literal(value) for value in values] if is_planned else [sql.SQL("%s")] * 3
    ids, *times = places
    query = _packs_of(
        sql.SQL("{}::int[]").format(ids), sql.SQL("captured_at >= {} AND captured_at < {}").format(*times)
    )
    asked = ask(connection, query, _PACKS, None if is_planned else values, prepare=not is_planned)
    return lambda: _changes(asked(), market_ids)


def ask_last_rows(
    connection: psycopg.Connection, market_ids: Sequence[int], moment: datetime, since: datetime, *, in_server: bool
) -> Callable[[], pl.DataFrame]:
    """Ask for each market's last row (``HISTORY_ROWS``) at or before ``moment``, not before ``since``; by market.

    One descent of an index for each bookmaker event and day. ``in_server``: found by PostgreSQL, which takes longer and
    no memory of ours, however much lies between the two times.
    """
    times = sql.SQL("captured_at <= %s AND captured_at >= %s")
    parameters = [integers(sorted(market_ids)), moment, since]
    if in_server:
        return ask(connection, last_rows(sql.SQL("%s::int[]"), times), HISTORY_ROWS, parameters, prepare=True)
    asked = ask(connection, _packs_of(sql.SQL("%s::int[]"), times), _PACKS, parameters, prepare=True)
    return lambda: state_at(_changes(asked(), market_ids))


def _packs_of(market_ids: sql.Composable, *conditions: sql.Composable) -> sql.Composed:
    """The query of the packs (_PACKS) in which there may be changes of the markets."""
    query = sql.SQL(
        """
        SELECT history.captured_at, history.run_id, history.changes
        FROM (
            SELECT event_bookmaker_id, array_agg(int4send(id)) AS ids FROM markets WHERE id = ANY ({ids})
            GROUP BY event_bookmaker_id
        ) AS wanted
        JOIN odds_history AS history ON history.event_bookmaker_id = wanted.event_bookmaker_id
        WHERE {conditions}
          AND (cardinality(ids) > {few} OR EXISTS (SELECT FROM unnest(ids) AS id WHERE position(id IN changes) > 0))
        """
    )
    return query.format(ids=market_ids, conditions=_all(conditions), few=sql.Literal(_FEW))


def _all(conditions: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true")


def _changes(packs: pl.DataFrame, market_ids: Sequence[int] | None) -> pl.DataFrame:
    changes = changes_in(packs)
    if market_ids is not None:
        wanted = pl.Series("market_id", market_ids, dtype=pl.Int32).to_frame()
        changes = changes.join(wanted, on="market_id", how="semi")
    return changes.select(*HISTORY_ROWS)


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
