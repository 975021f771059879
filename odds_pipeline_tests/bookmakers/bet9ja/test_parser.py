"""Bet9ja's event answer."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from odds_pipeline.bookmakers.base import NotFound, ParseFailure, UnexpectedContent
from odds_pipeline.bookmakers.bet9ja.parser import parse_event
from odds_pipeline.odds.observation import AnswerStatus, Listing, ParsedAnswer
from odds_pipeline_tests.bookmakers.answers import MAPPER, bet9ja_event, bet9ja_sample, body, by_identity, prices


def parse(event: dict[str, Any]) -> ParsedAnswer:
    answer = parse_event(body(event), MAPPER)
    assert answer.is_balanced()
    return answer


def parse_odds(**odds: Any) -> ParsedAnswer:
    return parse(bet9ja_event(odds))


def test_the_listing_is_read_from_the_right_fields() -> None:
    """B-31, B-34, B-36, B-37: SG is the country, ID the key, EXTID the SportRadar id, a bare STARTDATE is UTC."""
    assert parse(bet9ja_sample()).listing == Listing(
        bookmaker="bet9ja",
        external_event_id="800000001",
        sportradar_id="90000001",
        sport="football",
        country="Nigeria",
        tournament="Premier Division",
        home_team="Lagos Rovers",
        away_team="Abuja City",
        kickoff=datetime(2030, 3, 2, 15, tzinfo=UTC),
    )


def test_an_unknown_sportradar_id_is_none() -> None:
    assert parse(bet9ja_event({"S_1X2_1": "2.3"}, EXTID="")).listing.sportradar_id is None


@pytest.mark.parametrize("code", ["OK", "D"])
def test_success_is_ok_or_d(code: str) -> None:
    """B-38."""
    assert parse(bet9ja_sample() | {"R": code}).status is AnswerStatus.COMPLETE


def test_mapped_markets_meet_betpawas() -> None:
    """B-20: a handicap's line is the home side's; the Asian totals belong to the same market as the others."""
    found = by_identity(parse(bet9ja_sample()))
    assert prices(found["3743", None]) == {
        "3744": ("1", "2.3", True),
        "3745": ("X", "3.15", True),
        "3746": ("2", "3.1", True),
    }
    assert found["3743", None].market_groups == ["popular"]
    assert set(prices(found["5000", "2.5"])) == set(prices(found["5000", "2.25"])) == {"5001", "5002"}
    handicap = found["3774", "-0.5"]
    assert (handicap.handicap_type, handicap.handicap_home, handicap.handicap_away) == (
        "asian",
        Decimal("-0.5"),
        Decimal("0.5"),
    )
    assert (handicap.source_market_id, handicap.source_specifier) == ("S_AH", "-0.5")


def test_a_placeholder_is_not_offered_and_a_market_of_nothing_else_is_absent() -> None:
    """B-16: "1" is no price."""
    answer = parse(bet9ja_sample())
    assert ("5000", "3.5") not in by_identity(answer)
    assert (answer.outcomes_not_offered, answer.outcomes_refused) == ({"bet9ja_placeholder": 2}, {})
    one_sided = parse_odds(**{"S_RCH_Y": "5.5", "S_RCH_N": "1"})
    assert prices(one_sided.observations[0]) == {"1099491": ("Yes", "5.5", True)}


def test_combined_home_and_away_totals_are_split_by_the_outcomes_letters() -> None:
    """B-22: the letters swap order between full time and the halves."""
    found = by_identity(
        parse_odds(
            **{
                "S_HAOU@1.5_OH": "2.0",
                "S_HAOU@1.5_UH": "1.75",
                "S_HAOU@1.5_OA": "2.6",
                "S_HAOU@1.5_UA": "1.45",
                "S_HA1HOU@0.5_HO": "1.98",
                "S_HA1HOU@0.5_AU": "1.57",
            }
        )
    )
    assert {key: set(prices(one)) for key, one in found.items()} == {
        ("5006", "1.5"): {"5007", "5008"},
        ("5003", "1.5"): {"5004", "5005"},
        ("4964", "0.5"): {"4965"},
        ("4961", "0.5"): {"4963"},
    }
    assert prices(found["5006", "1.5"])["5007"] == ("Over", "2", True)
    assert prices(found["5003", "1.5"])["5005"] == ("Under", "1.45", True)


def test_an_unknown_letter_of_a_split_market_stays_under_the_bookmakers_own_market() -> None:
    """B-18, B-19."""
    found = by_identity(parse_odds(**{"S_HAOU@1.5_OH": "2.0", "S_HAOU@1.5_ZZ": "9"}))
    assert set(found) == {("5006", "1.5"), ("bet9ja:S_HAOU", "1.5")}
    assert set(prices(found["bet9ja:S_HAOU", "1.5"])) == {"ZZ"}


def test_a_family_of_markets_is_one_market_per_line() -> None:
    """B-23: S_GGNGOUN is S_GGNGOU for another line."""
    found = by_identity(parse_odds(**{"S_GGNGOU@2.5_GGOVER": "2.16", "S_GGNGOUN@3.5_GGO": "3.3"}))
    assert {key: list(prices(one)) for key, one in found.items()} == {
        ("4613062", "2.5"): ["4613062:Over & Yes"],
        ("4613062", "3.5"): ["4613062:Over & Yes"],
    }
    merged = by_identity(parse_odds(**{"S_GGNGOUN@2.5_GGU": "5.7", "S_GGNGOU@2.5_GGOVER": "2.16"}))
    assert set(prices(merged["4613062", "2.5"])) == {"4613062:Over & Yes", "4613062:Under & Yes"}
    assert merged["4613062", "2.5"].source_market_id == "S_GGNGOU"


def test_a_market_that_offers_one_number_only_has_a_constant_line() -> None:
    found = by_identity(parse_odds(S_1STGOAL_1="1.88", S_1STCORNER_X="99", **{"S_MATCHOVERFLOW_1-1STGOAL1": "2.54"}))
    assert set(found) == {("28000224", "1"), ("common:163", "1"), ("common:184", "1")}
    assert found["28000224", "1"].handicap_type == "number"
    assert found["28000224", "1"].source_specifier is None


@pytest.mark.parametrize("minute", [5, 15, 20, 30, 60])
def test_minute_markets_meet_sportybets(minute: int) -> None:
    (market,) = parse_odds(**{f"S_1X21ST{minute}MIN_X": "1.22"}).observations
    assert market.betpawa_market_id == f"common:900069[minute={minute}]"
    assert set(prices(market)) == {"2"}


def test_an_unmapped_market_is_named_and_labelled_by_its_metadata() -> None:
    """B-19: MK gives name, group and outcome labels; without it the key itself stands in."""
    found = by_identity(parse(bet9ja_event({"S_C2HTOU@4.5_O": "1.51", "S_NEW_4+BookHome": "3.2", "S_NEW_1_2": "7"})))
    corners = found["bet9ja:S_C2HTOU", "4.5"]
    assert (corners.betpawa_market_name, corners.market_groups) == ("2nd Half - Corner Over/Under", ["bet9ja:CORNER"])
    assert prices(corners) == {"O": ("Over", "1.51", True)}
    new = found["bet9ja:S_NEW", None]
    assert (new.betpawa_market_name, new.market_groups) == ("S_NEW", [])
    assert prices(new) == {"4+BookHome": ("4+BookHome", "3.2", True), "1_2": ("1_2", "7", True)}


def test_metadata_may_be_an_object_keyed_by_id_or_be_missing() -> None:
    """B-24."""
    event = bet9ja_sample()
    as_list = parse(event).observations
    event["D"]["MK"] = {str(n): market for n, market in enumerate(event["D"]["MK"])}
    assert parse(event).observations == as_list
    for spoiled in (None, [None, 3], "x", [{"ID": "S_C2HTOU", "SGN": ["Over"], "SGNK": ["O", "U"]}]):
        event["D"]["MK"] = spoiled
        assert len(parse(event).observations) == len(as_list)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "price_not_a_number"),
        ("NaN", "price_not_a_number"),
        ("1.0", "price_too_low"),
        (1, "price_too_low"),
        ("0", "price_too_low"),
        ("-3.1", "price_too_low"),
        ("1000000000", "price_too_high"),
        (1e9, "price_too_high"),
        (None, "price_missing"),
        ({"v": 1.85}, "price_not_a_number"),
    ],
)
def test_one_malformed_price_refuses_its_market_and_line_alone(value: Any, reason: str) -> None:
    """B-16: only the documented placeholders are no error."""
    event = bet9ja_sample()
    event["D"]["O"]["S_OU@2.5_O"] = value
    answer = parse(event)
    assert answer.status is AnswerStatus.COMPLETE
    assert ("5000", "2.5") not in by_identity(answer)
    assert ("5000", "2.25") in by_identity(answer)
    assert [(one.betpawa_market_id, one.line, one.reason) for one in answer.refused] == [
        ("5000", Decimal("2.5"), reason)
    ]
    assert answer.outcomes_refused == {reason: 1, "market_refused": 1}


@pytest.mark.parametrize("key", ["S1X21", "S_1X2", "S_OU@_O", "S_OU@abc_O", "S_OU_O", "_1X2_1", "S__1", "S_1X2_", ""])
def test_a_key_that_cannot_be_read_makes_the_answer_prove_nothing(key: str) -> None:
    for odds in ({key: "2.5", "S_1X2_1": "2.3"}, {"S_1X2_1": "2.3", key: "2.5"}):
        answer = parse(bet9ja_event(odds))
        assert (answer.status, answer.reason) == (AnswerStatus.FAILED, "unidentified_market")
        assert [one.betpawa_market_id for one in answer.observations] == ["3743"]
        assert answer.outcomes_refused == {"unidentified_market": 1}


def test_keys_in_play_mean_started() -> None:
    answer = parse(bet9ja_event({"LIVES_1X2_1": {"v": 1.85}, "LIVES_1X2_X": {"v": 1}}))
    assert (answer.status, answer.outcomes_not_offered) == (AnswerStatus.STARTED, {"started": 2})


def test_another_sport_id_means_started() -> None:
    assert parse(bet9ja_event({}, SID=3000001)).status is AnswerStatus.STARTED


def test_a_key_twice_is_kept_when_alike_and_refused_when_not() -> None:
    """A flat object can hold a market twice only as a repeated key, of which plain decoding loses one."""
    text = body(bet9ja_event({"S_1X2_1": "2.3", "S_1X2_X": "3.1", "S_DNB_1": "1.7"})).decode()
    alike = parse_event(text.replace('"S_DNB_1"', '"S_1X2_X": "3.1", "S_DNB_1"').encode(), MAPPER)
    assert alike.is_balanced()
    assert (alike.outcomes_in_answer, alike.outcomes_refused) == (4, {"duplicate_outcome": 1})
    assert len(alike.observations) == 2
    conflicting = parse_event(text.replace('"S_DNB_1"', '"S_1X2_X": "3.2", "S_DNB_1"').encode(), MAPPER)
    assert conflicting.is_balanced()
    assert conflicting.outcomes_refused == {"conflicting_duplicate": 1, "market_refused": 2}
    assert [one.betpawa_market_id for one in conflicting.observations] == ["4703"]


@pytest.mark.parametrize(
    ("key", "identity"),
    [("S_NEW@abc_1", "bet9ja:S_NEW[abc]"), ("S_OFFOU_Over", "bet9ja:S_OFFOU"), ("B_1X2_1", "bet9ja:B_1X2")],
)
def test_a_grammar_that_is_not_known_is_identity_as_it_stands(key: str, identity: str) -> None:
    """B-19: in a market that the catalogue does not vouch for, nothing can be misread."""
    answer = parse(bet9ja_event({key: "2.5", "S_1X2_1": "2.3"}))
    assert answer.status is AnswerStatus.COMPLETE
    assert {one.betpawa_market_id for one in answer.observations} == {identity, "3743"}


@pytest.mark.parametrize("odds", [{}, [], None])
def test_no_odds_at_all_prove_nothing(odds: Any) -> None:
    """B-13."""
    answer = parse(bet9ja_event(odds))
    assert (answer.status, answer.reason) == (AnswerStatus.FAILED, "empty")


def test_nothing_but_placeholders_says_that_nothing_is_offered() -> None:
    """B-16."""
    answer = parse_odds(S_1X2_1="1", S_1X2_X="-")
    assert (answer.status, answer.observations) == (AnswerStatus.COMPLETE, [])
    assert answer.outcomes_not_offered == {"bet9ja_placeholder": 2}


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ({"R": "E", "D": "not found"}, NotFound),
        ({"R": "X", "D": {}}, ParseFailure),
        ({"R": ["OK"], "D": {}}, ParseFailure),
        ({"D": {}}, ParseFailure),
        ({"R": "OK"}, ParseFailure),
        ({"R": "OK", "D": []}, ParseFailure),
        ({"R": "OK", "D": {"O": {"S_1X2_1": "2.3"}}}, ParseFailure),
        ([], ParseFailure),
        (bet9ja_event({}, STARTDATE="2030-03-02"), ParseFailure),
    ],
)
def test_what_is_no_event_is_a_typed_failure(answer: Any, failure: type[Exception]) -> None:
    """B-38: a failed answer is never a match without markets."""
    with pytest.raises(failure):
        parse_event(body(answer), MAPPER)


def test_html_and_truncated_json_are_unexpected_content() -> None:
    for content in (b"", b"<html></html>", body(bet9ja_sample())[:-1], b"\x08\x96\x01"):
        with pytest.raises(UnexpectedContent):
            parse_event(content, MAPPER)


def test_odds_that_are_no_utf8_are_unexpected_content() -> None:
    spoilt = body(bet9ja_event({"S_1X2_1": "2.30"})).replace(b"2.30", b"2.\xff0")
    with pytest.raises(UnexpectedContent):
        parse_event(spoilt, MAPPER)


def test_an_answer_about_another_event_is_refused() -> None:
    listing = parse(bet9ja_sample()).listing
    with pytest.raises(ParseFailure, match="800000002"):
        parse_event(body(bet9ja_event({"S_1X2_1": "2.3"}, ID=800000002)), MAPPER, listing)
