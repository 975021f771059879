"""What goes with the runs: the runs themselves, backfills, snapshots, ticks."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from uuid import uuid4

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from odds_pipeline.database.engine import Database
from odds_pipeline_tests.pruning.small_world import WATCHED, defs, let_days_pass, run_small
from odds_pipeline_tests.pruning.standing import pruned, rows


def test_the_root_of_a_kept_rerun_is_kept(dagster_instance: dg.DagsterInstance, stored: Database):
    """The page of a run lists the runs that it was re-executed from."""
    roots = [run_small(dagster_instance, number).run_id for number in range(2)]
    let_days_pass(stored, 20)
    again = run_small(dagster_instance, 2).run_id
    dagster_instance.add_run_tags(again, {"dagster/root_run_id": roots[0], "dagster/parent_run_id": roots[0]})
    pruned(dagster_instance, stored)
    assert [dagster_instance.has_run(root) for root in roots] == [True, False]


def test_the_run_of_what_a_kept_evaluation_was_made_of_is_kept(dagster_instance: dg.DagsterInstance, stored: Database):
    """The page of a check links to it, when the materialization itself is long gone."""

    @dg.asset
    def thing() -> None: ...

    @dg.asset_check(asset=thing)
    def is_right() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    check = dg.Definitions(
        assets=[thing],
        asset_checks=[is_right],
        jobs=[dg.define_asset_job("check", selection=dg.AssetSelection.checks(is_right))],
    ).resolve_job_def("check")
    runs: list[str] = []
    for is_checked in (False, True, False):
        runs.append(dg.materialize([thing], instance=dagster_instance).run_id)
        if is_checked:
            check.execute_in_process(instance=dagster_instance)
        let_days_pass(stored, 15)
    for _ in range(2):
        pruned(dagster_instance, stored)
    key = is_right.check_key
    newest = dagster_instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert runs[1] in str(newest.event)
    assert [dagster_instance.has_run(run_id) for run_id in runs] == [False, True, True]


def test_a_backfill_and_its_runs_go_together_after_the_days_of_failed_runs(
    dagster_instance: dg.DagsterInstance, stored: Database
):
    ids = {state: uuid4().hex[:8] for state in ("COMPLETED_SUCCESS", "REQUESTED")}
    runs = {state: run_small(dagster_instance, number).run_id for number, state in enumerate(ids)}
    with stored.connect() as connection:
        for state, key in ids.items():
            connection.execute(
                "INSERT INTO bulk_actions (key, status, timestamp, body) VALUES (%s, %s, now() AT TIME ZONE 'UTC', %s)",
                [key, state, '{"backfill_end_timestamp": null}'],
            )
            connection.execute("INSERT INTO backfill_tags (backfill_id, key, value) VALUES (%s, 'a', 'b')", [key])
            connection.execute("UPDATE runs SET backfill_id = %s WHERE run_id = %s", [key, runs[state]])
    let_days_pass(stored, 7)
    run_small(dagster_instance, 3)
    pruned(dagster_instance, stored)
    assert all(dagster_instance.has_run(run_id) for run_id in runs.values())
    assert len(rows(stored, "SELECT FROM bulk_actions")) == 2
    let_days_pass(stored, 2)
    done = pruned(dagster_instance, stored)
    assert rows(stored, "SELECT status FROM bulk_actions") == [("REQUESTED",)]
    assert rows(stored, "SELECT backfill_id FROM backfill_tags") == [(ids["REQUESTED"],)]
    assert [dagster_instance.has_run(run_id) for run_id in runs.values()] == [False, True]
    assert done.rows["bulk_actions", "COMPLETED_SUCCESS"] == 1


def test_snapshots_go_with_the_last_run_that_refers_to_them(dagster_instance: dg.DagsterInstance, stored: Database):
    run_small(dagster_instance, 0)
    ours = set(rows(stored, "SELECT snapshot_id FROM snapshots"))

    @dg.op
    def once() -> None: ...

    @dg.job
    def seldom() -> None:
        once()

    first = dagster_instance.get_run_by_id(seldom.execute_in_process(instance=dagster_instance).run_id)
    assert first is not None

    @dg.job(name="seldom")
    def changed() -> None:
        once.alias("other")()

    let_days_pass(stored, 20)
    second = changed.execute_in_process(instance=dagster_instance)
    # A selection has a snapshot of its own, and refers to that of the whole job.
    selected = defs.resolve_job_def("small").execute_in_process(
        instance=dagster_instance, asset_selection=[WATCHED], partition_key="2026-01-01"
    )
    let_days_pass(stored, 0.5)
    pruned(dagster_instance, stored)
    assert not dagster_instance.has_run(first.run_id)
    left = set(rows(stored, "SELECT snapshot_id FROM snapshots"))
    assert ours <= left
    for result in (second, selected):
        run = dagster_instance.get_run_by_id(result.run_id)
        assert run is not None
        assert run.job_snapshot_id is not None
        assert run.execution_plan_snapshot_id is not None
        assert dagster_instance.get_historical_job(run.job_snapshot_id)
        assert dagster_instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    assert not {(first.job_snapshot_id,), (first.execution_plan_snapshot_id,)} & left


def test_bodies_that_postgresql_does_not_take_for_json_are_pruned_like_any_other(
    dagster_instance: dg.DagsterInstance, stored: Database
):
    """Python writes NaN into JSON, and NUL as an escape that no text of PostgreSQL can hold."""
    for key, ended_days_ago in (("endedold", 40), ("endednew", 7)):
        dagster_instance.add_backfill(
            PartitionBackfill(
                backfill_id=key,
                status=BulkActionStatus.COMPLETED_SUCCESS,
                from_failure=False,
                tags={},
                backfill_timestamp=time.time(),
                title="a\0b",
                asset_selection=[WATCHED],
                backfill_end_timestamp=time.time() - ended_days_ago * 86_400,
            )
        )
    hostile = {"small": {"config": {"ratio": float("nan"), "name": "a\0b", "execution_plan_snapshot_id": "none"}}}
    run = dagster_instance.create_run_for_job(defs.resolve_job_def("small"), tags={"dagster/partition": "2026-01-01"})
    with stored.connect() as connection:
        connection.execute(
            "UPDATE runs SET run_body = replace(run_body, '\"run_config\": {}', '\"run_config\": ' || %s)",
            [json.dumps({"ops": hostile})],
        )
    let_days_pass(stored, 40)
    run_small(dagster_instance, 0)
    pruned(dagster_instance, stored)
    assert rows(stored, "SELECT key FROM bulk_actions") == [("endednew",)]
    kept = dagster_instance.get_run_by_id(run.run_id)
    assert kept is not None
    assert kept.execution_plan_snapshot_id is not None
    assert "nan" in str(kept.run_config), "the body was what it should be"
    assert dagster_instance.get_execution_plan_snapshot(kept.execution_plan_snapshot_id)


def test_ticks_go_but_for_the_newest_of_each_sensor(dagster_instance: dg.DagsterInstance, stored: Database):
    with stored.connect() as connection:
        for sensor, state, days in (
            *(("a", "SUCCESS", days) for days in (100, 40, 3)),
            ("gone", "STARTED", 100),
            ("gone", "FAILURE", 90),
        ):
            connection.execute(
                "INSERT INTO job_ticks (selector_id, status, type, timestamp, tick_body) "
                "VALUES (%s, %s, 'SENSOR', (now() AT TIME ZONE 'UTC') - %s, '{}')",
                [sensor, state, timedelta(days=days)],
            )
    done = pruned(dagster_instance, stored)
    assert rows(stored, "SELECT selector_id, status FROM job_ticks ORDER BY id") == [
        ("a", "SUCCESS"),
        ("gone", "FAILURE"),
    ]
    assert done.rows_of("job_ticks") == 3
