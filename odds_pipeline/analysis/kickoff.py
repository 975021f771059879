"""Time to kick-off: how odds and margins move towards it in buckets, and opening against closing.

What the words mean exactly is in ``odds/kickoff.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl
import psycopg

from odds_pipeline.analysis.asked import require_bookmakers, require_window
from odds_pipeline.analysis.bookmaker_order import in_order
from odds_pipeline.analysis.current import reading
from odds_pipeline.analysis.errors import BadQuestion
from odds_pipeline.analysis.headline import HEADLINE
from odds_pipeline.analysis.known import require_seen, require_words
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.clock import require_utc
from odds_pipeline.days.read import Wanted, history
from odds_pipeline.odds import kickoff
from odds_pipeline.odds.kickoff import (
    BUCKET_ROWS,
    BUCKETS,
    EVENT_WORDS,
    GROUPINGS,
    OPENING_CLOSING,
    TO_KICKOFF,
)
from odds_pipeline.odds.kickoff_times import KICKOFFS
from odds_pipeline.odds.shown import ODDS_ROWS

__all__ = [
    "BUCKETS",
    "BUCKET_ROWS",
    "GROUPINGS",
    "OPENING_CLOSING",
    "TO_KICKOFF",
    "TowardsKickoff",
    "opening_closing",
    "summed_to_kickoff",
    "time_to_kickoff",
    "time_to_kickoff_rows",
]

_MARKETS = ("event_id", "betpawa_market_id", "line", "bookmaker_slug")
_INSTANT = timedelta(microseconds=1)
_NO_ROWS = pl.DataFrame(schema=dict(ODDS_ROWS))


class TowardsKickoff(NamedTuple):
    """``rows`` in the schema that the question names.

    ``unimported``: UTC days that the answer may lack something of, because an earlier system has them and they were not
    imported (R18).
    """

    rows: pl.DataFrame
    unimported: list[date]


def time_to_kickoff(
    source: OddsSource,
    *,
    kickoff_since: datetime | None = None,
    kickoff_until: datetime | None = None,
    markets: Sequence[tuple[str, Decimal | None]] = HEADLINE,
    event_ids: Sequence[int] | None = None,
    tournament_id: int | None = None,
    bookmakers: Sequence[str] | None = None,
    by: Sequence[str] = ("betpawa_market_id", "line", "bookmaker_slug"),
    now: datetime,
) -> TowardsKickoff:
    """Odds and margins in each bucket of time before kick-off, and after it, in ``TO_KICKOFF``.

    The choice is that of ``time_to_kickoff_rows``, whose rows are summed up. ``by``: what they are grouped by, names of
    ``GROUPINGS``; of the other groupings' columns the answer has nulls. ``odds/kickoff.py``, ``to_kickoff``, defines
    the sums. Raises as ``time_to_kickoff_rows`` does, and ``BadQuestion`` for another name in ``by``.
    """
    if unknown := [name for name in by if name not in GROUPINGS]:
        raise BadQuestion(f"there is no grouping by {', '.join(unknown)}; there is by {', '.join(GROUPINGS)}")
    rows, unimported = time_to_kickoff_rows(
        source,
        kickoff_since=kickoff_since,
        kickoff_until=kickoff_until,
        markets=markets,
        event_ids=event_ids,
        tournament_id=tournament_id,
        bookmakers=bookmakers,
        now=now,
    )
    return TowardsKickoff(summed_to_kickoff(source, rows, by), unimported)


def summed_to_kickoff(source: OddsSource, rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """The rows of ``time_to_kickoff_rows`` summed up in ``TO_KICKOFF``, by names of ``GROUPINGS``."""
    groups = (column for columns in GROUPINGS.values() for column in columns)
    return in_order(source, kickoff.to_kickoff(rows, by), *groups)


def time_to_kickoff_rows(
    source: OddsSource,
    *,
    kickoff_since: datetime | None = None,
    kickoff_until: datetime | None = None,
    markets: Sequence[tuple[str, Decimal | None]] = HEADLINE,
    event_ids: Sequence[int] | None = None,
    tournament_id: int | None = None,
    bookmakers: Sequence[str] | None = None,
    now: datetime,
) -> TowardsKickoff:
    """Each market at the end of each bucket, in ``BUCKET_ROWS``.

    Chosen are events whose kick-off, as known today, lies in the window from ``kickoff_since`` up to but without
    ``kickoff_until``; both are needed unless ``event_ids`` are given. Of them the ``markets`` (market id, line; no line
    is None) of the ``bookmakers`` (slugs; None: all). Events that were cleaned up are in no answer: their kick-offs
    went with them.

    Raises ``NotFound`` for an event, tournament or market that was never seen (the headline markets need not have
    been), ``BadQuestion`` for an unknown bookmaker and for neither a window nor events, ``ValueError`` for a time
    without a zone, and ``ArchiveDamaged`` or ``ArchiveUnusable`` when a file that is needed cannot be read.
    """
    choice = _Choice(kickoff_since, kickoff_until, markets, event_ids, tournament_id, bookmakers)
    found = _find(source, choice, require_utc(now))
    rows = kickoff.bucket_rows(found.rows, found.events, found.kickoffs, now=now)
    return TowardsKickoff(in_order(source, rows, *_MARKETS), found.unimported)


def opening_closing(
    source: OddsSource,
    *,
    kickoff_since: datetime | None = None,
    kickoff_until: datetime | None = None,
    markets: Sequence[tuple[str, Decimal | None]] = HEADLINE,
    event_ids: Sequence[int] | None = None,
    tournament_id: int | None = None,
    bookmakers: Sequence[str] | None = None,
    now: datetime,
) -> TowardsKickoff:
    """Each outcome's first price against its price when the match began, in ``OPENING_CLOSING``.

    The choice is that of ``time_to_kickoff_rows``, and raises the same.
    """
    choice = _Choice(kickoff_since, kickoff_until, markets, event_ids, tournament_id, bookmakers)
    found = _find(source, choice, require_utc(now))
    rows = kickoff.opening_closing(found.rows, found.events, found.kickoffs, now=now)
    return TowardsKickoff(in_order(source, rows, *_MARKETS), found.unimported)


class _Choice(NamedTuple):
    """Which events, and which markets of theirs."""

    kickoff_since: datetime | None
    kickoff_until: datetime | None
    markets: Sequence[tuple[str, Decimal | None]]
    event_ids: Sequence[int] | None
    tournament_id: int | None
    bookmakers: Sequence[str] | None


class _Found(NamedTuple):
    """All changes of the chosen markets, the events (``EVENT_WORDS``) and what was known of their kick-offs."""

    rows: pl.DataFrame
    events: pl.DataFrame
    kickoffs: pl.DataFrame
    unimported: list[date]


def _find(source: OddsSource, choice: _Choice, now: datetime) -> _Found:
    since, until = require_window(choice.kickoff_since, choice.kickoff_until)
    if choice.event_ids is None and (since is None or until is None):
        raise BadQuestion("no events are chosen; give both ends of a window of kick-offs, or the events' ids")
    is_headline = tuple(choice.markets) == HEADLINE
    named = Wanted(
        event_ids=choice.event_ids,
        tournament_ids=None if choice.tournament_id is None else [choice.tournament_id],
        betpawa_market_ids=None if is_headline else [market_id for market_id, _ in choice.markets],
    )
    require_words(named)
    with reading(source.database) as connection:
        slugs = require_bookmakers(connection, choice.bookmakers)
        events = _events(connection, choice, since, until)
        event_ids = events["event_id"].to_list()
        market_ids = _market_ids(connection, event_ids, choice.markets, slugs)
        kickoffs = _frame(
            connection,
            "SELECT event_id, known_since, kickoff FROM event_kickoffs WHERE event_id = ANY (%s)",
            [event_ids],
            KICKOFFS,
        )
        first_seen = _first_seen(connection, event_ids)
    require_seen(source, named, _NO_ROWS)
    # An earlier system may have known matches before we did, and matches that we do not know at all.
    unimported = source.unimported_days(date.min, now.date())
    if not market_ids or first_seen is None or first_seen > now:
        return _Found(_NO_ROWS, events, kickoffs, unimported)
    rows, _ = history(
        source.database,
        source.archive,
        Wanted(market_ids=market_ids),
        first_seen,
        now + _INSTANT,
        unimported_days=lambda first, last: [],
    )
    return _Found(rows, events, kickoffs, unimported)


def _events(
    connection: psycopg.Connection, choice: _Choice, since: datetime | None, until: datetime | None
) -> pl.DataFrame:
    return _frame(
        connection,
        """
        SELECT event.id, tournament.id, tournament.name, tournament.country
        FROM events AS event JOIN tournaments AS tournament ON tournament.id = event.tournament_id
        WHERE (%(ids)s::int[] IS NULL OR event.id = ANY (%(ids)s))
          AND (%(tournament)s::int IS NULL OR event.tournament_id = %(tournament)s)
          AND (%(since)s::timestamptz IS NULL OR event.kickoff >= %(since)s)
          AND (%(until)s::timestamptz IS NULL OR event.kickoff < %(until)s)
        """,
        {
            "ids": None if choice.event_ids is None else list(choice.event_ids),
            "tournament": choice.tournament_id,
            "since": since,
            "until": until,
        },
        EVENT_WORDS,
    )


def _market_ids(
    connection: psycopg.Connection,
    event_ids: list[int],
    markets: Sequence[tuple[str, Decimal | None]],
    bookmakers: list[str] | None,
) -> list[int]:
    rows = connection.execute(
        """
        SELECT market.id
        FROM unnest(%(types)s::text[], %(lines)s::numeric[]) AS wanted (betpawa_market_id, line)
        JOIN market_types AS type USING (betpawa_market_id)
        JOIN event_bookmakers AS listing ON listing.event_id = ANY (%(events)s) AND listing.is_primary
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        JOIN markets AS market
          ON market.event_bookmaker_id = listing.id AND market.market_type_id = type.id
         AND market.line IS NOT DISTINCT FROM wanted.line
        WHERE %(slugs)s::text[] IS NULL OR bookmaker.slug = ANY (%(slugs)s)
        """,
        {
            "types": [market_id for market_id, _ in markets],
            "lines": [line for _, line in markets],
            "events": event_ids,
            "slugs": bookmakers,
        },
    )
    return sorted({market_id for (market_id,) in rows})


def _first_seen(connection: psycopg.Connection, event_ids: list[int]) -> datetime | None:
    """A time before the first change of any market of the events; archived days before it need not be opened.

    A listing is made when it is first seen by the clock, its event's kick-off is dated by the cycle that saw it, which
    in a replay is earlier; imported rows are as old as their day. A day to spare costs little.
    """
    row = connection.execute(
        """
        SELECT least(
            min(listing.created_at),
            (SELECT min(known_since) FROM event_kickoffs WHERE event_id = ANY (%(ids)s)),
            CASE WHEN min(listing.created_at) <= (SELECT max(imported_at) FROM imported_days)
                 THEN (SELECT min(day) FROM imported_days)::timestamp AT TIME ZONE 'UTC' END
        )
        FROM event_bookmakers AS listing WHERE listing.event_id = ANY (%(ids)s)
        """,
        {"ids": event_ids},
    ).fetchone()
    if row is None or row[0] is None:
        return None
    return row[0].astimezone(UTC) - timedelta(days=1)


def _frame(connection: psycopg.Connection, query: Any, parameters: Any, schema: Any) -> pl.DataFrame:
    return pl.DataFrame(connection.execute(query, parameters).fetchall(), schema=dict(schema), orient="row")
