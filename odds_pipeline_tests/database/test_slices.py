"""A cycle that holds and changes more markets than are handled at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from odds_pipeline.database import current_keys, states
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import current, history_count

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LINES: list[MarketKey] = [("5000", Decimal(number) + Decimal("0.5")) for number in range(7)]


def test_markets_of_every_slice_get_what_was_observed_of_them(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "_SLICE", 2)
    monkeypatch.setattr(current_keys, "_MARKETS_OF_PART", 3)
    for number in range(2):
        at = T0 + number * timedelta(minutes=5)
        # Each market at a price of its own; those at an even place stay as they are.
        offer = {
            line: {"over": f"{2 + place}.{1 + (number if place % 2 else 0)}", "under": "1.5"}
            for place, line in enumerate(LINES)
        }
        record = commit(database, Cycle(at, {}, [answer("betpawa", id, at, offer) for id in ("e", "f")]))
        assert (record.new, record.changed) == ((14, 0), (0, 6))[number]
        stored = current(database)
        assert {(id, line): stored["betpawa", id, *line].outcomes for id in ("e", "f") for line in LINES} == {
            (id, line): offer[line] for id in ("e", "f") for line in LINES
        }
    assert history_count(database) == 14 + 6
