"""What the pipeline's own databases and archives hold after a day of cycles through Dagster, and what a day adds.

Scale S: the simulated matches whose markets come to about 25,000, a cycle every five minutes, on the embedded server
with Dagster's database beside it. All that ``odds-pipeline up`` launches besides runs as often as it does there:
reports, storage profiles, pruning, and after each midnight retention and the state that the day began with. A first
hour, in which every market is new, ends with a midnight; the day that is measured lies between this one and the next.

Runs are executed in this process, which leaves out the events of the queue and of a process for each run
(``benchmarks/pruning.py`` has a run's bytes), and sensors do not tick: a day of their ticks is written apart.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus

from odds_pipeline.archive.store import Archive
from odds_pipeline.assets.launches import CYCLE_JOB
from odds_pipeline.cli.instance import prepare
from odds_pipeline.cli.simulated import pointed_at
from odds_pipeline.clock import ManualClock, SystemClock
from odds_pipeline.database.engine import Database, DatabaseUrls
from odds_pipeline.database.history import midnight
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.days.contents import write_part
from odds_pipeline.definitions import build_definitions
from odds_pipeline.jobs import dagster_pruning, prepare_days, retention, storage_profile
from odds_pipeline.sensors.reports_due import wanted_reports
from odds_pipeline.settings import Settings
from odds_pipeline.simulator.simulator import Simulator
from odds_pipeline.storage.alerts import open_alerts
from odds_pipeline.storage.judging import judge
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline.storage.profile import storage_profile as profile_of
from odds_pipeline.storage.reporting import report

from .measure import say, timed
from .scratch import scratch_directory

EVENTS = 60
CYCLES = 300
CYCLES_A_DAY = 288
_WARM_UP = 12
"""Cycles of the hour before the day."""

_TICKS_WRITTEN = 3_000
_SKIPPED = "nothing new since the last report at 12:00:00 UTC; due at 13:00:00 UTC, 60 min after the last run"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class _Written:
    """What the cycles so far found and wrote, by their own counts."""

    cycles: int
    snapshots: int
    rows: int
    new: int
    changed: int
    unavailable: int


@dataclass(slots=True)
class _Machine:
    """One data directory with everything that runs on it."""

    settings: Settings
    clock: ManualClock
    simulator: Simulator
    database: Database
    dagster_database: Database
    instance: dg.DagsterInstance
    definitions: dg.Definitions

    def launch(self, job: str, *, day: date | None = None, assets: list[dg.AssetKey] | None = None) -> None:
        """Run a job to its end. Raises what its step did."""
        self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=None if day is None else day.isoformat(),
            asset_selection=assets,
            run_config=_QUIET,
        )

    def cycle(self) -> float:
        """Run a cycle, move on by an interval, and return its seconds."""
        _, seconds = timed(lambda: self.launch(CYCLE_JOB, day=self.clock.now().date()))
        self.clock.advance(self.settings.cycle_interval)
        return seconds.wall

    def report(self, day: date) -> None:
        """Make the reports of now and of a day, those of them that there are."""
        for due in wanted_reports(self.database, now=self.clock.now(), grace=self.settings.midnight_grace):
            if due.day in (day, None):
                self.launch(due.job, day=due.day, assets=list(due.assets))

    def begin_day(self) -> None:
        """What follows a midnight."""
        self.launch(prepare_days.name)
        self.launch(retention.name)
        self.report(self.clock.now().date() - timedelta(days=1))

    def profile(self) -> StorageProfile:
        """The storage profile, after the vacuum that autovacuum does within minutes."""
        for database in (self.database, self.dagster_database):
            with database.connect(autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        return profile_of(
            self.database,
            dagster=self.dagster_database,
            archive=Archive.from_settings(self.settings),
            settings=self.settings,
            now=self.clock.now(),
        )

    def written(self) -> _Written:
        with self.database.connect() as connection:
            row = connection.execute(
                """
                SELECT count(*), sum((counts ->> 'observations')::bigint)::bigint,
                       sum((counts ->> 'inserted_history')::bigint)::bigint, sum((counts ->> 'new')::bigint)::bigint,
                       sum((counts ->> 'changed')::bigint)::bigint, sum((counts ->> 'unavailable')::bigint)::bigint
                FROM scrape_runs WHERE counts IS NOT NULL
                """
            ).fetchone()
        assert row is not None
        return _Written(*row)


def run(keep: Path | None = None, cycles: int = CYCLES) -> None:
    """Run the cycles, print what a day adds; with ``keep``, leave everything there, with the report ``profile.md``."""
    if cycles <= _WARM_UP:
        raise SystemExit(f"{cycles} cycles end before the day begins; give more than {_WARM_UP}")
    if keep and keep.exists() and any(keep.iterdir()):
        raise SystemExit(f"{keep} is not empty; name a directory for these cycles alone")
    with nullcontext(keep) if keep else scratch_directory() as directory, _machine(directory) as machine:
        machine.launch(prepare_days.name)
        seconds = [_interval(machine, number) for number in range(1, _WARM_UP + 1)]
        machine.begin_day()
        before, written_before = machine.profile(), machine.written()
        seconds += [_interval(machine, number) for number in range(_WARM_UP + 1, cycles + 1)]
        machine.begin_day()
        after, written = machine.profile(), machine.written()
        say(f"own storage after {cycles} cycles of {EVENTS} matches, {sum(seconds) / len(seconds):.1f} s each")
        _say_rows(written_before, written)
        _say_bytes(before, after, CYCLES_A_DAY / (cycles - _WARM_UP))
        _say_archived(machine, directory / "a_day", day=machine.clock.now().date() - timedelta(days=1))
        _say_ticks(machine)
        told = report(after, judge(after, machine.settings), open_alerts(machine.database), style="markdown")
        (directory / "profile.md").write_text(told)


def _interval(machine: _Machine, number: int) -> float:
    """The cycle of that number and what is due after it; the cycle's seconds."""
    settings, began = machine.settings, machine.clock.now()
    seconds = machine.cycle()
    if number % (settings.report_interval // settings.cycle_interval) == 1:
        machine.report(began.date())
    if number % (settings.profile_interval // settings.cycle_interval) == 1:
        machine.launch(storage_profile.name)
    if number % (settings.dagster_prune_interval // settings.cycle_interval) == 1:
        machine.launch(dagster_pruning.name)
    return seconds


@contextmanager
def _machine(directory: Path) -> Iterator[_Machine]:
    for name in [name for name in os.environ if name.startswith("ODDS_")]:
        del os.environ[name]
    # Dagster's storage finds its database by the environment, as it does in production.
    os.environ["ODDS_DATA_DIR"] = str(directory)
    settings = Settings()
    today = SystemClock().now().date()
    # The day ends before now: nothing is later than what Dagster notes of its events.
    begin = midnight(today - timedelta(days=1)) + settings.midnight_grace - _WARM_UP * settings.cycle_interval
    clock = ManualClock(begin)
    prepared = prepare(settings, first_day=begin.date())
    warnings.simplefilter("ignore")
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with (
        dg.DagsterInstance.get() as instance,
        Simulator(events=EVENTS, clock=clock, period=settings.cycle_interval) as simulator,
        Database(DatabaseUrls.from_settings(settings).dagster_database) as dagster_database,
    ):
        settings = pointed_at(settings, simulator.urls)
        definitions = build_definitions(settings, clock)
        yield _Machine(settings, clock, simulator, prepared.database, dagster_database, instance, definitions)


def _say_rows(before: _Written, after: _Written) -> None:
    cycles = after.cycles - before.cycles
    a_day = CYCLES_A_DAY / cycles
    snapshots, rows, new = (getattr(after, name) - getattr(before, name) for name in ("snapshots", "rows", "new"))
    changed, gone = after.changed - before.changed, after.unavailable - before.unavailable
    say(
        f"  a day: {snapshots * a_day:,.0f} rows as snapshots; history {rows * a_day:,.0f} "
        f"({new * a_day:,.0f} first sightings, {changed * a_day:,.0f} changed, {gone * a_day:,.0f} gone), "
        f"{1 - rows / snapshots:.2%} fewer, beside first sightings {1 - (rows - new) / snapshots:.2%}"
    )


def _say_bytes(before: StorageProfile, after: StorageProfile, a_day: float) -> None:
    """A table for each part of storage: what is there, and what a day adds."""
    say("  | | held | a day |\n  |---|---|---|")
    old, new = _bytes(before), _bytes(after)
    total = 0.0
    for place in dict.fromkeys(name.split(":")[0] for name in new):
        parts = {name: (size, size - old.get(name, 0)) for name, size in new.items() if name.split(":")[0] == place}
        held, gained = (sum(part[number] for part in parts.values()) for number in (0, 1))
        total += gained * a_day
        say(f"  | **{place}** | {held / 1e6:.1f} MB | {gained * a_day / 1e6:.1f} MB |")
        for name, (size, growth) in sorted(parts.items(), key=lambda part: -part[1][1]):
            if growth * a_day >= 50_000:
                say(f"  | {name.partition(':')[2]} | {size / 1e6:.1f} MB | {growth * a_day / 1e6:.2f} MB |")
    say(f"  | all in | {after.total_bytes / 1e6:.1f} MB | **{total / 1e6:.1f} MB** |")


def _bytes(profile: StorageProfile) -> Mapping[str, int]:
    """Bytes by ``place:what``."""
    sizes = {
        f"{database.name}:{table.name}": table.total_bytes
        for database in profile.databases
        for table in database.whole_tables
    }
    return sizes | {f"archive:{kind.kind}": kind.bytes for kind in profile.archives}


def _say_archived(machine: _Machine, folder: Path, *, day: date) -> None:
    """What the measured day will be in the history archive."""
    with machine.database.connect() as connection:
        partition = next(each for each in list_partitions(connection) if each.first_day == day)
    file = write_part(machine.database, Archive(folder), partition.name, day)
    say(f"  {file.rows:,} history rows in the archive: {file.bytes / file.rows:.1f} bytes each")


def _say_ticks(machine: _Machine) -> None:
    """What a day of the sensors' ticks takes; those that launched nothing are kept for a day (``dagster.yaml``)."""
    sensors = machine.definitions.sensors or []
    intervals = [sensor.minimum_interval_seconds or 30 for sensor in sensors if isinstance(sensor, dg.SensorDefinition)]
    ticks = sum(86_400 / interval for interval in intervals)
    began = SystemClock().now().timestamp()
    size = _size(machine.dagster_database, "job_ticks")
    for number in range(_TICKS_WRITTEN):
        tick = TickData(
            instigator_origin_id="0" * 40,
            instigator_name="reports_due",
            instigator_type=InstigatorType.SENSOR,
            status=TickStatus.SKIPPED,
            timestamp=began + number,
            selector_id="1" * 40,
            skip_reason=_SKIPPED,
            end_timestamp=began + number + 0.1,
        )
        machine.instance.create_tick(tick)
    each = (_size(machine.dagster_database, "job_ticks") - size) / _TICKS_WRITTEN
    say(f"  sensors tick {ticks:,.0f} times a day, {each:,.0f} bytes each: {ticks * each / 1e6:.1f} MB are held")


def _size(database: Database, table: str) -> int:
    with database.connect() as connection:
        row = connection.execute("SELECT pg_total_relation_size(%s::regclass)", [table]).fetchone()
    assert row is not None
    return row[0]
