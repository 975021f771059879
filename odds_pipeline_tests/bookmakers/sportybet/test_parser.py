"""SportyBet's event answer."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from odds_pipeline.bookmakers.base import NotFound, ParseFailure, ScrapeFailure, UnexpectedContent
from odds_pipeline.bookmakers.sportybet.parser import parse_event
from odds_pipeline.odds.observation import AnswerStatus, Listing, Observation, ParsedAnswer
from odds_pipeline_tests.bookmakers.answers import (
    MAPPER,
    body,
    by_identity,
    prices,
    sportybet_1x2,
    sportybet_event,
    sportybet_market,
    sportybet_outcome,
    sportybet_over_under,
    sportybet_sample,
)


def parse(event: dict[str, Any]) -> ParsedAnswer:
    answer = parse_event(body(event), MAPPER)
    assert answer.is_balanced()
    return answer


def only(market: dict[str, Any]) -> Observation:
    (found,) = parse(sportybet_event(market)).observations
    return found


def test_the_listing_is_read_from_the_right_fields() -> None:
    """B-31, B-36: country is the category, kick-off epoch milliseconds in UTC."""
    assert parse(sportybet_sample()).listing == Listing(
        bookmaker="sportybet",
        external_event_id="sr:match:90000001",
        sportradar_id="90000001",
        sport="football",
        country="Nigeria",
        tournament="Premier Division",
        home_team="Lagos Rovers",
        away_team="Abuja City",
        kickoff=datetime(2030, 3, 2, 15, tzinfo=UTC),
    )


def test_a_mapped_market_has_betpawas_identity_keys_words_and_groups() -> None:
    """B-15, B-25: outcome ids decide, not descriptions; isActive 0 is a suspended outcome without a price."""
    market = only(sportybet_1x2())
    assert (market.betpawa_market_id, market.betpawa_market_name) == ("3743", "1X2 - FT")
    assert (market.source_market_id, market.source_specifier) == ("1", None)
    assert market.market_groups == ["popular"]
    assert prices(market) == {"3744": ("1", "2.3", True), "3745": ("X", "3.25", True), "3746": ("2", None, False)}


@pytest.mark.parametrize(
    ("market_id", "specifier", "identity", "line", "kind"),
    [
        ("18", "total=2.5", "5000", "2.5", "over_under"),
        ("18", "total=2", "5000", "2", "over_under"),
        ("16", "hcp=-0.5", "3774", "-0.5", "asian"),
        ("16", "hcp=0", "3774", "0", "asian"),
        ("14", "hcp=0:1", "4724", "-1", "european"),
        ("14", "hcp=2:0", "4724", "2", "european"),
        ("8", "goalnr=1", "28000224", "1", "number"),
        ("8", "goalnr=3", "28000224", "3", "number"),
        ("38", "goalnr=1|type=prematch", "129110", "1", "number"),
        ("40", "type=prematch", "129108", None, None),
        ("105", "from=1|to=10", "28000173", None, None),
        ("105", "to=10|from=1", "28000173", None, None),
        ("105", "from=11|to=20", "sportybet:105[from=11|to=20]", None, None),
        ("21", "variant=sr:exact_goals:6+", "4926", None, None),
        ("184", "goalnr=1", "common:184", "1", "number"),
        ("163", "cornernr=1", "common:163", "1", "number"),
        ("137", "bookingnr=2", "common:137", "2", "number"),
        ("900069", "minute=15", "common:900069[minute=15]", None, None),
        ("900069", "minute=10", "sportybet:900069[minute=10]", None, None),
        ("60180", "minsnr=10|total=1.5", "sportybet:60180[minsnr=10]", "1.5", "over_under"),
        ("900313", "total=0.5|minute=10", "sportybet:900313[minute=10]", "0.5", "over_under"),
        ("41", "score=0:0", "sportybet:41[score=0:0]", None, None),
        ("830101", "pair=22186-19372", "sportybet:830101[pair=22186-19372]", None, None),
        ("776", "variant=pre:playerprops:90000001:253415", "sportybet:776[variant=pre:playerprops:253415]", None, None),
        ("12345", "hcp=-1.5", "sportybet:12345", "-1.5", "asian"),
        ("12345", "total=2.5/3", "sportybet:12345[total=2.5/3]", None, None),
        ("12345", "odd", "sportybet:12345[odd]", None, None),
        ("12345", "b=2|a=1|total=3", "sportybet:12345[a=1|b=2]", "3", "over_under"),
    ],
)
def test_the_specifier_decides_identity_and_line(
    market_id: str, specifier: str, identity: str, line: str | None, kind: str | None
) -> None:
    """B-20, B-21: order of pairs means nothing; h:a handicaps are the home side's."""
    market = only(
        sportybet_market(market_id, "A name", sportybet_outcome("9", "Something", "2.00"), specifier=specifier)
    )
    assert (market.betpawa_market_id, market.handicap_type) == (identity, kind)
    assert market.line == (None if line is None else Decimal(line))
    assert (market.source_market_id, market.source_specifier) == (market_id, specifier)
    is_handicap = kind in ("asian", "european")
    assert market.handicap_home == (market.line if is_handicap else None)
    assert market.handicap_away == (-market.line if is_handicap and market.line is not None else None)


def test_an_unmapped_market_keeps_its_own_id_name_group_and_outcome_ids() -> None:
    """B-19: stored, not dropped."""
    market = only(sportybet_market("450001", "Goal Bounds", sportybet_outcome("12", "1-2", "2.09"), group="Goals"))
    assert (market.betpawa_market_id, market.betpawa_market_name) == ("sportybet:450001", "Goal Bounds")
    assert market.market_groups == ["sportybet:Goals"]
    assert prices(market) == {"12": ("1-2", "2.09", True)}


def test_without_a_name_the_description_stands_in_and_without_a_group_there_is_none() -> None:
    """B-24: name, group, specifier and lastOddsChangeTime are often absent."""
    market = sportybet_market("450001", "", sportybet_outcome("12", "", "2.09"))
    del market["group"], market["name"]
    found = only(market)
    assert (found.betpawa_market_name, found.market_groups) == ("here", [])
    assert prices(found) == {"12": ("12", "2.09", True)}


def test_an_outcome_unknown_to_the_catalogue_stays_in_the_mapped_market_under_its_own_id() -> None:
    """B-18: another variant has other outcome ids; none is guessed from its place."""
    outcomes = [sportybet_outcome(f"sr:exact_goals:5+:{62 + n}", str(n), "5.50") for n in range(2)]
    market = only(sportybet_market("21", "Exact Goals", *outcomes, specifier="variant=sr:exact_goals:5+"))
    assert market.betpawa_market_id == "4926"
    assert set(prices(market)) == {"sportybet:sr:exact_goals:5+:62", "sportybet:sr:exact_goals:5+:63"}


def test_correct_score_is_stored_once_under_the_26_outcomes_type() -> None:
    found = parse(sportybet_event(sportybet_market("45", "Correct Score", sportybet_outcome("324", "Other", "26.0"))))
    assert [(one.betpawa_market_id, *prices(one)) for one in found.observations] == [("28000869", "28000895")]


def test_players_stay_under_their_own_ids_without_the_match() -> None:
    """Player markets map by market; the specifiers of one type, a player each, are merged."""
    markets = [
        sportybet_market(
            "800117",
            "Player To Be Booked",
            sportybet_outcome(f"pre:playerprops:90000001:{player}:1", f"Player {player}", "4.10"),
            specifier=f"variant=pre:playerprops:90000001:{player}",
        )
        for player in (253415, 253416)
    ]
    scorer = sportybet_market(
        "40", "Anytime Goalscorer", sportybet_outcome("sr:player:10", "A B", "3.1"), specifier="type=prematch"
    )
    found = by_identity(parse(sportybet_event(*markets, scorer)))
    booked = found["28000816", None]
    assert set(prices(booked)) == {
        "sportybet:pre:playerprops:253415:1",
        "sportybet:pre:playerprops:253416:1",
    }
    assert (booked.source_market_id, booked.source_specifier) == ("800117", None)
    assert prices(found["129108", None]) == {"sportybet:sr:player:10": ("A B", "3.1", True)}


@pytest.mark.parametrize(
    ("more", "reason"),
    [({"status": 1}, "market_status"), ({"status": 2}, "market_status"), ({"banned": True}, "banned")],
)
def test_a_market_that_is_not_offered_is_absent_whatever_its_outcomes_say(more: dict[str, Any], reason: str) -> None:
    """B-15: status and banned count, not only the flags of outcomes."""
    answer = parse(sportybet_event(sportybet_1x2() | more, sportybet_over_under("18", "O/U", "total=2.5")))
    assert answer.status is AnswerStatus.COMPLETE
    assert set(by_identity(answer)) == {("5000", "2.5")}
    assert (answer.outcomes_not_offered, answer.refused) == ({reason: 3}, [])


def test_a_banned_event_or_one_with_every_market_closed_says_that_nothing_is_offered() -> None:
    """B-15."""
    for event in (sportybet_event(sportybet_1x2(), banned=True), sportybet_event(sportybet_1x2() | {"status": 2})):
        answer = parse(event)
        assert (answer.status, answer.observations) == (AnswerStatus.COMPLETE, [])
        assert answer.outcomes_not_offered.total() == 3


@pytest.mark.parametrize("odds", ["3.60", "0.00", "1.00", "", None, "NaN"])
def test_the_price_of_an_inactive_outcome_is_not_read(odds: str | None) -> None:
    """B-15: some keep a plausible price, most show 0.00 or 1.00."""
    market = sportybet_market(
        "13", "Away No Bet", sportybet_outcome("780", "Home", odds, active=0), sportybet_outcome("782", "Draw", "2.15")
    )
    assert prices(only(market)) == {"780": ("Home", None, False), "782": ("Draw", "2.15", True)}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ({"odds": "NaN"}, "price_not_a_number"),
        ({"odds": ""}, "price_not_a_number"),
        ({"odds": "1"}, "price_too_low"),
        ({"odds": 1.0}, "price_too_low"),
        ({"odds": "0"}, "price_too_low"),
        ({"odds": "-2.30"}, "price_too_low"),
        ({"odds": "1000000000"}, "price_too_high"),
        ({"odds": None}, "price_missing"),
        ({"isActive": None}, "activity_unreadable"),
        ({"isActive": "1"}, "activity_unreadable"),
        ({"id": None}, "outcome_without_id"),
        ({"id": ""}, "outcome_without_id"),
    ],
)
def test_one_malformed_outcome_refuses_its_market_and_no_other(spoil: dict[str, Any], reason: str) -> None:
    market = sportybet_1x2()
    market["outcomes"][1] |= spoil
    answer = parse(sportybet_event(market, sportybet_over_under("18", "O/U", "total=2.5")))
    assert answer.status is AnswerStatus.COMPLETE
    assert set(by_identity(answer)) == {("5000", "2.5")}
    assert [(one.betpawa_market_id, one.line, one.reason) for one in answer.refused] == [("3743", None, reason)]
    assert answer.outcomes_refused == {reason: 1, "market_refused": 2}


@pytest.mark.parametrize(
    ("level", "field", "outcome"),
    [
        ("outcome", "odds", "all_refused"),
        ("outcome", "id", "all_refused"),
        ("outcome", "isActive", "all_refused"),
        ("market", "outcomes", "empty"),
        ("market", "id", "unidentified_market"),
        ("market", "status", "all_refused"),
        ("market", "specifier", "unidentified_market"),
        ("event", "markets", "empty"),
        ("event", "status", ParseFailure),
        ("event", "eventId", ParseFailure),
        ("envelope", "data", NotFound),
        ("envelope", "bizCode", ParseFailure),
    ],
)
def test_a_renamed_field_never_makes_a_market_look_absent(
    level: str, field: str, outcome: str | type[ScrapeFailure]
) -> None:
    event = sportybet_sample()
    data = event["data"]
    objects = {
        "envelope": [event],
        "event": [data],
        "market": data["markets"],
        "outcome": [outcome for market in data["markets"] for outcome in market["outcomes"]],
    }[level]
    for one in objects:
        if field in one:
            one[f"{field}New"] = one.pop(field)
    if isinstance(outcome, str):
        answer = parse(event)
        assert answer.status is AnswerStatus.FAILED
        assert answer.reason == outcome
    else:
        with pytest.raises(outcome):
            parse_event(body(event), MAPPER)


def test_a_market_twice_is_kept_when_alike_and_refused_when_not() -> None:
    alike = parse(sportybet_event(sportybet_1x2(), sportybet_1x2()))
    assert len(alike.observations) == 1
    assert alike.outcomes_refused == {"duplicate_outcome": 3}
    assert (alike.status, alike.refused) == (AnswerStatus.COMPLETE, [])
    other = sportybet_1x2()
    other["outcomes"][0]["odds"] = "2.31"
    total = sportybet_over_under("18", "O/U", "total=2.5")
    conflicting = parse(sportybet_event(sportybet_1x2(), total, other))
    assert set(by_identity(conflicting)) == {("5000", "2.5")}
    assert [(one.betpawa_market_id, one.reason) for one in conflicting.refused] == [("3743", "conflicting_duplicate")]
    assert conflicting.outcomes_refused == {"conflicting_duplicate": 1, "duplicate_outcome": 2, "market_refused": 3}


@pytest.mark.parametrize("specifier", ["total=abc", "total=", "total=1|total=2", "=1", "total=99999999", "hcp=0:x"])
def test_a_specifier_that_cannot_be_read_makes_the_answer_prove_nothing(specifier: str) -> None:
    answer = parse(sportybet_event(sportybet_1x2(), sportybet_over_under("18", "O/U", specifier)))
    assert (answer.status, answer.reason) == (AnswerStatus.FAILED, "unidentified_market")
    assert len(answer.observations) == 1


@pytest.mark.parametrize("status", [1, 3, 4])
def test_an_event_in_play_or_over_is_started(status: int) -> None:
    """Also without markets: productId 3 gives none for a match in play."""
    for markets in ([], [sportybet_1x2()]):
        answer = parse(sportybet_event(*markets, status=status))
        assert (answer.status, answer.observations) == (AnswerStatus.STARTED, [])


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ({"bizCode": 19000, "message": "Invalid"}, ParseFailure),
        ({"bizCode": 19001, "message": "gone", "data": None}, NotFound),
        ({"bizCode": 10000, "message": "0#0", "data": None}, NotFound),
        ({"bizCode": 10000, "message": "0#0", "data": []}, ParseFailure),
        ([], ParseFailure),
        (sportybet_event(estimateStartTime="soon"), ParseFailure),
        (sportybet_event(estimateStartTime=10**30), ParseFailure),
    ],
)
def test_what_is_no_event_is_a_typed_failure(answer: Any, failure: type[Exception]) -> None:
    """B-13: never "all markets gone"."""
    with pytest.raises(failure):
        parse_event(body(answer), MAPPER)


def test_html_and_truncated_json_are_unexpected_content() -> None:
    for content in (b"<html>checking your browser</html>", body(sportybet_sample())[:-9], b"\x08\x96\x01"):
        with pytest.raises(UnexpectedContent):
            parse_event(content, MAPPER)


def test_an_answer_about_another_event_is_refused() -> None:
    listing = parse(sportybet_sample()).listing
    with pytest.raises(ParseFailure, match="sr:match:90000002"):
        parse_event(body(sportybet_event(sportybet_1x2(), eventId="sr:match:90000002")), MAPPER, listing)
