"""One event with all its markets: of every bookmaker that lists it, offered now, offered before, or never."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.analysis.asked import require_bookmakers
from odds_pipeline.analysis.current import IS_STALE, frame, reading, with_outcomes, with_state
from odds_pipeline.analysis.errors import NotFound
from odds_pipeline.analysis.events import event_rows
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.clock import require_utc
from odds_pipeline.odds.observation import LINE, OBSERVATION_SCHEMA, UTC_MICROSECONDS

UNGROUPED = "ungrouped"
"""The group of markets that stand in none."""

_WORDS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "market_groups": OBSERVATION_SCHEMA["market_groups"],
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "line": LINE,
    "handicap_type": pl.String,
}
_OFFER: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "bookmaker_slug": pl.String,
    "state": pl.String,
    "unavailable_at": UTC_MICROSECONDS,
    "last_updated_at": UTC_MICROSECONDS,
    "last_confirmed_at": UTC_MICROSECONDS,
    "is_stale": pl.Boolean,
    "outcomes": OBSERVATION_SCHEMA["outcomes"],
}

#: One row per (market, line) of the event and bookmaker that lists it.
EVENT_MARKETS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    **_WORDS,
    **_OFFER,
    "source_market_id": pl.String,
    "source_specifier": pl.String,
    "market_id": pl.Int32,
}

#: One row per market group, with its markets and each bookmaker's offer of them.
MARKETS_BY_GROUP: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "market_group": pl.String,
    "markets": pl.List(
        pl.Struct(
            {name: kind for name, kind in _WORDS.items() if name != "market_groups"}
            | {"offers": pl.List(pl.Struct(dict(_OFFER)))}
        )
    ),
}

_MARKET = ["betpawa_market_id", "line"]
_STORED = {
    "market_id": pl.Int32,
    "bookmaker_slug": pl.String,
    **_WORDS,
    "outcome_set_id": pl.Int32,
    "state": pl.Binary,
    "unavailable_at": UTC_MICROSECONDS,
    "last_updated_at": UTC_MICROSECONDS,
    "last_confirmed_at": UTC_MICROSECONDS,
    "is_stale": pl.Boolean,
    "source_market_id": pl.String,
    "source_specifier": pl.String,
}


class EventAnswer(NamedTuple):
    """``event``: its row of the event list (``EVENTS``). ``markets``: ``EVENT_MARKETS``."""

    event: pl.DataFrame
    markets: pl.DataFrame


def event(source: OddsSource, event_id: int, *, now: datetime, bookmakers: Sequence[str] | None = None) -> EventAnswer:
    """The event and the last known state of every (market, line) of every bookmaker that lists it.

    ``state``: available, unavailable (``unavailable_at``: since when; ``outcomes`` the last ones), or never_offered: a
    market that another bookmaker has or had of the event and this one did not; it has no ``market_id``, no times and
    no outcomes. ``last_updated_at``, ``last_confirmed_at`` and ``is_stale`` as in ``market_odds_current``, against
    ``now``. ``bookmakers`` leaves out the rows of others, and changes nothing else. In the order of first group (those
    without one last), name, line, bookmaker.

    Raises ``NotFound`` for an event that is not stored, or not any more, ``BadQuestion`` for an unknown bookmaker, and
    ``ValueError`` for a ``now`` without a time zone.
    """
    now = require_utc(now)
    with reading(source.database) as connection:
        chosen = require_bookmakers(connection, bookmakers)
        row = event_rows(connection, [sql.SQL("event.id = {}").format(event_id)], now=now, limit=1)
        if row.is_empty():
            raise NotFound(f"no event {event_id}; the event list has the ids of those that are kept")
        stored = with_outcomes(connection, _stored(connection, event_id, now))
    listed_by = row["listings"].explode().struct.field("bookmaker_slug").to_frame().with_row_index("bookmaker_place")
    markets = _grid(stored, listed_by)
    if chosen is not None:
        markets = markets.filter(pl.col("bookmaker_slug").is_in(chosen))
    return EventAnswer(row, markets)


def by_group(markets: pl.DataFrame) -> pl.DataFrame:
    """``EVENT_MARKETS`` of one event in ``MARKETS_BY_GROUP``: groups by name, markets without one last.

    A market of two groups stands in both, each time with the offers of all bookmakers.
    """
    words = [name for name in _WORDS if name != "market_groups"]
    numbered = markets.with_row_index("place").with_columns(
        pl.when(pl.col("market_groups").list.len() > 0).then("market_groups").otherwise(pl.lit([UNGROUPED]))
    )
    offered = numbered.group_by(_MARKET, maintain_order=True).agg(
        pl.col("place").first(),
        *(pl.col(name).first() for name in words if name not in _MARKET),
        offers=pl.struct(*_OFFER),
    )
    groups = numbered.select("market_groups", *_MARKET).explode("market_groups").unique()
    return (
        groups.join(offered, on=_MARKET, nulls_equal=True)
        .sort(pl.col("market_groups") == UNGROUPED, "market_groups", "place")
        .group_by(market_group="market_groups", maintain_order=True)
        .agg(markets=pl.struct(*words, "offers"))
        .select(pl.col(name).cast(kind) for name, kind in MARKETS_BY_GROUP.items())
    )


def _stored(connection: psycopg.Connection, event_id: int, now: datetime) -> pl.DataFrame:
    """The event's current markets (``_STORED``), by bookmaker."""
    statement = sql.SQL(
        """
        SELECT market.id, bookmaker.slug, coalesce(label.market_groups, '[]'), type.betpawa_market_id, label.name,
               market.line, label.handicap_type, market.outcome_set_id, current.state, current.unavailable_at,
               current.captured_at,
               CASE
                   WHEN current.unavailable_at IS NULL AND current.last_seen_at IS NULL
                       THEN greatest(state.last_confirmed_at, current.captured_at)
                   ELSE coalesce(current.last_seen_at, current.captured_at)
               END,
               {is_stale},
               source.source_market_id, source.source_specifier
        FROM event_bookmakers AS listing
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        JOIN markets AS market ON market.event_bookmaker_id = listing.id
        JOIN market_types AS type ON type.id = market.market_type_id
        JOIN current_odds AS current ON current.market_id = market.id
        CROSS JOIN pipeline_settings AS settings
        LEFT JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
        LEFT JOIN market_labels AS label ON label.id = market.label_id
        LEFT JOIN market_sources AS source ON source.id = market.source_id
        WHERE listing.is_primary AND listing.event_id = {event_id}
        ORDER BY listing.bookmaker_id, market.id
        """
    ).format(
        event_id=event_id,
        is_stale=IS_STALE.format(now=now, heard_at=sql.SQL("coalesce(state.last_answer_at, current.captured_at)")),
    )
    return frame(connection.execute(statement, binary=True).fetchall(), _STORED)


def _grid(stored: pl.DataFrame, bookmakers: pl.DataFrame) -> pl.DataFrame:
    """``EVENT_MARKETS``: each market for each bookmaker, with the words of the first that has it where one lacks it."""
    words = [name for name in _WORDS if name not in _MARKET]
    first_words = {name: f"first_{name}" for name in words}
    markets = stored.unique(_MARKET, keep="first", maintain_order=True).select(*_MARKET, *words).rename(first_words)
    return (
        markets.join(bookmakers, how="cross")
        .join(stored, on=[*_MARKET, "bookmaker_slug"], how="left", nulls_equal=True)
        .pipe(with_state)
        .with_columns(
            *(pl.coalesce(name, first) for name, first in first_words.items()), pl.col("outcomes").fill_null([])
        )
        .sort(
            pl.col("first_market_groups").list.first(),
            "first_betpawa_market_name",
            "betpawa_market_id",
            "line",
            "bookmaker_place",
            nulls_last=True,
        )
        .select(pl.col(name).cast(kind) for name, kind in EVENT_MARKETS.items())
    )
