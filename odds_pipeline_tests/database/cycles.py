"""Building cycles by hand and committing them through the real writer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import polars as pl

from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.database.runs import open_run, start_run
from odds_pipeline.database.write import write_cycle
from odds_pipeline.odds.answers import Answers, prepare
from odds_pipeline.odds.frames import coverage_frame
from odds_pipeline.odds.observation import COVERAGE_SCHEMA, OBSERVATION_SCHEMA
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.plain_model import Answer, Cycle, MarketKey, Outcomes

SETTINGS = Settings()


def register_bookmaker(database: Database, slug: str) -> None:
    """Make a bookmaker known, as the migrations do for the three real ones."""
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO bookmakers (slug, name) VALUES (%s, %s) ON CONFLICT (slug) DO NOTHING", [slug, slug]
        )


def commit(database: Database, cycle: Cycle, *, settings: Settings = SETTINGS, guarded: bool = True) -> WriteRecord:
    """Open a run, write the cycle, and return the writer's record."""
    run_id = running(database, cycle.at, settings=settings)
    return write_cycle(
        database,
        archive_of(database),
        prepared(cycle, run_id),
        run_id=run_id,
        settings=settings,
        now=cycle.as_of,
        guarded=guarded,
    )


def running(database: Database, at: datetime, *, settings: Settings = SETTINGS) -> int:
    """A run that may write."""
    run_id = open_run(database, trigger="manual", now=at)
    start_run(database, run_id, now=at, settings=settings)
    return run_id


def prepared(cycle: Cycle, run_id: int | None = None) -> Answers:
    """The cycle as the writer takes it."""
    return prepare(observations(cycle).lazy(), coverage(cycle, run_id), cycle_at=cycle.at)


def observations(cycle: Cycle) -> pl.DataFrame:
    """The cycle's observations in their contract."""
    rows = [
        _listing_words(answer)
        | {
            "cycle_at": cycle.at,
            "captured_at": answer.at,
            "betpawa_market_id": market_id,
            "betpawa_market_name": f"name of {market_id}",
            "source_market_id": market_id,
            "source_specifier": None if line is None else f"total={line}",
            "line": line,
            "outcomes": [
                {"key": key, "name": f"name {key}", "odds": odds, "is_active": active}
                for key, (odds, active) in outcomes.items()
            ],
            "market_groups": ["popular"],
        }
        for answer in cycle.answers
        for (market_id, line), outcomes in answer.markets.items()
    ]
    return pl.DataFrame(rows, schema=dict(OBSERVATION_SCHEMA))


def coverage(cycle: Cycle, run_id: int | None = None) -> pl.DataFrame:
    """The cycle's coverage in its contract."""
    whole = [
        {
            "cycle_at": cycle.at,
            "captured_at": at,
            "run_id": run_id,
            "bookmaker": slug,
            "status": "complete" if succeeded else "failed",
            "reason": None if succeeded else "timeout",
            "refused": [],
        }
        for slug, (at, succeeded) in cycle.discoveries.items()
    ]
    events = [
        _listing_words(answer)
        | {
            "cycle_at": cycle.at,
            "captured_at": answer.at,
            "run_id": run_id,
            "status": answer.status,
            "reason": "timeout" if answer.status == "failed" else None,
            "refused": [
                {"betpawa_market_id": market_id, "line": line, "reason": "price_too_low"}
                for market_id, line in sorted(answer.refused, key=str)
            ],
        }
        for answer in cycle.answers
    ]
    return coverage_frame([dict.fromkeys(COVERAGE_SCHEMA) | row for row in [*whole, *events]])


def answer(
    bookmaker: str,
    event: str,
    at: datetime,
    markets: Mapping[MarketKey, Mapping[str, str | None]] | None = None,
    *,
    status: str = "complete",
    kickoff: datetime | None = None,
    refused: set[MarketKey] | None = None,
) -> Answer:
    """An answer in short: outcomes as key to odds, None for a suspended one."""
    offered: dict[MarketKey, Outcomes] = {
        market: {key: (None, False) if odds is None else (Decimal(odds), True) for key, odds in outcomes.items()}
        for market, outcomes in (markets or {}).items()
    }
    return Answer(bookmaker, event, at, status, kickoff, offered, refused or set())


def _listing_words(answer: Answer) -> dict[str, object]:
    return {
        "bookmaker": answer.bookmaker,
        "external_event_id": answer.event,
        "sport": "Football",
        "country": "Nigeria",
        "tournament": "Premier Division",
        "home_team": "Lagos Rovers",
        "away_team": "Abuja City",
        "kickoff": answer.kickoff,
    }
