"""Rendered answers, kept: what moved is written anew, what did not is taken over.

A page is one bookmaker's answer about one event. Its fragments are kept with the period they belong to, so a new period
costs the units that moved in it, one join and one compression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock

from odds_pipeline.simulator.answers import AnswerFormat, unit_key
from odds_pipeline.simulator.compression import gzip_body
from odds_pipeline.simulator.mix import SQUAD, units_of
from odds_pipeline.simulator.movement import last_moves, movement
from odds_pipeline.simulator.schedule import Listed

_PERIODS_KEPT = 2
"""The current period, and the next one when it is rendered ahead."""


class _Page:
    __slots__ = ("bodies", "fragments", "moves")

    def __init__(self, units: int) -> None:
        self.fragments = [b""] * units
        self.moves: list[int | None] = [None] * units
        self.bodies: dict[int, bytes] = {}


class Pages:
    """Event answers of the world made by ``seed``, by listing and period. Safe to use from several threads."""

    def __init__(self, seed: int, formats: Mapping[str, AnswerFormat]) -> None:
        self._seed = seed
        self._formats = formats
        self._pages: dict[str, _Page] = {}
        self._unit_keys = {slug: [unit_key(u) for u in units_of(slug)] for slug in formats}
        self._lock = Lock()

    def body(self, listed: Listed, units: int, period: int) -> bytes:
        """The gzip-compressed answer with the first ``units`` units of the bookmaker, as of ``period``."""
        with self._lock:
            page = self._pages.get(listed.key)
            if page is None:
                page = self._pages[listed.key] = _Page(units)
            body = page.bodies.get(period)
            if body is None:
                self._update(page, listed, period)
                format_ = self._formats[listed.bookmaker]
                head, tail = format_.assemble(listed, page.fragments, period)
                body = gzip_body(head) if tail is None else gzip_body(head, tail)
                page.bodies[period] = body
                while len(page.bodies) > _PERIODS_KEPT:
                    del page.bodies[min(page.bodies)]
            return body

    def in_list(self, listed: Listed, indexes: Sequence[int], units: int, period: int) -> list[bytes]:
        """Some units of an answer as they stand in the bookmaker's lists, which show few markets of each event."""
        moves = last_moves(self._seed, listed.key, units, period)
        fragments = {index: self._render(listed, index, moves[index]) for index in indexes}
        return self._formats[listed.bookmaker].in_list({i: text for i, text in fragments.items() if text})

    def forget_all_but(self, keys: set[str]) -> None:
        """Drop the pages of listings that are no longer offered."""
        with self._lock:
            for key in [key for key in self._pages if key not in keys]:
                del self._pages[key]

    def _update(self, page: _Page, listed: Listed, period: int) -> None:
        moves = last_moves(self._seed, listed.key, len(page.fragments), period)
        for index, (moved, known) in enumerate(zip(moves, page.moves, strict=True)):
            if moved != known:
                page.fragments[index] = self._render(listed, index, moved)
        page.moves[:] = moves

    def _render(self, listed: Listed, index: int, period: int) -> bytes:
        unit = units_of(listed.bookmaker)[index]
        outcomes = 2 * SQUAD if unit.players == "squad" else len(unit.selections)
        key = self._unit_keys[listed.bookmaker][index]
        moved = movement(self._seed, listed.key, key, period, outcomes, stays_open=unit.is_headline)
        return self._formats[listed.bookmaker].fragment(index, listed, moved)
