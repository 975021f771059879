"""A real odds feed that nobody here made, replayed cycle by cycle, against a count and a walk in plain Python.

See ../shared/series/README.md for the feed. Baseball there, football here: the change detection does not care.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

import polars as pl
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.odds.observation import LINE, OBSERVATION_SCHEMA, ODDS
from odds_pipeline.replaying import ReplaySummary, replay
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.captures import SHARED
from odds_pipeline_tests.cycle.small_world import Offer, offer_of, query

SERIES = SHARED / "series" / "kbo.parquet"

pytestmark = pytest.mark.skipif(not SERIES.is_file(), reason="no odds series in ../shared/series")

MarketId = tuple[str, str, str, Decimal | None]
"""Bookmaker, event, market, line."""


@dataclass
class Snapshot:
    """What the feed said at one moment: offers and the source's own times of change, by market."""

    at: datetime
    offers: dict[MarketId, set[tuple[str, Decimal]]] = field(default_factory=lambda: defaultdict(set))
    updated: dict[MarketId, str] = field(default_factory=dict)

    @property
    def bookmakers(self) -> set[str]:
        return {market[0] for market in self.offers}


@dataclass(frozen=True)
class Replayed:
    """The feed as plain Python reads it, and the database into which it was replayed."""

    snapshots: list[Snapshot]
    summary: ReplaySummary
    database: Database


@pytest.fixture(scope="module")
def replayed(shared_migrated_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    path = tmp_path_factory.mktemp("series") / "kbo.parquet"
    observation_rows(pl.read_parquet(SERIES)).write_parquet(path)
    database = Database(shared_migrated_database)
    summary = replay(database, archive_of(database), path, settings=Settings(), complete=True, new_bookmakers=True)
    yield Replayed(read_snapshots(), summary, database)
    database.dispose()


def observation_rows(feed: pl.DataFrame) -> pl.DataFrame:
    """The feed in the contract of observation files: decimal odds, and the home side's line for spreads."""
    american = feed["american_odds"].unique()
    odds = pl.DataFrame(
        {"american_odds": american, "odds": pl.Series([decimal_odds(price) for price in american], dtype=ODDS)}
    )
    is_away_spread = (pl.col("market") == "spreads") & (pl.col("outcome") != pl.col("home_team"))
    moment = pl.from_epoch("captured_unix").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    market = ["bookmaker", "event_id", "market", "line"]
    rows = (
        feed.join(odds, on="american_odds", maintain_order="left")
        .with_columns(
            line=pl.when(is_away_spread).then(-pl.col("point")).otherwise(pl.col("point")).cast(LINE),
            cycle_at=moment,
            kickoff=pl.col("commence_time").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC"),
        )
        .group_by("cycle_at", *market, "home_team", "away_team", "kickoff", maintain_order=True)
        .agg(outcomes=pl.struct(key="outcome", name="outcome", odds="odds", is_active=pl.lit(value=True)))
        .with_columns(
            captured_at="cycle_at",
            external_event_id="event_id",
            sport=pl.lit("Baseball"),
            country=pl.lit("South Korea"),
            tournament=pl.lit("KBO"),
            betpawa_market_id="market",
            betpawa_market_name="market",
            source_market_id="market",
        )
    )
    missing = [name for name in OBSERVATION_SCHEMA if name not in rows.columns]
    return rows.with_columns(pl.lit(None).alias(name) for name in missing).select(
        pl.col(name).cast(kind) for name, kind in OBSERVATION_SCHEMA.items()
    )


def decimal_odds(american: int) -> Decimal:
    """An American price as decimal odds, rounded half-even to 3 decimals as the feed's description asks."""
    exact = 1 + (Decimal(american) / 100 if american > 0 else Decimal(100) / -american)
    return exact.quantize(Decimal("0.001"), ROUND_HALF_EVEN)


def read_snapshots() -> list[Snapshot]:
    """The feed row by row: no frame operation, no code of the pipeline."""
    snapshots: dict[int, Snapshot] = {}
    prices: dict[int, Decimal] = {}
    feed = pl.read_parquet(SERIES)
    for row in feed.iter_rows(named=True):
        unix, american = row["captured_unix"], row["american_odds"]
        snapshot = snapshots.setdefault(unix, Snapshot(datetime.fromtimestamp(unix, UTC)))
        point = row["point"]
        if row["market"] == "spreads" and row["outcome"] != row["home_team"]:
            point = -point
        line = None if point is None else Decimal(str(point))
        price = prices.setdefault(american, decimal_odds(american))
        market = (row["bookmaker"], row["event_id"], row["market"], line)
        snapshot.offers[market].add((row["outcome"], price))
        snapshot.updated[market] = row["last_update"]
    return [snapshots[unix] for unix in sorted(snapshots)]


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
