"""What an HTTP status code means for a scraper: the typed failure that it stands for, and its Retry-After."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx

from odds_pipeline.bookmakers.base import (
    ApiChanged,
    Forbidden,
    NotFound,
    RateLimited,
    ServerFailure,
    Timeout,
    UnexpectedContent,
)
from odds_pipeline.clock import Clock


def require_success(response: httpx.Response, *, clock: Clock, forbidden_is_rate_limit: bool) -> None:
    """Raise the ``ScrapeFailure`` that a status other than 200 stands for.

    ``forbidden_is_rate_limit``: this bookmaker answers 403 to clients that ask too fast, as Bet9ja does.
    """
    status = response.status_code
    if status == httpx.codes.OK:
        return
    text = f"{response.request.url.path}: HTTP {status}"
    if status == httpx.codes.TOO_MANY_REQUESTS or (status == httpx.codes.FORBIDDEN and forbidden_is_rate_limit):
        raise RateLimited(text, retry_after(response, clock))
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise Forbidden(text)
    if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        raise NotFound(text)
    if status == httpx.codes.REQUEST_TIMEOUT:
        raise Timeout(text)
    if response.is_server_error:
        raise ServerFailure(text, retry_after(response, clock))
    if response.is_redirect or response.has_redirect_location:
        raise ApiChanged(f"{text}: a redirect to {response.headers.get('location')!r} was not followed")
    if response.is_success:
        raise UnexpectedContent(f"{text} instead of 200")
    raise ApiChanged(f"{text}: this request is not understood any more")


def retry_after(response: httpx.Response, clock: Clock) -> float | None:
    """Seconds that the bookmaker asks to wait (RFC 9110: a number or an HTTP date); None if it did not say."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - clock.now()).total_seconds())
