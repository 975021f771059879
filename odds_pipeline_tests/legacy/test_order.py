"""Days imported before, between or after cycles: the same history comes out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from odds_pipeline.database.engine import Database
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.legacy.hand_made import at, change, imported

MARKETS: list[MarketKey] = [("3743", None), ("5000", None)]
DAYS = (3, 4, 5)
OURS_SINCE = at(5, 12)

_offers = st.dictionaries(st.sampled_from("12X"), st.sampled_from(["1.50", "2.25", None]), max_size=3)
_event = count(1)

Seen = dict[datetime, dict[MarketKey, Mapping[str, str | None]]]


@st.composite
def seen(draw: st.DrawFn) -> Seen:
    """What an earlier system saw of an event: per moment, the markets that changed."""
    moments = draw(st.lists(st.integers(0, 24 * len(DAYS) - 1), min_size=1, max_size=6, unique=True))
    return {
        at(DAYS[0], 0) + timedelta(hours=hour): {
            market: draw(_offers) for market in draw(st.lists(st.sampled_from(MARKETS), min_size=1, unique=True))
        }
        for hour in sorted(moments)
    }


def history_of(database: Database, event: str) -> list[tuple[Any, ...]]:
    return query(
        database,
        """
        SELECT betpawa_market_id, captured_at, outcomes, unavailable_at FROM market_odds_history
        WHERE external_event_id = %s ORDER BY 1, 2
        """,
        [event],
    )


def current_of(database: Database, event: str) -> list[tuple[Any, ...]]:
    return query(
        database,
        """
        SELECT betpawa_market_id, outcomes, unavailable_at, last_updated_at FROM market_odds_current
        WHERE external_event_id = %s ORDER BY 1
        """,
        [event],
    )


def by_key(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Outcomes in an order of their own: that of a set depends on who was first."""
    return [
        tuple(sorted(value, key=lambda each: each["key"]) if isinstance(value, list) else value for value in row)
        for row in rows
    ]


# Without shrinking, which would take minutes: each example is a dozen transactions.
@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    earlier=seen(),
    ours=st.lists(_offers.filter(bool), min_size=0, max_size=2),
    began=st.integers(0, len(DAYS)),
)
def test_cycles_before_between_and_after_imports_give_the_same_history(
    database: Database, earlier: Seen, ours: list[Mapping[str, str | None]], began: int
) -> None:
    histories = []
    for steps in ([*DAYS, "ours"], [*DAYS[:began], "ours", *DAYS[began:]]):
        event = str(next(_event))
        for number, step in enumerate(steps):
            # Before ours began the earlier system had seen nothing of later; what it saw afterwards does not count.
            until = OURS_SINCE if ours and "ours" not in steps[:number] else at(25, 12)
            if isinstance(step, int):
                rows = [
                    change(moment, offer, market=market, event=event, kickoff=at(25, 12))
                    for moment, markets in earlier.items()
                    if moment.day == step and moment < until
                    for market, offer in markets.items()
                ]
                imported(database, step, *rows, source=f"system of event {event}")
            else:
                for each, offer in enumerate(ours):
                    moment = OURS_SINCE + timedelta(minutes=5 * each)
                    markets = {MARKETS[0]: dict(offer)}
                    commit(database, Cycle(moment, {}, [answer("betpawa", event, moment, markets, kickoff=at(25, 12))]))
        histories.append((by_key(history_of(database, event)), by_key(current_of(database, event))))
    assert histories[0] == histories[1]
    assert rebuild_current(database).repaired == 0
