"""The odds history of a market: what held when the time asked for began, every change, and up to when the last state
was seen unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from odds_pipeline.analysis.asked import require_come, require_window
from odds_pipeline.analysis.bookmaker_order import in_order
from odds_pipeline.analysis.freshness import with_freshness
from odds_pipeline.analysis.known import of_known_bookmakers, require_seen, require_words
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.clock import require_utc
from odds_pipeline.days.read import ANY_LINE, TieredHistory, Wanted, history, state_at
from odds_pipeline.days.wanted import AnyLine
from odds_pipeline.odds.observation import UTC_MICROSECONDS
from odds_pipeline.odds.shown import ODDS_ROWS

__all__ = ["ANY_LINE", "ODDS_POINTS", "MarketChoice", "OddsHistory", "odds_history"]

#: One row per point of a market's history, by line (none first), bookmaker and ``at``.
ODDS_POINTS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "at": UTC_MICROSECONDS,
    "point": pl.String,
    **ODDS_ROWS,
    "last_confirmed_at": UTC_MICROSECONDS,
}

_SMALLEST = timedelta(microseconds=1)
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MarketChoice:
    """A market of an event, at the bookmakers of these slugs (None: all).

    ``line``: one line, None for the market without a line, or ``ANY_LINE``.
    """

    event_id: int
    betpawa_market_id: str
    line: Decimal | AnyLine | None = ANY_LINE
    bookmakers: Sequence[str] | None = None


class OddsHistory(NamedTuple):
    """``points`` in ``ODDS_POINTS``.

    ``unimported``: UTC days that they may lack something of, because an earlier system has them and they were not
    imported (R18).
    """

    points: pl.DataFrame
    unimported: list[date]


def odds_history(
    source: OddsSource,
    choice: MarketChoice,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    now: datetime,
) -> OddsHistory:
    """How the odds of a market went, from ``since`` (None: its first change) up to but without ``until`` (None: now).

    Each market of a bookmaker and line has three kinds of ``point``. ``opening``: the state that held at ``since``, had
    before it; ``at`` is ``since``. ``change``: a new state, ``at`` its ``captured_at``; an unavailable stretch begins
    with one that ``is_unavailable`` and ends with the next. ``confirmed``: the last point of a market that is on offer
    at the end and was seen unchanged after its last change, up to ``at``. ``captured_at`` is always the change's own;
    ``last_confirmed_at`` stands on confirmed points alone and never claims more than is known (``freshness.py``).

    Raises ``NotFound`` for an event or a market that was never seen, ``BadQuestion`` for an unknown bookmaker, an end
    before the beginning or a beginning in the future, ``ValueError`` for a time without a zone, and ``ArchiveDamaged``
    or ``ArchiveUnusable`` when a file that is needed cannot be read.
    """
    now = require_utc(now)
    if since is not None:
        require_come(since, now, "since")
    since, until = require_window(since, now + _SMALLEST if until is None else until)
    assert until is not None
    wanted = Wanted(
        event_ids=[choice.event_id],
        bookmakers=choice.bookmakers,
        betpawa_market_ids=[choice.betpawa_market_id],
        line=choice.line,
    )
    require_words(wanted)
    opening, changes = _read(source, wanted, since, until)
    points = pl.concat([opening.rows, changes.rows]).sort("market_id", "at")
    require_seen(source, wanted, points)
    confirmed = _confirmed(source, points, until - _SMALLEST)
    return OddsHistory(
        in_order(
            source, pl.concat([points, confirmed], how="diagonal"), "line", "bookmaker_slug", "market_id", "at"
        ).select(pl.col(name).cast(kind) for name, kind in ODDS_POINTS.items()),
        sorted({*opening.unimported, *changes.unimported}),
    )


def _read(
    source: OddsSource, wanted: Wanted, since: datetime | None, until: datetime
) -> tuple[TieredHistory, TieredHistory]:
    """The openings and the changes of the wanted markets, with ``at`` and ``point``."""
    tiers = source.database, source.archive, wanted
    with of_known_bookmakers():
        changes = history(*tiers, since or _BEGINNING, until, unimported_days=source.unimported_days)
        opening = TieredHistory(changes.rows.clear(), [])
        if since is not None and since < until:
            held = state_at(*tiers, since, unimported_days=source.unimported_days)
            # A change at the very moment is one of the changes.
            opening = held._replace(rows=held.rows.filter(pl.col("captured_at") < since))
    return (
        opening._replace(rows=opening.rows.with_columns(at=pl.lit(since, UTC_MICROSECONDS), point=pl.lit("opening"))),
        changes._replace(rows=changes.rows.with_columns(at="captured_at", point=pl.lit("change"))),
    )


def _confirmed(source: OddsSource, points: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """A point for each market that is on offer at the end and was seen unchanged after its last one."""
    last = points.unique("market_id", keep="last", maintain_order=True).filter(~pl.col("is_unavailable"))
    return (
        with_freshness(source, last, moment)
        .filter(pl.col("last_confirmed_at") > pl.col("at"))
        .with_columns(at="last_confirmed_at", point=pl.lit("confirmed"))
    )
