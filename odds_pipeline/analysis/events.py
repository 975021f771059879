"""The event list: who lists each event, whether it is on offer and fresh, and its headline markets."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.analysis.asked import require_bookmakers, require_limit, require_text, require_window
from odds_pipeline.analysis.current import IS_STALE, frame, reading
from odds_pipeline.analysis.errors import BadQuestion
from odds_pipeline.analysis.headline import HEADLINE_FIELDS, headline_of
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.clock import require_utc
from odds_pipeline.odds.observation import UTC_MICROSECONDS

#: One bookmaker's listing of an event.
LISTING_FIELDS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "bookmaker_slug": pl.String,
    "external_event_id": pl.String,
    "kickoff": UTC_MICROSECONDS,
    "is_available": pl.Boolean,
    "last_confirmed_at": UTC_MICROSECONDS,
    "is_stale": pl.Boolean,
}

#: One row per event.
EVENTS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "event_id": pl.Int32,
    "name": pl.String,
    "home_team": pl.String,
    "away_team": pl.String,
    "kickoff": UTC_MICROSECONDS,
    "country": pl.String,
    "tournament": pl.String,
    "tournament_id": pl.Int32,
    "sportradar_id": pl.String,
    "is_started": pl.Boolean,
    "is_available": pl.Boolean,
    "last_confirmed_at": UTC_MICROSECONDS,
    "is_stale": pl.Boolean,
    "listings": pl.List(pl.Struct(dict(LISTING_FIELDS))),
    "headline": pl.List(pl.Struct(dict(HEADLINE_FIELDS))),
}

_EVENT_WORDS = (
    "event_id",
    "name",
    "home_team",
    "away_team",
    "kickoff",
    "country",
    "tournament",
    "tournament_id",
    "sportradar_id",
    "is_started",
)
_LISTED = {name: EVENTS[name] for name in _EVENT_WORDS} | {
    "listing_id": pl.Int32,
    **{f"listing_{name}": kind for name, kind in LISTING_FIELDS.items()},
}

# How an event relates to the listings of a query that ``_listings`` begins.
_IS_AMONG = sql.SQL("event.id = ANY (ARRAY({}))")
_IS_IN_ONE = sql.SQL("EXISTS ({} AND listing.event_id = event.id)")
_IS_IN_NONE = sql.SQL("NOT EXISTS ({} AND listing.event_id = event.id)")


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are meant: those that meet every condition given (None: no condition).

    ``kickoff_since <= kickoff < kickoff_until``: an event without a kick-off lies in no window. ``bookmakers``: one of
    these lists it (empty: none does). ``is_available``: one of them, or any bookmaker, still offers it, or none does.
    ``is_started``: its kick-off has come, or it has not or is unknown. ``name``: the event's name contains it, in
    capitals or not. A tournament or country that is not stored has no events.
    """

    kickoff_since: datetime | None = None
    kickoff_until: datetime | None = None
    tournament_id: int | None = None
    country: str | None = None
    bookmakers: Sequence[str] | None = None
    is_available: bool | None = None
    is_started: bool | None = None
    name: str | None = None


class EventCursor(NamedTuple):
    """The last event of a page, behind which the next begins."""

    kickoff: datetime | None
    event_id: int

    def encode(self) -> str:
        """The cursor as a word for URLs."""
        kickoff = "" if self.kickoff is None else require_utc(self.kickoff).isoformat()
        return base64.urlsafe_b64encode(f"{self.event_id} {kickoff}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, word: str) -> Self:
        """What ``encode`` made. Raises ``BadQuestion`` for anything else."""
        try:
            padded = word.encode("ascii") + b"=" * (-len(word) % 4)
            event_id, kickoff = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").split(" ")
            cursor = cls(require_utc(datetime.fromisoformat(kickoff)) if kickoff else None, int(event_id))
        except (ValueError, binascii.Error):
            cursor = None
        if cursor is None or cursor.encode() != word:
            raise BadQuestion(f"{word!r} is no place in the event list; pass on the one that came with a page, or none")
        return cursor


class EventPage(NamedTuple):
    """Events in ``EVENTS``, and where the next page begins; None: this is the last."""

    rows: pl.DataFrame
    next: EventCursor | None


def events(
    source: OddsSource,
    wanted: EventFilter = EventFilter(),
    *,
    now: datetime,
    limit: int = 100,
    after: EventCursor | None = None,
) -> EventPage:
    """Up to ``limit`` (1 to 500) of the wanted events by kick-off, those without one last, then by id.

    Each with all its primary listings and their headline markets, whichever bookmakers the filter names. Of the event:
    ``is_available``: a bookmaker still lists it. ``last_confirmed_at``: all that is on offer was seen then or later;
    of an event that nobody lists any more, when it was last seen. ``is_stale``: a listing on offer is stale.
    Of a listing: ``last_confirmed_at``: its last complete answer. ``is_stale``: its last answers failed, or the
    newest is too old (settings), or there is none.

    Pages are complete and have no event twice, whatever arrives in between; only an event whose kick-off moves from
    one side of the cursor to the other may. Raises ``BadQuestion`` for a limit, window, text or bookmaker that makes
    no sense, and ``ValueError`` for a time without a zone.
    """
    now = require_utc(now)
    with reading(source.database) as connection:
        conditions = list(_conditions(connection, wanted, now))
        if after is not None:
            conditions.append(_behind(after))
        rows = event_rows(connection, conditions, now=now, limit=require_limit(limit) + 1)
    page = rows.head(limit)
    if rows.height == page.height:
        return EventPage(page, None)
    last = page.row(-1, named=True)
    return EventPage(page, EventCursor(last["kickoff"], last["event_id"]))


def event_rows(
    connection: psycopg.Connection, conditions: Sequence[sql.Composable], *, now: datetime, limit: int
) -> pl.DataFrame:
    """The first events that meet all conditions (on ``event`` and ``tournament``), in ``EVENTS``."""
    statement = sql.SQL(
        """
        WITH page AS MATERIALIZED (
            SELECT event.id, event.name, event.home_team, event.away_team, event.kickoff, tournament.country,
                   tournament.name AS tournament, tournament.id AS tournament_id, event.sportradar_id
            FROM events AS event
            JOIN tournaments AS tournament ON tournament.id = event.tournament_id
            WHERE {conditions}
            ORDER BY event.kickoff, event.id
            LIMIT {limit}
        )
        SELECT page.*, coalesce(page.kickoff <= {now}, false),
               listing.id, bookmaker.slug, listing.external_event_id, listing.kickoff, state.unlisted_at IS NULL,
               state.last_confirmed_at, {is_stale}
        FROM page
        CROSS JOIN pipeline_settings AS settings
        LEFT JOIN event_bookmakers AS listing ON listing.event_id = page.id AND listing.is_primary
        LEFT JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        LEFT JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
        ORDER BY page.kickoff, page.id, listing.bookmaker_id
        """
    ).format(
        conditions=sql.SQL(" AND ").join([sql.SQL("true"), *conditions]),
        limit=limit,
        now=now,
        is_stale=IS_STALE.format(now=now, heard_at=sql.SQL("state.last_answer_at")),
    )
    listed = frame(connection.execute(statement, binary=True).fetchall(), _LISTED)
    is_listing, is_available = pl.col("listing_id").is_not_null(), pl.col("listing_is_available")
    confirmed_at = pl.col("listing_last_confirmed_at")
    of_offered = confirmed_at.filter(is_listing & is_available)
    listing = pl.struct(pl.col(f"listing_{name}").alias(name) for name in LISTING_FIELDS)
    found = listed.group_by(_EVENT_WORDS, maintain_order=True).agg(
        is_available=(is_listing & is_available).any(),
        last_confirmed_at=pl.when((is_listing & is_available).any())
        .then(pl.when(of_offered.null_count() == 0).then(of_offered.min()))
        .otherwise(confirmed_at.max()),
        is_stale=(is_listing & is_available & pl.col("listing_is_stale")).any(),
        listings=listing.filter(is_listing),
    )
    listings = listed.filter(is_listing).select("event_id", "listing_id", bookmaker_slug="listing_bookmaker_slug")
    return (
        found.join(headline_of(connection, listings), on="event_id", how="left", maintain_order="left")
        .with_columns(pl.col("headline").fill_null([]))
        .select(pl.col(name).cast(kind) for name, kind in EVENTS.items())
    )


def _conditions(connection: psycopg.Connection, wanted: EventFilter, now: datetime) -> Iterator[sql.Composable]:
    since, until = require_window(wanted.kickoff_since, wanted.kickoff_until)
    if since is not None:
        yield sql.SQL("event.kickoff >= {}").format(since)
    if until is not None:
        yield sql.SQL("event.kickoff < {}").format(until)
    if wanted.tournament_id is not None:
        yield sql.SQL("event.tournament_id = {}").format(wanted.tournament_id)
    if wanted.country is not None:
        yield sql.SQL("tournament.country = {}").format(require_text(wanted.country, "country"))
    if wanted.name is not None:
        literally = re.sub(r"([\\%_])", r"\\\1", require_text(wanted.name, "name"))
        yield sql.SQL("event.name ILIKE {}").format(f"%{literally}%")
    if wanted.is_started is not None:
        is_started = sql.SQL("coalesce(event.kickoff <= {}, false)").format(now)
        yield is_started if wanted.is_started else sql.SQL("NOT {}").format(is_started)
    bookmakers = require_bookmakers(connection, wanted.bookmakers)
    if bookmakers is not None:
        yield _IS_IN_ONE.format(_listings(bookmakers))
    if wanted.is_available is not None:
        offered = sql.SQL("{} AND state.unlisted_at IS NULL").format(_listings(bookmakers))
        # The list begins with what is long over: found first, events on offer are not looked for one by one there.
        yield (_IS_AMONG if wanted.is_available else _IS_IN_NONE).format(offered)


def _listings(bookmakers: Sequence[str] | None) -> sql.Composed:
    """A query of the events that one of the bookmakers (None: any) has a primary listing of; to be gone on with."""
    is_theirs = sql.SQL("true") if bookmakers is None else sql.SQL("bookmaker.slug = ANY ({})").format(list(bookmakers))
    return sql.SQL(
        """
        SELECT listing.event_id
        FROM event_bookmakers AS listing
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        LEFT JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
        WHERE listing.is_primary AND {}
        """
    ).format(is_theirs)


def _behind(cursor: EventCursor) -> sql.Composed:
    if cursor.kickoff is None:
        return sql.SQL("(event.kickoff IS NULL AND event.id > {})").format(cursor.event_id)
    return sql.SQL("(event.kickoff IS NULL OR (event.kickoff, event.id) > ({}, {}))").format(
        require_utc(cursor.kickoff), cursor.event_id
    )
