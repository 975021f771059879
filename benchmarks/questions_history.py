"""Two weeks of history rows for the made-up offer: which market changed in which cycle, and what it became.

Changes are drawn, not observed: about one cycle in fifty of each market, more of headline markets and of matches near
their kick-off. Nothing here touches the database; ``Walks`` carries each market's last state from one day to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import polars as pl

from .offers import CYCLES_A_DAY
from .questions_offer import BOOKMAKERS, EVENTS, beginnings, markets, states

FIRST_DAY = date(2026, 11, 2)
DAYS = 14
"""Whole days; the day after them has begun when the questions are asked."""
LAST_CYCLE = DAYS * CYCLES_A_DAY + CYCLES_A_DAY * 3 // 4
CHANGES_A_DAY = 1_500_000
"""Drawn for a whole day; a few fall on one market and cycle, or on a failed answer."""

_MIDNIGHT = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
_INTERVAL = timedelta(days=1) / CYCLES_A_DAY
_CYCLE_US = _INTERVAL // timedelta(microseconds=1)
_FAILING, _FAILURES = 5, 15
"""Every fifth cycle has so many answers that fail."""
_ONE_IN = 60
"""Changes after which a market is gone, or one of its outcomes is suspended, until its next change."""

#: What is carried from day to day: the last row of each market.
_LAST = ("market_id", "captured_at", "run_id", "walk", "was_special", "is_suspended", "is_gone", "state")


def cycle_at(number: int) -> datetime:
    """When a cycle begins; its run has the next number as its id."""
    return _MIDNIGHT + number * _INTERVAL


NOW = cycle_at(LAST_CYCLE) + timedelta(minutes=3)
"""When the questions are asked."""


def events() -> pl.DataFrame:
    """Each ``event``: its ``first_cycle``, its ``kickoff``, and ``delay`` (microseconds), its place within a cycle.

    Six of seven are listed from the beginning, the others appear later; one of six has kicked off by ``NOW``.
    """
    event = pl.col("event")
    hours = (event * 7_919 % EVENTS) * (18 * 24 / EVENTS) - 3 * 24
    return pl.DataFrame({"event": range(EVENTS)}).select(
        "event",
        first_cycle=pl.when(event % 7 == 6).then(event * 104_729 % (10 * CYCLES_A_DAY)).otherwise(0),
        kickoff=(pl.lit(NOW) + (hours * 4).round() * timedelta(minutes=15)).dt.truncate("15m").dt.cast_time_unit("us"),
        delay=20_000_000 + 50_000 * event,
    )


def failures(listings: int) -> pl.DataFrame:
    """Answers that failed: (cycle, listing_id)."""
    count = LAST_CYCLE // _FAILING * _FAILURES
    cycles = (pl.int_range(count, eager=True) // _FAILURES + 1) * _FAILING
    drawn = pl.int_range(count, eager=True).hash(7) % listings + 1
    return pl.DataFrame({"cycle": cycles.cast(pl.Int32), "listing_id": drawn.cast(pl.Int32)}).unique()


class Walks:
    """The history of every market, a day at a time, oldest first."""

    def __init__(self) -> None:
        offer = markets().join(events(), on="event", maintain_order="left")
        bookmakers = len(BOOKMAKERS)
        self.markets = offer.with_columns(
            pl.col("market_id", "first_cycle").cast(pl.Int32),
            listing_id=(pl.col("event") * bookmakers + pl.col("bookmaker") + 1).cast(pl.Int32),
            delay=pl.col("delay") + 100_000 * pl.col("bookmaker"),
        )
        self.failures = failures(EVENTS * bookmakers)
        self.last = pl.DataFrame(schema=_last_schema())
        self._began: Mapping[int, pl.DataFrame] = beginnings(self.markets)

    def day(self, number: int) -> pl.DataFrame:
        """The rows of a day (market_id, captured_at, run_id, state) by time; ``last`` is then the state after it."""
        first, end = number * CYCLES_A_DAY, min((number + 1) * CYCLES_A_DAY, LAST_CYCLE + 1)
        touched = pl.concat([self._appeared(first, end), self._changed(number, first, end), self._over(first, end)])
        walked = self._walked(touched.sort("market_id", "captured_at"))
        rows = states(walked, self._began).sort("captured_at", "market_id")
        newest = rows.select(*_LAST).unique("market_id", keep="last", maintain_order=True)
        self.last = pl.concat([self.last, newest]).unique("market_id", keep="last").sort("market_id")
        return rows.select("market_id", "captured_at", "run_id", "state")

    def _appeared(self, first: int, end: int) -> pl.DataFrame:
        new = self.markets.filter(pl.col("first_cycle").is_between(first, end - 1))
        return _touched(new.with_columns(cycle="first_cycle"), is_new=True)

    def _changed(self, number: int, first: int, end: int) -> pl.DataFrame:
        # A match moves more the nearer its kick-off is, and no more after it.
        days_left = (pl.col("kickoff") - cycle_at(first)).dt.total_hours() / 24
        weight = pl.col("activity") * pl.when(days_left < 1).then(4).when(days_left < 3).then(2).otherwise(1)
        is_listed = (pl.col("first_cycle") < end) & (days_left > 0)
        place = self.markets.select(pl.int_range(pl.len(), dtype=pl.Int32).repeat_by(is_listed * weight).explode())
        count = CHANGES_A_DAY * (end - first) // CYCLES_A_DAY
        drawn = place.to_series().drop_nulls().sample(count, with_replacement=True, seed=number)
        cycles = pl.int_range(first, end, dtype=pl.Int32, eager=True).sample(count, with_replacement=True, seed=number)
        found = self.markets[drawn].with_columns(cycle=cycles).unique(["market_id", "cycle"])
        found = found.filter(pl.col("cycle") > pl.col("first_cycle"))
        changed = _touched(found.join(self.failures, on=["cycle", "listing_id"], how="anti"))
        return changed.filter(pl.col("captured_at") < pl.col("kickoff"))

    def _over(self, first: int, end: int) -> pl.DataFrame:
        is_over = (pl.col("kickoff") > cycle_at(first - 1)) & (pl.col("kickoff") <= cycle_at(end - 1))
        over = self.markets.filter(is_over)
        cycle = ((pl.col("kickoff") - _MIDNIGHT).dt.total_microseconds() // _CYCLE_US).cast(pl.Int32)
        return _touched(over.with_columns(cycle=cycle)).with_columns(captured_at="kickoff", is_over=pl.lit(value=True))

    def _walked(self, touched: pl.DataFrame) -> pl.DataFrame:
        """Where each touched market stands after each touch, from where it stood the day before."""
        carried = self.last.select(
            "market_id", walked="walk", special="was_special", suspended="is_suspended", gone="is_gone"
        )
        rows = touched.join(carried, on="market_id", how="left", maintain_order="left")
        is_first = (pl.col("market_id") != pl.col("market_id").shift(1)).fill_null(value=True)

        def before(name: str, carried_name: str) -> pl.Expr:
            return pl.when(is_first).then(pl.col(carried_name).fill_null(value=False)).otherwise(pl.col(name).shift(1))

        draw = pl.struct("market_id", "cycle").hash(3)
        rows = rows.with_columns(
            was_special=(draw % _ONE_IN == 0) & ~pl.col("is_new") & ~pl.col("is_over"),
            step=pl.when(draw // _ONE_IN % 2 == 0).then(1).otherwise(-1).cast(pl.Int32),
        )
        is_special = pl.col("was_special") & ~before("was_special", "special")
        rows = rows.with_columns(
            is_gone=pl.col("is_over") | (is_special & (draw % (2 * _ONE_IN) == 0)),
            is_suspended=is_special & (draw % (2 * _ONE_IN) != 0),
            step=pl.when(is_special | pl.col("is_new") | pl.col("is_over")).then(0).otherwise("step"),
        )
        rows = rows.with_columns(
            walk=(pl.col("walked").fill_null(0) + pl.col("step").cum_sum().over("market_id")).cast(pl.Int32),
            is_suspended=pl.when("is_over").then(before("is_suspended", "suspended")).otherwise("is_suspended"),
            was_gone=before("is_gone", "gone"),
        )
        return rows.filter(~(pl.col("is_over") & pl.col("was_gone")))


def _touched(found: pl.DataFrame, *, is_new: bool = False) -> pl.DataFrame:
    start = pl.lit(_MIDNIGHT).dt.cast_time_unit("us")
    since = pl.col("cycle").cast(pl.Int64) * _CYCLE_US + pl.col("delay")
    return found.select(
        "market_id",
        "cycle",
        "kickoff",
        captured_at=start + pl.duration(microseconds=since),
        run_id=pl.col("cycle") + 1,
        is_new=pl.lit(is_new),
        is_over=pl.lit(value=False),
    )


def _last_schema() -> dict[str, pl.DataType | type[pl.DataType]]:
    kinds: dict[str, pl.DataType | type[pl.DataType]] = {
        "market_id": pl.Int32,
        "captured_at": pl.Datetime("us", "UTC"),
        "run_id": pl.Int32,
        "walk": pl.Int32,
        "was_special": pl.Boolean,
        "is_suspended": pl.Boolean,
        "is_gone": pl.Boolean,
        "state": pl.String,
    }
    return {name: kinds[name] for name in _LAST}
