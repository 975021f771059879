"""The hand-made world is what its table says, as the views show it."""

from __future__ import annotations

from datetime import UTC, datetime

from odds_pipeline.database.engine import Database
from odds_pipeline_tests.analysis.hand_made import CYCLES, OVER_UNDER_3, RESULT, hand_made, moment
from odds_pipeline_tests.database.reading import current, errors, history, query


def test_the_views_show_what_the_table_says(database: Database) -> None:
    world = hand_made(database)
    assert len(world.events) == 4
    assert len(world.tournaments) == 2
    now = current(database)
    assert len(now) == 15
    derby = now["betpawa", "p1", *RESULT]
    assert derby.outcomes == {"3744": "1.9", "3745": "3.5", "3746": "4.1"}
    assert (derby.last_updated_at, derby.last_confirmed_at) == (moment(3, "betpawa"), moment(6, "betpawa"))
    assert not derby.is_stale
    failing = now["bet9ja", "n1", *RESULT]
    assert (failing.last_confirmed_at, failing.is_stale) == (moment(3, "bet9ja"), True)
    ended = now["betpawa", "p2", *RESULT]
    assert ended.unavailable_at == datetime(2026, 11, 20, 12, 8, tzinfo=UTC)
    assert now["betpawa", "p1", "3795", None].outcomes == {"3796": "1.75", "3797": "(2.1)"}


def test_a_market_goes_and_returns(database: Database) -> None:
    hand_made(database)
    rows = history(database, ("betpawa", "p1", *OVER_UNDER_3))
    assert [(row.captured_at, row.outcomes, row.unavailable_at is not None) for row in rows] == [
        (moment(1, "betpawa"), {"5001": "2.5", "5002": "1.5"}, False),
        (moment(3, "betpawa"), {"5001": "2.5", "5002": "1.5"}, True),
        (moment(5, "betpawa"), {"5001": "2.6", "5002": "1.45"}, False),
    ]


def test_a_kickoff_moves_and_a_bookmaker_fails(database: Database) -> None:
    world = hand_made(database)
    assert query(
        database,
        "SELECT known_since, kickoff FROM event_kickoffs WHERE event_id = %s ORDER BY known_since",
        [world.events["moved"]],
    ) == [
        (CYCLES[0], datetime(2026, 11, 22, 18, tzinfo=UTC)),
        (CYCLES[2], datetime(2026, 11, 22, 20, tzinfo=UTC)),
    ]
    timeouts = [(bookmaker, listing) for bookmaker, listing, kind, _ in errors(database) if kind == "timeout"]
    assert sorted(timeouts, key=str) == [("bet9ja", "n1")] * 3 + [("bet9ja", None)]
    runs = query(database, "SELECT status, started_at FROM scrape_runs ORDER BY id")
    assert [status for status, _ in runs] == ["completed"] * 3 + ["partial"] * 3
    assert tuple(started for _, started in runs) == CYCLES
