"""The asset of pruning: Dagster's own tables and files, kept within the days of the settings."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
import polars as pl

from odds_pipeline.clock import Clock
from odds_pipeline.metadata import DAGSTER_PRUNING, OWNERS, frame_columns, sample
from odds_pipeline.pruning.policy import Policy
from odds_pipeline.pruning.prune import NothingToPrune, Pruned, PruningUnderWay, TableHeld, prune
from odds_pipeline.pruning.tables import UnknownDagsterStorage
from odds_pipeline.resources import DagsterDatabase
from odds_pipeline.settings import Settings

PRUNED_TABLE = {
    "table": pl.String,
    "rows_deleted": pl.Int64,
    "bytes_deleted": pl.Int64,
    "rows": pl.Int64,
    "live_bytes_before": pl.Int64,
    "live_bytes": pl.Int64,
    "total_bytes_before": pl.Int64,
    "total_bytes": pl.Int64,
}

_MEANINGS = {
    "table": "A table of Dagster's database",
    "rows_deleted": "Rows that went",
    "bytes_deleted": "Bytes of their texts, as stored",
    "rows": "Rows that are left; reckoned from a sample of pages where the table has many",
    "live_bytes_before": "What its rows filled before, without indexes; reckoned like the rows",
    "live_bytes": "What its rows fill after, without indexes; reckoned like the rows",
    "total_bytes_before": "Size on the disk before, with indexes and long texts",
    "total_bytes": "Size on the disk after. Room that is free again is kept for new rows, so this seldom shrinks",
}


@dg.asset(
    key=DAGSTER_PRUNING,
    group_name="storage",
    kinds={"postgres"},
    owners=list(OWNERS),
    code_version="1",
    description="""Dagster's own storage, kept small: what it held before, what went, what it holds now.

- **Grain**: one row per table of Dagster's database. **Key**: `table`.
- **Policy**: of succeeded runs the step-by-step log and what steps printed go after `ODDS_DAGSTER_LOG_DAYS` (2), but
  for the outline that a run's page is drawn from; what the log repeats of checks and outputs goes after an hour.
  Materializations, observations and evaluations of checks go after `ODDS_DAGSTER_GRAPH_DAYS` (14); the newest of every
  asset or check and partition stays for ever, and so do partition status and the latest state of everything. Failed and
  canceled runs are whole for `ODDS_DAGSTER_FAILED_DAYS` (30). A run goes when nothing is left that refers to it, and it
  is not the newest of its job and partition. Unfinished runs are never touched.
- **Writes**: deletes rows and files, by kind of event, in transactions of milliseconds that wait for nobody; killed
  anywhere, the next pruning goes on. Vacuums the tables that it deleted much from, beside readers and writers.
- **Refuses** a database whose tables it does not know, or in which this very run is not.
""",
    metadata={"dagster/column_schema": frame_columns(PRUNED_TABLE, _MEANINGS)},
)
def dagster_pruning(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    dagster_database: dg.ResourceParam[DagsterDatabase],
) -> dg.MaterializeResult:
    """Apply the policy of the settings as of now."""
    policy = Policy.of(settings, context.instance, now=clock.now())
    try:
        done = prune(dagster_database.database, context.instance, policy, run_id=context.run.run_id)
    except (NothingToPrune, PruningUnderWay, TableHeld, UnknownDagsterStorage) as refusal:
        raise dg.Failure(f"{refusal}.", allow_retries=False) from refusal
    for sentence in done.postponed:
        context.log.warning(f"put off to the next pruning: {sentence}")
    context.log.info(_in_words(done))
    return dg.MaterializeResult(metadata=_metadata(done, policy))


def _in_words(done: Pruned) -> str:
    deleted = sum(done.rows.values())
    if done.is_complete and not done.postponed and not deleted:
        return f"nothing is due; {len(done.before)} tables were looked at"
    rest = "" if done.is_complete else "; there is more, which the next pruning does"
    put_off = f"; {len(done.postponed)} put off" if done.postponed else ""
    return f"{deleted} rows deleted, {done.rows_of('runs')} of them runs{rest}{put_off}"


def _metadata(done: Pruned, policy: Policy) -> Mapping[str, Any]:
    before = {table.name: table for table in done.before}
    tables = [
        {
            "table": table.name,
            "rows_deleted": done.rows_of(table.name),
            "bytes_deleted": done.bytes.get(table.name, 0),
            "rows": table.rows,
            "live_bytes_before": before[table.name].live_bytes,
            "live_bytes": table.live_bytes,
            "total_bytes_before": before[table.name].total_bytes,
            "total_bytes": table.total_bytes,
        }
        for table in sorted(done.after, key=lambda table: table.total_bytes, reverse=True)
        if table.name in before
    ]
    kinds = sorted(done.rows.items(), key=lambda item: item[1], reverse=True)
    return {
        "dagster/row_count": len(tables),
        "outcome": _in_words(done),
        "is_complete": done.is_complete,
        "tables_mb_before": _mb(table.total_bytes for table in done.before),
        "tables_mb": _mb(table.total_bytes for table in done.after),
        "live_mb_before": _mb(table.live_bytes for table in done.before),
        "live_mb": _mb(table.live_bytes for table in done.after),
        "rows_deleted": sum(done.rows.values()),
        "runs_deleted": done.rows_of("runs"),
        "file_mb_deleted": _mb([done.file_bytes]),
        "tables": sample(row for row in tables if row["rows_deleted"] or row["total_bytes"] >= _SHOWN_FROM),
        "deleted": sample({"table": table, "kind": kind, "rows": rows} for (table, kind), rows in kinds),
        **{
            name: dg.MetadataValue.timestamp(moment)
            for name, moment in (
                ("oldest_run", done.oldest_run),
                ("oldest_log", done.oldest_log),
                ("oldest_materialization", done.oldest_materialization),
            )
            if moment is not None
        },
        "policy": dg.MetadataValue.json(
            {
                "logs before": policy.logs_before.isoformat(),
                "graphs before": policy.graphs_before.isoformat(),
                "failed runs before": policy.failed_before.isoformat(),
            }
        ),
        "vacuumed": ", ".join(done.vacuumed) or "nothing",
        "postponed": "; ".join(done.postponed) or "nothing",
        "seconds": done.seconds,
    }


def _mb(sizes: Iterable[int]) -> float:
    """As the storage profile has them, whose size of the database is with PostgreSQL's own catalogue."""
    return round(sum(sizes) / 1e6, 3)


_SHOWN_FROM = 100_000
"""Bytes of a table from which on it is shown though nothing of it went."""
