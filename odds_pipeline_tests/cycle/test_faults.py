"""Whole cycles in which bookmakers misbehave: nothing is believed gone, failures are typed, all else goes on (I3)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline.simulator.faults import Fault, FaultKind
from odds_pipeline_tests.cycle.small_world import (
    SLUGS,
    MarketId,
    Ran,
    SmallWorld,
    available,
    confirmed_at,
    errors_of,
    query,
    run_cycle,
    run_status,
    stored,
)

FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    # fault, type at discovery, type at an event
    "429": ({"kind": FaultKind.STATUS, "status": 429, "retry_after": 1}, "rate_limit", "rate_limit"),
    "429-date": (
        {"kind": FaultKind.STATUS, "status": 429, "retry_after": 1, "retry_after_as_date": True},
        "rate_limit",
        "rate_limit",
    ),
    "403": ({"kind": FaultKind.STATUS, "status": 403}, "forbidden", "forbidden"),
    "500": ({"kind": FaultKind.STATUS, "status": 500}, "server_error", "server_error"),
    "502": ({"kind": FaultKind.STATUS, "status": 502}, "server_error", "server_error"),
    "503": ({"kind": FaultKind.STATUS, "status": 503}, "server_error", "server_error"),
    "read-timeout": ({"kind": FaultKind.HANG}, "timeout", "timeout"),
    "reset": ({"kind": FaultKind.RESET}, "network", "network"),
    "cut-short": ({"kind": FaultKind.CUT_SHORT}, "network", "network"),
    "truncated": ({"kind": FaultKind.TRUNCATED}, "unexpected_content", "unexpected_content"),
    "html": ({"kind": FaultKind.HTML}, "api_changed", "unexpected_content"),
    "protobuf": ({"kind": FaultKind.PROTOBUF}, "api_changed", "unexpected_content"),
    "redirect": ({"kind": FaultKind.REDIRECT}, "api_changed", "api_changed"),
    "empty": ({"kind": FaultKind.EMPTY}, "empty", "empty"),
    "wrong-code": ({"kind": FaultKind.WRONG_CODE}, "parse_error", "parse_error"),
}
RENAMED: dict[str, Any] = {"kind": FaultKind.RENAMED_FIELD}
SPOILT_MARKETS: dict[str, tuple[dict[str, Any], str | None]] = {
    # fault, type
    "price NaN": ({"kind": FaultKind.PRICE, "price": "NaN"}, "price_not_a_number"),
    "price ''": ({"kind": FaultKind.PRICE, "price": ""}, "price_not_a_number"),
    "price 1": ({"kind": FaultKind.PRICE, "price": "1"}, "price_too_low"),
    "price 1.0": ({"kind": FaultKind.PRICE, "price": "1.0"}, "price_too_low"),
    "price 0": ({"kind": FaultKind.PRICE, "price": "0"}, "price_too_low"),
    "price -2": ({"kind": FaultKind.PRICE, "price": "-2"}, "price_too_low"),
    "price 1e9": ({"kind": FaultKind.PRICE, "price": "1e9"}, "price_too_high"),
    "market twice with other prices": ({"kind": FaultKind.MARKET_CONFLICT}, "conflicting_duplicate"),
    "market twice": ({"kind": FaultKind.MARKET_TWICE}, None),
}


def expected_type(slug: str, error_type: str) -> str:
    """Bet9ja says 403 to those who ask too fast."""
    return "rate_limit" if (slug, error_type) == ("bet9ja", "forbidden") else error_type


@pytest.fixture(scope="module")
def running() -> Iterator[SmallWorld]:
    world = SmallWorld()
    with world.simulator:
        yield world


@pytest.fixture
def world(running: SmallWorld) -> Iterator[SmallWorld]:
    yield running
    running.simulator.clear_faults()


@pytest.fixture(scope="module")
def running_tiny() -> Iterator[SmallWorld]:
    world = SmallWorld(events=3, seed=27)
    with world.simulator:
        yield world


@pytest.fixture
def tiny(running_tiny: SmallWorld) -> Iterator[SmallWorld]:
    yield running_tiny
    running_tiny.simulator.clear_faults()


@pytest.fixture(scope="module")
def tiny_database(shared_migrated_database: str) -> Iterator[Database]:
    database = Database(shared_migrated_database)
    yield database
    database.dispose()


def impatient(settings: Settings, *slugs: str, **limits: Any) -> Settings:
    """Other limits for some bookmakers, so that only their answers are hurried."""
    return settings.model_copy(update={slug: settings.of(slug).model_copy(update=limits) for slug in slugs})


def good_cycle(world: SmallWorld, database: Database, folder: Path) -> Ran:
    """A cycle after which current is the world's truth, all of it just confirmed, and there is nothing to report."""
    ran = run_cycle(database, folder, world.settings, world.clock)
    assert available(stored(database)) == world.truth()
    assert set(confirmed_at(database).values()) == {ran.at}
    assert errors_of(database, ran.run_id) == {}
    assert run_status(database, ran.run_id) == "completed"
    return ran


def of_event(markets: dict[MarketId, Any], slug: str, event: str) -> dict[MarketId, Any]:
    return {market: state for market, state in markets.items() if market[:2] == (slug, event)}


def test_events_that_fail_in_every_way_at_once_cost_themselves_only(
    world: SmallWorld, database: Database, tmp_path: Path
) -> None:
    """B-13, B-38, B-39, B-43: in one cycle, at each bookmaker, one event for each fault: each is typed and counted,
    keeps its odds, and is confirmed again when the fault is over; every other event follows the moving world.
    """
    good_cycle(world, database, tmp_path)
    before, confirmed_before = stored(database), confirmed_at(database)
    world.advance()
    spoilt: dict[tuple[str, str], str] = {}
    for slug in SLUGS:
        events = [listed.event_id for listed in world.upcoming(slug)]
        for event, (fault, _, error_type) in zip(events, FAULTS.values(), strict=False):
            world.simulator.add_fault(Fault(bookmaker=slug, target="event", events=(event,), **fault))
            spoilt[slug, event] = expected_type(slug, error_type)
        assert len(events) > len(FAULTS)
    settings = impatient(world.settings, *SLUGS, tries=1, timeout_s=3.0, parallelism=4)

    ran = run_cycle(database, tmp_path, settings, world.clock)

    after, confirmed_after, truth = stored(database), confirmed_at(database), world.truth()
    assert errors_of(database, ran.run_id) == {(*event, error_type): 1 for event, error_type in spoilt.items()}
    assert run_status(database, ran.run_id) == "partial"
    for slug in SLUGS:
        assert ran.collected[slug].failed == len(FAULTS)
        assert ran.collected[slug].discovery_complete
    assert {m: s for m, s in after.items() if m[:2] in spoilt} == {m: s for m, s in before.items() if m[:2] in spoilt}
    assert {m: offer for m, offer in available(after).items() if m[:2] not in spoilt} == {
        m: offer for m, offer in truth.items() if m[:2] not in spoilt
    }
    for market, moment in confirmed_after.items():
        assert moment == (confirmed_before[market] if market[:2] in spoilt else ran.at)

    world.simulator.clear_faults()
    world.advance()
    good_cycle(world, database, tmp_path)


def test_markets_spoilt_in_every_way_at_once_are_neither_confirmed_nor_gone(
    world: SmallWorld, database: Database, tmp_path: Path
) -> None:
    """B-13, B-16, B-17: at each bookmaker, one event for each malformed price or repeated market: the market keeps its
    odds until it can be read again, everything else of its answer counts.
    """
    good_cycle(world, database, tmp_path)
    before, confirmed_before = stored(database), confirmed_at(database)
    world.advance()
    spoilt: dict[tuple[str, str], str] = {}
    # A match that its bookmaker lists twice is stored twice and shown once.
    shown = {market[:2] for market in before}
    for slug in SLUGS:
        known = (listed for listed in world.upcoming(slug) if (slug, listed.event_id) in shown)
        for listed, (name, (fault, _)) in zip(known, SPOILT_MARKETS.items(), strict=False):
            world.simulator.add_fault(Fault(bookmaker=slug, target="event", events=(listed.event_id,), **fault))
            spoilt[slug, listed.event_id] = name
    assert len(spoilt) == len(SLUGS) * len(SPOILT_MARKETS)

    ran = run_cycle(database, tmp_path, world.settings, world.clock)

    after, truth, errors = stored(database), world.truth(), errors_of(database, ran.run_id)
    confirmed_after = confirmed_at(database)
    assert run_status(database, ran.run_id) == "completed"
    assert {error[:2] for error in errors} <= spoilt.keys()
    gone = {market for market, state in after.items() if state.unavailable_at == ran.at}
    assert not gone & truth.keys()
    for (slug, event), name in spoilt.items():
        is_now = available(of_event(after, slug, event))
        should_be = of_event(truth, slug, event)
        differing = {
            market for market in is_now.keys() | should_be.keys() if is_now.get(market) != should_be.get(market)
        }
        unconfirmed = {market for market in of_event(confirmed_after, slug, event) if confirmed_after[market] != ran.at}
        types = {error: count for error, count in errors.items() if error[:2] == (slug, event)}
        if name == "market twice":
            assert not differing
        elif (slug, name) == ("bet9ja", "price 1"):
            (market,) = differing
            assert len(should_be[market] - is_now[market]) == 1, "one outcome is not offered"
            assert is_now[market] < should_be[market]
            assert not types
        else:
            assert types == {(slug, event, SPOILT_MARKETS[name][1]): 1}
            if not unconfirmed:
                (market,) = differing
                assert market not in before, "only a market that had just appeared leaves nothing unconfirmed"
                assert market not in after
                continue
            (market,) = unconfirmed
            assert differing <= {market}
            assert after[market] == before[market]
            assert confirmed_after[market] == confirmed_before[market]
    assert {m: offer for m, offer in available(after).items() if m[:2] not in spoilt} == {
        m: offer for m, offer in truth.items() if m[:2] not in spoilt
    }

    world.simulator.clear_faults()
    world.advance()
    good_cycle(world, database, tmp_path)


@pytest.mark.parametrize("slug", SLUGS)
def test_prices_under_another_name_retire_nothing(
    tiny: SmallWorld, tiny_database: Database, tmp_path: Path, slug: str
) -> None:
    """B-13, B-47: a bookmaker that renames a field at every event keeps all that it really offers."""
    good_cycle(tiny, tiny_database, tmp_path)
    tiny.advance()
    tiny.simulator.add_fault(Fault(bookmaker=slug, target="event", **RENAMED))
    ran = run_cycle(tiny_database, tmp_path, tiny.settings, tiny.clock)
    now_available = available(stored(tiny_database))
    assert not tiny.truth(slug).keys() - now_available.keys() - new_markets(ran, tiny_database, tiny, slug)
    errors = errors_of(tiny_database, ran.run_id)
    assert {error[1] for error in errors if error[0] == slug} == {x.event_id for x in tiny.upcoming(slug)}
    assert {error[0] for error in errors} == {slug}
    others = [other for other in SLUGS if other != slug]
    assert {m: offer for m, offer in now_available.items() if m[0] != slug} == tiny.truth(*others)
    tiny.simulator.clear_faults()
    tiny.advance()
    good_cycle(tiny, tiny_database, tmp_path)


def new_markets(ran: Ran, database: Database, world: SmallWorld, slug: str) -> set[MarketId]:
    """Markets that could not be known yet: they appeared, or came back, while the bookmaker could not be read."""
    known = stored(database)
    return {
        market
        for market in world.truth(slug)
        if market not in known or (known[market].unavailable_at or ran.at) < ran.at
    }


@pytest.mark.parametrize("fault", [*FAULTS, "renamed-field", "connect-timeout", "refused"])
def test_an_offer_that_cannot_be_discovered_is_no_empty_offer(
    tiny: SmallWorld, tiny_database: Database, tmp_path: Path, fault: str
) -> None:
    """B-13, B-39, B-43, B-47: first two bookmakers fail wholly, then the third: the run is partial, those that failed
    keep every market, the others are complete, and who answers again is confirmed again.
    """
    good_cycle(tiny, tiny_database, tmp_path)
    shift = list({**FAULTS, "renamed-field": 0, "connect-timeout": 0, "refused": 0}).index(fault) % 3
    turned = SLUGS[shift:] + SLUGS[:shift]
    for failing in (turned[:2], turned[2:]):
        before = stored(tiny_database)
        tiny.advance()
        with ExitStack() as stack:
            settings = stack.enter_context(undiscoverable(tiny, fault, failing))
            ran = run_cycle(tiny_database, tmp_path, settings, tiny.clock)
        after = stored(tiny_database)
        assert errors_of(tiny_database, ran.run_id) == {
            (slug, None, discovery_type(slug, fault)): 1 for slug in failing
        }
        assert run_status(tiny_database, ran.run_id) == "partial"
        assert {m: s for m, s in after.items() if m[0] in failing} == {
            m: s for m, s in before.items() if m[0] in failing
        }
        well = [slug for slug in SLUGS if slug not in failing]
        assert {m: offer for m, offer in available(after).items() if m[0] in well} == tiny.truth(*well)
        rows = query(
            tiny_database,
            """
            SELECT bookmaker.slug FROM scrape_coverage AS coverage
            JOIN bookmakers AS bookmaker ON bookmaker.id = coverage.bookmaker_id
            WHERE run_id = %s AND discovery_status = 'failed' AND complete = 0
            """,
            [ran.run_id],
        )
        assert {slug for (slug,) in rows} == set(failing)
    tiny.advance()
    good_cycle(tiny, tiny_database, tmp_path)


def test_a_cycle_in_which_nobody_answers_is_failed_and_changes_nothing(
    tiny: SmallWorld, tiny_database: Database, tmp_path: Path
) -> None:
    """B-13, B-39."""
    good_cycle(tiny, tiny_database, tmp_path)
    before, confirmed_before = stored(tiny_database), confirmed_at(tiny_database)
    tiny.advance()
    tiny.simulator.add_fault(Fault(kind=FaultKind.EMPTY, target="discovery"))
    ran = run_cycle(tiny_database, tmp_path, tiny.settings, tiny.clock)
    assert run_status(tiny_database, ran.run_id) == "failed"
    assert (ran.record.inserted_history, ran.record.observations) == (0, 0)
    assert stored(tiny_database) == before
    assert confirmed_at(tiny_database) == confirmed_before
    assert errors_of(tiny_database, ran.run_id) == {(slug, None, "empty"): 1 for slug in SLUGS}


def discovery_type(slug: str, fault: str) -> str:
    own = {"renamed-field": "parse_error", "connect-timeout": "timeout", "refused": "network"}
    return own[fault] if fault in own else expected_type(slug, FAULTS[fault][1])


@contextmanager
def undiscoverable(world: SmallWorld, fault: str, slugs: tuple[str, ...]) -> Iterator[Settings]:
    """Settings under which the offers of ``slugs`` cannot be had."""
    settings = impatient(world.settings, *slugs, tries=1, timeout_s=0.3)
    if fault == "connect-timeout":
        with full_backlog() as url:
            yield impatient(settings, *slugs, url=url)
    elif fault == "refused":
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        yield impatient(settings, *slugs, url=f"http://127.0.0.1:{port}")
    else:
        how = RENAMED if fault == "renamed-field" else FAULTS[fault][0]
        for slug in slugs:
            world.simulator.add_fault(Fault(bookmaker=slug, target="discovery", **how))
        yield settings
        world.simulator.clear_faults()


@contextmanager
def full_backlog() -> Iterator[str]:
    """An address that answers no connection attempt: its queue of connections is full and nobody accepts them."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
