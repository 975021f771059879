"""What an endpoint gives back before it becomes an HTTP response, and the shape of an endpoint."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import Request

from odds_pipeline.simulator.answers import to_json

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
HTML = "text/html; charset=utf-8"

Target = Literal["discovery", "event"]


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, content type and body; ``gzipped``: the body is a gzip file already."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    gzipped: bool = False

    def content(self) -> bytes:
        """The body as the client reads it."""
        return zlib.decompress(self.body, wbits=31) if self.gzipped else self.body


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of a bookmaker's API. ``event_parameter``: the path or query parameter that names the event."""

    method: str
    path: str
    target: Target
    answer: Callable[[Request, bytes], Reply]
    event_parameter: str | None = None


def json_reply(value: Any, status: int = 200) -> Reply:
    """A reply holding ``value`` as JSON."""
    return Reply(to_json(value).encode(), status)
