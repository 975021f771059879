"""What schemathesis is told of the API, in its own process: times and words that mean something, and one check more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zlib import crc32

import schemathesis
from hypothesis import strategies as st

_WORLD = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _written(moment: datetime, hours: int) -> str:
    return moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=hours))).isoformat()


_near = st.timedeltas(timedelta(days=-2), timedelta(days=3)).map(lambda by: (_WORLD + by).replace(tzinfo=None))
_far = st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 30))  # noqa: DTZ001

# Around the hand-made world and far from it, in any zone; the years are those that the API knows.
schemathesis.openapi.format("date-time", st.builds(_written, _near | _far, st.integers(-12, 14)))


#: Values that the hand-made world has, for every other request.
_KNOWN = {
    "bookmaker": ["betpawa", "sportybet", "bet9ja"],
    "country": ["England", "Nigeria"],
    "market": ["3743", "5000", "sportybet:551"],
    "event_id": [1, 2, 3, 4],
    "tournament_id": [1, 2],
}


@schemathesis.hook
def before_call(ctx: Any, case: Any, kwargs: Any) -> None:
    """Put known words into requests that the document allows: what is made up of letters finds nothing."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.operation.path in ("/time-to-kickoff", "/opening-closing"):
        # One of the two is needed, which no schema can say.
        case.query = {"event_id": [4711], **(case.query or {})}
    for given in (case.path_parameters or {}, case.query or {}):
        for name, known in _KNOWN.items():
            value = given.get(name)
            if value is None or crc32(repr(value).encode()) % 4 == 0:
                continue
            if isinstance(value, list):
                given[name] = [known[crc32(repr(each).encode()) % len(known)] for each in value]
            else:
                given[name] = known[crc32(repr(value).encode()) % len(known)]


@schemathesis.check
def makes_sense(ctx: Any, response: Any, case: Any) -> None:
    """A request that the document allows is refused only for what no schema can say."""
    is_allowed = case.meta is not None and case.meta.generation.mode.is_positive
    if is_allowed and response.status_code == 422:
        problem = response.json()
        assert problem["type"] == "urn:odds-pipeline:bad-question", problem
