"""One market of a made-up earlier system while it lives: moving prices, suspended outcomes, stored rows."""

from __future__ import annotations

import random
from decimal import Decimal

from odds_pipeline_tests.legacy.earlier_markets import MarketSpec

_GROUPS = '["all", "popular"]'


class Market:
    """A market of one listing. ``texts``: its stored rows, from the market's id to its groups, as COPY reads them."""

    def __init__(self, spec: MarketSpec, slug: str, rng: random.Random) -> None:
        self.spec = spec
        self._slug = slug
        self._rng = rng
        self._cents = [rng.randrange(105, 900) for _ in spec.keys]
        self._is_active = [True] * len(spec.keys)
        #: Bet9ja's price of 1: an outcome that is not offered.
        self._placeholder: int | None = None
        self.is_offered = rng.random() < 0.97
        self.has_moved = True
        self._write()

    @property
    def is_trusted(self) -> bool:
        """Whether what was stored now is right."""
        return self.spec.is_trusted and self._placeholder is None

    @property
    def last_piece(self) -> str:
        """The outcomes of the last stored row: what is left when its rows overwrite each other."""
        return self._pieces[-1]

    def state(self) -> frozenset[tuple[str, Decimal | None]] | None:
        """Outcome keys as the live path stores them, with the price while it can be bet on; None: not offered."""
        if not self.is_offered:
            return None
        return frozenset(
            (key, Decimal(cents) / 100 if is_active else None)
            for place, (key, cents, is_active) in enumerate(
                zip(self.spec.keys, self._cents, self._is_active, strict=True)
            )
            if place != self._placeholder
        )

    def move(self, *, may_vanish: bool) -> bool:
        """Live until the next look; return whether the offer is another than before."""
        rng, chance = self._rng, self._rng.random()
        self.has_moved = False
        if not self.is_offered:
            self.is_offered = self.has_moved = chance < 0.3
        elif chance < 0.05:
            self.has_moved = True
            place = rng.randrange(len(self._cents))
            if self._slug == "bet9ja" and rng.random() < 0.1:
                self._placeholder = place if self._placeholder is None else None
            elif not self._is_active[place] or rng.random() < 0.2:
                self._is_active[place] = not self._is_active[place]
                self.has_moved = place != self._placeholder
            else:
                self._cents[place] = self._cents[place] + rng.randrange(1, 40)
                self.has_moved = place != self._placeholder
            self._write()
        elif chance < 0.054 and may_vanish:
            self.is_offered = False
            self.has_moved = True
        elif chance < 0.06:
            self._write()  # the same in another order, with other zeros
        return self.has_moved

    def _write(self) -> None:
        rng, spec = self._rng, self.spec
        places = range(len(spec.names))
        self._pieces = [
            self._json(rng.sample(places[start : start + spec.row_of], k=len(places[start : start + spec.row_of])))
            for start in places[:: spec.row_of]
        ]
        head = "\t".join((spec.market_id, spec.name, spec.stored_line, *spec.handicaps))
        self.texts = [f"{head}\t{piece}\t{_GROUPS}" for piece in self._pieces]

    def _json(self, places: list[int]) -> str:
        zeros = self._rng.random() < 0.1
        outcomes: list[str] = []
        for place in places:
            price = self._cents[place] / 100
            odds = "1.0" if place == self._placeholder else f"{price:.3f}" if zeros else repr(price)
            active = "true" if self._is_active[place] else "false"
            outcomes.append(f'{{"name": "{self.spec.names[place]}", "odds": {odds}, "is_active": {active}}}')
        return f"[{', '.join(outcomes)}]"
