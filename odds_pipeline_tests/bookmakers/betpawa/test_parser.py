"""betPawa's event answer, v4 and v3."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from odds_pipeline.bookmakers.base import ParseFailure, UnexpectedContent
from odds_pipeline.bookmakers.betpawa.parser import parse_event, teams_of
from odds_pipeline.odds.observation import AnswerStatus, Listing, ParsedAnswer
from odds_pipeline_tests.bookmakers.answers import (
    MAPPER,
    betpawa_1x2,
    betpawa_event,
    betpawa_market,
    betpawa_price,
    betpawa_sample,
    betpawa_totals,
    body,
    by_identity,
    prices,
)


def parse(event: dict[str, Any]) -> ParsedAnswer:
    answer = parse_event(body(event), MAPPER)
    assert answer.is_balanced()
    return answer


def test_the_listing_is_read_from_the_right_fields() -> None:
    """B-31, B-34, B-36: region, competition, the SPORTRADAR widget, position 1 at home, aware UTC."""
    assert parse(betpawa_sample()).listing == Listing(
        bookmaker="betpawa",
        external_event_id="40100001",
        sportradar_id="90000001",
        sport="football",
        country="Nigeria",
        tournament="Premier Division",
        home_team="Lagos Rovers",
        away_team="Abuja City",
        kickoff=datetime(2030, 3, 2, 15, tzinfo=UTC),
    )


def test_outcomes_stand_under_price_type_ids_with_betpawas_words() -> None:
    """B-15, B-17, B-25: a suspended outcome is kept, inactive, and its price is not read."""
    answer = parse(betpawa_event(betpawa_1x2()))
    (market,) = answer.observations
    assert answer.status is AnswerStatus.COMPLETE
    assert (market.betpawa_market_id, market.betpawa_market_name) == ("3743", "1X2 - FT")
    assert (market.source_market_id, market.source_specifier, market.line) == ("3743", None, None)
    assert market.market_groups == ["popular"]
    assert prices(market) == {"3744": ("1", "2.35", True), "3745": ("X", "3.2", True), "3746": ("2", None, False)}


def test_rows_of_one_market_and_line_are_one_market() -> None:
    """B-01: display rows are concatenated; each line is a market of its own (B-09)."""
    found = by_identity(parse(betpawa_sample()))
    assert len(found["4706", None].outcomes) == 9
    assert [line for market, line in found if market == "5000"] == ["0.5", "1.5", "2.5"]
    over = betpawa_market(
        "1096755",
        "1X2 and Totals - FT",
        {"handicap": 10, "prices": [betpawa_price("1099337", "1 - Over", 4.1)]},
        {"handicap": 10, "prices": [betpawa_price("1099340", "1 - Under", 4.6)]},
        handicapType="NORMAL",
    )
    assert set(prices(by_identity(parse(betpawa_event(over)))["1096755", "2.5"])) == {"1099337", "1099340"}


@pytest.mark.parametrize(
    ("handicap_type", "handicap", "line", "kind", "home", "away"),
    [
        ("NORMAL", 10, "2.5", "over_under", None, None),
        ("NORMAL", 9, "2.25", "over_under", None, None),
        ("ASIAN", -2, "-0.5", "asian", "-0.5", "0.5"),
        ("ASIAN", 0, "0", "asian", "0", "0"),
        ("EUROPEAN", -4, "-1", "european", "-1", "1"),
        ("NUMBER_SPECIFIER", 4, "1", "number", None, None),
        ("NORMAL", "10", "2.5", "over_under", None, None),
    ],
)
def test_a_line_is_a_quarter_of_the_row_handicap(
    handicap_type: str, handicap: Any, line: str, kind: str, home: str | None, away: str | None
) -> None:
    """B-20, B-21: from the home side's view, European handicaps too, whose prices say `Home -1`."""
    row = {"handicap": handicap, "prices": [betpawa_price("1", "1", 2.5, handicap="Home -1")]}
    (market,) = parse(betpawa_event(betpawa_market("77", "M", row, handicapType=handicap_type))).observations
    assert (market.line, market.handicap_type) == (Decimal(line), kind)
    assert market.handicap_home == (None if home is None else Decimal(home))
    assert market.handicap_away == (None if away is None else Decimal(away))


def test_line_zero_is_not_no_line() -> None:
    """B-26."""
    row = {"handicap": 0, "prices": [betpawa_price("1", "1", 2.5)]}
    with_line = parse(betpawa_event(betpawa_market("77", "M", row, handicapType="ASIAN"))).observations[0]
    without = parse(betpawa_event(betpawa_market("77", "M", {"prices": row["prices"]}))).observations[0]
    assert with_line.line == Decimal(0)
    assert without.line is None


@pytest.mark.parametrize("said", [{}, {"handicap": "0"}, {"handicap": "+0.0"}, {"handicap": "Home 0"}])
def test_v4_omits_a_handicap_of_zero(said: dict[str, str]) -> None:
    """B-24: v4 leaves out every 0."""
    row = {"prices": [betpawa_price("3775", "1", 2.4, **said)]}
    answer = parse(betpawa_event(betpawa_market("3774", "Asian Handicap - FT", row, handicapType="ASIAN")))
    assert by_identity(answer)["3774", "0"]


@pytest.mark.parametrize(
    ("handicap_type", "row"),
    [
        ("ASIAN", {"prices": [betpawa_price("3775", "1", 2.4, handicap="-0.5")]}),
        ("EUROPEAN", {"prices": [betpawa_price("4725", "1", 2.4, handicap="Home -1")]}),
        ("NORMAL", {"prices": [betpawa_price("5001", "Over", 2.4, handicap="2.5")]}),
        ("NORMAL", {"handicap": None, "prices": [betpawa_price("5001", "Over", 2.4)]}),
        ("NORMAL", {"handicap": "ten", "prices": [betpawa_price("5001", "Over", 2.4)]}),
        ("NORMAL", {"handicap": True, "prices": [betpawa_price("5001", "Over", 2.4)]}),
    ],
)
def test_a_line_that_cannot_be_read_makes_the_answer_prove_nothing(handicap_type: str, row: dict[str, Any]) -> None:
    """A renamed handicap must not become a line: its real lines would look absent."""
    answer = parse(betpawa_event(betpawa_1x2(), betpawa_market("77", "M", row, handicapType=handicap_type)))
    assert (answer.status, answer.reason) == (AnswerStatus.FAILED, "unidentified_market")
    assert [one.betpawa_market_id for one in answer.observations] == ["3743"]
    assert [(one.betpawa_market_id, one.reason) for one in answer.refused] == [(None, "unidentified_market")]
    assert answer.outcomes_refused == {"unidentified_market": 1}


def test_a_new_kind_of_handicap_does_not_spoil_the_answer() -> None:
    """B-24: with a handicap it is a line all the same, without one there is none."""
    prices_of = {"prices": [betpawa_price("1", "1", 2.5)]}
    new = betpawa_market("77", "M", {"handicap": 6, **prices_of}, prices_of, handicapType="PLAYER")
    answer = parse(betpawa_event(new))
    assert answer.status is AnswerStatus.COMPLETE
    assert {(one.line, one.handicap_type) for one in answer.observations} == {(Decimal("1.5"), None), (None, None)}


def test_v3_and_v4_of_one_answer_say_the_same() -> None:
    """B-24: v4 omits what is false, null or empty and renames `price`."""
    v3 = betpawa_sample() | {"results": None, "totalMarketCount": 3, "additionalInfo": {"live": False}}
    for market in v3["markets"]:
        market["marketType"].setdefault("handicapType", "")
        for row in market["row"]:
            row.setdefault("handicap", None)
            row["formattedHandicap"] = None
            for price in row["prices"]:
                price["price"] = price.pop("odds")
                price.setdefault("suspended", False)
                price.setdefault("handicap", None)
    old, new = parse(v3), parse(betpawa_sample())
    assert old.observations == new.observations
    assert old.listing == new.listing


def test_an_active_price_of_100_stands() -> None:
    """B-17: the flag decides, never the price."""
    row = {"prices": [betpawa_price("28000036", "1:0, 2:0 or 3:0", 100.0)]}
    (market,) = parse(betpawa_event(betpawa_market("28000035", "Multiscores - FT", row))).observations
    assert prices(market)["28000036"][1:] == ("100", True)


@pytest.mark.parametrize("odds", [0, 0.0, None])
def test_an_active_price_of_zero_refuses_its_market_alone(odds: float | None) -> None:
    """B-17: never stored, never dropped silently."""
    spoiled = betpawa_1x2()
    spoiled["row"][0]["prices"][0] = betpawa_price("3744", "1", odds)
    answer = parse(betpawa_event(spoiled, betpawa_totals(10)))
    assert answer.status is AnswerStatus.COMPLETE
    assert [one.betpawa_market_id for one in answer.observations] == ["5000"]
    (refusal,) = answer.refused
    assert refusal.betpawa_market_id == "3743"
    reason = "price_missing" if odds is None else "price_too_low"
    assert answer.outcomes_refused == {reason: 1, "market_refused": 2}


def test_a_suspended_price_of_zero_is_inactive() -> None:
    """B-15, B-17."""
    market = betpawa_1x2()
    market["row"][0]["prices"][0] |= {"odds": 0.0, "suspended": True}
    (found,) = parse(betpawa_event(market)).observations
    assert prices(found)["3744"] == ("1", None, False)


@pytest.mark.parametrize("more", [{"additionalInfo": {"live": True}}, {"results": {"display": {"minute": "12"}}}])
def test_an_event_in_play_is_started_not_without_markets(more: dict[str, Any]) -> None:
    answer = parse(betpawa_event(betpawa_1x2(), **more))
    assert (answer.status, answer.observations, answer.refused) == (AnswerStatus.STARTED, [], [])
    assert answer.outcomes_not_offered == {"started": 3}


@pytest.mark.parametrize("markets", [[], None, {}])
def test_an_event_without_markets_proves_nothing(markets: Any) -> None:
    """B-13: an empty answer is not an empty offer."""
    answer = parse(betpawa_event() | {"markets": markets})
    assert (answer.status, answer.reason) == (AnswerStatus.FAILED, "empty")


def test_a_row_without_prices_refuses_its_line() -> None:
    """A renamed list of prices must not look like an absent line."""
    market = betpawa_totals(6, 10)
    market["row"][0]["price"] = market["row"][0].pop("prices")
    answer = parse(betpawa_event(market))
    assert [(one.betpawa_market_id, one.line, one.reason) for one in answer.refused] == [
        ("5000", Decimal("1.5"), "outcomes_missing")
    ]
    assert set(by_identity(answer)) == {("5000", "2.5")}


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"<!doctype html><html></html>", UnexpectedContent),
        (b"\x0a\x12\x08betpawa", UnexpectedContent),
        (body(betpawa_sample())[:-40], UnexpectedContent),
        (b"", UnexpectedContent),
        (b"[]", ParseFailure),
        (b"{}", ParseFailure),
        (body(betpawa_event(startTime="2030-03-02T15:00:00")), ParseFailure),
        (body(betpawa_event(startTime="soon")), ParseFailure),
    ],
)
def test_what_is_no_event_answer_is_a_typed_failure(answer: bytes, failure: type[Exception]) -> None:
    """B-13, B-36."""
    with pytest.raises(failure):
        parse_event(answer, MAPPER)


def test_an_answer_about_another_event_is_refused_and_discovery_fills_gaps() -> None:
    listing = parse(betpawa_sample()).listing
    with pytest.raises(ParseFailure, match="40100002"):
        parse_event(body(betpawa_event(betpawa_1x2(), id="40100002")), MAPPER, listing)
    bare = {key: betpawa_event(betpawa_1x2())[key] for key in ("id", "markets")}
    assert parse_event(body(bare), MAPPER, listing).listing == listing


def test_a_new_market_type_is_stored_with_its_own_words() -> None:
    """B-19, B-42: every market of the answer, known to the catalogue or not."""
    row = {"prices": [betpawa_price("99000002", "Both & More", 7.25)]}
    (market,) = parse(
        betpawa_event(betpawa_market("99000001", "Brand New", row, tabs=["all", "specials"]))
    ).observations
    assert (market.betpawa_market_id, market.betpawa_market_name) == ("99000001", "Brand New")
    assert market.market_groups == ["specials"]


@pytest.mark.parametrize("position", [[], {}, None, "1"])
def test_a_participant_whose_position_is_no_number_leaves_the_teams_to_the_events_name(position: object) -> None:
    event = {
        "name": "Lions - Tigers",
        "participants": [{"position": position, "name": "Lions"}, {"position": 2, "name": "Cubs"}],
    }
    assert teams_of(event) == ("Lions", "Tigers")


def test_what_is_no_tab_is_no_group_of_a_market() -> None:
    row = {"prices": [betpawa_price("3744", "1", 2.35)]}
    tabs = ["all", "spe\0cials", "x" * 300, "", None, ["popular"]]
    answer = parse_event(body(betpawa_event(betpawa_market("99000001", "Brand New", row, tabs=tabs))), MAPPER)
    assert [one.market_groups for one in answer.observations] == [["specials"]]
