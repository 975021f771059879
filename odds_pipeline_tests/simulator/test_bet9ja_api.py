"""Bet9ja's protocol on the wire."""

from __future__ import annotations

import re
from typing import Any

import pytest

from odds_pipeline_tests.simulator.asking import BET9JA, Asker


@pytest.fixture(scope="module")
def events(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The answers about all events that have not kicked off."""
    with Asker(request.getfixturevalue("running")) as ask:
        answers = [ask.event("bet9ja", event).json()["D"] for event in ask.event_ids("bet9ja")]
    return [answer for answer in answers if "STARTDATE" in answer]


def test_without_a_referer_the_answer_is_403(ask: Asker) -> None:
    answer = ask.client.get(f"{ask.simulator.urls['bet9ja']}{BET9JA}/GetSports")
    assert answer.status_code == 403


def test_success_is_ok_and_an_unknown_event_is_e(ask: Asker) -> None:
    """B-38, B-41."""
    assert ask.event("bet9ja", ask.event_ids("bet9ja")[0]).json()["R"] == "OK"
    for unknown in ("1", "", "x"):
        answer = ask.event("bet9ja", unknown)
        assert answer.status_code == 200
        assert answer.json()["R"] == "E"


def test_the_tree_is_keyed_by_sport_country_and_tournament(ask: Asker) -> None:
    """B-31, B-32: the tournament id is the key."""
    sports = ask.get("bet9ja", f"{BET9JA}/GetSports", DISP=0).json()["D"]["PAL"]
    football = sports["1"]
    assert football["S_DESC"] == "Soccer"
    assert football["NUM"] == len(ask.event_ids("bet9ja"))
    countries = football["SG"].values()
    assert {group["G_DESC"] for country in countries for group in country["G"].values()}
    assert "2" in sports


def test_a_group_lists_events_as_a_list_or_as_an_object(ask: Asker) -> None:
    kinds = {
        type(ask.get("bet9ja", f"{BET9JA}/GetEventsInGroupV2", GROUPID=group).json()["D"]["E"])
        for group in ask.bet9ja_groups()
    }
    assert kinds == {list, dict}


def test_the_older_list_says_the_same(ask: Asker) -> None:
    group = ask.bet9ja_groups()[0]
    newer, older = (
        ask.get("bet9ja", f"{BET9JA}/{n}", GROUPID=group) for n in ("GetEventsInGroupV2", "GetEventsInGroup")
    )
    assert newer.json() == older.json()


def test_a_list_shows_only_popular_markets(ask: Asker, events: list[dict[str, Any]]) -> None:
    """B-42: the full book needs the event."""
    listed = ask.bet9ja_events()[-1]
    assert {key.split("_")[1].partition("@")[0] for key in listed["O"]} <= {"1X2", "DC", "OU", "GGNG"}
    assert max(len(event["O"]) for event in events) > 800


def test_the_kick_off_is_utc_without_a_marker(events: list[dict[str, Any]]) -> None:
    """B-37."""
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:00", event["STARTDATE"]) for event in events)


def test_some_events_have_no_sportradar_id(events: list[dict[str, Any]]) -> None:
    assert any(event["EXTID"] == "" for event in events)
    assert all(event["EXTID"].isdigit() for event in events if event["EXTID"])


def test_every_key_follows_the_grammar(events: list[dict[str, Any]]) -> None:
    keys = {key for event in events for key in event["O"]}
    assert len(keys) > 1000
    assert all(re.fullmatch(r"S_[A-Z0-9-]+(@-?\d+(\.\d+)?)?_.+", key) for key in keys)
    assert {key.count("_") for key in keys} == {2}


def test_home_and_away_totals_swap_letters_between_full_time_and_halves(events: list[dict[str, Any]]) -> None:
    """B-22."""
    keys = {key for event in events for key in event["O"]}
    assert {f"S_HAOU@1.5_{o}" for o in ("OH", "UH", "OA", "UA")} <= keys
    assert {f"S_HA1HOU@0.5_{o}" for o in ("HO", "HU", "AO", "AU")} <= keys


def test_handicap_suffixes_differ_by_half(events: list[dict[str, Any]]) -> None:
    keys = {key for event in events for key in event["O"]}
    assert {"S_1X2HND@-1_1H", "S_1X2HNDHT@-1_1", "S_1X2HND2TN@1_X"} <= keys


def test_asian_totals_have_quarter_and_whole_lines_of_their_own(events: list[dict[str, Any]]) -> None:
    keys = {key for event in events for key in event["O"]}
    assert {"S_OUA@2.25_O", "S_OUA@3_U"} <= keys
    assert "S_OU@2.25_O" not in keys


def test_not_offered_is_the_text_1(events: list[dict[str, Any]]) -> None:
    """B-16: some keys of most events, sometimes a whole market."""
    shares = [sum(v == "1" for v in event["O"].values()) / len(event["O"]) for event in events]
    assert 0.01 < sum(shares) / len(shares) < 0.08
    assert all(isinstance(v, str) for event in events for v in event["O"].values())
    assert not any(v in ("1.0", "1.00") for event in events for v in event["O"].values())


def test_metadata_describes_every_key(events: list[dict[str, Any]]) -> None:
    for event in events:
        described = {entry["ID"]: set(entry["SGNK"]) for entry in event["MK"]}
        for key in event["O"]:
            prefix, market, outcome = key.split("_", 2)
            market_id = f"{prefix}_{market.partition('@')[0]}"
            assert outcome in described[market_id]
            if "@" in market:
                assert market.partition("@")[2] in {str(line).removesuffix(".0") for line in event["AUX"][market_id]}


def test_lines_come_as_an_object_or_as_a_list(events: list[dict[str, Any]]) -> None:
    assert {type(event["AUX"]["S_OU"]) for event in events} == {dict, list}


def test_translations_are_more_than_half_of_the_answer(ask: Asker) -> None:
    answer = ask.event("bet9ja", ask.event_ids("bet9ja")[-1])
    size = len(str(answer.json()["D"]["TRANS"]))
    assert size > len(answer.content) / 2
    assert 120_000 < size < 200_000


def test_an_event_in_play_has_live_keys_with_objects_and_no_kick_off(ask: Asker) -> None:
    answers = [ask.event("bet9ja", event).json()["D"] for event in ask.event_ids("bet9ja")[:3]]
    live = [answer for answer in answers if "STARTDATE" not in answer]
    assert live
    assert all(key.startswith("LIVES_") and "v" in value for key, value in live[0]["O"].items())
    assert live[0]["SID"] == 3_000_001
