"""A real HTTP server on loopback that misbehaves on request, down to the TCP connection.

Here: the server, and the replies it can be told to give. What a bookmaker's site would answer is in ``sites.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """One request as it arrived. ``at`` is the loop's time in seconds."""

    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    at: float


@dataclass(frozen=True)
class Reply:
    """What to answer.

    ``promised_length`` beyond the body cuts the connection short; ``reset`` answers with a TCP reset, ``hang`` with
    silence until the client leaves, ``drip`` with blanks that never end; ``delay`` is in seconds.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    promised_length: int | None = None
    reset: bool = False
    hang: bool = False
    drip: bool = False
    delay: float = 0.0


def json_reply(document: Any, **rest: Any) -> Reply:
    """A reply with a JSON body."""
    return Reply(body=json.dumps(document).encode(), headers={"content-type": "application/json"}, **rest)


class Loopback:
    """Serves what ``answer`` says, in the test's own event loop; remembers what it was asked.

    A connection carries many requests, as with a real site, so that pools and resets behave as they would there.
    """

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.finished_at: list[float] = []
        self.under_way = 0
        self.most_under_way = 0
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        target = urlsplit(head[0].split(" ")[1])
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        params = {name: values[0] for name, values in parse_qs(target.query, keep_blank_values=True).items()}
        loop = asyncio.get_running_loop()
        request = Request(target.path, params, headers, loop.time())
        self.requests.append(request)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._reply(self.answer(request), reader, writer)
        finally:
            self.under_way -= 1
            self.finished_at.append(loop.time())

    async def _reply(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.hang:
            await reader.read()
            return False
        if reply.reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        if reply.drip:
            writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 1000000\r\n\r\n")
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
            return False
        length = len(reply.body) if reply.promised_length is None else reply.promised_length
        lines = [f"HTTP/1.1 {reply.status} X", f"content-length: {length}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + reply.body)
        await writer.drain()
        return length == len(reply.body)
