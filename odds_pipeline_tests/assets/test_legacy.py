"""The import of an earlier system as Dagster does it: by day, a range of days in one run, and by its sensor."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from odds_pipeline.clock import ManualClock
from odds_pipeline.definitions import build_definitions
from odds_pipeline_tests.dagster_fixtures import Pipeline, failure_of
from odds_pipeline_tests.legacy.earlier_system import make_earlier_system

FIRST, LAST = "2026-02-01", "2026-02-03"


def configured(pipeline: Pipeline, **settings: Any) -> Pipeline:
    """The pipeline with an earlier system of three days in a schema of its database, on a day after it."""
    clock = ManualClock(datetime.fromisoformat("2026-02-10T12:00+00:00"))
    changed = pipeline.settings.model_copy(update={"legacy_schema": "earlier", **settings})
    return replace(pipeline, settings=changed, clock=clock, definitions=build_definitions(changed, clock))


@pytest.fixture
def earlier(pipeline: Pipeline) -> Pipeline:
    with pipeline.database.connect() as connection:
        make_earlier_system(connection, schema="earlier", events=2, days=3, interval=timedelta(hours=6))
    return configured(pipeline)


def import_range(pipeline: Pipeline, first: str, last: str) -> dg.ExecuteInProcessResult:
    """As the daemon launches a backfill of several days, or the sensor its request."""
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return pipeline.job("legacy_import", tags=tags)


def test_a_range_of_days_is_imported_by_one_run_with_the_numbers_of_each_day(earlier: Pipeline) -> None:
    result = import_range(earlier, FIRST, LAST)
    assert result.success
    events = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
    metadata = {str(event.partition): event.metadata for event in events}
    assert sorted(metadata) == ["2026-02-01", "2026-02-02", "2026-02-03"]
    stored = earlier.rows("SELECT day, run_id, rows_read, changes FROM imported_days ORDER BY day")
    assert [
        (date.fromisoformat(day), *(metadata[day][name].value for name in ("run_id", "rows_read", "changes")))
        for day in sorted(metadata)
    ] == stored
    tables = metadata[FIRST]["tables"].value
    assert {record.data["table"] for record in tables.records} >= {"market_odds", "competitor_market_odds"}  # type: ignore[union-attr]
    assert earlier.rows("SELECT DISTINCT dagster_run_id FROM scrape_runs") == [(result.run_id,)]


def test_one_day_is_imported_alone_and_again_without_effect(earlier: Pipeline) -> None:
    assert earlier.cycle(job="legacy_import", partition="2026-02-02").success
    result = earlier.cycle(job="legacy_import", partition="2026-02-02")
    assert result.success
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["rows_added"].value == 0
    days = earlier.rows(
        "SELECT DISTINCT captured_at::date FROM odds_history_changes WHERE NOT odds_is_unavailable(state)"
    )
    assert days == [(date(2026, 2, 2),)]


def test_days_that_the_earlier_system_lacks_are_not_materialized(earlier: Pipeline) -> None:
    result = import_range(earlier, "2026-02-05", "2026-02-06")
    assert not result.success
    assert "holds no odds of 2026-02-05 to 2026-02-06; there are days from 2026-02-01 to 2026-02-03" in failure_of(
        result
    )


def test_without_an_earlier_system_a_launch_says_where_it_was_looked_for(pipeline: Pipeline) -> None:
    result = configured(pipeline).cycle(job="legacy_import", partition=FIRST)
    assert not result.success
    assert "no earlier system in" in failure_of(result)
    assert "ODDS_LEGACY_DATABASE_URL" in failure_of(result)


def test_the_sensor_says_what_is_not_imported_and_imports_it_only_when_told_to(earlier: Pipeline) -> None:
    reason = earlier.tick("legacy_import_due").skip_message
    assert reason is not None
    for words in ("3 days of", "2026-02-01 to 2026-02-03", "legacy plan", "ODDS_LEGACY_IMPORT=true"):
        assert words in reason
    willing = configured(earlier, legacy_import=True)
    (request,) = willing.tick("legacy_import_due").run_requests or []
    assert willing.job("legacy_import", tags=request.tags).success
    assert "every day that is over is imported" in (willing.tick("legacy_import_due").skip_message or "")


def test_the_sensor_says_when_there_is_no_earlier_system(pipeline: Pipeline) -> None:
    assert "no odds of an earlier system found in" in (pipeline.tick("legacy_import_due").skip_message or "")
