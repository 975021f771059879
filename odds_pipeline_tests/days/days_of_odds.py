"""Days of odds written by the real writer, cycle by cycle: prices move, markets come and go, some never change."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from odds_pipeline.database.engine import Database
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import query

FIRST_DAY = date(2026, 11, 1)
CYCLES_A_DAY = 4

_MARKETS: dict[MarketKey, tuple[str, ...]] = {
    ("1x2", None): ("1", "X", "2"),
    ("over-under", Decimal("2.5")): ("over", "under"),
    ("over-under", Decimal("3.5")): ("over", "under"),
    ("scores", None): tuple(f"{home}:{away}" for home in range(3) for away in range(3)),
    ("never-moves", None): ("yes", "no"),
}


@dataclass
class DaysOfOdds:
    """What two bookmakers offer of a few events, drawn anew for each cycle."""

    database: Database
    seed: int = 1
    events: int = 4
    kickoffs: dict[str, datetime] = field(default_factory=dict)
    written: int = 0
    """Rows of history that the cycles have written, by their own account."""

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self._lates = 0
        self._offers: dict[tuple[str, str], dict[MarketKey, dict[str, str | None]]] = {}

    def write(self, first: date = FIRST_DAY, days: int = 3, *, cycles: int = CYCLES_A_DAY) -> None:
        """Write whole days of cycles, the first a minute after midnight."""
        for number in range(days):
            midnight = datetime.combine(first + timedelta(days=number), time(), UTC)
            for each in range(cycles):
                self.cycle(midnight + timedelta(minutes=1) + each * timedelta(days=1) / cycles)

    def cycle(self, at: datetime) -> None:
        """Write one cycle at this time."""
        answers = [
            answer(slug, str(number), at, self._offer(slug, str(number)), kickoff=self.kickoffs.get(str(number)))
            for slug in ("betpawa", "sportybet")
            for number in range(self.events)
            if (kickoff := self.kickoffs.get(str(number))) is None or at < kickoff
        ]
        self._commit(Cycle(at, dict.fromkeys(("betpawa", "sportybet"), (at, True)), answers))

    def late(self, at: datetime) -> None:
        """Write one row at this time, of an event of its own, whatever was written before."""
        offer: dict[MarketKey, dict[str, str | None]] = {("1x2", None): {"1": self._price() or "2.0"}}
        self._lates += 1
        self._commit(Cycle(at, {}, [answer("bet9ja", f"late-{self._lates}", at, offer)]))

    def _commit(self, cycle: Cycle) -> None:
        self.written += commit(self.database, cycle, guarded=False).inserted_history

    def _offer(self, slug: str, event: str) -> dict[MarketKey, dict[str, str | None]]:
        offer = self._offers.setdefault((slug, event), {})
        for market, keys in _MARKETS.items():
            if market[0] == "never-moves":
                offer.setdefault(market, dict.fromkeys(keys, "1.9"))
            elif market in offer and self._draw.random() < 0.1:
                del offer[market]
            elif self._draw.random() < 0.6:
                offer[market] = {key: self._price() for key in keys if self._draw.random() < 0.9} or {keys[0]: "2.0"}
        return {market: dict(outcomes) for market, outcomes in offer.items()}

    def _price(self) -> str | None:
        luck = self._draw.random()
        if luck < 0.1:
            return None
        if luck < 0.15:
            return f"{self._draw.randint(164_000, 900_000) / 1000}"
        return f"{self._draw.randint(101, 2_000) / 100}"


def history_rows(database: Database) -> list[tuple[Any, ...]]:
    """Every row of ``odds_history``, by market and time."""
    return query(
        database,
        "SELECT market_id, captured_at, run_id, state FROM odds_history_changes ORDER BY market_id, captured_at",
    )


def shown_rows(database: Database) -> list[dict[str, Any]]:
    """Every row of ``market_odds_history``, secondary listings not looked for, as the archive says it."""
    rows = query(
        database,
        """
        SELECT market_id, event_id, bookmaker_slug, external_event_id, betpawa_market_id, betpawa_market_name, line,
               outcomes, unavailable_at IS NOT NULL, captured_at, run_id, is_trusted
        FROM market_odds_history ORDER BY market_id, captured_at
        """,
    )
    return [dict(zip(_SHOWN, row, strict=True)) | {"outcomes": _exact(row[7])} for row in rows]


_SHOWN = (
    *("market_id", "event_id", "bookmaker_slug", "external_event_id", "betpawa_market_id", "betpawa_market_name"),
    *("line", "outcomes", "is_unavailable", "captured_at", "run_id", "is_trusted"),
)


def archived_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the history archive with the columns of ``shown_rows``."""
    return [{name: row[name] for name in _SHOWN} for row in rows]


def _exact(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        outcome | {"odds": None if outcome["odds"] is None else Decimal(str(outcome["odds"]))} for outcome in outcomes
    ]
