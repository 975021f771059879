"""Days of an earlier system written by hand: what reading its tables would have given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl

from odds_pipeline.database.engine import Database
from odds_pipeline.legacy.changes import CHANGE_SCHEMA, COUNT_SCHEMA, DayChanges
from odds_pipeline.legacy.write import ImportedDay, import_day
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.plain_model import MarketKey

SOURCE = "earlier/odds/public"
NOW = datetime(2026, 2, 20, 12, tzinfo=UTC)

#: Outcome key to price; None while suspended. Empty: the market is gone.
Offer = Mapping[str, str | None]


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of February."""
    return datetime(2026, 2, day, hour, minute, tzinfo=UTC)


def change(
    moment: datetime,
    offer: Offer,
    *,
    market: MarketKey = ("3743", None),
    bookmaker: str = "betpawa",
    event: str = "1",
    sportradar_id: str | None = None,
    kickoff: datetime | None = None,
    home_team: str = "Lagos Rovers",
    distrust: str | None = None,
) -> dict[str, object]:
    """One change as the earlier system saw it."""
    market_id, line = market
    return {
        "cycle_at": moment,
        "captured_at": moment,
        "bookmaker": bookmaker,
        "external_event_id": event,
        "sportradar_id": sportradar_id,
        "sport": "Football",
        "country": "Nigeria",
        "tournament": "Premier Division",
        "home_team": home_team,
        "away_team": "Abuja City",
        "kickoff": kickoff,
        "betpawa_market_id": market_id,
        "betpawa_market_name": f"name of {market_id}",
        "source_market_id": market_id,
        "source_specifier": None,
        "line": line,
        "outcomes": [
            {
                "key": key,
                "name": f"name {key}",
                "odds": None if odds is None else Decimal(odds),
                "is_active": bool(odds),
            }
            for key, odds in offer.items()
        ],
        "market_groups": ["popular"],
        "is_trusted": distrust is None,
        "distrust": distrust,
    }


def changes(day: date, *rows: dict[str, object]) -> DayChanges:
    """A day with these changes, as if each had been one row of the earlier tables."""
    observations = pl.DataFrame(list(rows), schema=CHANGE_SCHEMA).sort("captured_at", maintain_order=True)
    gone = observations.filter(pl.col("outcomes").list.len() == 0).height
    counts = {
        "table": "market_odds",
        "rows": len(rows) - gone,
        "duplicates": 0,
        "merged": 0,
        "refused": 0,
        "unchanged": 0,
        "changed": len(rows) - gone,
        "gone": gone,
        "untrusted": observations.filter(~pl.col("is_trusted")).height,
        "refusals": [],
        "distrusts": [],
    }
    return DayChanges(day, observations, pl.DataFrame([counts], schema=COUNT_SCHEMA))


def imported(
    database: Database,
    day: int,
    *rows: dict[str, object],
    settings: Settings | None = None,
    now: datetime = NOW,
    source: str = SOURCE,
) -> ImportedDay:
    """Import a day of February that has these changes."""
    found = changes(date(2026, 2, day), *rows)
    return import_day(
        database, archive_of(database), source, found.day, found, settings=settings or Settings(), now=now
    )
