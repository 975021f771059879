"""What pruning takes for granted about the Dagster that is installed."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.events import ASSET_EVENTS
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, ROOT_RUN_ID_TAG

from odds_pipeline.database.engine import Database
from odds_pipeline.pruning.tables import (
    COLUMNS,
    GRAPHED,
    LOG,
    OUTLINE,
    PLANNED,
    UnknownDagsterStorage,
    require_known_tables,
)


def test_the_tables_of_the_installed_dagster_are_known(dagster_instance: dg.DagsterInstance, stored: Database):
    with stored.connect() as connection:
        require_known_tables(connection)


@pytest.mark.parametrize("table", ["event_logs", "runs", "asset_check_executions"])
def test_tables_that_differ_are_refused(dagster_instance: dg.DagsterInstance, stored: Database, table: str):
    column = COLUMNS[table][-1]
    with stored.connect() as connection:
        connection.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO renamed".encode())
        with pytest.raises(UnknownDagsterStorage, match=rf"lacks {table}\.{column}: .*nothing was pruned"):
            require_known_tables(connection)
        connection.rollback()


def test_another_database_is_refused(database: Database):
    with database.connect() as connection, pytest.raises(UnknownDagsterStorage, match=r"lacks the table .*event_logs"):
        require_known_tables(connection)


def test_every_kind_of_event_is_kept_drawn_or_logged():
    """A kind that a new Dagster brings is looked at before it is deleted: this test then fails."""
    states = {"ASSET_WIPED", "ASSET_HEALTH_CHANGED", "FRESHNESS_STATE_CHANGE"}
    assert {kind.value for kind in ASSET_EVENTS} == {*GRAPHED, *PLANNED, "FRESHNESS_STATE_CHANGE"}
    assert len(LOG) == 32
    assert not set(LOG) & {*GRAPHED, *PLANNED, *OUTLINE, *states}
    assert {kind.value for kind in dg.DagsterEventType} == {*LOG, *GRAPHED, *PLANNED, *OUTLINE, *states}


def test_the_words_of_the_statements_are_dagsters():
    assert {status.value for status in FINISHED_STATUSES} == {"SUCCESS", "FAILURE", "CANCELED"}
    assert AssetCheckExecutionRecordStatus.PLANNED.value == "PLANNED"
    assert {status.value for status in BulkActionStatus} - {
        status.value for status in BULK_ACTION_TERMINAL_STATUSES
    } == {*("REQUESTED", "CANCELING", "FAILING")}
    assert {ROOT_RUN_ID_TAG, PARENT_RUN_ID_TAG} == {"dagster/root_run_id", "dagster/parent_run_id"}
