"""What it means that a listing is absent: kick-offs, discoveries, the guard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from odds_pipeline.odds.absence import LISTED, Absence, judge

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def listed(listing_id: int = 1, **heard: Any) -> dict[str, Any]:
    """A listing that was answered five minutes ago, kicks off tomorrow, and is discovered and offered."""
    return {
        "listing_id": listing_id,
        "kickoff": at(1440),
        "last_answer_at": at(-5),
        "missing_since": None,
        "is_discovered": True,
        "is_offered": True,
        "started_at": None,
    } | heard


def judged(*rows: dict[str, Any], discovery_at: datetime | None = NOON, guarded: bool = True) -> Absence:
    return judge(
        pl.DataFrame(list(rows), schema=dict(LISTED)),
        as_of=at(1),
        discovery_at=discovery_at,
        guard_share=0.3,
        guard_least_events=20,
        guarded=guarded,
    )


def ended(*rows: dict[str, Any], discovery_at: datetime | None = NOON) -> dict[int, datetime]:
    return dict(judged(*rows, discovery_at=discovery_at).ended.iter_rows())


ABSENT = {"is_discovered": False, "is_offered": False}
FAILED = {"is_offered": False}


def test_a_listing_that_a_complete_discovery_lacks_is_gone_when_the_discovery_arrived() -> None:
    """B-12."""
    assert ended(listed(**ABSENT)) == {1: NOON}


def test_without_a_complete_discovery_nothing_is_absent() -> None:
    """B-13."""
    assert ended(listed(**ABSENT), discovery_at=None) == {}


def test_a_listing_that_is_discovered_and_fails_to_answer_stays() -> None:
    assert ended(listed(**FAILED)) == {}


def test_a_listing_answered_after_the_discovery_is_not_gone_by_it() -> None:
    assert ended(listed(**ABSENT, last_answer_at=at(0.5))) == {}


@pytest.mark.parametrize("discovery_at", [NOON, None])
@pytest.mark.parametrize("heard", [FAILED, ABSENT], ids=["failed", "absent"])
def test_a_match_ends_at_its_kickoff_by_itself(heard: dict[str, Any], discovery_at: datetime | None) -> None:
    assert ended(listed(**heard, kickoff=at(-2)), discovery_at=discovery_at) == {1: at(-2)}


def test_a_match_still_offered_after_its_kickoff_is_late_and_goes_on() -> None:
    assert ended(listed(kickoff=at(-2))) == {}
    assert ended(listed(**FAILED, kickoff=at(-10))) == {}


def test_a_late_match_ends_when_it_is_no_longer_listed_or_said_to_be_in_play() -> None:
    assert ended(listed(**ABSENT, kickoff=at(-10))) == {1: NOON}
    assert ended(listed(**FAILED, kickoff=at(-10), started_at=at(0.5))) == {1: at(0.5)}


def test_a_match_in_play_before_its_announced_kickoff_ends_when_it_is_said_to_be() -> None:
    assert ended(listed(**FAILED, started_at=at(0.5))) == {1: at(0.5)}


def test_a_match_in_play_ends_at_its_kickoff_if_that_came_first() -> None:
    assert ended(listed(**FAILED, kickoff=at(-1), started_at=at(0.5))) == {1: at(-1)}


def offer(events: int, vanished: int, **missing: Any) -> list[dict[str, Any]]:
    return [listed(number, **(ABSENT | missing if number < vanished else {})) for number in range(events)]


@pytest.mark.parametrize(
    ("events", "vanished", "holds"), [(20, 6, False), (20, 7, True), (19, 19, False), (100, 31, True)]
)
def test_the_guard_holds_when_more_than_thirty_percent_of_at_least_twenty_vanish(
    events: int, vanished: int, holds: bool
) -> None:
    absence = judged(*offer(events, vanished))
    assert absence.guard_held is holds
    assert absence.ended.height == (0 if holds else vanished)
    assert absence.missing.to_list() == (list(range(vanished)) if holds else [])


def test_the_guard_lets_go_when_a_second_discovery_agrees() -> None:
    absence = judged(*offer(100, 40, missing_since=at(-5)))
    assert absence.ended.height == 40


def test_those_that_vanish_only_at_the_second_discovery_are_guarded_on_their_own() -> None:
    rows = [
        *offer(100, 10, missing_since=at(-5)),
        *(row | {"listing_id": 100 + row["listing_id"]} for row in offer(90, 80)),
    ]
    absence = judged(*rows)
    assert absence.guard_held
    assert set(absence.ended["listing_id"]) == set(range(10))
    assert set(absence.missing) == set(range(100, 180))


def test_kicked_off_events_do_not_count_for_the_guard() -> None:
    rows = [listed(number, **ABSENT, kickoff=at(-1)) for number in range(50)]
    absence = judged(*rows, *(listed(100 + number) for number in range(20)))
    assert not absence.guard_held
    assert absence.ended.height == 50


def test_replaying_whole_offers_switches_the_guard_off() -> None:
    absence = judged(*offer(100, 90), guarded=False)
    assert not absence.guard_held
    assert absence.ended.height == 90
