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
from odds_pipeline.archive.store import Archive, ArchiveDamaged, ArchiveUnusable
from odds_pipeline.database.archived_files import ask_files, ask_newest_state
from odds_pipeline.database.engine import Database
from odds_pipeline.database.fetching import ask, integers
from odds_pipeline.database.history import ask_history, ask_last_rows, begin_snapshot, midnight
from odds_pipeline.days.archived_rows import archived_history, archived_states, rewritten_history
from odds_pipeline.days.wanted import ANY_LINE, Wanted, WantedMarkets, ask_markets, ask_words, gone_markets
from odds_pipeline.odds.shown import ODDS_ROWS, shown

__all__ = ["ANY_LINE", "ODDS_ROWS", "TieredHistory", "UnimportedDays", "Wanted", "history", "state_at"]

T = TypeVar("T")

UnimportedDays = Callable[[date, date], list[date]]
"""Which of the UTC days between two, both included, an earlier system holds that were not imported."""

_KEY = ["market_id", "captured_at"]
_SPANS = {"market_id": pl.Int32, "since": ODDS_ROWS["captured_at"], "until": ODDS_ROWS["captured_at"]}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_MANY = 5_000
"""Markets from which on their number decides how they are read."""

_SHOWN_AT_ONCE = 100_000
"""Rows whose outcomes are unpacked together: bounds the memory of a question about everything."""


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
    an ``until`` before ``since``, ``UnknownBookmaker``, ``DayHalfDetached`` when PostgreSQL does not show all that it
    has of these days, and ``ArchiveDamaged`` or ``ArchiveUnusable`` when a file that is needed cannot be read.
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
        part = _known_at(database, archive, wanted, moment, after, markets)
        parts.append(part)
        found += part.rows.height
        if part.last_id is None or limit is None or found >= limit:
            return parts
        # Long ago few of today's markets had a row: the search widens.
        after, markets = part.last_id, 2 * (markets or limit)


def _history(
    database: Database, archive: Archive, wanted: Wanted, since: datetime, until: datetime, last_day: date
) -> pl.DataFrame:
    with database.borrow() as connection:
        with connection.pipeline():
            require_whole = _begin(connection, since.date(), last_day)
            words_asked = ask_words(connection, wanted)
            archived_asked = ask_files(connection, "history", last_day=last_day)
        require_whole()
        words, archived = words_asked(), archived_asked()
        gone = gone_markets(connection, wanted, words)
        market_ids = words["market_id"].to_list()
        with connection.pipeline():
            asked = ask_markets(connection, wanted, words, gone, with_archive=bool(archived))
            spans_asked = _ask_untrusted_spans(connection, words)
            # For many the planner looks at which they are, and when.
            stored_asked = ask_history(connection, market_ids, since, until, is_planned=len(market_ids) > _MANY)
            _end(connection)
    markets, spans, stored = asked(), spans_asked(), stored_asked()
    rows = [_shown(stored.sort(_KEY), spans, markets)]
    files = [file for file in archived if file.last_day >= since.date()]
    if files:
        rows.append(archived_history(database, archive, files, markets, since, until))
    if archived and not markets.formers.is_empty():
        rewritten = rewritten_history(database, archive, archived, markets, until)
        # What a remap stored anew, in the day of its time, stands in the archive under the former id.
        rows.append(rewritten.filter(pl.col("captured_at") >= since).join(rows[0], on=_KEY, how="anti"))
    return rows[0] if len(rows) == 1 else pl.concat(rows).sort(_KEY)


def _known_at(
    database: Database, archive: Archive, wanted: Wanted, moment: datetime, after: int | None, first: int | None
) -> _Part:
    """What was current at the moment of the ``first`` so many markets after an id.

    An archived state makes it quick. Where that cannot be read, everything that PostgreSQL has is looked through.
    """
    ask_for = partial(_state_at, database, archive, wanted, moment, after, first)
    try:
        return _twice(partial(ask_for, from_state=True))
    except (ArchiveDamaged, ArchiveUnusable):
        return ask_for(from_state=False)


def _state_at(
    database: Database,
    archive: Archive,
    wanted: Wanted,
    moment: datetime,
    after: int | None,
    first: int | None,
    *,
    from_state: bool,
) -> _Part:
    with database.borrow() as connection:
        with connection.pipeline():
            require_whole = _begin(connection, date.min, moment.date())
            words_asked = ask_words(connection, wanted, after=after, first=first)
            files_asked = ask_files(connection, "history", date.min, moment.date())
            newest_asked = ask_newest_state(connection, moment.date())
        require_whole()
        words, files, newest = words_asked(), files_asked(), newest_asked()
        last_id = words["market_id"][-1] if first is not None and words.height == first else None
        gone = gone_markets(connection, wanted, words, after=after, last_id=last_id)
        kept_since = max((file.last_day for file in files), default=date.min) + timedelta(days=1)
        base = newest if from_state and newest is not None and newest.first_day >= kept_since else None
        # Without one, everything that ever changed is looked through, the longer the more days there are.
        since = midnight(base.first_day) if base else _LONG_AGO
        is_near = base is not None and moment.date() - base.first_day <= timedelta(days=1)
        in_server = words.height > _MANY and not is_near
        with connection.pipeline():
            asked = ask_markets(connection, wanted, words, gone, last_id=last_id, with_archive=bool(files))
            spans_asked = _ask_untrusted_spans(connection, words)
            last_asked = ask_last_rows(connection, words["market_id"].to_list(), moment, since, in_server=in_server)
            if not (base and files):
                _end(connection)
        markets, spans, last = asked(), spans_asked(), last_asked()
        if base and markets.rewritten_ids:
            # The archive tells their timelines anew, row by row; a state says only how one ended.
            last_of_rewritten = ask_last_rows(connection, markets.rewritten_ids, moment, _LONG_AGO, in_server=True)()
            last = _latest(pl.concat([last_of_rewritten, last]))
    unsettled = pl.Series("market_id", dtype=pl.Int32)
    if files or base:
        settled = last.filter(pl.col("captured_at") >= midnight(kept_since)) if files else last
        unsettled = words.join(settled, on="market_id", how="anti")["market_id"]
        unsettled = unsettled.filter(~unsettled.is_in(markets.rewritten_ids))
    if len(unsettled) and base is not None:
        last = _latest(pl.concat([last, read_state(archive, base.path, unsettled.to_list())]))
        unsettled = unsettled.clear()
    rows = _shown(last, spans, markets)
    is_named = wanted.event_ids is not None or wanted.market_ids is not None
    gone = markets.gone if is_named or moment.date() < kept_since else None
    if files and (len(unsettled) or gone is not None):
        archived = archived_states(database, archive, files, markets, moment, last, unsettled, gone)
        rows = _latest(pl.concat([rows, archived]))
    if files and not markets.formers.is_empty():
        rewritten = rewritten_history(database, archive, files, markets, moment + timedelta(microseconds=1))
        rows = _latest(pl.concat([rewritten, rows]))
    is_whole = markets.gone is None and rows.height == words.height
    return _Part(rows, is_whole, markets.last_id)


def _begin(connection: psycopg.Connection, first_day: date, last_day: date) -> Callable[[], None]:
    """A view of both tiers, in which a question is planned once for whichever days and markets it is about."""
    connection.execute("SET LOCAL plan_cache_mode = force_generic_plan", prepare=False)
    return begin_snapshot(connection, first_day, last_day)


def _end(connection: psycopg.Connection) -> None:
    """The view ends in the pipeline of the last questions; a way to the server and back is most of a small one."""
    connection.execute("COMMIT", prepare=False)


def _ask_untrusted_spans(connection: psycopg.Connection, markets: pl.DataFrame) -> Callable[[], pl.DataFrame]:
    """Ask for the times in which the markets (``market_id``) carry a known fault."""
    query = sql.SQL("SELECT market_id, since, until FROM untrusted_spans WHERE market_id = ANY (%s::int[])")
    return ask(connection, query, _SPANS, [integers(markets["market_id"].to_list())], prepare=True)


def _shown(rows: pl.DataFrame, spans: pl.DataFrame, markets: WantedMarkets) -> pl.DataFrame:
    """Rows (``HISTORY_ROWS``) of known markets in ``ODDS_ROWS``, in their order."""
    parts: list[pl.DataFrame] = []
    for part in rows.iter_slices(_SHOWN_AT_ONCE) if rows.height else [rows]:
        known = part.join(markets.words, on="market_id", maintain_order="left")
        told = shown(known.join(markets.sets, on="outcome_set_id", how="left", maintain_order="left"))
        parts.append(told.hstack([_is_trusted(told, spans)])[list(ODDS_ROWS)])
    return pl.concat(parts) if len(parts) > 1 else parts[0]


def _is_trusted(rows: pl.DataFrame, spans: pl.DataFrame) -> pl.Series:
    if spans.is_empty():
        return pl.Series("is_trusted", [True]).new_from_index(0, rows.height)
    captured_at = pl.col("captured_at")
    untrusted = (
        rows.select(_KEY)
        .join(spans, on="market_id")
        .filter((captured_at >= pl.col("since")) & (captured_at < pl.col("until")))
        .select(*_KEY, is_trusted=False)
        .unique()
    )
    found = rows.select(_KEY).join(untrusted, on=_KEY, how="left", maintain_order="left")
    return found["is_trusted"].fill_null(value=True)


def _latest(rows: pl.DataFrame) -> pl.DataFrame:
    """Of each market the last row, the later in the frame of two of one moment; by market."""
    return rows.sort(_KEY, maintain_order=True).unique("market_id", keep="last", maintain_order=True)


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
