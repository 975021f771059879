"""The state at a moment: exactly what was current then, of an event, a tournament or everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from odds_pipeline.analysis import freshness
from odds_pipeline.analysis.errors import BadQuestion
from odds_pipeline.analysis.known import of_known_bookmakers, require_seen, require_words
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.clock import require_utc
from odds_pipeline.days.read import ANY_LINE, Wanted, state_at
from odds_pipeline.days.wanted import AnyLine
from odds_pipeline.odds.shown import ODDS_ROWS

__all__ = ["ANY_LINE", "STATE_ROWS", "Moment", "Scope", "at"]

#: One row per market that had been seen by then, by ``market_id``.
STATE_ROWS: Mapping[str, pl.DataType | type[pl.DataType]] = {**ODDS_ROWS, "state": pl.String, **freshness.FRESHNESS}


@dataclass(frozen=True, slots=True)
class Scope:
    """Of what the state is asked: what meets every condition given; none given: everything.

    ``line``: one line, None for markets without a line, or ``ANY_LINE``. A tournament means the events that are still
    stored: one that was cleaned up is found by its own id.
    """

    event_ids: Sequence[int] | None = None
    tournament_id: int | None = None
    bookmakers: Sequence[str] | None = None
    betpawa_market_ids: Sequence[str] | None = None
    line: Decimal | AnyLine | None = ANY_LINE


class Moment(NamedTuple):
    """``rows`` in ``STATE_ROWS``; ``unimported``: as in ``OddsHistory``.

    ``next``: the ``after`` of the next page; None when this is the last.
    """

    rows: pl.DataFrame
    unimported: list[date]
    next: int | None


def at(
    source: OddsSource,
    scope: Scope,
    moment: datetime,
    *,
    limit: int | None = None,
    after: int | None = None,
    with_freshness: bool = True,
) -> Moment:
    """What was current at ``moment``: the last known state of every market of the scope that had been seen by then.

    ``state`` is ``available`` or ``unavailable``; ``captured_at`` is when the state began, ``last_confirmed_at`` and
    ``is_stale`` say how fresh it was (``freshness.py``; null without freshness, which saves asking). A market that no
    answer had contained yet has no row. At most ``limit`` rows, of markets with an id above ``after``.

    Raises ``NotFound`` for an event, tournament or market that was never seen, ``BadQuestion`` for an unknown bookmaker
    or a limit below 1, ``ValueError`` for a time without a zone, and ``ArchiveDamaged`` or ``ArchiveUnusable`` when a
    file that is needed cannot be read.
    """
    moment = require_utc(moment)
    if limit is not None and limit < 1:
        raise BadQuestion(f"limit is {limit}; a page has at least 1 row")
    wanted = Wanted(
        event_ids=scope.event_ids,
        tournament_ids=None if scope.tournament_id is None else [scope.tournament_id],
        bookmakers=scope.bookmakers,
        betpawa_market_ids=scope.betpawa_market_ids,
        line=scope.line,
    )
    require_words(wanted)
    with of_known_bookmakers():
        rows, unimported = state_at(
            source.database,
            source.archive,
            wanted,
            moment,
            unimported_days=source.unimported_days,
            after=after,
            limit=limit,
        )
    is_full = limit is not None and rows.height == limit
    if after is None and not is_full:
        require_seen(source, wanted, rows)
    if with_freshness:
        rows = freshness.with_freshness(source, rows, moment)
    else:
        rows = rows.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in freshness.FRESHNESS.items())
    state = pl.when("is_unavailable").then(pl.lit("unavailable")).otherwise(pl.lit("available"))
    return Moment(
        rows.with_columns(state=state).select(*STATE_ROWS), unimported, rows["market_id"][-1] if is_full else None
    )
