"""An earlier system's rows by hand: one match at three bookmakers, and its snapshots and market rows as a test says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.legacy.changes import DayChanges, changes_of_day
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline_tests.legacy.earlier_schema import create_tables

DAY = date(2026, 2, 3)
MIDNIGHT = datetime(2026, 2, 3, tzinfo=UTC)
SCHEMA = "old"
EVENT = 11
WINNER = "3743"


class Competitor(IntEnum):
    """The match as a competitor lists it: its id in ``competitor_events``."""

    SPORTYBET = 21
    BET9JA = 22


Offer = Mapping[str, float | None]
"""Outcome name to price; None for one that is suspended."""
Shown = dict[str, str]
"""Outcome key to price, in brackets while it is suspended."""


class OldSystem:
    """An empty earlier system but for one match, which all three bookmakers offer, and ways to store odds of it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.execute_all(lambda connection: create_tables(connection, SCHEMA))
        self.run("INSERT INTO tournaments (id, sport_id, name, country) VALUES (1, 1, 'Premier League', 'Nigeria')")
        self.run(
            """
            INSERT INTO events (id, tournament_id, name, home_team, away_team, kickoff, sportradar_id)
            VALUES (11, 1, 'Lagos - Abuja', 'Lagos', 'Abuja', '2026-02-09 18:00', '9000011');
            INSERT INTO event_bookmakers (event_id, bookmaker_id, external_event_id) VALUES (11, 1, '700011');
            INSERT INTO competitor_tournaments (id, source, sport_id, name, country_raw, external_id)
            VALUES (31, 'sportybet', 1, 'NPFL', 'Nigeria', 'sr:tournament:1'), (32, 'bet9ja', 1, 'NPFL', NULL, '1');
            INSERT INTO competitor_events (id, source, tournament_id, name, home_team, away_team, kickoff, external_id,
                                           sportradar_id)
            VALUES (21, 'sportybet', 31, 'Lagos v Abuja', 'Lagos FC', 'Abuja FC', '2026-02-09 18:00',
                    'sr:match:9000011', '9000011'),
                   (22, 'bet9ja', 32, 'Lagos v Abuja', 'Lagos FC', 'Abuja FC', '2026-02-09 18:00', '512', '9000011')
            """
        )

    def execute_all(self, work: Any) -> None:
        """Work on a connection of its own, committed."""
        with psycopg.connect(self._url) as connection:
            connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(SCHEMA)))
            work(connection)

    def empty(self) -> None:
        """Forget all odds; the match stays."""
        self.run(
            """
            TRUNCATE odds_snapshots, market_odds, competitor_odds_snapshots, competitor_market_odds,
                     market_odds_history, market_odds_current
            """
        )

    def run(self, statement: str, parameters: Sequence[Any] | None = None) -> None:
        """One statement in the earlier system's schema."""
        self.execute_all(lambda connection: connection.execute(statement.encode(), parameters))

    def snapshot(self, hours: float, *rows: dict[str, Any], competitor: int | None = None, event: int = EVENT) -> None:
        """A snapshot of betPawa's event, or of a competitor's, so many hours after ``MIDNIGHT``."""
        at = MIDNIGHT + timedelta(hours=hours)

        def work(connection: psycopg.Connection) -> None:
            if competitor is None:
                table = "market_odds"
                query = (
                    "INSERT INTO odds_snapshots (event_id, bookmaker_id, captured_at) VALUES (%s, 1, %s) RETURNING id"
                )
                values: list[Any] = [event, at]
            else:
                table = "competitor_market_odds"
                query = (
                    "INSERT INTO competitor_odds_snapshots (id, competitor_event_id, captured_at) SELECT "
                    "coalesce(max(id), 0) + 1, %s, %s FROM competitor_odds_snapshots RETURNING id"
                )
                values = [competitor, at.replace(tzinfo=None)]
            found = connection.execute(query.encode(), values).fetchone()
            assert found is not None
            for row in rows:
                _insert(connection, table, {"snapshot_id": found[0], **row})

        self.execute_all(work)

    def history(self, hours: float, slug: str, row: dict[str, Any], *, event: int = EVENT) -> None:
        """A row of the second generation's history."""
        kept = {name: row[name] for name in ("betpawa_market_id", "line", "outcomes") if name in row}
        values = {"event_id": event, "bookmaker_slug": slug, **kept, "captured_at": MIDNIGHT + timedelta(hours=hours)}
        self.execute_all(lambda connection: _insert(connection, "market_odds_history", values))

    def current(self, hours: float, slug: str, row: dict[str, Any], *, event: int = EVENT) -> None:
        """A row of the second generation's current state, last changed so many hours after ``MIDNIGHT``."""
        at = MIDNIGHT + timedelta(hours=hours)
        values = {"event_id": event, "bookmaker_slug": slug, **row, "last_updated_at": at, "last_confirmed_at": at}
        self.execute_all(lambda connection: _insert(connection, "market_odds_current", values))

    def source(self) -> LegacySource:
        """The system as an import finds it."""
        return LegacySource(Database(self._url), SCHEMA)

    def changes(self, day: date = DAY) -> DayChanges:
        """The changes of a day."""
        return changes_of_day(self.source(), day)


def market(
    market_id: str,
    offer: Offer | str,
    *,
    line: float | None = None,
    gone: float | None = None,
    **columns: Any,
) -> dict[str, Any]:
    """A market row; ``offer`` as text is stored as it is, ``gone`` is when it became unavailable, in hours."""
    if not isinstance(offer, str):
        outcomes = [
            {"name": name, "odds": 1.5 if odds is None else odds, "is_active": odds is not None}
            for name, odds in offer.items()
        ]
        offer = json.dumps(outcomes)
    row = {"betpawa_market_id": market_id, "betpawa_market_name": "as stored", "line": line, "outcomes": offer}
    if gone is not None:
        row["unavailable_at"] = MIDNIGHT + timedelta(hours=gone)
    return row | columns


def winner(home: float | None, **columns: object) -> dict[str, object]:
    """betPawa's 1X2 with a price for the home side."""
    return market(WINNER, {"1": home, "X": 3.4, "2": 4.1}, **columns)  # pyright: ignore[reportArgumentType]


def offer(home: str) -> dict[str, str]:
    """What ``winner`` shows."""
    return {"3744": home, "3745": "3.4", "3746": "4.1"}


def shown(found: DayChanges, market_id: str | None = None) -> list[tuple[float, Shown]]:
    """(hours after midnight, outcomes) of each change, or of one market's."""
    rows = found.observations
    if market_id is not None:
        rows = rows.filter(pl.col("betpawa_market_id") == market_id)
    return [
        (
            (row["captured_at"] - MIDNIGHT) / timedelta(hours=1),
            {o["key"]: _price(o["odds"]) if o["is_active"] else f"({_price(o['odds'])})" for o in row["outcomes"]},
        )
        for row in rows.sort("captured_at").iter_rows(named=True)
    ]


def count(found: DayChanges, column: str) -> int:
    """One of the counts, over all tables."""
    return int(found.counts[column].sum())


def _price(odds: Decimal | None) -> str:
    return "-" if odds is None else str(odds.normalize() + 0)


def _insert(connection: psycopg.Connection, table: str, values: dict[str, Any]) -> None:
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join([sql.Placeholder()] * len(values)),
        ),
        list(values.values()),
    )
