"""A folder of answers served as an offer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from odds_pipeline.clock import ManualClock
from odds_pipeline.simulator import CapturesError, Simulator
from odds_pipeline_tests.captures import CAPTURES, EVENT_CAPTURES, capture, needs_captures
from odds_pipeline_tests.simulator.asking import Asker

LONG_AFTER = datetime(2031, 1, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Answers of all three bookmakers about one match, taken from a simulated world, and things that are none."""
    with Simulator(events=5, clock=ManualClock(LONG_AFTER - timedelta(days=900))) as simulator, Asker(simulator) as ask:
        for slug in ("betpawa", "sportybet", "bet9ja"):
            (tmp_path / slug).mkdir()
            event = ask.event_ids(slug)[-1]
            (tmp_path / slug / "event.json").write_bytes(ask.event(slug, event).content)
    (tmp_path / "bet9ja" / "market-names.json").write_text('{"S_1X2": "1X2"}')
    (tmp_path / "betpawa" / "broken.json").write_text("{")
    return tmp_path


def test_each_answer_is_listed_and_served_as_it_is(folder: Path) -> None:
    """Long after its kick-off too: it does not count as started."""
    with Simulator(captures=folder, clock=ManualClock(LONG_AFTER)) as simulator, Asker(simulator) as ask:
        for slug in ("betpawa", "sportybet", "bet9ja"):
            (event,) = ask.event_ids(slug)
            assert ask.event(slug, event).content == (folder / slug / "event.json").read_bytes()
        assert ask.betpawa_page(eventType="LIVE") == []


def test_the_lists_say_what_the_answers_say(folder: Path) -> None:
    sportybet = json.loads((folder / "sportybet" / "event.json").read_bytes())["data"]
    with Simulator(captures=folder) as simulator, Asker(simulator) as ask:
        (event,) = ask.sportybet_events("1,18")
        for field in ("eventId", "estimateStartTime", "homeTeamName", "awayTeamName", "sport"):
            assert event[field] == sportybet[field]
        assert {m["id"] for m in event["markets"]} == {"1", "18"}
        (event,) = ask.betpawa_page(view={"marketTypes": ["3743"]})
        assert [m["marketType"]["id"] for m in event["markets"]] == ["3743"]
        (event,) = ask.bet9ja_events()
        assert {"S_1X2_1", "S_1X2_X", "S_1X2_2"} <= event["O"].keys()


def test_a_folder_without_answers_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CapturesError, match="holds no captured answers; put them into"):
        Simulator(captures=tmp_path).start()


@needs_captures
def test_the_real_captures_are_served_byte_for_byte() -> None:
    with Simulator(captures=CAPTURES) as simulator, Asker(simulator) as ask:
        served = {ask.event(slug, e).content for slug in simulator.urls for e in ask.event_ids(slug)}
    assert served == {capture(slug, name).read_bytes() for slug, name in EVENT_CAPTURES}
