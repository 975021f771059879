"""Reading across tiers: history, and state at a moment, wherever the days of a question live.

Callers do not know whether a day is in PostgreSQL or in the archive. A question is answered from one view of both: the
transaction that reads PostgreSQL's rows also reads the names of the files that count, and a day leaves the one for the
other in one step.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.archive.states import read_state
from odds_pipeline.archive.store import Archive, ArchiveDamaged
from odds_pipeline.database.archived_files import NamedFile, named_files
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import history_snapshot, midnight, of_markets, read_history
from odds_pipeline.days.archived_rows import archived_history, archived_states, rewritten_history
from odds_pipeline.days.wanted import ANY_LINE, Wanted, WantedMarkets, find_markets
from odds_pipeline.odds.replay import HISTORY_ROWS
from odds_pipeline.odds.shown import ODDS_ROWS, shown

__all__ = ["ANY_LINE", "ODDS_ROWS", "TieredHistory", "UnimportedDays", "Wanted", "history", "state_at"]

T = TypeVar("T")

UnimportedDays = Callable[[date, date], list[date]]
"""Which of the UTC days between two, both included, an earlier system holds that were not imported."""

_KEY = ["market_id", "captured_at"]
_MANY = 5_000
"""Markets from which on the state at the day's beginning is read rather than each market's last row looked up."""


class TieredHistory(NamedTuple):
    """What is known. ``rows``: in ``ODDS_ROWS``, by market and time.

    ``unimported``: UTC days that the answer may lack something of, because an earlier system has them and they were
    not imported (R18). An empty answer is the whole truth only when there are none.
    """

    rows: pl.DataFrame
    unimported: list[date]


def history(
    database: Database,
    archive: Archive,
    wanted: Wanted,
    since: datetime,
    until: datetime,
    *,
    unimported_days: UnimportedDays,
) -> TieredHistory:
    """Every change of the wanted markets from ``since`` up to but without ``until``.

    Rows of an event that was cleaned up are found in the archive. Raises ``ValueError`` for a time without a zone or
    an ``until`` before ``since``, ``UnknownBookmaker``, and ``ArchiveDamaged`` or ``ArchiveUnusable`` when a file that
    is needed cannot be read.
    """
    since, until = _utc(since), _utc(until)
    if until < since:
        raise ValueError(f"the time asked for ends ({until}) before it begins ({since})")
    if until == since:
        return TieredHistory(pl.DataFrame(schema=dict(ODDS_ROWS)), [])
    last_day = (until - timedelta(microseconds=1)).date()
    rows = _twice(lambda: _history(database, archive, wanted, since, until, last_day))
    return TieredHistory(rows, unimported_days(since.date(), last_day))


def state_at(
    database: Database,
    archive: Archive,
    wanted: Wanted,
    moment: datetime,
    *,
    unimported_days: UnimportedDays,
    after: int | None = None,
    limit: int | None = None,
) -> TieredHistory:
    """What was current at ``moment``: the last change at or before it of each wanted market that had one.

    Exact as far back as history goes, kept or retired; a market that was unavailable then has its row, with
    ``is_unavailable``. Markets of an event that was cleaned up are found when the question names the event or the
    market, or when the moment lies in a retired day. ``after`` and ``limit``: only markets with a greater id, and of
    their rows the first so many; fewer are the last. Raises as ``history`` does.
    """
    moment = _utc(moment)
    if limit is not None and limit < 1:
        raise ValueError(f"a limit of {limit} rows asks for nothing; give at least 1")
    parts = _parts(database, archive, wanted, moment, after, limit)
    rows = pl.concat([part.rows for part in parts])
    rows = rows if limit is None else rows.head(limit)
    unimported = unimported_days(date.min, moment.date())
    if unimported and all(part.is_whole for part in parts):
        # A day that ended before the oldest change that was found could only have had older ones.
        oldest = rows["captured_at"].min()
        unimported = [day for day in unimported if isinstance(oldest, datetime) and day >= oldest.date()]
    return TieredHistory(rows, unimported)


class _Part(NamedTuple):
    """Rows of markets up to one id. ``is_whole``: there is one of each market that may be meant.

    ``last_id``: the markets' last; None when there are no more.
    """

    rows: pl.DataFrame
    is_whole: bool
    last_id: int | None


def _parts(
    database: Database, archive: Archive, wanted: Wanted, moment: datetime, after: int | None, limit: int | None
) -> list[_Part]:
    """Parts of the answer, one after the other, until they have ``limit`` rows or are all."""
    parts: list[_Part] = []
    markets, found = limit, 0
    while True:
        part = _twice(partial(_state_at, database, archive, wanted, moment, after, markets))
        parts.append(part)
        found += part.rows.height
        if part.last_id is None or limit is None or found >= limit:
            return parts
        # Long ago few of today's markets had a row: the search widens.
        after, markets = part.last_id, 2 * (markets or limit)


def _history(
    database: Database, archive: Archive, wanted: Wanted, since: datetime, until: datetime, last_day: date
) -> pl.DataFrame:
    with history_snapshot(database) as connection:
        archived = named_files(connection, "history", last_day=last_day)
        markets = find_markets(connection, wanted)
        is_within = sql.SQL("captured_at >= {} AND captured_at < {}").format(since, until)
        stored = pl.DataFrame(schema=dict(HISTORY_ROWS))
        if markets.ids:
            stored = read_history(connection, of_markets(markets.ids), is_within)
        spans = _untrusted_spans(connection, stored)
    rows = [_shown(stored, spans, markets)]
    files = [file for file in archived if file.last_day >= since.date()]
    if files:
        rows.append(archived_history(database, archive, files, markets, since, until))
    if archived and not markets.formers.is_empty():
        rewritten = rewritten_history(database, archive, archived, markets, until)
        # What a remap stored anew, in the day of its time, stands in the archive under the former id.
        rows.append(rewritten.filter(pl.col("captured_at") >= since).join(rows[0], on=_KEY, how="anti"))
    return pl.concat(rows).sort(_KEY)


def _state_at(
    database: Database, archive: Archive, wanted: Wanted, moment: datetime, after: int | None, first: int | None
) -> _Part:
    """What was current at the moment of the ``first`` so many markets after an id."""
    with history_snapshot(database) as connection:
        markets = find_markets(connection, wanted, after=after, first=first)
        files = named_files(connection, "history", date.min, moment.date())
        kept_since = max((file.last_day for file in files), default=date.min) + timedelta(days=1)
        base = _newest_state(connection, kept_since, moment.date())
        is_from_base = base is not None and len(markets.ids) > _MANY
        last = _last_rows(connection, markets.ids, moment, midnight(base.first_day) if base and is_from_base else None)
        settled = last if not files else last.filter(pl.col("captured_at") >= midnight(kept_since))
        unsettled = sorted(set(markets.ids) - set(settled["market_id"])) if files or is_from_base else []
        spans = _untrusted_spans(connection, markets.words)
    if files and not markets.formers.is_empty():
        unsettled = sorted(set(unsettled) - set(markets.rewritten_ids))
    if unsettled and base is not None:
        last = _latest(pl.concat([last, read_state(archive, base.path, unsettled)]))
        unsettled = []
    rows = _shown(last, spans, markets)
    is_named = wanted.event_ids is not None or wanted.market_ids is not None
    gone = markets.gone if is_named or moment.date() < kept_since else None
    if files and (unsettled or gone is not None):
        archived = archived_states(database, archive, files, markets, moment, last, unsettled, gone)
        rows = _latest(pl.concat([rows, archived]))
    if files and not markets.formers.is_empty():
        rewritten = rewritten_history(database, archive, files, markets, moment + timedelta(microseconds=1))
        rows = _latest(pl.concat([rewritten, rows]))
    is_whole = markets.gone is None and rows.height == len(markets.ids)
    return _Part(rows.sort("market_id"), is_whole, markets.last_id)


def _newest_state(connection: psycopg.Connection, first_day: date, last_day: date) -> NamedFile | None:
    """The newest archived state of the days' beginnings that knows every row before it."""
    states = named_files(connection, "state", first_day, last_day)
    fresh = [state for state in states if state.stale_from is None]
    return fresh[-1] if fresh else None


def _last_rows(
    connection: psycopg.Connection, market_ids: list[int], moment: datetime, since: datetime | None
) -> pl.DataFrame:
    """The last row of each market in PostgreSQL at or before ``moment``, not before ``since``; in ``HISTORY_ROWS``.

    One descent of an index for each market and day until it is found, the newest day first.
    """
    rows = connection.execute(
        sql.SQL(
            """
            SELECT last.market_id, last.captured_at, last.run_id, last.state
            FROM unnest(%(ids)s::int[]) AS wanted (market_id)
            CROSS JOIN LATERAL (
                SELECT market_id, captured_at, run_id, state FROM odds_history
                WHERE market_id = wanted.market_id AND captured_at <= {moment} {since}
                ORDER BY captured_at DESC LIMIT 1
            ) AS last
            """
        ).format(
            moment=moment,
            since=sql.SQL("") if since is None else sql.SQL("AND captured_at >= {}").format(since),
        ),
        {"ids": market_ids},
        prepare=False,
    ).fetchall()
    return pl.DataFrame(rows, schema=dict(HISTORY_ROWS), orient="row")


def _untrusted_spans(connection: psycopg.Connection, markets: pl.DataFrame) -> pl.DataFrame:
    """The times in which the markets (``market_id``) carry a known fault."""
    spans = connection.execute(
        "SELECT market_id, since, until FROM untrusted_spans WHERE market_id = ANY (%s)",
        [markets["market_id"].unique().to_list()],
    ).fetchall()
    kinds = {"market_id": pl.Int32, "since": ODDS_ROWS["captured_at"], "until": ODDS_ROWS["captured_at"]}
    return pl.DataFrame(spans, schema=kinds, orient="row")


def _shown(rows: pl.DataFrame, spans: pl.DataFrame, markets: WantedMarkets) -> pl.DataFrame:
    """Rows (``HISTORY_ROWS``) of known markets in ``ODDS_ROWS``."""
    told = rows.join(markets.words, on="market_id").join(markets.sets, on="outcome_set_id", how="left")
    captured_at = pl.col("captured_at")
    untrusted = (
        told.join(spans, on="market_id")
        .filter((captured_at >= pl.col("since")) & (captured_at < pl.col("until")))
        .select("market_id", "captured_at", is_trusted=False)
        .unique()
    )
    return (
        shown(told)
        .join(untrusted, on=["market_id", "captured_at"], how="left")
        .with_columns(pl.col("is_trusted").fill_null(value=True))
        .select(pl.col(name).cast(kind) for name, kind in ODDS_ROWS.items())
    )


def _latest(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort(_KEY, maintain_order=True).unique("market_id", keep="last")


def _twice(answer: Callable[[], T]) -> T:
    """Answer once more when a file is missing: it was named when the question began, and may not be any more."""
    try:
        return answer()
    except ArchiveDamaged:
        return answer()


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; times are aware, as in 2026-11-20T12:00+00:00")
    return moment.astimezone(UTC)
