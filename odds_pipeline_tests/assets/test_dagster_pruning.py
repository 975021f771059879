"""The asset of pruning on the pipeline's own runs: what it says, what it refuses, and that cycles go on beside it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from odds_pipeline.metadata import CHANGES, CURRENT, DAGSTER_PRUNING, HISTORY, observations_key
from odds_pipeline.pruning.policy import Policy
from odds_pipeline.pruning.prune import prune
from odds_pipeline_tests.dagster_fixtures import Pipeline, failure_of
from odds_pipeline_tests.pruning.small_world import let_days_pass
from odds_pipeline_tests.sensors.test_sensors import skip_reason

MATERIALIZED = [*(observations_key(slug) for slug in ("betpawa", "sportybet", "bet9ja")), CHANGES, CURRENT, HISTORY]


def now(pipeline: Pipeline) -> None:
    """Dagster's own times are real ones."""
    pipeline.clock.advance(datetime.now(UTC) - pipeline.clock.now())


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.get_asset_materialization_events()
    assert event.asset_key == DAGSTER_PRUNING
    return {name: value.value for name, value in event.materialization.metadata.items()}


def newest(pipeline: Pipeline) -> dict[dg.AssetKey, Any]:
    return {key: pipeline.instance.get_latest_materialization_event(key) for key in MATERIALIZED}


def test_a_pruning_with_nothing_due_says_so(pipeline: Pipeline):
    now(pipeline)
    result = pipeline.job("dagster_pruning")
    assert result.success
    told = metadata(result)
    assert told["outcome"] == "nothing is due; 22 tables were looked at"
    assert (told["rows_deleted"], told["runs_deleted"], told["is_complete"]) == (0, 0, True)
    with pipeline.dagster_database.connect() as connection:
        row = connection.execute(
            "SELECT sum(pg_total_relation_size(oid)) / 1e6 FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchone()
    assert row is not None
    assert told["tables_mb"] == pytest.approx(float(row[0]), rel=0.2), "of the tables, without the catalogue"
    assert told["live_mb"] > 0


def test_a_pruning_tells_what_went_by_table_and_kind(pipeline: Pipeline):
    pipeline.cycle()
    let_days_pass(pipeline.dagster_database, 3)
    pipeline.advance()
    pipeline.cycle()
    now(pipeline)
    before = newest(pipeline)
    told = metadata(pipeline.job("dagster_pruning"))
    assert newest(pipeline) == before
    deleted = {row["kind"]: row["rows"] for row in (record.data for record in told["deleted"].records)}
    assert {"STEP_OUTPUT", "ASSET_CHECK_EVALUATION", "ENGINE_EVENT", "LOGS_CAPTURED"} <= set(deleted)
    assert "ASSET_MATERIALIZATION" not in deleted
    assert told["rows_deleted"] == sum(deleted.values())
    assert told["file_mb_deleted"] > 0
    (log,) = (row.data for row in told["tables"].records if row.data["table"] == "event_logs")
    assert log["rows_deleted"] == told["rows_deleted"]
    assert 0 < log["live_bytes"] < log["live_bytes_before"]


def test_what_is_put_off_waits_for_the_interval(pipeline: Pipeline):
    """Its reason may last; a pruning every five minutes would find it again each time."""
    pipeline.cycle()
    let_days_pass(pipeline.dagster_database, 3)
    now(pipeline)
    with pipeline.dagster_database.connect() as holder:
        holder.execute("SELECT FROM event_logs WHERE dagster_event_type = 'STEP_OUTPUT' FOR UPDATE")
        told = metadata(pipeline.job("dagster_pruning"))
    assert "lock timeout" in told["postponed"]
    assert told["outcome"] == "0 rows deleted, 0 of them runs; 2 put off"
    pipeline.advance(pipeline.settings.dagster_prune_interval - timedelta(minutes=5))
    assert "the last one was at" in skip_reason(pipeline.tick("pruning_due"))


def test_a_run_of_an_instance_elsewhere_prunes_nothing(pipeline: Pipeline):
    """Zero work is no success: the database of the settings is not the one that this instance writes to."""
    with dg.instance_for_test() as elsewhere:
        result = pipeline.definitions.resolve_job_def("dagster_pruning").execute_in_process(
            instance=elsewhere, raise_on_error=False
        )
    assert not result.success
    assert "this Dagster instance keeps its runs elsewhere, and nothing was pruned" in failure_of(result)


def test_cycles_go_on_beside_a_pruning(pipeline: Pipeline):
    for _ in range(2):
        pipeline.cycle()
        pipeline.advance()
    let_days_pass(pipeline.dagster_database, 20)
    policy = Policy.of(pipeline.settings, pipeline.instance, now=datetime.now(UTC))
    done = threading.Event()
    deleted, failures = 0, []

    def keep_pruning() -> None:
        nonlocal deleted
        while not done.is_set():
            try:
                # The newest, which stays: the one before it may go once the cycle is launched.
                (run,) = pipeline.instance.get_run_records(limit=1)
                pruned = prune(pipeline.dagster_database, pipeline.instance, policy, run_id=run.dagster_run.run_id)
                deleted += sum(pruned.rows.values())
            except Exception as error:
                failures.append(error)
                return

    thread = threading.Thread(target=keep_pruning)
    thread.start()
    try:
        result = pipeline.cycle()
    finally:
        done.set()
        thread.join()
    assert not failures
    assert result.success
    assert deleted
    assert {event.asset_key for event in result.get_asset_materialization_events()} == set(MATERIALIZED)
    assert {event.run_id for event in newest(pipeline).values()} == {result.run_id}
