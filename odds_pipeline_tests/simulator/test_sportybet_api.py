"""SportyBet's protocol on the wire."""

from __future__ import annotations

import re
from typing import Any

import pytest

from odds_pipeline_tests.simulator.asking import SPORTYBET, Asker

PAIR = r"[a-z]+=[^|=]+"


@pytest.fixture(scope="module")
def markets(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """All markets of all events that have not kicked off."""
    with Asker(request.getfixturevalue("running")) as ask:
        answers = [ask.event("sportybet", event).json() for event in ask.event_ids("sportybet")]
    return [market for answer in answers for market in answer["data"]["markets"]]


def test_success_is_business_code_10000(ask: Asker) -> None:
    answer = ask.event("sportybet", ask.event_ids("sportybet")[-1]).json()
    assert (answer["bizCode"], answer["message"]) == (10000, "0#0")


def test_an_invalid_request_is_business_code_19000_with_http_200(ask: Asker) -> None:
    for answer in (
        ask.get("sportybet", f"{SPORTYBET}/event"),
        ask.get("sportybet", f"{SPORTYBET}/pcUpcomingEvents", sportId="sr:sport:1"),
        ask.get("sportybet", f"{SPORTYBET}/pcUpcomingEvents", sportId="sr:sport:1", marketId="1", pageNum="x"),
        ask.post("sportybet", f"{SPORTYBET}/pcEvents", [{"sportId": "sr:sport:1", "tournamentId": [[]]}]),
    ):
        assert answer.status_code == 200
        assert answer.json()["bizCode"] == 19000


def test_an_unknown_event_is_another_business_code(ask: Asker) -> None:
    """B-41."""
    answer = ask.event("sportybet", "sr:match:1")
    assert answer.status_code == 200
    assert answer.json()["bizCode"] not in (10000, 19000)
    assert answer.json()["data"] is None


def test_the_tree_holds_countries_tournaments_and_virtual_sports_apart(ask: Asker) -> None:
    """B-31: the category is the country."""
    sports = ask.get("sportybet", f"{SPORTYBET}/popularAndSportList", productId=3).json()["data"]["sportList"]
    football = next(s for s in sports if s["id"] == "sr:sport:1")
    assert football["eventSize"] == len(ask.event_ids("sportybet"))
    assert sum(c["eventSize"] for c in football["categories"]) == football["eventSize"]
    assert all(t["id"].startswith("sr:tournament:") for c in football["categories"] for t in c["tournaments"])
    assert not any(s["id"].startswith("sr:sport:1") for s in sports if s is not football)


def test_upcoming_events_are_paged_by_totalnum(ask: Asker) -> None:
    """B-35."""
    first = ask.get("sportybet", f"{SPORTYBET}/pcUpcomingEvents", sportId="sr:sport:1", marketId="1", pageSize=500)
    data = first.json()["data"]
    assert sum(len(t["events"]) for t in data["tournaments"]) == 100
    assert data["totalNum"] == len(ask.event_ids("sportybet")) > 100


def test_events_of_tournaments_come_in_one_list_with_every_line_of_the_markets_asked_for(ask: Asker) -> None:
    event = ask.sportybet_events()[-1]
    tournament = event["sport"]["category"]["tournament"]["id"]
    body = [{"sportId": "sr:sport:1", "marketId": "1,18", "tournamentId": [[tournament]]}]
    (answer,) = ask.post("sportybet", f"{SPORTYBET}/pcEvents", body).json()["data"]
    assert answer["id"] == tournament
    found = next(e for e in answer["events"] if e["eventId"] == event["eventId"])
    assert {m["id"] for m in found["markets"]} == {"1", "18"}
    full = ask.event("sportybet", event["eventId"]).json()["data"]["markets"]
    assert len([m for m in found["markets"] if m["id"] == "18"]) == len([m for m in full if m["id"] == "18"])
    nothing = [{"sportId": "sr:sport:1", "marketId": "1", "tournamentId": [["sr:tournament:1"]]}]
    assert ask.post("sportybet", f"{SPORTYBET}/pcEvents", nothing).json()["data"] == []


def test_the_event_id_is_the_sportradar_id_and_the_kick_off_is_in_milliseconds(ask: Asker) -> None:
    event = ask.sportybet_events()[-1]
    assert re.fullmatch(r"sr:match:\d+", event["eventId"])
    assert event["estimateStartTime"] % 60_000 == 0
    assert event["estimateStartTime"] > 1_700_000_000_000
    source = event["eventSource"]["preMatchSource"]
    assert source["sourceId"].endswith(event["eventId"].removeprefix("sr:match:"))


def test_some_sources_carry_a_prefix_of_ones(ask: Asker) -> None:
    sources = [event["eventSource"]["preMatchSource"] for event in ask.sportybet_events()]
    assert {source["sourceType"] for source in sources} == {"BET_RADAR", "BET_GENIUS"}
    assert all(s["sourceId"].startswith("1111111") for s in sources if s["sourceType"] == "BET_GENIUS")


def test_an_event_in_play_has_status_1_and_no_main_markets(ask: Asker) -> None:
    live = ask.get("sportybet", f"{SPORTYBET}/liveOrPrematchEvents", sportId="sr:sport:1").json()["data"]
    event_id = live[0]["events"][0]["eventId"]
    data = ask.event("sportybet", event_id).json()["data"]
    assert data["status"] == 1
    assert data["matchStatus"] in ("H1", "H2")
    assert data["markets"] == []


def test_every_specifier_follows_the_grammar(markets: list[dict[str, Any]]) -> None:
    specifiers = {m["specifier"] for m in markets if "specifier" in m}
    assert len(specifiers) > 100
    assert all(re.fullmatch(rf"{PAIR}(\|{PAIR})*", specifier) for specifier in specifiers)


def test_the_pairs_of_a_specifier_come_in_either_order(markets: list[dict[str, Any]]) -> None:
    orders = {m["specifier"] for m in markets if m["id"] == "105"}
    assert orders == {"from=1|to=10", "to=10|from=1"}


def test_three_way_handicaps_are_written_as_goals(markets: list[dict[str, Any]]) -> None:
    """B-20."""
    assert {"hcp=0:1", "hcp=1:0"} <= {m["specifier"] for m in markets if m["id"] == "14"}
    assert {"hcp=-0.5", "hcp=0.5", "hcp=0"} <= {m["specifier"] for m in markets if m["id"] == "16"}


def test_variants_stand_in_specifier_and_outcome_ids(markets: list[dict[str, Any]]) -> None:
    exact = next(m for m in markets if m["id"] == "21")
    assert exact["specifier"] == "variant=sr:exact_goals:6+"
    assert all(o["id"].startswith("sr:exact_goals:6+:") for o in exact["outcomes"])


def test_player_markets_name_match_and_player(markets: list[dict[str, Any]]) -> None:
    booked = [m for m in markets if m["id"] == "800117"]
    assert booked
    assert all(re.fullmatch(r"variant=pre:playerprops:\d+:\d+", m["specifier"]) for m in booked)
    scorers = next(m for m in markets if m["id"] == "40")
    assert all(o["id"].startswith("sr:player:") for o in scorers["outcomes"])


def test_a_market_is_not_offered_by_status_or_ban_whatever_its_outcomes_say(markets: list[dict[str, Any]]) -> None:
    """B-15."""
    assert {m["status"] for m in markets} == {0, 1, 2}
    assert any(m["banned"] for m in markets)
    assert any(o["isActive"] == 1 for m in markets if m["status"] for o in m["outcomes"])


def test_an_inactive_outcome_shows_no_price_or_a_plausible_one(markets: list[dict[str, Any]]) -> None:
    prices = {o["odds"] for m in markets for o in m["outcomes"] if not o["isActive"]}
    assert {"0.00", "1.00"} < prices


def test_prices_are_text_with_two_decimals(markets: list[dict[str, Any]]) -> None:
    assert all(re.fullmatch(r"\d+\.\d\d", o["odds"]) for m in markets for o in m["outcomes"])


def test_optional_fields_are_missing_or_empty_in_some_markets(markets: list[dict[str, Any]]) -> None:
    """B-24."""
    for field in ("name", "group", "specifier", "lastOddsChangeTime"):
        assert any(field not in m for m in markets)
    assert any(m.get("name") == "" for m in markets)
    assert all(m["desc"] for m in markets)


def test_one_market_stands_once_per_specifier(ask: Asker) -> None:
    markets = ask.event("sportybet", ask.event_ids("sportybet")[-1]).json()["data"]["markets"]
    identities = [(m["id"], frozenset(m.get("specifier", "").split("|"))) for m in markets]
    assert len(identities) == len(set(identities)) > 50
