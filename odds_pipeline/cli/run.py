"""``odds-pipeline run``: a few cycles through Dagster, then what each of them did."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Annotated

import dagster as dg
import typer
from rich.console import Console
from rich.table import Table

from odds_pipeline.assets.launches import CYCLE_JOB
from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.cli.instance import prepare
from odds_pipeline.cli.past import NotInThePast, Past, interval_of, past_of, require_no_later_cycle
from odds_pipeline.cli.simulated import needs_simulator, pointed_at, simulator_of
from odds_pipeline.clock import Clock, SteppedClock, SystemClock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.health import runs_of
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.database.runs import error_type, fail_run
from odds_pipeline.definitions import build_definitions
from odds_pipeline.partitions import partition_of
from odds_pipeline.settings import Settings

# Dagster sets this tag on every launch from workspace.yaml, and a run in this process has none. Without it the UI's
# timeline and a job's page leave the run out.
REPOSITORY = {".dagster/repository": "__repository__@odds_pipeline"}
_RUN_FAILURE = dg.DagsterEventType.RUN_FAILURE
_INTERRUPTIONS = (dg.DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__)
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class CycleFailed(RuntimeError):
    """A cycle's Dagster run did not succeed; the message is the first failure."""


@dataclass(frozen=True, slots=True)
class CycleSummary:
    """What one committed cycle did, as its row in ``scrape_runs`` says."""

    run_id: int
    status: str
    events: int
    events_failed: int
    record: WriteRecord
    seconds: float


def run(
    cycles: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many cycles to run, one after another.", show_default="3; until now with --start"
        ),
    ] = None,
    events: Annotated[
        int | None, typer.Option(min=1, help="Events that the simulator lists.", show_default="200")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Which simulated world.", show_default="1")] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="MOMENT", help="Begin in the past, e.g. 2026-11-15T06:00Z.", show_default="now"),
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(metavar="LENGTH", help="With --start: time between two cycles, e.g. 6h.", show_default="5m"),
    ] = None,
) -> None:
    """Run cycles through Dagster and print what each did; the runs are then in the Dagster UI (odds-pipeline up).

    Without configuration the bookmakers are the simulator, moved on by one interval between two cycles, and the
    database is the embedded one. Running again continues on the same database. Exits with 1 when a cycle fails.

    With --start the pipeline's clock and the simulated world begin in the past and move on by the interval between two
    cycles, so that there are days to look at, to rebuild and to retire.

    Example: odds-pipeline run --cycles 3 --events 200

    Example: odds-pipeline run --start 2026-11-15T06:00Z --interval 6h --events 20
    """
    with one_line_failures():
        settings = Settings()
        settings = settings.model_copy(
            update={
                name: value
                for name, value in (("simulator_events", events), ("simulator_seed", seed))
                if value is not None
            }
        )
        if start is None:
            if interval is not None:
                raise NotInThePast("--interval belongs to --start; ODDS_CYCLE_INTERVAL says how often cycles run now")
            run_cycles(settings, cycles or 3, Console())
            return
        if not needs_simulator(settings):
            raise NotInThePast("--start needs the simulator: other bookmakers offer the present only")
        if interval is not None:
            # Also the time in which 5 % of the simulated markets move, and what staleness is measured by.
            settings = settings.model_copy(update={"cycle_interval": interval_of(interval)})
        past = past_of(start, settings.cycle_interval, cycles, settings=settings, now=SystemClock().now())
        run_cycles(settings, past.cycles, Console(), past=past)


def run_cycles(settings: Settings, cycles: int, console: Console, *, past: Past | None = None) -> list[CycleSummary]:
    """Run ``cycles`` cycles on the persistent Dagster instance and print a table; ``past``: when, if not now.

    Raises ``CycleFailed``, ``KeyboardInterrupt`` for a cycle that was interrupted, whose run is then closed, and
    ``NotInThePast`` when the database has later cycles than those to be run.
    """
    with console.status("Starting the database"):
        prepared = prepare(settings, first_day=None if past is None else past.start.date())
    summaries: list[CycleSummary] = []
    table = _table()
    try:
        with ExitStack() as stack:
            stack.enter_context(_quiet_dagster())
            instance = stack.enter_context(dg.DagsterInstance.get())
            clock = SystemClock() if past is None else past.clock(SystemClock().now())
            simulator = None
            if needs_simulator(settings):
                simulator = stack.enter_context(simulator_of(settings, offset=clock.offset))
                settings = pointed_at(settings, simulator.urls)
            job = build_definitions(settings, clock).resolve_job_def(CYCLE_JOB)
            for number in range(cycles):
                if number and simulator is not None:
                    simulator.advance()
                if isinstance(clock, SteppedClock):
                    if number:
                        clock.advance(settings.cycle_interval)
                    require_no_later_cycle(prepared.database, clock.now())
                with console.status(f"Cycle {number + 1} of {cycles}, {clock.now():%Y-%m-%d %H:%M} UTC"):
                    summaries.append(_run_cycle(job, instance, prepared.database, clock))
                _add(table, summaries[-1])
    finally:
        if summaries:
            console.print(table)
    if past is not None:
        console.print(f"Days of history: {past.start.date()} to {clock.now().date()}.")
    console.print("The runs are in the Dagster UI: [bold]make up[/bold], then http://127.0.0.1:3000")
    return summaries


def _run_cycle(job: dg.JobDefinition, instance: dg.DagsterInstance, database: Database, clock: Clock) -> CycleSummary:
    started = time.monotonic()
    result = job.execute_in_process(
        instance=instance,
        partition_key=partition_of(clock.now()),
        run_config=_QUIET,
        tags=REPOSITORY,
        raise_on_error=False,
    )
    if not result.success:
        kind, message = _first_error(result)
        for run_id in runs_of(database, result.run_id):
            fail_run(database, run_id, error_type=error_type(kind), message=message, now=clock.now())
        if kind in _INTERRUPTIONS:
            raise KeyboardInterrupt
        raise CycleFailed(f"the cycle failed {message}")
    with database.connect() as connection:
        row = connection.execute(
            "SELECT id, status, events_scraped, events_failed, counts FROM scrape_runs WHERE dagster_run_id = %s",
            [result.run_id],
        ).fetchone()
    assert row is not None, "a successful cycle has a row in scrape_runs"
    run_id, status, events, failed, counts = row
    return CycleSummary(run_id, status, events, failed, WriteRecord.from_json(counts), time.monotonic() - started)


def _first_error(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """Class and words of what the first failed step raised, else of what ended the run between two steps."""
    failures = [(f"in step {e.step_key}", e.step_failure_data.error) for e in result.all_events if e.is_step_failure]
    failures += [("", e.job_failure_data.error) for e in result.all_events if e.event_type is _RUN_FAILURE]
    for where, error in failures:
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            return error.cls_name or CycleFailed.__name__, f"{where}: {error.message.strip()}"
    return CycleFailed.__name__, f"(Dagster run {result.run_id})"


@contextmanager
def _quiet_dagster() -> Iterator[None]:
    """Keep Dagster's own chatter off the terminal; it is in the run's log in the UI."""
    logger = logging.getLogger("dagster")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(before)


def _table() -> Table:
    # Without lines it fits a terminal of 80 columns.
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("run", justify="right")
    table.add_column("status")
    for name in ("events", "observations", "changed", "new", "unavailable", "history\nrows", "seconds"):
        table.add_column(name, justify="right")
    return table


def _add(table: Table, summary: CycleSummary) -> None:
    record = summary.record
    counts = (
        summary.events,
        record.observations,
        record.changed,
        record.new,
        record.unavailable,
        record.inserted_history,
    )
    table.add_row(str(summary.run_id), summary.status, *(f"{count:,}" for count in counts), f"{summary.seconds:.1f}")
