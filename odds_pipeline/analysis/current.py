"""What the event list and one event have in common: reading at one moment, freshness, and the three states of a market.

Freshness is worked out as in the view ``market_odds_current``, against the time that is passed in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.database.engine import Database
from odds_pipeline.odds.shown import shown

IS_STALE = sql.SQL(
    """
    coalesce(state.failed_answers, 0) >= settings.stale_failures
        OR coalesce({heard_at} < {now} - settings.stale_after, true)
    """
)
"""Whether a listing is stale, in a query of ``listing_state AS state`` and ``pipeline_settings AS settings``.

``heard_at``: when it was last heard of; null: never.
"""

_SETS = {"outcome_set_id": pl.Int32, "keys": pl.List(pl.String), "names": pl.List(pl.String)}


@contextmanager
def reading(database: Database) -> Iterator[psycopg.Connection]:
    """A transaction whose statements all see the same state of the database, and that cannot write."""
    with database.borrow() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection


def with_outcomes(connection: psycopg.Connection, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, in their order, with ``outcomes`` for ``state`` (packed) and ``outcome_set_id``."""
    sets = connection.execute(
        "SELECT id, keys, names FROM outcome_sets WHERE id = ANY (%s)",
        [rows["outcome_set_id"].unique().to_list()],
        binary=True,
    ).fetchall()
    told = rows.join(frame(sets, _SETS), on="outcome_set_id", how="left", maintain_order="left")
    return shown(told).drop("outcome_set_id", "is_unavailable")


def with_state(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with ``state``: available, unavailable or never_offered (R16).

    A market without ``last_updated_at`` was never offered.
    """
    return rows.with_columns(
        state=pl.when(pl.col("last_updated_at").is_null())
        .then(pl.lit("never_offered"))
        .when(pl.col("unavailable_at").is_null())
        .then(pl.lit("available"))
        .otherwise(pl.lit("unavailable"))
    )


def frame(rows: Sequence[tuple[Any, ...]], schema: Mapping[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    """Rows of a query as a frame."""
    return pl.DataFrame(rows, schema=dict(schema), orient="row")
