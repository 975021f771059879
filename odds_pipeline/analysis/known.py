"""What a question about history names must have been seen once: else the question is misspelt, not the answer empty.

What was never seen is looked for only when nothing was found: an answer with rows costs no further look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, LiteralString

import polars as pl

from odds_pipeline.analysis.asked import require_text
from odds_pipeline.analysis.errors import BadQuestion, NotFound
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.listings import UnknownBookmaker
from odds_pipeline.days.read import Wanted, state_at

_LARGEST_ID = 2**31 - 1
_END = datetime(9999, 1, 1, tzinfo=UTC)


@contextmanager
def of_known_bookmakers() -> Iterator[None]:
    """Raise ``BadQuestion`` where the body meets a bookmaker that is not known."""
    try:
        yield
    except UnknownBookmaker as error:
        raise BadQuestion(str(error)) from error


def require_words(wanted: Wanted) -> None:
    """Raise ``NotFound`` for an id that nothing can have, ``BadQuestion`` for a word that could not be stored."""
    for what, ids in (("event", wanted.event_ids), ("tournament", wanted.tournament_ids)):
        for each in ids or ():
            if not 1 <= each <= _LARGEST_ID:
                raise _not_found(what, each)
    for betpawa_market_id in wanted.betpawa_market_ids or ():
        require_text(betpawa_market_id, "a market's id")


def require_seen(source: OddsSource, wanted: Wanted, rows: pl.DataFrame) -> None:
    """Raise ``NotFound`` for an event, tournament or market id of the question that was never stored.

    What ``rows``, the answer, has is known. An event that was cleaned up is known as long as it is in the archive.
    """
    missing = _missing(
        source, "SELECT unnest(%s::int[]) EXCEPT SELECT id FROM events", wanted.event_ids, rows["event_id"]
    )
    if missing:
        gone = Wanted(event_ids=sorted(missing))
        archived = state_at(source.database, source.archive, gone, _END, unimported_days=lambda first, last: [])
        missing -= set(archived.rows["event_id"])
    if missing:
        raise _not_found("event", min(missing))
    if rows.is_empty():
        query = "SELECT unnest(%s::int[]) EXCEPT SELECT id FROM tournaments"
        if missing := _missing(source, query, wanted.tournament_ids):
            raise _not_found("tournament", min(missing))
    query = "SELECT unnest(%s::text[]) EXCEPT SELECT betpawa_market_id FROM market_types"
    if missing := _missing(source, query, wanted.betpawa_market_ids, rows["betpawa_market_id"]):
        raise _not_found("market", repr(min(missing)))


def _missing(
    source: OddsSource, query: LiteralString, named: Sequence[Any] | None, found: Iterable[Any] = ()
) -> set[Any]:
    """Those of the named that are neither found nor stored."""
    asked = set(named or ()) - set(found)
    if not asked:
        return set()
    with source.database.borrow() as connection:
        return {value for (value,) in connection.execute(query, [list(asked)])}


def _not_found(what: str, name: object) -> NotFound:
    return NotFound(f"no {what} {name}; the events and their markets, listed, give the ids that there are")
