"""The odds assets: what changed, what is current, and the history of every change.

Three assets of one step: reading current, the diff and the write happen under one lock in one transaction (I4, I5), so
either all three are materialized or none is. Alone, history and current are rebuilt.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg

from odds_pipeline.archive.store import Archive
from odds_pipeline.assets.cycle_report import CHANGES_CHECKS, CycleReport
from odds_pipeline.assets.launches import (
    CYCLE_JOB,
    Launch,
    LaunchRefused,
    launched_assets,
    launched_partitions,
    meaning,
)
from odds_pipeline.bookmakers.registry import REGISTRY
from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.glimpses import current_rows
from odds_pipeline.database.models import MarketOddsCurrent, MarketOddsHistory
from odds_pipeline.days.current import rebuild_current_across
from odds_pipeline.days.rebuild import RebuiltDay, rebuild_days
from odds_pipeline.days.sources import DayNotRebuildable
from odds_pipeline.metadata import CHANGES, CURRENT, HISTORY, OWNERS, observations_key, relation_columns
from odds_pipeline.resources import StagingRoot
from odds_pipeline.scrape.cycle import NothingScraped, find_scraped, write_scraped
from odds_pipeline.settings import Settings


def _specs(days: dg.DailyPartitionsDefinition) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            CHANGES,
            deps=[observations_key(slug) for slug in REGISTRY],
            group_name="odds",
            kinds={"polars", "postgres"},
            owners=list(OWNERS),
            code_version="1",
            description="""Markets that differ from current: new, changed, back, or gone.

- **Grain**: one row per changed market and answer. **Key**: `market_id`, `captured_at`.
- **Writes**: nothing of its own. The new observations are joined with current by key and fingerprint, under the
  writer's lock; the rows are those of `market_odds_history` with this run's `run_id`.
""",
            metadata={"dagster/column_schema": relation_columns(MarketOddsHistory)},
        ),
        dg.AssetSpec(
            CURRENT,
            deps=[CHANGES],
            group_name="odds",
            kinds={"postgres"},
            owners=list(OWNERS),
            code_version="1",
            description="""The last known state of every market: relation `market_odds_current`.

- **Grain and key**: one row per event, bookmaker, market and line, no line being a value of its own.
- **Writes**: upserts the changed markets with one statement; an unchanged one is confirmed through its bookmaker
  event, without a write of its own. Launched alone, it is rebuilt from history by replay.
""",
            metadata={
                "dagster/column_schema": relation_columns(MarketOddsCurrent),
                "dagster/relation_identifier": "odds.public.market_odds_current",
            },
        ),
        dg.AssetSpec(
            HISTORY,
            deps=[CHANGES],
            partitions_def=days,
            group_name="odds",
            kinds={"postgres"},
            owners=list(OWNERS),
            code_version="1",
            description="""Every change of every market, by UTC day: relation `market_odds_history`.

- **Grain**: one row per change. **Key**: `market_id`, `captured_at`.
- **Writes**: appends; a change is never appended twice. A cycle reports each day that it touched, which after
  midnight is not only its own. Launched alone, its days are rebuilt from the observation archive, all in one
  transaction: rows that differ are replaced, equal ones are left alone.
""",
            metadata={
                "dagster/column_schema": relation_columns(MarketOddsHistory),
                "dagster/relation_identifier": "odds.public.market_odds_history",
                "partition_expr": "captured_at",
            },
        ),
    ]


def odds_assets(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The step that writes odds; ``days``: the partitions of history."""

    @dg.multi_asset(
        name="odds",
        specs=_specs(days),
        check_specs=CHANGES_CHECKS,
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def odds(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
        database: dg.ResourceParam[Database],
        archive: dg.ResourceParam[Archive],
        staging: dg.ResourceParam[StagingRoot],
    ) -> Iterator[dg.MaterializeResult]:
        """Compare what the same run scraped with current, and commit the changes; or rebuild history or current."""
        partitions = launched_partitions(context)
        launch = meaning(launched_assets(context), partitions, now=clock.now())
        if launch is Launch.REBUILD_CURRENT:
            yield _rebuilt(database, archive)
            return
        assert partitions is not None
        if launch is Launch.REBUILD_DAYS:
            first, last = map(date.fromisoformat, partitions)
            try:
                days = rebuild_days(database, archive, first, last, now=clock.now())
            except DayNotRebuildable as reason:
                raise dg.Failure(f"{reason}", allow_retries=False) from reason
            yield _rebuilt_days(context, days)
            return
        try:
            cycle = find_scraped(database, context.run.run_id, staging_root=staging.path)
        except NothingScraped as nothing:
            raise LaunchRefused(f"{nothing}. Launch {CYCLE_JOB} again.") from nothing
        record = write_scraped(database, archive, cycle, settings=settings, clock=clock)
        report = CycleReport(database, cycle, record)
        today = partitions[0]
        for day in report.days():
            if day != today:
                context.log_event(dg.AssetMaterialization(HISTORY, partition=day, metadata=report.history(day)))
        yield dg.MaterializeResult(CHANGES, metadata=report.changes(), check_results=report.checks())
        yield dg.MaterializeResult(CURRENT, metadata=report.current())
        # The run's own day is reported touched or not: an idle cycle has looked at it too.
        yield dg.MaterializeResult(HISTORY, metadata=report.history(today))

    return odds


def _rebuilt_days(context: dg.AssetExecutionContext, days: Sequence[RebuiltDay]) -> dg.MaterializeResult:
    """One result materializes every day of the run; each is told its own numbers."""
    for day in days:
        numbers = {
            "dagster/partition_row_count": day.rows,
            "added": day.added,
            "removed": day.removed,
            "replaced": day.replaced,
            "files": day.files,
            "seconds": round(day.seconds, 3),
        }
        context.add_asset_metadata(numbers, HISTORY, partition_key=day.day.isoformat())
    return dg.MaterializeResult(HISTORY)


def _rebuilt(database: Database, archive: Archive) -> dg.MaterializeResult:
    rebuilt = rebuild_current_across(database, archive)
    rows = current_rows(database)
    return dg.MaterializeResult(
        CURRENT,
        metadata={
            "dagster/row_count": rows.all,
            "available": rows.available,
            "replayed_markets": rebuilt.markets,
            "repaired": rebuilt.repaired,
        },
    )
