"""A small world of assets whose runs leave what a cycle's runs leave, and time that passes in Dagster's tables.

Importable by Dagster as a code location (``defs``), so that GraphQL can be asked about it.
"""

from datetime import date, timedelta

import dagster as dg
from psycopg import sql

from odds_pipeline.database.engine import Database

FIRST_DAY = date(2026, 1, 1)
DAYS = dg.StaticPartitionsDefinition([(FIRST_DAY + timedelta(days=number)).isoformat() for number in range(60)])

COUNTED = dg.AssetKey(["small", "counted"])
WATCHED = dg.AssetKey(["small", "watched"])
COUNTED_IS_POSITIVE = dg.AssetCheckKey(COUNTED, "is_positive")
WATCHED_IS_FRESH = dg.AssetCheckKey(WATCHED, "is_fresh")

FAILS = "small/fails"
"""Tag of runs whose second step is to fail."""
PRINTS = "small/prints"
"""Tag of runs whose first step prints something."""


class Numbered(dg.Config):
    """What a run tells: a different number in each."""

    number: int = 0


@dg.asset(
    key=COUNTED, partitions_def=DAYS, check_specs=[dg.AssetCheckSpec("is_positive", asset=COUNTED)], group_name="small"
)
def counted(context: dg.AssetExecutionContext, config: Numbered) -> dg.MaterializeResult:
    """One partition a day, materialized many times."""
    context.log.info(f"counting {context.partition_key}")
    if PRINTS in context.run.tags:
        print("what a step prints")
    return dg.MaterializeResult(
        metadata={"number": config.number, "text": dg.MetadataValue.md("many words, " * 50)},
        check_results=[dg.AssetCheckResult(passed=config.number >= 0, metadata={"number": config.number})],
    )


@dg.asset(key=WATCHED, deps=[COUNTED], check_specs=[dg.AssetCheckSpec("is_fresh", asset=WATCHED)], group_name="small")
def watched(context: dg.AssetExecutionContext, config: Numbered) -> dg.MaterializeResult:
    """Without partitions: observed and materialized."""
    if FAILS in context.run.tags:
        raise dg.Failure(f"told to fail, number {config.number}")
    context.log_event(dg.AssetObservation(WATCHED, metadata={"number": config.number}))
    return dg.MaterializeResult(
        metadata={"number": config.number},
        check_results=[dg.AssetCheckResult(passed=config.number % 2 == 0, metadata={"number": config.number})],
    )


_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

small = dg.define_asset_job("small", selection=dg.AssetSelection.assets(COUNTED, WATCHED))

defs = dg.Definitions(assets=[counted, watched], jobs=[small], executor=dg.in_process_executor)


def run_small(
    instance: dg.DagsterInstance, number: int, day: int = 0, *, fails: bool = False, prints: bool = True
) -> dg.ExecuteInProcessResult:
    """Run the job for a day (counted from ``FIRST_DAY``)."""
    config = {"config": {"number": number}}
    return defs.resolve_job_def("small").execute_in_process(
        instance=instance,
        partition_key=(FIRST_DAY + timedelta(days=day)).isoformat(),
        run_config={"ops": {"small__counted": config, "small__watched": config}, **_QUIET},
        tags={tag: "yes" for tag, is_set in ((FAILS, fails), (PRINTS, prints)) if is_set},
        raise_on_error=False,
    )


def plan_small(instance: dg.DagsterInstance, partition: str) -> dg.DagsterRun:
    """A run that has said what it will make, and has not begun."""
    job = defs.resolve_job_def("small")
    return instance.create_run_for_job(
        job,
        tags={"dagster/partition": partition},
        asset_selection=frozenset(job.asset_layer.selected_asset_keys),
        status=dg.DagsterRunStatus.STARTING,
    )


_TIMES = {
    "event_logs": ("timestamp",),
    "asset_event_tags": ("event_timestamp",),
    "asset_check_executions": ("evaluation_event_timestamp", "create_timestamp"),
    "runs": ("create_timestamp", "update_timestamp"),
    "job_ticks": ("timestamp", "create_timestamp", "update_timestamp"),
    "bulk_actions": ("timestamp",),
}


def let_days_pass(database: Database, days: float) -> None:
    """Make everything that Dagster has stored so far ``days`` older."""
    passed = timedelta(days=days)
    with database.connect() as connection:
        for table, columns in _TIMES.items():
            changes = sql.SQL(", ").join(
                sql.SQL("{0} = {0} - {1}").format(sql.Identifier(column), passed) for column in columns
            )
            connection.execute(sql.SQL("UPDATE {} SET {}").format(sql.Identifier(table), changes))
        seconds = passed.total_seconds()
        connection.execute("UPDATE runs SET start_time = start_time - %s, end_time = end_time - %s", [seconds, seconds])
