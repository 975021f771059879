"""The questions that are measured: what each asks, of what, how fast it ought to be, and a floor beside it.

A floor is a bare statement over a psycopg connection that is open: it reads what no answer can do without, and makes
nothing of it. The subject of a question is drawn from its number alone, so that two processes ask the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl
import psycopg

from odds_pipeline.analysis.event import event
from odds_pipeline.analysis.events import EventFilter, events
from odds_pipeline.analysis.margins import margin_history
from odds_pipeline.analysis.moments import Scope, at
from odds_pipeline.analysis.odds_history import MarketChoice, odds_history
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.history import midnight

from .questions_history import NOW, cycle_at
from .questions_offer import BOOKMAKERS, EVENTS, MARKETS_OF_EVENT, market_id, templates

PAGE = 100
SINCE = NOW - timedelta(days=7)
_BEGINNING = cycle_at(0)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question is about: any of these, as the question needs."""

    event: int
    bookmaker: str
    template: int
    moment: datetime
    kickoff_since: datetime

    @classmethod
    def draw(cls, number: int) -> Subject:
        """The subject of this number: a market that all bookmakers offer, a moment of any day but the first."""
        random = Random(number)
        return cls(
            event=random.randrange(EVENTS),
            bookmaker=random.choice(BOOKMAKERS),
            template=random.randrange(min(MARKETS_OF_EVENT.values())),
            moment=NOW - random.random() * (NOW - _BEGINNING - timedelta(days=1)),
            kickoff_since=NOW + timedelta(days=random.uniform(-2.5, 12)),
        )

    @property
    def event_id(self) -> int:
        return self.event + 1

    @property
    def betpawa_market_id(self) -> str:
        return templates()[self.template].market.market_id

    @property
    def line(self) -> Decimal | None:
        return templates()[self.template].line

    def market_ids(self, bookmakers: Sequence[str]) -> list[int]:
        """The market's id at each of these bookmakers."""
        return [market_id(self.event, slug, self.template) for slug in bookmakers]

    def listing_ids(self, bookmakers: Sequence[str]) -> list[int]:
        """The event's listing at each of these bookmakers."""
        return [self.event * len(BOOKMAKERS) + BOOKMAKERS.index(slug) + 1 for slug in bookmakers]

    def all_market_ids(self) -> list[int]:
        """The ids of every market of the event."""
        return [
            market_id(self.event, slug, template)
            for slug, count in MARKETS_OF_EVENT.items()
            for template in range(count)
        ]


@dataclass(frozen=True, slots=True)
class Question:
    """``aim``: milliseconds in which 95 of 100 answers ought to come. ``times``: how often it is asked warm, cold."""

    name: str
    ask: Callable[[OddsSource, Subject], pl.DataFrame]
    floor: Callable[[psycopg.Connection, Subject], Sequence[Any]]
    aim: float | None = None
    times: tuple[int, int] = (300, 10)


def _event_list(source: OddsSource, about: Subject) -> pl.DataFrame:
    page = events(source, EventFilter(kickoff_since=about.kickoff_since), now=NOW, limit=PAGE).rows
    assert page.height == PAGE
    return page


def _event_list_floor(connection: psycopg.Connection, about: Subject) -> Sequence[Any]:
    return connection.execute(
        """
        SELECT event.*, listing.*, state.*, market.*, current.*
        FROM (SELECT * FROM events WHERE kickoff >= %s ORDER BY kickoff, id LIMIT %s) AS event
        JOIN event_bookmakers AS listing ON listing.event_id = event.id
        JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
        JOIN markets AS market ON market.event_bookmaker_id = listing.id
            AND market.market_type_id IN (
                SELECT id FROM market_types WHERE betpawa_market_id IN ('3743', '5000', '3795', '4693')
            )
        JOIN current_odds AS current ON current.market_id = market.id
        WHERE market.line IS NULL OR market.line = 2.5
        """,
        [about.kickoff_since, PAGE],
    ).fetchall()


def _event(source: OddsSource, about: Subject) -> pl.DataFrame:
    return event(source, about.event_id, now=NOW).markets


def _event_floor(connection: psycopg.Connection, about: Subject) -> Sequence[Any]:
    return connection.execute(
        """
        SELECT market.*, current.* FROM markets AS market JOIN current_odds AS current ON current.market_id = market.id
        WHERE market.id = ANY (%s)
        """,
        [about.all_market_ids()],
    ).fetchall()


def _event_at(source: OddsSource, about: Subject) -> pl.DataFrame:
    return at(source, Scope(event_ids=[about.event_id]), about.moment).rows


def _packs_of_day(connection: psycopg.Connection, about: Subject) -> Sequence[Any]:
    """Those of the moment's day, up to it: what was before is in an archived state."""
    return connection.execute(
        """
        SELECT captured_at, run_id, changes FROM odds_history
        WHERE event_bookmaker_id = ANY (%s) AND captured_at <= %s AND captured_at >= %s
        """,
        [about.listing_ids(BOOKMAKERS), about.moment, midnight(about.moment.date())],
    ).fetchall()


def _choice(about: Subject, bookmakers: Sequence[str]) -> MarketChoice:
    return MarketChoice(about.event_id, about.betpawa_market_id, about.line, bookmakers)


def _history(source: OddsSource, about: Subject) -> pl.DataFrame:
    return odds_history(source, _choice(about, [about.bookmaker]), now=NOW).points


def _history_since(source: OddsSource, about: Subject) -> pl.DataFrame:
    return odds_history(source, _choice(about, [about.bookmaker]), SINCE, now=NOW).points


def _history_of_all(source: OddsSource, about: Subject) -> pl.DataFrame:
    return odds_history(source, _choice(about, BOOKMAKERS), now=NOW).points


def _margins(source: OddsSource, about: Subject) -> pl.DataFrame:
    return margin_history(source, _choice(about, [about.bookmaker]), now=NOW).points


def _packs(connection: psycopg.Connection, about: Subject, bookmakers: Sequence[str], since: datetime) -> Sequence[Any]:
    """Those that hold a change of the market."""
    return connection.execute(
        """
        SELECT history.captured_at, history.run_id, history.changes
        FROM unnest(%s::int[], %s::int[]) AS wanted (listing_id, market_id)
        JOIN odds_history AS history ON history.event_bookmaker_id = wanted.listing_id
        WHERE history.captured_at >= %s AND history.captured_at < %s
          AND position(int4send(wanted.market_id) IN history.changes) > 0
        """,
        [about.listing_ids(bookmakers), about.market_ids(bookmakers), since, NOW],
    ).fetchall()


def _packs_of_one(connection: psycopg.Connection, about: Subject) -> Sequence[Any]:
    return _packs(connection, about, [about.bookmaker], _BEGINNING)


def _packs_since(connection: psycopg.Connection, about: Subject) -> Sequence[Any]:
    return _packs(connection, about, [about.bookmaker], SINCE)


def _packs_of_all(connection: psycopg.Connection, about: Subject) -> Sequence[Any]:
    return _packs(connection, about, BOOKMAKERS, _BEGINNING)


def _everything_of_one(source: OddsSource, about: Subject) -> pl.DataFrame:
    return at(source, Scope(bookmakers=[about.bookmaker]), about.moment).rows


def _everything(source: OddsSource, about: Subject) -> pl.DataFrame:
    return at(source, Scope(), about.moment).rows


def _current_of_one(connection: psycopg.Connection, about: Subject) -> Sequence[Any]:
    return _copied(connection, BOOKMAKERS.index(about.bookmaker) + 1)


def _current_of_all(connection: psycopg.Connection, _about: Subject) -> Sequence[Any]:
    return _copied(connection, None)


def _copied(connection: psycopg.Connection, bookmaker_id: int | None) -> Sequence[Any]:
    """As many states as the answer has, from where each stands in one row: current."""
    statement = """
        COPY (
            SELECT current.market_id, current.captured_at, current.run_id, current.state
            FROM current_odds AS current JOIN markets AS market ON market.id = current.market_id
            JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id
            WHERE listing.bookmaker_id = coalesce(%s, listing.bookmaker_id)
        ) TO STDOUT (FORMAT BINARY)
    """
    with connection.cursor() as cursor, cursor.copy(statement, [bookmaker_id]) as copy:
        return list(copy)


EVENT_LIST = Question("event list of 100", _event_list, _event_list_floor, aim=25)
EVENT = Question("one event", _event, _event_floor)
EVENT_AT = Question("one event at a moment", _event_at, _packs_of_day, aim=50)
HISTORY = Question("history of a market", _history, _packs_of_one, aim=10)

QUESTIONS = (
    EVENT_LIST,
    EVENT,
    EVENT_AT,
    HISTORY,
    Question("its last seven days", _history_since, _packs_since, aim=10),
    Question("history at three bookmakers", _history_of_all, _packs_of_all),
    Question("margins of a market", _margins, _packs_of_one),
    Question("everything of a bookmaker at a moment", _everything_of_one, _current_of_one, aim=1_000, times=(40, 6)),
    Question("everything at a moment", _everything, _current_of_all, aim=3_000, times=(20, 6)),
)
