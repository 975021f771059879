"""One event's bookmakers side by side: the best price of each outcome, and who moved first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from odds_pipeline.analysis.asked import require_come, require_window
from odds_pipeline.analysis.bookmaker_order import bookmakers_in_order
from odds_pipeline.analysis.errors import BadQuestion
from odds_pipeline.analysis.known import require_seen, require_words
from odds_pipeline.analysis.moments import Scope, at
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.clock import require_utc
from odds_pipeline.days.read import ANY_LINE, Wanted, history, state_at
from odds_pipeline.days.wanted import AnyLine
from odds_pipeline.odds.comparison import COMPARISON, MOVES, compared, rounds

__all__ = ["COMPARISON", "MOVES", "Comparison", "Moves", "compare", "moves"]

AN_HOUR = timedelta(hours=1)
_INSTANT = timedelta(microseconds=1)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Comparison(NamedTuple):
    """``rows`` in ``COMPARISON``. ``unimported``: UTC days that the answer may lack something of, because an earlier
    system has them and they were not imported (R18)."""

    rows: pl.DataFrame
    unimported: list[date]


class Moves(NamedTuple):
    """``rows`` in ``MOVES``. ``unimported``: as in ``Comparison``."""

    rows: pl.DataFrame
    unimported: list[date]


def compare(
    source: OddsSource,
    event_id: int,
    *,
    moment: datetime | None = None,
    betpawa_market_ids: Sequence[str] | None = None,
    line: Decimal | AnyLine | None = ANY_LINE,
    bookmakers: Sequence[str] | None = None,
    now: datetime,
) -> Comparison:
    """The prices of the bookmakers for each outcome of an event at ``moment`` (None: now), the best named.

    Defined in ``odds/comparison.py``: ``compared``. Each price says how fresh it was at the moment. ``bookmakers``
    (None: all) are compared among themselves: without betPawa there are no differences to it. ``line``: one, None for
    markets without a line, or ``ANY_LINE``.

    Raises ``NotFound`` for an event or market that was never seen, ``BadQuestion`` for an unknown bookmaker and a
    moment in the future, ``ValueError`` for a time without a zone, and ``ArchiveDamaged`` or ``ArchiveUnusable`` when a
    file that is needed cannot be read.
    """
    scope = Scope(event_ids=[event_id], bookmakers=bookmakers, betpawa_market_ids=betpawa_market_ids, line=line)
    states = at(source, scope, now if moment is None else require_come(moment, now, "the moment"))
    return Comparison(compared(states.rows, bookmakers_in_order(source)), states.unimported)


def moves(
    source: OddsSource,
    event_id: int,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    within: timedelta = AN_HOUR,
    betpawa_market_ids: Sequence[str] | None = None,
    now: datetime,
) -> Moves:
    """Who moved a price first from ``since`` up to but without ``until``, and who followed ``within`` that time.

    ``since`` None: from the first odds on; ``until`` None: up to ``now``.

    Defined in ``odds/comparison.py``: ``rounds``. Nothing later than ``now`` counts. What an outcome's price was before
    ``since`` is read off the state that held then; one that was not in its market then has had none. Raises
    ``BadQuestion`` for a negative ``within``, an ``until`` before ``since`` and a ``since`` in the future, ``NotFound``
    for an event or market that was never seen, and as ``compare`` does.
    """
    if within < timedelta():
        raise BadQuestion(f"within is {within}; followers come after the first, give a time of 0 or more")
    require_window(since, until)
    now = require_utc(now)
    if since is not None:
        require_come(since, now, "since")
    begin = _BEGINNING if since is None else max(require_utc(since), _BEGINNING)
    end = max(begin, now if until is None else min(require_utc(until), now + _INSTANT))
    wanted = Wanted(event_ids=[event_id], betpawa_market_ids=betpawa_market_ids)
    require_words(wanted)
    where = (source.database, source.archive, wanted)
    changes = history(*where, begin, end, unimported_days=source.unimported_days)
    before = state_at(*where, begin - _INSTANT, unimported_days=source.unimported_days)
    require_seen(source, wanted, changes.rows)
    return Moves(rounds(before.rows, changes.rows, within), sorted({*changes.unimported, *before.unimported}))
