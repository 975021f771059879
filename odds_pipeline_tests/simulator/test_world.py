"""The simulated world: a function of seed and time, and as rich as the real offer."""

from __future__ import annotations

import statistics
import subprocess
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise

import pytest

from odds_pipeline.bookmakers.bet9ja.parser import parse_event as parse_bet9ja
from odds_pipeline.bookmakers.betpawa.parser import parse_event as parse_betpawa
from odds_pipeline.bookmakers.sportybet.parser import parse_event as parse_sportybet
from odds_pipeline.clock import ManualClock
from odds_pipeline.markets.catalogue import Catalogue
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import AnswerStatus, ParsedAnswer
from odds_pipeline.simulator.schedule import BOOKMAKERS, LINGER, Listed
from odds_pipeline.simulator.world import World
from odds_pipeline_tests.simulator.asking import MOMENT

PERIOD = timedelta(minutes=5)
PARSERS = {"betpawa": parse_betpawa, "sportybet": parse_sportybet, "bet9ja": parse_bet9ja}

CATALOGUE = Catalogue.load()
MAPPER = Mapper(CATALOGUE)

State = Mapping[tuple[str, Decimal | None], frozenset[tuple[str, Decimal | None, bool]]]


def world(events: int = 60, seed: int = 3, **ahead: float) -> World:
    return World(seed=seed, events=events, clock=ManualClock(MOMENT + timedelta(**ahead)), period=PERIOD)


def parsed(of: World, listed: Listed) -> ParsedAnswer:
    return PARSERS[listed.bookmaker](zlib.decompress(of.body(listed), wbits=31), MAPPER)


def answers(of: World, bookmaker: str) -> list[ParsedAnswer]:
    return [parsed(of, listed) for listed in of.listed(bookmaker)]


def state(answer: ParsedAnswer) -> State:
    """What counts for change: outcomes with their price while active."""
    return {
        (o.betpawa_market_id, o.line): frozenset(
            (x.key, x.odds if x.is_active else None, x.is_active) for x in o.outcomes
        )
        for o in answer.observations
    }


@pytest.fixture(scope="module")
def full_day() -> dict[str, list[ParsedAnswer]]:
    """All answers of 120 events."""
    one = world(events=120)
    return {slug: answers(one, slug) for slug in BOOKMAKERS}


def test_the_same_seed_and_time_give_the_same_bytes() -> None:
    one, other = world(), world()
    for slug in BOOKMAKERS:
        assert [one.body(x) for x in one.listed(slug)] == [other.body(x) for x in other.listed(slug)]


def digest_of(of: World) -> str:
    """One number for everything that a world says."""
    return sha256(b"".join(of.body(x) for slug in BOOKMAKERS for x in of.listed(slug))).hexdigest()


def test_another_process_gives_the_same_bytes() -> None:
    code = "from odds_pipeline_tests.simulator.test_world import digest_of, world; print(digest_of(world(events=20)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == digest_of(world(events=20))


def test_another_seed_is_another_world() -> None:
    one, other = world(seed=3), world(seed=4)
    assert {x.sportradar_id for x in one.listed("sportybet")}.isdisjoint(
        x.sportradar_id for x in other.listed("sportybet")
    )


def test_a_world_that_was_moved_ahead_is_the_world_of_that_time() -> None:
    """A restart continues: there is no state but the time."""
    moved, later = world(), world(minutes=15)
    for _ in range(3):
        for slug in BOOKMAKERS:
            for listed in moved.listed(slug):
                moved.body(listed)
        moved.advance(1)
    for slug in BOOKMAKERS:
        assert [moved.body(x) for x in moved.listed(slug)] == [later.body(x) for x in later.listed(slug)]


def test_rendering_ahead_changes_no_answer() -> None:
    ahead, plain = world(events=20), world(events=20)
    for periods in (0, 1, 0):
        assert len(list(ahead.render_ahead(periods))) >= 50
    for of in (ahead, plain):
        of.advance(1)
    for slug in BOOKMAKERS:
        assert [ahead.body(x) for x in ahead.listed(slug)] == [plain.body(x) for x in plain.listed(slug)]


@pytest.mark.parametrize("bookmaker", BOOKMAKERS)
def test_about_one_market_in_twenty_moves_in_a_period(bookmaker: str) -> None:
    """B-05: and all others say the same as before."""
    one = world(events=80)
    before = {x.event_id: state(parsed(one, x)) for x in one.listed(bookmaker)}
    one.advance(1)
    markets, changed = 0, 0
    for listed in one.listed(bookmaker):
        if listed.event_id in before and (after := state(parsed(one, listed))):
            then = before[listed.event_id]
            markets += len(then)
            changed += sum(then.get(key) != after.get(key) for key in then.keys() | after.keys())
    assert 0.035 < changed / markets < 0.065


def test_markets_are_suspended_vanish_and_return() -> None:
    """B-08, B-10, B-11."""
    one = world(events=6)
    listed = {slug: next(x for x in one.listed(slug)[-4:]) for slug in BOOKMAKERS}
    seen: dict[str, list[State]] = defaultdict(list)
    for _ in range(30):
        for slug, listing in listed.items():
            seen[slug].append(state(parsed(one, listing)))
        one.advance(1)
    for slug in ("betpawa", "sportybet"):
        assert any(not active for states in seen[slug] for outcomes in states.values() for _, _, active in outcomes)
    for states in seen.values():
        pairs = list(pairwise(states))
        assert any(before.keys() - after.keys() for before, after in pairs)
        assert any(after.keys() - before.keys() for before, after in pairs)


def test_the_headline_market_is_always_there(full_day: dict[str, list[ParsedAnswer]]) -> None:
    for found in full_day.values():
        for answer in found:
            if answer.status is AnswerStatus.COMPLETE:
                headline = [o for o in answer.observations if o.betpawa_market_id == "3743"]
                assert [x.is_active for o in headline for x in o.outcomes] == [True, True, True]


def test_events_kick_off_leave_the_lists_and_others_appear() -> None:
    one = world(events=60)
    first = next(x for x in one.listed("sportybet") if x.kickoff > one.now())
    before = {x.event_id for x in one.listed("sportybet")}
    while first.kickoff > one.now():
        one.advance(1)
    assert first in one.listed("sportybet")
    assert parsed(one, first).status is AnswerStatus.STARTED
    one.advance(LINGER // PERIOD + 1)
    after = {x.event_id for x in one.listed("sportybet")}
    assert first.event_id in before - after
    assert after - before
    assert one.find("sportybet", first.event_id) is not None
    assert first in one.listed("sportybet", in_play=True)
    one.advance(30)
    assert one.find("sportybet", first.event_id) is None


@pytest.mark.parametrize("bookmaker", BOOKMAKERS)
def test_a_match_in_play_is_said_to_be(bookmaker: str) -> None:
    """B-13: in play is not an event without markets."""
    one = world(events=200)
    live = one.listed(bookmaker, in_play=True)
    assert live
    assert {parsed(one, listed).status for listed in live} == {AnswerStatus.STARTED}


def test_exactly_as_many_matches_as_asked_for_are_listed_at_any_time() -> None:
    one = world(events=70)
    for _ in range(20):
        assert len({x.match.number for slug in BOOKMAKERS for x in one.listed(slug) if x.match}) == 70
        one.advance(1)


def test_most_matches_stand_at_all_three_and_the_oddities_exist() -> None:
    """B-27, B-28, B-29."""
    one = world(events=200)
    by_match: dict[int, list[Listed]] = defaultdict(list)
    for slug in BOOKMAKERS:
        for listed in one.listed(slug):
            assert listed.match is not None
            by_match[listed.match.number].append(listed)
    who = Counter(frozenset(x.bookmaker for x in found) for found in by_match.values())
    assert who[frozenset(BOOKMAKERS)] == 190
    assert who[frozenset({"betpawa"})] == 4
    assert sum(n for slugs, n in who.items() if "betpawa" not in slugs) == 6
    everyone = [x for found in by_match.values() for x in found]
    without = Counter(x.bookmaker for x in everyone if x.sportradar_id is None)
    assert without == {"betpawa": 2, "bet9ja": 2}
    twice = [x for x in everyone if sum(y.bookmaker == x.bookmaker for y in by_match[x.match.number]) > 1]  # type: ignore[union-attr]
    assert {x.bookmaker for x in twice} == {"betpawa", "bet9ja"}
    assert any(len({x.kickoff for x in found}) > 1 for found in by_match.values())


def test_tournaments_of_one_name_stand_in_many_countries() -> None:
    """B-30."""
    countries: dict[str, set[str]] = defaultdict(set)
    for listed in world(events=200).listed("betpawa"):
        countries[listed.tournament].add(listed.country)
    assert max(map(len, countries.values())) > 10
    assert any("International" in found for found in countries.values())


@pytest.mark.parametrize(("bookmaker", "mapped"), [("betpawa", 123), ("sportybet", 120), ("bet9ja", 100)])
def test_every_mapped_market_type_occurs(full_day: dict[str, list[ParsedAnswer]], bookmaker: str, mapped: int) -> None:
    if bookmaker == "betpawa":
        wanted = {market_id for market_id, market in CATALOGUE.markets.items() if not market.is_common}
        assert len(wanted) == mapped
    else:
        sources = [s for (slug, _), found in CATALOGUE.sources.items() if slug == bookmaker for s in found]
        wanted = {s.market.market_id for s in sources}
        betpawa_ids = [market_id for market_id in wanted if market_id.isdigit()]
        # 4429 and 28000869 are one market at the competitors, stored under the latter.
        assert len(betpawa_ids) == mapped - 1
    found = {o.betpawa_market_id for answer in full_day[bookmaker] for o in answer.observations}
    assert wanted <= found


@pytest.mark.parametrize("bookmaker", ["sportybet", "bet9ja"])
def test_competitors_have_markets_of_their_own(full_day: dict[str, list[ParsedAnswer]], bookmaker: str) -> None:
    """B-19."""
    own = {
        o.source_market_id
        for answer in full_day[bookmaker]
        for o in answer.observations
        if o.betpawa_market_id.startswith(f"{bookmaker}:")
    }
    assert len(own) > 80


def test_every_answer_is_read_without_a_refusal(full_day: dict[str, list[ParsedAnswer]]) -> None:
    """B-01, B-18, B-22: nothing that the simulator says is malformed or contradicts itself."""
    for found in full_day.values():
        for answer in found:
            assert answer.is_balanced()
            assert not answer.refused
            assert answer.status in (AnswerStatus.COMPLETE, AnswerStatus.STARTED)


def test_prices_of_one_match_agree_across_bookmakers(full_day: dict[str, list[ParsedAnswer]]) -> None:
    """B-18: by the rule of the price check, for every outcome with a betPawa price of at most 12."""
    prices: dict[tuple[object, ...], dict[str, float]] = defaultdict(dict)
    for slug, found in full_day.items():
        for answer in found:
            for o in answer.observations:
                for x in o.outcomes:
                    if x.is_active and x.odds and answer.listing.sportradar_id:
                        key = (answer.listing.sportradar_id, o.betpawa_market_id, o.line, x.key)
                        prices[key][slug] = float(x.odds)
    compared = [
        (abs(quoted[slug] - quoted["betpawa"]) / quoted["betpawa"] <= limit or quoted[slug] > 12)
        for quoted in prices.values()
        for slug, limit in (("sportybet", 0.35), ("bet9ja", 0.42))
        if slug in quoted and quoted.get("betpawa", 99) <= 12
    ]
    assert len(compared) > 10_000
    assert sum(compared) / len(compared) >= 0.98


def test_sizes_are_those_of_the_audit(full_day: dict[str, list[ParsedAnswer]]) -> None:
    complete = {s: [a for a in found if a.status is AnswerStatus.COMPLETE] for s, found in full_day.items()}
    types = [len({o.betpawa_market_id for o in answer.observations}) for answer in complete["betpawa"]]
    assert 45 < statistics.mean(types) < 67
    for slug, mean in (("sportybet", 193), ("bet9ja", 168)):
        sources = [
            len({(o.source_market_id, o.source_specifier) for o in answer.observations}) for answer in complete[slug]
        ]
        assert 0.8 * mean < statistics.mean(sources) < 1.2 * mean


def test_1300_matches_of_scale_xl_have_680_000_markets() -> None:
    one = World(seed=3, events=1_300, clock=ManualClock(MOMENT), period=PERIOD, sizes="xl")
    markets = sum(one.market_count(listed) for slug in BOOKMAKERS for listed in one.listed(slug))
    assert markets == pytest.approx(680_000, rel=0.03)


def test_full_sizes_are_those_of_the_captures() -> None:
    one = World(seed=3, events=25, clock=ManualClock(MOMENT), period=PERIOD, sizes="full")
    for slug, least, most in (("sportybet", 330, 974), ("bet9ja", 180, 430)):
        sizes = [
            len({(o.source_market_id, o.source_specifier) for o in answer.observations})
            for answer in answers(one, slug)
            if answer.status is AnswerStatus.COMPLETE
        ]
        assert least < min(sizes) < max(sizes) < most
