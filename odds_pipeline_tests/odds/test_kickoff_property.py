"""Buckets, opening and closing once more in plain Python, instant by instant, on kick-offs and markets of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odds_pipeline.odds.kickoff import EVENT_WORDS, bucket_rows, opening_closing
from odds_pipeline.odds.kickoff_times import KICKOFFS
from odds_pipeline_tests.odds.states_by_hand import Row, frame, state

BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
LEAST = {
    "7d+": timedelta(days=7),
    "3-7d": timedelta(days=3),
    "24-72h": timedelta(hours=24),
    "6-24h": timedelta(hours=6),
    "1-6h": timedelta(hours=1),
    "<1h": INSTANT,
}
NO_WORDS = pl.DataFrame(schema=dict(EVENT_WORDS))


@dataclass
class Plain:
    """The definitions, word by word, for one event. ``kickoffs``: (known since, kick-off)."""

    kickoffs: list[tuple[datetime, datetime | None]]
    now: datetime

    def kickoff(self, moment: datetime) -> datetime | None:
        known = [kickoff for since, kickoff in sorted(self.kickoffs, key=lambda each: each[0]) if since <= moment]
        return known[-1] if known else min(self.kickoffs, key=lambda each: each[0])[1]

    def bucket(self, moment: datetime) -> str | None:
        kickoff = self.kickoff(moment)
        if kickoff is None:
            return None
        left = kickoff - moment
        return next((name for name, least in LEAST.items() if left >= least), "after")

    def stretches(self, rows: list[Row]) -> Iterator[tuple[datetime, datetime]]:
        """The times between which nothing changes: their first and last instants, up to now."""
        turns = {BEGINNING - timedelta(days=99), self.now + INSTANT}
        turns |= {since for since, _ in self.kickoffs} | {row["captured_at"] for row in rows}
        for _, kickoff in self.kickoffs:
            if kickoff is not None:
                turns |= {kickoff} | {kickoff - least + INSTANT for least in LEAST.values()}
        for start, end in pairwise(sorted(turn for turn in turns if turn <= self.now + INSTANT)):
            yield start, end - INSTANT

    @staticmethod
    def state(rows: list[Row], moment: datetime) -> Row | None:
        return max(
            (row for row in rows if row["captured_at"] <= moment), key=lambda row: row["captured_at"], default=None
        )

    def ends(self, rows: list[Row]) -> dict[str, Row]:
        """The state at the last instant of each bucket."""
        last = {bucket: end for start, end in self.stretches(rows) if (bucket := self.bucket(start)) is not None}
        return {bucket: row for bucket, end in last.items() if (row := self.state(rows, end)) is not None}

    def changes(self, rows: list[Row]) -> dict[str | None, int]:
        counted: dict[str | None, int] = {}
        for row in sorted(rows, key=lambda row: row["captured_at"])[1:]:
            if row["captured_at"] <= self.now:
                bucket = self.bucket(row["captured_at"])
                counted[bucket] = counted.get(bucket, 0) + 1
        return counted

    def held(self, rows: list[Row]) -> list[Row]:
        """The available states at some time before the match began, in order."""
        found: dict[datetime, Row] = {}
        for start, _ in self.stretches(rows):
            row = self.state(rows, start)
            if self.bucket(start) != "after" and row is not None and not row["is_unavailable"]:
                found[row["captured_at"]] = row
        return [found[moment] for moment in sorted(found)]

    def openings(self, rows: list[Row]) -> dict[str, Decimal]:
        prices: dict[str, Decimal] = {}
        for row in self.held(rows):
            for outcome in row["outcomes"]:
                if outcome["is_active"] and outcome["odds"] is not None:
                    prices.setdefault(outcome["key"], outcome["odds"])
        return prices

    def odds_move(self, row: Row, openings: dict[str, Decimal]) -> float | None:
        moves = [
            abs(float(outcome["odds"]) / float(openings[outcome["key"]]) - 1) * 100
            for outcome in row["outcomes"]
            if outcome["is_active"] and outcome["odds"] is not None and outcome["key"] in openings
        ]
        return sum(moves) / len(moves) if moves and not row["is_unavailable"] else None

    def closings(self, rows: list[Row]) -> dict[str, tuple[Decimal | None, bool]]:
        kickoff, held = self.kickoff(self.now), self.held(rows)
        if kickoff is None or kickoff > self.now or not held:
            return {}
        return {outcome["key"]: (outcome["odds"], outcome["is_active"]) for outcome in held[-1]["outcomes"]}


HOUR = timedelta(hours=1)
AWAY = [-169, -168, -100, -72, -48, -24, -10, -6, -3, -1, 0, 1, 2, 24]
"""Hours from a kick-off, the bounds of the buckets among them."""


@st.composite
def matches(draw: st.DrawFn) -> tuple[list[tuple[datetime, datetime | None]], list[Row], datetime]:
    """What was known of a kick-off, the history of two markets, and now: times that often meet, or just miss."""
    planned = [BEGINNING + 200 * HOUR, BEGINNING + draw(st.sampled_from([150, 196, 199, 201, 224, 400])) * HOUR]
    near = st.builds(
        lambda kickoff, hours, instants: kickoff + hours * HOUR + instants * INSTANT,
        st.sampled_from(planned),
        st.sampled_from(AWAY),
        st.sampled_from([0, 0, 0, -1, 1]),
    )
    some = st.sampled_from(draw(st.lists(near, min_size=3, max_size=6, unique=True)))
    since = draw(st.lists(some | near, min_size=1, max_size=4, unique=True))
    kickoffs = [(moment, draw(st.sampled_from([*planned, *planned, None]))) for moment in since]
    rows: list[Row] = []
    for market_id in (1, 2):
        for moment in draw(st.lists(some | near, unique=True, min_size=1, max_size=6)):
            outcomes = {key: price for key in "12" if (price := draw(st.sampled_from(PRICES))) is not None}
            rows.append(state(moment, outcomes, gone=draw(st.sampled_from([False, False, True])), market_id=market_id))
    return kickoffs, rows, draw(some | near | st.just(BEGINNING + 1_000 * HOUR))


PRICES = [None, "1.50", "2.00", "2.40", ("1.50",), (None,)]
"""None: the outcome is not there."""


@given(matches())
@settings(max_examples=150, deadline=None)
def test_buckets_opening_and_closing_are_what_their_definitions_say(
    match: tuple[list[tuple[datetime, datetime | None]], list[Row], datetime],
) -> None:
    kickoffs, rows, now = match
    plain = Plain(kickoffs, now)
    known = pl.DataFrame([(1, *each) for each in kickoffs], schema=dict(KICKOFFS), orient="row")
    at_ends = {
        (row["market_id"], row["bucket"]): row
        for row in bucket_rows(frame(rows), NO_WORDS, known, now=now).iter_rows(named=True)
    }
    compared = opening_closing(frame(rows), NO_WORDS, known, now=now).to_dicts()
    expected_ends: set[tuple[int, str]] = set()
    expected_comparison: dict[tuple[int, str], tuple[Any, ...]] = {}
    for market_id in (1, 2):
        own = [row for row in rows if row["market_id"] == market_id]
        openings, counted = plain.openings(own), plain.changes(own)
        for bucket, row in plain.ends(own).items():
            expected_ends.add((market_id, bucket))
            found = at_ends[market_id, bucket]
            assert (found["outcomes"], found["is_unavailable"]) == (row["outcomes"], row["is_unavailable"])
            assert found["changes"] == counted.get(bucket, 0)
            assert found["odds_move"] == pytest.approx(plain.odds_move(row, openings))
        closings = plain.closings(own)
        for key, opening in openings.items():
            expected_comparison[market_id, key] = (opening, *closings.get(key, (None, None)))
    assert at_ends.keys() == expected_ends
    assert {
        (row["market_id"], row["key"]): (row["opening_odds"], row["closing_odds"], row["closing_is_active"])
        for row in compared
    } == expected_comparison
