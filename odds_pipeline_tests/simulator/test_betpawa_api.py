"""betPawa's v4 protocol on the wire."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from odds_pipeline_tests.simulator.asking import V4, Asker


@pytest.fixture
def event(ask: Asker) -> dict[str, Any]:
    """A big match, with every market type."""
    ids = ask.event_ids("betpawa")
    return max((ask.event("betpawa", i).json() for i in ids[:40]), key=lambda e: len(e.get("markets", ())))


def market(event: dict[str, Any], market_id: str) -> dict[str, Any]:
    return next(m for m in event["markets"] if m["marketType"]["id"] == market_id)


def test_without_asking_for_json_the_answer_is_protobuf(ask: Asker) -> None:
    """B-47: an answer in another encoding than asked for is a sign of another API version."""
    url = f"{ask.simulator.urls['betpawa']}{V4}/categories/list/all"
    answer = ask.client.get(url, headers={"x-pawa-brand": "betpawa-nigeria", "accept": "*/*"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert answer.content[0] == 0x0A


def test_without_the_brand_the_request_is_bad(ask: Asker) -> None:
    url = f"{ask.simulator.urls['betpawa']}{V4}/categories/list/all"
    assert ask.client.get(url, headers={"accept": "application/json"}).status_code == 400


def test_every_v3_path_is_gone(ask: Asker) -> None:
    """B-47."""
    for path in ("categories/list/all", "events/lists/by-queries", "events/1"):
        answer = ask.get("betpawa", f"/api/sportsbook/v3/{path}")
        assert answer.status_code == 404
        assert answer.json()["code"] == "NOT_FOUND"


def test_an_unknown_event_is_not_found(ask: Asker) -> None:
    assert ask.event("betpawa", "1").status_code == 404
    assert ask.event("betpawa", "no-number").status_code == 404


def test_a_query_that_is_no_document_is_bad(ask: Asker) -> None:
    assert ask.get("betpawa", f"{V4}/events/lists/by-queries", q="{").status_code == 400


def test_sports_hold_counts_as_text_and_omit_zero(ask: Asker) -> None:
    football, basketball = ask.get("betpawa", f"{V4}/categories/list/all").json()["onlyMeta"]
    assert football["category"] == {"id": "2", "name": "Football"}
    assert football["eventCounts"]["upcoming"] == str(len(ask.event_ids("betpawa")))
    assert basketball["eventCounts"] == {}


def test_the_tree_holds_regions_and_competitions(ask: Asker) -> None:
    """B-30: the same competition name stands under several regions."""
    (football,) = ask.get("betpawa", f"{V4}/categories/list/2", includeRegions="true").json()["withRegions"]
    by_name: dict[str, set[str]] = {}
    for region in football["regions"]:
        for entry in region["competitions"]:
            by_name.setdefault(entry["competition"]["name"], set()).add(region["region"]["name"])
    assert max(map(len, by_name.values())) > 5


def test_a_page_holds_at_most_100_and_pages_cover_everything_with_an_overlap(ask: Asker) -> None:
    """B-35: the offer is larger than a page."""
    first, second = ask.betpawa_page(take=500), ask.betpawa_page(skip=100)
    assert len(first) == 100
    assert first[-1]["id"] == second[0]["id"]
    assert len({event["id"] for event in first + second}) == len(first) + len(second) - 1
    assert len(ask.event_ids("betpawa")) > 100


def test_a_list_can_be_limited_to_competitions_and_sorted(ask: Asker) -> None:
    competition = ask.betpawa_page()[0]["competition"]["id"]
    found = ask.betpawa_page(zones={"competitions": [competition]})
    assert found
    assert {event["competition"]["id"] for event in found} == {competition}
    assert ask.betpawa_page(categories=["3"]) == []


def test_a_list_holds_the_markets_asked_for(ask: Asker) -> None:
    assert "markets" not in ask.betpawa_page(take=1)[0]
    events = ask.betpawa_page(take=20, view={"marketTypes": ["3743"]})
    types = {m["marketType"]["id"] for event in events for m in event["markets"]}
    assert types == {"3743"}


def test_live_events_are_listed_apart_and_say_so(ask: Asker) -> None:
    live = ask.betpawa_page(eventType="LIVE")
    assert live
    answer = ask.event("betpawa", live[0]["id"]).json()
    assert answer["additionalInfo"]["live"] is True
    assert int(answer["results"]["display"]["minute"]) >= 0
    assert "markets" not in answer


def test_false_null_empty_and_zero_are_omitted(event: dict[str, Any]) -> None:
    """B-24: v4 leaves out what is false, null, empty or zero."""

    def omittable(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [x for v in value.values() for x in omittable(v)] + [
                v for k, v in value.items() if v in (False, None, "", 0) and k != "refund"
            ]
        return [x for item in value for x in omittable(item)] if isinstance(value, list) else []

    assert omittable(event) == []


def test_large_integers_are_text(event: dict[str, Any]) -> None:
    assert event["totalMarketCount"].isdigit()
    assert event["version"].isdigit()
    assert int(event["totalMarketCount"]) > len(event["markets"])


def test_the_sportradar_id_stands_twice_among_the_widgets(ask: Asker) -> None:
    """B-34."""
    events = [ask.event("betpawa", i).json() for i in ask.event_ids("betpawa")[:10]]
    ids = [[w["id"] for w in event["widgets"] if w["type"] == "SPORTRADAR"] for event in events]
    assert any(len(found) == 2 and found[0] == found[1] for found in ids)


def test_some_lists_lack_the_widgets_that_the_event_has(ask: Asker) -> None:
    listed = [event["id"] for skip in (0, 100) for event in ask.betpawa_page(skip=skip) if "widgets" not in event]
    assert listed
    assert all(
        any(w["type"] == "SPORTRADAR" for w in ask.event("betpawa", event).json()["widgets"]) for event in listed
    )


def test_some_events_have_no_sportradar_widget_at_all(ask: Asker) -> None:
    kinds = [{w["type"] for w in ask.event("betpawa", event).json()["widgets"]} for event in ask.event_ids("betpawa")]
    assert {"GENIUSSPORTS"} in kinds


@pytest.mark.parametrize(
    ("market_id", "widths"),
    [("4706", [3, 3, 3]), ("28000869", [2] * 13), ("28000047", [3, 3, 3, 3, 3, 2]), ("3743", [3])],
)
def test_many_outcomes_are_laid_out_over_rows(event: dict[str, Any], market_id: str, widths: list[int]) -> None:
    """B-01: the rows of one market."""
    rows = market(event, market_id)["row"]
    assert [len(row["prices"]) for row in rows] == widths
    assert ("id" in rows[0]) == (len(rows) == 1)


def test_a_combination_with_a_total_has_one_row_for_over_and_one_for_under_of_the_same_line(
    event: dict[str, Any],
) -> None:
    """B-01."""
    rows = [row for row in market(event, "1096755")["row"] if row["handicap"] == 10]
    assert [{price["name"].split(" - ")[1] for price in row["prices"]} for row in rows] == [{"Over"}, {"Under"}]


def test_a_handicap_is_the_home_line_times_four(event: dict[str, Any]) -> None:
    """B-20, B-21: total 2.5 is 10, Asian -0.5 is -2, European -1 is -4; Asian 0 is omitted."""
    total = next(r for r in market(event, "5000")["row"] if r["specifier"] == {"total": "2.5"})
    assert total["handicap"] == 10
    assert {p["handicap"] for p in total["prices"]} == {"2.5"}
    asian = {r["specifier"]["hcp"]: r for r in market(event, "3774")["row"]}
    assert asian["-0.5"]["handicap"] == -2
    assert [p["handicap"] for p in asian["-0.5"]["prices"]] == ["-0.5", "+0.5"]
    assert "handicap" not in asian["0"]
    european = {r["specifier"]["hcp"]: r for r in market(event, "4724")["row"]}
    assert european["-1"]["handicap"] == -4
    assert [p["handicap"] for p in european["-1"]["prices"]] == ["Home -1", "Home -1", "Away +1"]
    assert [p["specifier"]["hcp"] for p in european["-1"]["prices"]] == ["Home -1", "Home -1", "Away +1"]


def test_the_number_of_a_goal_is_a_line(event: dict[str, Any]) -> None:
    (row,) = market(event, "28000224")["row"]
    assert row["handicap"] == 4
    assert market(event, "28000224")["marketType"]["handicapType"] == "NUMBER_SPECIFIER"


def test_prices_are_numbers_with_at_most_two_decimals_and_suspension_is_a_flag(ask: Asker) -> None:
    """B-17: a suspended price may be 0, which is omitted, or look like any other."""
    events = [ask.event("betpawa", event).json() for event in ask.event_ids("betpawa")[:40]]
    prices = [p for e in events for m in e.get("markets", ()) for r in m["row"] for p in r["prices"]]
    suspended = [p for p in prices if p.get("suspended")]
    assert any("odds" in p for p in suspended)
    assert any("odds" not in p for p in suspended)
    active = [p["odds"] for p in prices if not p.get("suspended")]
    assert all(odds > 1 and Decimal(str(odds)) * 100 % 1 == 0 for odds in active)
