"""The HTTP client of a bookmaker, against a real server on loopback: limits, failures, retries."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from odds_pipeline.bookmakers.base import (
    ApiChanged,
    Forbidden,
    GivenUp,
    NetworkFailure,
    NotFound,
    RateLimited,
    ScrapeFailure,
    ServerFailure,
    Timeout,
    UnexpectedContent,
)
from odds_pipeline.bookmakers.http import BookmakerHttp, open_http
from odds_pipeline.bookmakers.registry import bookmaker
from odds_pipeline.clock import Clock, ManualClock, SystemClock
from odds_pipeline.settings import BookmakerSettings, Settings
from odds_pipeline_tests.bookmakers.loopback import Loopback, Reply, Request, json_reply

NOON = datetime(2030, 3, 2, 12, 0, tzinfo=UTC)
OK = json_reply({"id": "1"})


def quick(**changes: Any) -> BookmakerSettings:
    """Limits whose waits are milliseconds."""
    waits: dict[str, Any] = {"retry_wait_s": 0.001, "retry_wait_max_s": 0.05, "timeout_s": 2.0}
    return BookmakerSettings(**waits | changes)


def client(
    url: str, limits: BookmakerSettings, *, clock: Clock | None = None, forbidden_is_rate_limit: bool = False
) -> BookmakerHttp:
    return BookmakerHttp(
        base_url=url,
        headers={"x-test": "yes"},
        limits=limits,
        clock=clock or SystemClock(),
        forbidden_is_rate_limit=forbidden_is_rate_limit,
    )


def replies(*script: Reply) -> Callable[[Request], Reply]:
    """Answer with each reply in turn, then with success."""
    left = list(script)
    return lambda _: left.pop(0) if left else OK


def ask(
    answer: Callable[[Request], Reply],
    limits: BookmakerSettings | None = None,
    *,
    discovery: bool = False,
    clock: Clock | None = None,
    forbidden_is_rate_limit: bool = False,
) -> tuple[bytes | ScrapeFailure, Loopback]:
    """One request to a server that gives ``answer``: its body or failure, and the server."""

    async def run() -> tuple[bytes | ScrapeFailure, Loopback]:
        async with (
            Loopback(answer) as server,
            client(server.url, limits or quick(), clock=clock, forbidden_is_rate_limit=forbidden_is_rate_limit) as http,
        ):
            try:
                return (await http.get("/event/1", {"a": "b c"}, discovery=discovery)).body, server
            except ScrapeFailure as failure:
                return failure, server

    return asyncio.run(run())


HTML = Reply(body=b"\n<!DOCTYPE html><p>hello", headers={"content-type": "text/html"})
PROTOBUF = Reply(body=b"\x0a\x05hello", headers={"content-type": "application/x-protobuf"})
TRUNCATED = Reply(body=b'{"markets": [1, 2', headers={"content-type": "application/json"})

FAILURES: list[tuple[Reply, type[ScrapeFailure], type[ScrapeFailure], bool]] = [
    # reply, failure at an event, failure at a discovery, retried?
    (Reply(429), RateLimited, RateLimited, True),
    (Reply(401), Forbidden, Forbidden, False),
    (Reply(403), Forbidden, Forbidden, False),
    (Reply(404), NotFound, ApiChanged, False),
    (Reply(410), NotFound, ApiChanged, False),
    (Reply(400), ApiChanged, ApiChanged, False),
    (Reply(408), Timeout, Timeout, True),
    (Reply(500), ServerFailure, ServerFailure, True),
    (Reply(502), ServerFailure, ServerFailure, True),
    (Reply(503), ServerFailure, ServerFailure, True),
    (Reply(504), ServerFailure, ServerFailure, True),
    (Reply(204), UnexpectedContent, UnexpectedContent, True),
    (Reply(302, headers={"location": "/elsewhere"}), ApiChanged, ApiChanged, False),
    (Reply(304), ApiChanged, ApiChanged, False),
    (Reply(reset=True), NetworkFailure, NetworkFailure, True),
    (Reply(body=b'{"a": 1}', promised_length=100), NetworkFailure, NetworkFailure, True),
    (HTML, UnexpectedContent, ApiChanged, True),
    (PROTOBUF, UnexpectedContent, ApiChanged, True),
    (TRUNCATED, UnexpectedContent, UnexpectedContent, True),
    (Reply(body=b'{"a": 1} {"b": 2}'), UnexpectedContent, UnexpectedContent, True),
    (Reply(body=b"[" * 100_000), UnexpectedContent, UnexpectedContent, True),
    (Reply(body=b"  "), UnexpectedContent, UnexpectedContent, True),
    (Reply(body=b"no gzip", headers={"content-encoding": "gzip"}), UnexpectedContent, UnexpectedContent, True),
]


@pytest.mark.parametrize(
    ("reply", "at_event", "at_discovery", "is_retried"),
    FAILURES,
    ids=lambda value: f"{value.status}-{value.body[:12]!r}" if isinstance(value, Reply) else None,
)
def test_each_bad_answer_becomes_its_own_failure_and_is_retried_only_where_that_may_help(
    reply: Reply, at_event: type[ScrapeFailure], at_discovery: type[ScrapeFailure], is_retried: bool
) -> None:
    """B-40, B-41, B-47: our own errors are retried, not found never, and a changed API is called that."""
    failure, server = ask(lambda _: reply)
    assert isinstance(failure, at_event), failure
    assert len(server.requests) == (3 if is_retried else 1)
    failure, _ = ask(lambda _: reply, discovery=True)
    assert isinstance(failure, at_discovery), failure


@pytest.mark.parametrize("reply", [reply for reply, _, _, is_retried in FAILURES if is_retried], ids=str)
def test_a_failure_that_passes_is_not_seen_by_the_caller(reply: Reply) -> None:
    """B-40: network failures and time-outs are retried although they are wrapped in our own types."""
    body, server = ask(replies(reply, reply))
    assert body == OK.body
    assert len(server.requests) == 3


def test_a_silent_server_is_a_timeout_and_retried() -> None:
    """B-40: time-outs are retried."""
    failure, server = ask(lambda _: Reply(hang=True), quick(timeout_s=0.05))
    assert isinstance(failure, Timeout)
    assert len(server.requests) == 3


def test_a_body_that_drips_in_forever_is_a_timeout() -> None:
    failure, _ = ask(lambda _: Reply(drip=True), quick(timeout_s=0.05, tries=1))
    assert isinstance(failure, Timeout)


def test_nobody_listening_is_a_network_failure() -> None:
    async def run() -> None:
        async with Loopback(lambda _: OK) as server:
            url = server.url
        async with client(url, quick()) as http:
            with pytest.raises(NetworkFailure):
                await http.get("/event/1")
            assert (http.counts.requests, http.counts.retries) == (3, 2)

    asyncio.run(run())


def test_403_is_a_rate_limit_where_the_bookmaker_means_it_so() -> None:
    failure, server = ask(lambda _: Reply(403), forbidden_is_rate_limit=True)
    assert isinstance(failure, RateLimited)
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "retry_after",
    [lambda: "1", lambda: format_datetime(NOON + timedelta(seconds=1), usegmt=True)],
    ids=["seconds", "date"],
)
def test_retry_after_is_waited_for(status: int, retry_after: Callable[[], str]) -> None:
    limits = quick(retry_wait_max_s=30)
    reply = Reply(status, headers={"retry-after": retry_after()})
    body, server = ask(replies(reply), limits, clock=ManualClock(NOON))
    assert body == OK.body
    assert 1.0 <= server.requests[1].at - server.requests[0].at < 3


def test_retry_after_is_capped_by_the_longest_wait() -> None:
    body, server = ask(replies(Reply(429, headers={"retry-after": "3600"})), quick(retry_wait_max_s=0.05))
    assert body == OK.body
    assert server.requests[1].at - server.requests[0].at < 2


@pytest.mark.parametrize("value", ["soon", "-5", "", "Wed, 99 Foo 2030", "1e3"])
def test_a_retry_after_that_cannot_be_read_is_ignored(value: str) -> None:
    body, _ = ask(replies(Reply(429, headers={"retry-after": value})))
    assert body == OK.body


def test_a_date_that_has_passed_asks_for_no_wait() -> None:
    past = format_datetime(NOON - timedelta(hours=1), usegmt=True)
    body, server = ask(replies(Reply(429, headers={"retry-after": past})), clock=ManualClock(NOON))
    assert body == OK.body
    assert server.requests[1].at - server.requests[0].at < 1


def test_retry_after_pauses_every_request_to_the_bookmaker() -> None:
    async def run() -> None:
        answer = replies(Reply(429, headers={"retry-after": "1"}))
        async with Loopback(answer) as server, client(server.url, quick(retry_wait_max_s=0.3)) as http:
            first = asyncio.create_task(http.get("/event/1"))
            while not server.finished_at:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.05)
            await asyncio.gather(first, *(http.get(f"/event/{n}") for n in range(5)))
            assert min(request.at for request in server.requests[1:]) - server.finished_at[0] >= 0.25

    asyncio.run(run())


def test_waits_between_tries_grow() -> None:
    limits = quick(retry_wait_s=0.05, retry_wait_max_s=10)
    _, server = ask(lambda _: Reply(500), limits)
    first, second, third = (request.at for request in server.requests)
    assert 0.05 <= second - first < 0.5
    assert third - second >= 0.1


def test_parallelism_is_never_exceeded_and_is_used() -> None:
    async def run() -> None:
        async with (
            Loopback(lambda _: json_reply({}, delay=0.01)) as server,
            client(server.url, quick(parallelism=4)) as http,
        ):
            await asyncio.gather(*(http.get(f"/event/{n}") for n in range(40)))
            assert server.most_under_way == 4
            assert http.counts.requests == 40
            assert http.counts.seconds >= 0.4

    asyncio.run(run())


def test_a_slot_rests_after_each_request() -> None:
    async def run() -> None:
        async with Loopback(lambda _: OK) as server, client(server.url, quick(parallelism=1, delay_ms=30)) as http:
            await asyncio.gather(*(http.get(f"/event/{n}") for n in range(4)))
            starts = [request.at for request in server.requests]
            for finished, started in zip(server.finished_at, starts[1:], strict=False):
                assert started - finished >= 0.028

    asyncio.run(run())


def test_a_body_beyond_the_limit_is_refused_also_when_it_arrives_compressed() -> None:
    bomb = Reply(body=gzip.compress(b" " * 5_000_000), headers={"content-encoding": "gzip"})
    failure, _ = ask(lambda _: bomb, quick(max_body_bytes=1_000_000))
    assert isinstance(failure, UnexpectedContent)
    assert "1,000,000 bytes" in str(failure)


def test_a_body_compressed_twice_is_not_read() -> None:
    bomb = gzip.compress(gzip.compress(b"{}" + b" " * 5_000_000))
    failure, _ = ask(lambda _: Reply(body=bomb, headers={"content-encoding": "gzip, gzip"}), quick())
    assert isinstance(failure, UnexpectedContent)
    assert "compressed more than once" in str(failure)


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "aes128gcm"])
def test_a_body_compressed_in_a_way_that_was_not_asked_for_is_not_read(encoding: str) -> None:
    failure, server = ask(lambda _: Reply(body=OK.body, headers={"content-encoding": encoding}), quick())
    assert isinstance(failure, UnexpectedContent)
    assert "not asked for" in str(failure)
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


def test_a_redirect_is_refused_and_its_target_never_asked() -> None:
    async def run() -> None:
        async with (
            Loopback(lambda _: OK) as elsewhere,
            Loopback(lambda _: Reply(301, headers={"location": elsewhere.url})) as server,
            client(server.url, quick()) as http,
        ):
            with pytest.raises(ApiChanged, match="redirect"):
                await http.get("/event/1")
            assert elsewhere.requests == []

    asyncio.run(run())


def test_no_host_but_the_bookmakers_own_is_contacted() -> None:
    async def run() -> None:
        async with (
            Loopback(lambda _: OK) as elsewhere,
            Loopback(lambda _: OK) as server,
            client(server.url, quick()) as http,
        ):
            for address in (f"{elsewhere.url}/event/1", "http://example.invalid/x"):
                with pytest.raises(ApiChanged, match="refused to contact"):
                    await http.get(address)
            assert elsewhere.requests == server.requests == []

    asyncio.run(run())


def test_the_answer_is_dated_by_the_pipeline_clock_when_it_is_whole() -> None:
    async def run() -> None:
        clock = ManualClock(NOON)

        def answer(_: Request) -> Reply:
            clock.advance(timedelta(seconds=7))
            return OK

        async with Loopback(answer) as server, client(server.url, quick(), clock=clock) as http:
            assert (await http.get("/event/1")).captured_at == NOON + timedelta(seconds=7)

    asyncio.run(run())


def test_a_base_url_may_have_a_path() -> None:
    async def run() -> None:
        async with Loopback(lambda _: OK) as server, client(f"{server.url}/betpawa", quick()) as http:
            await http.get("/api/event", {"q": '{"a":1}'})
            assert server.requests[0].path == "/betpawa/api/event"
            assert server.requests[0].params == {"q": '{"a":1}'}
            assert server.requests[0].headers["x-test"] == "yes"

    asyncio.run(run())


def test_a_bookmaker_that_only_fails_is_given_up_and_not_asked_again() -> None:
    async def run() -> None:
        async with (
            Loopback(lambda _: Reply(403)) as server,
            client(server.url, quick(give_up_after=6, parallelism=2)) as http,
        ):
            failures = await asyncio.gather(*(http.get(f"/event/{n}") for n in range(30)), return_exceptions=True)
            assert 6 <= len(server.requests) <= 7
            assert isinstance(failures[-1], GivenUp)
            assert "forbidden" in str(failures[-1])

    asyncio.run(run())


def test_a_bookmaker_is_not_given_up_for_events_it_does_not_know() -> None:
    async def run() -> None:
        async with Loopback(lambda _: Reply(404)) as server, client(server.url, quick(give_up_after=3)) as http:
            await asyncio.gather(*(http.get(f"/event/{n}") for n in range(20)), return_exceptions=True)
            assert len(server.requests) == 20

    asyncio.run(run())


def test_a_silent_bookmaker_is_given_up_before_the_full_count_of_failures() -> None:
    async def run() -> None:
        limits = quick(give_up_after=1000, parallelism=20, timeout_s=0.05, tries=3)
        async with Loopback(lambda _: Reply(hang=True)) as server, client(server.url, limits) as http:
            await asyncio.gather(*(http.get(f"/event/{n}") for n in range(100)), return_exceptions=True)
            assert len(server.requests) <= 20 * 3 * 2

    asyncio.run(run())


def test_the_live_site_is_never_asked_while_the_simulator_is_the_source() -> None:
    settings = Settings(source="simulator")
    with pytest.raises(ValueError, match="ODDS_BETPAWA__URL"):
        open_http(bookmaker("betpawa", settings), settings, SystemClock())


@pytest.mark.parametrize("url", ["ftp://example.invalid", "example.invalid", "", "http://"])
def test_an_address_that_is_no_http_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not an http address"):
        client(url, quick())
