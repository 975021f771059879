"""The runs behind the made-up history: one a cycle, what each covered of the bookmakers' offers, and what failed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import psycopg
from psycopg.types.json import Jsonb

from odds_pipeline.database.copying import copy_rows
from odds_pipeline.database.record import WriteRecord

from .questions_history import LAST_CYCLE, Walks, cycle_at, events
from .questions_offer import BOOKMAKERS, EVENTS, MARKETS_OF_EVENT
from .questions_tables import continue_ids


def write_runs(connection: psycopg.Connection, walks: Walks, changes: pl.DataFrame) -> None:
    """One run a cycle with its coverage and errors. ``changes``: (run_id, changes) that its rows in history are."""
    failed = dict(walks.failures.group_by("cycle").agg(failed=pl.len()).iter_rows())
    counted = dict(changes.iter_rows())
    statement = (
        "COPY scrape_runs (id, status, trigger, started_at, completed_at, events_scraped, events_failed, cycle_at, "
        "heartbeat_at, timings, counts, created_at) FROM STDIN"
    )
    with connection.cursor() as cursor, cursor.copy(statement) as rows:
        for cycle in range(LAST_CYCLE + 1):
            rows.write_row(_run(cycle, counted.get(cycle + 1, 0), failed.get(cycle, 0)))
    continue_ids(connection, "scrape_runs")
    by_bookmaker = walks.failures.with_columns(bookmaker_id=(pl.col("listing_id") - 1) % len(BOOKMAKERS) + 1)
    copy_rows(connection, "scrape_coverage", _coverage(by_bookmaker))
    errors = by_bookmaker.sort("cycle").select(
        "bookmaker_id",
        scrape_run_id=pl.col("cycle") + 1,
        event_id=(pl.col("listing_id") - 1) // len(BOOKMAKERS) + 1,
        event_bookmaker_id="listing_id",
        error_type=pl.lit("timeout"),
        message=pl.lit("no answer within 15 s"),
        occurred_at=_began() + timedelta(seconds=40),
    )
    copy_rows(connection, "scrape_errors", errors)


def _coverage(failures: pl.DataFrame) -> pl.DataFrame:
    cycles = pl.DataFrame({"cycle": range(LAST_CYCLE + 1)}, schema={"cycle": pl.Int32})
    bookmakers = pl.DataFrame({"bookmaker_id": range(1, len(BOOKMAKERS) + 1)}, schema={"bookmaker_id": pl.Int32})
    last = (pl.col("kickoff") - cycle_at(0)).dt.total_minutes() // 5
    listed = events().select("first_cycle", last=last).cast(pl.Int32)
    asked = cycles.join_where(listed, pl.col("cycle") >= pl.col("first_cycle"), pl.col("cycle") <= pl.col("last"))
    failed = failures.group_by("cycle", "bookmaker_id").agg(failed=pl.len())
    return (
        asked.group_by("cycle")
        .agg(asked=pl.len())
        .join(bookmakers, how="cross")
        .join(failed, on=["cycle", "bookmaker_id"], how="left")
        .with_columns(pl.col("failed").fill_null(0))
        .select(
            "bookmaker_id",
            "asked",
            "failed",
            run_id=pl.col("cycle") + 1,
            discovery_status=pl.lit("complete"),
            discovery_at=_began() + timedelta(seconds=17),
            first_answer_at=_began() + timedelta(seconds=20),
            last_answer_at=_began() + timedelta(seconds=20, milliseconds=50 * EVENTS),
            complete=pl.col("asked") - pl.col("failed"),
            outcomes_stored=pl.col("asked") * 200,
        )
        .sort("run_id", "bookmaker_id")
    )


def _began() -> pl.Expr:
    return pl.lit(cycle_at(0)).dt.cast_time_unit("us") + pl.col("cycle") * timedelta(minutes=5)


def _run(cycle: int, changes: int, failed: int) -> list[Any]:
    began, total = cycle_at(cycle), EVENTS * sum(MARKETS_OF_EVENT.values())
    seconds = {"lock": 0.01, "read": 0.3, "diff": 0.2, "apply": 0.6}
    record = WriteRecord(
        observations=total,
        new=0,
        changed=changes,
        returned=0,
        unavailable=0,
        confirmed=total - changes,
        relabelled=0,
        refused=0,
        late=0,
        set_aside=0,
        upserted_current=changes,
        inserted_history=changes,
        outcomes_stored=total * 4,
        outcomes_not_offered=0,
        outcomes_refused=0,
        guard_held=(),
        days=(began.date(),),
        seconds=seconds,
    )
    timings = {slug: {"discovery": 3.1, "answers": 65.2, "requests": EVENTS, "retries": 0} for slug in BOOKMAKERS}
    ended = began + timedelta(seconds=92)
    return [
        cycle + 1,
        "partial" if failed else "completed",
        "scheduled",
        began,
        ended,
        EVENTS,
        failed,
        began,
        ended,
        Jsonb(timings | {"write": seconds}),
        Jsonb(record.to_json()),
        began,
    ]
