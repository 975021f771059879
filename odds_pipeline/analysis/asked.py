"""What every question checks of what it is asked before it looks for an answer.

All of it raises ``BadQuestion`` (times: the ``ValueError`` of ``clock.require_utc`` for one without a zone).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import psycopg

from odds_pipeline.analysis.errors import BadQuestion
from odds_pipeline.clock import require_utc

LARGEST_PAGE = 500


def require_limit(limit: int, *, most: int = LARGEST_PAGE) -> int:
    """The number of rows of a page."""
    if not 1 <= limit <= most:
        raise BadQuestion(f"limit is {limit}; a page has 1 to {most} rows: ask for the next page for more")
    return limit


def require_window(since: datetime | None, until: datetime | None) -> tuple[datetime | None, datetime | None]:
    """A stretch of time that begins before it ends, in UTC; None: open on that side."""
    begin = None if since is None else require_utc(since)
    end = None if until is None else require_utc(until)
    if begin is not None and end is not None and end < begin:
        raise BadQuestion(f"the time asked for ends ({end.isoformat()}) before it begins ({begin.isoformat()})")
    return begin, end


def require_come(moment: datetime, now: datetime, what: str) -> datetime:
    """A time that has come, in UTC: what is known now is no fact about later. ``what`` it is, for the message."""
    moment, now = require_utc(moment), require_utc(now)
    if moment > now:
        raise BadQuestion(f"{what} is {moment.isoformat()}, which lies in the future; it is {now.isoformat()} now")
    return moment


def require_text(text: str, what: str) -> str:
    """Text that could be stored; ``what`` it is, for the message."""
    try:
        is_storable = "\0" not in text and bool(text.encode())
    except UnicodeEncodeError:
        is_storable = False
    if not is_storable:
        raise BadQuestion(f"{what} is {text!r}, which is no text that could be stored; write out its name or id")
    return text


def require_bookmakers(connection: psycopg.Connection, slugs: Sequence[str] | None) -> list[str] | None:
    """Slugs of bookmakers that the database knows; None: no choice among them."""
    if slugs is None:
        return None
    known = [slug for (slug,) in connection.execute("SELECT slug FROM bookmakers ORDER BY id")]
    if unknown := sorted(set(slugs) - set(known)):
        names = ", ".join(repr(slug) for slug in unknown)
        raise BadQuestion(f"no bookmaker is called {names}; known are {', '.join(known)}")
    return list(dict.fromkeys(slugs))
