"""Faults on request: which answers go wrong, how, and how often. ``misbehaviour.py`` is what they do to an answer."""

from __future__ import annotations

from enum import StrEnum
from threading import Lock
from typing import Annotated, Literal

import msgspec

from odds_pipeline.simulator.draws import draw_unit
from odds_pipeline.simulator.replies import Target


class FaultKind(StrEnum):
    """Every way in which an answer can go wrong."""

    STATUS = "status"
    """An HTTP error: ``status`` 429, 403, 500, 502, 503 ..., with Retry-After if asked for."""
    RATE_LIMIT = "rate_limit"
    """The same, only while more than ``parallel`` requests are under way: 403 at Bet9ja, else 429."""
    HANG = "hang"
    """No answer until the client gives up: a read timeout."""
    RESET = "reset"
    """The connection is reset before anything is sent."""
    CUT_SHORT = "cut_short"
    """The connection is reset in the middle of the body."""
    TRUNCATED = "truncated"
    """HTTP 200 and half of the JSON."""
    HTML = "html"
    """HTTP 200 and an HTML page."""
    PROTOBUF = "protobuf"
    """HTTP 200 and protobuf, although JSON was asked for."""
    REDIRECT = "redirect"
    """HTTP 302 to another host."""
    EMPTY = "empty"
    """HTTP 200, well formed, and nothing in it: no events, or an event without markets."""
    WRONG_CODE = "wrong_code"
    """HTTP 200 and an ``R`` or ``bizCode`` that is no success; at betPawa an error document."""
    RENAMED_FIELD = "renamed_field"
    """The field that holds the events, or every price, has another name."""
    MARKET_TWICE = "market_twice"
    """The first market stands twice."""
    MARKET_CONFLICT = "market_conflict"
    """The first market stands twice, with other prices."""
    PRICE = "price"
    """The first outcome's price is ``price`` as given: ``NaN``, empty, ``1``, ``1.0``, ``0``, ``-2``, ``1e9``, ..."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault to inject. ``bookmaker`` is a slug or ``*``; ``target`` says which of its endpoints it hits.

    ``events`` limits it to those events (the bookmaker's ids), ``share`` to that share of events (always the same
    ones), ``times`` to that many requests. ``retry_after`` is in seconds; as a date when ``retry_after_as_date``.
    """

    kind: FaultKind
    bookmaker: str = "*"
    target: Target | Literal["any"] = "any"
    events: tuple[str, ...] | None = None
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 429
    retry_after: int | None = None
    retry_after_as_date: bool = False
    parallel: Annotated[int, msgspec.Meta(ge=0)] = 15
    price: str = "NaN"

    def hits(self, bookmaker: str, target: Target, event_id: str | None, under_way: int) -> bool:
        """Whether this fault spoils a request; ``under_way`` counts the bookmaker's requests, this one included."""
        if self.bookmaker not in ("*", bookmaker) or self.target not in ("any", target):
            return False
        if self.kind is FaultKind.RATE_LIMIT and under_way <= self.parallel:
            return False
        if self.events is not None and event_id not in self.events:
            return False
        return self.share >= 1 or draw_unit(f"fault/{self.kind}/{bookmaker}/{event_id}") < self.share


class FaultBook:
    """The faults in force, in the order in which they were added: the first that hits is taken."""

    def __init__(self) -> None:
        self._left: list[tuple[Fault, int | None]] = []
        self._lock = Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._left.append((fault, fault.times))

    def clear(self) -> None:
        with self._lock:
            self._left.clear()

    def in_force(self) -> list[Fault]:
        with self._lock:
            return [fault for fault, _ in self._left]

    def take(self, bookmaker: str, target: Target, event_id: str | None, under_way: int) -> Fault | None:
        """The fault that a request meets, if any; one that is used up is dropped."""
        with self._lock:
            for place, (fault, left) in enumerate(self._left):
                if fault.hits(bookmaker, target, event_id, under_way):
                    if left == 1:
                        del self._left[place]
                    elif left is not None:
                        self._left[place] = (fault, left - 1)
                    return fault
        return None
