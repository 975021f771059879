"""Real answers: every outcome accounted for, the match one event, and prices that agree under every mapping."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from odds_pipeline.bookmakers.base import ParseFailure
from odds_pipeline.odds.observation import AnswerStatus, ParsedAnswer
from odds_pipeline_tests.bookmakers.answers import MAPPER, body
from odds_pipeline_tests.bookmakers.test_accounting import PARSERS, facts, outcome_count, shuffled
from odds_pipeline_tests.captures import EVENT_CAPTURES, capture, needs_captures

pytestmark = needs_captures

#: |q - p| / p that two prices of one outcome may differ by (docs of the bookmakers' APIs, section 6).
LIMITS = {"sportybet": Decimal("0.35"), "bet9ja": Decimal("0.42")}
COMPETITORS_LIMIT = Decimal("0.49")
LONG_SHOT = 12


def read(bookmaker: str, name: str) -> ParsedAnswer:
    return PARSERS[bookmaker](capture(bookmaker, name).read_bytes(), MAPPER)


def quotes(answer: ParsedAnswer) -> dict[tuple[str, Decimal | None, str], Decimal]:
    return {
        (one.betpawa_market_id, one.line, outcome.key): outcome.odds
        for one in answer.observations
        for outcome in one.outcomes
        if outcome.is_active and outcome.odds is not None
    }


@pytest.mark.parametrize(("bookmaker", "name"), EVENT_CAPTURES)
def test_every_outcome_of_a_real_answer_is_accounted_for(bookmaker: str, name: str) -> None:
    """I7, B-01, B-42."""
    answer = read(bookmaker, name)
    assert answer.status is AnswerStatus.COMPLETE
    assert answer.is_balanced()
    assert answer.outcomes_in_answer == outcome_count(bookmaker, json.loads(capture(bookmaker, name).read_bytes()))
    assert not answer.outcomes_refused
    assert answer.outcomes_stored == sum(len(one.outcomes) for one in answer.observations)


def test_a_file_that_is_no_event_answer_is_a_typed_failure() -> None:
    with pytest.raises(ParseFailure):
        read("bet9ja", "market-names.json")


@pytest.mark.parametrize(("bookmaker", "name"), EVENT_CAPTURES)
def test_unmapped_markets_and_outcomes_have_real_names(bookmaker: str, name: str) -> None:
    """B-19: the bookmaker's own words, not its ids."""
    for one in read(bookmaker, name).observations:
        assert one.betpawa_market_name
        if one.betpawa_market_id.startswith(f"{bookmaker}:"):
            assert one.betpawa_market_name != one.source_market_id
            assert one.market_groups
            assert all(group.startswith(f"{bookmaker}:") for group in one.market_groups)


@pytest.mark.parametrize(("bookmaker", "name"), EVENT_CAPTURES)
def test_real_answers_in_another_order_give_the_same_observations(bookmaker: str, name: str) -> None:
    """B-18: nothing is mapped by its position."""
    document = json.loads(capture(bookmaker, name).read_bytes())
    expected = facts(read(bookmaker, name))
    for seed in range(3):
        mixed = shuffled(document, random.Random(seed))
        assert facts(PARSERS[bookmaker](body(mixed), MAPPER)) == expected


def test_the_three_answers_about_one_match_are_one_event() -> None:
    """B-29, B-31, B-36, B-37."""
    listings = [read(bookmaker, "68995116.json").listing for bookmaker in PARSERS]
    assert {one.sportradar_id for one in listings} == {"68995116"}
    assert len({one.kickoff for one in listings}) == 1
    assert {(one.country, one.tournament) for one in listings} == {("China", "Chinese Super League")}


def compared(
    ours: dict[Any, Decimal], theirs: dict[Any, Decimal], limit: Decimal
) -> Iterator[tuple[Any, Decimal, Decimal, bool]]:
    """(outcome, p, q, agrees) of each outcome that both price; where either is a long shot they count as agreeing."""
    for key in ours.keys() & theirs.keys():
        p, q = ours[key], theirs[key]
        yield key, p, q, p > LONG_SHOT or q > LONG_SHOT or abs(q - p) / p <= limit


@pytest.mark.parametrize(("competitor", "least"), [("sportybet", 300), ("bet9ja", 240)])
def test_prices_agree_with_betpawas(competitor: str, least: int) -> None:
    """Wrong mappings would show here: at least 98 % of outcomes with a betPawa price of at most 12 agree."""
    theirs = quotes(read(competitor, "68995116.json"))
    found = [
        one for one in compared(quotes(read("betpawa", "68995116.json")), theirs, LIMITS[competitor]) if one[1] <= 12
    ]
    disagreeing = [one for one in found if not one[3]]
    assert len(found) >= least
    assert len(disagreeing) <= 0.02 * len(found), disagreeing


@pytest.mark.parametrize("competitor", LIMITS)
def test_correct_scores_are_comparable_with_betpawas_older_type(competitor: str) -> None:
    """Stored once, under 28000869, and compared with 4429 by name; `Other` covers different scores."""
    markets = MAPPER.catalogue.markets
    older, stored = markets["4429"], markets[markets["4429"].compare_with or ""]
    key_of = {name: key for key, name in stored.outcomes.items()}
    theirs = quotes(read(competitor, "68995116.json"))
    found = [
        (older.outcomes[key], p, q)
        for (market_id, _, key), p in quotes(read("betpawa", "68995116.json")).items()
        if market_id == older.market_id and older.outcomes[key] in key_of and older.outcomes[key] != "Other"
        if (q := theirs.get((stored.market_id, None, key_of[older.outcomes[key]])))
    ]
    assert len(found) >= 20
    assert all(p > LONG_SHOT or q > LONG_SHOT or abs(q - p) / p <= LIMITS[competitor] for _, p, q in found)


def test_prices_of_the_competitors_agree_where_betpawa_has_no_market() -> None:
    """The common markets make the two meet; p is the higher price."""
    sportybet, bet9ja = (quotes(read(slug, "68995116.json")) for slug in ("sportybet", "bet9ja"))
    found = [
        (key, p, q)
        for key in sportybet.keys() & bet9ja.keys()
        if key[0].startswith("common:")
        for q, p in [sorted((sportybet[key], bet9ja[key]))]
    ]
    disagreeing = [one for one in found if one[1] <= LONG_SHOT and (one[1] - one[2]) / one[1] > COMPETITORS_LIMIT]
    assert len(found) >= 80
    assert len(disagreeing) <= 0.02 * len(found), disagreeing
