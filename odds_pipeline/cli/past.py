"""Cycles in the past: what ``--start`` and ``--interval`` say, and the clock that begins there and catches up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from odds_pipeline.clock import SteppedClock, require_utc
from odds_pipeline.database.engine import Database
from odds_pipeline.database.health import last_cycle
from odds_pipeline.partitions import first_history_day
from odds_pipeline.settings import Settings

_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class NotInThePast(ValueError):
    """Cycles cannot run at the times asked for; the message says why and what can be done."""


@dataclass(frozen=True, slots=True)
class Past:
    """``cycles`` cycles from ``start`` on, one every ``interval``: none lies in the future."""

    start: datetime
    interval: timedelta
    cycles: int

    def clock(self, now: datetime) -> SteppedClock:
        """The clock that shows ``start`` when real time is ``now``."""
        return SteppedClock(self.start - now)


def past_of(start: str, interval: timedelta, cycles: int | None, *, settings: Settings, now: datetime) -> Past:
    """The cycles from ``start`` (ISO 8601 with a time zone) on; ``cycles`` None: as many as there are until ``now``.

    Raises ``NotInThePast``, also for times that this machine's Dagster shows no day for.
    """
    try:
        first = require_utc(datetime.fromisoformat(start))
    except ValueError as error:
        raise NotInThePast(
            f"--start {start}: {error}; give a moment with its time zone, such as 2026-11-15T06:00Z"
        ) from None
    if first > now:
        raise NotInThePast(f"--start {_shown(first)} lies in the future; it is {_shown(now)} now")
    shown_from = first_history_day(settings, today=now.date())
    if first.date() < shown_from:
        raise NotInThePast(
            f"--start {_shown(first)} lies before {shown_from}, the first day of history that Dagster shows; "
            f"set ODDS_HISTORY_START={first.date()} for this command and for those after it"
        )
    room = (now - first) // interval + 1
    if cycles is not None and cycles > room:
        raise NotInThePast(
            f"{cycles} cycles from {_shown(first)} on would end in the future: there is room for {room} until now"
        )
    return Past(first, interval, cycles or room)


def interval_of(text: str) -> timedelta:
    """A length of time such as ``30s``, ``5m``, ``6h``, ``1d``. Raises ``NotInThePast``."""
    match = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text)
    if match is None:
        raise NotInThePast(
            f"--interval {text}: give a whole number of seconds, minutes, hours or days: 90s, 5m, 6h, 1d"
        )
    return int(match[1]) * _UNITS[match[2]]


def require_no_later_cycle(database: Database, now: datetime) -> None:
    """Raise ``NotInThePast`` when a cycle is stored that is later than ``now``: its odds would be newer."""
    last = last_cycle(database, now=now)
    if last is not None and last.started_at >= now:
        raise NotInThePast(
            f"the database has a cycle of {_shown(last.started_at)}, later than {_shown(now)}: start after it, "
            "or give another data directory (ODDS_DATA_DIR); nothing else may run cycles meanwhile"
        )


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
