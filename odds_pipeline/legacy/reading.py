"""Reading one day of an earlier system in batches that fit memory.

What is read is all that a UTC day depends on: its own rows, and for the state before it the last snapshot of each
listing and the last row of each market. So the same source gives the same day, whichever days were read before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from odds_pipeline.legacy.listings import WORDS, Listings, read_listings
from odds_pipeline.legacy.snapshots import Snapshots
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.legacy.tables import MARKET_ODDS
from odds_pipeline.markets.mapper import CANONICAL

#: Market rows that one batch is sized for, and those of a snapshot as far as batches are sized by them.
_BATCH_ROWS = 300_000
_ROWS_OF_A_SNAPSHOT = 170


@dataclass(frozen=True)
class DayReading:
    """One day of an earlier system.

    ``listings``: listing (number), bookmaker, external_event_id and ``WORDS``. ``batches``: frames in
    ``STATEMENT_SCHEMA``, each with all that the day needs of some listings. ``unknown``: table to the number of the
    day's rows whose event the earlier system does not have.
    """

    since: datetime
    until: datetime
    listings: pl.DataFrame
    batches: Iterator[pl.DataFrame]
    unknown: Mapping[str, int]


def read_day(source: LegacySource, day: date) -> DayReading:
    """One UTC day. Raises ``EarlierSystemMissing`` when there is nothing to read."""
    source.require_tables()
    since = datetime.combine(day, time(), UTC)
    until = since + timedelta(days=1)
    headers = {snapshots: snapshots.headers(until) for snapshots in source.snapshots}
    slugs = {CANONICAL, *source.markets_apart.slugs()}
    for frame in headers.values():
        slugs |= set(frame["bookmaker"].drop_nulls().unique())
    listings, events, competitors = _numbered(read_listings(source.database, source.tables, slugs))
    unknown: dict[str, int] = {}
    owned: dict[Snapshots, pl.DataFrame] = {}
    for snapshots, frame in headers.items():
        if snapshots.table == MARKET_ODDS:
            found = frame.join(events, on=["owner", "bookmaker"], how="left")
        else:
            found = frame.join(competitors, on="owner", how="left")
        orphans = found.filter(pl.col("listing").is_null(), pl.col("at") >= since)
        unknown[snapshots.table] = snapshots.count(orphans["snapshot_id"]) if orphans.height else 0
        owned[snapshots] = found.filter(pl.col("listing").is_not_null())
    active = source.markets_apart.active(since, until).join(events, on=["owner", "bookmaker"], how="left")
    orphans = active.filter(pl.col("listing").is_null()).group_by("table").agg(pl.col("rows").sum())
    unknown |= dict(orphans.rows())
    batches = _batches(source, owned, active.drop_nulls("listing"), events, since, until)
    return DayReading(since, until, listings, batches, unknown)


def _numbered(found: Listings) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Listings with a number each; which is whose event (owner, bookmaker), and whose competitor event (owner).

    Numbers follow the match, so that all bookmakers' listings of one are read together.
    """
    key = ["bookmaker", "external_event_id"]
    words = [*key, *WORDS]
    listings = (
        pl.concat([found.competitors.select(words), found.events.select(words)])
        .unique(key, keep="first", maintain_order=True)
        .sort("sportradar_id", *key)
        .with_row_index("listing")
        .with_columns(pl.col("listing").cast(pl.Int64))
    )
    numbers = listings.select("listing", *key)
    events = found.events.join(numbers, on=key).select(pl.col("event_id").alias("owner"), "bookmaker", "listing")
    competitors = found.competitors.join(numbers, on=key)
    return listings, events, competitors.select(pl.col("competitor_event_id").alias("owner"), "listing")


def _batches(
    source: LegacySource,
    owned: Mapping[Snapshots, pl.DataFrame],
    active: pl.DataFrame,
    events: pl.DataFrame,
    since: datetime,
    until: datetime,
) -> Iterator[pl.DataFrame]:
    """All statements of the listings with something new that day, then of those where a market only went."""
    today = {snapshots: frame.filter(pl.col("at") >= since) for snapshots, frame in owned.items()}
    weights = [active.select("listing", "rows")]
    weights += [frame.select("listing", rows=pl.lit(_ROWS_OF_A_SNAPSHOT, pl.Int64)) for frame in today.values()]
    work = pl.concat(weights).group_by("listing").agg(pl.col("rows").sum()).sort("listing")
    before = {snapshots: snapshots.latest(frame.filter(pl.col("at") < since)) for snapshots, frame in owned.items()}
    numbered = work.with_columns(batch=pl.col("rows").cum_sum() // _BATCH_ROWS)
    for batch in numbered.partition_by("batch", maintain_order=True):
        mine = batch.select("listing")
        frames = [
            snapshots.statements(pl.concat([frame, today[snapshots]]).join(mine, on="listing", how="semi"))
            for snapshots, frame in before.items()
        ]
        frames.append(source.markets_apart.statements(events.join(mine, on="listing", how="semi"), since, until))
        yield pl.concat(frames)
    for snapshots, frame in before.items():
        if snapshots.says_when_unavailable():
            idle = frame.join(work, on="listing", how="anti")
            yield snapshots.statements(idle, unavailable_within=(since, until))
