"""What happens while a pruning looks: runs that are created or re-executed keep what they need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.api import create_execution_plan

from odds_pipeline.database.engine import Database
from odds_pipeline.pruning import runs, snapshots
from odds_pipeline.pruning.sweep import Sweep
from odds_pipeline_tests.pruning.small_world import defs, let_days_pass, run_small
from odds_pipeline_tests.pruning.standing import pruned

_TAGS = {"dagster/partition": "2026-01-01"}


def planned(instance: dg.DagsterInstance, *steps: str) -> dg.DagsterRun:
    """A run of the small job, of some of its steps, that has not begun."""
    job = defs.resolve_job_def("small")
    plan = create_execution_plan(job, run_config={}, step_keys_to_execute=list(steps) or None, tags=_TAGS)
    return instance.create_run_for_job(job, execution_plan=plan, tags=_TAGS)


def once_between(monkeypatch: pytest.MonkeyPatch, module: object, name: str, act: Callable[[], object]) -> None:
    """Have ``act`` done once, after the function ``name`` of pruning has looked."""
    look = getattr(module, name)
    is_done = False

    def looked(*arguments: object, **options: object) -> object:
        nonlocal is_done
        found = look(*arguments, **options)
        if not is_done:
            is_done = True
            act()
        return found

    monkeypatch.setattr(module, name, looked)


@pytest.mark.parametrize("is_job_used", [True, False], ids=["its job is used", "its job is not"])
def test_a_run_that_is_created_while_snapshots_are_deleted_has_its_plan(
    dagster_instance: dg.DagsterInstance, stored: Database, monkeypatch: pytest.MonkeyPatch, is_job_used: bool
):
    """Dagster has seen that both snapshots are stored already, and stores the run when they are about to go."""
    before = planned(dagster_instance, "small__counted")
    if is_job_used:
        assert planned(dagster_instance).job_snapshot_id == before.job_snapshot_id
    dagster_instance.delete_run(before.run_id)

    @dg.job
    def other() -> None: ...

    other.execute_in_process(instance=dagster_instance)
    let_days_pass(stored, 1)
    made: list[dg.DagsterRun] = []
    once_between(monkeypatch, snapshots, "_wholes_of", lambda: made.append(planned(dagster_instance, "small__counted")))
    pruned(dagster_instance, stored)
    (run,) = made
    assert run.execution_plan_snapshot_id == before.execution_plan_snapshot_id
    assert run.execution_plan_snapshot_id is not None
    assert dagster_instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    assert run.job_snapshot_id is not None
    assert dagster_instance.get_historical_job(run.job_snapshot_id)


def test_a_plan_goes_with_its_job(dagster_instance: dg.DagsterInstance, stored: Database):
    run = planned(dagster_instance, "small__counted")
    dagster_instance.delete_run(run.run_id)

    @dg.job
    def other() -> None: ...

    other.execute_in_process(instance=dagster_instance)
    let_days_pass(stored, 1)
    done = pruned(dagster_instance, stored)
    assert (done.rows["snapshots", "PIPELINE"], done.rows["snapshots", "EXECUTION_PLAN"]) == (1, 1)


def test_a_run_that_is_re_executed_while_runs_are_deleted_keeps_its_files(
    dagster_instance: dg.DagsterInstance, stored: Database, monkeypatch: pytest.MonkeyPatch
):
    root = run_small(dagster_instance, 0).run_id
    let_days_pass(stored, 20)
    again = run_small(dagster_instance, 1).run_id
    file = Path(dagster_instance.storage_directory()) / root / "kept"
    deletion = runs._delete

    def re_executed_before(sweep: Sweep, *arguments: object) -> None:
        file.parent.mkdir(exist_ok=True)  # the log of the run is gone by now, and its folder with it
        file.touch()
        dagster_instance.add_run_tags(again, {"dagster/root_run_id": root, "dagster/parent_run_id": root})
        deletion(sweep, *arguments)  # pyright: ignore

    monkeypatch.setattr(runs, "_delete", re_executed_before)
    pruned(dagster_instance, stored)
    assert dagster_instance.has_run(root)
    assert file.exists()
