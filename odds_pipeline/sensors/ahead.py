"""Times of runs that a clock stamped when it was ahead: nothing waits until they have come."""

from datetime import datetime, timedelta

_SKEW = timedelta(minutes=5)
"""By which the clocks of two machines may differ."""


def is_ahead(moment: datetime, now: datetime) -> bool:
    """Whether a time lies so far in the future that the clock that stamped it was wrong."""
    return moment > now + _SKEW
