"""Whatever is done to an answer, each of its outcomes is accounted for once, and nothing invented is stored (I7)."""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odds_pipeline.bookmakers.base import ScrapeFailure
from odds_pipeline.bookmakers.bet9ja.parser import parse_event as parse_bet9ja
from odds_pipeline.bookmakers.betpawa.parser import parse_event as parse_betpawa
from odds_pipeline.bookmakers.sportybet.parser import parse_event as parse_sportybet
from odds_pipeline.odds.observation import AnswerStatus, Observation, ParsedAnswer
from odds_pipeline_tests.bookmakers.answers import MAPPER, body, sample

PARSERS: dict[str, Callable[..., ParsedAnswer]] = {
    "betpawa": parse_betpawa,
    "sportybet": parse_sportybet,
    "bet9ja": parse_bet9ja,
}
BAD_PRICES = ["NaN", "", "1", 1.0, 0, "0", -3, "-2.5", 1e9, "1000000000", None, True, [], {}, "2.3456"]
Path = tuple[str | int, ...]


def places(document: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every member of every object and list, whatever is inside included."""
    members = document.items() if isinstance(document, dict) else enumerate(document)
    for key, member in list(members):
        yield (*path, key)
        if isinstance(member, (dict, list)):
            yield from places(member, (*path, key))


def parent(document: Any, path: Path) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def outcome_count(bookmaker: str, event: Any) -> int:
    """Outcome objects of an answer, counted without the parser. Lists and objects alone hold outcomes."""

    def of(container: Any, field: str) -> list[Any]:
        found = container.get(field) if isinstance(container, dict) else None
        return found if isinstance(found, list) else []

    if bookmaker == "bet9ja":
        odds = event["D"].get("O")
        return len(odds) if isinstance(odds, dict) else 0
    if bookmaker == "sportybet":
        return sum(len(of(market, "outcomes")) for market in of(event["data"], "markets"))
    return sum(len(of(row, "prices")) for market in of(event, "markets") for row in of(market, "row"))


def identities(observations: list[Observation]) -> set[tuple[str, Any]]:
    return {(one.betpawa_market_id, one.line) for one in observations}


def spoil(event: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
    """One random change: a member dropped, renamed, replaced, or stood twice."""
    path = draw(st.sampled_from(list(places(event)) or [()]))
    if not path:
        return
    owner, key = parent(event, path), path[-1]
    how = draw(st.sampled_from(["drop", "rename", "replace", "repeat", "nudge"]))
    if how == "drop":
        del owner[key]
    elif how == "rename" and isinstance(owner, dict):
        owner[f"{key}New"] = owner.pop(key)
    elif how == "replace":
        owner[key] = copy.deepcopy(draw(st.sampled_from(BAD_PRICES)))
    elif how == "repeat" and isinstance(owner, list):
        owner.insert(draw(st.integers(0, len(owner))), copy.deepcopy(owner[int(key)]))
    elif how == "nudge" and isinstance(owner[key], str):
        owner[key] = "9.99"


@pytest.mark.parametrize("bookmaker", PARSERS)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_every_spoilt_answer_is_balanced_or_a_typed_failure(bookmaker: str, data: st.DataObject) -> None:
    """I3, I7, B-13: an answer is complete only if each market of the whole one is there, refused, or was taken out."""
    event = sample(bookmaker)
    for _ in range(data.draw(st.integers(1, 4))):
        spoil(event, data.draw)
    try:
        answer = PARSERS[bookmaker](body(event), MAPPER)
    except ScrapeFailure:
        return
    assert answer.is_balanced()
    assert answer.outcomes_in_answer == outcome_count(bookmaker, event)
    assert answer.outcomes_stored == sum(len(one.outcomes) for one in answer.observations)
    assert len(identities(answer.observations)) == len(answer.observations)
    refused = {(one.betpawa_market_id, one.line) for one in answer.refused}
    assert not refused & identities(answer.observations)
    for observation in answer.observations:
        assert len({outcome.key for outcome in observation.outcomes}) == len(observation.outcomes) > 0
        for outcome in observation.outcomes:
            assert outcome.odds is None if not outcome.is_active else 1 < (outcome.odds or 0) <= 1_000_000
    if answer.status is AnswerStatus.COMPLETE:
        assert answer.observations
        assert answer.reason is None
    elif answer.status is AnswerStatus.STARTED:
        assert not answer.observations
    else:
        assert answer.reason


@pytest.mark.parametrize("bookmaker", PARSERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_spoilt_price_touches_no_other_market(bookmaker: str, data: st.DataObject) -> None:
    """The other markets are stored as before, and the spoilt one is refused, not gone."""
    event = sample(bookmaker)
    whole = PARSERS[bookmaker](body(event), MAPPER)
    fields = {"betpawa": "odds", "sportybet": "odds"}
    paths = [
        path
        for path in places(event)
        if (path[-1] == fields.get(bookmaker) if bookmaker != "bet9ja" else path[:2] == ("D", "O") and len(path) == 3)
    ]
    path = data.draw(st.sampled_from(paths))
    bad = data.draw(st.sampled_from(BAD_PRICES))
    before = parent(event, path)[path[-1]]
    parent(event, path)[path[-1]] = bad
    answer = PARSERS[bookmaker](body(event), MAPPER)
    assert answer.status is AnswerStatus.COMPLETE
    assert answer.is_balanced()
    refused = {(one.betpawa_market_id, one.line) for one in answer.refused}
    gone = identities(whole.observations) - identities(answer.observations) - refused
    is_placeholder = bookmaker == "bet9ja" and (bad == "1" or before == "1")
    assert not gone or is_placeholder
    kept = {(one.betpawa_market_id, one.line): one for one in whole.observations}
    if not is_placeholder:
        assert all(
            one == kept[one.betpawa_market_id, one.line]
            for one in answer.observations
            if (one.betpawa_market_id, one.line) in kept
        )


def renamed(document: Any, field: str) -> Any:
    """The document with every member of this name under another name."""
    if isinstance(document, dict):
        return {f"{key}New" if key == field else key: renamed(member, field) for key, member in document.items()}
    return [renamed(member, field) for member in document] if isinstance(document, list) else document


def field_names(bookmaker: str) -> list[str]:
    paths = places(sample(bookmaker))
    return sorted({str(path[-1]) for path in paths if isinstance(path[-1], str) and path[:2] != ("D", "O")} | {"O"})


@pytest.mark.parametrize(
    ("bookmaker", "field"), [(bookmaker, field) for bookmaker in PARSERS for field in field_names(bookmaker)]
)
def test_a_field_renamed_everywhere_makes_nothing_look_absent(bookmaker: str, field: str) -> None:
    """I3, B-13, B-47: with any field renamed, a complete answer still holds every market or refuses it by name."""
    whole = PARSERS[bookmaker](body(sample(bookmaker)), MAPPER)
    try:
        answer = PARSERS[bookmaker](body(renamed(sample(bookmaker), field)), MAPPER)
    except ScrapeFailure:
        return
    assert answer.is_balanced()
    if answer.status is AnswerStatus.COMPLETE:
        refused = {(one.betpawa_market_id, one.line) for one in answer.refused}
        assert identities(whole.observations) <= identities(answer.observations) | refused


def shuffled(document: Any, chance: random.Random) -> Any:
    """The same facts in another order: members of lists and objects alike. Parallel lists keep their pairing."""
    if isinstance(document, dict):
        members = [(key, shuffled(member, chance)) for key, member in document.items() if key not in ("SGN", "SGNK")]
        if isinstance(document.get("SGN"), list) and isinstance(document.get("SGNK"), list):
            pairs = list(zip(document["SGN"], document["SGNK"], strict=True))
            chance.shuffle(pairs)
            members += [("SGN", [label for label, _ in pairs]), ("SGNK", [suffix for _, suffix in pairs])]
        chance.shuffle(members)
        return dict(members)
    if isinstance(document, list):
        members = [shuffled(member, chance) for member in document]
        chance.shuffle(members)
        return members
    return document


def facts(answer: ParsedAnswer) -> dict[Any, Any]:
    """Everything an answer says, without order."""
    return {
        (one.betpawa_market_id, one.line): (
            one.betpawa_market_name,
            one.source_market_id,
            one.source_specifier,
            one.handicap_type,
            one.handicap_home,
            one.handicap_away,
            frozenset(one.market_groups),
            frozenset((o.key, o.name, o.odds, o.is_active) for o in one.outcomes),
        )
        for one in answer.observations
    }


@pytest.mark.parametrize("bookmaker", PARSERS)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_outcome_is_mapped_by_its_position(bookmaker: str, seed: int) -> None:
    """B-07, B-18: the same facts in any order give the same observations."""
    event = sample(bookmaker)
    expected = facts(PARSERS[bookmaker](body(event), MAPPER))
    mixed = shuffled(event, random.Random(seed))
    assert facts(PARSERS[bookmaker](body(mixed), MAPPER)) == expected


def test_the_samples_themselves_are_complete() -> None:
    for bookmaker, parse in PARSERS.items():
        answer = parse(body(sample(bookmaker)), MAPPER)
        assert (answer.status, answer.refused, answer.outcomes_refused) == (AnswerStatus.COMPLETE, [], Counter())
