"""A pruning that is killed anywhere has lost nothing, and the next one goes on."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from odds_pipeline.database.engine import Database
from odds_pipeline.pruning.policy import Policy
from odds_pipeline.pruning.prune import prune
from odds_pipeline.pruning.sweep import Sweep
from odds_pipeline_tests.pruning.small_world import let_days_pass, run_small
from odds_pipeline_tests.pruning.standing import SETTINGS, pruned, rows, status


def test_killed_in_any_part_it_is_taken_up_again(dagster_instance: dg.DagsterInstance, stored: Database):
    for number in range(4):
        run_small(dagster_instance, number, number // 2)
        let_days_pass(stored, 2.5)
    before = status(dagster_instance)
    (newest,) = dagster_instance.get_run_records(limit=1)
    left = [_rows_left(stored)]
    for part in ("logs of runs", "events ASSET_MATERIALIZATION", "evaluations of checks", "runs"):
        arguments = (dagster_instance.get_ref(), str(stored.libpq), newest.dagster_run.run_id, part)
        child = multiprocessing.get_context("spawn").Process(target=_prune_and_die, args=arguments)
        child.start()
        child.join(timeout=120)
        assert child.exitcode == -signal.SIGKILL, part
        assert status(dagster_instance) == before
        left.append(_rows_left(stored))
    # Each came further than the one before, but for the first, whose one transaction was undone.
    assert left[0] == left[1] > left[2] > left[3] > left[4]
    assert pruned(dagster_instance, stored).is_complete
    assert status(dagster_instance) == before
    assert not pruned(dagster_instance, stored).rows
    assert rows(stored, "SELECT FROM event_logs WHERE run_id NOT IN (SELECT run_id FROM runs)") == []
    assert rows(stored, "SELECT FROM asset_event_tags WHERE event_id NOT IN (SELECT id FROM event_logs)") == []
    runs = {run_id for (run_id,) in rows(stored, "SELECT run_id FROM runs")}
    assert {path.name for path in Path(dagster_instance.storage_directory()).iterdir()} <= runs


def _rows_left(stored: Database) -> int:
    return sum(
        rows(stored, f"SELECT count(*) FROM {table}")[0][0]
        for table in ("event_logs", "asset_check_executions", "runs")
    )


def _prune_and_die(reference: InstanceRef, url: str, run_id: str, part: str) -> None:
    """In a process of its own: die in the transaction of ``part``, when everything in it is deleted."""
    begun, going_on = Sweep.part, Sweep.batch
    under_way = ""

    @contextmanager
    def told(self: Sweep, what: str) -> Iterator[None]:
        nonlocal under_way
        under_way = what
        with begun(self, what):
            yield

    @contextmanager
    def dying(self: Sweep) -> Iterator[None]:
        with going_on(self):
            yield
            if under_way == part:
                os.kill(os.getpid(), signal.SIGKILL)

    Sweep.part, Sweep.batch = told, dying
    with dg.DagsterInstance.from_ref(reference) as instance, Database(url) as database:
        prune(database, instance, Policy.of(SETTINGS, instance, now=datetime.now(UTC)), run_id=run_id)
