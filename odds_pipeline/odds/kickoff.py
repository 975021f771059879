"""How odds move towards kick-off, as known then: bucket by bucket, and opening against closing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from odds_pipeline.odds.kickoff_times import BUCKETS, INSTANT, bucket_times, known_kickoffs, time_of
from odds_pipeline.odds.margin import with_margin
from odds_pipeline.odds.observation import LINE, OBSERVATION_SCHEMA, ODDS, UTC_MICROSECONDS

#: Where events belong.
EVENT_WORDS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "event_id": pl.Int32,
    "tournament_id": pl.Int32,
    "tournament": pl.String,
    "country": pl.String,
}

#: One row per (event, bookmaker, market, line, bucket): the market as it was when the bucket ended.
BUCKET_ROWS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    **EVENT_WORDS,
    "bookmaker_slug": pl.String,
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "line": LINE,
    "bucket": pl.String,
    "kickoff": UTC_MICROSECONDS,
    "bucket_end": UTC_MICROSECONDS,
    "changes": pl.Int64,
    "outcomes": OBSERVATION_SCHEMA["outcomes"],
    "is_unavailable": pl.Boolean,
    "margin": pl.Float64,
    "margin_missing": pl.String,
    "odds_move": pl.Float64,
    "market_id": pl.Int32,
    "is_trusted": pl.Boolean,
}

#: One row per bucket of each group of markets; a column that is not grouped by is null.
TO_KICKOFF: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "line": LINE,
    "tournament_id": pl.Int32,
    "tournament": pl.String,
    "country": pl.String,
    "bookmaker_slug": pl.String,
    "bucket": pl.String,
    "events": pl.Int64,
    "markets": pl.Int64,
    "changes": pl.Int64,
    "mean_margin": pl.Float64,
    "mean_odds_move": pl.Float64,
}

GROUPINGS: Mapping[str, tuple[str, ...]] = {
    "betpawa_market_id": ("betpawa_market_id",),
    "line": ("line",),
    "tournament": ("tournament_id", "tournament", "country"),
    "bookmaker_slug": ("bookmaker_slug",),
}
"""What ``TO_KICKOFF`` may be grouped by, and the columns that tell the groups apart."""

#: One row per outcome of a market that had a price before kick-off.
OPENING_CLOSING: Mapping[str, pl.DataType | type[pl.DataType]] = {
    **EVENT_WORDS,
    "bookmaker_slug": pl.String,
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "line": LINE,
    "key": pl.String,
    "name": pl.String,
    "opening_at": UTC_MICROSECONDS,
    "opening_odds": ODDS,
    "closing_at": UTC_MICROSECONDS,
    "closing_odds": ODDS,
    "closing_is_active": pl.Boolean,
    "move_percent": pl.Float64,
    "opening_margin": pl.Float64,
    "opening_margin_missing": pl.String,
    "closing_margin": pl.Float64,
    "closing_margin_missing": pl.String,
    "kickoff": UTC_MICROSECONDS,
    "is_kickoff_moved": pl.Boolean,
    "market_id": pl.Int32,
    "is_trusted": pl.Boolean,
}


def bucket_rows(rows: pl.DataFrame, events: pl.DataFrame, kickoffs: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
    """The markets at the end of each bucket that has begun by ``now``, in ``BUCKET_ROWS``.

    ``rows`` are all changes of the markets (``ODDS_ROWS``), ``events`` in ``EVENT_WORDS``, ``kickoffs`` in
    ``KICKOFFS`` (kickoff_times.py); what became known after ``now`` counts for nothing. A market has a row in each
    bucket by whose end it had been seen, changed in it or not; the bucket that is running ends now. Of a bucket that
    the market was in twice, because its kick-off was moved, the row is that of the later time, and ``changes`` those
    of both.

    - ``changes``: the changes within the bucket, availability included; that the market was first seen is none.
    - ``odds_move``: the mean, over the outcomes that can be bet on, of how far the price is from the outcome's opening
      price, in percent of that, up or down alike. Null where nothing can be bet on. The opening price is that of
      ``opening_closing``.
    - ``kickoff``: as known at the bucket's end. ``is_trusted``: of the state at the bucket's end.

    Sorted by event, market, line, bookmaker (its slug) and bucket.
    """
    rows = rows.filter(pl.col("captured_at") <= now)
    known = known_kickoffs(kickoffs, now)
    times = bucket_times(known, now)
    last = times.sort("end").unique(["event_id", "bucket"], keep="last")
    ends = (
        rows.select("event_id", "market_id")
        .unique()
        .join(last, on="event_id")
        .with_columns(last_moment=pl.col("end") - INSTANT)
        .sort("last_moment")
        .join_asof(
            rows.drop("event_id").sort("captured_at"),
            left_on="last_moment",
            right_on="captured_at",
            by="market_id",
            check_sortedness=False,
        )
        .filter(pl.col("outcomes").is_not_null())
    )
    return (
        with_margin(ends)
        .join(_odds_moves(ends, _openings(_held_before(rows, known, now))), on=["market_id", "bucket"], how="left")
        .join(_changes(rows, times), on=["market_id", "bucket"], how="left")
        .join(events, on="event_id", how="left")
        .with_columns(pl.col("changes").fill_null(0))
        .sort("event_id", "betpawa_market_id", "line", "bookmaker_slug", "bucket")
        .with_columns(bucket=_named("bucket"))
        .select(pl.col(name).cast(kind) for name, kind in BUCKET_ROWS.items())
    )


def to_kickoff(rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """``BUCKET_ROWS`` summed up in ``TO_KICKOFF``, for each group of ``by`` (names of ``GROUPINGS``) and bucket.

    ``events``: distinct events. ``markets``: rows of ``BUCKET_ROWS``, available or not. ``changes``: their sum.
    ``mean_margin``, ``mean_odds_move``: means over the markets that have one and are trusted, null when none has.
    Sorted by the groups, then from the earliest bucket to the latest.
    """
    groups = [column for name in GROUPINGS if name in by for column in GROUPINGS[name]]
    names = {"betpawa_market_name": pl.col("betpawa_market_name").drop_nulls().sort().first()}
    summed = (
        rows.with_columns(place=pl.col("bucket").cast(pl.Enum(BUCKETS)).to_physical())
        .group_by(*groups, "bucket", "place")
        .agg(
            **(names if "betpawa_market_id" in by else {}),
            events=pl.col("event_id").n_unique(),
            markets=pl.len(),
            changes=pl.col("changes").sum(),
            mean_margin=pl.col("margin").filter(pl.col("is_trusted")).mean(),
            mean_odds_move=pl.col("odds_move").filter(pl.col("is_trusted")).mean(),
        )
        .sort(*groups, "place")
    )
    missing = [pl.lit(None).alias(name) for name in TO_KICKOFF if name not in summed.columns]
    return summed.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in TO_KICKOFF.items())


def opening_closing(rows: pl.DataFrame, events: pl.DataFrame, kickoffs: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
    """Each outcome's first price against its price when the match began, in ``OPENING_CLOSING``.

    Parameters as in ``bucket_rows``. What counts is what was available at some time before the kick-off as known then.

    - *Opening* of an outcome: its first price while it was active, in a state that is trusted. ``opening_margin``: of
      the market's first available state that is trusted. Null where none is.
    - *Closing*: the last available state before the kick-off as known then; a market that was taken away earlier closed
      with the state that it had last. ``closing_at`` is when the state began to hold. An outcome that was suspended
      then keeps its last price, with ``closing_is_active`` false; one that was gone has no closing price. Everything
      of the closing is null until the match has begun.
    - ``move_percent``: closing against opening price, in percent of the opening price.
    - ``is_trusted``: false where a price before the opening, or the closing state, was not trusted.
    - ``kickoff``: as known now. ``is_kickoff_moved``: whether another one was ever known.

    Sorted by event, market, line, bookmaker; outcomes in the order in which they appeared.
    """
    rows = rows.filter(pl.col("captured_at") <= now)
    known = known_kickoffs(kickoffs, now)
    matches = (
        known.sort("since")
        .group_by("event_id")
        .agg(
            pl.col("kickoff").last(),
            is_kickoff_moved=pl.col("kickoff").drop_nulls().n_unique() > 1,
        )
        .with_columns(has_begun=(pl.col("kickoff") <= now).fill_null(value=False))
    )
    held = _held_before(rows, known, now).sort("market_id", "captured_at")
    trusted = held.filter("is_trusted")
    opening = with_margin(trusted.unique("market_id", keep="first", maintain_order=True)).select(
        "market_id", opening_margin="margin", opening_margin_missing="margin_missing"
    )
    closing = with_margin(
        held.unique("market_id", keep="last", maintain_order=True).join(
            matches.filter("has_begun").select("event_id"), on="event_id", how="semi"
        )
    )
    closing_prices = _outcomes(closing).select("market_id", "key", closing_odds="odds", closing_is_active="is_active")
    percent = _percent_of("closing_odds", "opening_odds") - 100
    return (
        _openings(held)
        .join(closing_prices, on=["market_id", "key"], how="left", maintain_order="left")
        .join(opening, on="market_id", how="left", maintain_order="left")
        .join(
            closing.select(
                "market_id",
                closing_at="captured_at",
                closing_is_trusted="is_trusted",
                closing_margin="margin",
                closing_margin_missing="margin_missing",
            ),
            on="market_id",
            how="left",
            maintain_order="left",
        )
        .join(
            held.select(
                "market_id", "event_id", "bookmaker_slug", "betpawa_market_id", "betpawa_market_name", "line"
            ).unique("market_id"),
            on="market_id",
            maintain_order="left",
        )
        .join(matches, on="event_id", how="left", maintain_order="left")
        .join(events, on="event_id", how="left", maintain_order="left")
        .with_columns(
            move_percent=percent,
            is_trusted=pl.col("is_trusted") & pl.col("closing_is_trusted").fill_null(value=True),
        )
        .sort("event_id", "betpawa_market_id", "line", "bookmaker_slug", maintain_order=True)
        .select(pl.col(name).cast(kind) for name, kind in OPENING_CLOSING.items())
    )


def _changes(rows: pl.DataFrame, times: pl.DataFrame) -> pl.DataFrame:
    """(market_id, bucket, changes), without the rows by which markets were first seen."""
    return (
        rows.select("event_id", "market_id", "captured_at")
        .filter(pl.col("captured_at") > pl.col("captured_at").min().over("market_id"))
        .sort("captured_at")
        .join_asof(
            times.select("event_id", "bucket", "start", "end").sort("start"),
            left_on="captured_at",
            right_on="start",
            by="event_id",
            check_sortedness=False,
        )
        .filter(pl.col("captured_at") < pl.col("end"))
        .group_by("market_id", "bucket")
        .agg(changes=pl.len())
    )


def _held_before(rows: pl.DataFrame, known: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """The available states that held at some time before the kick-off as known then."""
    before = known.select("event_id", "since", until=pl.min_horizontal("until", "kickoff"))
    held = (
        rows.sort("market_id", "captured_at")
        .with_columns(held_until=pl.col("captured_at").shift(-1).over("market_id").fill_null(time_of(now + INSTANT)))
        .filter(~pl.col("is_unavailable"))
        .with_row_index("row")
    )
    counting = (
        held.select("row", "event_id", "captured_at", "held_until")
        .join(before.filter(pl.col("since") < pl.col("until")), on="event_id")
        .filter((pl.col("captured_at") < pl.col("until")) & (pl.col("held_until") > pl.col("since")))
    )
    return held.join(counting, on="row", how="semi").drop("row", "held_until")


def _openings(held: pl.DataFrame) -> pl.DataFrame:
    """(market_id, key, name, opening_at, opening_odds, is_trusted) of each outcome that ever had an active price.

    The opening is the first such price that is trusted, null when none is; ``is_trusted``: whether it is the first.
    """
    priced = (
        _outcomes(held, "is_trusted")
        .filter(pl.col("is_active") & pl.col("odds").is_not_null())
        .sort("captured_at", maintain_order=True)
    )
    outcome = ["market_id", "key"]
    trusted = priced.filter("is_trusted").unique(outcome, keep="first", maintain_order=True)
    return (
        priced.unique(outcome, keep="first", maintain_order=True)
        .select(*outcome, "name", "is_trusted")
        .join(
            trusted.select(*outcome, opening_at="captured_at", opening_odds="odds"),
            on=outcome,
            how="left",
            maintain_order="left",
        )
    )


def _odds_moves(ends: pl.DataFrame, openings: pl.DataFrame) -> pl.DataFrame:
    """(market_id, bucket, odds_move) of the markets that could be bet on."""
    move = (_percent_of("odds", "opening_odds") - 100).abs()
    return (
        _outcomes(ends.filter(~pl.col("is_unavailable")), "bucket")
        .filter("is_active")
        .join(openings, on=["market_id", "key"])
        .group_by("market_id", "bucket")
        .agg(odds_move=move.mean())
    )


def _outcomes(rows: pl.DataFrame, *more: str) -> pl.DataFrame:
    """One row per outcome: (market_id, captured_at, further columns, key, name, odds, is_active)."""
    return (
        rows.select("market_id", "captured_at", *more, "outcomes")
        .explode("outcomes", empty_as_null=False, keep_nulls=False)
        .unnest("outcomes")
    )


def _percent_of(price: str, other: str) -> pl.Expr:
    """A price in percent of another; of decimals the quotient would have no more digits than they have."""
    return pl.col(price).cast(pl.Float64) / pl.col(other).cast(pl.Float64) * 100


def _named(bucket: str) -> pl.Expr:
    """The bucket's name for its place."""
    return pl.lit(pl.Series(BUCKETS)).gather(pl.col(bucket))
