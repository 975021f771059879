"""Fitting one day's imported changes between the rows that are stored: what history then holds of that day.

The day is folded as a whole from its opening state: the imported changes, and every other row of the same markets. So
a row that repeats the one before it is left out, and prices are carried, whoever wrote them.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import polars as pl
import psycopg
import pyarrow.dataset as ds

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import named_files
from odds_pipeline.database.corrections import difference
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import between, outcome_sets, read_history
from odds_pipeline.days.opening import opening_state
from odds_pipeline.legacy.markets import Placed
from odds_pipeline.odds.fold import STEPS, fold, steps_of
from odds_pipeline.odds.replay import HISTORY_ROWS

_ROW = ["market_id", "captured_at"]


class Fit(NamedTuple):
    """``rows``: what history is to hold of the day and the markets, beside what the archive holds (HISTORY_ROWS);
    ``difference``: how that differs from what PostgreSQL holds now (DIFFERENCE).
    """

    rows: pl.DataFrame
    difference: pl.DataFrame


def fitted(
    database: Database,
    connection: psycopg.Connection,
    archive: Archive,
    placed: Placed,
    ends: pl.DataFrame,
    *,
    day: date,
    run_id: int,
) -> Fit:
    """Fit the changes of ``run_id`` into the day; ``ends`` (ENDS) are where the imported timelines do.

    Rows that the run left in PostgreSQL before are replaced by what it says now; those of a retired day stay as they
    are.
    """
    within = between(day, day + timedelta(days=1))
    left_before = read_history(connection, within, run_ids=[run_id])
    market_ids = pl.concat([placed.changes["market_id"], left_before["market_id"]]).unique().sort().to_list()
    sets = outcome_sets(connection, market_ids)
    stored = read_history(connection, within, market_ids=market_ids)
    retired = _retired(connection, archive, market_ids, day)
    given = pl.concat([retired, steps_of(stored.filter(pl.col("run_id") != run_id), sets)])
    changes = placed.changes.with_columns(run_id=pl.lit(run_id, dtype=pl.Int32)).select(*STEPS)
    steps = pl.concat([given, changes.join(given, on=_ROW, how="anti", maintain_order="left")])
    due = ends.filter(pl.col("captured_at").dt.date() == day).join(steps, on=_ROW, how="anti")
    ended = steps_of(due.with_columns(run_id=pl.lit(run_id, dtype=pl.Int32)).select(*HISTORY_ROWS), sets)
    opening = opening_state(database, archive, day, connection=connection, market_ids=market_ids)
    rows = fold(opening, pl.concat([steps, ended]).sort(_ROW, maintain_order=True), sets)
    rows = rows.join(retired, on=_ROW, how="anti")
    return Fit(rows, difference(stored, rows))


def _retired(connection: psycopg.Connection, archive: Archive, market_ids: list[int], day: date) -> pl.DataFrame:
    """The day's rows of the markets in the history archive, as steps (STEPS)."""
    is_wanted = ds.field("market_id").isin(market_ids)
    parts = [
        archive.read(file.path, columns=[*STEPS, "is_unavailable"], where=is_wanted)
        .with_columns(
            outcomes=pl.when("is_unavailable").then(pl.lit([], dtype=STEPS["outcomes"])).otherwise("outcomes")
        )
        .select(pl.col(name).cast(kind) for name, kind in STEPS.items())
        for file in named_files(connection, "history", day, day)
    ]
    return pl.concat([pl.DataFrame(schema=dict(STEPS)), *parts])
