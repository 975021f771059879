"""What every bookmaker module provides, and the family of errors an answer can end in.

A bookmaker is one module with one class that satisfies ``Bookmaker``, registered in ``registry.py``; docs/bookmakers.md
shows how to add one. The HTTP client with its limits and retries is ``http.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Protocol

from odds_pipeline.odds.observation import Listing, ParsedAnswer

if TYPE_CHECKING:
    from odds_pipeline.bookmakers.http import BookmakerHttp
    from odds_pipeline.markets.mapper import Mapper


class ScrapeFailure(Exception):
    """An answer that could not be had or read. ``error_type`` is what ``scrape_errors`` stores."""

    error_type: ClassVar[str] = "unknown"
    may_retry: ClassVar[bool] = False


class Timeout(ScrapeFailure):
    """No connection or no answer within the time limit."""

    error_type = "timeout"
    may_retry = True


class NetworkFailure(ScrapeFailure):
    """The connection was refused, reset or cut short."""

    error_type = "network"
    may_retry = True


class RateLimited(ScrapeFailure):
    """HTTP 429, or a bookmaker's own sign of being asked too fast (Bet9ja's 403)."""

    error_type = "rate_limit"
    may_retry = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds the bookmaker asks to wait, None if it did not say."""


class Forbidden(ScrapeFailure):
    """HTTP 401 or 403: this client or address is not welcome."""

    error_type = "forbidden"


class ServerFailure(ScrapeFailure):
    """HTTP 500, 502, 503 or 504."""

    error_type = "server_error"
    may_retry = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotFound(ScrapeFailure):
    """HTTP 404, or the bookmaker's own code for an unknown or ended event. Never retried (B-41)."""

    error_type = "not_found"


class UnexpectedContent(ScrapeFailure):
    """A body that is not the JSON asked for: HTML, protobuf, truncated JSON, or one beyond the size limit."""

    error_type = "unexpected_content"
    may_retry = True


class ApiChanged(ScrapeFailure):
    """Signs that the API itself changed: 404 on discovery, protobuf despite asking for JSON, a redirect (B-47)."""

    error_type = "api_changed"


class ParseFailure(ScrapeFailure):
    """JSON that lacks what the protocol promises: a field renamed, a wrong code, an empty list."""

    error_type = "parse_error"


class EmptyAnswer(ParseFailure):
    """A successful answer without a single event: never read as an empty offer (B-13)."""

    error_type = "empty"


class GivenUp(ScrapeFailure):
    """Not asked: this bookmaker has only failed for so long that it is left alone for the rest of the cycle."""

    error_type = "given_up"


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of one successful HTTP answer, decompressed, and when it had arrived (pipeline clock, aware UTC)."""

    body: bytes
    captured_at: datetime


@dataclass(frozen=True, slots=True)
class Discovery:
    """A bookmaker's whole offer as found now, without duplicates.

    ``failures`` empty means that every page was read to the end: only then may absence be concluded.
    ``captured_at`` is the arrival of the first page: an event that appears while paging is not thereby absent.
    """

    bookmaker: str
    captured_at: datetime
    listings: tuple[Listing, ...]
    failures: tuple[ScrapeFailure, ...] = field(default=())

    @property
    def is_complete(self) -> bool:
        return not self.failures


class Bookmaker(Protocol):
    """One bookmaker's protocol: what to ask, and how to read what comes back."""

    slug: ClassVar[str]
    name: ClassVar[str]
    base_url: ClassVar[str]
    """The live site; ``settings`` may name another host (the simulator's)."""
    forbidden_is_rate_limit: ClassVar[bool]
    """Whether HTTP 403 means "too fast" (retried) or "not welcome" (final)."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Sent with every request."""
        ...

    async def discover(self, http: BookmakerHttp) -> Discovery:
        """Read every page of the offer. Raises ``ScrapeFailure`` when not even the first page could be read."""
        ...

    async def fetch_event(self, http: BookmakerHttp, listing: Listing) -> Answer:
        """Ask for one event with all its markets. Raises ``ScrapeFailure``."""
        ...

    def parse_event(self, body: bytes, mapper: Mapper, listing: Listing | None = None) -> ParsedAnswer:
        """Read one event answer (pure).

        ``listing`` is what discovery said, checked against the answer and used where the answer is silent; None when
        reading a captured file. Raises ``ScrapeFailure`` for an answer that is not about an event at all.
        """
        ...
