"""A real odds feed that nobody here made, as plain Python reads it: every snapshot, and each market at any moment.

See ../shared/series/README.md for the feed. Baseball there, football here: the change detection does not care.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

import polars as pl

from odds_pipeline.odds.observation import LINE, OBSERVATION_SCHEMA, ODDS
from odds_pipeline_tests.captures import SHARED

SERIES = SHARED / "series" / "kbo.parquet"

MarketId = tuple[str, str, str, Decimal | None]
"""Bookmaker, event, market, line."""
State = tuple[datetime, frozenset[tuple[str, Decimal]], bool]
"""Since when, outcomes with their odds, whether on offer."""


@dataclass
class Snapshot:
    """What the feed said at one moment: offers and the source's own times of change by market, kick-offs by listing."""

    at: datetime
    offers: dict[MarketId, set[tuple[str, Decimal]]] = field(default_factory=lambda: defaultdict(set))
    updated: dict[MarketId, str] = field(default_factory=dict)
    kickoffs: dict[tuple[str, str], datetime] = field(default_factory=dict)

    @property
    def bookmakers(self) -> set[str]:
        return {market[0] for market in self.offers}


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


def read_feed(snapshots: int | None) -> pl.DataFrame:
    """The feed as it is, or only the first snapshots of it."""
    feed = pl.read_parquet(SERIES)
    return feed if snapshots is None else feed.filter(pl.col("snapshot") < snapshots)


def read_snapshots(feed: pl.DataFrame) -> list[Snapshot]:
    """The feed row by row: no frame operation, no code of the pipeline."""
    snapshots: dict[int, Snapshot] = {}
    prices: dict[int, Decimal] = {}
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
        snapshot.kickoffs[market[:2]] = datetime.fromisoformat(row["commence_time"])
    return [snapshots[unix] for unix in sorted(snapshots)]


@dataclass
class Timelines:
    """Every market's states in the order of time, and the moments at which the feed showed it."""

    states: dict[MarketId, list[State]] = field(default_factory=lambda: defaultdict(list))
    shown: dict[MarketId, list[datetime]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, snapshots: list[Snapshot]) -> Timelines:
        """Each snapshot wholly covers its bookmakers: what it lacks of them is gone.

        A whole event that is gone ended at its kick-off, if that lies between the last snapshot with it and this one.
        """
        found = cls()
        offered: dict[MarketId, frozenset[tuple[str, Decimal]]] = {}
        listed: dict[tuple[str, str], tuple[datetime, datetime]] = {}
        for snapshot in snapshots:
            for market, outcomes in snapshot.offers.items():
                if offered.get(market) != outcomes:
                    offered[market] = frozenset(outcomes)
                    found.states[market].append((snapshot.at, offered[market], True))
                found.shown[market].append(snapshot.at)
            for market in [m for m in offered if m[0] in snapshot.bookmakers and m not in snapshot.offers]:
                end = snapshot.at
                if market[:2] not in snapshot.kickoffs:
                    last, kickoff = listed[market[:2]]
                    end = kickoff if last < kickoff <= end else end
                found.states[market].append((end, offered.pop(market), False))
            listed |= {listing: (snapshot.at, kickoff) for listing, kickoff in snapshot.kickoffs.items()}
        return found

    def at(self, market: MarketId, moment: datetime) -> State | None:
        """The market's state at a moment; None before it was first shown."""
        position = bisect_right(self.states[market], moment, key=lambda state: state[0])
        return self.states[market][position - 1] if position else None

    def last_shown(self, market: MarketId, moment: datetime) -> datetime:
        """When the feed last showed the market by then."""
        return self.shown[market][bisect_right(self.shown[market], moment) - 1]
