"""A bookmaker's offer while it is being discovered: listings without duplicates, and all that went wrong.

Here: what the discoveries of all bookmakers share. Which pages to ask for and which fields to read is in each
bookmaker's ``protocol.py``.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from odds_pipeline.bookmakers.base import (
    Answer,
    Discovery,
    EmptyAnswer,
    GivenUp,
    ParseFailure,
    ScrapeFailure,
    UnexpectedContent,
)
from odds_pipeline.odds.observation import Listing

#: Countries and tournaments of matches that nobody plays; they stand among real football in every list.
_NOT_PLAYED = re.compile(r"\b(simulated|srl|virtuals?|e-?soccer|e-?sports|cyber)\b", re.IGNORECASE)


#: Characters; the longest name seen has 60.
_LONGEST_TEXT = 250


class Offer:
    """Collects one discovery. Whatever fails makes it incomplete and keeps what was found."""

    def __init__(self, bookmaker: str) -> None:
        self.bookmaker = bookmaker
        self.failures: list[ScrapeFailure] = []
        self._listings: dict[str, Listing] = {}
        self._captured_at: datetime | None = None

    def arrived(self, captured_at: datetime) -> None:
        """Note the arrival of a page; the first one dates the discovery."""
        if self._captured_at is None or captured_at < self._captured_at:
            self._captured_at = captured_at

    def add(self, listing: Listing) -> None:
        """Add a listing unless it is there already (pages overlap) or is not of a match that is played."""
        if not _NOT_PLAYED.search(f"{listing.country} {listing.tournament}"):
            self._listings.setdefault(listing.external_event_id, listing)

    def fail(self, failure: ScrapeFailure) -> None:
        """Note that a part of the offer could not be read. Being left alone is noted once."""
        if isinstance(failure, GivenUp) and any(isinstance(known, GivenUp) for known in self.failures):
            return
        self.failures.append(failure)

    def discovery(self) -> Discovery:
        """The discovery, when everything was tried.

        Raises the first failure when not one event was found, and ``EmptyAnswer`` when nothing failed either (B-13).
        """
        if not self._listings or self._captured_at is None:
            if self.failures:
                raise self.failures[0]
            raise EmptyAnswer(f"{self.bookmaker} lists not a single football match")
        return Discovery(self.bookmaker, self._captured_at, tuple(self._listings.values()), tuple(self.failures))


class Entries:
    """Reads the entries of one page; those that lack a promised field are counted and reported as one failure."""

    def __init__(self, page: str) -> None:
        self._page = page
        self._missing: dict[str, int] = {}

    def lacks(self, field: str) -> None:
        """Note that one entry has no usable ``field``."""
        self._missing[field] = self._missing.get(field, 0) + 1

    def report(self, offer: Offer) -> None:
        """Hand what was missing to ``offer`` as one ``ParseFailure``."""
        if self._missing:
            fields = ", ".join(f"{field} ({count} times)" for field, count in self._missing.items())
            offer.fail(ParseFailure(f"{self._page}: entries without a usable {fields}"))


def decode_object(answer: Answer, page: str) -> dict[str, Any]:
    """The JSON object of an answer. Raises ``UnexpectedContent`` or ``ParseFailure``."""
    try:
        document = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnexpectedContent(f"{page}: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ParseFailure(f"{page}: a JSON {type(document).__name__} instead of an object")
    return document


def as_object(value: object) -> dict[str, Any]:
    """``value`` if it is a JSON object, else an empty one: for optional parts of an entry."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """A JSON string or whole number as text without surrounding blanks; anything else is an empty text.

    NUL, which JSON may carry and PostgreSQL's text cannot, is left out. What is longer than any id or name counts as
    missing.
    """
    if isinstance(value, str):
        text = value.replace("\0", "").strip()
        return text if len(text) <= _LONGEST_TEXT else ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def digits_or_none(value: object) -> str | None:
    """A SportRadar id in its normal form (digits only), None for anything else."""
    text = as_text(value)
    return text if text.isascii() and text.isdigit() else None


def split_teams(name: str) -> tuple[str, str]:
    """Home and away team of ``"home - away"``; both empty when there is no such separator."""
    home, separator, away = name.partition(" - ")
    return (home.strip(), away.strip()) if separator else ("", "")
