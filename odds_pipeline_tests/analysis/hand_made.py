"""A small world made by hand and committed through the real writer, so that answers can be written out in tests.

Six cycles on 20 November 2026 at 11:50, 11:55, 12:00, 12:05, 12:10 and 12:15; ``NOW`` is 12:16. betPawa's answers
arrive 10 seconds after the cycle's time, SportyBet's 12, Bet9ja's 14, each bookmaker's discovery 2. Every discovery is
complete but Bet9ja's in the last cycle. Kick-offs are known since the time of the cycle.

| event | match | tournament | kick-off | listings |
|---|---|---|---|---|
| derby | Arsenal - Chelsea | Premier League, England | 20 Nov 18:00 | p1, s1, n1 |
| home | Lagos Rovers - Abuja City | Premier Division, Nigeria | 20 Nov 12:08 | p2: betPawa only; over in cycle 5 |
| away | Leeds - Everton | Premier League, England | 21 Nov 12:10 | s3: SportyBet only |
| moved | Kano Pillars - Enugu Rangers | Premier Division, Nigeria | 22 Nov 18:00, from 12:00 on 20:00 | p4, s4 |

Bet9ja answers about n1 in cycles 1 to 3 and fails (``timeout``) in 4, 5 and 6: stale at ``NOW``, last confirmed
12:00:14. Everything else that is offered at ``NOW`` was confirmed in cycle 6 and is fresh.

What is offered (``OFFERS``), the same until it changes:

| listing | market | from cycle: outcomes in the order of the table ``MARKETS`` |
|---|---|---|
| p1 | 1X2 | 1: 2.00 3.40 3.80; 3: 1.90 3.50 4.10 |
| s1 | 1X2 | 1: 2.05 3.30 3.70; 4: 1.92 3.40 4.00 |
| n1 | 1X2 | 1: 1.98 3.35 3.75; 2: 1.88 3.45 4.05 |
| p1 | over/under 2.5 | 1: 1.85 1.95 |
| s1 | over/under 2.5 | 1: 1.83 1.97 |
| n1 | over/under 2.5 | 1: 1.80 2.00; gone in 3 (12:00:14) |
| p1 | over/under 3.5 | 1: 2.50 1.50; gone in 3 (12:00:10); back in 5 (12:10:10): 2.60 1.45 |
| p1 | both to score | 1: 1.70 2.10; 4: 1.75, No suspended (shown with 2.10) |
| s1 | both to score | 1: 1.72 2.05 |
| p1 | double chance | 1: 1.25 1.75 1.30 |
| s1 | first scorer, SportyBet's own, one outcome | 1: 5.50 |
| p2 | 1X2 | 1: 1.50 4.00 6.50; 2: 1.45 4.20 7.00; ends at its kick-off 12:08:00 |
| s3 | 1X2 | 1: 2.50 3.10 2.90; 5: 2.40 3.20 3.00 |
| p4 | 1X2 | 1: 3.00 3.00 2.40 |
| s4 | 1X2 | 1: 2.95 3.05 2.45 |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline.database.write import write_cycle
from odds_pipeline.odds.answers import prepare
from odds_pipeline.odds.frames import coverage_frame
from odds_pipeline.odds.observation import COVERAGE_SCHEMA, OBSERVATION_SCHEMA
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, running

CYCLES = tuple(datetime(2026, 11, 20, 11, 50, tzinfo=UTC) + timedelta(minutes=5) * number for number in range(6))
NOW = datetime(2026, 11, 20, 12, 16, tzinfo=UTC)

MarketKey = tuple[str, Decimal | None]
RESULT: MarketKey = ("3743", None)
OVER_UNDER: MarketKey = ("5000", Decimal("2.5"))
OVER_UNDER_3: MarketKey = ("5000", Decimal("3.5"))
BOTH_TO_SCORE: MarketKey = ("3795", None)
DOUBLE_CHANCE: MarketKey = ("4693", None)
FIRST_SCORER: MarketKey = ("sportybet:551", None)

#: Market to its name, groups, handicap type, and outcomes (key to name) in their order.
MARKETS: Mapping[MarketKey, tuple[str, list[str], str | None, dict[str, str]]] = {
    RESULT: ("1X2 - FT", ["popular"], None, {"3744": "1", "3745": "X", "3746": "2"}),
    OVER_UNDER: (
        "Total Score Over/Under - FT",
        ["goals", "popular"],
        "over_under",
        {"5001": "Over", "5002": "Under"},
    ),
    OVER_UNDER_3: (
        "Total Score Over/Under - FT",
        ["goals", "popular"],
        "over_under",
        {"5001": "Over", "5002": "Under"},
    ),
    BOTH_TO_SCORE: ("Both Teams To Score - FT", ["goals", "popular"], None, {"3796": "Yes", "3797": "No"}),
    DOUBLE_CHANCE: ("Double Chance - FT", ["popular"], None, {"4694": "1X", "4695": "X2", "4696": "12"}),
    FIRST_SCORER: ("First scorer", [], None, {"sportybet:1": "Saka"}),
}

Prices = tuple[str | None, ...]
"""Of the market's outcomes, in their order; None: suspended."""

#: Listing and market to what is offered from which cycle on; None: no longer.
OFFERS: Mapping[tuple[str, MarketKey], Mapping[int, Prices | None]] = {
    ("p1", RESULT): {1: ("2.00", "3.40", "3.80"), 3: ("1.90", "3.50", "4.10")},
    ("s1", RESULT): {1: ("2.05", "3.30", "3.70"), 4: ("1.92", "3.40", "4.00")},
    ("n1", RESULT): {1: ("1.98", "3.35", "3.75"), 2: ("1.88", "3.45", "4.05")},
    ("p1", OVER_UNDER): {1: ("1.85", "1.95")},
    ("s1", OVER_UNDER): {1: ("1.83", "1.97")},
    ("n1", OVER_UNDER): {1: ("1.80", "2.00"), 3: None},
    ("p1", OVER_UNDER_3): {1: ("2.50", "1.50"), 3: None, 5: ("2.60", "1.45")},
    ("p1", BOTH_TO_SCORE): {1: ("1.70", "2.10"), 4: ("1.75", None)},
    ("s1", BOTH_TO_SCORE): {1: ("1.72", "2.05")},
    ("p1", DOUBLE_CHANCE): {1: ("1.25", "1.75", "1.30")},
    ("s1", FIRST_SCORER): {1: ("5.50",)},
    ("p2", RESULT): {1: ("1.50", "4.00", "6.50"), 2: ("1.45", "4.20", "7.00")},
    ("s3", RESULT): {1: ("2.50", "3.10", "2.90"), 5: ("2.40", "3.20", "3.00")},
    ("p4", RESULT): {1: ("3.00", "3.00", "2.40")},
    ("s4", RESULT): {1: ("2.95", "3.05", "2.45")},
}

BOOKMAKERS = {"p": "betpawa", "s": "sportybet", "n": "bet9ja"}
ARRIVAL_SECONDS = {"betpawa": 10, "sportybet": 12, "bet9ja": 14}
DISCOVERY_SECONDS = 2

#: Listing to the cycles in which its answer failed.
FAILED: Mapping[str, range] = {"n1": range(4, 7)}
#: Listing to the first cycle whose discovery lacks it.
GONE: Mapping[str, int] = {"p2": 5}


@dataclass(frozen=True)
class Match:
    """An event and the words that every listing of it has."""

    sportradar_id: str
    home_team: str
    away_team: str
    tournament: str
    country: str
    kickoff: datetime
    moved_to: datetime | None
    listings: tuple[str, ...]


MATCHES: Mapping[str, Match] = {
    "derby": Match(
        "1001", "Arsenal", "Chelsea", "Premier League", "England",
        datetime(2026, 11, 20, 18, tzinfo=UTC), None, ("p1", "s1", "n1"),
    ),
    "home": Match(
        "1002", "Lagos Rovers", "Abuja City", "Premier Division", "Nigeria",
        datetime(2026, 11, 20, 12, 8, tzinfo=UTC), None, ("p2",),
    ),
    "away": Match(
        "1003", "Leeds", "Everton", "Premier League", "England",
        datetime(2026, 11, 21, 12, 10, tzinfo=UTC), None, ("s3",),
    ),
    "moved": Match(
        "1004", "Kano Pillars", "Enugu Rangers", "Premier Division", "Nigeria",
        datetime(2026, 11, 22, 18, tzinfo=UTC), datetime(2026, 11, 22, 20, tzinfo=UTC), ("p4", "s4"),
    ),
}  # fmt: skip
MOVED_IN = 3
"""The cycle from which on a moved kick-off is the new one."""


@dataclass(frozen=True)
class HandMade:
    """The world in a database: what to ask, and the ids that the database gave."""

    source: OddsSource
    #: Name of the event in the table above to its id.
    events: Mapping[str, int]
    #: Tournament to its id.
    tournaments: Mapping[str, int]
    #: Run ids of the cycles, in order.
    runs: tuple[int, ...]

    def market_id(self, listing: str, market: MarketKey) -> int:
        """``markets.id`` of a listing's market."""
        with self.source.database.connect() as connection:
            row = connection.execute(
                """
                SELECT market_id FROM market_odds_current
                WHERE external_event_id = %s AND betpawa_market_id = %s AND line IS NOT DISTINCT FROM %s
                """,
                [listing, *market],
            ).fetchone()
        assert row is not None
        return row[0]


def hand_made(database: Database) -> HandMade:
    """Commit the six cycles to an empty migrated database."""
    runs = tuple(commit_cycle(database, number) for number in range(1, len(CYCLES) + 1))
    with database.connect() as connection:
        by_sportradar_id = dict(connection.execute("SELECT sportradar_id, id FROM events").fetchall())
        tournaments = dict(connection.execute("SELECT name, id FROM tournaments").fetchall())
    events = {name: by_sportradar_id[match.sportradar_id] for name, match in MATCHES.items()}
    source = OddsSource(database, archive_of(database), lambda since, until: [])
    return HandMade(source, events, tournaments, runs)


def commit_cycle(database: Database, number: int) -> int:
    """Commit one cycle, counted from 1; return its run."""
    at = CYCLES[number - 1]
    run_id = running(database, at, settings=SETTINGS)
    write_cycle(
        database,
        archive_of(database),
        prepare(_observations(number).lazy(), _coverage(number, run_id), cycle_at=at),
        run_id=run_id,
        settings=SETTINGS,
        now=at + timedelta(seconds=max(ARRIVAL_SECONDS.values())),
    )
    return run_id


def moment(number: int, bookmaker: str) -> datetime:
    """When the bookmaker's answers of a cycle arrived."""
    return CYCLES[number - 1] + timedelta(seconds=ARRIVAL_SECONDS[bookmaker])


def outcomes(market: MarketKey, *prices: str, suspended: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Outcomes as answers show them; ``suspended``: by name, with the last price that is shown of them."""
    named = MARKETS[market][3].items()
    return [
        {"key": key, "name": name, "odds": Decimal(odds), "is_active": name not in suspended}
        for (key, name), odds in zip(named, prices, strict=True)
    ]


def _observations(number: int) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for (listing, market), offers in OFFERS.items():
        prices = offers[max(start for start in offers if start <= number)]
        if prices is None or number >= GONE.get(listing, 99) or number in FAILED.get(listing, ()):
            continue
        market_id, line = market
        name, groups, handicap_type, names = MARKETS[market]
        rows.append(
            _words(listing, number)
            | {
                "betpawa_market_id": market_id,
                "betpawa_market_name": name,
                "source_market_id": f"{listing[0]}-{market_id}",
                "source_specifier": None if line is None else f"total={line}",
                "line": line,
                "handicap_type": handicap_type,
                "outcomes": [
                    {
                        "key": key,
                        "name": outcome,
                        "odds": None if odds is None else Decimal(odds),
                        "is_active": odds is not None,
                    }
                    for (key, outcome), odds in zip(names.items(), prices, strict=True)
                ],
                "market_groups": groups,
            }
        )
    return pl.DataFrame(rows, schema=dict(OBSERVATION_SCHEMA))


def _coverage(number: int, run_id: int) -> pl.DataFrame:
    at = CYCLES[number - 1]
    rows: list[dict[str, Any]] = []
    for slug in BOOKMAKERS.values():
        is_complete = (slug, number) != ("bet9ja", len(CYCLES))
        rows.append(
            {
                "cycle_at": at,
                "captured_at": at + timedelta(seconds=DISCOVERY_SECONDS),
                "bookmaker": slug,
                "status": "complete" if is_complete else "failed",
                "reason": None if is_complete else "timeout",
            }
        )
    for match in MATCHES.values():
        for listing in match.listings:
            if number < GONE.get(listing, 99):
                has_failed = number in FAILED.get(listing, ())
                status = {"status": "failed", "reason": "timeout"} if has_failed else {"status": "complete"}
                rows.append(_words(listing, number) | status)
    return coverage_frame([dict.fromkeys(COVERAGE_SCHEMA) | {"refused": [], "run_id": run_id} | row for row in rows])


def _words(listing: str, number: int) -> dict[str, Any]:
    match = next(match for match in MATCHES.values() if listing in match.listings)
    bookmaker = BOOKMAKERS[listing[0]]
    has_moved = match.moved_to is not None and number >= MOVED_IN
    return {
        "cycle_at": CYCLES[number - 1],
        "captured_at": moment(number, bookmaker),
        "bookmaker": bookmaker,
        "external_event_id": listing,
        "sportradar_id": match.sportradar_id,
        "sport": "Football",
        "country": match.country,
        "tournament": match.tournament,
        "home_team": match.home_team,
        "away_team": match.away_team,
        "kickoff": match.moved_to if has_moved else match.kickoff,
    }
