"""What Dagster's own storage takes over weeks of runs, pruned as the sensor would have it done.

3,040 real runs of a small job (partitions, checks, observations, metadata; one in fifty fails) are spread over forty
days, in which this process believes itself to be; four prunings a day. Then real cycles of the pipeline, for what one
leaves at each age, from which the steady state of 288 cycles a day is reckoned. Sizes do not depend on ``fsync``, which
is off.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import time_machine
from sqlalchemy import create_engine

from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.pruning.policy import Policy
from odds_pipeline.pruning.prune import Pruned, prune
from odds_pipeline.settings import Settings
from odds_pipeline_tests.pruning.small_world import COUNTED, run_small
from odds_pipeline_tests.pruning.standing import status

from .measure import say
from .offers import CYCLES_A_DAY
from .scratch import scratch_directory

DAYS = 40
RUNS_A_DAY = 76
PRUNINGS_A_DAY = 4
_FAILS_EACH = 50
_STEADY_DAYS = 7
"""Days at the end, when even runs that failed have begun to go."""
_STEADY_WITHIN = 0.05

CYCLES = 20
EVENTS = 60

_SETTINGS = Settings()
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def run() -> None:
    """Measure and print; exits with 1 when the sizes do not come to rest, or a status is lost."""
    with scratch_directory() as directory:
        _weeks(directory)
        _cycles(directory)


def _weeks(directory: Path) -> None:
    with EmbeddedServer.ensure(directory / "weeks", overrides={"fsync": "off"}) as server:
        url = server.url("dagster")
        with Database(url) as database, dg.instance_for_test(overrides=_storage(database)) as instance:
            _keep_connected(instance, database)
            kept = [_day(instance, database, day) for day in range(DAYS)]
    steady = kept[-_STEADY_DAYS:]
    spread = (max(steady) - min(steady)) / max(steady)
    say(
        f"  {DAYS * RUNS_A_DAY:,} runs: size on the disk of the last {_STEADY_DAYS} days within {spread:.1%} "
        f"({min(steady) / 1e6:.1f} to {max(steady) / 1e6:.1f} MB)"
    )
    if spread > _STEADY_WITHIN:
        raise SystemExit(1)


def _keep_connected(instance: dg.DagsterInstance, database: Database) -> None:
    """Write through connections that are kept: Dagster opens one for each statement, most of the time of short runs."""
    url = database.url.set(drivername="postgresql+psycopg2")
    for storage in (instance.event_log_storage, instance.run_storage):
        vars(storage)["_engine"] = create_engine(url, isolation_level="AUTOCOMMIT")


def _day(instance: dg.DagsterInstance, database: Database, day: int) -> int:
    """A day of runs and prunings; the bytes on the disk at its end."""
    pruned: Pruned | None = None
    deleted, seconds = 0, 0.0
    for part in range(PRUNINGS_A_DAY):
        with time_machine.travel(_BEGIN + timedelta(days=day, hours=24 * part / PRUNINGS_A_DAY), tick=True):
            first = day * RUNS_A_DAY + part * RUNS_A_DAY // PRUNINGS_A_DAY
            for number in range(first, first + RUNS_A_DAY // PRUNINGS_A_DAY):
                run_small(instance, number, day, fails=number % _FAILS_EACH == _FAILS_EACH - 1, prints=False)
            before = status(instance)
            pruned = _prune(instance, database, now=datetime.now(UTC))
            deleted, seconds = deleted + sum(pruned.rows.values()), seconds + pruned.seconds
            lost = status(instance) != before or len(instance.get_materialized_partitions(COUNTED)) != day + 1
        if lost or not pruned.is_complete:
            say(f"day {day + 1}: {'a status is lost' if lost else pruned.postponed or 'time was up'}")
            raise SystemExit(1)
    assert pruned is not None
    total = sum(table.total_bytes for table in pruned.after)
    live = sum(table.live_bytes for table in pruned.after)
    (row,) = (table for table in pruned.after if table.name == "runs")
    say(
        f"  day {day + 1:2}: {total / 1e6:6.1f} MB on the disk, {live / 1e6:6.1f} MB of rows, {row.rows:5,} runs; "
        f"{deleted:6,} rows deleted in {seconds:5.2f} s"
    )
    return total


def _prune(instance: dg.DagsterInstance, database: Database, *, now: datetime) -> Pruned:
    (newest,) = instance.get_run_records(limit=1)
    policy = Policy.of(_SETTINGS, instance, now=now)
    return prune(database, instance, policy, run_id=newest.dagster_run.run_id)


def _cycles(directory: Path) -> None:
    """What one cycle leaves in all tables, indexes included, at each age."""
    data = directory / "cycles"
    data.mkdir(mode=0o711)
    program = str(Path(sys.executable).with_name("odds-pipeline"))
    command = [program, "run", "--events", str(EVENTS), "--cycles", str(CYCLES + 1)]
    environment = os.environ | {"ODDS_DATA_DIR": str(data)}
    with (
        # The command finds it running; it ends with the block, not with this process.
        EmbeddedServer.ensure(data) as server,
        Database(server.url("dagster")) as database,
        dg.instance_for_test(overrides=_storage(database)) as instance,
    ):
        subprocess.run(command, env=environment, check=True, capture_output=True)
        sizes = [_compact(database)]
        kinds = _kinds(database)
        for days in (_SETTINGS.dagster_log_days, _SETTINGS.dagster_graph_days):
            _prune(instance, database, now=datetime.now(UTC) + timedelta(days=days, hours=1))
            sizes.append(_compact(database))
    # What stays is the newest cycle's: its materializations, its run, the snapshots of job and plan.
    once = sizes[-1]
    whole, without_log = ((size - sizes[-1]) / CYCLES for size in sizes[:2])
    log_days, graph_days = _SETTINGS.dagster_log_days, _SETTINGS.dagster_graph_days
    steady = CYCLES_A_DAY * (log_days * whole + (graph_days - log_days) * without_log)
    say(f"a real cycle ({CYCLES} of {EVENTS} matches, tables packed, indexes included)")
    say(
        f"  whole {whole / 1e3:.0f} kB; after {log_days} days {without_log / 1e3:.0f} kB; "
        f"after {graph_days} days nothing (once: {once / 1e6:.1f} MB)"
    )
    say(
        f"  {CYCLES_A_DAY} cycles a day: {CYCLES_A_DAY * whole / 1e6:.1f} MB a day until the first pruning, "
        f"{steady / 1e6:.0f} MB in all from day {graph_days} on"
    )
    for kind, size in kinds.items():
        say(f"  {kind:32} {size / (CYCLES + 1) / 1e3:6.1f} kB a cycle")


def _compact(database: Database) -> int:
    """Bytes of all tables without any free room."""
    with database.connect(autocommit=True) as connection:
        connection.execute("VACUUM (FULL, ANALYZE)")
        row = connection.execute(
            "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchone()
    assert row is not None
    return row[0]


def _kinds(database: Database) -> Mapping[str, int]:
    """Bytes of the texts of events by kind, and of evaluations, as stored."""
    with database.connect() as connection:
        return dict(
            connection.execute(
                "SELECT coalesce(dagster_event_type, 'message'), sum(pg_column_size(event))::bigint FROM event_logs "
                "GROUP BY 1 UNION ALL SELECT 'rows of asset_check_executions', "
                "sum(pg_column_size(evaluation_event))::bigint FROM asset_check_executions ORDER BY 2 DESC"
            ).fetchall()
        )


def _storage(database: Database) -> dict[str, object]:
    url = database.url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    return {
        "storage": {"postgres": {"postgres_url": url}},
        # Two processes for each step, to copy what it prints: nothing here is about that.
        "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
        "telemetry": {"enabled": False},
    }
