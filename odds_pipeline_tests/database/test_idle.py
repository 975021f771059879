"""A cycle in which nothing changed costs almost no write (I10), at scale M: 75,000 markets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.database.write import write_cycle
from odds_pipeline.odds.answers import prepare
from odds_pipeline.odds.frames import coverage_frame, discovery_row
from odds_pipeline.odds.observation import COVERAGE_SCHEMA, LINE, OBSERVATION_SCHEMA, ODDS, AnswerStatus
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, running
from odds_pipeline_tests.database.reading import query

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)
SLUGS = ("betpawa", "sportybet", "bet9ja")
EVENTS, MARKETS = 500, 50
IDLE_WAL_BYTES = 500_000


def listings() -> pl.DataFrame:
    """Every event at every bookmaker."""
    return (
        pl.DataFrame({"number": range(EVENTS)})
        .join(pl.DataFrame({"bookmaker": SLUGS}), how="cross")
        .with_columns(
            external_event_id=pl.format("e{}", "number"),
            sportradar_id=pl.format("{}", pl.col("number") + 90_000_000),
            sport=pl.lit("Football"),
            country=pl.lit("Nigeria"),
            tournament=pl.format("Division {}", pl.col("number") % 40),
            home_team=pl.format("Rovers {}", "number"),
            away_team=pl.format("City {}", "number"),
            kickoff=pl.lit(T0 + timedelta(days=1)).cast(pl.Datetime("us", "UTC")),
        )
    )


def observations(at: datetime) -> pl.DataFrame:
    """Three outcomes in each of 50 lines."""
    lines = pl.DataFrame({"place": range(MARKETS)}).with_columns(
        line=(pl.col("place") / 2).cast(LINE),
        outcomes=pl.concat_list(
            pl.struct(
                key=pl.lit(key),
                name=pl.lit(key),
                odds=(pl.col("place") / 100 + offset).cast(ODDS),
                is_active=pl.lit(value=True),
            )
            for key, offset in (("1", 1.5), ("X", 3.0), ("2", 4.5))
        ),
        market_groups=pl.concat_list(pl.lit("goals")),
    )
    words: dict[str, Any] = dict.fromkeys(("betpawa_market_id", "betpawa_market_name", "source_market_id"), "5000")
    rows = (
        listings()
        .join(lines, how="cross")
        .with_columns(
            **{name: pl.lit(value) for name, value in words.items()}, cycle_at=pl.lit(at), captured_at=pl.lit(at)
        )
    )
    missing = [name for name in OBSERVATION_SCHEMA if name not in rows.columns]
    return rows.with_columns(pl.lit(None).alias(name) for name in missing).select(
        pl.col(name).cast(kind) for name, kind in OBSERVATION_SCHEMA.items()
    )


def coverage(at: datetime) -> pl.DataFrame:
    """Every offer and every event completely answered."""
    whole = [
        discovery_row(slug, cycle_at=at, captured_at=at, run_id=None, status=AnswerStatus.COMPLETE) for slug in SLUGS
    ]
    events = listings().with_columns(
        cycle_at=pl.lit(at), captured_at=pl.lit(at), status=pl.lit("complete"), outcomes_stored=pl.lit(3 * MARKETS)
    )
    missing = [name for name in COVERAGE_SCHEMA if name not in events.columns]
    events = events.with_columns(pl.lit(None).alias(name) for name in missing).select(
        pl.col(name).cast(kind) for name, kind in COVERAGE_SCHEMA.items()
    )
    return pl.concat([coverage_frame(whole), events])


def cycle(database: Database, number: int) -> WriteRecord:
    at = T0 + number * FIVE_MINUTES
    answers = prepare(observations(at).lazy(), coverage(at), cycle_at=at)
    return write_cycle(database, archive_of(database), answers, run_id=running(database, at), settings=SETTINGS, now=at)


def wal_position(database: Database) -> Decimal:
    return query(database, "SELECT pg_current_wal_insert_lsn() - '0/0'")[0][0]


@pytest.fixture
def filled(database: Database) -> Database:
    """A database that holds scale M, so that only cycles write to it: no autovacuum in between."""
    tables = query(
        database,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
    )
    with database.connect() as connection:
        for (table,) in tables:
            connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
    assert cycle(database, 0).new == EVENTS * MARKETS * len(SLUGS) == 75_000
    return database


def test_an_idle_cycle_at_scale_m_writes_less_than_half_a_megabyte(filled: Database) -> None:
    """B-05, B-06 (I2, I10): everything is confirmed by one small row per bookmaker event; the first write to a page
    after a checkpoint, which PostgreSQL logs whole, is counted too.
    """
    # The position is that of the whole server, so what else writes there can only add: the least of three counts.
    # Before the first checkpoint a cycle also marks the rows just loaded as committed, once.
    least_written: dict[bool, Decimal] = {}
    for number, after_checkpoint in enumerate((False, False, False, True, True, True), 1):
        if after_checkpoint:
            with filled.connect(autocommit=True) as connection:
                connection.execute("CHECKPOINT")
        before = wal_position(filled)
        record = cycle(filled, number)
        written = wal_position(filled) - before
        least_written[after_checkpoint] = min(written, least_written.get(after_checkpoint, written))
        assert (record.confirmed, record.inserted_history, record.upserted_current) == (75_000, 0, 0)
    ((least, most),) = query(filled, "SELECT min(last_confirmed_at), max(last_confirmed_at) FROM market_odds_current")
    assert least == most == T0 + 6 * FIVE_MINUTES
    assert max(least_written.values()) < IDLE_WAL_BYTES, least_written
