"""The web application: each bookmaker under its own path, and ``/control`` to step the world and request faults.

A request waits out the bookmaker's latency, meets a fault or not, and gets its answer.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from odds_pipeline.clock import Clock
from odds_pipeline.simulator.bet9ja_api import Bet9jaApi
from odds_pipeline.simulator.betpawa_api import BetpawaApi, not_found
from odds_pipeline.simulator.faults import Fault, FaultBook, FaultKind
from odds_pipeline.simulator.latency import Latency
from odds_pipeline.simulator.misbehaviour import spoil
from odds_pipeline.simulator.replies import Endpoint, Reply
from odds_pipeline.simulator.schedule import BOOKMAKERS
from odds_pipeline.simulator.sportybet_api import SportybetApi
from odds_pipeline.simulator.world import Offer

_LINGER_RESET = struct.pack("ii", 1, 0)
"""Makes closing a socket send RST instead of FIN."""


class Application:
    """Everything that one server shares: the offer, the faults in force, latencies and how much is under way."""

    def __init__(
        self,
        offer: Offer,
        *,
        clock: Clock,
        latency: Mapping[str, Latency],
        seed: int,
        on_advance: Callable[[], None] = lambda: None,
    ) -> None:
        self.offer = offer
        self.faults = FaultBook()
        self._clock = clock
        self._latency = latency
        self._random = Random(seed)
        self._on_advance = on_advance
        self._under_way: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()

    def asgi(self) -> Starlette:
        """The ASGI application."""
        apis = {
            "betpawa": BetpawaApi(self.offer),
            "sportybet": SportybetApi(self.offer),
            "bet9ja": Bet9jaApi(self.offer),
        }
        mounts = [
            Mount(f"/{slug}", routes=[self._route(slug, endpoint) for endpoint in api.endpoints()])
            for slug, api in apis.items()
        ]
        control = [
            Route("/state", self._state),
            Route("/advance", self._advance, methods=["POST"]),
            Route("/faults", self._list_faults, methods=["GET"]),
            Route("/faults", self._add_fault, methods=["POST"]),
            Route("/faults", self._clear_faults, methods=["DELETE"]),
        ]
        return Starlette(
            routes=[*mounts, Mount("/control", routes=control)],
            exception_handlers={404: lambda request, error: _http(request, not_found())},
        )

    def _route(self, slug: str, endpoint: Endpoint) -> Route:
        async def answer(request: Request) -> Response:
            body = await request.body()
            self._requests[slug] += 1
            self._under_way[slug] += 1
            try:
                if latency := self._latency.get(slug):
                    await asyncio.sleep(latency.draw(self._random))
                return self._answer(slug, endpoint, request, body)
            finally:
                self._under_way[slug] -= 1

        return Route(endpoint.path, answer, methods=[endpoint.method])

    def _answer(self, slug: str, endpoint: Endpoint, request: Request, body: bytes) -> Response:
        name = endpoint.event_parameter
        event_id = None if name is None else request.path_params.get(name) or request.query_params.get(name)
        fault = self.faults.take(slug, endpoint.target, event_id, self._under_way[slug])
        if fault is None:
            return _http(request, endpoint.answer(request, body))
        match fault.kind:
            case FaultKind.HANG:
                return _Silence()
            case FaultKind.RESET:
                return _Reset()
            case FaultKind.CUT_SHORT:
                return _CutShort(endpoint.answer(request, body).content())
            case FaultKind.REDIRECT:
                return Response(status_code=302, headers={"location": "https://elsewhere.invalid/"})
            case FaultKind.STATUS:
                return _failure(fault, fault.status, self._clock.now())
            case FaultKind.RATE_LIMIT:
                return _failure(fault, 403 if slug == "bet9ja" else 429, self._clock.now())
            case _:
                reply = endpoint.answer(request, body)
                return _http(request, reply if reply.status != 200 else spoil(fault, slug, endpoint.target, reply))

    def _state(self, request: Request) -> Response:
        return JSONResponse(
            {
                "now": self.offer.now().isoformat(),
                "events": {slug: len(self.offer.listed(slug)) for slug in BOOKMAKERS},
                "requests": {slug: self._requests[slug] for slug in BOOKMAKERS},
            }
        )

    async def _advance(self, request: Request) -> Response:
        try:
            periods = int((await _document(request)).get("periods", 1))
            if periods < 0:
                raise ValueError("periods is negative")
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": f"periods must be a whole number from 0 on: {error}"}, 400)
        now = self.offer.advance(periods)
        self._on_advance()
        return JSONResponse({"now": now.isoformat()})

    async def _list_faults(self, request: Request) -> Response:
        return JSONResponse(msgspec.to_builtins(self.faults.in_force()))

    async def _add_fault(self, request: Request) -> Response:
        try:
            fault = msgspec.json.decode(await request.body(), type=Fault)
        except msgspec.MsgspecError as error:
            return JSONResponse({"error": f"not a fault: {error}"}, 400)
        self.faults.add(fault)
        return JSONResponse(msgspec.to_builtins(fault), 201)

    async def _clear_faults(self, request: Request) -> Response:
        self.faults.clear()
        return Response(status_code=204)


async def _document(request: Request) -> Any:
    body = await request.body()
    return json.loads(body) if body else {}


def _http(request: Request, reply: Reply) -> Response:
    headers = {}
    content = reply.body
    if reply.gzipped:
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
        else:
            content = reply.content()
    return Response(content, reply.status, headers, media_type=reply.content_type)


def _failure(fault: Fault, status: int, now: datetime) -> Response:
    headers = {}
    if fault.retry_after is not None:
        until = now + timedelta(seconds=fault.retry_after)
        headers["retry-after"] = (
            format_datetime(until, usegmt=True) if fault.retry_after_as_date else str(fault.retry_after)
        )
    return Response(f"{status}", status, headers, media_type="text/plain")


class ConnectionProtocol(HttpToolsProtocol):
    """Uvicorn's protocol, giving the application the transport so that it can break the connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"simulator": {"transport": self.transport}}


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _abort(scope: Scope, receive: Receive) -> None:
    transport = scope["extensions"]["simulator"]["transport"]
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    transport.abort()
    await _until_disconnected(receive)


class _Silence(Response):
    """No answer until the client goes away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _until_disconnected(receive)


class _Reset(Response):
    """The connection reset instead of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _abort(scope, receive)


class _CutShort(Response):
    """The connection reset halfway through the body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        transport = scope["extensions"]["simulator"]["transport"]
        while transport.get_write_buffer_size():
            await asyncio.sleep(0.001)
        await _abort(scope, receive)
