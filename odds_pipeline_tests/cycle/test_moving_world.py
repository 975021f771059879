"""Whole cycles over a world that moves: what is stored and counted is what the world did, and nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.scrape.cycle import refresh_event
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.cycle.small_world import (
    SLUGS,
    MarketId,
    Offer,
    SmallWorld,
    available,
    confirmed_at,
    query,
    run_cycle,
    run_status,
    stored,
)

ONE_MINUTE = timedelta(minutes=1)


@pytest.fixture
def world() -> Iterator[SmallWorld]:
    world = SmallWorld()
    with world.simulator:
        yield world


@pytest.fixture
def tiny() -> Iterator[SmallWorld]:
    world = SmallWorld(events=3, seed=27)
    with world.simulator:
        yield world


class Ledger:
    """What happened to the world's markets from cycle to cycle, in plain dictionaries."""

    def __init__(self) -> None:
        self._last: dict[MarketId, Offer] = {}
        self._offered: dict[MarketId, Offer] = {}

    def book(self, offered: Mapping[MarketId, Offer]) -> Counter[tuple[str, str]]:
        """Count by (what happened, bookmaker) what became of each market since the last booking."""
        happened: Counter[tuple[str, str]] = Counter()
        for market, offer in offered.items():
            if market not in self._last:
                happened["new", market[0]] += 1
            elif market not in self._offered:
                happened["returned", market[0]] += 1
            else:
                happened["confirmed" if self._offered[market] == offer else "changed", market[0]] += 1
        for market in self._offered.keys() - offered.keys():
            happened["unavailable", market[0]] += 1
        self._offered = dict(offered)
        self._last |= offered
        return happened


def total(happened: Counter[tuple[str, str]], what: str) -> int:
    return sum(happened[what, slug] for slug in SLUGS)


def test_every_cycle_stores_what_the_world_did_and_the_same_world_again_stores_nothing(
    world: SmallWorld, database: Database, tmp_path: Path
) -> None:
    """B-02 to B-08, B-10, B-11, B-27, B-42, B-57 (I6): an empty database fills in the first cycle; from then on each of
    the three bookmakers has exactly the changes that its markets made, and only those are written.
    """
    ledger = Ledger()
    for number in range(4):
        ran = run_cycle(database, tmp_path, world.settings, world.clock)
        truth = world.truth()
        happened = ledger.book(truth)
        for what in ("new", "changed", "returned", "unavailable", "confirmed"):
            assert getattr(ran.record, what) == total(happened, what), what
        changes = {
            slug: sum(happened[what, slug] for what in ("new", "changed", "returned", "unavailable")) for slug in SLUGS
        }
        assert history_rows(database, ran.run_id) == changes
        assert all(changes.values()), "every bookmaker's markets moved"
        assert ran.record.inserted_history == sum(changes.values())
        if number:
            assert 0.02 * len(truth) < ran.record.inserted_history < 0.1 * len(truth)
        assert available(stored(database)) == truth
        assert set(confirmed_at(database).values()) == {ran.at}

        world.clock.advance(ONE_MINUTE)
        again = run_cycle(database, tmp_path, world.settings, world.clock)
        assert again.record.inserted_history == 0
        assert again.record.confirmed == len(truth)
        assert set(confirmed_at(database).values()) == {again.at}
        assert run_status(database, again.run_id) == "completed"
        world.advance()
    assert rebuild_current(database).repaired == 0
    assert not any(tmp_path.iterdir()), "staging files end with their cycle"


def test_a_match_that_kicks_off_is_gone_from_then_on_and_another_appears(
    world: SmallWorld, database: Database, tmp_path: Path
) -> None:
    """B-12, B-32, B-37: markets end at the kick-off, in play or unlisted, and stay ended; the next match is found."""
    kickoff = world.next_kickoff
    world.clock.moment = kickoff - 2 * ONE_MINUTE
    ledger = Ledger()
    run_cycle(database, tmp_path, world.settings, world.clock)
    before = world.truth()
    ledger.book(before)
    matches = {listed.match for slug in SLUGS for listed in world.listed(slug)}
    for minutes in (1, 6):  # in play in the lists, gone from them
        world.clock.moment = kickoff + minutes * ONE_MINUTE
        ran = run_cycle(database, tmp_path, world.settings, world.clock)
        markets, truth = stored(database), world.truth()
        happened = ledger.book(truth)
        assert available(markets) == truth
        assert ran.record.unavailable == total(happened, "unavailable")
        ended = {market for market in before if market[:2] not in {other[:2] for other in truth}}
        assert ended
        assert {markets[market].unavailable_at for market in ended} == {kickoff}
        assert run_status(database, ran.run_id) == "completed"
    appeared = {listed.match for slug in SLUGS for listed in world.listed(slug)} - matches
    assert appeared
    assert {market[1] for market in truth} - {market[1] for market in before}
    assert rebuild_current(database).repaired == 0


def test_one_match_is_one_event_whoever_offers_it_and_however_often(
    world: SmallWorld, database: Database, tmp_path: Path
) -> None:
    """B-27, B-29, B-31: competitor-only matches, listings without an id and second listings are all stored; each
    SportRadar id is one event, of two listings by one bookmaker one is shown.
    """
    run_cycle(database, tmp_path, world.settings, world.clock)
    listings = {listed.key: listed for slug in SLUGS for listed in world.upcoming(slug)}
    with_id = {x.sportradar_id for x in listings.values() if x.sportradar_id}
    without_id = [key for key, x in listings.items() if not x.sportradar_id]
    twice = Counter((x.bookmaker, x.sportradar_id) for x in listings.values() if x.sportradar_id)
    assert without_id
    assert max(twice.values()) == 2
    assert len({x.match for x in listings.values()}) < len(with_id) + len(without_id)

    rows = query(
        database,
        """
        SELECT bookmaker.slug || '/' || listing.external_event_id, event.id, event.sportradar_id, listing.is_primary,
               listing.kickoff, tournament.country, tournament.name, event.kickoff
        FROM event_bookmakers AS listing JOIN events AS event ON event.id = listing.event_id
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        JOIN tournaments AS tournament ON tournament.id = listing.tournament_id
        """,
    )
    assert {row[0]: row[2] for row in rows} == {key: x.sportradar_id for key, x in listings.items()}
    assert len({row[1] for row in rows}) == len(with_id) + len(without_id)
    for key, _, sportradar_id, is_primary, kickoff, country, tournament, event_kickoff in rows:
        listed = listings[key]
        assert (kickoff, country, tournament) == (listed.kickoff, listed.country, listed.tournament)
        assert listed.match is not None
        pawa = [x for x in listings.values() if x.bookmaker == "betpawa" and x.match == listed.match]
        is_second = twice[listed.bookmaker, sportradar_id] == 2 and listed.kickoff != listed.match.kickoff
        assert is_primary == (not is_second)
        if pawa and sportradar_id:
            assert event_kickoff == listed.match.kickoff
    shown = {row[:2] for row in query(database, "SELECT bookmaker_slug, external_event_id FROM market_odds_current")}
    assert {f"{slug}/{event}" for slug, event in shown} == {row[0] for row in rows if row[3]}


def test_matches_first_seen_at_competitors_are_linked_when_betpawa_lists_them(
    tiny: SmallWorld, database: Database, tmp_path: Path
) -> None:
    """B-28: the event stays the same, takes betPawa's words, and its odds go on in one timeline."""
    run_cycle(database, tmp_path, tiny.settings, tiny.clock, slugs=("sportybet", "bet9ja"))
    events = dict(query(database, "SELECT sportradar_id, id FROM events"))
    odds = stored(database)
    tiny.clock.advance(ONE_MINUTE)
    ran = run_cycle(database, tmp_path, tiny.settings, tiny.clock)
    names = {x.sportradar_id: f"{x.home} - {x.away}" for x in tiny.upcoming("betpawa") if x.kickoff == x.match.kickoff}  # type: ignore[union-attr]
    assert dict(query(database, "SELECT sportradar_id, id FROM events")) == events
    assert dict(query(database, "SELECT sportradar_id, name FROM events")) == names
    assert ran.record.changed == ran.record.unavailable == ran.record.returned == 0
    assert {market: state for market, state in stored(database).items() if market[0] != "betpawa"} == odds


def test_a_refresh_of_one_event_is_a_small_cycle_of_the_same_kind(
    tiny: SmallWorld, database: Database, tmp_path: Path
) -> None:
    """B-44: same state, same writes: that event's changes are stored, and not again by the next whole cycle."""
    run_cycle(database, tmp_path, tiny.settings, tiny.clock)
    before = stored(database)
    tiny.advance()
    (event_id, sportradar_id), *_ = query(database, "SELECT id, sportradar_id FROM events ORDER BY id")
    asked = {
        (x.bookmaker, x.event_id) for slug in SLUGS for x in tiny.upcoming(slug) if x.sportradar_id == sportradar_id
    }
    truth = tiny.truth()

    cycle, _, record = refresh_event(
        database, archive_of(database), event_id, settings=tiny.settings, clock=tiny.clock, staging_root=tmp_path
    )

    after = stored(database)
    assert len(asked) >= 3
    assert {m: o for m, o in available(after).items() if m[:2] in asked} == {
        m: o for m, o in truth.items() if m[:2] in asked
    }
    assert {m: s for m, s in after.items() if m[:2] not in asked} == {
        m: s for m, s in before.items() if m[:2] not in asked
    }
    assert record.changed > 0
    assert run_status(database, cycle.run_id) == "completed"

    tiny.clock.advance(ONE_MINUTE)
    ledger = Ledger()
    ledger.book(available(after))
    ran = run_cycle(database, tmp_path, tiny.settings, tiny.clock)
    assert ran.record.changed == total(ledger.book(truth), "changed") > 0
    assert not {row[0] for row in changed_events(database, ran.run_id)} & {event for _, event in asked}
    assert available(stored(database)) == truth


def changed_events(database: Database, run_id: int) -> list[tuple[str]]:
    rows = query(
        database,
        """
        SELECT DISTINCT listing.external_event_id FROM odds_history AS history
        JOIN event_bookmakers AS listing ON listing.id = history.event_bookmaker_id WHERE history.run_id = %s
        """,
        [run_id],
    )
    return [(event,) for (event,) in rows]


def history_rows(database: Database, run_id: int) -> dict[str, int]:
    rows = query(
        database,
        """
        SELECT bookmaker.slug, count(*) FROM odds_history_changes AS history
        JOIN event_bookmakers AS listing ON listing.id = history.event_bookmaker_id
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        WHERE history.run_id = %s GROUP BY 1
        """,
        [run_id],
    )
    return dict(rows)
