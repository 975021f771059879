"""Events missed once under the guard: remembered until a discovery lists them again, asked or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from odds_pipeline.database.engine import Database
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVENTS = [str(number) for number in range(30)]


def offer(minutes: int, events: list[str], *, not_asked: tuple[str, ...] = ()) -> Cycle:
    at = NOON + timedelta(minutes=minutes)
    kickoff = NOON + timedelta(days=2)
    said = [answer("betpawa", event, at, {("3743", None): {"1": "2.0"}}, kickoff=kickoff) for event in events]
    said += [answer("betpawa", event, at, status="not_asked", kickoff=kickoff) for event in not_asked]
    return Cycle(at, {"betpawa": (at, True)}, said)


def test_an_event_listed_again_but_not_asked_is_no_longer_missing(database: Database) -> None:
    commit(database, offer(0, EVENTS))
    assert commit(database, offer(5, EVENTS[:15])).guard_held == ("betpawa",)
    commit(database, offer(10, EVENTS[:15], not_asked=tuple(EVENTS[15:])))

    record = commit(database, offer(15, EVENTS[:15]))

    assert (record.unavailable, record.guard_held) == (0, ("betpawa",))


def test_events_missed_by_a_second_discovery_too_are_gone(database: Database) -> None:
    commit(database, offer(0, EVENTS))
    commit(database, offer(5, EVENTS[:15]))
    assert commit(database, offer(10, EVENTS[:15])).unavailable == 15
