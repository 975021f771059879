"""A pruning as the asset does it, what is left in the tables, and all that Dagster tells of how assets stand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from odds_pipeline.database.engine import Database
from odds_pipeline.pruning.policy import Policy
from odds_pipeline.pruning.prune import Pruned, prune
from odds_pipeline.settings import Settings
from odds_pipeline_tests.pruning.small_world import COUNTED, COUNTED_IS_POSITIVE, DAYS, WATCHED, WATCHED_IS_FRESH

SETTINGS = Settings(dagster_log_days=2, dagster_graph_days=5, dagster_failed_days=8)
CHECKS = [COUNTED_IS_POSITIVE, WATCHED_IS_FRESH]


@dg.job
def _nothing() -> None: ...


def pruned(instance: dg.DagsterInstance, stored: Database, **options: Any) -> Pruned:
    """Prune as of now, on behalf of a run that has just begun."""
    run = instance.create_run_for_job(_nothing, status=dg.DagsterRunStatus.STARTED)
    try:
        return pruned_for(run.run_id, instance, stored, **options)
    finally:
        instance.delete_run(run.run_id)


def pruned_for(run_id: str, instance: dg.DagsterInstance, stored: Database, **options: Any) -> Pruned:
    """Prune as of now, on behalf of a run that there is."""
    policy = Policy.of(options.pop("settings", SETTINGS), instance, now=datetime.now(UTC))
    return prune(stored, instance, policy, run_id=run_id, **options)


def rows(stored: Database, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with stored.connect() as connection:
        return connection.execute(query.encode(), parameters or None).fetchall()


def kinds(stored: Database, run_id: str) -> dict[str, int]:
    """What is left of a run in the event log."""
    return dict(
        rows(
            stored,
            "SELECT coalesce(dagster_event_type, 'message'), count(*) FROM event_logs WHERE run_id = %s GROUP BY 1",
            run_id,
        )
    )


def status(instance: dg.DagsterInstance) -> dict[str, Any]:
    """All that Dagster tells of how the assets stand, once with its cache of partitions and once without."""
    storage = instance.event_log_storage
    counted = instance.get_asset_records([COUNTED])[0].asset_entry
    answers: dict[str, Any] = {
        "materialized": instance.get_materialized_partitions(COUNTED),
        "newest by partition": instance.get_latest_storage_id_by_partition(
            COUNTED, dg.DagsterEventType.ASSET_MATERIALIZATION
        ),
        "newest planned": instance.get_latest_planned_materialization_info(COUNTED),
        "newest": {
            key: None if event is None else event.asset_materialization
            for key in (COUNTED, WATCHED)
            for event in [instance.get_latest_materialization_event(key)]
        },
        "last run": counted.last_run_id,
        "attempts": (storage.get_latest_asset_partition_materialization_attempts_without_materializations(COUNTED)),
        "observed": instance.fetch_observations(WATCHED, limit=1).records[0].storage_id,
        "checks": {
            key: (record.status, record.run_id, record.id, record.event and record.event.dagster_event)
            for key, record in storage.get_latest_asset_check_execution_by_key(CHECKS).items()
        },
        "completed checks": {
            key: summary.last_completed_check_execution_record and summary.last_completed_check_execution_record.id
            for key, summary in storage.get_asset_check_summary_records(CHECKS).items()
        },
        "states of checks": storage.get_asset_check_partition_info(CHECKS),
    }
    for name, forget in (("cached", False), ("reckoned", True)):
        if forget:
            storage.wipe_asset_cached_status(COUNTED)
        value = get_and_update_asset_status_cache_value(instance, COUNTED, DAYS)
        assert value is not None
        answers[f"partitions, {name}"] = (
            value.deserialize_materialized_partition_subsets(DAYS).get_partition_keys(),
            value.deserialize_failed_partition_subsets(DAYS).get_partition_keys(),
            value.deserialize_in_progress_partition_subsets(DAYS).get_partition_keys(),
        )
    return answers
