"""One match by hand: its kick-offs as they became known, and the markets of two outcomes before and after them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from odds_pipeline.odds.kickoff import EVENT_WORDS, bucket_rows
from odds_pipeline.odds.kickoff_times import KICKOFFS
from odds_pipeline_tests.odds.states_by_hand import Row, frame, state

KICKOFF = datetime(2026, 11, 20, 18, tzinfo=UTC)
AFTER = KICKOFF + timedelta(hours=3)
INSTANT = timedelta(microseconds=1)
EVENTS = pl.DataFrame(
    [(1, 11, "Premier League", "England"), (2, 22, "Premier League", "Egypt"), (3, 11, "Premier League", "England")],
    schema=dict(EVENT_WORDS),
    orient="row",
)

Kickoffs = Sequence[tuple[datetime, datetime | None]]
"""Known since when, and what."""


def before(*, days: float = 0, hours: float = 0, minutes: float = 0) -> datetime:
    """So long before the kick-off."""
    return KICKOFF - timedelta(days=days, hours=hours, minutes=minutes)


SEEN = before(days=9)
UNMOVED: Kickoffs = [(SEEN, KICKOFF)]


def known(kickoffs: Kickoffs = UNMOVED, event: int = 1) -> pl.DataFrame:
    return pl.DataFrame([(event, *each) for each in kickoffs], schema=dict(KICKOFFS), orient="row")


def buckets(rows: Sequence[Row], kickoffs: Kickoffs = UNMOVED, now: datetime = AFTER) -> list[dict[str, Any]]:
    return bucket_rows(frame(rows), EVENTS, known(kickoffs), now=now).to_dicts()


def home(at: datetime, price: str, **more: Any) -> Row:
    """A market of two outcomes, of which the second stays."""
    return state(at, {"1": price, "2": "2.0"}, **more)


POSTPONED = KICKOFF + timedelta(days=1)
