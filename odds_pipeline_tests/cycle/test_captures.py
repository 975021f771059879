"""Real answers served by the simulator and taken through a whole cycle are stored as the parser reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from odds_pipeline.bookmakers.registry import bookmaker
from odds_pipeline.clock import ManualClock
from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline.simulator.simulator import Simulator
from odds_pipeline_tests.bookmakers.sites import quick_settings
from odds_pipeline_tests.captures import CAPTURES, EVENT_CAPTURES, capture, needs_captures
from odds_pipeline_tests.cycle.small_world import MAPPER, query, run_cycle, run_status

BEFORE_KICK_OFF = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
LONG_AFTER = datetime(2031, 5, 1, 9, 30, tzinfo=UTC)


def parsed_rows() -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """(bookmaker, event, market, line) to all that the parser says of it, for every captured answer."""
    rows: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for slug, name in EVENT_CAPTURES:
        parsed = bookmaker(slug, Settings()).parse_event(capture(slug, name).read_bytes(), MAPPER)
        for row in parsed.observations:
            key = (slug, parsed.listing.external_event_id, row.betpawa_market_id, row.line)
            assert key not in rows
            rows[key] = (
                row.betpawa_market_name,
                row.handicap_type,
                row.handicap_home,
                row.handicap_away,
                row.source_market_id,
                row.source_specifier,
                row.market_groups,
                {o.key: (o.name, o.odds if o.is_active else None, o.is_active) for o in row.outcomes},
                None,
            )
    return rows


def stored_rows(database: Database) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    rows = query(
        database,
        """
        SELECT bookmaker_slug, external_event_id, betpawa_market_id, line, betpawa_market_name, handicap_type,
               handicap_home, handicap_away, source_market_id, source_specifier, market_groups, outcomes, unavailable_at
        FROM market_odds_current
        """,
    )
    return {
        row[:4]: (
            *row[4:11],
            {
                o["key"]: (o["name"], None if o["odds"] is None else Decimal(str(o["odds"])), o["is_active"])
                for o in row[11]
            },
            row[12],
        )
        for row in rows
    }


@needs_captures
@pytest.mark.parametrize("now", [BEFORE_KICK_OFF, LONG_AFTER])
def test_real_answers_through_http_and_a_whole_cycle_are_the_rows_that_parse_gives(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    """B-18, B-19, B-42: every market of every captured answer, with its words, and nothing else."""
    clock = ManualClock(now)
    with Simulator(captures=CAPTURES, clock=clock) as simulator:
        ran = run_cycle(database, tmp_path, quick_settings(simulator.urls), clock)
    expected = parsed_rows()
    assert stored_rows(database) == expected
    assert ran.record.new == ran.record.observations == len(expected) > 500
    assert run_status(database, ran.run_id) == "completed"


@needs_captures
def test_three_bookmakers_answers_about_one_match_are_one_event(database: Database, tmp_path: Path) -> None:
    """B-29, B-34: joined by the SportRadar id alone."""
    clock = ManualClock(BEFORE_KICK_OFF)
    with Simulator(captures=CAPTURES, clock=clock) as simulator:
        run_cycle(database, tmp_path, quick_settings(simulator.urls), clock)
    rows = query(
        database,
        """
        SELECT event.sportradar_id, array_agg(bookmaker.slug ORDER BY bookmaker.slug)
        FROM events AS event JOIN event_bookmakers AS listing ON listing.event_id = event.id
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        GROUP BY event.sportradar_id ORDER BY 1
        """,
    )
    assert rows == [("67691078", ["betpawa"]), ("68995116", ["bet9ja", "betpawa", "sportybet"])]
