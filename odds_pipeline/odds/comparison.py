"""Bookmakers side by side: the best price of each outcome, and who moved a price first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from odds_pipeline.odds.observation import LINE, ODDS, UTC_MICROSECONDS

_OUTCOME = ["event_id", "betpawa_market_id", "line", "key"]
"""What is one and the same outcome for all bookmakers."""

#: One row per outcome of an event's market, with every bookmaker's price.
COMPARISON: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "event_id": pl.Int32,
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "line": LINE,
    "key": pl.String,
    "name": pl.String,
    "prices": pl.List(
        pl.Struct(
            {
                "bookmaker_slug": pl.String,
                "odds": ODDS,
                "is_active": pl.Boolean,
                "difference": ODDS,
                "difference_percent": pl.Float64,
                "last_confirmed_at": UTC_MICROSECONDS,
                "is_stale": pl.Boolean,
            }
        )
    ),
    "best_odds": ODDS,
    "best_bookmakers": pl.List(pl.String),
    "betpawa_odds": ODDS,
}

#: One row per round: a price moved at one bookmaker, and others followed in the same direction, or nobody did.
MOVES: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "event_id": pl.Int32,
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "line": LINE,
    "key": pl.String,
    "name": pl.String,
    "direction": pl.String,
    "first_bookmaker": pl.String,
    "first_at": UTC_MICROSECONDS,
    "odds_before": ODDS,
    "odds_after": ODDS,
    "followers": pl.List(
        pl.Struct(
            {
                "bookmaker_slug": pl.String,
                "at": UTC_MICROSECONDS,
                "lag_seconds": pl.Float64,
                "is_same_cycle": pl.Boolean,
            }
        )
    ),
}


def compared(states: pl.DataFrame, bookmakers: Sequence[str]) -> pl.DataFrame:
    """The prices of each outcome side by side, in ``COMPARISON``.

    ``states``: one row per market of a bookmaker, in the columns of ``ODDS_ROWS`` with ``last_confirmed_at`` and
    ``is_stale``. ``bookmakers``: all that there are, in the order in which they stand; the first is the canonical one,
    that the others are measured by. Outcomes meet by their key within (event, market, line).

    - ``prices``: of every bookmaker that has the outcome. ``is_active``: it can be bet on, so the market is
      available and the outcome not suspended; else ``odds`` is the last price.
    - ``best_odds``, ``best_bookmakers``: the highest price that can be bet on, and all who offer it; null and none
      when nobody does.
    - ``betpawa_odds``: the canonical bookmaker's price, null while it cannot be bet on. ``difference`` is odds less
      that, ``difference_percent`` the same in percent of it; both null unless both prices can be bet on.

    Should a bookmaker have two markets for one (market, line), the one on offer counts, of two alike the newer state.
    Names are the canonical bookmaker's where it has them. Sorted by event, market, line and the outcomes' order there.
    """
    odds = pl.col("odds")
    is_active = pl.col("is_active") & ~pl.col("is_unavailable") & odds.is_not_null()
    place = {slug: place for place, slug in enumerate(bookmakers)}
    rank = pl.col("bookmaker_slug").replace_strict(place, default=len(place), return_dtype=pl.Int64)
    prices = (
        _with_places(_one_each(states), "is_unavailable", "last_confirmed_at", "is_stale")
        .with_columns(is_active=is_active, bookmaker=rank, is_other=rank > 0)
        .sort("bookmaker", "place")
    )
    measure = prices.filter(~pl.col("is_other") & pl.col("is_active")).select(*_OUTCOME, betpawa_odds=odds)
    difference = pl.when("is_active").then(odds - pl.col("betpawa_odds"))
    return (
        prices.join(measure, on=_OUTCOME, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(difference=difference, best_odds=odds.filter(pl.col("is_active")).max().over(_OUTCOME))
        .with_columns(
            difference_percent=pl.col("difference").cast(pl.Float64) / pl.col("betpawa_odds").cast(pl.Float64) * 100,
            is_best=pl.col("is_active") & (odds == pl.col("best_odds")),
        )
        .group_by(_OUTCOME, maintain_order=True)
        .agg(
            pl.col("betpawa_market_name", "name", "best_odds", "betpawa_odds", "is_other", "place").first(),
            prices=pl.struct(_fields(COMPARISON["prices"])),
            best_bookmakers=pl.col("bookmaker_slug").filter("is_best"),
        )
        .sort("event_id", "betpawa_market_id", "line", "is_other", "place", "key")
        .select(pl.col(name).cast(kind) for name, kind in COMPARISON.items())
    )


def rounds(before: pl.DataFrame, rows: pl.DataFrame, within: timedelta) -> pl.DataFrame:
    """Who moved first, and who followed, in ``MOVES``.

    ``rows``: the changes of a stretch of time, ``before``: the state of each market before it; both in ``ODDS_ROWS``.

    A *move* is a change of the price of an active outcome in an available market against the last price that it had
    there, before the stretch or in it. Being suspended or taken away is none; coming back with another price is one, at
    the return. A first price is none.

    A *round* is begun by a move that is in no other round. It takes in the later moves of the same outcome in the same
    direction that lie no more than ``within`` behind it; the next one begins a round of its own. Of moves at one
    instant the first is that of the bookmaker whose slug comes first. ``followers``: each other bookmaker of the round
    with its first move in it, by time and slug, and ``lag_seconds``, to the millisecond. ``is_same_cycle``: the move
    was found by the cycle that found the first one, so that which of them was earlier is not known.

    Sorted by ``first_at``, market, line, outcome and direction.
    """
    moves = _moves(before, rows)
    same = [*_OUTCOME, "direction"]
    moves = moves.sort(*same, "captured_at", "bookmaker_slug")
    numbers = _round_numbers(moves.select(pl.struct(same).rle_id()).to_series(), moves["captured_at"], within)
    moves = moves.with_columns(round=pl.Series(numbers, dtype=pl.UInt32))
    first = moves.unique("round", keep="first", maintain_order=True)
    lag = (pl.col("captured_at") - pl.col("first_at")).dt.total_microseconds().cast(pl.Float64) / 1_000_000
    followers = (
        moves.unique(["round", "bookmaker_slug"], keep="first", maintain_order=True)
        .join(
            first.select("round", first_bookmaker="bookmaker_slug", first_at="captured_at", first_run="run_id"),
            on="round",
            maintain_order="left",
        )
        .filter(pl.col("bookmaker_slug") != pl.col("first_bookmaker"))
        .with_columns(at="captured_at", lag_seconds=lag.round(3), is_same_cycle=pl.col("run_id") == pl.col("first_run"))
        .group_by("round", maintain_order=True)
        .agg(followers=pl.struct(_fields(MOVES["followers"])))
    )
    return (
        first.join(followers, on="round", how="left")
        .with_columns(pl.col("followers").fill_null([]))
        .rename({"bookmaker_slug": "first_bookmaker", "captured_at": "first_at", "odds": "odds_after"})
        .sort("first_at", "event_id", "betpawa_market_id", "line", "key", "direction")
        .select(pl.col(name).cast(kind) for name, kind in MOVES.items())
    )


def _moves(before: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """One row per move, with ``odds_before`` and ``direction``."""
    # A state shows the last active price of what is suspended or gone in it: the price to compare the first one with.
    known = _with_places(before).filter(pl.col("odds").is_not_null()).with_columns(is_before=True)
    active = (
        _with_places(rows.filter(~pl.col("is_unavailable")))
        .filter(pl.col("is_active") & pl.col("odds").is_not_null())
        .with_columns(is_before=False)
    )
    return (
        pl.concat([known, active])
        .sort("captured_at", maintain_order=True)
        .with_columns(odds_before=pl.col("odds").shift(1).over("market_id", "key"))
        .filter(~pl.col("is_before") & (pl.col("odds") != pl.col("odds_before")))
        .with_columns(
            direction=pl.when(pl.col("odds") > pl.col("odds_before")).then(pl.lit("up")).otherwise(pl.lit("down"))
        )
    )


def _round_numbers(outcomes: Iterable[int], times: Iterable[datetime], within: timedelta) -> Iterator[int]:
    """The number of each move's round; moves sorted by outcome and time, ``outcomes`` numbered."""
    number, outcome_of_round, last_moment = -1, None, None
    for outcome, time in zip(outcomes, times, strict=True):
        if outcome != outcome_of_round or last_moment is None or time > last_moment:
            number, outcome_of_round, last_moment = number + 1, outcome, time + within
        yield number


def _one_each(states: pl.DataFrame) -> pl.DataFrame:
    """One market of a bookmaker for each (market, line): a second one would price each outcome twice."""
    same = ["event_id", "bookmaker_slug", "betpawa_market_id", "line"]
    is_offered = ~pl.col("is_unavailable")
    return states.sort(is_offered, "captured_at", "market_id").unique(same, keep="last", maintain_order=True)


def _with_places(rows: pl.DataFrame, *more: str) -> pl.DataFrame:
    """One row per outcome, with its ``place`` in its market, the market's identity and words, and further columns."""
    words = ("event_id", "bookmaker_slug", "betpawa_market_id", "betpawa_market_name", "line")
    return (
        rows.filter(pl.col("outcomes").list.len() > 0)
        .select(*words, "market_id", "captured_at", "run_id", *more, "outcomes", place=_places())
        .explode("outcomes", "place")
        .unnest("outcomes")
    )


def _places() -> pl.Expr:
    return pl.int_ranges(pl.col("outcomes").list.len())


def _fields(kind: pl.DataType | type[pl.DataType]) -> list[str]:
    """The names in a list of structs."""
    assert isinstance(kind, pl.List)
    assert isinstance(kind.inner, pl.Struct)
    return [field.name for field in kind.inner.fields]
