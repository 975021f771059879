"""What somebody holds, what may not be read and what may not be deleted stop no more of a pruning than need be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.pruning.prune import TableHeld
from odds_pipeline.pruning.tables import ECHOES
from odds_pipeline_tests.pruning.small_world import let_days_pass, run_small
from odds_pipeline_tests.pruning.standing import kinds, pruned, pruned_for, rows


@pytest.fixture(autouse=True)
def _nobody_waits_for_ever(stored: Database) -> None:
    """A pruning that waited for a table would wait for its own test; a deadline of the server ends it."""
    with stored.connect() as connection:
        connection.execute(f"ALTER DATABASE \"{connection.info.dbname}\" SET lock_timeout = '20s'".encode())


@pytest.mark.parametrize("table", ["event_logs", "asset_check_executions", "snapshots", "job_ticks"])
def test_a_table_that_somebody_holds_is_told_of_and_the_others_are_pruned(
    dagster_instance: dg.DagsterInstance, stored: Database, table: str
):
    run_id = run_small(dagster_instance, 0).run_id
    let_days_pass(stored, 7)
    newest = run_small(dagster_instance, 1).run_id
    began = time.monotonic()
    with stored.connect() as holder:
        holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        done = pruned_for(newest, dagster_instance, stored)
    assert time.monotonic() - began < 15
    assert any("lock timeout" in sentence for sentence in done.postponed)
    assert table not in {size.name for size in done.after}
    assert not done.rows_of(table)
    assert len(done.after) == 21
    assert done.rows
    # It lasts, maybe: the next pruning is due after the interval.
    assert done.is_complete
    assert pruned(dagster_instance, stored).postponed == ()
    assert "STEP_OUTPUT" not in kinds(stored, run_id)


def test_a_held_table_of_runs_is_told_of_and_nothing_is_pruned(dagster_instance: dg.DagsterInstance, stored: Database):
    run_id = run_small(dagster_instance, 0).run_id
    with stored.connect() as holder:
        holder.execute("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TableHeld, match=r"somebody holds the table runs .* nothing was pruned"):
            pruned_for(run_id, dagster_instance, stored)


def test_a_table_of_somebody_elses_is_no_matter(dagster_instance: dg.DagsterInstance, stored: Database):
    with stored.connect() as connection:
        connection.execute("CREATE TABLE somebodys (number int)")
    with stored.connect() as holder:
        holder.execute("LOCK TABLE somebodys IN ACCESS EXCLUSIVE MODE")
        done = pruned(dagster_instance, stored)
    assert done.postponed == ()
    assert len(done.after) == 22
    assert "somebodys" not in {size.name for size in done.after}


@pytest.fixture
def without_all_rights(dagster_instance: dg.DagsterInstance, stored: Database) -> Iterator[Database]:
    """As a role that may do everything with Dagster's tables, and not read that of somebody else."""
    with stored.connect() as connection:
        connection.execute("CREATE ROLE pruner LOGIN")
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO pruner")
        connection.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO pruner")
        connection.execute("CREATE TABLE somebodys (number int)")
    try:
        with Database(stored.url.set(username="pruner")) as database:
            yield database
    finally:
        with stored.connect() as connection:
            connection.execute("DROP OWNED BY pruner")
            connection.execute("DROP ROLE pruner")


def test_a_table_that_may_not_be_read_is_no_matter(
    dagster_instance: dg.DagsterInstance, without_all_rights: Database, stored: Database
):
    run_small(dagster_instance, 0)
    let_days_pass(stored, 3)
    done = pruned(dagster_instance, without_all_rights)
    assert done.rows_of("event_logs")
    assert done.postponed == ()


@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["a link beside", "a link to elsewhere"])
def test_a_run_whose_files_may_not_be_deleted_keeps_its_log_and_the_others_go(
    dagster_instance: dg.DagsterInstance, stored: Database, tmp_path: Path, is_elsewhere: bool
):
    """Dagster deletes no folder that is a link, whoever runs it."""
    held, other = (run_small(dagster_instance, number).run_id for number in range(2))
    let_days_pass(stored, 7)
    run_small(dagster_instance, 2)
    folder = Path(dagster_instance.storage_directory()) / held
    target = (tmp_path if is_elsewhere else folder.parent) / "moved"
    folder.rename(target)
    folder.symlink_to(target)
    log = {kind: count for kind, count in kinds(stored, held).items() if kind not in ECHOES}
    done = pruned(dagster_instance, stored)
    (sentence,) = done.postponed
    assert sentence.startswith(f"files of the run {held}: ")
    assert log.items() >= kinds(stored, held).items() >= {"LOGS_CAPTURED": log["LOGS_CAPTURED"]}.items()
    assert not dagster_instance.has_run(other)
    assert not (folder.parent / other).exists()
    assert done.is_complete
    folder.unlink()
    assert pruned(dagster_instance, stored).postponed == ()
    assert rows(stored, "SELECT FROM event_logs WHERE run_id = %s AND dagster_event_type = 'LOGS_CAPTURED'", held) == []
