"""What one answer says, as typed rows, and the frame schemas that carry them.

Here: the vocabulary of an answer (``Listing``, ``Outcome``, ``Observation``, ``Refusal``, ``AnswerStatus``,
``ParsedAnswer``) and the public contract of observation and coverage files. Building frames from these rows is in
``frames.py``; deciding what changed is in ``diff.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec
import polars as pl

UTC_MICROSECONDS = pl.Datetime("us", "UTC")
ODDS = pl.Decimal(12, 3)
LINE = pl.Decimal(10, 3)

OUTCOME_FIELDS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "key": pl.String,
    "name": pl.String,
    "odds": ODDS,
    "is_active": pl.Boolean,
}

#: One row per observation: (bookmaker event, market, line) of an answer. Columns may be added, never changed.
OBSERVATION_SCHEMA: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "cycle_at": UTC_MICROSECONDS,
    "captured_at": UTC_MICROSECONDS,
    "bookmaker": pl.String,
    "external_event_id": pl.String,
    "sportradar_id": pl.String,
    "sport": pl.String,
    "country": pl.String,
    "tournament": pl.String,
    "home_team": pl.String,
    "away_team": pl.String,
    "kickoff": UTC_MICROSECONDS,
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "source_market_id": pl.String,
    "source_specifier": pl.String,
    "line": LINE,
    "handicap_home": LINE,
    "handicap_away": LINE,
    "handicap_type": pl.String,
    "outcomes": pl.List(pl.Struct(dict(OUTCOME_FIELDS))),
    "market_groups": pl.List(pl.String),
}

#: One row per answer; ``external_event_id`` null is the discovery of the bookmaker's whole offer.
#: A discovery lists every event that it found as a row of its own, asked or not, so that absence can be read off.
COVERAGE_SCHEMA: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "cycle_at": UTC_MICROSECONDS,
    "captured_at": UTC_MICROSECONDS,
    "run_id": pl.Int64,
    "bookmaker": pl.String,
    "external_event_id": pl.String,
    "status": pl.String,
    "reason": pl.String,
    "message": pl.String,
    "refused": pl.List(pl.Struct({"betpawa_market_id": pl.String, "line": LINE, "reason": pl.String})),
    "content_hash": pl.String,
    "outcomes_stored": pl.Int64,
    "outcomes_not_offered": pl.Int64,
    "outcomes_refused": pl.Int64,
    "sportradar_id": pl.String,
    "sport": pl.String,
    "country": pl.String,
    "tournament": pl.String,
    "home_team": pl.String,
    "away_team": pl.String,
    "kickoff": UTC_MICROSECONDS,
}


class AnswerStatus(StrEnum):
    """What became of asking one bookmaker about one event, or about its whole offer.

    Only ``COMPLETE`` confirms what it contains and proves absent what it lacks. ``STARTED``: the bookmaker says that
    the match is in play or over. ``FAILED`` answers may still carry observations that could be read; they are stored,
    and nothing is concluded from what they lack.
    """

    COMPLETE = "complete"
    STARTED = "started"
    FAILED = "failed"
    NOT_ASKED = "not_asked"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """One bookmaker's listing of a match: its identity there and the words around it.

    ``sportradar_id`` is digits only, None when the bookmaker gives none. ``kickoff`` is aware UTC.
    """

    bookmaker: str
    external_event_id: str
    sportradar_id: str | None
    sport: str
    country: str
    tournament: str
    home_team: str
    away_team: str
    kickoff: datetime | None


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """One selection. ``odds`` is the decimal price as quoted (None: no price); meaningless while inactive."""

    key: str
    name: str
    odds: Decimal | None
    is_active: bool


class Observation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One (market, line) of an answer, in betPawa's taxonomy where the catalogue has an equal, else under its own id.

    ``handicap_type`` is ``over_under``, ``asian``, ``european``, ``number`` or None; ``handicap_home`` and
    ``handicap_away`` are set for Asian and European handicaps (home = line, away = -line).
    """

    betpawa_market_id: str
    betpawa_market_name: str
    source_market_id: str
    source_specifier: str | None
    line: Decimal | None
    outcomes: list[Outcome]
    handicap_type: str | None = None
    handicap_home: Decimal | None = None
    handicap_away: Decimal | None = None
    market_groups: list[str] = []


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A market of an answer that is neither confirmed nor gone, because part of it was malformed.

    ``betpawa_market_id`` None: not even its identity could be read; then the answer proves nothing absent and its
    status is ``FAILED``.
    """

    betpawa_market_id: str | None
    line: Decimal | None
    reason: str


class ParsedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer about one event says, and what became of each of its outcomes (I7).

    ``outcomes_in_answer`` counts every outcome (price) object of the answer; it equals stored + not offered +
    refused, the last two by reason.
    """

    listing: Listing
    status: AnswerStatus
    reason: str | None
    observations: list[Observation]
    refused: list[Refusal]
    outcomes_in_answer: int
    outcomes_stored: int
    outcomes_not_offered: Counter[str]
    outcomes_refused: Counter[str]
    content_hash: str

    def is_balanced(self) -> bool:
        """Whether stored + not offered + refused = all (I7)."""
        lost = self.outcomes_not_offered.total() + self.outcomes_refused.total()
        return self.outcomes_in_answer == self.outcomes_stored + lost
