"""Reading the body of an event answer: the JSON object in it, its times, and whether it is about the event asked for.

Here: what the parsers of all bookmakers share. What the fields of one bookmaker mean is in its ``parser.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import xxhash

from odds_pipeline.bookmakers.base import ParseFailure, UnexpectedContent
from odds_pipeline.clock import require_utc
from odds_pipeline.odds.observation import Listing

T = TypeVar("T")

#: The only sport that is scraped.
FOOTBALL = "football"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decode_event(body: bytes, bookmaker: str) -> dict[str, Any]:
    """The JSON object of an event answer.

    Raises ``UnexpectedContent`` for anything that is not JSON, ``ParseFailure`` for JSON that is no object.
    """
    return decode_as(dict[str, Any], body, bookmaker)


def decode_as(shape: type[T], body: bytes | msgspec.Raw, bookmaker: str) -> T:
    """JSON of a given shape. Raises as ``decode_event`` does."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise ParseFailure(f"{bookmaker} event: {error}") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        what = "an HTML page" if bytes(body).lstrip()[:1] == b"<" else f"not JSON ({error})"
        raise UnexpectedContent(f"{bookmaker} event: {what}, {len(bytes(body)):,} bytes") from error


def content_hash(body: bytes) -> str:
    """The 64-bit xxhash of a body, 16 hex digits."""
    return xxhash.xxh3_64_hexdigest(body)


def require_same_event(listing: Listing | None, external_event_id: str) -> None:
    """Raise ``ParseFailure`` when the answer is about another event than the one asked for."""
    if listing is not None and listing.external_event_id != external_event_id:
        raise ParseFailure(
            f"{listing.bookmaker} event {listing.external_event_id}: "
            f"the answer is about {external_event_id or 'no event'}"
        )


def time_from_text(value: object, field: str) -> datetime | None:
    """An ISO 8601 time with its zone, in UTC (B-36); None if there is none. Raises ``ParseFailure``."""
    if value is None or value == "":
        return None
    try:
        return require_utc(datetime.fromisoformat(str(value)))
    except ValueError as error:
        raise ParseFailure(f"{field} {value!r} is not a time with a zone") from error


def time_from_milliseconds(value: object, field: str) -> datetime | None:
    """Epoch milliseconds as a UTC time (B-36); None if there is none. Raises ``ParseFailure``."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise ParseFailure(f"{field} {value!r} is not a number of milliseconds")
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except OverflowError as error:
        raise ParseFailure(f"{field} {value} is beyond any date") from error


def listing_of_answer(
    bookmaker: str,
    external_event_id: str,
    known: Listing | None,
    *,
    sportradar_id: str | None,
    country: str,
    tournament: str,
    teams: tuple[str, str],
    kickoff: datetime | None,
) -> Listing:
    """The listing as the answer tells it, with what discovery ``known`` says where the answer is silent."""
    home, away = teams
    return Listing(
        bookmaker=bookmaker,
        external_event_id=external_event_id,
        sportradar_id=sportradar_id or (known.sportradar_id if known else None),
        sport=FOOTBALL,
        country=country or (known.country if known else ""),
        tournament=tournament or (known.tournament if known else ""),
        home_team=home or (known.home_team if known else ""),
        away_team=away or (known.away_team if known else ""),
        kickoff=kickoff or (known.kickoff if known else None),
    )
