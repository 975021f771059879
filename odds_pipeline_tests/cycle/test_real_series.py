"""A real odds feed, replayed cycle by cycle: changes and questions against a count and a walk in plain Python."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import pytest

from odds_pipeline.analysis import moments
from odds_pipeline.analysis.moments import Scope
from odds_pipeline.analysis.odds_history import MarketChoice, odds_history
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.replaying import ReplaySummary, replay
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.cycle.real_series import (
    SERIES,
    MarketId,
    Snapshot,
    State,
    Timelines,
    observation_rows,
    read_feed,
    read_snapshots,
)
from odds_pipeline_tests.cycle.small_world import Offer, offer_of, query

_BEGINNING = 300
"""Snapshots of the feed that are replayed; all 2,022 with the tests that take many minutes."""

pytestmark = pytest.mark.skipif(not SERIES.is_file(), reason="no odds series in ../shared/series")


@dataclass
class Replayed:
    """The feed as plain Python reads it, and the database into which it was replayed."""

    snapshots: list[Snapshot]
    summary: ReplaySummary
    database: Database

    @cached_property
    def timelines(self) -> Timelines:
        return Timelines.of(self.snapshots)

    @property
    def source(self) -> OddsSource:
        return OddsSource(self.database, archive_of(self.database), lambda first, last: [])

    @cached_property
    def event_ids(self) -> dict[tuple[str, str], int]:
        """Bookmaker and its event to our id of it."""
        rows = query(
            self.database, "SELECT DISTINCT bookmaker_slug, external_event_id, event_id FROM market_odds_current"
        )
        return {(slug, event): event_id for slug, event, event_id in rows}


@pytest.fixture(
    scope="module", params=[_BEGINNING, pytest.param(None, marks=pytest.mark.soak)], ids=["beginning", "whole"]
)
def replayed(
    request: pytest.FixtureRequest, shared_migrated_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replayed]:
    path = tmp_path_factory.mktemp("series") / "kbo.parquet"
    feed = read_feed(request.param)
    observation_rows(feed).write_parquet(path)
    database = Database(shared_migrated_database)
    summary = replay(database, archive_of(database), path, settings=Settings(), complete=True, new_bookmakers=True)
    yield Replayed(read_snapshots(feed), summary, database)
    database.dispose()


def test_new_changed_returned_and_unavailable_markets_are_those_counted_by_hand(replayed: Replayed) -> None:
    """B-02, B-05, B-07, B-08, B-11, B-26: each snapshot wholly covers the bookmakers that are in it."""
    counts: Counter[str] = Counter()
    last: dict[MarketId, set[tuple[str, Decimal]]] = {}
    offered: set[MarketId] = set()
    for snapshot in replayed.snapshots:
        for market, offer in snapshot.offers.items():
            if market not in last:
                counts["new"] += 1
            elif market not in offered:
                counts["returned"] += 1
            elif last[market] != offer:
                counts["changed"] += 1
            last[market] = offer
            offered.add(market)
        bookmakers = snapshot.bookmakers
        gone = {market for market in offered if market[0] in bookmakers and market not in snapshot.offers}
        counts["unavailable"] += len(gone)
        offered -= gone
    summary = replayed.summary
    assert {what: getattr(summary, what) for what in counts} == counts
    assert summary.history_rows == counts.total()
    assert (summary.cycles, summary.late, summary.refused) == (len(replayed.snapshots), 0, 0)
    assert summary.observations == sum(len(snapshot.offers) for snapshot in replayed.snapshots)
    assert min(counts.values()) > 100, "the feed has plenty of everything"


def test_replaying_history_gives_every_snapshot_back_exactly(replayed: Replayed) -> None:
    """B-09, B-14 (I1): at each snapshot's moment, what history says is on offer is what the snapshot holds."""
    changes = history(replayed.database)
    position = 0
    state: dict[MarketId, Offer] = {}
    for snapshot in replayed.snapshots:
        while position < len(changes) and changes[position][0] <= snapshot.at:
            _, market, offer, is_available = changes[position]
            if is_available:
                state[market] = offer
            else:
                del state[market]
            position += 1
        bookmakers = snapshot.bookmakers
        assert {m: offer for m, offer in state.items() if m[0] in bookmakers} == snapshot.offers, snapshot.at
    assert position == len(changes)
    assert rebuild_current(replayed.database).repaired == 0


def test_every_recorded_change_is_one_by_the_sources_own_clock(replayed: Replayed) -> None:
    """B-02, B-07: ``last_update`` moves whenever we say that a market changed or came back."""
    by_moment: dict[datetime, list[MarketId]] = defaultdict(list)
    for at, market, _, is_available in history(replayed.database):
        if is_available:
            by_moment[at].append(market)
    last_update: dict[MarketId, str] = {}
    checked = 0
    for snapshot in replayed.snapshots:
        for market in by_moment.pop(snapshot.at, ()):
            if market in last_update:
                assert snapshot.updated[market] > last_update[market], (snapshot.at, market)
                checked += 1
        last_update |= snapshot.updated
    assert not by_moment
    assert checked == replayed.summary.changed + replayed.summary.returned


def test_the_state_at_2_000_random_points_is_what_the_feed_showed(replayed: Replayed) -> None:
    """I1: between snapshots as well; and fresh exactly up to the last snapshot that showed the market."""
    draw = random.Random(4)
    states = replayed.timelines.states
    markets = sorted(states, key=str)
    checked = unavailable = 0
    while checked < 2_000:
        chosen = draw.choice(markets)
        moment = random_moment(draw, states[chosen])
        lively = [each for each in draw.sample(markets, 500) if is_lively(states[each], moment)]
        asked = [chosen, *lively[:20], draw.choice(markets)]
        scope = Scope(sorted({replayed.event_ids[market[:2]] for market in asked}))
        told = {market_of(row): row for row in moments.at(replayed.source, scope, moment).rows.to_dicts()}
        for market in asked:
            expected = replayed.timelines.at(market, moment)
            assert state_of(told.get(market)) == expected, (market, moment)
            if expected is not None and expected[2]:
                assert told[market]["last_confirmed_at"] == replayed.timelines.last_shown(market, moment)
            checked += 1
            unavailable += expected is not None and not expected[2]
    assert 200 < unavailable < 1_800


def test_everything_at_a_moment_is_every_market_the_feed_had_shown(replayed: Replayed) -> None:
    for share in (0.2, 0.7):
        moment = replayed.snapshots[int(share * len(replayed.snapshots))].at + timedelta(minutes=7)
        told = {
            market_of(row): state_of(row)
            for row in moments.at(replayed.source, Scope(), moment).rows.iter_rows(named=True)
        }
        states = {market: replayed.timelines.at(market, moment) for market in replayed.timelines.states}
        assert told == {market: state for market, state in states.items() if state is not None}


def test_odds_history_folded_to_2_000_random_points_is_what_the_feed_showed(replayed: Replayed) -> None:
    """I1: what held at the beginning, and the changes up to the point; confirmed up to the last snapshot with it."""
    draw = random.Random(5)
    timelines = replayed.timelines
    markets = sorted(timelines.states, key=str)
    checked = 0
    while checked < 2_000:
        chosen = draw.choice(markets)
        since, until = sorted(random_moment(draw, timelines.states[chosen]) for _ in range(2))
        choice = MarketChoice(replayed.event_ids[chosen[:2]], chosen[2])
        points = odds_history(replayed.source, choice, since, until, now=until).points.to_dicts()
        told = [row for row in points if row["point"] != "confirmed"]
        lines = [market for market in markets if market[:3] == chosen[:3]]
        for market in draw.sample(lines, min(len(lines), 20)) if since < until else []:
            changed = [state[0] for state in timelines.states[market] if since <= state[0] < until]
            is_at_change = bool(changed) and draw.random() < 0.5
            moment = draw.choice(changed) if is_at_change else since + draw.random() * (until - since)
            states = [state_of(row) for row in told if market_of(row) == market and row["at"] <= moment]
            assert (states[-1] if states else None) == timelines.at(market, moment), (market, since, until, moment)
            last = timelines.at(market, until - timedelta(microseconds=1))
            seen = last and last[2] and timelines.last_shown(market, until - timedelta(microseconds=1))
            is_confirmed = seen and last and seen > max(last[0], since)
            confirmed = [row["at"] for row in points if row["point"] == "confirmed" and market_of(row) == market]
            assert confirmed == ([seen] if is_confirmed else []), (market, since, until)
            checked += 1


def random_moment(draw: random.Random, states: list[State]) -> datetime:
    """A moment in the market's life or near it, often right at a change."""
    if draw.random() < 0.3:
        return draw.choice(states)[0]
    first, last = states[0][0] - timedelta(hours=2), states[-1][0] + timedelta(hours=12)
    return first + draw.random() * (last - first)


def is_lively(states: list[State], moment: datetime) -> bool:
    """Whether the market was shown by then, and changed in the hours before or later."""
    return states[0][0] <= moment <= states[-1][0] + timedelta(hours=3)


def market_of(row: dict[str, Any]) -> MarketId:
    return (row["bookmaker_slug"], row["external_event_id"], row["betpawa_market_id"], row["line"])


def state_of(row: dict[str, Any] | None) -> State | None:
    if row is None:
        return None
    outcomes = frozenset((outcome["key"], outcome["odds"]) for outcome in row["outcomes"])
    return row["captured_at"], outcomes, not row["is_unavailable"]


def history(database: Database) -> list[tuple[datetime, MarketId, Offer, bool]]:
    """Every change in the order of time: when, which market, its outcomes, whether it is on offer from then on."""
    rows = query(
        database,
        """
        SELECT captured_at, bookmaker_slug, external_event_id, betpawa_market_id, line, outcomes, unavailable_at IS NULL
        FROM market_odds_history ORDER BY captured_at
        """,
    )
    return [(row[0], row[1:5], offer_of(row[5]), row[6]) for row in rows]
