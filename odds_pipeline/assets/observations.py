"""The scrape assets: what each bookmaker offers now, asked in one loop and staged for the writer.

One subsettable step for all bookmakers, because a match's requests go out together. Observations live in staging files
until ``odds/current`` and ``odds/history`` have committed them; the archive and replay read the same columns.
"""

from collections.abc import Iterator, Mapping

import dagster as dg

from odds_pipeline.assets.launches import (
    Launch,
    LaunchRefused,
    launched_assets,
    launched_partitions,
    meaning,
    require_today,
)
from odds_pipeline.bookmakers.registry import REGISTRY
from odds_pipeline.checks.observations import check_observations, observation_check_specs
from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.health import outcomes_before
from odds_pipeline.database.runs import Trigger, failing_run
from odds_pipeline.metadata import OWNERS, frame_columns, observations_key, sample
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA
from odds_pipeline.resources import StagingRoot
from odds_pipeline.scrape.collect import Collected
from odds_pipeline.scrape.cycle import Cycle, CycleUnderWay, scrape_cycle
from odds_pipeline.settings import Settings

_SAMPLE_COLUMNS = ("home_team", "away_team", "kickoff", "betpawa_market_name", "line", "outcomes", "captured_at")
_SAMPLE_ROWS = 5

_DESCRIPTION = """What {bookmaker} offers now.

- **Grain**: one row per bookmaker event, market and line, from one answer per event.
- **Key**: `external_event_id`, `betpawa_market_id`, `line` within the cycle.
- **Writes**: staging files of the run, replaced by nothing and gone once the cycle is committed. A bookmaker that
  fails still materializes, with its coverage saying so and a failing check; the others go on.
"""


def _spec(slug: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        observations_key(slug),
        # A group each: the graph shows a node by the last part of its key, which is the same for all bookmakers.
        group_name=slug,
        kinds={"python", "polars"},
        owners=list(OWNERS),
        code_version="1",
        description=_DESCRIPTION.format(bookmaker=slug),
        metadata={"dagster/column_schema": frame_columns(OBSERVATION_SCHEMA)},
    )


@dg.multi_asset(
    name="scrape",
    specs=[_spec(slug) for slug in REGISTRY],
    check_specs=[check for slug in REGISTRY for check in observation_check_specs(observations_key(slug))],
    can_subset=True,
)
def observations(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
    staging: dg.ResourceParam[StagingRoot],
) -> Iterator[dg.MaterializeResult]:
    """Ask the selected bookmakers for everything they offer, in one loop."""
    now, partitions = clock.now(), launched_partitions(context)
    launch = meaning(launched_assets(context), partitions, now=now)
    assert launch is Launch.CYCLE
    require_today(partitions, now=now, grace=settings.midnight_grace)
    slugs = [slug for slug in settings.bookmakers if observations_key(slug) in context.selected_asset_keys]
    try:
        cycle, collected = scrape_cycle(
            database,
            slugs,
            trigger=_trigger(context.run.tags),
            settings=settings,
            clock=clock,
            staging_root=staging.path,
            dagster_run_id=context.run.run_id,
        )
    except CycleUnderWay as refusal:
        raise LaunchRefused(f"{refusal}.") from refusal
    with failing_run(database, cycle.run_id, clock=clock):
        before = outcomes_before(database, run_id=cycle.run_id)
        results = [_materialization(cycle, collected[slug], before.get(slug)) for slug in slugs]
    # Not within: Dagster never comes back to a generator that is interrupted while it waits.
    yield from results


def _trigger(tags: Mapping[str, str]) -> Trigger:
    return "scheduled" if "dagster/sensor_name" in tags else "manual"


def _materialization(cycle: Cycle, collected: Collected, before: int | None) -> dg.MaterializeResult:
    key = observations_key(collected.bookmaker)
    rows = cycle.staging.scan_observations(collected.bookmaker)
    coverage = cycle.staging.read_coverage(collected.bookmaker)
    shown = rows.select(*_SAMPLE_COLUMNS).head(_SAMPLE_ROWS).collect()
    return dg.MaterializeResult(
        asset_key=key,
        metadata={
            "dagster/row_count": collected.observations,
            "scrape_run": cycle.run_id,
            "coverage": "failed" if collected.is_failed else "complete" if collected.is_complete else "partial",
            "discovery": "complete" if collected.discovery_complete else "incomplete",
            "events_found": collected.found,
            "events_complete": collected.answered_complete,
            "events_started": collected.answered_started,
            "events_failed": collected.failed,
            "events_not_asked": collected.not_asked,
            "failures": dg.MetadataValue.json(dict(collected.failures)),
            "outcomes_stored": collected.outcomes_stored,
            "outcomes_not_offered": collected.outcomes_not_offered,
            "outcomes_refused": collected.outcomes_refused,
            "requests": collected.requests,
            "retries": collected.retries,
            "discovery_seconds": round(collected.discovery_seconds, 3),
            "answers_seconds": round(collected.answers_seconds, 3),
            "sample": sample(shown.iter_rows(named=True)),
        },
        check_results=check_observations(key, rows, coverage, outcomes_before=before),
    )
