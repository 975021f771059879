"""Every fault of the simulator, in full protocols and realistic answers, at discovery and at events, pass by pass."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from odds_pipeline.bookmakers.registry import enabled
from odds_pipeline.clock import ManualClock
from odds_pipeline.scrape.collect import Collected, collect
from odds_pipeline.scrape.staging import Staging
from odds_pipeline.simulator.faults import Fault, FaultKind
from odds_pipeline.simulator.simulator import Simulator
from odds_pipeline_tests.bookmakers.sites import quick_settings
from odds_pipeline_tests.captures import CAPTURES, needs_captures
from odds_pipeline_tests.scrape.passes import CYCLE, MAPPER

SLUGS = ("betpawa", "sportybet", "bet9ja")


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(events=12, clock=ManualClock(CYCLE)) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Iterator[Simulator]:
    yield running
    running.clear_faults()


def scrape(simulator: Simulator, folder: Path, **limits: Any) -> tuple[dict[str, Collected], Staging]:
    settings = quick_settings(simulator.urls, **limits)
    staging = Staging(folder, 1)
    collected = asyncio.run(
        collect(
            enabled(settings),
            run_id=1,
            cycle_at=CYCLE,
            settings=settings,
            mapper=MAPPER,
            clock=ManualClock(CYCLE),
            staging=staging,
        )
    )
    return collected, staging


@pytest.fixture(scope="module")
def events(running: Simulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An event of each bookmaker that answers in full."""
    _, staging = scrape(running, tmp_path_factory.mktemp("before"))
    answered = {slug: staging.read_coverage(slug).filter(status="complete") for slug in SLUGS}
    return {slug: answered[slug]["external_event_id"].drop_nulls().sort()[0] for slug in SLUGS}


TYPES: list[tuple[dict[str, Any], str, str]] = [
    # fault, type at discovery, type at an event
    ({"kind": FaultKind.STATUS, "status": 429, "retry_after": 1}, "rate_limit", "rate_limit"),
    (
        {"kind": FaultKind.STATUS, "status": 429, "retry_after": 1, "retry_after_as_date": True},
        "rate_limit",
        "rate_limit",
    ),
    ({"kind": FaultKind.STATUS, "status": 500}, "server_error", "server_error"),
    ({"kind": FaultKind.STATUS, "status": 502}, "server_error", "server_error"),
    ({"kind": FaultKind.STATUS, "status": 503}, "server_error", "server_error"),
    ({"kind": FaultKind.HANG}, "timeout", "timeout"),
    ({"kind": FaultKind.RESET}, "network", "network"),
    ({"kind": FaultKind.CUT_SHORT}, "network", "network"),
    ({"kind": FaultKind.TRUNCATED}, "unexpected_content", "unexpected_content"),
    ({"kind": FaultKind.HTML}, "api_changed", "unexpected_content"),
    ({"kind": FaultKind.PROTOBUF}, "api_changed", "unexpected_content"),
    ({"kind": FaultKind.REDIRECT}, "api_changed", "api_changed"),
    ({"kind": FaultKind.EMPTY}, "empty", "empty"),
    ({"kind": FaultKind.WRONG_CODE}, "parse_error", "parse_error"),
]
NAMES = ["-".join(str(value) for value in fault.values()) for fault, _, _ in TYPES]


@pytest.mark.parametrize(("fault", "expected", "_"), TYPES, ids=NAMES)
def test_a_fault_at_every_discovery_is_typed_and_no_offer_looks_empty(
    simulator: Simulator, tmp_path: Path, fault: dict[str, Any], expected: str, _: str
) -> None:
    """B-13, B-39, B-47: three bookmakers that cannot be discovered leave three failed discoveries and no event."""
    simulator.add_fault(Fault(target="discovery", **fault))
    collected, staging = scrape(simulator, tmp_path, timeout_s=0.3, retry_wait_max_s=0.01)
    for slug in SLUGS:
        (row,) = staging.read_coverage(slug).to_dicts()
        assert (row["external_event_id"], row["status"], row["reason"]) == (None, "failed", expected), row["message"]
        assert collected[slug].is_failed
        assert not collected[slug].discovery_complete


@pytest.mark.parametrize(("fault", "_", "expected"), TYPES, ids=NAMES)
def test_a_fault_at_one_event_is_typed_and_every_other_event_is_stored(
    simulator: Simulator, events: dict[str, str], tmp_path: Path, fault: dict[str, Any], _: str, expected: str
) -> None:
    """B-13, B-38, B-43: the event fails by its type, all others are stored, the discovery stays complete."""
    simulator.add_fault(Fault(target="event", events=tuple(events.values()), **fault))
    collected, staging = scrape(simulator, tmp_path, timeout_s=0.7, retry_wait_max_s=0.01)
    for slug in SLUGS:
        rows = {row["external_event_id"]: row for row in staging.read_coverage(slug).to_dicts()}
        assert rows[None]["status"] == "complete"
        spoilt = rows[events[slug]]
        assert spoilt["status"] == "failed"
        assert spoilt["reason"] in expected.split("|"), spoilt["message"]
        assert collected[slug].failures == {spoilt["reason"]: 1}
        assert collected[slug].failed == 1
        others = {row["status"] for event, row in rows.items() if event != events[slug]}
        assert others <= {"complete", "started"}
        stored = set(staging.scan_observations(slug).select("external_event_id").collect().to_series())
        assert events[slug] not in stored
        assert len(stored) == collected[slug].answered_complete


def test_a_field_renamed_at_every_discovery_is_typed(simulator: Simulator, tmp_path: Path) -> None:
    """B-13: JSON without the field that holds the events is no empty offer."""
    simulator.add_fault(Fault(target="discovery", kind=FaultKind.RENAMED_FIELD))
    _, staging = scrape(simulator, tmp_path)
    for slug in SLUGS:
        (row,) = staging.read_coverage(slug).to_dicts()
        assert (row["status"], row["reason"]) == ("failed", "parse_error")


def test_a_field_renamed_at_one_event_confirms_and_retires_nothing_that_had_a_price(
    simulator: Simulator, events: dict[str, str], tmp_path: Path
) -> None:
    """B-13: every market with a price is refused; suspended markets have none to miss and are stored as they are."""
    spoilt = tuple(events.values())
    simulator.add_fault(Fault(target="event", events=spoilt, kind=FaultKind.RENAMED_FIELD))
    collected, staging = scrape(simulator, tmp_path)
    for slug in SLUGS:
        (row,) = staging.read_coverage(slug).filter(external_event_id=events[slug]).to_dicts()
        stored = staging.scan_observations(slug).filter(external_event_id=events[slug]).collect()
        assert not any(outcome["is_active"] for outcomes in stored["outcomes"] for outcome in outcomes)
        assert row["refused"] or row["status"] == "failed"
        assert collected[slug].failed <= 1


@pytest.mark.parametrize("price", ["NaN", "", "1", "1.0", "0", "-2", "1e9"])
def test_a_malformed_price_refuses_its_market_and_nothing_else(
    simulator: Simulator, tmp_path: Path, price: str
) -> None:
    """B-16, B-17: the answer stays complete; the market is neither confirmed nor gone, the others are stored.

    The fault spoils the first price of every event; where that is of a market not offered or an outcome suspended, the
    price means nothing and nothing is refused.
    """
    simulator.add_fault(Fault(kind=FaultKind.PRICE, price=price, target="event"))
    collected, staging = scrape(simulator, tmp_path)
    for slug in SLUGS:
        assert collected[slug].is_complete
        rows = staging.read_coverage(slug).filter(status="complete").drop_nulls("external_event_id").to_dicts()
        refusals = [refusal for row in rows for refusal in row["refused"]]
        if (slug, price) == ("bet9ja", "1"):
            assert not refusals
            assert collected[slug].outcomes_not_offered >= len(rows)
        else:
            assert len(rows) / 2 < len(refusals) <= len(rows)
            assert all(refusal["betpawa_market_id"] and refusal["reason"] for refusal in refusals)
        assert collected[slug].outcomes_stored > 20 * len(rows)


def test_faults_that_pass_are_retried_until_every_event_is_stored(simulator: Simulator, tmp_path: Path) -> None:
    """B-40: a third of all events meets a server error once; no event is lost."""
    for kind in (FaultKind.RESET, FaultKind.TRUNCATED, FaultKind.HTML):
        simulator.add_fault(Fault(kind=kind, target="any", times=3))
    collected, _ = scrape(simulator, tmp_path, tries=10)
    assert all(collected[slug].is_complete for slug in SLUGS)
    assert sum(collected[slug].retries for slug in SLUGS) == 9


def test_a_rate_limited_bookmaker_is_slowed_down_and_still_collected(simulator: Simulator, tmp_path: Path) -> None:
    """B-41: Bet9ja's 403 means too fast: it is retried, with fewer requests under way."""
    simulator.add_fault(Fault(kind=FaultKind.RATE_LIMIT, bookmaker="bet9ja", parallel=2))
    collected, _ = scrape(simulator, tmp_path, parallelism=6, tries=20, retry_wait_max_s=0.2)
    assert collected["bet9ja"].is_complete


@needs_captures
def test_captured_answers_give_the_same_rows_through_http_as_through_the_parser(tmp_path: Path) -> None:
    """B-44: what is scraped from a site serving real answers is what their parser says of the files."""
    with Simulator(captures=CAPTURES) as simulator:
        collected, staging = scrape(simulator, tmp_path)
    settings = quick_settings(dict.fromkeys(SLUGS, "http://127.0.0.1:1"))
    for source in enabled(settings):
        assert collected[source.slug].is_complete
        rows = staging.scan_observations(source.slug).collect()
        expected = 0
        for event, in_event in rows.group_by("sportradar_id"):
            matching = [path for path in (CAPTURES / source.slug).glob("*.json") if str(event[0]) in path.name]
            parsed = source.parse_event(matching[0].read_bytes(), MAPPER)
            expected += len(parsed.observations)
            assert in_event.height == len(parsed.observations)
            assert set(in_event["betpawa_market_id"]) == {o.betpawa_market_id for o in parsed.observations}
        assert rows.height == expected > 0
