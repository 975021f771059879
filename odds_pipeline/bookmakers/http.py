"""How a bookmaker is asked over HTTP: limits, retries, and what counts as an answer.

Here: one client per bookmaker with its connection pool, its parallelism and pauses, the retry rule, the size limit, and
the checks that a body is JSON from the host that was asked. What to ask and how to read it is in each bookmaker's
``protocol.py``; the family of errors is in ``base.py``; reading status codes is in ``status.py``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
import msgspec
import stamina

from odds_pipeline.bookmakers.address import base_address, is_loopback
from odds_pipeline.bookmakers.base import (
    Answer,
    ApiChanged,
    Bookmaker,
    GivenUp,
    NetworkFailure,
    NotFound,
    ParseFailure,
    ScrapeFailure,
    Timeout,
    UnexpectedContent,
)
from odds_pipeline.bookmakers.status import require_success
from odds_pipeline.clock import Clock
from odds_pipeline.settings import BookmakerSettings, Settings

#: A whole answer may take this many times the time-out of one read: a body that drips in must end some time.
_WHOLE_ANSWER = 3

#: A bookmaker that fails without one success for twice its time-out is given up after this many failures.
_FAILURES_IN_SILENCE = 10

#: What is asked for, and the only compression that is undone: others turn kilobytes into gigabytes at one read.
_ENCODINGS = ("gzip", "deflate")


class HtmlPage(UnexpectedContent):
    """A web page where JSON was due: a bot check, an error page, or an API that has moved."""


class ProtobufBody(UnexpectedContent):
    """Protobuf where JSON was due (betPawa v4 without the right ``accept``)."""


@dataclass(slots=True)
class RequestCounts:
    """What a client did: requests sent, how many of them were retries, and the seconds spent waiting for answers."""

    requests: int = 0
    retries: int = 0
    seconds: float = 0.0


def open_http(bookmaker: Bookmaker, settings: Settings, clock: Clock) -> BookmakerHttp:
    """A client for ``bookmaker``, to be used as an async context manager.

    Raises ``ValueError`` when the simulator is the source and has no address: the live site is never asked by mistake;
    and for an address that may not be asked (``base_address``).
    """
    limits = settings.of(bookmaker.slug)
    if limits.url is None and settings.source != "live":
        raise ValueError(
            f"no address for {bookmaker.slug}: start the simulator and set ODDS_{bookmaker.slug.upper()}__URL, "
            "or set ODDS_SOURCE=live to ask the real site"
        )
    # Retries are counted and reported with the cycle; a warning for each of thousands would drown that.
    stamina.instrumentation.set_on_retry_hooks([])
    return BookmakerHttp(
        base_url=limits.url or bookmaker.base_url,
        headers=bookmaker.headers,
        limits=limits,
        clock=clock,
        forbidden_is_rate_limit=bookmaker.forbidden_is_rate_limit,
        is_live=settings.source == "live",
    )


class BookmakerHttp:
    """An HTTP client that can reach one bookmaker only.

    At most ``limits.parallelism`` requests are under way; each slot then rests for ``limits.delay_ms``, and stays taken
    while its request waits to be tried again, so that trouble slows the client down. A Retry-After pauses every request
    to the bookmaker, for at most ``limits.retry_wait_max_s``.
    """

    def __init__(
        self,
        *,
        base_url: str,
        headers: Mapping[str, str],
        limits: BookmakerSettings,
        clock: Clock,
        forbidden_is_rate_limit: bool = False,
        is_live: bool = False,
    ) -> None:
        self.clock = clock
        self.limits = limits
        self.counts = RequestCounts()
        self._base_url = base_address(base_url, is_live=is_live)
        self._forbidden_is_rate_limit = forbidden_is_rate_limit
        self._client = httpx.AsyncClient(
            base_url=self._base_url,
            headers=dict(headers) | {"accept-encoding": ", ".join(_ENCODINGS)},
            timeout=limits.timeout_s,
            # Twice the slots: a connection that is being closed must not keep the next request waiting.
            limits=httpx.Limits(max_connections=2 * limits.parallelism, max_keepalive_connections=limits.parallelism),
            follow_redirects=False,
            # A proxy from the environment cannot reach this machine's own simulator.
            trust_env=not is_loopback(self._base_url.host),
        )
        self._slots = asyncio.Semaphore(limits.parallelism)
        self._retrying = stamina.AsyncRetryingCaller(
            attempts=limits.tries,
            timeout=None,
            wait_initial=limits.retry_wait_s,
            wait_jitter=limits.retry_wait_s,
            wait_max=limits.retry_wait_max_s,
        )
        self._paused_until = 0.0
        self._failures_in_a_row = 0
        self._last_success: float | None = None
        self._given_up: str | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, path: str, params: Mapping[str, str] | None = None, *, discovery: bool = False) -> Answer:
        """The JSON at ``path`` below the base URL, tried again where that may help.

        Raises a ``ScrapeFailure``: the last one when every try failed, ``GivenUp`` without asking when this bookmaker
        has only failed for too long. With ``discovery``, not found, protobuf and HTML mean that the API changed (B-47).
        """
        async with self._slot():
            if self._given_up is not None:
                raise GivenUp(self._given_up)
            if self._last_success is None:
                self._last_success = asyncio.get_running_loop().time()
            tries = 0

            async def attempt() -> Answer:
                nonlocal tries
                tries += 1
                if tries > 1:
                    self.counts.retries += 1
                    await asyncio.sleep(self.limits.delay_ms / 1000)
                return await self._attempt(path, params, discovery=discovery)

            try:
                answer = await self._retrying(self._retry_rule, attempt)
            except HtmlPage as failure:
                self._count_failure(failure)
                if discovery:
                    raise ApiChanged(f"{failure}, at each of {tries} tries") from failure
                raise
            except ScrapeFailure as failure:
                self._count_failure(failure)
                raise
            self._failures_in_a_row = 0
            self._last_success = asyncio.get_running_loop().time()
            return answer

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        await self._slots.acquire()
        try:
            yield
        finally:
            asyncio.get_running_loop().call_later(self.limits.delay_ms / 1000, self._slots.release)

    def _retry_rule(self, failure: Exception) -> bool | float:
        """Whether to try again, or after how many seconds when the bookmaker said so."""
        if not isinstance(failure, ScrapeFailure) or not failure.may_retry:
            return False
        retry_after: float | None = getattr(failure, "retry_after", None)
        if retry_after is None:
            return True
        jitter = random.uniform(0, self.limits.retry_wait_s)
        return min(self.limits.retry_wait_max_s, retry_after + jitter)

    async def _attempt(self, path: str, params: Mapping[str, str] | None, *, discovery: bool) -> Answer:
        request = self._client.build_request("GET", path, params=params)
        if _origin(request.url) != _origin(self._base_url):
            raise ApiChanged(f"refused to contact {request.url.host}: only {self._base_url.host} is allowed")
        await self._wait_out_pause()
        loop = asyncio.get_running_loop()
        started = loop.time()
        self.counts.requests += 1
        try:
            async with asyncio.timeout(_WHOLE_ANSWER * self.limits.timeout_s):
                answer, content_type = await self._send(request)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise Timeout(f"{path}: {type(error).__name__} after {loop.time() - started:.1f} s") from error
        except httpx.DecodingError as error:
            raise UnexpectedContent(f"{path}: cannot be decompressed: {error}") from error
        except httpx.TransportError as error:
            raise NetworkFailure(f"{path}: {type(error).__name__}: {error}") from error
        except NotFound as failure:
            if discovery:
                raise ApiChanged(f"{failure}: this version of the API is gone") from failure
            raise
        except ScrapeFailure as failure:
            self._pause_for(getattr(failure, "retry_after", None))
            raise
        finally:
            self.counts.seconds += loop.time() - started
        try:
            require_json(answer.body, content_type, path)
        except ProtobufBody as failure:
            if discovery:
                raise ApiChanged(str(failure)) from failure
            raise
        return answer

    async def _send(self, request: httpx.Request) -> tuple[Answer, str]:
        response = await self._client.send(request, stream=True)
        try:
            require_success(response, clock=self.clock, forbidden_is_rate_limit=self._forbidden_is_rate_limit)
            encoding = response.headers.get("content-encoding", "").strip().lower()
            if "," in encoding:
                # A few kilobytes compressed twice are gigabytes before the first of them can be counted.
                raise UnexpectedContent(f"{request.url.path}: compressed more than once")
            if encoding not in ("", "identity", *_ENCODINGS):
                raise UnexpectedContent(f"{request.url.path}: compressed in a way that was not asked for: {encoding!r}")
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self.limits.max_body_bytes:
                    raise UnexpectedContent(
                        f"{request.url.path}: more than {self.limits.max_body_bytes:,} bytes; the rest was not read"
                    )
            return Answer(bytes(body), self.clock.now()), response.headers.get("content-type", "")
        finally:
            await response.aclose()

    def _pause_for(self, retry_after: float | None) -> None:
        if retry_after is not None:
            seconds = min(retry_after, self.limits.retry_wait_max_s)
            self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)

    async def _wait_out_pause(self) -> None:
        loop = asyncio.get_running_loop()
        while (seconds := self._paused_until - loop.time()) > 0:
            await asyncio.sleep(seconds)

    def _count_failure(self, failure: ScrapeFailure) -> None:
        """Give the bookmaker up once it only fails. What is its answer about one event (not found) is no such sign."""
        if isinstance(failure, NotFound | ParseFailure):
            return
        self._failures_in_a_row += 1
        assert self._last_success is not None
        silence = asyncio.get_running_loop().time() - self._last_success
        is_silent = silence > 2 * self.limits.timeout_s and self._failures_in_a_row >= _FAILURES_IN_SILENCE
        if self._failures_in_a_row >= self.limits.give_up_after or is_silent:
            self._given_up = self._given_up or (
                f"given up for this cycle: the last {self._failures_in_a_row} requests in a row failed, "
                f"none succeeded for {silence:.0f} s; last failure: {failure.error_type}: {failure}"
            )


def require_json(body: bytes, content_type: str, path: str) -> None:
    """Raise ``UnexpectedContent`` unless ``body`` is one whole JSON document."""
    if "protobuf" in content_type.lower():
        raise ProtobufBody(f"{path}: protobuf ({content_type}) instead of JSON")
    if not body.strip():
        raise UnexpectedContent(f"{path}: an empty body instead of JSON")
    if body.lstrip()[:1] == b"<":
        raise HtmlPage(f"{path}: an HTML page instead of JSON")
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnexpectedContent(f"{path}: not JSON ({len(body):,} bytes): {error}") from error


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
