"""Checks of the odds in PostgreSQL: after every cycle, and whenever somebody runs them from the UI.

They read the database only, so they also say what is wrong when no cycle runs.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
import polars as pl

from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.health import double_markets, relation_columns, secondary_listings, staleness
from odds_pipeline.database.models import MarketOddsCurrent, MarketOddsHistory
from odds_pipeline.database.partitions import missing_days
from odds_pipeline.database.runs import recurring_failures
from odds_pipeline.metadata import CURRENT, HISTORY, sample
from odds_pipeline.settings import Settings

_SHOWN = 10

TOLERATED_STALE_SHARE = 0.05
"""Share of the listings on offer that may be stale before the check warns."""

_SPECS = [
    dg.AssetCheckSpec("schema", asset=CURRENT, blocking=True, description="The view has the columns of its model."),
    dg.AssetCheckSpec(
        "unique", asset=CURRENT, blocking=True, description="One row per event, bookmaker, market and line."
    ),
    dg.AssetCheckSpec(
        "staleness",
        asset=CURRENT,
        description=f"At most {TOLERATED_STALE_SHARE:.0%} of the listings on offer have stale odds.",
    ),
    dg.AssetCheckSpec(
        "recurring_failures",
        asset=CURRENT,
        description="No bookmaker, error type or event fails in several cycles in a row.",
    ),
    dg.AssetCheckSpec(
        "secondary_listings", asset=CURRENT, description="No bookmaker lists a match twice: the views show one only."
    ),
    dg.AssetCheckSpec("schema", asset=HISTORY, blocking=True, description="The view has the columns of its model."),
    dg.AssetCheckSpec(
        "partitions_ahead", asset=HISTORY, description="PostgreSQL has a partition for today and each day ahead."
    ),
]


@dg.multi_asset_check(name="check_odds", specs=_SPECS, can_subset=True)
def check_odds(
    context: dg.AssetCheckExecutionContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> Iterator[dg.AssetCheckResult]:
    """Judge the odds as they stand in PostgreSQL."""
    for key in sorted(context.selected_asset_check_keys, key=str):
        if key.name == "schema":
            yield _schema(database, key.asset_key)
        elif key.name == "unique":
            yield _unique(database)
        elif key.name == "staleness":
            yield _staleness(database)
        elif key.name == "recurring_failures":
            yield _recurring_failures(database, settings)
        elif key.name == "secondary_listings":
            yield _secondary_listings(database)
        elif key.name == "partitions_ahead":
            yield _partitions_ahead(database, settings, clock)


def _schema(database: Database, asset: dg.AssetKey) -> dg.AssetCheckResult:
    view = MarketOddsCurrent if asset == CURRENT else MarketOddsHistory
    expected, actual = list(view.__table__.columns.keys()), relation_columns(database, view.__tablename__)
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name="schema",
        passed=expected == actual,
        metadata={"columns": len(actual)}
        if expected == actual
        else {"expected": ", ".join(expected), "actual": ", ".join(actual) or "no such relation"},
    )


def _unique(database: Database) -> dg.AssetCheckResult:
    twice = double_markets(database)
    return dg.AssetCheckResult(asset_key=CURRENT, check_name="unique", passed=twice == 0, metadata={"twice": twice})


def _staleness(database: Database) -> dg.AssetCheckResult:
    found = staleness(database)
    return _warning(
        "staleness",
        passed=found.stale <= TOLERATED_STALE_SHARE * found.offered,
        listings=found.offered,
        stale=found.stale,
        oldest_answer=str(found.oldest_answer_at),
    )


def _recurring_failures(database: Database, settings: Settings) -> dg.AssetCheckResult:
    found = recurring_failures(database, cycles=settings.recurring_failures)
    return _warning("recurring_failures", passed=found.is_empty(), recurring=found.height, **_shown(found))


def _secondary_listings(database: Database) -> dg.AssetCheckResult:
    found = secondary_listings(database)
    return _warning("secondary_listings", passed=found.is_empty(), secondary=found.height, **_shown(found))


def _partitions_ahead(database: Database, settings: Settings, clock: Clock) -> dg.AssetCheckResult:
    today = clock.now().date()
    with database.connect() as connection:
        missing = missing_days(connection, today, today + timedelta(days=settings.partition_days_ahead))
    return _warning(
        "partitions_ahead",
        asset=HISTORY,
        passed=not missing,
        missing=", ".join(map(str, missing)) or "none",
    )


def _shown(found: pl.DataFrame) -> dict[str, Any]:
    return {} if found.is_empty() else {"first": sample(found.head(_SHOWN).iter_rows(named=True))}


def _warning(name: str, *, passed: bool, asset: dg.AssetKey = CURRENT, **metadata: Any) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
