"""What goes of runs, what stays, and that Dagster's answers are the same before and after."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline_tests.pruning.small_world import WATCHED, WATCHED_IS_FRESH, let_days_pass, plan_small, run_small
from odds_pipeline_tests.pruning.standing import kinds, pruned, rows, status


def test_the_log_of_a_succeeded_run_goes_and_what_it_made_stays(dagster_instance: dg.DagsterInstance, stored: Database):
    old = run_small(dagster_instance, 1).run_id
    let_days_pass(stored, 3)
    new = run_small(dagster_instance, 2).run_id
    folder = Path(dagster_instance.storage_directory())
    assert {path.name for path in folder.iterdir()} >= {old, new}
    whole = kinds(stored, new)
    done = pruned(dagster_instance, stored)
    assert kinds(stored, new) == whole
    assert kinds(stored, old) == {
        "ASSET_MATERIALIZATION": 2,
        "ASSET_OBSERVATION": 1,
        "PIPELINE_START": 1,
        "PIPELINE_SUCCESS": 1,
        "STEP_START": 2,
        "STEP_SUCCESS": 2,
    }
    assert {path.name for path in folder.iterdir()} >= {new}
    assert not (folder / old).exists()
    assert done.is_complete
    assert (done.runs_with_files, done.file_bytes > 0) == (1, True)
    assert done.rows["event_logs", "message"] == 1
    assert done.rows["event_logs", "STEP_OUTPUT"] == whole["STEP_OUTPUT"]
    assert sum(done.rows.values()) == sum(whole.values()) - 9


def test_what_the_log_repeats_goes_after_an_hour_and_nothing_stands_otherwise(
    dagster_instance: dg.DagsterInstance, stored: Database
):
    old = run_small(dagster_instance, 1).run_id
    failed = run_small(dagster_instance, 2, day=1, fails=True).run_id
    let_days_pass(stored, 1 / 20)
    new = run_small(dagster_instance, 3).run_id
    whole, before = {run_id: kinds(stored, run_id) for run_id in (old, failed, new)}, status(dagster_instance)
    folder = Path(dagster_instance.storage_directory())
    pruned(dagster_instance, stored)
    echoes = ("STEP_OUTPUT", "ASSET_CHECK_EVALUATION", "ASSET_CHECK_EVALUATION_PLANNED")
    assert set(echoes) <= whole[old].keys()
    assert kinds(stored, old) == {kind: count for kind, count in whole[old].items() if kind not in echoes}
    assert {run_id: kinds(stored, run_id) for run_id in (failed, new)} == {failed: whole[failed], new: whole[new]}
    assert status(dagster_instance) == before
    assert (folder / old).exists(), "what steps printed is no echo"
    history = dagster_instance.event_log_storage.get_asset_check_execution_history(WATCHED_IS_FRESH, limit=100)
    assert {record.run_id for record in history} >= {old, new}


def test_nothing_is_lost_of_how_assets_partitions_and_checks_stand(
    dagster_instance: dg.DagsterInstance, stored: Database
):
    for day in range(8):
        for number in range(2):
            run_small(dagster_instance, 10 * day + number, day)
        let_days_pass(stored, 1)
    before = status(dagster_instance)
    runs = dagster_instance.get_runs_count()
    done = pruned(dagster_instance, stored)
    assert status(dagster_instance) == before
    assert len(before["materialized"]) == 8
    # Of the runs for four days, which are older than five, the ones that made the newest of their day are left.
    assert done.rows["runs", "SUCCESS"] == 4 == runs - dagster_instance.get_runs_count()
    again = pruned(dagster_instance, stored)
    assert not again.rows
    assert again.is_complete


def test_graphs_show_what_they_did_for_their_days(dagster_instance: dg.DagsterInstance, stored: Database):
    for number in range(12):
        run_small(dagster_instance, number, day=0)
        let_days_pass(stored, 1)
    pruned(dagster_instance, stored)
    for fetch in (dagster_instance.fetch_materializations, dagster_instance.fetch_observations):
        found = [record.event_log_entry.dagster_event for record in fetch(WATCHED, limit=100).records]
        data = [event.event_specific_data for event in found if event is not None]
        numbers = [
            (getattr(each, "materialization", None) or each.asset_observation).metadata["number"].value  # type: ignore
            for each in data
        ]
        assert numbers == [11, 10, 9, 8]  # made 1 to 4 days ago, the fifth a moment more than 5
    history = dagster_instance.event_log_storage.get_asset_check_execution_history(WATCHED_IS_FRESH, limit=100)
    assert len(history) == 4


def test_what_failed_is_whole_for_its_days_and_says_so_for_ever(dagster_instance: dg.DagsterInstance, stored: Database):
    run_small(dagster_instance, 0, day=0)
    failed = run_small(dagster_instance, 1, day=1, fails=True)
    assert not failed.success
    let_days_pass(stored, 7)
    run_small(dagster_instance, 2, day=2)
    whole, before = kinds(stored, failed.run_id), status(dagster_instance)
    assert pruned(dagster_instance, stored).is_complete
    assert kinds(stored, failed.run_id) == whole
    assert status(dagster_instance) == before
    let_days_pass(stored, 2)
    pruned(dagster_instance, stored)
    assert "STEP_FAILURE" in kinds(stored, failed.run_id)
    assert "ENGINE_EVENT" not in kinds(stored, failed.run_id)
    assert status(dagster_instance) == before


def test_a_partition_that_failed_before_it_was_ever_made_stays_failed(
    dagster_instance: dg.DagsterInstance, stored: Database
):
    """Its planned materialization and its run are all that says so."""
    run_small(dagster_instance, 0, day=0)
    run = plan_small(dagster_instance, "2026-01-05")
    dagster_instance.report_run_failed(run, "the worker died")
    let_days_pass(stored, 30)
    run_small(dagster_instance, 1, day=0)
    before = status(dagster_instance)
    assert before["partitions, reckoned"][1] == {"2026-01-05"}
    pruned(dagster_instance, stored)
    assert status(dagster_instance) == before


@pytest.mark.parametrize("unfinished", ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_an_unfinished_run_is_never_touched(dagster_instance: dg.DagsterInstance, stored: Database, unfinished: str):
    run = run_small(dagster_instance, 1)
    with stored.connect() as connection:
        connection.execute("UPDATE runs SET status = %s WHERE run_id = %s", [unfinished, run.run_id])
    let_days_pass(stored, 400)
    run_small(dagster_instance, 2)
    before = kinds(stored, run.run_id)
    pruned(dagster_instance, stored)
    assert kinds(stored, run.run_id) == before
    assert rows(stored, "SELECT status FROM runs WHERE run_id = %s", run.run_id) == [(unfinished,)]
