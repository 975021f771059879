"""Each fault does on the wire what its name says, where it was asked for and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from odds_pipeline.clock import ManualClock
from odds_pipeline.simulator import Fault, FaultKind, Simulator
from odds_pipeline.simulator.replies import Target
from odds_pipeline.simulator.schedule import BOOKMAKERS
from odds_pipeline_tests.simulator.asking import MOMENT, Asker

TARGETS: tuple[Target, ...] = ("discovery", "event")

everywhere = pytest.mark.parametrize(("slug", "target"), [(slug, target) for slug in BOOKMAKERS for target in TARGETS])


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    """A small world: these tests ask it often."""
    with Simulator(events=12, seed=7, clock=ManualClock(MOMENT)) as simulator:
        yield simulator


def asking(ask: Asker, slug: str, target: Target) -> Callable[[], httpx.Response]:
    """A request that hits ``target``; made to an event that has not kicked off."""
    if target == "discovery":
        return lambda: ask.discovery(slug)
    event = ask.event_ids(slug)[-1]
    return lambda: ask.event(slug, event)


def spoilt(ask: Asker, slug: str, target: Target, **fault: Any) -> httpx.Response:
    """The one answer that a fault spoils; the answer after it is right again."""
    request = asking(ask, slug, target)
    right = request()
    ask.simulator.add_fault(Fault(bookmaker=slug, target=target, times=1, **fault))
    wrong = request()
    assert request().content == right.content
    return wrong


@everywhere
@pytest.mark.parametrize("status", [403, 500, 502, 503])
def test_an_error_status(ask: Asker, slug: str, target: Target, status: int) -> None:
    answer = spoilt(ask, slug, target, kind=FaultKind.STATUS, status=status)
    assert answer.status_code == status
    assert "retry-after" not in answer.headers


@everywhere
def test_429_says_when_to_come_back_in_seconds_or_as_a_date(ask: Asker, slug: str, target: Target) -> None:
    seconds = spoilt(ask, slug, target, kind=FaultKind.STATUS, status=429, retry_after=7)
    assert (seconds.status_code, seconds.headers["retry-after"]) == (429, "7")
    date = spoilt(ask, slug, target, kind=FaultKind.STATUS, status=429, retry_after=7, retry_after_as_date=True)
    until = parsedate_to_datetime(date.headers["retry-after"])
    assert (until - MOMENT).total_seconds() == 7


@everywhere
def test_a_request_that_hangs(running: Simulator, slug: str, target: Target) -> None:
    with Asker(running, timeout=5) as ask:
        request = asking(ask, slug, target)
        running.add_fault(Fault(kind=FaultKind.HANG, bookmaker=slug, target=target, times=1))
        ask.client.timeout = httpx.Timeout(5, read=0.05)
        with pytest.raises(httpx.ReadTimeout):
            request()


@everywhere
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.CUT_SHORT])
def test_a_connection_that_breaks(ask: Asker, slug: str, target: Target, kind: FaultKind) -> None:
    request = asking(ask, slug, target)
    ask.simulator.add_fault(Fault(kind=kind, bookmaker=slug, target=target, times=1))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        request()
    assert request().status_code == 200


@everywhere
def test_json_that_stops_halfway(ask: Asker, slug: str, target: Target) -> None:
    answer = spoilt(ask, slug, target, kind=FaultKind.TRUNCATED)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


@everywhere
def test_html_with_200(ask: Asker, slug: str, target: Target) -> None:
    answer = spoilt(ask, slug, target, kind=FaultKind.HTML)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!doctype html>")


@everywhere
def test_protobuf_with_200(ask: Asker, slug: str, target: Target) -> None:
    answer = spoilt(ask, slug, target, kind=FaultKind.PROTOBUF)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-protobuf")
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(answer.content.decode("latin-1"))


@everywhere
def test_a_redirect_to_another_host(ask: Asker, slug: str, target: Target) -> None:
    answer = spoilt(ask, slug, target, kind=FaultKind.REDIRECT)
    assert answer.status_code == 302
    assert httpx.URL(answer.headers["location"]).host != "127.0.0.1"


@everywhere
def test_a_wrong_code(ask: Asker, slug: str, target: Target) -> None:
    answer = spoilt(ask, slug, target, kind=FaultKind.WRONG_CODE)
    assert answer.status_code == 200
    document = answer.json()
    if slug == "betpawa":
        assert "id" not in document
        assert "responses" not in document
    else:
        assert document.get("bizCode", document.get("R")) not in (10000, "OK", "D")


def test_an_empty_discovery(ask: Asker) -> None:
    """B-13."""
    empty = {slug: spoilt(ask, slug, "discovery", kind=FaultKind.EMPTY).json() for slug in BOOKMAKERS}
    assert empty["betpawa"] == {"responses": [{"responses": []}]}
    assert empty["sportybet"]["data"] == {"totalNum": 0, "tournaments": []}
    assert empty["bet9ja"]["D"] == {"PAL": []}


def test_an_event_without_markets(ask: Asker) -> None:
    """B-13."""
    empty = {slug: spoilt(ask, slug, "event", kind=FaultKind.EMPTY).json() for slug in BOOKMAKERS}
    assert empty["betpawa"]["markets"] == []
    assert empty["sportybet"]["data"]["markets"] == []
    assert empty["bet9ja"]["D"]["O"] == []
    assert empty["betpawa"]["id"]
    assert empty["bet9ja"]["D"]["DS"]


@everywhere
def test_a_renamed_field(ask: Asker, slug: str, target: Target) -> None:
    right = asking(ask, slug, target)().text
    wrong = spoilt(ask, slug, target, kind=FaultKind.RENAMED_FIELD).text
    assert wrong != right
    gone = {
        ("betpawa", "discovery"): '"responses":',
        ("betpawa", "event"): '"odds":',
        ("sportybet", "discovery"): '"tournaments":',
        ("sportybet", "event"): '"odds":',
        ("bet9ja", "discovery"): '"PAL":',
        ("bet9ja", "event"): '"O":',
    }[slug, target]
    assert gone in right
    assert gone not in wrong
    json.loads(wrong)


@pytest.mark.parametrize("kind", [FaultKind.MARKET_TWICE, FaultKind.MARKET_CONFLICT])
@pytest.mark.parametrize("slug", BOOKMAKERS)
def test_a_market_that_stands_twice(ask: Asker, slug: str, kind: FaultKind) -> None:
    answer = spoilt(ask, slug, "event", kind=kind)
    if slug == "bet9ja":
        pairs: list[list[tuple[str, Any]]] = []
        json.loads(answer.text, object_pairs_hook=lambda found: pairs.append(found) or dict(found))
        odds = next(found for found in pairs if found[0][0].startswith("S_"))
        (key, first), (again, second) = odds[0], odds[-1]
        assert key == again
    else:
        markets = (answer.json() if slug == "betpawa" else answer.json()["data"])["markets"]
        first, second = markets[0], markets[-1]
        assert (
            first["id" if slug == "sportybet" else "marketType"]
            == second["id" if slug == "sportybet" else "marketType"]
        )
    assert (first == second) == (kind is FaultKind.MARKET_TWICE)


@pytest.mark.parametrize("price", ["NaN", "", "1", "1.0", "0", "-2", "1e9"])
@pytest.mark.parametrize("slug", BOOKMAKERS)
def test_a_price_that_is_none(ask: Asker, slug: str, price: str) -> None:
    right = asking(ask, slug, "event")().json()
    wrong = spoilt(ask, slug, "event", kind=FaultKind.PRICE, price=price).json()
    before, after = quoted(slug, right), quoted(slug, wrong)
    assert before.keys() == after.keys()
    changed = {key: value for key, value in after.items() if value != before[key]}
    assert len(changed) == 1
    (value,) = changed.values()
    assert str(value) == price or float(value) == float(price)


def quoted(slug: str, answer: Any) -> dict[object, Any]:
    """Every price of an answer, by its place."""
    if slug == "bet9ja":
        return dict(answer["D"]["O"])
    if slug == "sportybet":
        return {(i, j): o["odds"] for i, m in enumerate(answer["data"]["markets"]) for j, o in enumerate(m["outcomes"])}
    return {price["id"]: price.get("odds") for m in answer["markets"] for row in m["row"] for price in row["prices"]}


def test_a_fault_hits_the_events_named_and_no_other(ask: Asker) -> None:
    """B-43."""
    first, second, *_ = ask.event_ids("betpawa")
    ask.simulator.add_fault(Fault(kind=FaultKind.STATUS, status=500, target="event", events=(first,)))
    assert ask.event("betpawa", first).status_code == 500
    assert ask.event("betpawa", second).status_code == 200
    assert ask.discovery("betpawa").status_code == 200


def test_a_fault_on_a_share_of_events_hits_always_the_same(ask: Asker) -> None:
    ask.simulator.add_fault(Fault(kind=FaultKind.STATUS, status=500, target="event", share=0.5))
    ids = ask.event_ids("sportybet")
    first, second = ([event for event in ids if ask.event("sportybet", event).status_code == 500] for _ in range(2))
    assert first == second
    assert 0.2 < len(first) / len(ids) < 0.8


def test_a_fault_is_over_after_as_many_requests_as_asked_for(ask: Asker) -> None:
    ask.simulator.add_fault(Fault(kind=FaultKind.STATUS, status=503, bookmaker="bet9ja", times=2))
    assert [ask.discovery("bet9ja").status_code for _ in range(4)] == [503, 503, 200, 200]


def test_faults_can_be_listed_and_cleared(ask: Asker) -> None:
    ask.simulator.add_fault(Fault(kind=FaultKind.HTML))
    control = f"{ask.simulator.url}/control/faults"
    assert [fault["kind"] for fault in ask.client.get(control).json()] == ["html"]
    ask.simulator.clear_faults()
    assert ask.client.get(control).json() == []


@pytest.mark.parametrize(
    "document",
    [b"{}", b'{"kind":"boredom"}', b'{"kind":"html","share":2}', b'{"kind":"html","tmies":1}', b"no json"],
)
def test_a_fault_that_cannot_be_understood_is_refused(ask: Asker, document: bytes) -> None:
    answer = ask.client.post(f"{ask.simulator.url}/control/faults", content=document)
    assert answer.status_code == 400
    assert "not a fault" in answer.json()["error"]


@pytest.mark.parametrize(("slug", "status"), [("betpawa", 429), ("sportybet", 429), ("bet9ja", 403)])
def test_too_many_requests_at_once_are_turned_away(slug: str, status: int) -> None:
    """At Bet9ja with 403, elsewhere with 429; one at a time is never too fast."""
    with Simulator(events=10, clock=ManualClock(MOMENT), latency="realistic") as simulator, Asker(simulator) as ask:
        simulator.add_fault(Fault(kind=FaultKind.RATE_LIMIT, bookmaker=slug, parallel=2))
        assert ask.discovery(slug).status_code == 200
        with ThreadPoolExecutor(8) as pool:
            statuses = [answer.status_code for answer in pool.map(lambda _: ask.discovery(slug), range(8))]
    assert set(statuses) == {200, status}
