"""Which history rows carry a known fault of the system they were imported from: the table ``untrusted_spans``."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import psycopg

_JUST_AFTER = timedelta(microseconds=1)


def mark_untrusted(connection: psycopg.Connection, rows: pl.DataFrame, changes: pl.DataFrame, *, day: date) -> int:
    """Make the spans of the day those of the untrusted ``changes`` that are among the markets' ``rows`` of it.

    Untrusted rows that follow one another are one span; the first row that is not ends it. Returns how many spans
    there are.
    """
    spans = _spans(rows, changes)
    begin = datetime.combine(day, time(), UTC)
    scope = {"markets": rows["market_id"].unique().to_list(), "begin": begin, "end": begin + timedelta(days=1)}
    stored = connection.execute(
        """
        SELECT market_id, since, until, reason FROM untrusted_spans
        WHERE market_id = ANY(%(markets)s) AND since >= %(begin)s AND since < %(end)s
        """,
        scope,
    ).fetchall()
    if set(stored) == set(spans.rows()):
        return spans.height
    connection.execute(
        """
        DELETE FROM untrusted_spans
        WHERE market_id = ANY(%(markets)s) AND since >= %(begin)s AND since < %(end)s
        """,
        scope,
    )
    connection.execute(
        """
        INSERT INTO untrusted_spans (market_id, since, until, reason)
        SELECT * FROM unnest(%s::int[], %s::timestamptz[], %s::timestamptz[], %s::text[])
        """,
        [spans[name].to_list() for name in ("market_id", "since", "until", "reason")],
    )
    return spans.height


def _spans(rows: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """(market_id, since, until, reason) of rows that follow one another and are untrusted for the same reason."""
    key = ["market_id", "captured_at"]
    reasons = (
        changes.filter(~pl.col("is_trusted"))
        .unique(key, keep="last", maintain_order=True)
        .select(*key, reason=pl.col("distrust").fill_null("untrusted"))
    )
    judged = rows.select(key).join(reasons, on=key, how="left").sort(key)
    is_same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in ("market_id", "reason"))
    return (
        judged.with_columns(stretch=(~is_same).cum_sum())
        .filter(pl.col("reason").is_not_null())
        .group_by("stretch", maintain_order=True)
        .agg(
            pl.col("market_id").first(),
            since=pl.col("captured_at").min(),
            until=pl.col("captured_at").max() + _JUST_AFTER,
            reason=pl.col("reason").first(),
        )
        .drop("stretch")
    )
