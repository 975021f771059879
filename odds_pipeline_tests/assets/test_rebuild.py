"""Rebuilding days of history from the lineage: what the run says of each day."""

from __future__ import annotations

from datetime import date, timedelta

from odds_pipeline.metadata import HISTORY
from odds_pipeline_tests.dagster_fixtures import Pipeline, failure_of

A_DAY = timedelta(days=1)


def rebuild(pipeline: Pipeline, first: date, last: date):
    """Materialize odds/history for a range of days, as a backfill does."""
    return pipeline.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=pipeline.instance,
        asset_selection=[HISTORY],
        tags={
            "dagster/asset_partition_range_start": first.isoformat(),
            "dagster/asset_partition_range_end": last.isoformat(),
        },
        raise_on_error=False,
    )


def history(pipeline: Pipeline):
    return pipeline.rows("SELECT market_id, captured_at, run_id, state FROM odds_history_changes ORDER BY 1, 2")


def test_each_day_of_a_range_is_materialized_with_its_own_numbers(pipeline: Pipeline):
    for _ in range(3):
        pipeline.fill()
        pipeline.advance(A_DAY)
    pipeline.advance(-A_DAY)
    today = pipeline.clock.now().date()
    before = history(pipeline)
    lost = [change for change in before if change[1].date() == today - A_DAY]
    pipeline.rows(
        "DELETE FROM odds_history WHERE (captured_at AT TIME ZONE 'UTC')::date = %s RETURNING 1", today - A_DAY
    )
    result = rebuild(pipeline, today - 2 * A_DAY, today)
    assert result.success
    assert history(pipeline) == before
    told = {
        event.partition: {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
    }
    by_day = dict(
        pipeline.rows(
            "SELECT (captured_at AT TIME ZONE 'UTC')::date::text, count(*) FROM odds_history_changes GROUP BY 1"
        )
    )
    assert {day: numbers["dagster/partition_row_count"] for day, numbers in told.items()} == by_day
    assert {day: (numbers["added"], numbers["removed"], numbers["replaced"]) for day, numbers in told.items()} == {
        (today - 2 * A_DAY).isoformat(): (0, 0, 0),
        (today - A_DAY).isoformat(): (len(lost), 0, 0),
        today.isoformat(): (0, 0, 0),
    }


def test_a_day_without_a_source_fails_with_a_sentence_and_stays_unmaterialized(pipeline: Pipeline):
    pipeline.fill()
    today = pipeline.clock.now().date()
    result = rebuild(pipeline, today - 3 * A_DAY, today)
    assert not result.success
    assert (today - 3 * A_DAY).isoformat() in failure_of(result)
    assert "can be rebuilt" in failure_of(result)
    assert pipeline.instance.get_materialized_partitions(HISTORY) == set()
