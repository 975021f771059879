"""What a pruning does not do: take long, wait, make others wait, or delete where it does not know its way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.pruning.policy import Policy
from odds_pipeline.pruning.prune import NothingToPrune, PruningUnderWay, prune
from odds_pipeline_tests.pruning.small_world import let_days_pass, run_small
from odds_pipeline_tests.pruning.standing import SETTINGS, kinds, pruned


def test_time_that_is_up_leaves_the_rest_to_the_next_pruning(dagster_instance: dg.DagsterInstance, stored: Database):
    run_small(dagster_instance, 0)
    let_days_pass(stored, 3)
    done = pruned(dagster_instance, stored, budget=timedelta(0))
    assert not done.rows
    assert not done.is_complete
    assert pruned(dagster_instance, stored).is_complete


def test_what_somebody_holds_is_put_off_and_nobody_waits(dagster_instance: dg.DagsterInstance, stored: Database):
    run_id = run_small(dagster_instance, 0).run_id
    let_days_pass(stored, 3)
    before = kinds(stored, run_id)
    with stored.connect() as holder:
        holder.execute("SELECT FROM event_logs WHERE run_id = %s FOR UPDATE", [run_id])
        done = pruned(dagster_instance, stored)
    assert "lock timeout" in done.postponed[0]
    assert not done.rows_of("event_logs")
    assert kinds(stored, run_id) == before
    assert pruned(dagster_instance, stored).is_complete


def test_two_prunings_do_not_run_at_once(dagster_instance: dg.DagsterInstance, stored: Database):
    with stored.connect() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [0x6F64_6473_0010])
        with pytest.raises(PruningUnderWay, match="is being pruned already"):
            pruned(dagster_instance, stored)


def test_a_database_that_is_not_the_instances_is_refused(dagster_instance: dg.DagsterInstance, stored: Database):
    run_small(dagster_instance, 0)
    policy = Policy.of(SETTINGS, dagster_instance, now=datetime.now(UTC))
    with pytest.raises(NothingToPrune, match="keeps its runs elsewhere, and nothing was pruned"):
        prune(stored, dagster_instance, policy, run_id=str(uuid4()))


@pytest.mark.parametrize("name", ["", ".", "..", "../storage"])
def test_a_run_whose_id_names_another_folder_takes_no_files_with_it(
    dagster_instance: dg.DagsterInstance, stored: Database, name: str
):
    """The files of a run are in a folder of its id; no id at all would be the folder of all runs."""
    kept = run_small(dagster_instance, 0).run_id
    with stored.connect() as connection:
        connection.execute(
            "INSERT INTO runs (run_id, pipeline_name, status, run_body, end_time) VALUES (%s, 'x', 'SUCCESS', '{}', 0)",
            [name],
        )
        connection.execute("INSERT INTO event_logs (run_id, event) VALUES (%s, '{}')", [name])
    done = pruned(dagster_instance, stored)
    assert done.is_complete
    assert (done.rows["event_logs", "message"], done.runs_with_files) == (1, 0)
    assert (Path(dagster_instance.storage_directory()) / kept / "compute_logs").exists()
