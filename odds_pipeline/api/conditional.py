"""What HTTP offers for every answer: HEAD, and an entity tag by which an answer that is the same is not sent again."""

from __future__ import annotations

import xxhash
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Conditional:
    """Wraps an application whose answers come in one piece.

    HEAD is answered as GET, without the body. A good answer gets a strong ETag of its body, and is 304 for who has it
    (``If-None-Match``). Answers may be kept, but must be asked for again each time: odds change at any moment.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        start: Message = {}
        is_head = scope["method"] == "HEAD"

        async def send_once(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body = message.get("body", b"")
            if start["status"] == 200 and _tag(start, body) in _known(scope):
                start["status"] = 304
                del MutableHeaders(raw=start["headers"])["content-length"]
                body = b""
            await send(start)
            await send({"type": "http.response.body", "body": b"" if is_head else body})

        await self._app({**scope, "method": "GET"}, receive, send_once)


def _tag(start: Message, body: bytes) -> str:
    """The entity tag of an answer, which now says it itself."""
    tag = f'"{xxhash.xxh3_128_hexdigest(body)}"'
    headers = MutableHeaders(raw=start["headers"])
    headers["etag"] = tag
    headers["cache-control"] = "no-cache"
    return tag


class _Any:
    """``If-None-Match: *``."""

    def __contains__(self, tag: object) -> bool:
        return True


def _known(scope: Scope) -> frozenset[str] | _Any:
    """The tags that the asker has."""
    given = Headers(scope=scope).getlist("if-none-match")
    tags = frozenset(tag.strip().removeprefix("W/") for each in given for tag in each.split(","))
    return _Any() if "*" in tags else tags
