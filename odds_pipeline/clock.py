"""The one pipeline clock.

Every component that needs the time is given a ``Clock``; nothing below calls ``datetime.now`` itself. Real time in
production, a clock that tests move by hand, or real time that begins in the past and is moved on in steps (simulated
days that catch up).
All times are timezone-aware UTC (I9).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time, aware and in UTC."""

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """Real time, shifted by ``offset`` (zero in production)."""

    offset: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


@dataclass(slots=True)
class SteppedClock:
    """Real time, shifted by an ``offset`` that is moved on in steps: for simulated days that catch up."""

    offset: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def advance(self, by: timedelta) -> datetime:
        """Move forward by ``by`` and return the new time."""
        self.offset += by
        return self.now()


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved: for tests and replays."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment

    def advance(self, by: timedelta) -> datetime:
        """Move forward by ``by`` and return the new time."""
        self.moment += by
        return self.moment


def require_utc(moment: datetime) -> datetime:
    """Return ``moment`` in UTC; a naive time, or one beyond any date there, is refused with ``ValueError`` (B-36)."""
    if moment.tzinfo is None:
        raise ValueError(f"time {moment.isoformat()} has no time zone; every time must be aware")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"time {moment.isoformat()} lies beyond any date in UTC") from error
