"""The margins of the headline markets through one UTC day: hour by hour, the mean over the events of each bookmaker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from odds_pipeline.analysis.bookmaker_order import in_order
from odds_pipeline.analysis.errors import BadQuestion
from odds_pipeline.analysis.headline import HEADLINE
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.clock import require_utc
from odds_pipeline.database.history import midnight
from odds_pipeline.days.read import ODDS_ROWS, Wanted, history, state_at
from odds_pipeline.odds.margin import with_margin
from odds_pipeline.odds.observation import LINE, UTC_MICROSECONDS

#: One row per moment, market, line and bookmaker, in this order. ``markets`` = ``with_margin`` + those in ``missing``.
MARGINS_OF_DAY: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "at": UTC_MICROSECONDS,
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "line": LINE,
    "bookmaker_slug": pl.String,
    "markets": pl.Int64,
    "with_margin": pl.Int64,
    "margin": pl.Float64,
    "missing": pl.List(pl.Struct({"margin_missing": pl.String, "markets": pl.Int64})),
}

_SERIES = ["betpawa_market_id", "line", "bookmaker_slug"]
_HOUR = timedelta(hours=1)


class MarginsOfDay(NamedTuple):
    """``rows`` in ``MARGINS_OF_DAY``. ``changes``: how many changes of these markets the day has.

    ``unimported``: days that the answer may lack something of, because an earlier system has them (R18).
    """

    rows: pl.DataFrame
    changes: int
    unimported: list[date]


def margins_of_day(
    source: OddsSource,
    day: date,
    *,
    now: datetime,
    markets: Sequence[tuple[str, Decimal | None]] = HEADLINE,
    bookmakers: Sequence[str] | None = None,
) -> MarginsOfDay:
    """The mean margin of each bookmaker in each of the ``markets`` (id, line) at each full hour of the UTC ``day``.

    From 00:00 to 23:00 and at the end of the day; of one that is not over to the last full hour, and then at ``now``.
    What counts at a moment is the state that held then of every market that was on offer at some time of the day: one
    of an event that has kicked off since is ``unavailable``. ``margin`` is the mean in percent over the markets that
    have one, each event weighing the same, null when none has; ``missing`` says of how many there is none, and why: the
    reasons of ``odds/margin.py``, and ``untrusted`` for imported rows with a known fault. Read across the archive's
    seam.

    Raises ``BadQuestion`` for a day that has not begun, ``ValueError`` for a ``now`` without a zone, and
    ``ArchiveDamaged`` or ``ArchiveUnusable`` when a file that is needed cannot be read.
    """
    now = require_utc(now)
    begin, end = midnight(day), midnight(day + timedelta(days=1))
    if begin > now:
        raise BadQuestion(f"{day} has not begun; the newest day is {now.date()}")
    # What happens at a moment belongs to the state that held then.
    until = min(end, now + timedelta(microseconds=1))
    parts = [
        _states(source, Wanted(betpawa_market_ids=ids, line=line, bookmakers=bookmakers), begin, until)
        for line, ids in _by_line(markets).items()
    ]
    states = pl.concat([rows for rows, _ in parts]) if parts else pl.DataFrame(schema=dict(ODDS_ROWS))
    moments = [begin + hour * _HOUR for hour in range(24) if begin + hour * _HOUR <= now]
    if (last := min(end, now)) > moments[-1]:
        moments.append(last)
    return MarginsOfDay(
        in_order(source, _summed(with_margin(_on_offer(states)), moments), "at", *_SERIES),
        changes=states.filter(pl.col("captured_at") >= begin).height,
        unimported=sorted({day for _, unimported in parts for day in unimported}),
    )


def _by_line(markets: Sequence[tuple[str, Decimal | None]]) -> dict[Decimal | None, list[str]]:
    """Market ids by line: a question names one line."""
    found: dict[Decimal | None, list[str]] = {}
    for market_id, line in markets:
        found.setdefault(line, []).append(market_id)
    return found


def _states(source: OddsSource, wanted: Wanted, begin: datetime, until: datetime) -> tuple[pl.DataFrame, list[date]]:
    """The states that held at ``begin``, and every change until ``until``."""
    # A change at midnight itself is in the day's history, and the state at midnight would show it once more.
    eve = begin - timedelta(microseconds=1)
    before = state_at(source.database, source.archive, wanted, eve, unimported_days=source.unimported_days)
    changes = history(source.database, source.archive, wanted, begin, until, unimported_days=source.unimported_days)
    return pl.concat([before.rows, changes.rows]), [*before.unimported, *changes.unimported]


def _on_offer(states: pl.DataFrame) -> pl.DataFrame:
    """The states of the markets that were on offer at some time of the day."""
    return states.filter((~pl.col("is_unavailable")).any().over("market_id"))


def _summed(states: pl.DataFrame, moments: list[datetime]) -> pl.DataFrame:
    """The states (with margins) as they stood at each of the moments, in ``MARGINS_OF_DAY``."""
    margin = pl.col("margin").filter("is_trusted")
    reason = pl.when("is_trusted").then("margin_missing").otherwise(pl.lit("untrusted")).alias("margin_missing")
    standing = (
        states.select("market_id")
        .unique()
        .join(pl.DataFrame({"at": moments}, schema={"at": UTC_MICROSECONDS}), how="cross")
        .sort("at")
        .join_asof(
            states.sort("captured_at"),
            left_on="at",
            right_on="captured_at",
            by="market_id",
            check_sortedness=False,
        )
        .filter(pl.col("is_unavailable").is_not_null())
    )
    by = ["at", *_SERIES]
    missing = (
        standing.select(*by, reason)
        .filter(pl.col("margin_missing").is_not_null())
        .group_by(*by, "margin_missing")
        .agg(markets=pl.len().cast(pl.Int64))
        .sort("markets", "margin_missing", descending=[True, False])
        .group_by(by, maintain_order=True)
        .agg(missing=pl.struct("margin_missing", "markets"))
    )
    return (
        standing.group_by(by)
        .agg(
            betpawa_market_name=pl.col("betpawa_market_name").drop_nulls().sort().first(),
            markets=pl.len(),
            with_margin=margin.count(),
            margin=margin.mean(),
        )
        .join(missing, on=by, how="left", nulls_equal=True)
        .with_columns(pl.col("missing").fill_null([]))
        .select(pl.col(name).cast(kind) for name, kind in MARGINS_OF_DAY.items())
    )
