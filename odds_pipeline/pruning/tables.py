"""What pruning relies on in Dagster's database: its tables, their columns, and the kinds of events in its log.

Dagster promises none of it. So a database whose tables differ is refused before anything is deleted, and tests hold the
kinds of events against the Dagster that is installed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from dagster import DagsterEventType
from dagster._core.events import ASSET_EVENTS


class UnknownDagsterStorage(Exception):
    """Dagster's database is not what pruning knows; the message says what is missing. Nothing was deleted."""


#: The columns that are read here, by table.
COLUMNS: Mapping[str, Sequence[str]] = {
    "asset_check_executions": (
        *("id", "asset_key", "check_name", "partition", "run_id", "execution_status"),
        *("evaluation_event", "evaluation_event_timestamp", "materialization_event_storage_id", "create_timestamp"),
    ),
    "asset_event_tags": ("event_id",),
    "asset_keys": ("last_run_id",),
    "backfill_tags": ("backfill_id",),
    "bulk_actions": ("id", "key", "status", "timestamp", "body"),
    "event_logs": ("id", "run_id", "event", "dagster_event_type", "timestamp", "asset_key", "partition"),
    "job_ticks": ("id", "job_origin_id", "selector_id", "status", "type", "timestamp", "tick_body"),
    "run_tags": ("run_id", "key", "value"),
    "runs": (
        *("id", "run_id", "snapshot_id", "pipeline_name", "status", "run_body", "partition"),
        *("update_timestamp", "start_time", "end_time", "backfill_id"),
    ),
    "snapshots": ("id", "snapshot_id", "snapshot_body", "snapshot_type"),
}

GRAPHED = (
    DagsterEventType.ASSET_MATERIALIZATION.value,
    DagsterEventType.ASSET_OBSERVATION.value,
    DagsterEventType.ASSET_FAILED_TO_MATERIALIZE.value,
)
"""What the graphs over time, partition status and the latest state of an asset are made of."""

PLANNED = (DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,)
"""What a run was to make: with the run's status it says which partitions have failed or are under way."""

OUTLINE = tuple(
    kind.value
    for kind in (
        *(DagsterEventType.RUN_START, DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE),
        *(DagsterEventType.RUN_CANCELED, DagsterEventType.STEP_START, DagsterEventType.STEP_SUCCESS),
        *(DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_SKIPPED),
    )
)
"""When a run and its steps began and ended. Without it the page of a run shows steps that seem to wait for ever."""

LOG = tuple(
    kind.value
    for kind in DagsterEventType
    if kind.value not in OUTLINE
    and kind not in ASSET_EVENTS
    and kind not in (DagsterEventType.ASSET_WIPED, DagsterEventType.ASSET_HEALTH_CHANGED)
)
"""The rest of what a run logs. Check evaluations too: those that are shown have a table of their own. A kind that the
installed Dagster does not know is none of it, and stays."""

ECHOES = tuple(
    kind.value
    for kind in (
        DagsterEventType.STEP_OUTPUT,
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        DagsterEventType.ASSET_CHECK_EVALUATION,
    )
)
"""What the log of a succeeded run repeats: outputs have the metadata of their materializations, and evaluations stand
in their own table. They are half of what a cycle leaves behind."""


def require_known_tables(connection: psycopg.Connection) -> None:
    """Raise ``UnknownDagsterStorage`` unless every table and column that is read here exists."""
    found: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = ANY(%s)",
        [list(COLUMNS)],
    ):
        found.setdefault(table, set()).add(column)
    missing = [
        f"the table {table}" if table not in found else f"{table}.{column}"
        for table, columns in COLUMNS.items()
        for column in (columns if table in found else columns[:1])
        if column not in found.get(table, set())
    ]
    if missing:
        raise UnknownDagsterStorage(
            f"the database {connection.info.dbname} lacks {', '.join(missing)}: it is not Dagster's, or of a Dagster "
            "whose storage is not known here; nothing was pruned. ODDS_DAGSTER_DATABASE_URL says where Dagster's is"
        )
