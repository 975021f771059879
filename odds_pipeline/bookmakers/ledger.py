"""What becomes of every outcome of one answer: stored, not offered or refused (I7), and its ``ParsedAnswer``.

A parser counts the outcomes it meets with ``found``, then books each of them once: ``MarketEntry.offer`` or ``refuse``,
or ``not_offered`` and ``unidentified`` of the whole ledger. One malformed outcome refuses its whole (market, line), so
that the market is neither confirmed nor gone. Parts of an answer with one identity are merged here (B-01, B-23); an
outcome that stands twice is a duplicate.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from odds_pipeline.markets.mapper import Target
from odds_pipeline.odds.observation import AnswerStatus, Listing, Observation, Outcome, ParsedAnswer, Refusal

# Reasons for not offering
STARTED = "started"

# Reasons for refusing
MARKET_REFUSED = "market_refused"
DUPLICATE_OUTCOME = "duplicate_outcome"
CONFLICTING_DUPLICATE = "conflicting_duplicate"
UNIDENTIFIED_MARKET = "unidentified_market"
OUTCOME_UNREADABLE = "outcome_unreadable"
OUTCOME_WITHOUT_ID = "outcome_without_id"
OUTCOMES_MISSING = "outcomes_missing"
ACTIVITY_UNREADABLE = "activity_unreadable"
STATUS_UNREADABLE = "status_unreadable"

# Reasons for a failed answer
EMPTY = "empty"
ALL_REFUSED = "all_refused"


class MarketEntry:
    """One (market, line) of an answer while it is being read."""

    __slots__ = (
        "groups",
        "name",
        "outcomes",
        "refused",
        "refused_wholly",
        "repeated",
        "source_market_id",
        "source_specifier",
        "target",
    )

    def __init__(
        self, target: Target, source_market_id: str, source_specifier: str | None, name: str, groups: list[str]
    ) -> None:
        self.target = target
        self.source_market_id = source_market_id
        self.source_specifier = source_specifier
        self.name = name
        self.groups = groups
        self.outcomes: dict[str, Outcome] = {}
        self.refused: Counter[str] | None = None
        self.refused_wholly: str | None = None
        self.repeated = 0

    def offer(self, key: str, name: str, odds: Decimal | None, is_active: bool) -> None:
        """Book one outcome. The same one again is a duplicate; with another price or flag it refuses the market."""
        known = self.outcomes.get(key)
        if known is None:
            self.outcomes[key] = Outcome(key, name, odds, is_active)
        elif known.odds == odds and known.is_active == is_active:
            self.repeated += 1
        else:
            self.refuse(CONFLICTING_DUPLICATE)

    def refuse(self, reason: str) -> None:
        """Book one malformed outcome; its market is refused with it."""
        if self.refused is None:
            self.refused = Counter()
        self.refused[reason] += 1

    def refuse_wholly(self, reason: str) -> None:
        """Refuse the market for a fault that is not an outcome's."""
        self.refused_wholly = reason

    @property
    def refusal(self) -> str | None:
        """Why the market is refused, the same whatever the order of its parts; None if it is not."""
        return self.refused_wholly or (min(self.refused) if self.refused else None)


class AnswerLedger:
    """The books of one answer about one event."""

    __slots__ = ("_markets", "_not_offered", "_refused", "_unidentified", "in_answer")

    def __init__(self) -> None:
        self.in_answer = 0
        self._markets: dict[tuple[str, Decimal | None], MarketEntry] = {}
        self._not_offered: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._unidentified = False

    def found(self, outcomes: int) -> None:
        """Count outcomes met in the answer, before anything else is done with them."""
        self.in_answer += outcomes

    def market(
        self, target: Target, source_market_id: str, source_specifier: str | None, name: str, groups: list[str]
    ) -> MarketEntry:
        """The entry of a (market, line), made when new; parts from several source specifiers share one entry."""
        identity = (target.market_id, target.line)
        entry = self._markets.get(identity)
        if entry is None:
            entry = MarketEntry(target, source_market_id, source_specifier, name, groups)
            self._markets[identity] = entry
        elif entry.source_market_id != source_market_id:
            if source_market_id < entry.source_market_id:
                entry.source_market_id, entry.source_specifier = source_market_id, source_specifier
        elif entry.source_specifier != source_specifier:
            entry.source_specifier = None
        return entry

    def not_offered(self, reason: str, outcomes: int = 1) -> None:
        """Book outcomes that the bookmaker itself does not offer; no error."""
        if outcomes:
            self._not_offered[reason] += outcomes

    def unidentified(self, outcomes: int) -> None:
        """Book the outcomes of a market whose identity cannot be read; the answer then proves nothing absent."""
        self._unidentified = True
        if outcomes:
            self._refused[UNIDENTIFIED_MARKET] += outcomes

    def started(self, listing: Listing, content_hash: str) -> ParsedAnswer:
        """The answer of an event in play or over: nothing of it is stored."""
        return ParsedAnswer(
            listing=listing,
            status=AnswerStatus.STARTED,
            reason=None,
            observations=[],
            refused=[],
            outcomes_in_answer=self.in_answer,
            outcomes_stored=0,
            outcomes_not_offered=Counter({STARTED: self.in_answer} if self.in_answer else {}),
            outcomes_refused=Counter(),
            content_hash=content_hash,
        )

    def close(self, listing: Listing, content_hash: str) -> ParsedAnswer:
        """The answer of an event that has not started."""
        observations: list[Observation] = []
        refusals: list[Refusal] = []
        refused = self._refused
        stored = 0
        for entry in self._markets.values():
            if entry.repeated:
                refused[DUPLICATE_OUTCOME] += entry.repeated
            reason = entry.refusal
            if reason is not None:
                refused.update(entry.refused or ())
                if entry.outcomes:
                    refused[MARKET_REFUSED] += len(entry.outcomes)
                refusals.append(
                    Refusal(betpawa_market_id=entry.target.market_id, line=entry.target.line, reason=reason)
                )
            elif entry.outcomes:
                stored += len(entry.outcomes)
                observations.append(_observation(entry))
        if self._unidentified:
            refusals.append(Refusal(betpawa_market_id=None, line=None, reason=UNIDENTIFIED_MARKET))
        reason = self._failure(stored, refused)
        return ParsedAnswer(
            listing=listing,
            status=AnswerStatus.FAILED if reason else AnswerStatus.COMPLETE,
            reason=reason,
            observations=observations,
            refused=refusals,
            outcomes_in_answer=self.in_answer,
            outcomes_stored=stored,
            outcomes_not_offered=self._not_offered,
            outcomes_refused=refused,
            content_hash=content_hash,
        )

    def _failure(self, stored: int, refused: Counter[str]) -> str | None:
        """Why the answer proves nothing absent, None if it is complete.

        An answer that says of each outcome that it is not offered is complete: only silence proves nothing.
        """
        if self._unidentified:
            return UNIDENTIFIED_MARKET
        if stored:
            return None
        if refused:
            return ALL_REFUSED
        return None if self._not_offered else EMPTY


def _observation(entry: MarketEntry) -> Observation:
    target = entry.target
    return Observation(
        betpawa_market_id=target.market_id,
        betpawa_market_name=entry.name,
        source_market_id=entry.source_market_id,
        source_specifier=entry.source_specifier,
        line=target.line,
        outcomes=list(entry.outcomes.values()),
        handicap_type=target.handicap_type,
        handicap_home=target.handicap_home,
        handicap_away=target.handicap_away,
        market_groups=entry.groups,
    )
